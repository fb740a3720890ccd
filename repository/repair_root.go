package repository

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/repository/smile"
)

// root reads the root, or finds what it must have held.
func (p *repairer) root(ctx context.Context) error {
	listed, err := blob.Names(ctx, p.r.root, "")
	if err != nil {
		return err
	}
	p.base, p.latest = NoGeneration, NoGeneration
	for name := range listed {
		if g, ok := parseRootName(name); ok {
			p.base = max(p.base, g)
			p.roots = append(p.roots, name)
		}
	}
	slices.Sort(p.roots)
	latest, err := blob.ReadAll(ctx, p.r.root, "index.latest", 1<<10)
	if bad, failed := damaged(err); failed != nil {
		return failed
	} else if !bad && len(latest) == 8 && latest[0] < 0x80 {
		p.latest = int64(binary.BigEndian.Uint64(latest))
	}
	problem := "it is missing"
	if p.base != NoGeneration {
		b, err := blob.ReadAll(ctx, p.r.root, rootName(p.base), p.r.opts.MaxMetadata)
		if err == nil {
			var d *Data
			if d, err = ParseData(b, p.base); err == nil {
				err = d.unique()
			}
			if err == nil {
				p.data = cloneData(d)
				p.checkLatest()
				return nil
			}
		}
		if _, failed := damaged(err); failed != nil {
			return failed
		}
		problem = why(err)
	}
	return p.rebuildRoot(ctx, listed, problem)
}

// unique fails where two snapshots have one name, with which nothing can be done.
func (d *Data) unique() error {
	seen := map[string]bool{}
	for _, s := range d.Snapshots {
		if seen[s.Name] {
			return corrupt(rootName(d.Generation), nil, "two snapshots have the name [%s]", s.Name)
		}
		seen[s.Name] = true
	}
	return nil
}

// cloneData copies what a repair changes.
func cloneData(d *Data) *Data {
	n := *d
	n.Identifiers = maps.Clone(d.Identifiers)
	n.Snapshots = slices.Clone(d.Snapshots)
	for i := range n.Snapshots {
		n.Snapshots[i].IndexMetadata = maps.Clone(d.Snapshots[i].IndexMetadata)
	}
	n.Indices = slices.Clone(d.Indices)
	for i := range n.Indices {
		n.Indices[i].Snapshots = slices.Clone(d.Indices[i].Snapshots)
		n.Indices[i].Generations = slices.Clone(d.Indices[i].Generations)
	}
	return &n
}

// checkLatest plans to write index.latest anew, by a swing, where it does not hold the newest generation.
func (p *repairer) checkLatest() {
	if p.latest == p.base {
		return
	}
	p.copies = append(p.copies, pointer{p.r.root, p.r.opts.BasePath, "index.latest"})
	p.swing = true
	p.action(RepairAction{Action: "write", Blob: p.path("index.latest"), Shard: -1, Why: fmt.Sprintf("it does not hold the newest generation %d", p.base)})
}

// rebuildRoot makes a root of the snapshots and indices that are there. Their metadata and shards are looked at
// afterwards, as with a root that was read.
func (p *repairer) rebuildRoot(ctx context.Context, listed map[string]int64, problem string) error {
	p.rebuilt, p.swing = true, true
	p.data = &Data{Generation: p.base, Identifiers: map[string]string{}}
	salvaged := p.salvage(ctx, listed)
	var uuids []string
	for name := range listed {
		uuid, ok := datUUID(name, "snap-")
		if !ok { // its info is lost: the shards' lists may know it
			uuid, ok = datUUID(name, "meta-")
		}
		if ok && !slices.Contains(uuids, uuid) {
			uuids = append(uuids, uuid)
		}
	}
	if len(uuids) == 0 {
		return fmt.Errorf("there is no readable root and no snapshot in %s: there is nothing to rebuild from", p.r)
	}
	slices.Sort(uuids)
	starts := map[string]int64{}
	for _, uuid := range uuids {
		e := SnapshotEntry{SnapshotID: SnapshotID{UUID: uuid}, State: StateUnknown}
		if s, ok := salvaged[uuid]; ok {
			e.Name, e.State, e.Version = s.Name, s.State, s.Version
		}
		info, err := p.r.SnapshotInfo(ctx, e.SnapshotID)
		if _, failed := damaged(err); failed != nil {
			return failed
		}
		if err == nil {
			if info.Version.Legacy && !info.Version.Before(firstForeignRoot) {
				return &ReadOnlyFormatError{"it was written by Elasticsearch " + info.Version.String() + ", whose root has keys that OpenSearch refuses"}
			}
			e.Name, e.State, e.Version = info.Name, info.State, info.Version.String()
			starts[uuid] = info.StartTime
			p.infos[uuid] = info
		}
		e.IndexMetadata = map[string]string{}
		p.data.Snapshots = append(p.data.Snapshots, e)
	}
	if err := p.rebuildIndices(ctx, starts); err != nil {
		return err
	}
	slices.SortStableFunc(p.data.Snapshots, func(a, b SnapshotEntry) int { return int(max(min(starts[a.UUID]-starts[b.UUID], 1), -1)) })
	if err := p.nameSnapshots(); err != nil {
		return err
	}
	for i := range p.data.Indices { // oldest first, as the root has them
		ix := &p.data.Indices[i]
		slices.SortStableFunc(ix.Snapshots, func(a, b string) int { return int(max(min(starts[a]-starts[b], 1), -1)) })
	}
	p.action(RepairAction{Action: "rebuild", Blob: p.path(rootName(p.newGeneration())), Shard: -1, Why: fmt.Sprintf("the root: %s; %d snapshots and %d indices were found", problem, len(p.data.Snapshots), len(p.data.Indices))})
	return nil
}

