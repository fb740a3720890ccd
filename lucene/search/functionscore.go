package search

import (
	"fmt"
	"math"
	"strings"

	"github.com/varve-search/varve/lucene"
)

// ScoreFunction computes a factor of a document's score.
type ScoreFunction interface {
	Leaf(leaf *lucene.LeafContext) (LeafScoreFunction, error)
	// NeedsScores tells whether it looks at the query's score.
	NeedsScores() bool
	// String describes it completely.
	String() string
}

// LeafScoreFunction is a ScoreFunction in one segment, asked for documents in ascending order.
type LeafScoreFunction interface {
	Score(doc int32, queryScore float32) (float64, error)
}

// FunctionMode combines the factors of several functions, or a factor and the score of the query.
type FunctionMode uint8

// The modes; First only for functions, Replace only for the combination with the query's score.
const (
	Multiply FunctionMode = iota
	Sum
	Avg
	First
	Max
	Min
	Replace
)

// WeightedFunction is a function that applies where a filter matches.
type WeightedFunction struct {
	Filter   Query         // nil: everywhere
	Function ScoreFunction // nil: 1
	Weight   float64       // factor; 1 for none
}

// FunctionScore changes the scores of a query by functions.
type FunctionScore struct {
	Query     Query
	Functions []WeightedFunction
	ScoreMode FunctionMode // among the functions
	BoostMode FunctionMode // with the query's score
	MaxBoost  float32      // 0: no limit
	MinScore  *float32     // documents of a lower score do not match
}

func (q *FunctionScore) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "functions(%s,%d,%d,%s", q.Query, q.ScoreMode, q.BoostMode, formatFloat(q.MaxBoost))
	if q.MinScore != nil {
		fmt.Fprintf(&b, ",min=%s", formatFloat(*q.MinScore))
	}
	for _, f := range q.Functions {
		fmt.Fprintf(&b, ",(%v,%v,%v)", f.Filter, f.Function, f.Weight)
	}
	return b.String() + ")"
}

// Rewrite implements Query.
func (q *FunctionScore) Rewrite(s *Searcher) (Query, error) {
	in, err := q.Query.Rewrite(s)
	if err != nil || in == q.Query {
		return q, err
	}
	if _, none := in.(MatchNone); none {
		return in, nil
	}
	out := *q
	out.Query = in
	return &out, nil
}

// Weight implements Query.
func (q *FunctionScore) Weight(s *Searcher, mode ScoreMode, boost float32) (Weight, error) {
	if !mode.NeedsScores() && q.MinScore == nil {
		return q.Query.Weight(s, mode, boost)
	}
	w := &functionWeight{q: q, scored: q.BoostMode != Replace}
	for _, f := range q.Functions {
		w.scored = w.scored || f.Function != nil && f.Function.NeedsScores()
		var fw Weight
		if f.Filter != nil {
			rq, err := s.Rewrite(&ConstantScore{f.Filter})
			if err != nil {
				return nil, err
			}
			if fw, err = s.Weight(rq, CompleteNoScores, 1); err != nil {
				return nil, err
			}
		}
		w.filters = append(w.filters, fw)
	}
	inner := Complete
	if !w.scored {
		inner = CompleteNoScores
	}
	var err error
	w.in, err = q.Query.Weight(s, inner, boost)
	return w, err
}

type functionWeight struct {
	q       *FunctionScore
	in      Weight
	filters []Weight
	scored  bool
}

func (w *functionWeight) Query() Query { return w.q }

func (w *functionWeight) Count(leaf *lucene.LeafContext) (int, error) {
	if w.q.MinScore != nil {
		return -1, nil
	}
	return w.in.Count(leaf)
}

func (w *functionWeight) Supplier(leaf *lucene.LeafContext) (ScorerSupplier, error) {
	in, err := w.in.Supplier(leaf)
	if in == nil || err != nil {
		return nil, err
	}
	return supplierFunc{in.Cost(), func(leadCost int64) (Scorer, error) {
		sub, err := in.Scorer(leadCost)
		if err != nil {
			return nil, err
		}
		sc := &functionScorer{Scorer: sub, q: w.q, scored: w.scored}
		for i, f := range w.q.Functions {
			lf := leafFunction{weight: f.Weight, weightOnly: f.Function == nil}
			if f.Function != nil {
				if lf.fn, err = f.Function.Leaf(leaf); err != nil {
					return nil, err
				}
			}
			if w.filters[i] != nil {
				fs, err := scorerFor(w.filters[i], leaf)
				if err != nil {
					return nil, err
				}
				if fs == nil {
					continue // matches nothing here
				}
				lf.cond = &conditions{}
				lf.cond.add(fs, true)
			}
			sc.fns = append(sc.fns, lf)
		}
		if w.q.MinScore != nil {
			return &minScoreScorer{functionScorer: sc, min: *w.q.MinScore}, nil
		}
		return sc, nil
	}}, nil
}

