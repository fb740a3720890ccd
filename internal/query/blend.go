package query

import (
	"fmt"
	"math"
	"sort"

	"github.com/varve-search/varve/lucene/search"
)

// weighted is a field with its boost.
type weighted struct {
	*ref
	boost float64
}

// blend is several fields that are searched as if they were one.
type blend struct {
	c       *Context
	fields  []weighted
	tie     float64
	lenient bool
}

// each makes a query on every field and takes the best of them.
func (b *blend) each(f func(r *ref) (search.Query, error)) (search.Query, error) {
	q := &search.DisMax{TieBreaker: float32(b.tie)}
	for _, w := range b.fields {
		one, err := f(w.ref)
		if err != nil {
			if b.lenient {
				one = search.MatchNone{}
			} else {
				return nil, err
			}
		}
		q.Queries = append(q.Queries, boosted(one, w.boost))
	}
	return q, nil
}

// terms seeks terms in all fields, with the statistics of all of them.
func (b *blend) terms(values [][]byte) (search.Query, error) {
	blended := &blendedTerms{tie: float32(b.tie)}
	var rest []search.Query
	for _, w := range b.fields {
		for _, v := range values {
			q, err := b.c.termQuery(w.ref, string(v))
			if err != nil {
				if !b.lenient {
					return nil, err
				}
				q = search.MatchNone{}
			}
			boost := float32(w.boost)
			for {
				inner, ok := q.(*search.Boost)
				if !ok {
					break
				}
				q = inner.Query
				boost *= inner.Boost
			}
			if t, ok := q.(*search.Term); ok {
				blended.list = append(blended.list, *t)
				blended.boosts = append(blended.boosts, boost)
				continue
			}
			if _, none := q.(search.MatchNone); !none {
				q = boosted(q, float64(boost))
			}
			rest = append(rest, q)
		}
	}
	if len(blended.list) > 0 {
		rest = append(rest, blended)
	}
	if len(rest) == 1 {
		return rest[0], nil
	}
	return &search.DisMax{Queries: rest, TieBreaker: float32(b.tie)}, nil
}

// blendedTerms is the best of several terms, scored as if all fields held the term as often as the one that holds it
// most often.
type blendedTerms struct {
	list   []search.Term
	boosts []float32
	tie    float32
}

// String implements search.Query.
func (q *blendedTerms) String() string {
	s := fmt.Sprintf("blended(%v", q.tie)
	for i := range q.list {
		s += fmt.Sprintf(" %s^%v", q.list[i].String(), q.boosts[i])
	}
	return s + ")"
}

// Weight implements search.Query; blendedTerms are always rewritten.
func (q *blendedTerms) Weight(*search.Searcher, search.ScoreMode, float32) (search.Weight, error) {
	return nil, fmt.Errorf("%s was not rewritten", q)
}

// Rewrite implements search.Query: it gives the terms their common statistics.
func (q *blendedTerms) Rewrite(s *search.Searcher) (search.Query, error) {
	stats, err := q.blend(s)
	if err != nil {
		return nil, err
	}
	out := &search.DisMax{TieBreaker: q.tie}
	for i := range q.list {
		t := q.list[i]
		t.Stats = stats[i]
		out.Queries = append(out.Queries, boosted(&t, float64(q.boosts[i])))
	}
	return out, nil
}

func (q *blendedTerms) blend(s *search.Searcher) ([]*search.TermStatistics, error) {
	stats := make([]*search.TermStatistics, len(q.list))
	docCounts := make([]int64, len(q.list))
	most, leastTokens := int64(0), int64(math.MaxInt64)
	for i, t := range q.list {
		st, err := termStatistics(s, t.Field, t.Bytes)
		if err != nil {
			return nil, err
		}
		stats[i] = &st
		most = max(most, st.DocFreq)
		if st.TotalTermFreq > 0 {
			cs, err := s.CollectionStatistics(t.Field)
			if err != nil {
				return nil, err
			}
			if cs != nil {
				leastTokens = min(leastTokens, cs.SumTotalTermFreq)
				docCounts[i] = cs.DocCount
			}
		}
	}
	if len(q.list) <= 1 || most == 0 {
		return stats, nil
	}
	maxDoc := min(s.MaxDoc(), leastTokens)
	order := make([]int, len(q.list))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(i, j int) bool { return stats[order[i]].DocFreq > stats[order[j]].DocFreq })
	previous := stats[order[0]].DocFreq
	df := min(maxDoc, most)
	tokens := int64(0)
	for _, i := range order {
		st := stats[i]
		if st.DocFreq == 0 {
			break
		}
		current := st.DocFreq
		if previous > current {
			df++ // a little less for the rarer fields
		}
		st.DocFreq = min(maxDoc, docCounts[i], df)
		st.TotalTermFreq = max(st.TotalTermFreq, st.DocFreq)
		previous = current
		tokens += st.TotalTermFreq
	}
	tokens = min(tokens, leastTokens)
	for _, st := range stats {
		if st.DocFreq > 0 {
			st.TotalTermFreq = tokens
		}
	}
	return stats, nil
}

func termStatistics(s *search.Searcher, field string, term []byte) (st search.TermStatistics, err error) {
	for _, leaf := range s.Leaves() {
		terms, err := leaf.Reader.Terms(field)
		if err != nil {
			return st, err
		}
		if terms == nil {
			continue
		}
		it, err := terms.Iterator()
		if err != nil {
			return st, err
		}
		ok, err := it.SeekExact(term)
		if err != nil {
			return st, err
		}
		if !ok {
			continue
		}
		df, err := it.DocFreq()
		if err != nil {
			return st, err
		}
		ttf, err := it.TotalTermFreq()
		if err != nil {
			return st, err
		}
		st.DocFreq += int64(df)
		st.TotalTermFreq += ttf
	}
	return st, nil
}
