package search

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/varve-search/varve/lucene"
)

var words = strings.Fields("a b c d e f g h i j k l m n o p q r s t")

// randDocs makes documents whose words are drawn with very different frequencies.
func randDocs(r *rand.Rand, n int) []fakeDoc {
	out := make([]fakeDoc, n)
	for i := range out {
		d := fakeDoc{text: map[string][]string{}, keyword: map[string][]string{}, num: map[string][]int64{}, geo: map[string][][2]int32{}}
		for _, f := range []string{"body", "title"} {
			if r.Intn(20) == 0 {
				continue
			}
			for range 1 + r.Intn(30) {
				w := int(math.Abs(r.NormFloat64()) * 6)
				d.text[f] = append(d.text[f], words[min(w, len(words)-1)])
			}
		}
		if r.Intn(4) > 0 {
			for range 1 + r.Intn(2) {
				d.keyword["tag"] = append(d.keyword["tag"], words[r.Intn(len(words))])
			}
		}
		if r.Intn(4) > 0 {
			for range 1 + r.Intn(3) {
				d.num["n"] = append(d.num["n"], int64(r.Intn(50)-25))
			}
		}
		if r.Intn(3) > 0 {
			d.geo["loc"] = [][2]int32{{EncodeLat(r.Float64()*180 - 90), EncodeLon(r.Float64()*360 - 180)}}
		}
		out[i] = d
	}
	return out
}

// model scores documents by brute force: it walks every document and every clause.
type model struct {
	s    *Searcher
	docs []fakeDoc
	t    testing.TB
}

func (m *model) similarity(field string, boost float32, terms ...string) (SimScorer, bool) {
	cs, err := m.s.CollectionStatistics(field)
	if err != nil || cs == nil {
		return nil, false
	}
	var st []TermStatistics
	for _, t := range terms {
		var x TermStatistics
		for _, d := range m.docs {
			n := 0
			for _, w := range d.text[field] {
				if w == t {
					n++
				}
			}
			if n == 0 && slices.Contains(d.keyword[field], t) {
				n = 1
			}
			if n > 0 {
				x.DocFreq++
				x.TotalTermFreq += int64(n)
			}
		}
		if x.DocFreq > 0 {
			st = append(st, x)
		}
	}
	if len(st) == 0 {
		return nil, false
	}
	return DefaultSimilarity.Scorer(boost, cs, st...), true
}

// compile returns a function that scores a document, and tells whether it matches.
func (m *model) compile(q Query, boost float32) func(doc int) (float32, bool) {
	switch q := q.(type) {
	case *Term:
		sim, ok := m.similarity(q.Field, boost, string(q.Bytes))
		return func(doc int) (float32, bool) {
			if !ok {
				return 0, false
			}
			d := m.docs[doc]
			if slices.Contains(d.keyword[q.Field], string(q.Bytes)) {
				return sim.Score(1, 1), true
			}
			f := 0
			for _, w := range d.text[q.Field] {
				if w == string(q.Bytes) {
					f++
				}
			}
			if f == 0 {
				return 0, false
			}
			return sim.Score(float32(f), int64(EncodeNorm(int32(len(d.text[q.Field]))))), true
		}
	case *Phrase:
		var terms []string
		for _, t := range q.Terms {
			terms = append(terms, string(t[0]))
		}
		sim, ok := m.similarity(q.Field, boost, terms...)
		return func(doc int) (float32, bool) {
			ws := m.docs[doc].text[q.Field]
			f := 0
			for i := range ws {
				if i+len(terms) <= len(ws) && slices.Equal(ws[i:i+len(terms)], terms) {
					f++
				}
			}
			if f == 0 || !ok {
				return 0, false
			}
			return sim.Score(float32(f), int64(EncodeNorm(int32(len(ws))))), true
		}
	case MatchAll:
		return func(int) (float32, bool) { return boost, true }
	case *NumericRange:
		return m.number(q.Field, q.Lo, q.Hi, boost)
	case *PointRange:
		lo, hi := int64(0), int64(0)
		for i := range 8 {
			lo, hi = lo<<8|int64(q.Lower[i]), hi<<8|int64(q.Upper[i])
		}
		return m.number(q.Field, lo^math.MinInt64, hi^math.MinInt64, boost)
	case *Boost:
		return m.compile(q.Query, boost*q.Boost)
	case *ConstantScore:
		in := m.compile(q.Query, 1)
		return func(doc int) (float32, bool) {
			_, ok := in(doc)
			return boost, ok
		}
	case *DisMax:
		var in []func(int) (float32, bool)
		for _, c := range q.Queries {
			in = append(in, m.compile(c, boost))
		}
		return func(doc int) (float32, bool) {
			var best float32
			var sum float64
			any := false
			for _, f := range in {
				if s, ok := f(doc); ok {
					any = true
					sum += float64(s)
					best = max(best, s)
				}
			}
			return float32(float64(best) + (sum-float64(best))*float64(q.TieBreaker)), any
		}
	case *Boolean:
		var in []func(int) (float32, bool)
		for _, c := range q.Clauses {
			in = append(in, m.compile(c.Query, boost))
		}
		return func(doc int) (float32, bool) {
			var sum float64
			should, required := 0, false
			for i, c := range q.Clauses {
				s, ok := in[i](doc)
				switch {
				case c.Occur == Must || c.Occur == Filter:
					required = true
					if !ok {
						return 0, false
					}
					if c.Occur == Must {
						sum += float64(s)
					}
				case c.Occur == MustNot && ok:
					return 0, false
				case c.Occur == Should && ok:
					should++
					sum += float64(s)
				}
			}
			if should < q.MinShould || !required && should == 0 {
				return 0, false
			}
			return float32(sum), true
		}
	}
	m.t.Fatalf("no model for %T", q)
	return nil
}

