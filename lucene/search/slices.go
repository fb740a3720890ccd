package search

import (
	"cmp"
	"runtime"
	"slices"

	"github.com/varve-search/varve/lucene"
)

// part is a range of the documents of a segment.
type part struct {
	leaf     int
	from, to int32
}

func (p part) size() int64 { return int64(p.to - p.from) }

// Splitter is implemented by managers whose collectors may share a segment, each taking a range of its documents. To such
// collectors a weight does not tell its count.
type Splitter interface{ Splits() bool }

func (s *Searcher) minPart() int64 {
	if s.opt.MinPart > 0 {
		return int64(s.opt.MinPart)
	}
	return DefaultMinPart
}

// slices deals the segments out to at most Workers slices of about the same size. split allows to cut segments.
func (s *Searcher) slices(w Weight, split bool) ([][]part, error) {
	workers := s.opt.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	parts := make([]part, len(s.leaves))
	for i := range s.leaves {
		parts[i] = part{leaf: i, to: s.leaves[i].Reader.MaxDoc()}
	}
	if split && workers > 1 {
		var err error
		if parts, err = s.cut(parts, w, workers); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(parts, func(a, b part) int { return cmp.Compare(b.size(), a.size()) })
	out := make([][]part, max(min(workers, len(parts)), 1))
	size := make([]int64, len(out))
	for _, p := range parts {
		best := 0
		for i := range size {
			if size[i] < size[best] {
				best = i
			}
		}
		if len(out[best]) == 0 && best > 0 && p.size() < s.minPart() {
			best-- // all that follow are no larger; the last slice in use is the smallest
		}
		out[best] = append(out[best], p)
		size[best] += p.size() + 1
	}
	out = slices.DeleteFunc(out, func(p []part) bool { return len(p) == 0 })
	for _, ps := range out {
		slices.SortFunc(ps, func(a, b part) int { return cmp.Or(cmp.Compare(a.leaf, b.leaf), cmp.Compare(a.from, b.from)) })
	}
	return out, nil
}

// cut divides segments that are larger than a worker's share, where the query can begin anywhere at no cost.
func (s *Searcher) cut(parts []part, w Weight, workers int) ([]part, error) {
	var out []part
	minPart := s.minPart()
	for _, p := range parts {
		leaf := &s.leaves[p.leaf]
		n := int((p.size()*int64(workers) + s.maxDoc - 1) / s.maxDoc)
		if p.size() < 2*minPart || n < 2 || !startsAnywhere(w, leaf) {
			out = append(out, p)
			continue
		}
		sup, err := w.Supplier(leaf)
		if err != nil {
			return nil, err
		}
		if sup == nil || sup.Cost() < 2*minPart {
			out = append(out, p)
			continue
		}
		n = int(min(int64(n), sup.Cost()/minPart))
		step := (p.to/int32(n) + 63) &^ 63
		for from := int32(0); from < p.to; from += step {
			out = append(out, part{p.leaf, from, min(p.to, from+step)})
		}
	}
	return out, nil
}

// startsAnywhere tells whether a weight's scorer costs nothing before its first document, so that several may be opened.
func startsAnywhere(w Weight, leaf *lucene.LeafContext) bool {
	switch w := w.(type) {
	case *termWeight:
		return true
	case *constantWeight:
		_, all := w.q.(MatchAll)
		return all
	case *constantScoreWeight:
		return startsAnywhere(w.in, leaf)
	case *cachedWeight:
		return w.peek(leaf) != nil || startsAnywhere(w.Weight, leaf)
	case *disMaxWeight:
		return allStartAnywhere(w.subs, leaf)
	case *booleanWeight:
		for _, subs := range w.subs {
			if !allStartAnywhere(subs, leaf) {
				return false
			}
		}
		return true
	}
	return false
}

func allStartAnywhere(ws []Weight, leaf *lucene.LeafContext) bool {
	for _, w := range ws {
		if !startsAnywhere(w, leaf) {
			return false
		}
	}
	return true
}

// partWeight is a weight as the collector of a part of a segment may see it.
type partWeight struct{ Weight }

// Count implements Weight.
func (partWeight) Count(*lucene.LeafContext) (int, error) { return -1, nil }
