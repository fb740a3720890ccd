package repository

import (
	"context"
	"fmt"
	"slices"

	"github.com/varve-search/varve/blob"
)

// index looks at an index's metadata and shards.
func (p *repairer) index(ctx context.Context, e *IndexEntry) error {
	metas, err := p.indexMetadata(ctx, e)
	if err != nil {
		return err
	}
	shards := len(e.Generations)
	for uuid, m := range metas {
		shards = max(shards, m.Shards())
		p.times[uuid].total += m.Shards()
	}
	for n := range shards {
		if err := p.shard(ctx, e, n, metas); err != nil {
			return fmt.Errorf("index [%s] shard [%d]: %w", e.Name, n, err)
		}
	}
	return nil
}

// shardRepair is the look at one shard.
type shardRepair struct {
	p      *repairer
	s      *Shard
	e      *IndexEntry
	listed map[string]int64
	x      *ShardIndex // nil if it is lost
	gen    string
	bad    map[string]string // data blobs' files with what is wrong
	keep   []keptSnapshot
}

type keptSnapshot struct {
	id    SnapshotID
	files []FileInfo
}

func (p *repairer) shard(ctx context.Context, e *IndexEntry, n int, metas map[string]*IndexMetadata) error {
	s, err := p.r.Shard(ctx, e.IndexID, n)
	if err != nil {
		return err
	}
	w := &shardRepair{p: p, s: s, e: e, bad: map[string]string{}}
	if w.listed, err = blob.Names(ctx, s.c, ""); err != nil {
		return err
	}
	elsewhere := false // there are snapshots that have the shard in a remote store
	for uuid, m := range metas {
		if info := p.infos[uuid]; n < m.Shards() && (w.shallow(uuid) || info != nil && info.PinnedTimestamp != 0) {
			elsewhere = true
		}
	}
	if elsewhere && !p.rebuilt { // nothing here refers to blobs of this repository
		for _, uuid := range e.Snapshots {
			_, full := w.listed[snapName(uuid)]
			switch {
			case p.infos[uuid] != nil || n >= metas[uuid].Shards():
			case w.shallow(uuid):
				if err := w.reference(ctx, p.entry(uuid)); err != nil {
					return err
				}
			case !full:
				w.loses(p.entry(uuid), "the snapshot's info is lost, and nothing else here says where the shard's data is")
			}
		}
		return nil
	}
	problem, err := w.readIndex(ctx)
	if err != nil {
		return err
	}
	for _, uuid := range e.Snapshots {
		if n >= metas[uuid].Shards() {
			continue
		}
		if err := w.snapshot(ctx, p.entry(uuid)); err != nil {
			return err
		}
	}
	if err := w.writeIndex(problem); err != nil {
		return err
	}
	if elsewhere && e.Generations[n] == "" {
		e.Generations[n] = NewGeneration // as nodes have it of shards that never had a file here
	}
	return nil
}

// shallow tells whether a snapshot has the shard in a remote store.
func (w *shardRepair) shallow(uuid string) bool {
	_, full := w.listed[snapName(uuid)]
	_, shallow := w.listed[shallowName(uuid)]
	return shallow && !full
}

// reference looks at what a shallow snapshot says of the shard.
func (w *shardRepair) reference(ctx context.Context, s *SnapshotEntry) error {
	shallow, err := w.s.ShallowSnapshot(ctx, s.SnapshotID)
	bad, failed := damaged(err)
	switch {
	case failed != nil:
		return failed
	case bad:
		w.loses(s, "its reference to the remote store: "+why(err))
	default:
		w.p.times[s.UUID].shard(shallow.StartTime, shallow.Time)
		w.p.shallow[s.UUID] = true
	}
	return nil
}

// readIndex reads the shard's index: that which the root names or, without a root, the one that agrees best with
// the snapshots that are there. It returns what is wrong with it.
func (w *shardRepair) readIndex(ctx context.Context) (string, error) {
	if !w.p.rebuilt {
		want := w.e.ShardGeneration(w.s.ID)
		if want == "" {
			return "", nil
		}
		x, gen, err := w.s.FileIndex(ctx, want)
		if bad, failed := damaged(err); failed != nil {
			return "", failed
		} else if bad {
			return why(err), nil
		}
		w.x, w.gen = x, gen
		return "", nil
	}
	best := -1
	for name := range w.listed {
		if len(name) <= len(rootPrefix) || name[:len(rootPrefix)] != rootPrefix || isNumber(name[len(rootPrefix):]) {
			continue
		}
		x, gen, err := w.s.FileIndex(ctx, name[len(rootPrefix):])
		if bad, failed := damaged(err); failed != nil {
			return "", failed
		} else if bad {
			continue
		}
		score, err := w.agreement(ctx, x)
		if err != nil {
			return "", err
		}
		if score > best {
			best, w.x, w.gen = score, x, gen
		}
	}
	if w.x == nil {
		return "none can be read", nil
	}
	return "", nil
}

