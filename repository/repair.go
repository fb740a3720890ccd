package repository

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/repository/smile"
)

// Repair puts right what can be put right of a damaged repository. The idea, step by step, and why each is safe:
// docs/decisions/0012-repair.md.

// RepairOptions of Repair.
type RepairOptions struct {
	// Deep reads every byte of every data file, so that damage inside files is found. Otherwise only that they are there
	// with their length.
	Deep bool
	// Apply does what the plan says. Otherwise nothing is written.
	Apply bool
	// Step is told of data files as they are looked at, as in VerifyOptions.
	Step func(ctx context.Context, bytes int64) error
}

// RepairAction is one thing that a repair does, or would do.
type RepairAction struct {
	Action   string // what is done with the blob, in words
	Blob     string // below the store given to Open
	Snapshot string
	Index    string
	Shard    int // -1 where it is not of one shard
	Why      string
}

func (a RepairAction) String() string {
	s := fmt.Sprintf("%s [%s]", a.Action, a.Blob)
	return s + place(a.Snapshot, a.Index, a.Shard) + ": " + a.Why
}

// RepairLoss is something that cannot be saved.
type RepairLoss struct {
	Snapshot string
	Index    string
	Shard    int // -1 where it is not of one shard
	What     string
}

func (l RepairLoss) String() string { return l.What + place(l.Snapshot, l.Index, l.Shard) }

func place(snapshot, index string, shard int) string {
	s := ""
	if snapshot != "" {
		s += " of snapshot [" + snapshot + "]"
	}
	if index != "" {
		s += " index [" + index + "]"
	}
	if shard >= 0 {
		s += fmt.Sprintf(" shard [%d]", shard)
	}
	return s
}

// RepairReport is a plan, and what became of it.
type RepairReport struct {
	Actions []RepairAction // empty: there is nothing to repair
	Losses  []RepairLoss
	// Guesses are decisions that could have been others.
	Guesses []string
	// Snapshots says what can be restored after the repair.
	Snapshots []Restorability
	// Backup is the folder with a copy of each pointer that was replaced or taken away; "" if there was none to copy.
	Backup   string
	Applied  bool
	Data     *Data // the new root; nil unless it was applied
	Warnings []error
}

// backupDir holds copies of replaced pointers. Real nodes look at no folder of the root but indices.
const backupDir = "varve-repair"

// pointer is a blob that is replaced or taken away.
type pointer struct {
	c          blob.Container
	path, name string
}

// blobWrite is a blob that the repair writes before the root is swung.
type blobWrite struct {
	pointer
	codec string
	body  func([]byte) ([]byte, error) // appends the content
}

// repairer works out a plan.
type repairer struct {
	r      *Repository
	opts   RepairOptions
	report *RepairReport

	base    int64    // the newest generation there is
	roots   []string // the names of all roots that are there: a swing removes them
	latest  int64    // what index.latest says; NoGeneration if nothing usable
	rebuilt bool     // the root is made from the other blobs
	swing   bool     // the root must change
	data    *Data    // what the root becomes
	hints   map[string]map[string]string

	infos  map[string]*SnapshotInfo // by uuid; nil where it is lost
	dirty  map[string]bool          // infos that must be written
	global map[string]bool          // whether a snapshot's global metadata holds anything
	lost   map[string][]LostPart
	times  map[string]*span // of the shards of a snapshot
	// shallow are the snapshots of which a shard is in a remote store.
	shallow map[string]bool
	// pinned are those whose infos are made anew from what they pin; of these not all is known until the end.
	pinned map[string]bool

	copies  []pointer
	kept    int // copies that were made
	writes  []blobWrite
	removes []pointer // after the swing
}

// span is when the shards of a snapshot were worked on, and how many are in it.
type span struct {
	start, end int64
	total      int
}

// shard takes a shard's time in.
func (t *span) shard(start, took int64) {
	if t.start == 0 || start > 0 && start < t.start {
		t.start = start
	}
	t.end = max(t.end, start+took)
}

// Repair looks at everything, works out how the repository can be made whole, and with opts.Apply does it: rebuilds the root
// and shard indices from the blobs that are there, replaces lists that are lost by what others know, and takes out of snapshots what
// cannot be saved, so that they say what they have. No data blob is ever deleted, and of every pointer that is
// replaced or taken away a copy is kept. Nobody else may write to the repository meanwhile.
func (r *Repository) Repair(ctx context.Context, opts RepairOptions) (*RepairReport, error) {
	p := &repairer{r: r, opts: opts, report: &RepairReport{}, hints: map[string]map[string]string{}, infos: map[string]*SnapshotInfo{}, dirty: map[string]bool{},
		global: map[string]bool{}, lost: map[string][]LostPart{}, times: map[string]*span{}, shallow: map[string]bool{}, pinned: map[string]bool{}}
	if err := p.plan(ctx); err != nil {
		return nil, fmt.Errorf("repair: %w", err)
	}
	if !opts.Apply || len(p.report.Actions) == 0 {
		return p.report, nil
	}
	if err := p.apply(ctx, time.Now()); err != nil {
		return nil, fmt.Errorf("repair: %w", err)
	}
	return p.report, nil
}

