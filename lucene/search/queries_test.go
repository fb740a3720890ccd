package search

import (
	"bytes"
	"context"
	"errors"
	"math"
	"math/rand"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/automaton"
)

// matching returns the documents that a query matches, ascending.
func matching(t testing.TB, s *Searcher, q Query) []int32 {
	t.Helper()
	top, err := Run(context.Background(), s, q, ByFields{K: 1 << 16, Sort: []SortField{{Type: SortDoc}}, Threshold: CountAll}.Top())
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	var out []int32
	for _, h := range top.Hits {
		out = append(out, h.Doc)
	}
	if n, err := s.Count(context.Background(), q); err != nil || int(n) != len(out) {
		t.Fatalf("%s counts %d (%v), not %d", q, n, err, len(out))
	}
	return out
}

func expectDocs(t testing.TB, s *Searcher, q Query, docs []fakeDoc, want func(fakeDoc) bool) {
	t.Helper()
	var exp []int32
	for i, d := range docs {
		if want(d) {
			exp = append(exp, int32(i))
		}
	}
	if got := matching(t, s, q); !slices.Equal(got, exp) {
		t.Fatalf("%s matches %v, not %v", q, got, exp)
	}
	// as a filter beside something rare, too, where it is asked for few documents
	b := &Boolean{Clauses: []Clause{{NewTerm("body", "k"), Must}, {q, Filter}}}
	exp = exp[:0]
	for i, d := range docs {
		if want(d) && slices.Contains(d.text["body"], "k") {
			exp = append(exp, int32(i))
		}
	}
	if got := matching(t, s, b); !slices.Equal(got, exp) {
		t.Fatalf("%s matches %v, not %v", b, got, exp)
	}
}

func randIndex(r *rand.Rand, n int) (*Searcher, []fakeDoc) {
	docs := randDocs(r, n)
	var vocab []string
	for range 60 {
		w := ""
		for range 1 + r.Intn(6) {
			w += string("abé"[r.Intn(2)])
		}
		vocab = append(vocab, w+string([]rune("xyé")[r.Intn(3)]))
	}
	for i := range docs {
		for range 1 + r.Intn(5) {
			docs[i].text["many"] = append(docs[i].text["many"], vocab[r.Intn(len(vocab))])
		}
	}
	return NewSearcher(fakeIndex(docs, []int{n / 3, n / 2, n}, nil), Options{Workers: 2}), docs
}

func hasWord(d fakeDoc, field string, ok func(string) bool) bool {
	return slices.ContainsFunc(d.text[field], ok) || slices.ContainsFunc(d.keyword[field], ok)
}

func TestMultiTerm(t *testing.T) {
	r := newRand(t)
	for range 15 {
		s, docs := randIndex(r, 30+r.Intn(200))
		p := "ab"[:1+r.Intn(2)]
		expectDocs(t, s, NewPrefix("many", p, false), docs, func(d fakeDoc) bool {
			return hasWord(d, "many", func(w string) bool { return strings.HasPrefix(w, p) })
		})
		w, err := NewWildcard("many", "*b?a*", false)
		if err != nil {
			t.Fatal(err)
		}
		re := regexp.MustCompile("^.*b.a.*$")
		expectDocs(t, s, w, docs, func(d fakeDoc) bool { return hasWord(d, "many", re.MatchString) })
		x, err := NewRegExp("many", "a(b|a)*[xé]", automaton.All, 0)
		if err != nil {
			t.Fatal(err)
		}
		re2 := regexp.MustCompile("^a(b|a)*[xé]$")
		expectDocs(t, s, x, docs, func(d fakeDoc) bool { return hasWord(d, "many", re2.MatchString) })
		expectDocs(t, s, NewTermRange("many", []byte("aa"), []byte("ab"), r.Intn(2) == 0, false), docs, func(d fakeDoc) bool {
			return hasWord(d, "many", func(w string) bool { return w > "aa" && w < "ab" })
		})
		terms := [][]byte{[]byte("t"), []byte("a"), []byte("c"), []byte("c"), []byte("nowhere")}
		in := func(d fakeDoc) bool {
			return hasWord(d, "tag", func(w string) bool { return w == "t" || w == "a" || w == "c" })
		}
		expectDocs(t, s, &Terms{"tag", terms}, docs, in)
		expectDocs(t, s, &StringSet{"tag", terms}, docs, in)
		expectDocs(t, s, &IndexOrDocValues{&Terms{"tag", terms}, &StringSet{"tag", terms}}, docs, in)
		for _, m := range []RewriteMethod{RewriteConstantScore, RewriteConstantScoreBoolean, RewriteScoringBoolean} {
			q := NewPrefix("many", "a", false)
			q.Method = m
			expectDocs(t, s, q, docs, func(d fakeDoc) bool { return hasWord(d, "many", func(w string) bool { return w[0] == 'a' }) })
		}
		q := NewPrefix("many", "a", false)
		q.Method = RewriteScoringBoolean
		small := NewSearcher(s.Leaves(), Options{MaxClauses: 1})
		if _, err := small.Count(context.Background(), q); !errors.Is(err, ErrTooManyClauses) {
			t.Errorf("a prefix of many terms within one clause: %v", err)
		}
	}
}