// agreement counts the snapshots that an index knows as their own lists say; -1 if it contradicts one of them.
func (w *shardRepair) agreement(ctx context.Context, x *ShardIndex) (int, error) {
	n := 0
	for _, uuid := range w.e.Snapshots {
		s := w.p.entry(uuid)
		known, ok := x.Snapshot(s.Name)
		if !ok {
			continue
		}
		snap, err := w.s.Snapshot(ctx, s.SnapshotID)
		if bad, failed := damaged(err); failed != nil {
			return 0, failed
		} else if bad {
			continue
		}
		if !sameNames(snap.Files, known.Files) {
			return -1, nil
		}
		n++
	}
	return n, nil
}

func sameNames(files []FileInfo, names []string) bool {
	have := make([]string, len(files))
	for i := range files {
		have[i] = files[i].Name
	}
	want := slices.Clone(names)
	slices.Sort(have)
	slices.Sort(want)
	return slices.Equal(have, want)
}

// snapshot looks at the shard in one snapshot.
func (w *shardRepair) snapshot(ctx context.Context, s *SnapshotEntry) error {
	p := w.p
	t := p.times[s.UUID]
	info := p.infos[s.UUID]
	if info != nil && slices.ContainsFunc(info.Failures, func(f ShardFailure) bool { return f.Index == w.e.Name && f.Shard == w.s.ID }) {
		return nil
	}
	if info != nil && info.PinnedTimestamp != 0 {
		return nil
	}
	if w.shallow(s.UUID) {
		return w.reference(ctx, s)
	}
	snap, err := w.s.Snapshot(ctx, s.SnapshotID)
	if err == nil && w.x != nil {
		if _, strange := w.x.compare(snap.Files, w.listed); strange != "" {
			err = corrupt(join(w.s.path, snapName(s.UUID)), nil, "it has files that the shard's index does not know, and no blob for them, such as [%s]", strange)
		}
	}
	bad, failed := damaged(err)
	if failed != nil {
		return failed
	}
	if bad {
		if snap = w.fromIndex(s); snap == nil {
			what := "its list of files and the shard's index are lost"
			if w.x != nil {
				what = "its list of files is lost, and the shard's index does not know the snapshot"
			}
			w.loses(s, what)
			return nil
		}
		p.action(RepairAction{Action: "rebuild", Blob: join(w.s.path, snapName(s.UUID)), Snapshot: s.Name, Index: w.e.Name, Shard: w.s.ID, Why: "the list of files: " + why(err)})
	}
	t.shard(snap.StartTime, snap.Time)
	for _, f := range snap.Files {
		problem, err := w.file(ctx, f)
		if err != nil {
			return err
		}
		if problem != "" {
			w.loses(s, fmt.Sprintf("file [%s]: %s", f.PhysicalName, problem))
			return nil
		}
	}
	if bad {
		_, there := w.listed[snapName(s.UUID)]
		p.replace(pointer{w.s.c, w.s.path, snapName(s.UUID)}, codecSnapshot, there, snap.tree)
	}
	w.keep = append(w.keep, keptSnapshot{s.SnapshotID, snap.Files})
	return nil
}

// fromIndex makes a snapshot's list of files from the shard's index; nil if that does not know it.
func (w *shardRepair) fromIndex(s *SnapshotEntry) *ShardSnapshot {
	if w.x == nil {
		return nil
	}
	known, ok := w.x.Snapshot(s.Name)
	if !ok {
		return nil
	}
	snap := &ShardSnapshot{Snapshot: s.Name}
	if info := w.p.infos[s.UUID]; info != nil {
		snap.StartTime = info.StartTime
	}
	for _, name := range known.Files {
		f, _ := w.x.ByName(name)
		snap.Files = append(snap.Files, f)
		if gen, ok := commitGeneration(f.PhysicalName); ok {
			snap.IndexVersion = gen
		}
	}
	return snap
}