func (m *model) number(field string, lo, hi int64, boost float32) func(int) (float32, bool) {
	return func(doc int) (float32, bool) {
		return boost, slices.ContainsFunc(m.docs[doc].num[field], func(v int64) bool { return v >= lo && v <= hi })
	}
}

// randQuery makes a tree of queries.
func randQuery(r *rand.Rand, depth int) Query {
	if depth == 0 || r.Intn(4) == 0 {
		switch r.Intn(12) {
		case 0:
			return NewTerm("tag", words[r.Intn(len(words))])
		case 1:
			return NewPhrase("body", words[r.Intn(6)], words[r.Intn(6)])
		case 2:
			lo := int64(r.Intn(50) - 25)
			return NewLongRange("n", lo, lo+int64(r.Intn(20)))
		case 3:
			lo := int64(r.Intn(50) - 25)
			return &NumericRange{"n", lo, lo + int64(r.Intn(20))}
		case 4:
			return MatchAll{}
		case 5:
			return NewTerm("body", "missing")
		}
		return NewTerm([]string{"body", "title"}[r.Intn(2)], words[r.Intn(len(words))])
	}
	switch r.Intn(8) {
	case 0:
		return &Boost{randQuery(r, depth-1), float32(r.Intn(5)) / 2}
	case 1:
		return &ConstantScore{randQuery(r, depth-1)}
	case 2:
		q := &DisMax{TieBreaker: float32(r.Intn(3)) / 2}
		for range 1 + r.Intn(4) {
			q.Queries = append(q.Queries, randQuery(r, depth-1))
		}
		return q
	}
	q := &Boolean{}
	should := 0
	only := r.Intn(4) // often a pure disjunction or conjunction
	for range 1 + r.Intn(6) {
		o := Occur(r.Intn(4))
		switch only {
		case 0:
			o = Should
		case 1:
			o = []Occur{Must, Must, Filter}[r.Intn(3)]
		}
		if o == Should {
			should++
		}
		q.Clauses = append(q.Clauses, Clause{randQuery(r, depth-1), o})
	}
	if should > 0 && r.Intn(3) == 0 {
		q.MinShould = r.Intn(should + 1)
	}
	return q
}

func near(a, b float32) bool {
	d := math.Abs(float64(a) - float64(b))
	return d <= 2e-6*math.Max(math.Abs(float64(a)), math.Abs(float64(b)))
}