func TestFuzzy(t *testing.T) {
	r := newRand(t)
	for range 10 {
		s, docs := randIndex(r, 100)
		term := docs[r.Intn(len(docs))].text["many"][0]
		q := &Fuzzy{Field: "many", Term: term, Edits: 1 + r.Intn(2), Transpositions: true, MaxExpansions: 1000}
		d, err := automaton.Levenshtein(term, q.Edits, 0, true)
		if err != nil {
			t.Fatal(err)
		}
		expectDocs(t, s, q, docs, func(x fakeDoc) bool { return hasWord(x, "many", func(w string) bool { return d.Match([]byte(w)) }) })
		// the nearest terms only
		q.MaxExpansions = 1
		expectDocs(t, s, q, docs, func(x fakeDoc) bool { return hasWord(x, "many", func(w string) bool { return w == term }) })
	}
}

func TestNumbers(t *testing.T) {
	r := newRand(t)
	for range 15 {
		s, docs := randIndex(r, 20+r.Intn(300))
		has := func(ok func(v int64) bool) func(fakeDoc) bool {
			return func(d fakeDoc) bool { return slices.ContainsFunc(d.num["n"], ok) }
		}
		lo := int64(r.Intn(60) - 30)
		hi := lo + int64(r.Intn(30))
		within := has(func(v int64) bool { return v >= lo && v <= hi })
		expectDocs(t, s, NewLongRange("n", lo, hi), docs, within)
		expectDocs(t, s, &NumericRange{"n", lo, hi}, docs, within)
		expectDocs(t, s, &IndexOrDocValues{NewLongRange("n", lo, hi), &NumericRange{"n", lo, hi}}, docs, within)
		set := has(func(v int64) bool { return v == lo || v == hi })
		expectDocs(t, s, &PointSet{"n", 1, [][]byte{sortableLong(hi), sortableLong(lo)}}, docs, set)
		expectDocs(t, s, &NumericSet{"n", []int64{lo, hi}}, docs, set)
		expectDocs(t, s, &Exists{"n"}, docs, has(func(int64) bool { return true }))
		expectDocs(t, s, &Exists{"body"}, docs, func(d fakeDoc) bool { return d.text["body"] != nil })
		expectDocs(t, s, &Exists{"tag"}, docs, func(d fakeDoc) bool { return d.keyword["tag"] != nil })
	}
	s, _ := randIndex(r, 50)
	if _, err := s.Count(context.Background(), NewIntRange("n", 1, 2)); err == nil {
		t.Error("a range of the wrong width is no error")
	}
}

