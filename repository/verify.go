package repository

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"

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
	// Parallel is how many shards are looked at side by side; 0: Options.Parallel of the repository. Readers is how many files
	// are read side by side in deep mode; 0: one for each shard.
	Parallel, Readers int
	// Progress, where it is given, is counted up while Verify runs.
	Progress *VerifyProgress
	// Step is called when bytes of data files were looked at: read in deep mode, else only counted. It may wait, to
	// keep to a rate; its error ends Verify. Several goroutines call it.
	Step func(ctx context.Context, bytes int64) error
}

// VerifyStats counts what Verify looked at. Bytes are those of data files, read or only counted.
type VerifyStats struct {
	Snapshots, Indices, Shards, Files int
	Bytes                             int64
	// Elsewhere counts shards of snapshots whose data lies in a remote store, where Verify does not look.
	Elsewhere int
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
	if opts.Parallel <= 0 {
		opts.Parallel = r.opts.Parallel
	}
	if opts.Readers <= 0 {
		opts.Readers = opts.Parallel
	}
	if opts.Progress == nil {
		opts.Progress = &VerifyProgress{}
	}
	v := &verifier{r: r, opts: opts, report: report, broken: map[string][]LostPart{}, readers: make(chan struct{}, opts.Readers)}
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
	turns  []*turn               // of shards that were begun, and not told yet

	readers chan struct{} // a place for each file that is being read
}

