package repository

import "slices"

// ShardCounts returns how many shards each index has in a snapshot, by the index's id, where the root and the snapshot's info tell it
// without the metadata of the indices; else nil.
//
// The root has a generation for each shard that an index ever had under its id. It may be more than the index has in this very snapshot, which
// was perhaps made anew with fewer shards; but not fewer: from 7.9 on, whose snapshots name their metadata in the root, a shard's generation is
// recorded when the shard is in a snapshot, and stays while it is in one. So if the lengths add up to the shards that the info counts, each is right.
//
// That needs every shard to be in the snapshot: generations of failed ones, and of shallow ones, may be dropped with other snapshots. And the info
// must count them: clones have 0.
func (d *Data) ShardCounts(info *SnapshotInfo) map[string]int {
	entry, ok := d.byUUID(info.UUID)
	if !ok || info.State != StateSuccess || info.Shallow() || len(info.Failures) > 0 || info.SuccessfulShards != info.TotalShards {
		return nil
	}
	counts, sum := map[string]int{}, 0
	for _, i := range d.SnapshotIndices(info.SnapshotID) {
		_, named := entry.IndexMetadata[i.ID]
		n := len(i.Generations)
		if !named || n == 0 || n > maxShards || slices.Contains(i.Generations, "") || !slices.Contains(info.Indices, i.Name) {
			return nil
		}
		counts[i.ID] = n
		sum += n
	}
	if sum != info.TotalShards || len(counts) != len(info.Indices) {
		return nil
	}
	return counts
}
