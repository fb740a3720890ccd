package repotool

import (
	"bytes"
	"container/heap"
	"errors"
	"slices"

	"github.com/varve-search/varve/lucene"
)

// fewDocs is up to how many documents of a segment are found by reading them, instead of walking over all ids.
const fewDocs = 1 << 14

// comparison walks over the documents of two sides by id. Segments that both sides share (a segment's id is unique,
// and but for deletions it never changes) contribute only the documents that are alive on one side alone.
type comparison struct {
	d           *differ
	left, right docHeap
	// history tells that both sides are of one history, in which a sequence number and a primary term name one write.
	history bool
	sides   [2]*shardDocs
}

// shardDocs are the documents of shards of one side.
type shardDocs struct {
	readers []*shardReader
	runs    []*docCursor // of those with segments of Lucene 8 or older
	failed  bool         // the snapshot lacks one of them
}

func (s *shardDocs) close() {
	closeAll(s.readers)
	closeRuns(s.runs)
}

func newComparison(d *differ, left, right *shardDocs) *comparison {
	c := &comparison{d: d, sides: [2]*shardDocs{left, right}}
	if len(left.readers) == 1 && len(right.readers) == 1 && len(left.runs)+len(right.runs) == 0 {
		h := left.readers[0].Infos().UserData["history_uuid"]
		c.history = h != "" && h == right.readers[0].Infos().UserData["history_uuid"]
	}
	return c
}