// TestAgainstBruteForce runs random trees of queries, pruned and not, and compares with the model.
func TestAgainstBruteForce(t *testing.T) {
	r := newRand(t)
	for round := range 15 {
		n := 1 + r.Intn(400)
		queries := 60
		if round == 7 { // several windows of the bulk scorers
			n, queries = 3*windowSize+r.Intn(windowSize), 15
		}
		docs := randDocs(r, n)
		var sizes []int
		for left := n; left > 0; {
			k := 1 + r.Intn(left)
			sizes = append(sizes, k)
			left -= k
		}
		dead := map[int]bool{}
		if round%2 == 0 {
			for i := range docs {
				dead[i] = r.Intn(6) == 0
			}
		}
		opt := Options{Workers: 1 + r.Intn(3), MinPart: 1 + r.Intn(100)}
		if round%3 == 0 {
			c := NewLRUCache(1 << 20)
			c.MinDocs, c.MinUses = 0, 1
			opt.Cache = c
		}
		leaves := fakeIndex(docs, sizes, func(i int) bool { return dead[i] })
		s := NewSearcher(leaves, opt)
		m := &model{s: s, docs: docs, t: t}
		for range queries {
			q := randQuery(r, 1+r.Intn(3))
			f := m.compile(q, 1)
			var want []Hit
			for i := range docs {
				if sc, ok := f(i); ok && !dead[i] {
					want = append(want, Hit{Doc: int32(i), Score: sc})
				}
			}
			checkSearch(t, s, q, want, r)
		}
	}
}

// visits is a manager of collectors that may share segments, and note the documents.
type visits struct{}

func (visits) New() (Collector, error) { return &visitor{}, nil }
func (visits) Splits() bool            { return true }
func (visits) Reduce(cs []Collector) ([]int32, error) {
	var docs []int32
	for _, c := range cs {
		docs = append(docs, c.(*visitor).docs...)
	}
	return docs, nil
}

type visitor struct {
	base int32
	docs []int32
}

func (v *visitor) Mode() ScoreMode          { return CompleteNoScores }
func (v *visitor) SetScorer(Scorable) error { return nil }
func (v *visitor) Leaf(leaf *lucene.LeafContext, _ Weight) (LeafCollector, error) {
	v.base = leaf.DocBase
	return v, nil
}

func (v *visitor) Collect(doc int32) error {
	v.docs = append(v.docs, doc+v.base)
	return nil
}

func (v *visitor) CollectBatch(docs []int32) error {
	for _, d := range docs {
		v.docs = append(v.docs, d+v.base)
	}
	return nil
}

// checkParts visits all matches with collectors that share segments.
func checkParts(t *testing.T, s *Searcher, q Query, want []Hit) {
	t.Helper()
	docs, err := Run[[]int32](context.Background(), s, q, visits{})
	if err != nil {
		t.Fatalf("visit %s: %v", q, err)
	}
	slices.Sort(docs)
	if len(docs) != len(want) {
		t.Fatalf("%s visits %d documents in parts, not %d", q, len(docs), len(want))
	}
	for i, d := range docs {
		if d != want[i].Doc {
			t.Fatalf("%s visits %d where %d is the match", q, d, want[i].Doc)
		}
	}
}

