package search

import (
	"math/bits"

	"github.com/varve-search/varve/lucene"
)

// windowSize is how many documents a bulk scorer accumulates at once.
const windowSize = 4096

// window accumulates the scores of a range of documents.
type window struct {
	words  [windowSize / 64]uint64
	scores [windowSize]float64
	counts []uint16 // how many clauses matched; nil if it does not matter
}

// feeder hands out the documents of a scorer with scores, many at once.
type feeder struct {
	sc     Scorer
	term   *termScorer // sc, if it is one
	it     lucene.DocIDSetIterator
	doc    int32
	cost   int64
	docs   []int32
	scores []float32
}

func newFeeder(sc Scorer) *feeder {
	f := &feeder{sc: sc, it: plainIterator(sc), doc: -1}
	f.term, _ = sc.(*termScorer)
	f.cost = f.it.Cost()
	return f
}

func (f *feeder) advance(target int32) error {
	var err error
	f.doc, err = f.it.Advance(target)
	return err
}

// next fills the buffers with documents below upTo and moves beyond them.
func (f *feeder) next(upTo int32, withScores bool) (int, error) {
	if f.docs == nil {
		f.docs, f.scores = make([]int32, 128), make([]float32, 128)
	}
	if f.term != nil && withScores {
		n, err := f.term.nextScores(upTo, f.docs, f.scores)
		f.doc = f.term.DocID()
		return n, err
	}
	if f.term != nil && f.term.batch != nil {
		n, err := f.term.batch.NextBatch(upTo, f.docs, nil)
		f.doc = f.term.DocID()
		return n, err
	}
	n := 0
	for f.doc < upTo && n < len(f.docs) {
		if withScores {
			s, err := f.sc.Score()
			if err != nil {
				return 0, err
			}
			f.scores[n] = s
		}
		f.docs[n] = f.doc
		n++
		var err error
		if f.doc, err = f.it.Next(); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// fill adds all documents of f in [base, upTo) to the window.
func (w *window) fill(f *feeder, base, upTo int32, withScores bool) error {
	for f.doc < upTo {
		n, err := f.next(upTo, withScores)
		if err != nil {
			return err
		}
		for i, d := range f.docs[:n] {
			k := uint32(d-base) % windowSize
			w.words[k>>6] |= 1 << (k & 63)
			if withScores {
				w.scores[k] += float64(f.scores[i])
			}
			if w.counts != nil {
				w.counts[k]++
			}
		}
	}
	return nil
}

// windowBulk scores a disjunction exhaustively, a window at a time.
type windowBulk struct {
	win   window
	subs  []*feeder
	min   int
	mode  ScoreMode
	cond  *conditions
	cur   current
	docs  [256]int32
	score [256]float32
}

func newWindowBulk(scs []Scorer, min int, mode ScoreMode, cond *conditions) bulkScorer {
	b := &windowBulk{min: min, mode: mode, cond: cond}
	for _, sc := range scs {
		b.subs = append(b.subs, newFeeder(sc))
	}
	if min > 1 {
		b.win.counts = make([]uint16, windowSize)
	}
	return windowBulkScorer{b}
}

type windowBulkScorer struct{ b *windowBulk }

func (w windowBulkScorer) score(c LeafCollector, live lucene.Bits, from, to int32) (int32, error) {
	b := w.b
	if err := c.SetScorer(&b.cur); err != nil {
		return 0, err
	}
	scored := b.mode.NeedsScores()
	for {
		base := lucene.NoMoreDocs
		for _, f := range b.subs {
			if f.doc < from {
				if err := f.advance(from); err != nil {
					return 0, err
				}
			}
			base = min(base, f.doc)
		}
		if base >= to {
			return base, nil
		}
		base &^= 63 // bits of a word stay together
		end := to
		if to-base > windowSize {
			end = base + windowSize
		}
		for _, f := range b.subs {
			if err := b.win.fill(f, base, end, scored); err != nil {
				return 0, err
			}
		}
		if err := b.flush(c, live, base, scored); err != nil {
			return 0, err
		}
		from = end
	}
}

// flush collects what the window holds and clears it.
func (b *windowBulk) flush(c LeafCollector, live lucene.Bits, base int32, scored bool) error {
	n := 0
	emit := func() error {
		var err error
		if scored {
			err = collectScored(c, &b.cur, b.docs[:n], b.score[:n])
		} else {
			err = collectBatch(c, b.docs[:n])
		}
		n = 0
		return err
	}
	for wi := range b.win.words {
		word := b.win.words[wi]
		if word == 0 {
			continue
		}
		b.win.words[wi] = 0
		for ; word != 0; word &= word - 1 {
			k := int32(wi<<6 + bits.TrailingZeros64(word))
			doc := base + k
			s := b.win.scores[k]
			b.win.scores[k] = 0
			if b.win.counts != nil {
				count := int(b.win.counts[k])
				b.win.counts[k] = 0
				if count < b.min {
					continue
				}
			}
			if live != nil && !live.Get(doc) {
				continue
			}
			ok, err := b.cond.accept(doc)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			b.docs[n], b.score[n] = doc, float32(s)
			if n++; n == len(b.docs) {
				if err := emit(); err != nil {
					return err
				}
			}
		}
	}
	return emit()
}
