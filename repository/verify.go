package repository

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/varve-search/varve/blob"
)

// Severity of a finding.
type Severity uint8

const (
	// SeverityInfo: nothing is wrong, but something is left over.
	SeverityInfo Severity = iota
	// SeverityWarning: all snapshots can be restored, but something should be put right.
	SeverityWarning
	// SeverityError: something of a snapshot is lost.
	SeverityError
)

func (s Severity) String() string {
	return [...]string{"info", "warning", "error"}[min(s, SeverityError)]
}

// Finding is one thing that Verify found. Fields that do not apply are empty, Shard is then −1.
type Finding struct {
	Severity Severity
	Blob     string // path below the store that was given to Open
	Snapshot string // name; of several that share the blob, one
	Index    string
	Shard    int
	File     string // of the Lucene index
	Problem  string
	Err      error
}

func (f Finding) String() string {
	s := fmt.Sprintf("%s: [%s]", f.Severity, f.Blob)
	if f.Snapshot != "" {
		s += " snapshot [" + f.Snapshot + "]"
	}
	if f.Index != "" {
		s += " index [" + f.Index + "]"
	}
	if f.Shard >= 0 {
		s += fmt.Sprintf(" shard [%d]", f.Shard)
	}
	if f.File != "" {
		s += " file [" + f.File + "]"
	}
	s += ": " + f.Problem
	if f.Err != nil {
		s += ": " + f.Err.Error()
	}
	return s
}

// VerifyOptions of Verify.
type VerifyOptions struct {
	// Deep reads every byte of every file. Otherwise all metadata is read, and of data blobs only
	// that they are there with their length.
	Deep bool
	// CheckShard, in deep mode, looks into the index of a shard as a snapshot has it. It is called once for each
	// different list of files of a shard, when each of them is whole. Found reports what is wrong; an error is
	// for what kept it from looking. Package shardcheck has one.
	CheckShard func(ctx context.Context, s *Shard, id SnapshotID, found func(file, problem string)) error
	// Step is called when bytes of data files were looked at: read in deep mode, else only counted. It may wait, to
	// keep to a rate; its error ends Verify. Several goroutines call it.
	Step func(ctx context.Context, bytes int64) error
}

// VerifyStats counts what Verify looked at. Bytes are those of data files, read or only counted.
type VerifyStats struct {
	Snapshots, Indices, Shards, Files int
	Bytes                             int64
	// Restorable says of each snapshot what can be restored from it, in the order of the root.
	Restorable []Restorability
}

// Verify checks everything that the root refers to, and reports each problem once, and each blob that
// nothing refers to. Report is called by one goroutine at a time. The error is for what kept Verify
// from looking (a store that does not answer, a canceled context), not for what it found.
func (r *Repository) Verify(ctx context.Context, opts VerifyOptions, report func(Finding)) (VerifyStats, error) {
	if !r.root.Capabilities().Has(blob.CanList) {
		return VerifyStats{}, &blob.Error{Op: "verify", Location: r.String(), Kind: blob.KindUnsupported, Err: errors.New("the store cannot list")}
	}
	v := &verifier{r: r, opts: opts, report: report, broken: map[string][]LostPart{}}
	err := v.run(ctx)
	if v.data != nil {
		v.stats.Restorable = v.restorable()
	}
	return v.stats, err
}

type verifier struct {
	r      *Repository
	opts   VerifyOptions
	report func(Finding)
	data   *Data
	infos  map[string]*SnapshotInfo // by uuid; none where it cannot be read

	mu     sync.Mutex
	stats  VerifyStats
	broken map[string][]LostPart // by snapshot uuid
}