func checkSearch(t *testing.T, s *Searcher, q Query, want []Hit, r *rand.Rand) {
	t.Helper()
	ctx := context.Background()
	n, err := s.Count(ctx, q)
	if err != nil {
		t.Fatalf("count of %s: %v", q, err)
	}
	if int(n) != len(want) {
		t.Fatalf("%s counts %d, not %d", q, n, len(want))
	}
	checkParts(t, s, q, want)
	slices.SortStableFunc(want, func(a, b Hit) int {
		switch {
		case a.Score > b.Score:
			return -1
		case a.Score < b.Score:
			return 1
		}
		return int(a.Doc - b.Doc)
	})
	full, err := Run(ctx, s, q, ByScore{K: len(want) + 1, Threshold: CountAll}.Top())
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	if full.Total != (TotalHits{int64(len(want)), EqualTo}) || len(full.Hits) != len(want) {
		t.Fatalf("%s: %+v, not %d", q, full.Total, len(want))
	}
	score := map[int32]float32{}
	for _, h := range want {
		score[h.Doc] = h.Score
	}
	for _, h := range full.Hits {
		if w, ok := score[h.Doc]; !ok || !near(w, h.Score) {
			t.Fatalf("%s: document %d scores %v, not %v", q, h.Doc, h.Score, w)
		}
	}
	for range 3 {
		k := 1 + r.Intn(12)
		top, err := Run(ctx, s, q, ByScore{K: k, Threshold: int64(r.Intn(5))}.Top())
		if err != nil {
			t.Fatal(err)
		}
		// The order is that of our own exhaustive run: the model may differ in the last bit.
		exp := full.Hits[:min(k, len(full.Hits))]
		for i := range exp {
			if i >= len(top.Hits) || top.Hits[i].Doc != exp[i].Doc || top.Hits[i].Score != exp[i].Score {
				t.Fatalf("%s: top %d is %v, not %v", q, k, top.Hits, exp)
			}
		}
		if len(top.Hits) != len(exp) || top.Total.Relation == EqualTo && top.Total.Value != int64(len(want)) || top.Total.Value > int64(len(want)) {
			t.Fatalf("%s: top %d has %d hits of %+v, %d match", q, k, len(top.Hits), top.Total, len(want))
		}
		if len(full.Hits) > 0 {
			after := full.Hits[r.Intn(len(full.Hits))]
			at := slices.IndexFunc(full.Hits, func(h Hit) bool { return h.Doc == after.Doc })
			next, err := Run(ctx, s, q, ByScore{K: k, Threshold: int64(r.Intn(5)), After: &after}.Top())
			if err != nil {
				t.Fatal(err)
			}
			rest := full.Hits[at+1:]
			rest = rest[:min(k, len(rest))]
			if !slices.EqualFunc(next.Hits, rest, func(a, b Hit) bool { return a.Doc == b.Doc && a.Score == b.Score }) {
				t.Fatalf("%s: after %v: %v, not %v", q, after, next.Hits, rest)
			}
		}
	}
	checkSort(t, s, q, want, r)
}

func randSort(r *rand.Rand) []SortField {
	var out []SortField
	for range 1 + r.Intn(2) {
		f := []SortField{{Type: SortNumber, Field: "n", Mode: Mode(r.Intn(5))}, {Type: SortString, Field: "tag", Mode: Mode(r.Intn(2))},
			{Type: SortScore}, {Type: SortDoc}}[r.Intn(4)]
		f.Reverse = r.Intn(2) == 0
		f.Missing = Missing(r.Intn(2))
		if f.Type == SortNumber && r.Intn(3) == 0 {
			f.Missing, f.MissingKey = MissingAs, 3
		}
		out = append(out, f)
	}
	return out
}

func checkSort(t *testing.T, s *Searcher, q Query, want []Hit, r *rand.Rand) {
	t.Helper()
	by := randSort(r)
	docs := map[int32]fakeDoc{}
	for _, l := range s.Leaves() {
		for i, d := range l.Reader.(*fakeReader).docs {
			docs[l.DocBase+int32(i)] = d
		}
	}
	full, err := Run(context.Background(), s, q, ByFields{K: len(want) + 1, Sort: by, Threshold: CountAll, Scores: true}.Top())
	if err != nil {
		t.Fatal(err)
	}
	exp := slices.Clone(full.Hits)
	slices.SortStableFunc(exp, func(a, b Hit) int {
		for _, f := range by {
			if c := compareModel(f, docs, a, b); c != 0 {
				return c
			}
		}
		return int(a.Doc - b.Doc)
	})
	if len(exp) != len(want) || !slices.EqualFunc(full.Hits, exp, func(a, b Hit) bool { return a.Doc == b.Doc }) {
		t.Fatalf("%s sorted by %+v: %v, not %v", q, by, full.Hits, exp)
	}
	k := 1 + r.Intn(10)
	m := ByFields{K: k, Sort: by, Threshold: int64(r.Intn(5))}
	at := -1
	if len(exp) > 0 && r.Intn(2) == 0 {
		at = r.Intn(len(exp))
		m.After = &exp[at]
	}
	top, err := Run(context.Background(), s, q, m.Top())
	if err != nil {
		t.Fatal(err)
	}
	rest := exp[at+1:]
	rest = rest[:min(k, len(rest))]
	if !slices.EqualFunc(top.Hits, rest, func(a, b Hit) bool { return a.Doc == b.Doc && fmt.Sprint(a.Sort) == fmt.Sprint(b.Sort) }) {
		t.Fatalf("%s sorted by %+v after %v: %v, not %v", q, by, m.After, top.Hits, rest)
	}
}