func TestStringRange(t *testing.T) {
	r := newRand(t)
	for range 30 {
		s, docs := randIndex(r, 100)
		bound := func() []byte {
			if r.Intn(4) == 0 {
				return nil
			}
			return []byte(words[r.Intn(len(words))] + "x"[:r.Intn(2)])
		}
		lo, hi := bound(), bound()
		il, iu := r.Intn(2) == 0, r.Intn(2) == 0
		expectDocs(t, s, &StringRange{"tag", lo, hi, il, iu}, docs, func(d fakeDoc) bool {
			return hasWord(d, "tag", func(w string) bool {
				a, b := bytes.Compare([]byte(w), lo), bytes.Compare([]byte(w), hi)
				return (lo == nil || a > 0 || il && a == 0) && (hi == nil || b < 0 || iu && b == 0)
			})
		})
	}
}

func TestGeo(t *testing.T) {
	r := newRand(t)
	for range 40 {
		s, docs := randIndex(r, 200)
		lat, lon := r.Float64()*180-90, r.Float64()*360-180
		d := GeoDistance{lat, lon, math.Pow(10, 4+3.3*r.Float64())}
		within := func(x fakeDoc) bool {
			return slices.ContainsFunc(x.geo["loc"], func(p [2]int32) bool {
				return Distance(lat, lon, DecodeLat(p[0]), DecodeLon(p[1])) <= d.Metres
			})
		}
		expectDocs(t, s, &Geo{Field: "loc", Shape: d}, docs, within)
		expectDocs(t, s, NewGeoQuery("loc", d), docs, within)
		b := GeoBox{Top: lat, Bottom: lat - r.Float64()*90, Left: lon, Right: r.Float64()*360 - 180}
		expectDocs(t, s, NewGeoQuery("loc", b), docs, func(x fakeDoc) bool {
			return slices.ContainsFunc(x.geo["loc"], func(p [2]int32) bool {
				la, lo := DecodeLat(p[0]), DecodeLon(p[1])
				in := lo >= b.Left && lo <= b.Right
				if b.Left > b.Right {
					in = lo >= b.Left || lo <= b.Right
				}
				return la <= b.Top && la >= b.Bottom && in
			})
		})
		// A cell that is said to lie within (without) has only points within (without).
		for range 200 {
			la, lo := r.Float64()*170-90, r.Float64()*340-180
			h, w := r.Float64()*(90-la), r.Float64()*(180-lo)
			if r.Intn(2) == 0 {
				h, w = h/50, w/50
			}
			for _, shape := range []GeoShape{d, b} {
				rel := shape.box(EncodeLat(la), EncodeLat(la+h), EncodeLon(lo), EncodeLon(lo+w))
				for range 20 {
					in := shape.has(EncodeLat(la+h*r.Float64()), EncodeLon(lo+w*r.Float64()))
					if rel == lucene.CellInside && !in || rel == lucene.CellOutside && in {
						t.Fatalf("%s relates to %v,%v + %v,%v as %d", shape, la, lo, h, w, rel)
					}
				}
			}
		}
	}
}

func TestBlockJoin(t *testing.T) {
	r := newRand(t)
	for range 60 {
		// blocks of children, then their parent
		var docs []fakeDoc
		type block struct{ first, parent int }
		var blocks []block
		var sizes []int
		for range 1 + r.Intn(3) {
			start := len(docs)
			for range 1 + r.Intn(20) {
				b := block{first: len(docs)}
				docs = append(docs, randDocs(r, r.Intn(4))...)
				for i := b.first; i < len(docs); i++ {
					docs[i].keyword["kind"] = []string{"child"}
				}
				b.parent = len(docs)
				docs = append(docs, fakeDoc{keyword: map[string][]string{"kind": {"parent"}}})
				blocks = append(blocks, b)
			}
			sizes = append(sizes, len(docs)-start)
		}
		s := NewSearcher(fakeIndex(docs, sizes, nil), Options{Workers: 1 + r.Intn(2)})
		m := &model{s: s, docs: docs, t: t}
		child := &Boolean{Clauses: []Clause{{randQuery(r, 1), Must}, {NewTerm("kind", "child"), Filter}}}
		f := m.compile(child, 1)
		for _, mode := range []JoinMode{JoinAvg, JoinSum, JoinMin, JoinMax, JoinNone} {
			var want []Hit
			for _, b := range blocks {
				var scores []float64
				for i := b.first; i < b.parent; i++ {
					if v, ok := f(i); ok {
						scores = append(scores, float64(v))
					}
				}
				if scores == nil {
					continue
				}
				var sum float64
				for _, v := range scores {
					sum += v
				}
				v := map[JoinMode]float64{JoinSum: sum, JoinAvg: sum / float64(len(scores)), JoinMin: slices.Min(scores), JoinMax: slices.Max(scores)}[mode]
				want = append(want, Hit{Doc: int32(b.parent), Score: float32(v)})
			}
			checkSearchOnly(t, s, &ToParent{Child: child, Parents: NewParentFilter(NewTerm("kind", "parent")), Mode: mode}, want)
		}
	}
}