func (c *comparison) run() error {
	if err := c.prepare(); err != nil {
		return err
	}
	heap.Init(&c.left)
	heap.Init(&c.right)
	before, after := &docReader{}, &docReader{}
	for n := 0; len(c.left)+len(c.right) > 0; n++ {
		if n%1024 == 0 && c.d.ctx.Err() != nil {
			return c.d.ctx.Err()
		}
		order := 0
		switch {
		case len(c.right) == 0:
			order = -1
		case len(c.left) == 0:
			order = 1
		default:
			order = bytes.Compare(c.left[0].term, c.right[0].term)
		}
		var err error
		switch {
		case order < 0:
			err = c.one(&c.left, before, nil)
		case order > 0:
			err = c.one(&c.right, nil, after)
		default:
			err = c.both(before, after)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// one reports the document at the top of a side, which the other lacks.
func (c *comparison) one(h *docHeap, before, after *docReader) error {
	doc := before
	if doc == nil {
		doc = after
	}
	cur := (*h)[0]
	if err := cur.read(doc); err != nil {
		return err
	}
	if err := c.d.report(before, after); err != nil {
		return err
	}
	return h.advance()
}

// both compares the documents of one id.
func (c *comparison) both(before, after *docReader) error {
	l, r := c.left[0], c.right[0]
	same, err := c.sameWrite(l, r)
	if err != nil {
		return err
	}
	if !same {
		if err := l.read(before); err != nil {
			return err
		}
		if err := r.read(after); err != nil {
			return err
		}
		same = before.same(after)
	}
	if same {
		c.d.cur.Unchanged++
	} else if err := c.d.report(before, after); err != nil {
		return err
	}
	return errors.Join(c.left.advance(), c.right.advance())
}

// sameWrite tells, without reading the documents, whether one write made both.
func (c *comparison) sameWrite(l, r *docCursor) (bool, error) {
	if !c.history {
		return false, nil
	}
	for _, field := range []string{"_seq_no", "_primary_term"} {
		a, okA, err := l.number(field)
		if err != nil {
			return false, err
		}
		b, okB, err := r.number(field)
		if err != nil {
			return false, err
		}
		if !okA || !okB || a != b {
			return false, nil
		}
	}
	return true, nil
}

// prepare opens a cursor for each segment that may hold a difference, and counts what cannot.
func (c *comparison) prepare() error {
	var byID [2]map[lucene.ID]lucene.LeafReader
	for i, side := range c.sides {
		byID[i] = map[lucene.ID]lucene.LeafReader{}
		for _, rd := range side.readers {
			for _, leaf := range rd.Leaves() {
				byID[i][leaf.Reader.Segment().Info.ID] = leaf.Reader
			}
		}
	}
	for i, side := range c.sides {
		h := []*docHeap{&c.left, &c.right}[i]
		add := func(cur *docCursor) error {
			ok, err := cur.next()
			if ok {
				*h = append(*h, cur)
			}
			return err
		}
		for _, cur := range side.runs {
			if err := add(cur); err != nil {
				return err
			}
		}
		for _, rd := range side.readers {
			for _, leaf := range rd.Leaves() {
				other := byID[1-i][leaf.Reader.Segment().Info.ID]
				cur, err := c.cursor(leaf.Reader, other, i == 0)
				if err == nil {
					err = add(cur)
				}
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// cursor returns one over the documents that are alive in leaf and not in other, which is the same segment in the other
// snapshot or nil. The documents alive in both are counted once, with count.
func (c *comparison) cursor(leaf, other lucene.LeafReader, count bool) (*docCursor, error) {
	cur := &docCursor{leaf: leaf, live: leaf.LiveDocs(), stored: leaf.StoredFields()}
	if other != nil {
		shared, only, err := splitLive(leaf, other.LiveDocs())
		if err != nil {
			return nil, err
		}
		if count {
			c.d.cur.Unchanged += shared
		}
		if only.n <= fewDocs {
			return cur, cur.readIDs(only)
		}
		cur.live = only
	}
	terms, err := leaf.Terms("_id")
	if err != nil || terms == nil {
		return cur, err
	}
	cur.terms, err = terms.Iterator()
	return cur, err
}

// only is the documents that are alive on one side alone.
type only struct {
	a, b lucene.Bits
	n    int
	docs []int32 // the first fewDocs+1 of them
	max  int32
}

// Get implements lucene.Bits.
func (o *only) Get(i int32) bool {
	return (o.a == nil || o.a.Get(i)) && o.b != nil && !o.b.Get(i)
}

// Len implements lucene.Bits.
func (o *only) Len() int32 { return o.max }

// splitLive counts the root documents that are alive on both sides of a segment, and finds those alive only here.
func splitLive(leaf lucene.LeafReader, other lucene.Bits) (shared int64, _ *only, err error) {
	o := &only{a: leaf.LiveDocs(), b: other, max: leaf.MaxDoc()}
	f := leaf.FieldInfos().ByName("_primary_term")
	if f == nil { // not an index of OpenSearch: all ids are walked over
		o.n = fewDocs + 1
		return 0, o, nil
	}
	roots, err := leaf.DocValues().Numeric(f)
	if err != nil {
		return 0, nil, err
	}
	for {
		doc, err := roots.Next()
		if err != nil {
			return 0, nil, err
		}
		if doc >= o.max {
			return shared, o, nil
		}
		switch {
		case o.Get(doc):
			o.n++
			if len(o.docs) <= fewDocs {
				o.docs = append(o.docs, doc)
			}
		case o.a == nil || o.a.Get(doc):
			shared++
		}
	}
}

// docCursor walks over the live root documents of a segment by id.
type docCursor struct {
	leaf   lucene.LeafReader
	live   lucene.Bits
	stored lucene.StoredFields
	terms  lucene.TermsEnum
	reuse  lucene.PostingsEnum
	list   []listedDoc // instead of terms
	run    *run        // instead of all of these
	term   []byte
	doc    int32
}

type listedDoc struct {
	term []byte
	doc  int32
}

// readIDs reads the ids of a few documents and sorts them. What is stored are the bytes of the term.
func (c *docCursor) readIDs(o *only) error {
	d := docReader{idOnly: true}
	for _, doc := range o.docs {
		if err := d.read(c.stored, doc); err != nil {
			return err
		}
		if !d.hasID {
			continue
		}
		c.list = append(c.list, listedDoc{bytes.Clone(d.id), doc})
	}
	slices.SortFunc(c.list, func(a, b listedDoc) int { return bytes.Compare(a.term, b.term) })
	return nil
}

// next moves to the next id that has a live document.
func (c *docCursor) next() (bool, error) {
	if c.run != nil {
		var err error
		c.term, err = c.run.next()
		return c.term != nil, err
	}
	if c.terms == nil {
		if len(c.list) == 0 {
			return false, nil
		}
		c.term, c.doc, c.list = c.list[0].term, c.list[0].doc, c.list[1:]
		return true, nil
	}
	for {
		term, err := c.terms.Next()
		if err != nil || term == nil {
			return false, err
		}
		if c.reuse, err = c.terms.Postings(c.reuse, lucene.PostingsNone); err != nil {
			return false, err
		}
		// Nested documents carry the id of their root, which comes last. Older versions of a document are not alive.
		found := int32(-1)
		for {
			doc, err := c.reuse.Next()
			if err != nil {
				return false, err
			}
			if doc == lucene.NoMoreDocs {
				break
			}
			if c.live == nil || c.live.Get(doc) {
				found = doc
			}
		}
		if found >= 0 {
			c.term, c.doc = append(c.term[:0], term...), found
			return true, nil
		}
	}
}

// read decodes the current document.
func (c *docCursor) read(d *docReader) error {
	if c.run != nil {
		c.run.read(d)
		return nil
	}
	return d.read(c.stored, c.doc)
}

// number reads a number of the current document. The column is opened anew each time: ids come in no order of documents.
func (c *docCursor) number(field string) (int64, bool, error) {
	f := c.leaf.FieldInfos().ByName(field)
	if f == nil {
		return 0, false, nil
	}
	dv, err := c.leaf.DocValues().Numeric(f)
	if err != nil {
		return 0, false, err
	}
	ok, err := dv.AdvanceExact(c.doc)
	if err != nil || !ok {
		return 0, false, err
	}
	n, err := dv.Value()
	return n, err == nil, err
}

// docHeap has the cursors of a side, that with the smallest id first.
type docHeap []*docCursor

func (h docHeap) Len() int           { return len(h) }
func (h docHeap) Less(i, j int) bool { return bytes.Compare(h[i].term, h[j].term) < 0 }
func (h docHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *docHeap) Push(x any) { *h = append(*h, x.(*docCursor)) }

// Pop implements heap.Interface.
func (h *docHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}

// advance moves the first cursor on.
func (h *docHeap) advance() error {
	ok, err := (*h)[0].next()
	if err != nil {
		return err
	}
	if ok {
		heap.Fix(h, 0)
	} else {
		heap.Pop(h)
	}
	return nil
}