// firstForeignRoot is from when on Elasticsearch's roots have keys that OpenSearch refuses.
var firstForeignRoot = Version{Major: 7, Minor: 12, Legacy: true}

// newGeneration is that of the root that a repair writes: above all that were there, as far as is known.
func (p *repairer) newGeneration() int64 {
	if p.base != NoGeneration {
		return p.base + 1
	}
	return p.latest + 1
}

// salvage takes what it can out of damaged and older roots: of the newest one the entries of snapshots; of all, which metadata an index
// had in a snapshot.
func (p *repairer) salvage(ctx context.Context, listed map[string]int64) map[string]SnapshotEntry {
	out := map[string]SnapshotEntry{}
	for name := range listed {
		gen, ok := parseRootName(name)
		if !ok {
			continue
		}
		b, err := blob.ReadAll(ctx, p.r.root, name, p.r.opts.MaxMetadata)
		if err != nil {
			continue
		}
		for _, e := range salvageEntries(b) {
			if gen == p.base {
				out[e.UUID] = e
			}
			if p.hints[e.UUID] == nil && len(e.IndexMetadata) > 0 {
				p.hints[e.UUID] = e.IndexMetadata
			}
		}
	}
	return out
}

// salvageEntries reads the snapshots of a root up to where it is damaged.
func salvageEntries(b []byte) []SnapshotEntry {
	at := bytes.Index(b, []byte(`"snapshots":[`))
	if at < 0 {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(b[at+len(`"snapshots":`):]))
	if tok, err := dec.Token(); err != nil || tok != json.Delim('[') {
		return nil
	}
	var out []SnapshotEntry
	for dec.More() {
		var raw json.RawMessage
		if dec.Decode(&raw) != nil {
			break
		}
		v, err := smile.ParseJSON(raw, smile.Limits{})
		if err != nil {
			break
		}
		e, err := parseSnapshotEntry(v)
		if err != nil {
			break
		}
		out = append(out, e)
	}
	return out
}

// rebuildIndices finds the folders of indices, their names and the snapshots that they are in.
func (p *repairer) rebuildIndices(ctx context.Context, starts map[string]int64) error {
	types, err := p.recordedTypes(ctx)
	if err != nil {
		return err
	}
	dir, err := p.r.root.Container(indicesDir)
	if err != nil {
		return err
	}
	var ids []string
	if err := dir.Children(ctx, func(id string) error {
		if blob.CheckName(id) == nil {
			ids = append(ids, id)
		}
		return nil
	}); err != nil {
		return err
	}
	slices.Sort(ids)
	for _, id := range ids {
		e := IndexEntry{IndexID: IndexID{ID: id, ShardPathType: types[id]}}
		metas, err := p.metadataBlobs(ctx, e.IndexID)
		if err != nil {
			return err
		}
		if len(metas) == 0 {
			p.report.Losses = append(p.report.Losses, RepairLoss{Shard: -1, What: fmt.Sprintf("the index in [%s]: none of its metadata can be read; its files stay", p.path(indicesDir, id))})
			continue
		}
		e.Name = metas[0].meta.Name
		in, err := p.snapshotsIn(ctx, e.IndexID, metas)
		if err != nil {
			return err
		}
		for i := range p.data.Snapshots {
			s := &p.data.Snapshots[i]
			info := p.infos[s.UUID]
			shard, has := in[s.UUID]
			if has && info == nil {
				s.Name = shard.Snapshot
				if start, ok := starts[s.UUID]; !ok || shard.StartTime < start {
					starts[s.UUID] = shard.StartTime
				}
			}
			if info == nil && has || info != nil && slices.Contains(info.Indices, e.Name) && (has || !p.elsewhere(e.Name)) {
				e.Snapshots = append(e.Snapshots, s.UUID)
			}
		}
		p.addIndex(e)
	}
	return nil
}

func (p *repairer) elsewhere(name string) bool {
	_, ok := p.data.Index(name)
	return ok
}

