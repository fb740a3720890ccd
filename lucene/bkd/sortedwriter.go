package bkd

import (
	"bytes"
	"fmt"
	"math/bits"

	"github.com/varve-search/varve/lucene"
)

// sortedWriter writes a tree of points of one dimension that come by ascending value, and by ascending document
// within it. It holds one leaf.
type sortedWriter struct {
	shape
	out  *Outputs
	leaf *leafWriter
	recs []byte
	n    int // records in recs
	seen *lucene.FixedBits
}

func newSortedWriter(cfg Config, out *Outputs, maxDoc int32) *sortedWriter {
	w := &sortedWriter{shape: shape{cfg: cfg, start: out.Data.FilePointer()}, out: out, leaf: newLeafWriter(cfg, out.Data), seen: lucene.NewFixedBits(maxDoc)}
	w.recs = make([]byte, cfg.leafSize*w.leaf.width)
	return w
}

// add adds a record.
func (w *sortedWriter) add(rec []byte) error {
	doc := w.leaf.doc(rec, 0)
	if uint32(doc) >= uint32(w.seen.N) {
		return fmt.Errorf("a point of document %d of %d", doc, w.seen.N)
	}
	if w.n > 0 && bytes.Compare(w.recs[(w.n-1)*w.leaf.width:w.n*w.leaf.width], rec) > 0 {
		return fmt.Errorf("a point of document %d is smaller than the one before: the source is damaged", doc)
	}
	w.seen.Set(doc)
	copy(w.recs[w.n*w.leaf.width:], rec)
	if w.n++; w.n == w.cfg.leafSize {
		w.flush()
	}
	return nil
}

func (w *sortedWriter) flush() {
	if w.n == 0 {
		return
	}
	first, last := w.leaf.value(w.recs, 0), w.leaf.value(w.recs, w.n-1)
	if w.points == 0 {
		w.min = bytes.Clone(first)
	} else {
		w.splits = append(w.splits, first...)
	}
	w.max = append(w.max[:0], last...)
	w.blocks = append(w.blocks, w.out.Data.FilePointer())
	w.leaf.prefix[0] = commonPrefix(first, last)
	w.leaf.write(w.recs, w.n, 0)
	w.points += int64(w.n)
	w.n = 0
}

// finish writes the index. before is called first if there are any points.
func (w *sortedWriter) finish(before func()) error {
	w.flush()
	if w.points == 0 {
		return nil
	}
	w.docs = count(w.seen)
	before()
	return w.write(w.out)
}

func count(b *lucene.FixedBits) (n int32) {
	for _, w := range b.Words {
		n += int32(bits.OnesCount64(w))
	}
	return n
}