// checkSearchOnly compares hits and scores by document.
func checkSearchOnly(t *testing.T, s *Searcher, q Query, want []Hit) {
	t.Helper()
	for _, threshold := range []int64{CountAll, 0} {
		top, err := Run(context.Background(), s, q, ByScore{K: len(want) + 1, Threshold: threshold}.Top())
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		score := map[int32]float32{}
		for _, h := range want {
			score[h.Doc] = h.Score
		}
		if len(top.Hits) != len(want) {
			t.Fatalf("%s has %d hits, not %d", q, len(top.Hits), len(want))
		}
		for _, h := range top.Hits {
			if w, ok := score[h.Doc]; !ok || !near(w, h.Score) {
				t.Fatalf("%s: document %d scores %v, not %v", q, h.Doc, h.Score, w)
			}
		}
	}
}

func TestFunctionScore(t *testing.T) {
	r := newRand(t)
	s, docs := randIndex(r, 200)
	m := &model{s: s, docs: docs, t: t}
	base := NewTerm("body", "a")
	f := m.compile(base, 1)
	missing := 1.0
	least := func(d fakeDoc) float64 {
		if len(d.num["n"]) == 0 {
			return missing
		}
		return float64(slices.Min(d.num["n"]))
	}
	col := Column{Field: "n"}
	for _, c := range []struct {
		q    *FunctionScore
		want func(d fakeDoc, s float64) float64
	}{
		{&FunctionScore{Query: base, Functions: []WeightedFunction{{Weight: 3}}}, func(_ fakeDoc, s float64) float64 { return 3 * s }},
		{&FunctionScore{Query: base, BoostMode: Sum, Functions: []WeightedFunction{{Weight: 1, Function: &FieldFactor{Source: col, Factor: 2, Modifier: "square", Missing: &missing}}}},
			func(d fakeDoc, s float64) float64 { return s + 4*least(d)*least(d) }},
		{&FunctionScore{Query: base, BoostMode: Replace, ScoreMode: Avg, Functions: []WeightedFunction{{Weight: 2}, {Weight: 6, Filter: NewTerm("tag", "a")}}},
			func(d fakeDoc, s float64) float64 {
				if slices.Contains(d.keyword["tag"], "a") {
					return (2 + 6) / (2 + 6.0)
				}
				return 1
			}},
		{&FunctionScore{Query: base, ScoreMode: First, Functions: []WeightedFunction{{Weight: 2, Filter: NewTerm("tag", "b")}, {Weight: 5}}},
			func(d fakeDoc, s float64) float64 {
				if slices.Contains(d.keyword["tag"], "b") {
					return 2 * s
				}
				return 5 * s
			}},
		{&FunctionScore{Query: base, Functions: []WeightedFunction{{Weight: 1, Function: &Decay{Distances: col, Shape: "linear", Scale: 50, Decay: 0.5}}}},
			func(d fakeDoc, s float64) float64 {
				if len(d.num["n"]) == 0 {
					return s
				}
				return s * (100 - math.Abs(least(d))) / 100
			}},
	} {
		var want []Hit
		for i, d := range docs {
			if sc, ok := f(i); ok {
				want = append(want, Hit{Doc: int32(i), Score: float32(c.want(d, float64(sc)))})
			}
		}
		checkSearchOnly(t, s, c.q, want)
		min := float32(2)
		limited := *c.q
		limited.MinScore = &min
		want = slices.DeleteFunc(want, func(h Hit) bool { return h.Score < min })
		checkSearchOnly(t, s, &limited, want)
	}
	var want []Hit
	for i, d := range docs {
		if sc, ok := f(i); ok {
			if slices.Contains(d.text["body"], "c") {
				sc /= 2
			}
			want = append(want, Hit{Doc: int32(i), Score: sc * 3})
		}
	}
	checkSearchOnly(t, s, &Boost{&Demote{base, NewTerm("body", "c"), 0.5}, 3}, want)
	bad := &FunctionScore{Query: base, Functions: []WeightedFunction{{Weight: 1, Function: &FieldFactor{Source: Column{Field: "none"}, Factor: 1}}}}
	if _, err := Run(context.Background(), s, bad, ByScore{K: 1}.Top()); err == nil {
		t.Error("a missing value is no error")
	}
}