// note reports a problem. Errors that say nothing about the repository are returned instead.
func (v *verifier) note(f Finding) error {
	if f.Err != nil {
		switch k := blob.KindOf(f.Err); k {
		case blob.KindCanceled, blob.KindUnavailable, blob.KindThrottled, blob.KindPermission:
			return fmt.Errorf("verify [%s]: %w", f.Blob, f.Err)
		case blob.KindNotFound:
			f.Problem = "the blob is missing"
			f.Err = nil
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.report(f)
	return nil
}

func (v *verifier) path(parts ...string) string {
	return join(append([]string{v.r.opts.BasePath}, parts...)...)
}

func (v *verifier) run(ctx context.Context) error {
	gen, err := v.r.LatestGeneration(ctx)
	if err != nil {
		return err
	}
	if v.data, err = v.r.LoadData(ctx); err != nil {
		return v.note(Finding{Severity: SeverityError, Blob: v.path(rootName(gen)), Shard: -1, Problem: "the root cannot be read", Err: err})
	}
	if v.data.Generation == NoGeneration {
		return v.orphans(ctx)
	}
	if err := v.latest(ctx); err != nil {
		return err
	}
	if err := v.snapshots(ctx); err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(v.r.opts.Parallel)
	for _, i := range v.data.Indices {
		v.stats.Indices++
		shards, err := v.indexMetadata(ctx, i)
		if err != nil {
			_ = g.Wait()
			return err
		}
		for shard := range max(shards, len(i.Generations)) {
			g.Go(func() error { return v.shard(gctx, i, shard) })
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return v.orphans(ctx)
}

// latest checks the pointer that readers use where listing does not work.
func (v *verifier) latest(ctx context.Context) error {
	f := Finding{Severity: SeverityWarning, Blob: v.path("index.latest"), Shard: -1, Problem: "cannot be read"}
	b, err := blob.ReadAll(ctx, v.r.root, "index.latest", 1<<10)
	if err != nil {
		f.Err = err
		return v.note(f)
	}
	if len(b) != 8 || int64(binary.BigEndian.Uint64(b)) != v.data.Generation {
		f.Problem = fmt.Sprintf("does not hold the newest generation %d", v.data.Generation)
		return v.note(f)
	}
	return nil
}

func (v *verifier) snapshots(ctx context.Context) error {
	v.infos = map[string]*SnapshotInfo{}
	for _, s := range v.data.Snapshots {
		v.stats.Snapshots++
		f := Finding{Severity: SeverityError, Blob: v.path(snapName(s.UUID)), Snapshot: s.Name, Shard: -1, Problem: "the snapshot's info cannot be read"}
		info, err := v.r.SnapshotInfo(ctx, s.SnapshotID)
		if f.Err = err; err != nil {
			v.lose(s.UUID, LostPart{Shard: -1, Problem: f.Problem})
			if err := v.note(f); err != nil {
				return err
			}
		} else {
			v.infos[s.UUID] = info
			if s.State != StateUnknown && s.State != info.State || s.Name != info.Name {
				f.Severity, f.Problem = SeverityWarning, fmt.Sprintf("it holds [%s] in state %s, but the root says %s", info.SnapshotID, info.State, s.State)
				if err := v.note(f); err != nil {
					return err
				}
			}
		}
		if _, err := v.r.GlobalMetadata(ctx, s.SnapshotID); err != nil {
			f := Finding{Severity: SeverityError, Blob: v.path(metaName(s.UUID)), Snapshot: s.Name, Shard: -1, Problem: "the global metadata cannot be read", Err: err}
			if err := v.note(f); err != nil {
				return err
			}
		}
	}
	return nil
}

// indexMetadata reads each metadata blob of an index once and returns the largest number of shards.
func (v *verifier) indexMetadata(ctx context.Context, i IndexEntry) (int, error) {
	shards := 0
	done := map[string]bool{}
	lost := map[string]bool{}
	for _, uuid := range i.Snapshots {
		s, _ := v.data.byUUID(uuid)
		f := Finding{Severity: SeverityError, Snapshot: s.Name, Index: i.Name, Shard: -1, Problem: "the index metadata cannot be read"}
		id, err := v.data.metadataBlob(s, i.IndexID)
		if err != nil {
			v.lose(uuid, LostPart{Index: i.Name, Shard: -1, Problem: f.Problem})
			f.Blob, f.Err = v.path(rootName(v.data.Generation)), err
			if err := v.note(f); err != nil {
				return 0, err
			}
			continue
		}
		if done[id] {
			if lost[id] {
				v.lose(uuid, LostPart{Index: i.Name, Shard: -1, Problem: f.Problem})
			}
			continue
		}
		done[id] = true
		m, err := v.r.IndexMetadata(ctx, v.data, s.SnapshotID, i.Name)
		if err != nil {
			lost[id] = true
			v.lose(uuid, LostPart{Index: i.Name, Shard: -1, Problem: f.Problem})
			f.Blob, f.Err = v.path(indicesDir, i.ID, metaName(id)), err
			if err := v.note(f); err != nil {
				return 0, err
			}
			continue
		}
		if m.Name != i.Name {
			f.Severity, f.Blob, f.Problem = SeverityWarning, v.path(indicesDir, i.ID, metaName(id)), fmt.Sprintf("it is of index [%s]", m.Name)
			if err := v.note(f); err != nil {
				return 0, err
			}
		}
		shards = max(shards, m.Shards())
	}
	return shards, nil
}

// shard checks one shard in all snapshots.
func (v *verifier) shard(ctx context.Context, i IndexEntry, shard int) error {
	s, err := v.r.Shard(ctx, i.IndexID, shard)
	if err != nil {
		return v.note(Finding{Severity: SeverityError, Index: i.Name, Shard: shard, Problem: "its folder is not known", Err: err})
	}
	listed, err := blob.Names(ctx, s.c, "")
	if err != nil {
		return fmt.Errorf("verify: %w", s.wrap(err, "list"))
	}
	find := func(name, snapshot, problem string, err error) error {
		return v.note(Finding{Severity: SeverityError, Blob: join(s.path, name), Snapshot: snapshot, Index: i.Name, Shard: shard, Problem: problem, Err: err})
	}
	want := i.ShardGeneration(shard)
	x, gen, err := s.FileIndex(ctx, want)
	if err != nil {
		x = nil
		if want == "" {
			want = "N"
		}
		if err := find(shardIndexName(want), "", "the shard's index cannot be read", err); err != nil {
			return err
		}
	}
	files := map[string]FileInfo{}
	owner := map[string]string{}
	lists := map[string][]FileInfo{}
	for _, uuid := range i.Snapshots {
		id, _ := v.data.byUUID(uuid)
		list, err := v.shardSnapshot(ctx, s, i, id.SnapshotID, listed, x, gen, find)
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
	return v.lists(ctx, s, i, lists, bad, find)
}

// shardSnapshot checks a shard's file list in one snapshot, and returns it.
func (v *verifier) shardSnapshot(ctx context.Context, s *Shard, i IndexEntry, id SnapshotID, listed map[string]int64, x *ShardIndex, gen string,
	find func(name, snapshot, problem string, err error) error) ([]FileInfo, error) {
	info := v.infos[id.UUID]
	_, full := listed[snapName(id.UUID)]
	_, shallow := listed[shallowName(id.UUID)]
	if info != nil && slices.ContainsFunc(info.Failures, func(f ShardFailure) bool { return f.Index == i.Name && f.Shard == s.ID }) {
		v.lose(id.UUID, LostPart{Index: i.Name, Shard: s.ID, Problem: "the shard failed when the snapshot was taken", Known: true})
		return nil, nil
	}
	if !full && shallow {
		if _, err := s.ShallowSnapshot(ctx, id); err != nil {
			v.lose(id.UUID, LostPart{Index: i.Name, Shard: s.ID, Problem: "the references to the remote store cannot be read"})
			return nil, find(shallowName(id.UUID), id.Name, "the references to the remote store cannot be read", err)
		}
		return nil, nil
	}
	if !full {
		if info != nil && info.PinnedTimestamp != 0 {
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
	if _, ok := x.Snapshot(id.Name); !ok {
		return snap.Files, find(shardIndexName(gen), id.Name, "the shard's index does not know the snapshot", nil)
	}
	for _, f := range snap.Files {
		if known, ok := x.ByName(f.Name); !ok || !known.Same(f.PhysicalName, f.Length, f.Checksum, f.MetaHash) || known.PartSize != f.PartSize {
			if err := find(shardIndexName(gen), id.Name, fmt.Sprintf("the shard's index and the snapshot disagree on file [%s]", f.PhysicalName), nil); err != nil {
				return nil, err
			}
		}
	}
	return snap.Files, nil
}

// lists notes which snapshots a shard's damaged files are lost to, and looks into the index of each different list of
// files that is whole.
func (v *verifier) lists(ctx context.Context, s *Shard, i IndexEntry, lists map[string][]FileInfo, bad map[string]string, find func(name, snapshot, problem string, err error) error) error {
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
					blob := shardIndexName(i.ShardGeneration(s.ID))
					for _, f := range files {
						if f.PhysicalName == file {
							blob = f.PartName(0)
						}
					}
					// The error is nil: there is none that says nothing about the repository.
					_ = v.note(Finding{Severity: SeverityError, Blob: join(s.path, blob), Snapshot: id.Name, Index: i.Name, Shard: s.ID, File: file, Problem: "the index is damaged: " + what})
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
	finding := Finding{Severity: SeverityError, Snapshot: snapshot, Index: s.Index.Name, Shard: s.ID, File: f.PhysicalName}
	whole := true
	for part := range f.Parts() {
		finding.Blob = join(s.path, f.PartName(part))
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
		if err := v.note(finding); err != nil {
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
	var stopped error
	err := s.readSteps(ctx, f, func(n int64) error {
		stopped = step(n)
		return stopped
	})
	if stopped != nil {
		return "", stopped
	}
	if err != nil {
		finding.Blob, finding.Problem, finding.Err = join(s.path, f.PartName(0)), "the content is damaged", err
		return finding.Problem, v.note(finding)
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

// orphans reports what nothing refers to.
func (v *verifier) orphans(ctx context.Context) error {
	d, report := &doomed{}, &CleanupReport{}
	if err := v.r.findStale(ctx, v.data, CleanupOptions{TempAge: 3600}, d, report); err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	if err := listDoomed(ctx, d, report); err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	slices.SortFunc(report.Stale, func(a, b Stale) int {
		if a.Path < b.Path {
			return -1
		}
		return 1
	})
	for _, s := range report.Stale {
		if err := v.note(Finding{Severity: SeverityInfo, Blob: s.Path, Shard: -1, Problem: fmt.Sprintf("nothing refers to this blob of %d bytes", s.Size)}); err != nil {
			return err
		}
	}
	return nil
}