func (p *repairer) plan(ctx context.Context) error {
	if !p.r.root.Capabilities().Has(blob.CanList) {
		return &blob.Error{Op: "repair", Location: p.r.String(), Kind: blob.KindUnsupported, Err: errors.New("the store cannot list")}
	}
	if err := p.root(ctx); err != nil {
		return err
	}
	if err := p.data.Writable(); err != nil {
		return err
	}
	if err := p.snapshots(ctx); err != nil {
		return err
	}
	for n := range p.data.Indices {
		if err := p.index(ctx, &p.data.Indices[n]); err != nil {
			return err
		}
	}
	if err := p.rebuildInfos(ctx); err != nil {
		return err
	}
	p.settle()
	return nil
}

func (p *repairer) action(a RepairAction) { p.report.Actions = append(p.report.Actions, a) }

// lose notes a part of a snapshot that cannot be saved.
func (p *repairer) lose(s SnapshotID, index string, shard int, what string) {
	p.report.Losses = append(p.report.Losses, RepairLoss{s.Name, index, shard, what})
	p.lost[s.UUID] = append(p.lost[s.UUID], LostPart{Index: index, Shard: shard, Problem: what})
}

// damaged tells whether an error says that a blob is lost or damaged, which a repair can do something about. It returns the
// error if the store did not answer.
func damaged(err error) (bool, error) {
	switch blob.KindOf(err) {
	case blob.KindCanceled, blob.KindUnavailable, blob.KindThrottled, blob.KindPermission:
		if err != nil {
			return false, err
		}
	}
	return err != nil, nil
}

// why puts an error into few words.
func why(err error) string {
	if blob.KindOf(err) == blob.KindNotFound {
		return "it is missing"
	}
	var c *CorruptError
	if errors.As(err, &c) {
		if c.Err != nil {
			return "it is damaged: " + c.Err.Error()
		}
		return "it is damaged: " + c.Problem
	}
	return err.Error()
}

func (p *repairer) path(parts ...string) string {
	return join(append([]string{p.r.opts.BasePath}, parts...)...)
}

// replace plans to write a blob under a name that may be taken by a damaged one.
func (p *repairer) replace(ptr pointer, codec string, there bool, tree func() (*smile.Object, error)) {
	p.replaceBody(ptr, codec, there, func(b []byte) ([]byte, error) {
		o, err := tree()
		if err != nil {
			return nil, err
		}
		return smile.AppendEncoded(b, o)
	})
}

// replaceBody is replace for who appends the content to a slice.
func (p *repairer) replaceBody(ptr pointer, codec string, there bool, body func([]byte) ([]byte, error)) {
	if there {
		p.copies = append(p.copies, ptr)
	}
	p.writes = append(p.writes, blobWrite{ptr, codec, body})
}

// settle drops identifiers that nobody uses, and says what can be restored afterwards.
func (p *repairer) settle() {
	used := map[string]bool{}
	for i := range p.data.Snapshots {
		for _, identifier := range p.data.Snapshots[i].IndexMetadata {
			used[identifier] = true
		}
	}
	for identifier := range p.data.Identifiers {
		if !used[identifier] {
			delete(p.data.Identifiers, identifier)
		}
	}
	var left []IndexEntry
	for _, i := range p.data.Indices {
		if len(i.Snapshots) > 0 {
			left = append(left, i)
		}
	}
	p.data.Indices = left
	if p.swing && !p.rebuilt && len(p.report.Actions) > 0 {
		p.action(RepairAction{Action: "write", Blob: p.path(rootName(p.newGeneration())), Shard: -1,
			Why: "the root that says so, in place of " + strings.Join(p.roots, ", ") + "; index.latest follows it"})
	}
	for _, s := range p.data.Snapshots {
		if info, t := p.infos[s.UUID], p.times[s.UUID]; p.rebuilt && info != nil && t != nil && info.TotalShards > 0 && t.total != info.TotalShards && len(p.lost[s.UUID]) == 0 {
			p.report.Guesses = append(p.report.Guesses, fmt.Sprintf("snapshot [%s] says that it has %d shards, and the metadata that was found for its indices has %d: one of them is of another moment", s.Name, info.TotalShards, t.total))
		}
		r := Restorability{Snapshot: s.SnapshotID, State: s.State, Restorable: RestorableFull, Parts: p.lost[s.UUID]}
		if info := p.infos[s.UUID]; info != nil {
			r.Shards, r.Lost = info.TotalShards, len(info.Failures)
		}
		gone := false
		for _, part := range r.Parts {
			gone = gone || part.Index != ""
		}
		switch {
		case r.Shards > 0 && r.Lost >= r.Shards || r.Shards == 0 && gone:
			r.Restorable = RestorableNone
		case r.Lost > 0 || gone:
			r.Restorable = RestorablePartial
		}
		p.report.Snapshots = append(p.report.Snapshots, r)
	}
}