type leafFunction struct {
	cond       *conditions
	fn         LeafScoreFunction // nil: 1
	weight     float64
	weightOnly bool
}

type functionScorer struct {
	Scorer
	noImpacts
	q      *FunctionScore
	fns    []leafFunction
	scored bool
	doc    int32
	done   bool
	value  float32
}

func (f *functionScorer) AdvanceShallow(target int32) (int32, error) {
	return f.noImpacts.AdvanceShallow(target)
}
func (f *functionScorer) MaxScore(upTo int32) (float32, error) { return f.noImpacts.MaxScore(upTo) }
func (f *functionScorer) SetMinCompetitive(float32) error      { return nil }

// Score computes the score of a document once.
func (f *functionScorer) Score() (float32, error) {
	doc := f.DocID()
	if f.done && f.doc == doc {
		return f.value, nil
	}
	var s float32
	var err error
	if f.scored {
		if s, err = f.Scorer.Score(); err != nil {
			return 0, err
		}
	}
	f.doc, f.done, f.value = doc, true, s
	if len(f.q.Functions) == 0 {
		return s, nil
	}
	factor, err := f.factor(doc, s)
	if err != nil {
		return 0, err
	}
	limit := float64(f.q.MaxBoost)
	if limit == 0 {
		limit = math.MaxFloat32
	}
	factor = min(factor, limit)
	q := float64(s)
	switch f.q.BoostMode {
	case Multiply:
		q *= factor
	case Sum:
		q += factor
	case Avg:
		q = (factor + q) / 2
	case Max:
		q = max(q, factor)
	case Min:
		q = min(q, factor)
	case Replace:
		q = factor
	default:
		return 0, fmt.Errorf("function_score cannot combine scores by mode %d", f.q.BoostMode)
	}
	f.value = float32(q)
	if f.value < 0 || math.IsNaN(q) {
		return 0, fmt.Errorf("function score query returned an invalid score: %v for doc: %d", f.value, doc)
	}
	return f.value, nil
}

// factor combines the functions whose filters match.
func (f *functionScorer) factor(doc int32, s float32) (float64, error) {
	factor, total, weights := 1.0, 0.0, 0.0
	lo, hi := math.Inf(1), math.Inf(-1)
	any := false
	for i := range f.fns {
		fn := &f.fns[i]
		ok, err := fn.cond.accept(doc)
		if err != nil {
			return 0, err
		}
		if !ok {
			continue
		}
		v := fn.weight
		if fn.fn != nil {
			x, err := fn.fn.Score(doc, s)
			if err != nil {
				return 0, err
			}
			v *= x
		}
		any = true
		if f.q.ScoreMode == First {
			return v, nil
		}
		factor *= v
		total += v
		weights += fn.weight
		lo, hi = min(lo, v), max(hi, v)
	}
	if !any {
		return 1, nil
	}
	switch f.q.ScoreMode {
	case Sum:
		return total, nil
	case Avg:
		if weights == 0 {
			return 1, nil
		}
		return total / weights, nil
	case Max:
		return hi, nil
	case Min:
		return lo, nil
	}
	return factor, nil
}

// minScoreScorer matches only documents of at least a score.
type minScoreScorer struct {
	*functionScorer
	min float32
}

func (m *minScoreScorer) Iterator() lucene.DocIDSetIterator { return asIterator(m.TwoPhase()) }

func (m *minScoreScorer) TwoPhase() TwoPhase {
	in := m.functionScorer.Scorer.TwoPhase()
	approx := lucene.DocIDSetIterator(nil)
	if in != nil {
		approx = in.Approximation()
	} else {
		approx = m.functionScorer.Scorer.Iterator()
	}
	return &twoPhase{approx, func() (bool, error) {
		if in != nil {
			if ok, err := in.Matches(); !ok || err != nil {
				return false, err
			}
		}
		s, err := m.Score()
		return s >= m.min, err
	}, 1000}
}
