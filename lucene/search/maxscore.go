package search

import (
	"math/bits"
	"slices"

	"github.com/varve-search/varve/lucene"
)

// maxScoreBulk finds the best matches of a disjunction. In each window of documents, the clauses whose bounds together
// stay below the minimum competitive score are not essential: a document that only they match cannot compete. The
// essential ones are walked, the others only asked.
type maxScoreBulk struct {
	subs  []*maxSub // in the order of the current partition
	cond  *conditions
	cur   current
	win   window
	first int       // index of the first essential clause
	sums  []float64 // sums[i]: bounds of subs[0..i]
	next  float32   // a minimum score from which the partition changes
}

type maxSub struct {
	*feeder
	max float32 // bound in the current window
}

func newMaxScoreBulk(scs []Scorer, cond *conditions) bulkScorer {
	b := &maxScoreBulk{cond: cond, sums: make([]float64, len(scs))}
	for _, sc := range scs {
		b.subs = append(b.subs, &maxSub{feeder: newFeeder(sc)})
	}
	return b
}

// minOuterWindow keeps windows from becoming so small that finding their bounds dominates.
const minOuterWindow = 1 << 10

func (b *maxScoreBulk) score(c LeafCollector, live lucene.Bits, from, to int32) (int32, error) {
	if err := c.SetScorer(&b.cur); err != nil {
		return 0, err
	}
	for at := from; at < to; {
		end, err := b.outerWindow(at, to)
		if err != nil {
			return 0, err
		}
		if b.first == len(b.subs) { // nothing here can compete
			at = end
			continue
		}
		if at, err = b.inner(c, live, at, end); err != nil {
			return 0, err
		}
	}
	// Where no clause has more, the caller need not come again.
	next := lucene.NoMoreDocs
	for _, s := range b.subs {
		next = min(next, s.doc)
	}
	return max(next, to), nil
}

// outerWindow finds the end of a window from at on, the clauses' bounds in it, and partitions them.
func (b *maxScoreBulk) outerWindow(at, to int32) (int32, error) {
	first := min(b.first, len(b.subs)-1)
	end := to
	for i, s := range b.subs {
		start := max(at, s.doc)
		if start >= to {
			continue
		}
		upTo, err := s.sc.AdvanceShallow(start)
		if err != nil {
			return 0, err
		}
		if i >= first && upTo < end-1 {
			end = upTo + 1
		}
	}
	if b.cur.min <= 0 {
		// nothing can be skipped yet: no use in looking at bounds for long stretches
		end = min(end, at+min(to-at, windowSize))
	} else if to-at > minOuterWindow {
		end = max(end, at+minOuterWindow)
	} else {
		end = to
	}
	for _, s := range b.subs {
		s.max = 0
		if s.doc < end {
			m, err := s.sc.MaxScore(end - 1)
			if err != nil {
				return 0, err
			}
			s.max = m
		}
	}
	b.partition()
	return end, nil
}

// partition sorts the clauses so that cheap bounds on many documents come first and finds the essential ones.
func (b *maxScoreBulk) partition() {
	slices.SortStableFunc(b.subs, func(x, y *maxSub) int {
		rx, ry := float64(x.max)/float64(max(x.cost, 1)), float64(y.max)/float64(max(y.cost, 1))
		switch {
		case rx < ry:
			return -1
		case rx > ry:
			return 1
		}
		return 0
	})
	var sum float64
	b.first = 0
	b.next = inf32()
	for i, s := range b.subs {
		sum += float64(s.max)
		b.sums[i] = sum
		if bound := roundUp(sum); bound < b.cur.min {
			if b.first == i {
				b.first = i + 1
			}
		} else if i == b.first {
			b.next = bound
		}
	}
}

// inner collects the matches in [at, end), or to where the partition has to change, and returns how far it came.
func (b *maxScoreBulk) inner(c LeafCollector, live lucene.Bits, at, end int32) (int32, error) {
	essential := b.subs[b.first:]
	for _, s := range essential {
		if s.doc < at {
			if err := s.advance(at); err != nil {
				return 0, err
			}
		}
	}
	if len(essential) == 1 {
		return b.single(c, live, essential[0], end)
	}
	// the two earliest documents: one clause alone runs up to where the second begins
	lead, second := essential[0], lucene.NoMoreDocs
	for _, s := range essential[1:] {
		if s.doc < lead.doc {
			lead, second = s, lead.doc
		} else {
			second = min(second, s.doc)
		}
	}
	if lead.doc >= end {
		return end, nil
	}
	if second > lead.doc && second-lead.doc >= windowSize/2 {
		return b.single(c, live, lead, min(end, second))
	}
	base := lead.doc &^ 63
	stop := end
	if end-base > windowSize {
		stop = base + windowSize
	}
	for _, s := range essential {
		if err := b.win.fill(s.feeder, base, stop, true); err != nil {
			return 0, err
		}
	}
	for wi := range b.win.words {
		word := b.win.words[wi]
		if word == 0 {
			continue
		}
		b.win.words[wi] = 0
		for ; word != 0; word &= word - 1 {
			k := int32(wi<<6 + bits.TrailingZeros64(word))
			s := b.win.scores[k]
			b.win.scores[k] = 0
			if err := b.candidate(c, live, base+k, s); err != nil {
				b.win = window{}
				return 0, err
			}
		}
	}
	return stop, nil
}

// single walks the only clause that matters up to end.
func (b *maxScoreBulk) single(c LeafCollector, live lucene.Bits, s *maxSub, end int32) (int32, error) {
	for s.doc < end {
		n, err := s.feeder.next(end, true)
		if err != nil {
			return 0, err
		}
		for i, d := range s.docs[:n] {
			if err := b.candidate(c, live, d, float64(s.scores[i])); err != nil {
				return 0, err
			}
		}
		if b.cur.min >= b.next {
			// All documents up to s.doc were seen; beyond, other clauses may matter less.
			return min(s.doc, end), nil
		}
	}
	return end, nil
}

// candidate collects a document that the essential clauses give a score, if it can compete.
func (b *maxScoreBulk) candidate(c LeafCollector, live lucene.Bits, doc int32, score float64) error {
	if b.first > 0 && roundUp(score+b.sums[b.first-1]) < b.cur.min {
		return nil
	}
	if live != nil && !live.Get(doc) {
		return nil
	}
	if ok, err := b.cond.accept(doc); !ok || err != nil {
		return err
	}
	for i := b.first - 1; i >= 0; i-- {
		if roundUp(score+b.sums[i]) < b.cur.min {
			return nil
		}
		s := b.subs[i]
		if s.doc < doc {
			if err := s.advance(doc); err != nil {
				return err
			}
		}
		if s.doc == doc {
			v, err := s.sc.Score()
			if err != nil {
				return err
			}
			score += float64(v)
		}
	}
	b.cur.value = float32(score)
	if b.cur.value < b.cur.min {
		return nil
	}
	return c.Collect(doc)
}
