package repository

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/repository/smile"
)

// snapshots reads what the repository records of each snapshot.
func (p *repairer) snapshots(ctx context.Context) error {
	for _, s := range p.data.Snapshots {
		p.times[s.UUID] = &span{}
		if p.infos[s.UUID] == nil {
			info, err := p.r.SnapshotInfo(ctx, s.SnapshotID)
			bad, failed := damaged(err)
			if failed != nil {
				return failed
			}
			if !bad {
				p.infos[s.UUID] = info
			} else if err := p.byPin(ctx, s.SnapshotID); err != nil {
				return err
			}
		}
		if err := p.globalMetadata(ctx, s.SnapshotID); err != nil {
			return err
		}
	}
	return nil
}

// globalMetadata reads a snapshot's metadata of the cluster, and plans to put nearly empty one in its place if it is lost.
func (p *repairer) globalMetadata(ctx context.Context, id SnapshotID) error {
	g, err := p.r.GlobalMetadata(ctx, id)
	bad, failed := damaged(err)
	if failed != nil {
		return failed
	}
	if !bad {
		v, _ := g.Get("cluster_uuid")
		p.global[id.UUID] = v != "_na_"
		return nil
	}
	p.action(RepairAction{Action: "write empty", Blob: p.path(metaName(id.UUID)), Snapshot: id.Name, Shard: -1, Why: "the global metadata: " + why(err)})
	p.replace(pointer{p.r.root, p.r.opts.BasePath, metaName(id.UUID)}, codecMetadata, blob.KindOf(err) != blob.KindNotFound, func() (*smile.Object, error) {
		return smile.NewObject(member{Name: globalKey, Value: EmptyGlobalMetadata()}), nil
	})
	if info := p.infos[id.UUID]; info == nil || info.IncludeGlobalState == nil || *info.IncludeGlobalState {
		p.lose(id, "", -1, "the global state (templates, settings, pipelines)")
		if info != nil {
			no := false
			info.IncludeGlobalState = &no
			p.dirty[id.UUID] = true
		}
	}
	return nil
}

// metaBlob is a readable metadata blob of an index.
type metaBlob struct {
	id   string
	meta *IndexMetadata
}

// written returns when the blob was written, in milliseconds since 1970. Ids that hold no time are those of versions of ours before
// they did, and of Elasticsearch before 7.10.
func (m *metaBlob) written() (int64, bool) { return timeOfUUID(m.id) }

// created is the time at which the index was made.
func (m *metaBlob) created() int64 {
	n, _ := strconv.ParseInt(m.meta.Setting("index.creation_date"), 10, 64)
	return n
}

// metadataBlobs reads all metadata of an index that can be read, the oldest first: an index made anew under its name is newer,
// and so are higher versions of settings, mapping and aliases.
func (p *repairer) metadataBlobs(ctx context.Context, i IndexID) ([]metaBlob, error) {
	c, path, err := p.r.indexContainer(i)
	if err != nil {
		return nil, err
	}
	var out []metaBlob
	names, err := blob.Names(ctx, c, "meta-")
	if err != nil {
		return nil, err
	}
	for name := range names {
		id, ok := datUUID(name, "meta-")
		if !ok {
			continue
		}
		m, err := readParsed(ctx, p.r, c, path, name, codecIndexMetadata, parseIndexMetadata)
		bad, failed := damaged(err)
		if failed != nil {
			return nil, failed
		}
		if !bad && (i.Name == "" || m.Name == i.Name) {
			out = append(out, metaBlob{id, m})
		}
	}
	versions := func(m *metaBlob) int64 {
		return m.meta.number("settings_version", 1) + m.meta.number("mapping_version", 1) + m.meta.number("aliases_version", 0)
	}
	slices.SortFunc(out, func(a, b metaBlob) int {
		return cmp.Or(cmp.Compare(a.created(), b.created()), cmp.Compare(versions(&a), versions(&b)), cmp.Compare(a.id, b.id))
	})
	return out, nil
}

