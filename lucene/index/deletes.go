package index

import (
	"bytes"
	"fmt"
	"slices"
	"sort"
	"sync"

	"github.com/varve-search/varve/lucene"
)

// deleteLog is the deletes of one generation in the order of their sequence numbers. Entries that were read once
// (see snapshot) do not change, so readers need no lock.
type deleteLog struct {
	entries []deleteEntry
	text    bytePool
	fields  []string
	byField map[string]uint32
	ram     int64
}

type deleteEntry struct {
	seq   int64
	field uint32
	term  uint32 // address in text
}

func newDeleteLog() *deleteLog {
	l := &deleteLog{byField: map[string]uint32{}}
	l.text.ram = &l.ram
	return l
}

func (l *deleteLog) add(seq int64, field string, term []byte) {
	f, ok := l.byField[field]
	if !ok {
		f = uint32(len(l.fields))
		l.fields = append(l.fields, field)
		l.byField[field] = f
	}
	before := cap(l.entries)
	l.entries = append(l.entries, deleteEntry{seq, f, l.text.putText(term)})
	l.ram += int64(cap(l.entries)-before) * 16
}

// snapshot returns the entries so far. It may be read while more are added.
func (l *deleteLog) snapshot() deleteLog {
	return deleteLog{entries: slices.Clip(l.entries), fields: slices.Clip(l.fields), text: bytePool{blocks: slices.Clip(l.text.blocks)}}
}

// after returns the entries with a sequence number above seq.
func (l *deleteLog) after(seq int64) []deleteEntry {
	i := sort.Search(len(l.entries), func(i int) bool { return l.entries[i].seq > seq })
	return l.entries[i:]
}

// fieldDeletes is the deletes of a field by term.
type fieldDeletes struct {
	field string
	terms [][]byte // ascending
	seqs  []int64  // the last delete of each term
}

// byTerm sorts the deletes, the last one of each term.
func (l *deleteLog) byTerm() []fieldDeletes {
	type entry struct {
		term []byte
		seq  int64
	}
	fields := make([][]entry, len(l.fields))
	for _, e := range l.entries {
		fields[e.field] = append(fields[e.field], entry{l.text.text(e.term), e.seq})
	}
	out := make([]fieldDeletes, 0, len(fields))
	for f, entries := range fields {
		slices.SortFunc(entries, func(a, b entry) int {
			if c := bytes.Compare(a.term, b.term); c != 0 {
				return c
			}
			return int(max(-1, min(1, b.seq-a.seq))) // newest first
		})
		d := fieldDeletes{field: l.fields[f]}
		for i, e := range entries {
			if i == 0 || !bytes.Equal(e.term, entries[i-1].term) {
				d.terms = append(d.terms, e.term)
				d.seqs = append(d.seqs, e.seq)
			}
		}
		out = append(out, d)
	}
	return out
}

// applyDeletes deletes the buffer's documents that a delete of the log came after.
func (b *buffer) applyDeletes(l *deleteLog) {
	if len(b.seqs) == 0 {
		return
	}
	var r docReader
	for _, e := range l.after(b.seqs[0]) { // the first document is the oldest
		pf := b.fields[l.fields[e.field]]
		if pf == nil || pf.inv == nil {
			continue
		}
		id, ok := pf.inv.hash.find(l.text.text(e.term))
		if !ok {
			continue
		}
		r.reset(pf.inv, id)
		for r.next() {
			if b.seqs[r.doc] >= e.seq {
				break // sequence numbers grow with documents
			}
			b.delete(r.doc)
		}
	}
}

// generation is the operations between two cuts of the index. See docs/decisions/0002-index-writer.md.
type generation struct {
	// guarded by Writer.mu
	idle     []*buffer
	all      map[*buffer]bool // idle or in use
	active   int              // operations under way
	closed   bool             // the next generation has begun
	flush    []*buffer        // left behind by operations that ended after that
	flushing int              // buffers that are being written because memory was short
	midway   int              // segments that were written so
	ending   bool             // someone is about to end it

	mu      sync.Mutex // guards those below
	next    int64      // next sequence number
	deletes *deleteLog
}

func newGeneration(next int64) *generation {
	return &generation{all: map[*buffer]bool{}, next: next, deletes: newDeleteLog()}
}

// sequence takes a sequence number for an operation that deletes term, if there is one.
func (g *generation) sequence(term *lucene.Term) int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	seq := g.next
	g.next++
	if term != nil {
		g.deletes.add(seq, term.Field, term.Bytes)
	}
	return seq
}

// cut returns the last sequence number taken and the deletes up to it.
func (g *generation) cut() (int64, deleteLog) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.next - 1, g.deletes.snapshot()
}

func (g *generation) deleteRAM() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.deletes.ram
}

// liveBits is the documents of a segment that are not deleted, copied before each change.
type liveBits struct {
	bits *lucene.FixedBits // nil: all live
	max  int32
}

// allLive returns n bits, all set.
func allLive(n int32) *lucene.FixedBits {
	b := lucene.NewFixedBits(n)
	setAll(b)
	return b
}

// writable returns a copy to change.
func (l liveBits) writable() *lucene.FixedBits {
	if l.bits == nil {
		return allLive(l.max)
	}
	return &lucene.FixedBits{Words: slices.Clone(l.bits.Words), N: l.bits.N}
}

// deleter deletes documents of a segment; it copies the live documents when the first one goes.
type deleter struct {
	seg        *segment
	live, hard *lucene.FixedBits
	n          int32
}

// delete deletes a document, if it is alive.
func (d *deleter) delete(doc int32) error {
	if doc < 0 || doc >= d.seg.maxDoc() {
		return fmt.Errorf("delete document %d of segment %s with %d", doc, d.seg.name, d.seg.maxDoc())
	}
	if d.live == nil {
		if d.seg.live != nil && !d.seg.live.Get(doc) {
			return nil
		}
		d.live = liveBits{d.seg.live, d.seg.maxDoc()}.writable()
		d.hard = d.live
		if d.seg.hard != d.seg.live {
			d.hard = liveBits{d.seg.hard, d.seg.maxDoc()}.writable()
		}
	}
	if d.live.Get(doc) {
		d.live.Clear(doc)
		d.hard.Clear(doc)
		d.n++
	}
	return nil
}
