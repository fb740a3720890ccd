package check

import (
	"bytes"
	"math"

	"github.com/varve-search/varve/lucene"
)

// impacts checks that the impacts of the current term bound what its documents have, when walking and when skipping.
func (c *fieldCheck) impacts() error {
	if err := c.impactsInOrder(); err != nil {
		return err
	}
	return c.impactsSkipping()
}

func (c *fieldCheck) impactsInOrder() error {
	it, err := c.it.Impacts(lucene.PostingsFreqs)
	if err != nil {
		return err
	}
	if c.reuse, err = c.it.Postings(c.reuse, lucene.PostingsFreqs); err != nil {
		return err
	}
	upTo, maxFreq := int32(-1), int32(0)
	for {
		doc, err := it.Next()
		if err != nil {
			return err
		}
		want, err := c.reuse.Next()
		if err != nil {
			return err
		}
		if doc != want {
			return problemf("they go to document %d, the postings to %d", doc, want)
		}
		if doc == lucene.NoMoreDocs {
			return nil
		}
		if err := c.s.tick(); err != nil {
			return err
		}
		freq, err := c.sameFreq(it, doc)
		if err != nil {
			return err
		}
		if doc > upTo {
			if err := it.AdvanceShallow(doc); err != nil {
				return err
			}
			if err := validImpacts(it, doc); err != nil {
				return err
			}
			upTo = it.DocIDUpTo(0)
			list, err := it.Impacts(0)
			if err != nil {
				return err
			}
			maxFreq = list[len(list)-1].Freq
		}
		if freq > maxFreq {
			return problemf("document %d has the frequency %d, above their maximum %d", doc, freq, maxFreq)
		}
	}
}

func (c *fieldCheck) sameFreq(it lucene.ImpactsEnum, doc int32) (int32, error) {
	freq, err := it.Freq()
	if err != nil {
		return 0, err
	}
	want, err := c.reuse.Freq()
	if err != nil {
		return 0, err
	}
	if freq != want {
		return 0, problemf("they have the frequency %d in document %d, the postings %d", freq, doc, want)
	}
	return freq, nil
}

// impactsSkipping goes through the postings by steps of many sizes, which follow from a generator so that a
// check is the same each time.
func (c *fieldCheck) impactsSkipping() error {
	it, err := c.it.Impacts(lucene.PostingsFreqs)
	if err != nil {
		return err
	}
	if c.reuse, err = c.it.Postings(c.reuse, lucene.PostingsFreqs); err != nil {
		return err
	}
	state := uint32(2463534242)
	random := func() int32 { // xorshift
		state ^= state << 13
		state ^= state >> 17
		state ^= state << 5
		return int32(state & 0x1ff)
	}
	doc, bound, maxFreq := int32(-1), int32(-1), int32(math.MaxInt32)
	look := func(target int32) error {
		bound = target + min(random(), lucene.NoMoreDocs-1-target)
		if err := it.AdvanceShallow(target); err != nil {
			return err
		}
		if err := validImpacts(it, target); err != nil {
			return err
		}
		maxFreq = math.MaxInt32
		for level := range it.NumLevels() {
			if it.DocIDUpTo(level) < bound {
				continue
			}
			list, err := it.Impacts(level)
			if err != nil {
				return err
			}
			maxFreq = list[len(list)-1].Freq
			break
		}
		return nil
	}
	for {
		if err := c.s.tick(); err != nil {
			return err
		}
		target, step := doc+1, random()&1 == 0
		if !step {
			target = doc + min(1+random(), lucene.NoMoreDocs-1-doc)
		}
		if target > bound && random()&1 == 0 {
			if err := look(target); err != nil {
				return err
			}
		}
		if step {
			doc, err = it.Next()
		} else {
			doc, err = it.Advance(target)
		}
		if err != nil {
			return err
		}
		want, err := c.reuse.Advance(target)
		if err != nil {
			return err
		}
		if doc != want {
			return problemf("from document %d on they go to %d, the postings to %d", target, doc, want)
		}
		if doc == lucene.NoMoreDocs {
			return nil
		}
		freq, err := c.sameFreq(it, doc)
		if err != nil {
			return err
		}
		if doc >= bound {
			if err := look(doc); err != nil {
				return err
			}
		}
		if freq > maxFreq {
			return problemf("document %d has the frequency %d, above the maximum %d up to document %d", doc, freq, maxFreq, bound)
		}
	}
}