func TestMultiPhraseAndSynonym(t *testing.T) {
	r := newRand(t)
	for range 20 {
		s, docs := randIndex(r, 150)
		q := &Phrase{Field: "body", Terms: [][][]byte{{[]byte("a"), []byte("c")}, {[]byte("b"), []byte("d"), []byte("nowhere")}}}
		expectDocs(t, s, q, docs, func(d fakeDoc) bool {
			ws := d.text["body"]
			for i := range ws {
				if i+1 < len(ws) && (ws[i] == "a" || ws[i] == "c") && (ws[i+1] == "b" || ws[i+1] == "d") {
					return true
				}
			}
			return false
		})
		gap := &Phrase{Field: "body", Terms: NewPhrase("", "a", "b").Terms, Positions: []int32{3, 5}}
		expectDocs(t, s, gap, docs, func(d fakeDoc) bool {
			ws := d.text["body"]
			for i := range ws {
				if i+2 < len(ws) && ws[i] == "a" && ws[i+2] == "b" {
					return true
				}
			}
			return false
		})
		syn := &Synonym{"body", []SynonymTerm{{[]byte("q"), 1}, {[]byte("r"), 1}}}
		expectDocs(t, s, syn, docs, func(d fakeDoc) bool {
			return hasWord(d, "body", func(w string) bool { return w == "q" || w == "r" })
		})
	}
	s, _ := randIndex(r, 50)
	if _, err := s.Count(context.Background(), NewPhrase("tag", "a", "b")); err == nil {
		t.Error("a phrase on a field without positions is no error")
	}
}

// TestSloppyPhrase checks slop against the least number of moves, for two different terms, where Lucene's
// definition is exact.
func TestSloppyPhrase(t *testing.T) {
	r := newRand(t)
	for range 20 {
		s, docs := randIndex(r, 100)
		slop := int32(r.Intn(5))
		q := &Phrase{Field: "body", Terms: NewPhrase("", "e", "g").Terms, Slop: slop}
		expectDocs(t, s, q, docs, func(d fakeDoc) bool {
			ws := d.text["body"]
			for i, a := range ws {
				for j, b := range ws {
					if a == "e" && b == "g" && int32(max(i-(j-1), j-1-i)) <= slop {
						return true
					}
				}
			}
			return false
		})
		// a repeated term needs two occurrences
		twice := &Phrase{Field: "body", Terms: NewPhrase("", "h", "h").Terms, Slop: 50}
		expectDocs(t, s, twice, docs, func(d fakeDoc) bool {
			n := 0
			for _, w := range d.text["body"] {
				if w == "h" {
					n++
				}
			}
			return n >= 2
		})
	}
}

func TestPostFilterStyleMinScore(t *testing.T) {
	r := newRand(t)
	s, docs := randIndex(r, 300)
	m := &model{s: s, docs: docs, t: t}
	q := NewDisjunction(NewTerm("body", "a"), NewTerm("body", "f"), NewTerm("title", "b"))
	f := m.compile(q, 1)
	full, err := Run(context.Background(), s, q, ByScore{K: 1000, Threshold: CountAll}.Top())
	if err != nil {
		t.Fatal(err)
	}
	min := full.Hits[len(full.Hits)/2].Score
	n := 0
	for i := range docs {
		if v, ok := f(i); ok && v >= min {
			n++
		}
	}
	for _, th := range []int64{CountAll, 1} {
		top, err := Run(context.Background(), s, q, ByScore{K: 5, Threshold: th, MinScore: min}.Top())
		if err != nil {
			t.Fatal(err)
		}
		if th == CountAll && top.Total.Value != int64(n) {
			t.Errorf("%d hits of at least %v, not %d", top.Total.Value, min, n)
		}
		if !slices.EqualFunc(top.Hits, full.Hits[:5], func(a, b Hit) bool { return a.Doc == b.Doc }) {
			t.Error(top.Hits)
		}
	}
}

