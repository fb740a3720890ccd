package repository

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
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
}

// VerifyStats counts what Verify looked at. Bytes are those of data files, read or only counted.
type VerifyStats struct {
	Snapshots, Indices, Shards, Files int
	Bytes                             int64
}

// Verify checks everything that the root refers to, and reports each problem once, and each blob that
// nothing refers to. Report is called by one goroutine at a time. The error is for what kept Verify
// from looking (a store that does not answer, a canceled context), not for what it found.
func (r *Repository) Verify(ctx context.Context, opts VerifyOptions, report func(Finding)) (VerifyStats, error) {
	if !r.root.Capabilities().Has(blob.CanList) {
		return VerifyStats{}, &blob.Error{Op: "verify", Location: r.String(), Kind: blob.KindUnsupported, Err: errors.New("the store cannot list")}
	}
	v := &verifier{r: r, opts: opts, report: report}
	err := v.run(ctx)
	return v.stats, err
}

type verifier struct {
	r      *Repository
	opts   VerifyOptions
	report func(Finding)
	data   *Data
	infos  map[string]*SnapshotInfo // by uuid; none where it cannot be read

	mu    sync.Mutex
	stats VerifyStats
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
	for _, uuid := range i.Snapshots {
		s, _ := v.data.byUUID(uuid)
		f := Finding{Severity: SeverityError, Snapshot: s.Name, Index: i.Name, Shard: -1, Problem: "the index metadata cannot be read"}
		id, err := v.data.metadataBlob(s, i.IndexID)
		if err != nil {
			f.Blob, f.Err = v.path(rootName(v.data.Generation)), err
			if err := v.note(f); err != nil {
				return 0, err
			}
			continue
		}
		if done[id] {
			continue
		}
		done[id] = true
		m, err := v.r.IndexMetadata(ctx, v.data, s.SnapshotID, i.Name)
		if err != nil {
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
	for _, uuid := range i.Snapshots {
		id, _ := v.data.byUUID(uuid)
		if err := v.shardSnapshot(ctx, s, i, id.SnapshotID, listed, x, gen, files, owner, find); err != nil {
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
	for _, name := range names {
		if err := v.file(ctx, s, files[name], owner[name], listed); err != nil {
			return err
		}
	}
	return nil
}

// shardSnapshot checks a shard's file list in one snapshot, and collects its files.
func (v *verifier) shardSnapshot(ctx context.Context, s *Shard, i IndexEntry, id SnapshotID, listed map[string]int64, x *ShardIndex, gen string,
	files map[string]FileInfo, owner map[string]string, find func(name, snapshot, problem string, err error) error) error {
	info := v.infos[id.UUID]
	_, full := listed[snapName(id.UUID)]
	_, shallow := listed[shallowName(id.UUID)]
	if !full && shallow {
		if _, err := s.ShallowSnapshot(ctx, id); err != nil {
			return find(shallowName(id.UUID), id.Name, "the references to the remote store cannot be read", err)
		}
		return nil
	}
	if !full {
		if info != nil {
			failed := slices.ContainsFunc(info.Failures, func(f ShardFailure) bool { return f.Index == i.Name && f.Shard == s.ID })
			if failed || info.PinnedTimestamp != 0 {
				return nil
			}
		}
		// An index of the name may have had fewer shards when this snapshot was taken.
		// Where metadata is damaged, which is reported elsewhere, the shard's index tells.
		m, err := v.r.IndexMetadata(ctx, v.data, id, i.Name)
		if err == nil && s.ID >= m.Shards() {
			return nil
		}
		if (err != nil || info == nil) && x != nil {
			if _, had := x.Snapshot(id.Name); !had {
				return nil
			}
		}
	}
	snap, err := s.Snapshot(ctx, id)
	if err != nil {
		return find(snapName(id.UUID), id.Name, "the shard's file list cannot be read", err)
	}
	var listedInIndex ShardIndexSnapshot
	if x != nil {
		var ok bool
		if listedInIndex, ok = x.Snapshot(id.Name); !ok {
			if err := find(shardIndexName(gen), id.Name, "the shard's index does not know the snapshot", nil); err != nil {
				return err
			}
		}
	}
	for _, f := range snap.Files {
		if _, seen := files[f.Name]; !seen {
			files[f.Name], owner[f.Name] = f, id.Name
		}
		if x != nil && listedInIndex.Snapshot != "" {
			if known, ok := x.ByName(f.Name); !ok || !known.Same(f.PhysicalName, f.Length, f.Checksum, f.MetaHash) || known.PartSize != f.PartSize {
				if err := find(shardIndexName(gen), id.Name, fmt.Sprintf("the shard's index and the snapshot disagree on file [%s]", f.PhysicalName), nil); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// file checks the blobs of a file, and in deep mode its content.
func (v *verifier) file(ctx context.Context, s *Shard, f FileInfo, snapshot string, listed map[string]int64) error {
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
			return err
		}
	}
	if !whole || !v.opts.Deep && !f.Virtual() {
		return nil
	}
	if err := s.readThrough(ctx, f); err != nil {
		finding.Blob, finding.Problem, finding.Err = join(s.path, f.PartName(0)), "the content is damaged", err
		return v.note(finding)
	}
	return nil
}

// readThrough reads a file, whereby it is verified.
func (s *Shard) readThrough(ctx context.Context, f FileInfo) (err error) {
	r, err := s.OpenFile(ctx, f)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	_, err = io.Copy(io.Discard, r)
	return err
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