// validImpacts checks the form of the impacts at the shallow position.
func validImpacts(it lucene.ImpactsEnum, target int32) error {
	n := it.NumLevels()
	if n < 1 {
		return problemf("%d levels", n)
	}
	upTo := target
	var below []lucene.Impact
	for level := range n {
		u := it.DocIDUpTo(level)
		if u < upTo {
			return problemf("level %d ends with document %d, before %d", level, u, upTo)
		}
		upTo = u
		list, err := it.Impacts(level)
		if err != nil {
			return err
		}
		if len(list) == 0 || list[0].Freq < 1 || list[0].Norm == 0 {
			return problemf("level %d begins with %v", level, list)
		}
		for i := 1; i < len(list); i++ {
			if list[i].Freq <= list[i-1].Freq || uint64(list[i].Norm) <= uint64(list[i-1].Norm) {
				return problemf("on level %d %v follows %v", level, list[i], list[i-1])
			}
		}
		for _, b := range below {
			if !covered(b, list) {
				return problemf("level %d has nothing as good as %v of the level below", level, b)
			}
		}
		below = append(below[:0], list...)
	}
	return nil
}

// covered tells whether a list has an impact that can bring at least the score of another.
func covered(b lucene.Impact, list []lucene.Impact) bool {
	for _, i := range list {
		if i.Freq >= b.Freq && uint64(i.Norm) <= uint64(b.Norm) {
			return true
		}
	}
	return false
}

// intersections compares what Intersect gives to what an automaton accepts of all terms.
func (c *fieldCheck) intersections() error {
	for _, start := range [][]byte{nil, {}, {'l'}, {0xff, 0xff, 0xff, 0xff}} {
		if err := c.intersection(start); err != nil {
			return err
		}
	}
	return nil
}

func (c *fieldCheck) intersection(start []byte) error {
	got, err := c.terms.Intersect(containsAToE{}, start)
	if err != nil {
		return err
	}
	all, err := c.terms.Iterator()
	if err != nil {
		return err
	}
	for {
		want, err := all.Next()
		if err != nil {
			return err
		}
		if want != nil && (!accepts(containsAToE{}, want) || start != nil && bytes.Compare(want, start) <= 0) {
			continue
		}
		if err := c.s.tick(); err != nil {
			return err
		}
		term, err := got.Next()
		if err != nil {
			return err
		}
		if !bytes.Equal(term, want) || (term == nil) != (want == nil) {
			return problemf("an automaton from %x on finds %x where %x is next", start, term, want)
		}
		if want == nil {
			return nil
		}
	}
}

func accepts(a lucene.Automaton, term []byte) bool {
	s := a.Start()
	for _, b := range term {
		if s = a.Step(s, b); s < 0 {
			return false
		}
	}
	return a.Accepts(s)
}

// containsAToE accepts what has one of the letters a to e in it. State 1 is reached with the first.
type containsAToE struct{}

func (containsAToE) Start() int32 { return 0 }

func (containsAToE) Step(state int32, b byte) int32 {
	if b >= 'a' && b <= 'e' {
		return 1
	}
	return state
}

func (containsAToE) Accepts(state int32) bool { return state == 1 }
func (containsAToE) NumStates() int32         { return 2 }

func (containsAToE) NextByte(_ int32, from int) int {
	if from > 255 {
		return -1
	}
	return from
}

func (containsAToE) All(state int32) bool { return state == 1 }