func TestCache(t *testing.T) {
	r := newRand(t)
	docs := randDocs(r, 400)
	c := NewLRUCache(1 << 20)
	c.MinDocs, c.MinUses = 10, 2
	s := NewSearcher(fakeIndex(docs, []int{400}, nil), Options{Cache: c})
	q := &Boolean{Clauses: []Clause{{NewTerm("body", "a"), Must}, {NewLongRange("n", 0, 10), Filter}}}
	first := matching(t, s, q)
	for range 5 {
		if got := matching(t, s, q); !slices.Equal(got, first) {
			t.Fatal("a cached filter matches otherwise")
		}
	}
	if st := c.Stats(); st.Hits == 0 || st.Entries < 1 || st.Bytes <= 0 {
		t.Errorf("%+v", st)
	}
	small := NewLRUCache(100)
	small.MinDocs, small.MinUses = 0, 1
	s = NewSearcher(s.Leaves(), Options{Cache: small})
	matching(t, s, q)
	if st := small.Stats(); st.Bytes > 100 {
		t.Errorf("%+v is over its limit", st)
	}
	c.Clear()
	if st := c.Stats(); st.Entries != 0 || st.Bytes != 0 {
		t.Errorf("%+v", st)
	}
}

// TestExtremes sorts by a number that is indexed as a point, in segments so large that the tree is asked first.
func TestExtremes(t *testing.T) {
	r := newRand(t)
	n := 2*minExtremes + 5000
	docs := make([]fakeDoc, n)
	for i := range docs {
		docs[i].num = map[string][]int64{}
		if r.Intn(50) > 0 {
			for range 1 + r.Intn(2) {
				docs[i].num["n"] = append(docs[i].num["n"], int64(i/3+r.Intn(3000)))
			}
		}
		docs[i].keyword = map[string][]string{"tag": {words[r.Intn(3)]}}
	}
	s := NewSearcher(fakeIndex(docs, []int{minExtremes + 1000, minExtremes + 3000, 1000}, func(i int) bool { return i%7 == 0 }), Options{Workers: 1})
	for range 3 {
		by := []SortField{{Type: SortNumber, Field: "n", Mode: []Mode{ModeMin, ModeMax}[r.Intn(2)], Reverse: r.Intn(2) == 0, Missing: Missing(r.Intn(2))}}
		for _, q := range []Query{MatchAll{}, NewTerm("tag", "a"), NewDisjunction(NewTerm("tag", "a"), NewTerm("tag", "b")), NewTerm("tag", "none")} {
			full, err := Run(context.Background(), s, q, ByFields{K: n, Sort: by, Threshold: CountAll}.Top())
			if err != nil {
				t.Fatal(err)
			}
			for _, th := range []int64{CountAll, 100} {
				top, err := Run(context.Background(), s, q, ByFields{K: 20, Sort: by, Threshold: th}.Top())
				if err != nil {
					t.Fatal(err)
				}
				want := full.Hits[:min(20, len(full.Hits))]
				if !slices.EqualFunc(top.Hits, want, func(a, b Hit) bool { return a.Doc == b.Doc }) {
					t.Fatalf("%s by %+v: %v, not %v", q, by, top.Hits, want)
				}
				if top.Total.Relation == EqualTo && top.Total.Value != full.Total.Value || top.Total.Value > full.Total.Value || top.Total.Relation == AtLeast && top.Total.Value <= th {
					t.Fatalf("%s by %+v: %+v, not %+v", q, by, top.Total, full.Total)
				}
			}
		}
	}
}
