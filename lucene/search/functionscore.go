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

// FieldFactor multiplies by a number of the document.
type FieldFactor struct {
	Source   ValueSource
	Kind     Kind
	Factor   float32
	Modifier string   // as OpenSearch names it: none, log, log1p, log2p, ln, ln1p, ln2p, square, sqrt, reciprocal
	Missing  *float64 // for documents without a number; nil: an error
}

func (f *FieldFactor) String() string {
	m := "error"
	if f.Missing != nil {
		m = fmt.Sprint(*f.Missing)
	}
	return fmt.Sprintf("factor(%s,%d,%s,%q,%s)", f.Source, f.Kind, formatFloat(f.Factor), f.Modifier, m)
}

// NeedsScores implements ScoreFunction.
func (f *FieldFactor) NeedsScores() bool { return false }

// Leaf implements ScoreFunction.
func (f *FieldFactor) Leaf(leaf *lucene.LeafContext) (LeafScoreFunction, error) {
	v, err := f.Source.Values(leaf)
	return &leafFieldFactor{f, v}, err
}

type leafFieldFactor struct {
	f *FieldFactor
	v Values
}

func (l *leafFieldFactor) Score(doc int32, _ float32) (float64, error) {
	ok, err := l.v.AdvanceExact(doc)
	if err != nil {
		return 0, err
	}
	var v float64
	switch {
	case ok:
		v = l.f.Kind.Double(l.v.Key())
	case l.f.Missing != nil:
		v = *l.f.Missing
	default:
		return 0, fmt.Errorf("missing value for %s in a field value factor", l.f.Source)
	}
	x, err := modify(l.f.Modifier, v*float64(l.f.Factor))
	if err == nil && x < 0 {
		err = fmt.Errorf("field value function must not produce negative scores, but got: [%v] for field value: [%v]", x, v)
	}
	return x, err
}

func modify(name string, v float64) (float64, error) {
	switch name {
	case "", "none":
		return v, nil
	case "log":
		return math.Log10(v), nil
	case "log1p":
		return math.Log10(v + 1), nil
	case "log2p":
		return math.Log10(v + 2), nil
	case "ln":
		return math.Log(v), nil
	case "ln1p":
		return math.Log1p(v), nil
	case "ln2p":
		return math.Log1p(v + 1), nil
	case "square":
		return v * v, nil
	case "sqrt":
		return math.Sqrt(v), nil
	case "reciprocal":
		return 1 / v, nil
	}
	return 0, fmt.Errorf("unknown modifier %q of a field value factor", name)
}

// Decay falls with the distance of a number from an origin.
type Decay struct {
	// Distances gives a document's distance from the origin; documents without one get 1.
	Distances ValueSource
	Kind      Kind    // of Distances
	Shape     string  // gauss, exp or linear
	Scale     float64 // distance beyond Offset at which the factor is Decay
	Offset    float64
	Decay     float64
}

func (d *Decay) String() string {
	return fmt.Sprintf("decay(%s,%d,%s,%v,%v,%v)", d.Distances, d.Kind, d.Shape, d.Scale, d.Offset, d.Decay)
}

// NeedsScores implements ScoreFunction.
func (d *Decay) NeedsScores() bool { return false }

// Leaf implements ScoreFunction.
func (d *Decay) Leaf(leaf *lucene.LeafContext) (LeafScoreFunction, error) {
	v, err := d.Distances.Values(leaf)
	if err != nil {
		return nil, err
	}
	l := &leafDecay{d: d, v: v}
	switch d.Shape {
	case "gauss":
		s := 0.5 * d.Scale * d.Scale / math.Log(d.Decay)
		l.fall = func(x float64) float64 { return math.Exp(0.5 * x * x / s) }
	case "exp":
		s := math.Log(d.Decay) / d.Scale
		l.fall = func(x float64) float64 { return math.Exp(s * x) }
	case "linear":
		s := d.Scale / (1 - d.Decay)
		l.fall = func(x float64) float64 { return max(0, (s-x)/s) }
	default:
		return nil, fmt.Errorf("unknown shape %q of a decay function", d.Shape)
	}
	return l, nil
}

type leafDecay struct {
	d    *Decay
	v    Values
	fall func(float64) float64
}

func (l *leafDecay) Score(doc int32, _ float32) (float64, error) {
	ok, err := l.v.AdvanceExact(doc)
	if !ok || err != nil {
		return 1, err
	}
	return l.fall(max(0, math.Abs(l.d.Kind.Double(l.v.Key()))-l.d.Offset)), nil
}

// Demote multiplies the scores of documents that match another query.
type Demote struct {
	Query, Match Query
	Factor       float32
}

func (q *Demote) String() string {
	return fmt.Sprintf("demote(%s,%s,%s)", q.Query, q.Match, formatFloat(q.Factor))
}

// Rewrite implements Query.
func (q *Demote) Rewrite(s *Searcher) (Query, error) {
	in, err := q.Query.Rewrite(s)
	if err != nil || in == q.Query {
		return q, err
	}
	return &Demote{in, q.Match, q.Factor}, nil
}

// Weight implements Query.
func (q *Demote) Weight(s *Searcher, mode ScoreMode, boost float32) (Weight, error) {
	if !mode.NeedsScores() {
		return q.Query.Weight(s, mode, boost)
	}
	in, err := q.Query.Weight(s, Complete, 1)
	if err != nil {
		return nil, err
	}
	rq, err := s.Rewrite(&ConstantScore{q.Match})
	if err != nil {
		return nil, err
	}
	match, err := s.Weight(rq, CompleteNoScores, 1)
	return &demoteWeight{q, in, match, boost}, err
}

type demoteWeight struct {
	q     *Demote
	in    Weight
	match Weight
	boost float32
}

func (w *demoteWeight) Query() Query                                { return w.q }
func (w *demoteWeight) Count(leaf *lucene.LeafContext) (int, error) { return w.in.Count(leaf) }

func (w *demoteWeight) Supplier(leaf *lucene.LeafContext) (ScorerSupplier, error) {
	in, err := w.in.Supplier(leaf)
	if in == nil || err != nil {
		return nil, err
	}
	return supplierFunc{in.Cost(), func(leadCost int64) (Scorer, error) {
		sc, err := in.Scorer(leadCost)
		if err != nil {
			return nil, err
		}
		m, err := scorerFor(w.match, leaf)
		if err != nil {
			return nil, err
		}
		d := &demoteScorer{Scorer: sc, w: w}
		if m != nil {
			d.cond = &conditions{}
			d.cond.add(m, true)
		}
		return d, nil
	}}, nil
}

type demoteScorer struct {
	Scorer
	w    *demoteWeight
	cond *conditions
	doc  int32
	has  bool
	done bool
}

func (d *demoteScorer) Score() (float32, error) {
	s, err := d.Scorer.Score()
	if err != nil {
		return 0, err
	}
	v := float64(s)
	if d.cond != nil {
		if doc := d.DocID(); !d.done || d.doc != doc {
			d.doc, d.done = doc, true
			if d.has, err = d.cond.accept(doc); err != nil {
				return 0, err
			}
		}
		if d.has {
			v *= float64(d.w.q.Factor)
		}
	}
	return float32(v * float64(d.w.boost)), nil
}

func (d *demoteScorer) AdvanceShallow(int32) (int32, error) { return lucene.NoMoreDocs, nil }
func (d *demoteScorer) MaxScore(int32) (float32, error)     { return inf32(), nil }
func (d *demoteScorer) SetMinCompetitive(float32) error     { return nil }
