package repository

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/varve-search/varve/blob"
)

// shard checks one shard in all snapshots.
func (v *verifier) shard(ctx context.Context, i IndexEntry, shard int) error {
	s, err := v.r.Shard(ctx, i.IndexID, shard)
	if err != nil {
		return v.note(ctx, Finding{Severity: SeverityError, Index: i.Name, Shard: shard, Problem: "its folder is not known", Err: err})
	}
	listed, err := blob.Names(ctx, s.c, "")
	if blob.KindOf(err) == blob.KindPermission && err != nil {
		for _, uuid := range i.Snapshots {
			v.lose(uuid, LostPart{Index: i.Name, Shard: shard, Problem: "its folder may not be listed"})
		}
		return v.note(ctx, Finding{Severity: SeverityError, Blob: s.path, Index: i.Name, Shard: shard, Problem: "the shard's folder cannot be listed", Err: err})
	}
	if err != nil {
		return fmt.Errorf("verify: %w", s.wrap(err, "list"))
	}
	find := func(name, snapshot, problem string, err error) error {
		return v.note(ctx, Finding{Severity: SeverityError, Blob: join(s.path, name), Snapshot: snapshot, Index: i.Name, Shard: shard, Problem: problem, Err: err})
	}
	want := i.ShardGeneration(shard)
	x, gen, err := s.FileIndex(ctx, want)
	switch {
	case err != nil:
		x = nil
		if gen == "" {
			gen = "N"
		}
		if err := find(shardIndexName(gen), "", "the shard's index cannot be read", err); err != nil {
			return err
		}
	case want == "" && gen == NewGeneration && slices.ContainsFunc(i.Snapshots, func(uuid string) bool {
		_, full := listed[snapName(uuid)]
		return full && !shardFailed(v.infos[uuid], i.Name, shard) // one that failed may have come so far
	}):
		x = nil
		if err := find(shardIndexName("N"), "", "the shard's index is missing: the root names none, and none with a number is there", nil); err != nil {
			return err
		}
	}
	q := &quarrel{}
	files := map[string]FileInfo{}
	owner := map[string]string{}
	lists := map[string][]FileInfo{}
	for _, uuid := range i.Snapshots {
		id, _ := v.data.byUUID(uuid)
		list, err := v.shardSnapshot(ctx, s, i, id.SnapshotID, listed, x, q, find)
		if err != nil {
			return err
		}
		lists[uuid] = list
		for _, f := range list {
			if _, seen := files[f.Name]; !seen {
				files[f.Name], owner[f.Name] = f, id.Name
			}
		}
	}
	if text := q.String(); text != "" {
		if err := find(shardIndexName(gen), q.snapshots[0], text, nil); err != nil {
			return err
		}
	}
	v.mu.Lock()
	v.stats.Shards++
	v.mu.Unlock()
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	bad := map[string]string{}
	for _, name := range names {
		problem, err := v.file(ctx, s, files[name], owner[name], listed)
		if err != nil {
			return err
		}
		if problem != "" {
			bad[name] = problem
		}
	}
	return v.lists(ctx, s, i, lists, bad)
}

// shardFailed says whether a snapshot tells that it has not got a shard.
func shardFailed(info *SnapshotInfo, index string, shard int) bool {
	return info != nil && slices.ContainsFunc(info.Failures, func(f ShardFailure) bool { return f.Index == index && f.Shard == shard })
}

// shardSnapshot checks a shard's file list in one snapshot, and returns it.
func (v *verifier) shardSnapshot(ctx context.Context, s *Shard, i IndexEntry, id SnapshotID, listed map[string]int64, x *ShardIndex, q *quarrel,
	find func(name, snapshot, problem string, err error) error) ([]FileInfo, error) {
	info := v.infos[id.UUID]
	_, full := listed[snapName(id.UUID)]
	_, shallow := listed[shallowName(id.UUID)]
	if shardFailed(info, i.Name, s.ID) {
		v.lose(id.UUID, LostPart{Index: i.Name, Shard: s.ID, Problem: "the shard failed when the snapshot was taken", Known: true})
		return nil, nil
	}
	elsewhere := func() {
		v.mu.Lock()
		v.stats.Elsewhere++
		v.mu.Unlock()
	}
	if !full && shallow && v.remoteOpens(ctx, s, id) {
		return v.remoteShard(ctx, s, id, listed, find)
	}
	if !full && shallow {
		elsewhere()
		if _, err := s.ShallowSnapshot(ctx, id); err != nil {
			v.lose(id.UUID, LostPart{Index: i.Name, Shard: s.ID, Problem: "the references to the remote store cannot be read"})
			return nil, find(shallowName(id.UUID), id.Name, "the references to the remote store cannot be read", err)
		}
		return nil, nil
	}
	if !full {
		if info != nil && info.PinnedTimestamp != 0 {
			if m, err := v.r.IndexMetadata(ctx, v.data, id, i.Name); err == nil && s.ID >= m.Shards() {
				return nil, nil
			}
			if v.remoteOpens(ctx, s, id) {
				return v.remoteShard(ctx, s, id, listed, find)
			}
			elsewhere()
			return nil, nil
		}
		// An index of the name may have had fewer shards when this snapshot was taken.
		// Where metadata is damaged, which is reported elsewhere, the shard's index tells.
		m, err := v.r.IndexMetadata(ctx, v.data, id, i.Name)
		if err == nil && s.ID >= m.Shards() {
			return nil, nil
		}
		if (err != nil || info == nil) && x != nil {
			if _, had := x.Snapshot(id.Name); !had {
				return nil, nil
			}
		}
	}
	snap, err := s.Snapshot(ctx, id)
	if err != nil {
		v.lose(id.UUID, LostPart{Index: i.Name, Shard: s.ID, Problem: "the shard's file list cannot be read"})
		return nil, find(snapName(id.UUID), id.Name, "the shard's file list cannot be read", err)
	}
	if x == nil {
		return snap.Files, nil
	}
	other, strange := x.compare(snap.Files, listed)
	if strange != "" {
		problem := "the list is another shard's, or damaged: it has files that the shard's index does not know, and no blob for them, such as [" + strange + "]"
		v.lose(id.UUID, LostPart{Index: i.Name, Shard: s.ID, Problem: problem})
		return nil, find(snapName(id.UUID), id.Name, problem, nil)
	}
	if _, ok := x.Snapshot(id.Name); !ok {
		q.unknown(id.Name)
	} else if len(other) > 0 {
		q.disagree(id.Name, other)
	}
	return snap.Files, nil
}