// file tells what is wrong with a file's blobs, "" if nothing is.
func (w *shardRepair) file(ctx context.Context, f FileInfo) (string, error) {
	if problem, known := w.bad[f.Name]; known {
		return problem, nil
	}
	problem := ""
	for part := range f.Parts() {
		size, there := w.listed[f.PartName(part)]
		switch {
		case !there:
			problem = fmt.Sprintf("its blob [%s] is missing", f.PartName(part))
		case size != f.PartLength(part):
			problem = fmt.Sprintf("its blob [%s] has %d bytes instead of %d", f.PartName(part), size, f.PartLength(part))
		}
	}
	step := func(n int64) error {
		if w.p.opts.Step == nil {
			return nil
		}
		return w.p.opts.Step(ctx, n)
	}
	if problem == "" && (w.p.opts.Deep || f.Virtual()) {
		var stopped error
		err := w.s.readSteps(ctx, f, func(n int64) error {
			stopped = step(n)
			return stopped
		})
		if stopped != nil {
			return "", stopped
		}
		bad, failed := damaged(err)
		if failed != nil {
			return "", failed
		}
		if bad {
			problem = err.Error()
		}
	} else if err := step(f.Length); err != nil {
		return "", err
	}
	w.bad[f.Name] = problem
	return problem, nil
}

// loses takes the shard out of a snapshot.
func (w *shardRepair) loses(s *SnapshotEntry, what string) {
	p := w.p
	p.lose(s.SnapshotID, w.e.Name, w.s.ID, what)
	p.action(RepairAction{Action: "take a shard out of", Blob: p.path(snapName(s.UUID)), Snapshot: s.Name, Index: w.e.Name, Shard: w.s.ID, Why: what})
	if _, there := w.listed[snapName(s.UUID)]; there {
		ptr := pointer{w.s.c, w.s.path, snapName(s.UUID)}
		p.copies = append(p.copies, ptr)
		p.removes = append(p.removes, ptr)
		p.action(RepairAction{Action: "take away", Blob: join(w.s.path, snapName(s.UUID)), Snapshot: s.Name, Index: w.e.Name, Shard: w.s.ID, Why: "it lists files that are lost"})
	}
	if info := p.infos[s.UUID]; info != nil {
		info.Failures = append(slices.Clone(info.Failures), lostShard(w.e.Name, w.s.ID, what))
		info.SuccessfulShards = max(0, info.SuccessfulShards-1)
		p.dirty[s.UUID] = true
	}
	p.partial(s)
}

// writeIndex plans a new index of the shard where the old one is lost, or says what is not so.
func (w *shardRepair) writeIndex(problem string) error {
	p, n := w.p, w.s.ID
	for len(w.e.Generations) <= n {
		w.e.Generations = append(w.e.Generations, "")
	}
	if len(w.keep) == 0 {
		if w.e.Generations[n] != "" {
			p.swing = true
		}
		w.e.Generations[n] = ""
		return nil
	}
	if problem == "" {
		problem = w.contradiction()
	}
	if problem == "" {
		w.e.Generations[n] = w.gen
		return nil
	}
	x := newShardIndex(nil, nil)
	for _, k := range w.keep {
		state := ""
		if w.x != nil {
			if known, ok := w.x.Snapshot(k.id.Name); ok && sameNames(k.files, known.Files) {
				state = known.StateID
			}
		}
		var err error
		if x, err = x.with(k.id.Name, state, k.files); err != nil {
			return err
		}
	}
	gen := NewUUID()
	w.e.Generations[n] = gen
	p.swing = true
	p.action(RepairAction{Action: "rebuild", Blob: join(w.s.path, shardIndexName(gen)), Index: w.e.Name, Shard: n, Why: fmt.Sprintf("the shard's index: %s; %d snapshots are in it", problem, len(w.keep))})
	p.replaceBody(pointer{w.s.c, w.s.path, shardIndexName(gen)}, codecShardIndex, false, x.appendTo)
	return nil
}

// contradiction tells where the shard's index does not fit its snapshots; "" if it fits.
func (w *shardRepair) contradiction() string {
	if w.x == nil {
		return "there is none"
	}
	for _, known := range w.x.Snapshots {
		if !slices.ContainsFunc(w.keep, func(k keptSnapshot) bool { return k.id.Name == known.Snapshot }) {
			return fmt.Sprintf("it lists snapshot [%s], which has not the shard", known.Snapshot)
		}
	}
	for name, problem := range w.bad {
		if _, ok := w.x.ByName(name); ok && problem != "" {
			return "it offers a file that is lost"
		}
	}
	for _, k := range w.keep {
		known, ok := w.x.Snapshot(k.id.Name)
		if !ok {
			return fmt.Sprintf("it does not know snapshot [%s]", k.id.Name)
		}
		if !sameNames(k.files, known.Files) {
			return fmt.Sprintf("it has other files of snapshot [%s]", k.id.Name)
		}
		for _, f := range k.files {
			if old, _ := w.x.ByName(f.Name); !old.Same(f.PhysicalName, f.Length, f.Checksum, f.MetaHash) || old.PartSize != f.PartSize {
				return fmt.Sprintf("it says something else of file [%s]", f.PhysicalName)
			}
		}
	}
	return ""
}