// indexMetadata finds the metadata of an index in each of its snapshots; where it is lost, the best that is left. It returns it by
// snapshot, and takes the index out of snapshots for which there is none.
func (p *repairer) indexMetadata(ctx context.Context, e *IndexEntry) (map[string]*IndexMetadata, error) {
	out := map[string]*IndexMetadata{}
	var all []metaBlob
	read := map[string]*IndexMetadata{}
	var present map[string]int
	var kept []string
	for at, uuid := range slices.Clone(e.Snapshots) {
		s := p.entry(uuid)
		id, err := p.data.metadataBlob(*s, e.IndexID)
		if !p.rebuilt && err == nil {
			m, known := read[id]
			if !known {
				m, err = p.r.IndexMetadata(ctx, p.data, s.SnapshotID, e.Name)
				if _, failed := damaged(err); failed != nil {
					return nil, failed
				}
				if err != nil || m.Name != e.Name { // that of another index is as good as lost
					m = nil
				}
				read[id] = m
			}
			if m != nil {
				out[uuid] = m
				kept = append(kept, uuid)
				continue
			}
		}
		if all == nil {
			if all, err = p.metadataBlobs(ctx, e.IndexID); err != nil {
				return nil, err
			}
		}
		if present == nil {
			if present, err = p.shardsOf(ctx, e, all); err != nil {
				return nil, err
			}
		}
		fit := p.fitting(s, e, all, present[uuid])
		if len(fit) == 0 {
			p.dropIndex(s, e)
			continue
		}
		m, sure := p.chooseMetadata(s, e, fit, at)
		identifier := m.meta.Identifier()
		s.IndexMetadata[e.ID] = identifier
		p.data.Identifiers[identifier] = m.id
		out[uuid] = m.meta
		kept = append(kept, uuid)
		p.swing = true
		name := p.path(indicesDir, e.ID, metaName(m.id))
		switch {
		case p.rebuilt && sure:
		case p.rebuilt:
			p.report.Guesses = append(p.report.Guesses, fmt.Sprintf("index [%s] in snapshot [%s] gets the newest metadata there is of it, [%s]: which of %d it had, only the lost root knew", e.Name, s.Name, name, len(all)))
		default:
			p.action(RepairAction{Action: "refer to", Blob: name, Snapshot: s.Name, Index: e.Name, Shard: -1, Why: "its own metadata is lost; this is the index's nearest"})
			p.report.Guesses = append(p.report.Guesses, fmt.Sprintf("index [%s] in snapshot [%s] gets metadata of another moment: settings and aliases may be others, and the mapping may have more fields", e.Name, s.Name))
		}
	}
	if len(kept) < len(e.Snapshots) && len(all) == 0 {
		if err := p.hintRenamed(ctx, e.IndexID); err != nil {
			return nil, err
		}
	}
	e.Snapshots = kept
	return out, nil
}

// hintRenamed tells of folders that the root does not know and that have metadata of an index whose own is lost: somebody may have
// renamed the index's folder, and whoever names it back loses nothing.
func (p *repairer) hintRenamed(ctx context.Context, i IndexID) error {
	dir, err := p.r.root.Container(indicesDir)
	if err != nil {
		return err
	}
	var ids []string
	if err := dir.Children(ctx, func(id string) error {
		if blob.CheckName(id) == nil && !slices.ContainsFunc(p.data.Indices, func(e IndexEntry) bool { return e.ID == id }) {
			ids = append(ids, id)
		}
		return nil
	}); err != nil {
		return err
	}
	slices.Sort(ids)
	for _, id := range ids {
		found, err := p.metadataBlobs(ctx, IndexID{ID: id, Name: i.Name})
		if err != nil {
			return err
		}
		if len(found) > 0 {
			p.report.Guesses = append(p.report.Guesses, fmt.Sprintf("the metadata of index [%s] is taken for lost, but the folder [%s], which the root does not know, has metadata of an index of that name: if it was renamed, name it [%s] again instead of repairing",
				i.Name, p.path(indicesDir, id), i.ID))
		}
	}
	return nil
}