// note reports a problem. Errors that say nothing about the repository are returned instead.
func (v *verifier) note(ctx context.Context, f Finding) error {
	if f.Err != nil {
		switch k := blob.KindOf(f.Err); k {
		case blob.KindCanceled, blob.KindUnavailable, blob.KindThrottled:
			return fmt.Errorf("verify [%s]: %w", f.Blob, f.Err)
		case blob.KindPermission:
			if v.shutOut(ctx) {
				return fmt.Errorf("verify [%s]: %w", f.Blob, f.Err)
			}
		case blob.KindNotFound:
			f.Problem = "the blob is missing"
			f.Err = nil
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if s, ok := ctx.Value(turnKey{}).(*turn); ok {
		s.findings = append(s.findings, f)
	} else {
		v.report(f)
	}
	return nil
}

// turnKey finds the turn of a shard in the context with which it is looked at.
type turnKey struct{}

// turn holds back what was found in a shard until those before it are done, so that the same repository gives the same report, in the
// same order.
type turn struct {
	findings []Finding
	done     bool
}

// tell reports, of all turns in their order, what has its turn by now; with rest also what comes behind a shard that did not end.
func (v *verifier) tell(rest bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for len(v.turns) > 0 && (v.turns[0].done || rest) {
		for _, f := range v.turns[0].findings {
			v.report(f)
		}
		v.turns = v.turns[1:]
	}
}

// shutOut tells whether not even the root may be read any more: then it is not about one blob.
func (v *verifier) shutOut(ctx context.Context) bool {
	if v.data == nil {
		return true
	}
	first, err := v.r.root.GetRange(ctx, rootName(v.data.Generation), 0, 1)
	if err == nil {
		_, err = io.Copy(io.Discard, first)
		err = errors.Join(err, first.Close())
	}
	return err != nil
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
		return v.note(ctx, Finding{Severity: SeverityError, Blob: v.path(rootName(gen)), Shard: -1, Problem: "the root cannot be read", Err: err})
	}
	if v.data.Generation == NoGeneration {
		return v.orphans(ctx)
	}
	v.opts.Progress.start(v.data)
	if err := v.latest(ctx); err != nil {
		return err
	}
	if err := v.snapshots(ctx); err != nil {
		return err
	}
	defer v.tell(true)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(v.opts.Parallel)
	for _, i := range v.data.Indices {
		metadata := &turn{}
		v.mu.Lock()
		v.stats.Indices++
		v.turns = append(v.turns, metadata)
		v.mu.Unlock()
		shards, err := v.indexMetadata(context.WithValue(ctx, turnKey{}, metadata), i)
		if err != nil {
			_ = g.Wait()
			return err
		}
		v.mu.Lock()
		metadata.done = true
		v.mu.Unlock()
		v.tell(false)
		n := max(shards, len(i.Generations))
		left := &atomic.Int64{}
		left.Store(int64(n))
		for shard := range n {
			mine := &turn{}
			v.mu.Lock()
			v.turns = append(v.turns, mine)
			v.mu.Unlock()
			g.Go(func() error {
				err := v.shard(context.WithValue(gctx, turnKey{}, mine), i, shard)
				v.mu.Lock()
				mine.done = err == nil
				v.mu.Unlock()
				v.tell(false)
				if err == nil && left.Add(-1) == 0 {
					v.opts.Progress.Indices.Add(1)
					v.opts.Progress.IndexSnapshots.Add(int64(len(i.Snapshots)))
				}
				return err
			})
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	v.tell(true)
	return v.orphans(ctx)
}

// latest checks the pointer that readers use where listing does not work.
func (v *verifier) latest(ctx context.Context) error {
	f := Finding{Severity: SeverityWarning, Blob: v.path("index.latest"), Shard: -1, Problem: "cannot be read"}
	b, err := blob.ReadAll(ctx, v.r.root, "index.latest", 1<<10)
	if err != nil {
		f.Err = err
		return v.note(ctx, f)
	}
	if len(b) != 8 || int64(binary.BigEndian.Uint64(b)) != v.data.Generation {
		f.Problem = fmt.Sprintf("does not hold the newest generation %d", v.data.Generation)
		return v.note(ctx, f)
	}
	return nil
}

func (v *verifier) snapshots(ctx context.Context) error {
	v.infos = map[string]*SnapshotInfo{}
	for _, s := range v.data.Snapshots {
		v.stats.Snapshots++
		v.opts.Progress.Snapshots.Add(1)
		f := Finding{Severity: SeverityError, Blob: v.path(snapName(s.UUID)), Snapshot: s.Name, Shard: -1, Problem: "the snapshot's info cannot be read"}
		info, err := v.r.SnapshotInfo(ctx, s.SnapshotID)
		if f.Err = err; err != nil {
			v.lose(s.UUID, LostPart{Shard: -1, Problem: f.Problem})
			if err := v.note(ctx, f); err != nil {
				return err
			}
		} else {
			v.infos[s.UUID] = info
			if s.State != StateUnknown && s.State != info.State || s.Name != info.Name {
				f.Severity, f.Problem = SeverityWarning, fmt.Sprintf("it holds [%s] in state %s, but the root says %s", info.SnapshotID, info.State, s.State)
				if err := v.note(ctx, f); err != nil {
					return err
				}
			}
		}
		if _, err := v.r.GlobalMetadata(ctx, s.SnapshotID); err != nil {
			f := Finding{Severity: SeverityError, Blob: v.path(metaName(s.UUID)), Snapshot: s.Name, Shard: -1, Problem: "the global metadata cannot be read", Err: err}
			if err := v.note(ctx, f); err != nil {
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
			if err := v.note(ctx, f); err != nil {
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
			if err := v.note(ctx, f); err != nil {
				return 0, err
			}
			continue
		}
		if m.Name != i.Name {
			lost[id] = true
			f.Blob, f.Problem = v.path(indicesDir, i.ID, metaName(id)), fmt.Sprintf("it is of index [%s]", m.Name)
			v.lose(uuid, LostPart{Index: i.Name, Shard: -1, Problem: "its metadata is that of another index"})
			if err := v.note(ctx, f); err != nil {
				return 0, err
			}
		}
		shards = max(shards, m.Shards())
	}
	return shards, nil
}

// orphans reports what nothing refers to.
func (v *verifier) orphans(ctx context.Context) error {
	d, report := &doomed{}, &CleanupReport{}
	err := v.r.findStale(ctx, v.data, CleanupOptions{TempAge: 3600}, d, report)
	if err == nil {
		err = listDoomed(ctx, d, report)
	}
	if err != nil && blob.KindOf(err) == blob.KindPermission && !v.shutOut(ctx) {
		return nil // a folder that may not be listed is reported already; what else is left over cannot be told
	}
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	slices.SortFunc(report.Stale, func(a, b Stale) int {
		if a.Path < b.Path {
			return -1
		}
		return 1
	})
	for _, s := range report.Stale {
		if err := v.note(ctx, Finding{Severity: SeverityInfo, Blob: s.Path, Shard: -1, Problem: fmt.Sprintf("nothing refers to this blob of %d bytes", s.Size)}); err != nil {
			return err
		}
	}
	return nil
}
