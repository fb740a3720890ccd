package repotool

import (
	"context"
	"errors"

	"github.com/varve-search/varve/repository"
)

// remoteUsage collects what shallow snapshots have of one shard in a remote store. The repository alone tells how much that is for
// each snapshot; which files they share only the remote store does.
type remoteUsage struct {
	sizes map[string]int64 // of the shard, by the snapshot's uuid
	files map[string]int64 // length by blob
}

func newRemoteUsage() *remoteUsage {
	return &remoteUsage{map[string]int64{}, map[string]int64{}}
}

// addPinned is add for a shard of a snapshot that pins a timestamp: the repository says nothing of it.
func (r *remoteUsage) addPinned(ctx context.Context, sh *repository.Shard, id repository.SnapshotID) error {
	if options(ctx).RemoteStore == nil {
		return nil
	}
	snap, _, err := sh.State(ctx, id)
	var nowhere *repository.MissingSnapshotError
	if errors.As(err, &nowhere) { // the shard failed
		return nil
	}
	if err != nil {
		return withHint(err)
	}
	r.countFiles(id, snap)
	return nil
}

// countFiles counts the files of one snapshot.
func (r *remoteUsage) countFiles(id repository.SnapshotID, snap *repository.ShardSnapshot) {
	r.sizes[id.UUID] = 0
	for _, f := range snap.Files {
		r.sizes[id.UUID] += f.Length
		if !f.Virtual() {
			r.files[f.Name] = f.Length
		}
	}
}

func (r *remoteUsage) add(ctx context.Context, sh *repository.Shard, id repository.SnapshotID) error {
	shallow, err := sh.ShallowSnapshot(ctx, id)
	if err != nil {
		return err
	}
	r.sizes[id.UUID] = shallow.TotalSize
	if options(ctx).RemoteStore == nil {
		return nil
	}
	snap, err := sh.Files(ctx, id)
	if err != nil {
		return err
	}
	r.countFiles(id, snap)
	return nil
}

// count adds what was collected. listed are the blobs of the shard in the repository.
func (r *remoteUsage) count(u *usage, one *IndexUsage, listed map[string]int64) {
	for uuid, size := range r.sizes {
		s := &u.u.Snapshots[u.at[uuid]]
		s.Bytes += size
		s.Remote += size
		one.Logical += size
		u.need(listed["shallow-snap-"+uuid+".dat"], 1, map[string]bool{uuid: true}, false)
	}
	for _, size := range r.files {
		one.Remote += size
		u.u.Remote += size
	}
}