// addIndex takes an index into the root. Of two folders that once had the same name, that with more snapshots wins.
func (p *repairer) addIndex(e IndexEntry) {
	if len(e.Snapshots) == 0 {
		return
	}
	at := slices.IndexFunc(p.data.Indices, func(i IndexEntry) bool { return i.Name == e.Name })
	if at < 0 {
		p.data.Indices = append(p.data.Indices, e)
		return
	}
	loser := e
	if len(e.Snapshots) > len(p.data.Indices[at].Snapshots) {
		loser, p.data.Indices[at] = p.data.Indices[at], e
	}
	p.report.Guesses = append(p.report.Guesses, fmt.Sprintf("two folders hold an index [%s]; [%s] is taken and [%s] is left alone", e.Name, p.data.Indices[at].ID, loser.ID))
}

// snapshotsIn returns a file list of each snapshot that an index's shards know; of a shallow one only what it is called and when it began.
func (p *repairer) snapshotsIn(ctx context.Context, i IndexID, metas []metaBlob) (map[string]*ShardSnapshot, error) {
	out := map[string]*ShardSnapshot{}
	shards := 0
	for _, m := range metas {
		shards = max(shards, m.meta.Shards())
	}
	for n := range shards {
		s, err := p.r.Shard(ctx, i, n)
		if err != nil {
			return nil, err
		}
		err = s.c.List(ctx, "snap-", func(b blob.Info) error {
			uuid, ok := datUUID(b.Name, "snap-")
			if !ok || out[uuid] != nil {
				return nil
			}
			snap, err := s.Snapshot(ctx, SnapshotID{UUID: uuid})
			if _, failed := damaged(err); failed != nil {
				return failed
			}
			if err == nil {
				out[uuid] = snap
			}
			return nil
		})
		if err == nil {
			err = s.c.List(ctx, shallowPrefix, func(b blob.Info) error {
				uuid, ok := datUUID(b.Name, shallowPrefix)
				if !ok || out[uuid] != nil {
					return nil
				}
				shallow, err := s.ShallowSnapshot(ctx, SnapshotID{UUID: uuid})
				if _, failed := damaged(err); failed != nil {
					return failed
				}
				if err == nil {
					out[uuid] = &ShardSnapshot{Snapshot: shallow.Snapshot, StartTime: shallow.StartTime, Time: shallow.Time}
				}
				return nil
			})
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// recordedTypes returns the path types of indices with hashed paths, by their id.
func (p *repairer) recordedTypes(ctx context.Context) (map[string]int, error) {
	dir, err := p.r.root.Container(shardPathsDir)
	if err != nil {
		return nil, err
	}
	out := map[string]int{}
	err = dir.List(ctx, shardPathFile, func(b blob.Info) error {
		id, rest, ok := strings.Cut(strings.TrimPrefix(b.Name, shardPathFile), ".")
		parts := strings.Split(rest, ".")
		if !ok || len(parts) < 4 {
			return nil
		}
		if kind, err := strconv.Atoi(parts[len(parts)-2]); err == nil && kind >= pathFixed && kind <= pathHashedInfix {
			out[id] = kind
		}
		return nil
	})
	return out, err
}

// nameSnapshots drops snapshots whose name nobody knows, and gives those without a version one that any program that read
// the others reads.
func (p *repairer) nameSnapshots() error {
	oldest := ""
	for _, s := range p.data.Snapshots {
		if v, err := ParseVersion(s.Version); err == nil {
			if o, err := ParseVersion(oldest); err != nil || v.Before(o) {
				oldest = s.Version
			}
		}
	}
	if oldest == "" {
		oldest = WriteVersion.String()
	}
	names, read := map[string]bool{}, map[string]bool{}
	for _, s := range p.data.Snapshots {
		read[s.Name] = read[s.Name] || p.infos[s.UUID] != nil
	}
	var kept []SnapshotEntry
	for _, s := range p.data.Snapshots {
		switch {
		case s.Name != "" && p.infos[s.UUID] == nil && read[s.Name]:
			p.report.Guesses = append(p.report.Guesses, fmt.Sprintf("the unreadable snapshot [%s] has the name of another one, and is taken for one that was deleted", s.SnapshotID))
			for i := range p.data.Indices {
				ix := &p.data.Indices[i]
				ix.Snapshots = slices.DeleteFunc(ix.Snapshots, func(uuid string) bool { return uuid == s.UUID })
			}
			continue
		case s.Name == "":
			p.report.Losses = append(p.report.Losses, RepairLoss{Shard: -1, What: fmt.Sprintf("the snapshot with the uuid [%s]: neither its info nor any of its file lists can be read", s.UUID)})
			continue
		case names[s.Name]:
			return fmt.Errorf("two snapshots have the name [%s], of which one was deleted before the root was lost; move the snap-UUID.dat of that one away", s.Name)
		}
		names[s.Name] = true
		if s.Version == "" {
			s.Version = oldest
		}
		kept = append(kept, s)
	}
	p.data.Snapshots = kept
	return nil
}