// shardsOf counts the shards of an index that snapshots have, by their lists and by what the shards' indices know.
func (p *repairer) shardsOf(ctx context.Context, e *IndexEntry, all []metaBlob) (map[string]int, error) {
	out := map[string]int{}
	shards := len(e.Generations)
	for _, m := range all {
		shards = max(shards, m.meta.Shards())
	}
	for n := range shards {
		s, err := p.r.Shard(ctx, e.IndexID, n)
		if err != nil {
			return nil, err
		}
		for _, prefix := range []string{"snap-", shallowPrefix} {
			if err := s.c.List(ctx, prefix, func(b blob.Info) error {
				if uuid, ok := datUUID(b.Name, prefix); ok {
					out[uuid] = n + 1
				}
				return nil
			}); err != nil {
				return nil, err
			}
		}
		if err := s.c.List(ctx, rootPrefix, func(b blob.Info) error {
			x, _, err := s.FileIndex(ctx, strings.TrimPrefix(b.Name, rootPrefix))
			if bad, failed := damaged(err); bad || failed != nil {
				return failed
			}
			for _, known := range x.Snapshots {
				if e, err := p.data.Snapshot(known.Snapshot); err == nil {
					out[e.UUID] = max(out[e.UUID], n+1)
				}
			}
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// fitting returns the metadata that has as many shards as the index has in a snapshot: the last shards may have failed, which only
// the snapshot's info knows. An index that was made anew under its name may have another number.
func (p *repairer) fitting(s *SnapshotEntry, e *IndexEntry, all []metaBlob, shards int) []metaBlob {
	info := p.infos[s.UUID]
	if info != nil && info.PinnedTimestamp != 0 { // no shard says anything of it
		return all
	}
	if info != nil {
		for _, f := range info.Failures {
			if f.Index == e.Name {
				shards = max(shards, f.Shard+1)
			}
		}
	}
	exact := slices.DeleteFunc(slices.Clone(all), func(m metaBlob) bool { return m.meta.Shards() != shards })
	if len(exact) > 0 || info != nil {
		return exact
	}
	return slices.DeleteFunc(slices.Clone(all), func(m metaBlob) bool { return m.meta.Shards() < shards })
}

// chooseMetadata picks what an index's metadata in a snapshot was, or what is nearest to it, and tells whether that is certain.
func (p *repairer) chooseMetadata(s *SnapshotEntry, e *IndexEntry, all []metaBlob, at int) (metaBlob, bool) {
	info := p.infos[s.UUID]
	want, ok := p.hints[s.UUID][e.ID]
	if !ok && info != nil {
		want, ok = info.IndexMetadata[e.ID]
	}
	if ok {
		for _, m := range all {
			if m.meta.Identifier() == want {
				return m, true
			}
		}
	}
	if len(all) == 1 {
		return all[0], p.rebuilt
	}
	start := int64(0)
	if info != nil {
		start = info.StartTime
	}
	if m, sure, ok := p.byTime(e, all, info); ok {
		return m, sure && p.rebuilt
	}
	// As many metadata as snapshots, all of one index and none a clone: each snapshot had one of its own, in their order.
	one := !slices.ContainsFunc(all, func(m metaBlob) bool { return m.meta.UUID() != all[0].meta.UUID() }) &&
		!slices.ContainsFunc(e.Snapshots, func(uuid string) bool { i := p.infos[uuid]; return i == nil || i.clone() })
	if p.rebuilt && at < len(all) && one && len(all) == len(e.Snapshots) {
		return all[at], true
	}
	best := all[len(all)-1]
	for i := len(all) - 1; i >= 0 && start > 0 && best.created() > start; i-- {
		best = all[i]
	}
	return best, false
}

// coarse is how much earlier than it was a snapshot may say that it ended: nodes look at the clock now and then.
const coarse = 250

// byTime picks the newest metadata that was written before the next snapshot of the index ended: a snapshot writes
// metadata right after its end, if that changed since the one before; and one snapshot of a repository ends after the other, though they
// may have begun in another order. Of snapshots that say which metadata they were the first to have it is what was written before their own
// end. It is not sure where the times are too near to each other, and of clones, which have the metadata of
// their source.
func (p *repairer) byTime(e *IndexEntry, all []metaBlob, of *SnapshotInfo) (m metaBlob, sure, ok bool) {
	if of == nil || of.EndTime == 0 {
		return m, false, false
	}
	next := int64(math.MaxInt64)
	if of.IndexMetadata != nil { // what it wrote itself stands there: this was written before
		next = of.EndTime
	}
	for _, uuid := range e.Snapshots {
		info := p.infos[uuid]
		if info == nil {
			return m, false, false
		}
		if info.EndTime > of.EndTime {
			next = min(next, info.EndTime)
		}
	}
	at := int64(-1)
	sure = !of.clone()
	for _, x := range all {
		written, known := x.written()
		if !known || written < x.created() || x.created() == 0 {
			return m, false, false // not an id with a time
		}
		if next != math.MaxInt64 && written > next-coarse && written < next+coarse {
			sure = false
		}
		if (written < next || written == next && next == of.EndTime) && written > at {
			m, at = x, written
		}
	}
	return m, sure, at >= 0
}

// dropIndex takes an index out of a snapshot. Its files stay until somebody cleans up.
func (p *repairer) dropIndex(s *SnapshotEntry, e *IndexEntry) {
	p.lose(s.SnapshotID, e.Name, -1, "its metadata is lost, so it cannot be restored; its files stay")
	p.action(RepairAction{Action: "take an index out of", Blob: p.path(snapName(s.UUID)), Snapshot: s.Name, Index: e.Name, Shard: -1, Why: "its metadata is lost, and none of another moment fits"})
	delete(s.IndexMetadata, e.ID)
	p.swing = true
	info := p.infos[s.UUID]
	if info == nil {
		return
	}
	info.Indices = slices.DeleteFunc(slices.Clone(info.Indices), func(n string) bool { return n == e.Name })
	before := len(info.Failures)
	info.Failures = slices.DeleteFunc(slices.Clone(info.Failures), func(f ShardFailure) bool { return f.Index == e.Name })
	shards := len(e.Generations)
	info.TotalShards = max(0, info.TotalShards-shards)
	info.SuccessfulShards = max(0, info.SuccessfulShards-(shards-(before-len(info.Failures))))
	p.dirty[s.UUID] = true
	p.partial(s)
}

// partial marks a snapshot of which something is lost.
func (p *repairer) partial(s *SnapshotEntry) {
	s.State = StatePartial
	if info := p.infos[s.UUID]; info != nil {
		info.State = StatePartial
		if info.SuccessfulShards == 0 {
			info.State, s.State = StateFailed, StateFailed
		}
		p.dirty[s.UUID] = true
	}
	p.swing = true
}

func (p *repairer) entry(uuid string) *SnapshotEntry {
	for i := range p.data.Snapshots {
		if p.data.Snapshots[i].UUID == uuid {
			return &p.data.Snapshots[i]
		}
	}
	return nil
}

// rebuildInfos plans to write the infos of snapshots that are lost or changed.
func (p *repairer) rebuildInfos(ctx context.Context) error {
	for i := range p.data.Snapshots {
		s := &p.data.Snapshots[i]
		info := p.infos[s.UUID]
		ptr := pointer{p.r.root, p.r.opts.BasePath, snapName(s.UUID)}
		switch {
		case info == nil || p.pinned[s.UUID]:
			made, err := p.newInfo(ctx, s)
			if err != nil {
				return err
			}
			if info != nil {
				made.PinnedTimestamp, made.ShallowCopy, made.StartTime, made.EndTime = info.PinnedTimestamp, info.ShallowCopy, info.StartTime, info.EndTime
			}
			info = made
			p.infos[s.UUID] = info
			p.action(RepairAction{Action: "rebuild", Blob: p.path(snapName(s.UUID)), Snapshot: s.Name, Shard: -1, Why: "the snapshot's info is lost; its user metadata is not known any more"})
			if s.State != info.State {
				s.State = info.State
				p.swing = true
			}
		case p.dirty[s.UUID]:
			p.action(RepairAction{Action: "rewrite", Blob: p.path(snapName(s.UUID)), Snapshot: s.Name, Shard: -1, Why: "so that it says what the snapshot has"})
		default:
			continue
		}
		p.replace(ptr, codecSnapshot, true, func() (*smile.Object, error) { return info.tree(), nil })
	}
	return nil
}

// newInfo makes a snapshot's info from the root and its shards.
func (p *repairer) newInfo(ctx context.Context, s *SnapshotEntry) (*SnapshotInfo, error) {
	v, err := ParseVersion(s.Version)
	if err != nil {
		return nil, fmt.Errorf("snapshot [%s]: %w", s.Name, err)
	}
	t := p.times[s.UUID]
	global := p.global[s.UUID]
	info := &SnapshotInfo{SnapshotID: s.SnapshotID, Version: v, State: StateSuccess, IncludeGlobalState: &global, StartTime: t.start, EndTime: max(t.start, t.end), TotalShards: t.total}
	for _, i := range p.data.SnapshotIndices(s.SnapshotID) {
		info.Indices = append(info.Indices, i.Name)
	}
	if info.DataStreams, err = p.streamsOf(ctx, s.SnapshotID, info.Indices); err != nil {
		return nil, err
	}
	if p.shallow[s.UUID] {
		yes := true
		info.ShallowCopy = &yes
	}
	for _, l := range p.lost[s.UUID] {
		if l.Index != "" && l.Shard >= 0 {
			info.Failures = append(info.Failures, lostShard(l.Index, l.Shard, l.Problem))
		}
		if l.Index != "" {
			info.State = StatePartial
		}
	}
	if s.State == StatePartial || s.State == StateFailed {
		info.State = s.State
	}
	info.SuccessfulShards = t.total - len(info.Failures)
	if t.total > 0 && info.SuccessfulShards == 0 {
		info.State = StateFailed
	}
	return info, nil
}

func lostShard(index string, shard int, what string) ShardFailure {
	return ShardFailure{Index: index, Shard: shard, Reason: "lost: " + what, Status: "INTERNAL_SERVER_ERROR"}
}
