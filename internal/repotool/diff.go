package repotool

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/varve-search/varve/lucene/store"
	"github.com/varve-search/varve/repository"
	"github.com/varve-search/varve/repository/snapshotdir"
)

// DiffOptions choose what is compared.
type DiffOptions struct {
	Location, A, B string
	Indices        []string // names and patterns; none: all indices of both
	Source         bool     // show the sources of documents that differ
	Summary        bool     // only count
}

// DiffLine is a document that differs.
type DiffLine struct {
	Change   string          `json:"change"` // added, changed or removed
	Index    string          `json:"index"`
	ID       string          `json:"_id"`
	Routing  string          `json:"_routing,omitempty"`
	Source   json.RawMessage `json:"_source,omitempty"`          // in B, or in A of what was removed
	Previous json.RawMessage `json:"_source_previous,omitempty"` // in A of what changed
}

// DiffIndex counts how an index differs. It is the line that follows the index's documents.
type DiffIndex struct {
	Index     string `json:"index"`
	Status    string `json:"status"` // both, only_in_a, only_in_b
	Added     int64  `json:"added"`
	Changed   int64  `json:"changed"`
	Removed   int64  `json:"removed"`
	Unchanged int64  `json:"unchanged"`
	// Identical counts shards whose files are the same; their documents were not looked at and are not in Unchanged.
	Identical int    `json:"identical_shards"`
	Note      string `json:"note,omitempty"`
}

func (d *DiffIndex) differs() bool {
	return d.Added+d.Changed+d.Removed > 0 || d.Status != "both" || d.Note != ""
}

// differ compares two snapshots.
type differ struct {
	ctx   context.Context //nolint:containedctx // of one call of Diff
	p     *Printer
	o     *DiffOptions
	r     *Repo
	a, b  repository.SnapshotID
	cache *snapshotdir.Cache
	cur   DiffIndex
	line  catLine
}

// Diff prints which documents were added, changed or removed between two snapshots of a repository, and tells
// whether there are any. Memory stays bounded: documents come sorted by id out of the indices themselves.
func Diff(ctx context.Context, p *Printer, o DiffOptions) (different bool, err error) {
	r, err := Open(ctx, o.Location)
	if err != nil {
		return false, err
	}
	a, err := r.named(o.A)
	if err != nil {
		return false, err
	}
	b, err := r.named(o.B)
	if err != nil {
		return false, err
	}
	d := &differ{ctx: ctx, p: p, o: &o, r: r, a: a.SnapshotID, b: b.SnapshotID, cache: snapshotdir.NewCache(readCache)}
	names, err := d.indices()
	if err != nil {
		return false, err
	}
	p.Progress.start("compare", int64(len(names)), false)
	defer p.Progress.end()
	for _, n := range names {
		if err := d.index(n); err != nil {
			return different, fmt.Errorf("compare index [%s]: %w", n, err)
		}
		different = different || d.cur.differs()
		if err := d.summary(); err != nil {
			return different, err
		}
		p.Progress.add(1)
	}
	return different, nil
}

// indices returns the names that at least one of the snapshots has, sorted.
func (d *differ) indices() ([]string, error) {
	seen := map[string]bool{}
	var firstErr error
	found := false
	for _, id := range []repository.SnapshotID{d.a, d.b} {
		list, err := d.r.chooseIndices(id, d.o.Indices)
		if err != nil {
			firstErr = err
			continue
		}
		found = true
		for _, ix := range list {
			seen[ix.Name] = true
		}
	}
	if !found {
		return nil, firstErr
	}
	names := make([]string, 0, len(seen))
	for n := range seen {
		names = append(names, n)
	}
	slices.Sort(names)
	return names, nil
}

func (d *differ) summary() error {
	if d.p.JSON {
		return d.p.line(struct {
			Change string `json:"change"`
			DiffIndex
		}{"summary", d.cur})
	}
	c := &d.cur
	text := fmt.Sprintf("%d added, %d changed, %d removed, %d unchanged", c.Added, c.Changed, c.Removed, c.Unchanged)
	if c.Identical > 0 {
		text += ", " + plural(c.Identical, "identical shard", "identical shards")
	}
	switch c.Status {
	case "only_in_a":
		text += " (the index is only in " + d.o.A + ")"
	case "only_in_b":
		text += " (the index is only in " + d.o.B + ")"
	}
	if c.Note != "" {
		text += "; " + d.p.paint(yellow, c.Note)
	}
	return d.p.printf("%s: %s\n", d.p.paint(bold, c.Index), text)
}

// side is an index in one of the snapshots.
type side struct {
	id     repository.SnapshotID
	ix     repository.IndexID
	shards int
	meta   *repository.IndexMetadata
}

func (d *differ) side(id repository.SnapshotID, name string) (*side, error) {
	ix, err := d.r.Data.IndexIn(id, name)
	var missing *repository.MissingSnapshotError
	if errors.As(err, &missing) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	meta, err := d.r.IndexMetadata(d.ctx, d.r.Data, id, name)
	if err != nil {
		return nil, err
	}
	return &side{id: id, ix: ix.IndexID, shards: meta.Shards(), meta: meta}, nil
}

