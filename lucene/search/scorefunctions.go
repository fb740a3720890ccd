package search

import (
	"fmt"
	"math"

	"github.com/varve-search/varve/lucene"
)

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