// compareModel orders two hits by the definition of a sort.
func compareModel(f SortField, docs map[int32]fakeDoc, a, b Hit) int {
	sign := 1
	if f.Reverse {
		sign = -1
	}
	order := func(less, more bool) int {
		switch {
		case less:
			return -1
		case more:
			return 1
		}
		return 0
	}
	missing := func(x, y bool) (int, bool) {
		if x == y {
			return 0, x
		}
		if x == (f.Missing == MissingFirst) {
			return -1, true
		}
		return 1, true
	}
	switch f.Type {
	case SortScore:
		return -sign * order(a.Score < b.Score, a.Score > b.Score)
	case SortDoc:
		return sign * order(a.Doc < b.Doc, a.Doc > b.Doc)
	case SortString:
		x, y := slices.Sorted(slices.Values(docs[a.Doc].keyword["tag"])), slices.Sorted(slices.Values(docs[b.Doc].keyword["tag"]))
		if o, done := missing(len(x) == 0, len(y) == 0); done {
			return o
		}
		i, j := 0, 0
		if f.Mode == ModeMax {
			i, j = len(x)-1, len(y)-1
		}
		return sign * strings.Compare(x[i], y[j])
	}
	x, y := docs[a.Doc].num["n"], docs[b.Doc].num["n"]
	if f.Missing == MissingAs {
		if len(x) == 0 {
			x = []int64{f.MissingKey}
		}
		if len(y) == 0 {
			y = []int64{f.MissingKey}
		}
	}
	if o, done := missing(len(x) == 0, len(y) == 0); done {
		return o
	}
	value := func(v []int64) int64 {
		v = slices.Sorted(slices.Values(v))
		var sum int64
		for _, x := range v {
			sum += x
		}
		switch f.Mode {
		case ModeMin:
			return v[0]
		case ModeMax:
			return v[len(v)-1]
		case ModeSum:
			return sum
		case ModeAvg:
			return int64(math.Floor(float64(sum)/float64(len(v)) + 0.5))
		}
		if len(v)%2 == 0 {
			return int64(math.Floor(float64(v[len(v)/2-1]+v[len(v)/2])/2 + 0.5))
		}
		return v[len(v)/2]
	}
	return sign * order(value(x) < value(y), value(x) > value(y))
}

func TestCancel(t *testing.T) {
	r := newRand(t)
	s := NewSearcher(fakeIndex(randDocs(r, 100), []int{50, 50}, nil), Options{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Run(ctx, s, NewTerm("body", "a"), ByScore{K: 1}.Top()); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled search returns %v", err)
	}
}

func TestEmptyIndex(t *testing.T) {
	s := NewSearcher(nil, Options{})
	top, err := Run(context.Background(), s, NewTerm("body", "a"), ByScore{K: 1}.Top())
	if err != nil || top.Total.Value != 0 {
		t.Error(top, err)
	}
}

func TestNorms(t *testing.T) {
	last := int32(-1)
	for i := range 256 {
		v := DecodeNorm(byte(i))
		if v <= last || int(EncodeNorm(v)) != i {
			t.Fatalf("norm %d decodes to %d, which encodes to %d", i, v, EncodeNorm(v))
		}
		last = v
	}
	if DecodeNorm(40) != 40 || DecodeNorm(255) != 2013265944 {
		t.Error(DecodeNorm(40), DecodeNorm(255))
	}
}

var _ lucene.LeafReader = (*fakeReader)(nil)