func (d *differ) index(name string) error {
	d.cur = DiffIndex{Index: name, Status: "both"}
	a, err := d.side(d.a, name)
	if err != nil {
		return err
	}
	b, err := d.side(d.b, name)
	if err != nil {
		return err
	}
	switch {
	case a == nil:
		d.cur.Status, a = "only_in_b", &side{}
	case b == nil:
		d.cur.Status, b = "only_in_a", &side{}
	}
	// A document's shard follows from its id and routing and the number of shards alone.
	if a.shards == b.shards {
		for n := range a.shards {
			if err := d.shards(a, b, []int{n}, []int{n}); err != nil {
				return err
			}
		}
		return nil
	}
	all := func(n int) []int {
		list := make([]int, n)
		for i := range list {
			list[i] = i
		}
		return list
	}
	return d.shards(a, b, all(a.shards), all(b.shards))
}

// shards compares the documents of some shards with those of others.
func (d *differ) shards(a, b *side, as, bs []int) error {
	if len(as) == 1 && len(bs) == 1 {
		same, err := d.identical(a, b, as[0])
		if err != nil {
			return err
		}
		if same {
			d.cur.Identical++
			return nil
		}
	}
	left, err := d.open(a, as)
	if err != nil {
		return err
	}
	defer left.close()
	right, err := d.open(b, bs)
	if err != nil {
		return err
	}
	defer right.close()
	if left.failed || right.failed {
		return nil
	}
	return store.Guard(func() error {
		c := newComparison(d, left, right)
		return c.run()
	})
}

// identical tells whether a shard has the same files in both snapshots.
func (d *differ) identical(a, b *side, n int) (bool, error) {
	if a.ix.ID != b.ix.ID {
		return false, nil
	}
	sh, err := d.r.Shard(d.ctx, a.ix, n)
	if err != nil {
		return false, err
	}
	var lists [2][]string
	for i, id := range []repository.SnapshotID{a.id, b.id} {
		snap, err := sh.Files(d.ctx, id)
		var missing *repository.MissingSnapshotError
		if errors.As(err, &missing) {
			return false, nil
		}
		if err != nil {
			return false, withHint(err)
		}
		for _, f := range snap.Files {
			lists[i] = append(lists[i], f.PhysicalName+" "+f.Checksum+" "+fmt.Sprint(f.Length))
		}
		slices.Sort(lists[i])
	}
	return slices.Equal(lists[0], lists[1]), nil
}

// open opens shards. Where one of them is not in the snapshot it notes that.
func (d *differ) open(s *side, list []int) (*shardDocs, error) {
	out := &shardDocs{}
	for _, n := range list {
		err := d.openShard(s, n, out)
		if errors.Is(err, errShardFailed) {
			d.cur.Note = fmt.Sprintf("shard %d is not in snapshot [%s], so it was not compared", n, s.id.Name)
			out.failed = true
			return out, nil
		}
		if err != nil {
			out.close()
			return nil, err
		}
	}
	return out, nil
}

func (d *differ) openShard(s *side, n int, out *shardDocs) error {
	old, err := d.oldDirectory(s, n)
	if err == nil && old != nil {
		var runs []*docCursor
		runs, err = d.sortedRuns(old)
		out.runs = append(out.runs, runs...)
	}
	if err != nil {
		return fmt.Errorf("read shard %d of index [%s] in snapshot [%s]: %w", n, s.ix.Name, s.id.Name, withHint(err))
	}
	if old != nil {
		return nil
	}
	rd, err := d.r.openShard(d.ctx, s.id, s.ix, n, d.cache)
	if err == nil {
		out.readers = append(out.readers, rd)
	}
	return err
}

func closeAll(list []*shardReader) {
	for _, r := range list {
		_ = r.Close() // nothing was written
	}
}

// report prints a document that differs; before or after is nil where there is none.
func (d *differ) report(before, after *docReader) error {
	l := DiffLine{Index: d.cur.Index}
	sign, color, doc := "", "", after
	switch {
	case before == nil:
		l.Change, sign, color = "added", "+", green
		d.cur.Added++
	case after == nil:
		l.Change, sign, color, doc = "removed", "-", red, before
		d.cur.Removed++
	default:
		l.Change, sign, color = "changed", "~", yellow
		d.cur.Changed++
	}
	if d.o.Summary {
		return nil
	}
	var err error
	if l.ID, err = decodeID(doc.id); err != nil {
		return err
	}
	l.Routing = string(doc.routing)
	if d.o.Source {
		if l.Source, err = d.source(doc); err != nil {
			return err
		}
		if before != nil && after != nil {
			if l.Previous, err = d.source(before); err != nil {
				return err
			}
		}
	}
	if d.p.JSON {
		return d.p.line(l)
	}
	text := fmt.Sprintf("%s %s/%s", sign, l.Index, l.ID)
	if l.Routing != "" {
		text += " (routing " + l.Routing + ")"
	}
	if err := d.p.printf("%s\n", d.p.paint(color, text)); err != nil {
		return err
	}
	for _, x := range []struct {
		mark string
		json json.RawMessage
	}{{"-", l.Previous}, {"+", l.Source}} {
		if x.json == nil {
			continue
		}
		if after == nil {
			x.mark = "-"
		}
		if err := d.p.printf("    %s %s\n", x.mark, x.json); err != nil {
			return err
		}
	}
	return nil
}

func (d *differ) source(doc *docReader) (json.RawMessage, error) {
	b, err := d.line.compact(doc)
	return bytes.Clone(b), err
}