// lists notes which snapshots a shard's damaged files are lost to, and looks into the index of each different list of
// files that is whole.
func (v *verifier) lists(ctx context.Context, s *Shard, i IndexEntry, lists map[string][]FileInfo, bad map[string]string) error {
	checked := map[string]string{} // the list's key to what is wrong with it, "" if nothing is
	for _, uuid := range i.Snapshots {
		files := lists[uuid]
		if len(files) == 0 {
			continue
		}
		id, _ := v.data.byUUID(uuid)
		var names []string
		problem := ""
		for _, f := range files {
			names = append(names, f.Name)
			if p, ok := bad[f.Name]; ok && problem == "" {
				problem = fmt.Sprintf("file [%s]: %s", f.PhysicalName, p)
			}
		}
		if problem == "" && v.opts.Deep && v.opts.CheckShard != nil {
			slices.Sort(names)
			key := strings.Join(names, " ")
			seen, done := checked[key]
			if !done {
				err := v.opts.CheckShard(ctx, s, id.SnapshotID, func(file, what string) {
					if seen == "" {
						seen = "the index is damaged: " + what
					}
					blob := join(s.path, shardIndexName(i.ShardGeneration(s.ID)))
					for _, f := range files {
						if f.PhysicalName == file {
							blob = s.blobPath(&f, 0)
						}
					}
					// The error is nil: there is none that says nothing about the repository.
					_ = v.note(ctx, Finding{Severity: SeverityError, Blob: blob, Snapshot: id.Name, Index: i.Name, Shard: s.ID, File: file, Problem: "the index is damaged: " + what})
				})
				if err != nil {
					return fmt.Errorf("verify: %w", s.wrap(err, "look into snapshot [%s]", id))
				}
				checked[key] = seen
			}
			problem = seen
		}
		if problem != "" {
			v.lose(uuid, LostPart{Index: i.Name, Shard: s.ID, Problem: problem})
		}
	}
	return nil
}

// file checks the blobs of a file, and in deep mode its content. It returns what is wrong.
func (v *verifier) file(ctx context.Context, s *Shard, f FileInfo, snapshot string, listed map[string]int64) (string, error) {
	v.mu.Lock()
	v.stats.Files++
	v.stats.Bytes += f.Length
	v.mu.Unlock()
	v.opts.Progress.Blobs.Add(int64(f.Parts()))
	finding := Finding{Severity: SeverityError, Snapshot: snapshot, Index: s.Index.Name, Shard: s.ID, File: f.PhysicalName}
	whole := true
	for part := range f.Parts() {
		finding.Blob = s.blobPath(&f, part)
		size, there := listed[f.PartName(part)]
		switch want := f.PartLength(part); {
		case !there:
			finding.Problem = "the blob is missing"
		case size != want:
			finding.Problem = fmt.Sprintf("the blob has %d bytes instead of %d", size, want)
		default:
			continue
		}
		whole = false
		if err := v.note(ctx, finding); err != nil {
			return "", err
		}
	}
	step := func(n int64) error {
		if v.opts.Step == nil {
			return nil
		}
		return v.opts.Step(ctx, n)
	}
	if !whole {
		return finding.Problem, step(f.Length)
	}
	if !v.opts.Deep && !f.Virtual() {
		return "", step(f.Length)
	}
	select {
	case v.readers <- struct{}{}:
		defer func() { <-v.readers }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	var stopped error
	err := s.readSteps(ctx, f, func(n int64) error {
		stopped = step(n)
		return stopped
	})
	if stopped != nil {
		return "", stopped
	}
	if err != nil {
		finding.Blob, finding.Problem, finding.Err = s.blobPath(&f, 0), "the content is damaged", err
		if blob.KindOf(err) == blob.KindPermission {
			finding.Problem = "the content cannot be read"
		}
		return finding.Problem, v.note(ctx, finding)
	}
	return "", nil
}

// readThrough reads a file, whereby it is verified.
func (s *Shard) readThrough(ctx context.Context, f FileInfo) error { return s.readSteps(ctx, f, nil) }

// readSteps is readThrough and tells step, which may be nil, of the bytes.
func (s *Shard) readSteps(ctx context.Context, f FileInfo, step func(int64) error) (err error) {
	r, err := s.OpenFile(ctx, f)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	_, err = io.CopyBuffer(stepWriter{step}, r, make([]byte, 256<<10))
	return err
}

// stepWriter drops what is written and tells how much it was.
type stepWriter struct{ step func(int64) error }

func (w stepWriter) Write(b []byte) (int, error) {
	if w.step == nil {
		return len(b), nil
	}
	return len(b), w.step(int64(len(b)))
}
