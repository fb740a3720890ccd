package search

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/segmenttest"
	"github.com/varve-search/varve/internal/uid"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/automaton"
	"github.com/varve-search/varve/lucene/codec/livedocs"
	"github.com/varve-search/varve/lucene/codec/norms"
	"github.com/varve-search/varve/lucene/codec/perfield"
	"github.com/varve-search/varve/lucene/codec/perfielddv"
	"github.com/varve-search/varve/lucene/codec/points"
	"github.com/varve-search/varve/lucene/store"
)

// diskReader reads a segment of a fixture by its codecs.
type diskReader struct {
	seg   *segmenttest.Segment
	live  *lucene.FixedBits
	num   int32
	terms perfield.FieldsProducer
	dv    *perfielddv.Producer
	nrm   *norms.Producer
	pts   *points.Producer
}

func openDisk(t testing.TB, seg *segmenttest.Segment) *diskReader {
	t.Helper()
	r := &diskReader{seg: seg}
	st := seg.State(store.Random)
	var err error
	check := func() {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	if seg.Fields.HasPostings() {
		r.terms, err = perfield.NewFieldsProducer(st)
		check()
	}
	if seg.Fields.HasNorms() {
		r.nrm, err = norms.NewProducer(st)
		check()
	}
	if seg.Fields.HasDocValues() {
		r.dv, err = perfielddv.NewSegmentProducer(st, seg.Outer)
		check()
	}
	if seg.Fields.HasPoints() {
		r.pts, err = points.NewProducer(st)
		check()
	}
	r.num = seg.Commit.Info.MaxDoc
	if seg.Commit.HasDeletions() {
		r.live, err = livedocs.Read(seg.Outer, seg.Commit)
		check()
	}
	if soft := seg.Fields.SoftDeletesField(); soft != "" && seg.Commit.SoftDelCount > 0 {
		if r.live == nil {
			r.live = lucene.NewFixedBits(r.num)
			for i := range r.num {
				r.live.Set(i)
			}
		}
		dv, err := r.dv.Numeric(seg.Fields.ByName(soft))
		if err != nil {
			t.Fatal(err)
		}
		for dv != nil {
			d, err := dv.Next()
			if err != nil {
				t.Fatal(err)
			}
			if d == lucene.NoMoreDocs {
				break
			}
			r.live.Clear(d)
		}
	}
	if r.live != nil {
		r.num = int32(cardinality(r.live))
	}
	return r
}

func (r *diskReader) MaxDoc() int32                       { return r.seg.Commit.Info.MaxDoc }
func (r *diskReader) NumDocs() int32                      { return r.num }
func (r *diskReader) FieldInfos() *lucene.FieldInfos      { return r.seg.Fields }
func (r *diskReader) Segment() *lucene.SegmentCommitInfo  { return r.seg.Commit }
func (r *diskReader) DocValues() lucene.DocValuesProducer { return r.dv }
func (r *diskReader) StoredFields() lucene.StoredFields   { return nil }
func (r *diskReader) TermVectors() lucene.TermVectors     { return nil }
func (r *diskReader) Unsupported(string) error            { return nil }
func (r *diskReader) LiveDocs() lucene.Bits {
	if r.live == nil {
		return nil
	}
	return r.live
}
func (r *diskReader) Terms(f string) (lucene.Terms, error) {
	if r.terms == nil {
		return nil, nil
	}
	return r.terms.Terms(f)
}
func (r *diskReader) Norms(f string) (lucene.NumericDocValues, error) {
	fi := r.seg.Fields.ByName(f)
	if r.nrm == nil || fi == nil || !fi.HasNorms() {
		return nil, nil
	}
	return r.nrm.Norms(fi)
}
func (r *diskReader) Points(f string) (lucene.PointValues, error) {
	if r.pts == nil {
		return nil, nil
	}
	return r.pts.Points(f)
}

// openShard returns a searcher over a shard of a fixture.
func openShard(t testing.TB, folder string) *Searcher {
	t.Helper()
	var leaves []lucene.LeafContext
	base := int32(0)
	for _, seg := range segmenttest.Open(t, folder) {
		r := openDisk(t, seg)
		leaves = append(leaves, lucene.LeafContext{Reader: r, Ord: len(leaves), DocBase: base})
		base += r.MaxDoc()
	}
	return NewSearcher(leaves, Options{})
}

type expected struct {
	Snapshots []struct {
		Name    string
		Indices map[string]struct {
			Count    int64
			Searches []struct {
				Name    string
				Request struct {
					Size int
				}
				Response struct {
					Total int64
					Hits  []struct {
						ID    string   `json:"_id"`
						Score *float64 `json:"_score"`
						Sort  []any
					}
				}
			}
		}
	}
}

func match(field, text string) Query {
	ws := strings.Fields(text)
	var qs []Query
	for _, w := range ws {
		qs = append(qs, NewTerm(field, w))
	}
	if len(qs) == 1 {
		return qs[0]
	}
	return NewDisjunction(qs...)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func doubleBytes(v float64) []byte { return sortableLong(SortableDouble(v)) }

func ipBytes(s string) []byte {
	b := netip.MustParseAddr(s).As16()
	return b[:]
}

func millis(s string) int64 { return must(time.Parse(time.RFC3339, s)).UnixMilli() }

// parents matches the documents that are not nested.
var parents = NewParentFilter(&Exists{"_primary_term"})

// fixtureSearch is a search of the fixtures, as OpenSearch's mappers translate it.
type fixtureSearch struct {
	q    Query
	sort []SortField // nil: by score, then by tie
	tie  string
	// after is the hit to search after.
	after []any
}

func scoreThen(q Query, tie string) fixtureSearch { return fixtureSearch{q: q, tie: tie} }

func fixtureSearches() map[string]fixtureSearch {
	long := func(f string, reverse bool) SortField { return SortField{Type: SortNumber, Field: f, Reverse: reverse} }
	roots := func(q Query) Query {
		return &Boolean{Clauses: []Clause{{q, Must}, {&Exists{"_primary_term"}, Filter}}}
	}
	either := func(field string, lo, hi int64) Query {
		return &IndexOrDocValues{NewLongRange(field, lo, hi), &NumericRange{field, lo, hi}}
	}
	ints := func(field string, lo, hi int64) Query {
		return &IndexOrDocValues{NewIntRange(field, int32(lo), int32(hi)), &NumericRange{field, lo, hi}}
	}
	var ids [][]byte
	for _, id := range []string{"100000", "log-00001", "ev3wcEkRjefk9sggOgCJ", "ünï 3/3", "ünï 7/0"} {
		ids = append(ids, uid.Encode(nil, id))
	}
	all := map[string]fixtureSearch{
		"accounts/by_hidden":     scoreThen(match("private.note", "the"), "score"),
		"accounts/pw":            {q: NewPrefix("password", "pw1", false), sort: []SortField{{Type: SortString, Field: "user"}}},
		"cfs-off/match":          scoreThen(match("t", "cluster the"), "v"),
		"cfs-on/match":           scoreThen(match("t", "cluster the"), "v"),
		"segrep/match":           scoreThen(match("t", "cluster the"), "v"),
		"empty/all":              {q: MatchAll{}, sort: []SortField{{Type: SortScore}}},
		"products/folded":        scoreThen(match("name", "cafe strassenlamp"), "price"),
		"products/copy_to":       scoreThen(match("all", "snapshot"), "price"),
		"products/stem_phrase":   scoreThen(NewPhrase("name", "desk", "lamp"), "price"),
		"products/synonym_match": scoreThen(&Synonym{"name", []SynonymTerm{{[]byte("laptop"), 1}, {[]byte("notebook"), 1}}}, "price"),
		"sorted-days/natural":    {q: MatchAll{}, sort: []SortField{{Type: SortDoc}}},
		"sorted-days/top":        {q: match("txt", "cluster"), sort: []SortField{long("day", true), {Type: SortString, Field: "kind"}, long("n", false)}},
	}
	logs := map[string]fixtureSearch{
		"match_all_sorted": {q: roots(MatchAll{}), sort: []SortField{long("seq", true)}},
		"match_and":        scoreThen(&Boolean{Clauses: []Clause{{NewTerm("message", "server"), Must}, {NewTerm("message", "the"), Must}, {NewTerm("message", "disk"), Must}}}, "seq"),
		"match_english":    scoreThen(match("title", "organ run fox"), "seq"),
		"match_phrase":     scoreThen(&Phrase{Field: "body", Terms: [][][]byte{{[]byte("the")}, {[]byte("collector")}}, Slop: 2}, "seq"),
		"match_unicode":    scoreThen(match("phrase", "köln 東 京 café 🚀"), "seq"),
		"term_keyword":     scoreThen(NewTerm("level", "ERROR"), "seq"),
		"field_alias":      scoreThen(NewTerm("level", "FATAL"), "seq"),
		"terms_tags": scoreThen(&IndexOrDocValues{&Terms{"tags", [][]byte{[]byte("red"), []byte("übung")}},
			&StringSet{"tags", [][]byte{[]byte("red"), []byte("übung")}}}, "seq"),
		"bool": scoreThen(&Boolean{Clauses: []Clause{{match("message", "timeout"), Must}, {ints("status", 300, math.MaxInt16), Filter},
			{NewTerm("host", "node-03"), Should}, {match("title", "index"), Should}, {NewTerm("ok", "F"), MustNot}}}, "seq"),
		"range_date": scoreThen(either("@timestamp", millis("2024-05-04T00:00:00Z"), millis("2024-05-06T12:00:00Z")-1), "seq"),
		"range_double": scoreThen(&IndexOrDocValues{
			&PointRange{Field: "latency_ms", Dims: 1, Lower: doubleBytes(math.Nextafter(12.5, 13)), Upper: doubleBytes(40)},
			&NumericRange{"latency_ms", SortableDouble(math.Nextafter(12.5, 13)), SortableDouble(40)}}, "seq"),
		"ip_cidr": scoreThen(&IndexOrDocValues{&PointRange{Field: "client_ip", Dims: 1, Lower: ipBytes("10.2.0.0"), Upper: ipBytes("10.2.255.255")},
			&StringRange{"client_ip", ipBytes("10.2.0.0"), ipBytes("10.2.255.255"), true, true}}, "seq"),
		"ip_v6": scoreThen(&IndexOrDocValues{&PointRange{Field: "client_ip", Dims: 1, Lower: ipBytes("2001:db8::1"), Upper: ipBytes("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")},
			&StringRange{"client_ip", ipBytes("2001:db8::1"), nil, true, true}}, "seq"),
		"geo_distance": scoreThen(NewGeoQuery("location", GeoDistance{50, 10, 700000}), "seq"),
		"geo_box":      scoreThen(NewGeoQuery("location", GeoBox{55, 2, 45, 15}), "seq"),
		"nested": scoreThen(&ToParent{Child: &Boolean{Clauses: []Clause{{&Boolean{Clauses: []Clause{{NewTerm("spans.name", "db"), Must},
			{ints("spans.ms", 601, math.MaxInt32), Must}}}, Must}, {NewTerm("_nested_path", "spans"), Filter}}}, Parents: parents, Mode: JoinMax}, "seq"),
		"prefix":   scoreThen(NewPrefix("host", "node-1", false), "seq"),
		"wildcard": scoreThen(must(NewWildcard("title.raw", "*ser*ver*", false)), "seq"),
		"regexp":   scoreThen(must(NewRegExp("host", "node-0[2-4]", automaton.All, 0)), "seq"),
		"fuzzy":    scoreThen(&Fuzzy{Field: "message", Term: "conection", Edits: 2, Transpositions: true}, "seq"),
		"query_string": scoreThen(&Boolean{Clauses: []Clause{{&Boolean{Clauses: []Clause{{NewTerm("message", "timeout"), Must},
			{match("message", "retrying query"), Must}}}, Must}, {NewTerm("level", "INFO"), MustNot}}}, "seq"),
		"multi_match":  scoreThen(&DisMax{Queries: []Query{match("message", "cluster snapshot"), &Boost{match("title", "cluster snapshot"), 2}}}, "seq"),
		"exists":       scoreThen(&Exists{"load"}, "seq"),
		"ids":          scoreThen(&Boolean{Clauses: []Clause{{&Terms{"_id", ids}, Must}, {&Exists{"_primary_term"}, Filter}}}, "seq"),
		"match":        scoreThen(match("message", "quickly database"), "seq"),
		"updated":      scoreThen(either("rev", 2, 2), "seq"),
		"search_after": {q: roots(MatchAll{}), sort: []SortField{long("status", false), long("seq", true)}, after: []any{int64(301), int64(900)}},
		"sort_missing": {q: roots(MatchAll{}), sort: []SortField{{Type: SortNumber, Kind: KindDouble, Field: "cost", Missing: MissingFirst}, long("seq", false)}},
	}
	for k, v := range logs {
		all["logs-2024.05/"+k] = v
	}
	all["products/price_sort"] = fixtureSearch{q: &IndexOrDocValues{
		&PointRange{Field: "price", Dims: 1, Lower: doubleBytes(math.Inf(-1)), Upper: doubleBytes(math.Nextafter(50, 0))},
		&NumericRange{"price", SortableDouble(math.Inf(-1)), SortableDouble(math.Nextafter(50, 0))}},
		sort: []SortField{{Type: SortNumber, Kind: KindDouble, Field: "price", Reverse: true}, {Type: SortString, Field: "name.kw"}}}
	return all
}

// render prints a sort value as the fixtures have it.
func render(v any) string {
	switch x := v.(type) {
	case []byte:
		return string(x)
	case float64:
		switch {
		case math.IsInf(x, -1):
			return "-Infinity"
		case x == math.Trunc(x):
			return fmt.Sprint(int64(x))
		case float64(float32(x)) == x:
			// The fixtures rounded the shortest decimal form of the float.
			x, _ = strconv.ParseFloat(strconv.FormatFloat(x, 'g', -1, 32), 64)
		}
		return fmt.Sprintf("%.5f", x)
	case json.Number:
		f, _ := x.Float64()
		if f == math.Trunc(f) && math.Abs(f) < 1e15 {
			return fmt.Sprint(int64(f))
		}
		if f == math.Trunc(f) {
			return x.String()
		}
		return fmt.Sprintf("%.5f", f)
	}
	return fmt.Sprint(v)
}

// TestFixtures runs the fixtures' searches, shard by shard, and compares with what real nodes answered.
func TestFixtures(t *testing.T) {
	searches := fixtureSearches()
	for _, fixture := range []string{"opensearch-2.19/main", "opensearch-2.11/main"} {
		var exp expected
		oracletest.FixtureExpected(t, fixture, &exp)
		ran, skipped := 0, map[string]bool{}
		for _, snap := range exp.Snapshots {
			shards := map[string][]*Searcher{}
			for _, folder := range segmenttest.Shards(t, fixture, snap.Name, "") {
				index := filepath.Base(filepath.Dir(folder))
				shards[index] = append(shards[index], openShard(t, folder))
			}
			for index, x := range snap.Indices {
				var n int64
				for _, s := range shards[index] {
					c, err := s.Count(context.Background(), &Exists{"_primary_term"})
					if err != nil {
						t.Fatal(err)
					}
					n += c
				}
				if n != x.Count {
					t.Errorf("%s %s %s counts %d, not %d", fixture, snap.Name, index, n, x.Count)
				}
				for _, search := range x.Searches {
					name := index + "/" + search.Name
					f, ok := searches[name]
					if !ok {
						skipped[name] = true
						continue
					}
					ran++
					where := fmt.Sprint(fixture, " ", snap.Name, " ", name)
					size := search.Request.Size
					if size == 0 {
						size = 10
					}
					total, lines := runFixture(t, where, shards[index], f, size)
					if total != search.Response.Total {
						t.Errorf("%s: %d hits, not %d", where, total, search.Response.Total)
					}
					var want []string
					for _, h := range search.Response.Hits {
						var vals []string
						if h.Sort == nil && h.Score != nil {
							h.Sort = []any{*h.Score}
						}
						for _, v := range h.Sort {
							vals = append(vals, render(v))
						}
						want = append(want, strings.Join(vals, " "))
					}
					if f.sort == nil || f.sort[0].Type != SortDoc {
						if !slices.Equal(lines, want) {
							t.Errorf("%s:\n got %q\nwant %q", where, lines, want)
						}
					}
				}
			}
		}
		t.Logf("%s: %d searches ran; not translated: %v", fixture, ran, skipped)
		if ran < 50 {
			t.Errorf("%s: only %d searches ran", fixture, ran)
		}
	}
}

func runFixture(t *testing.T, where string, shards []*Searcher, f fixtureSearch, size int) (int64, []string) {
	by := f.sort
	if by == nil {
		by = []SortField{{Type: SortScore}, {Type: SortNumber, Field: f.tie}}
		switch f.tie {
		case "price":
			by[1].Kind = KindDouble
		case "score":
			by[1].Kind = KindFloat
		}
	}
	m := ByFields{K: size, Sort: by, Threshold: CountAll}
	if f.after != nil {
		m.After = &Hit{Doc: math.MaxInt32, Sort: f.after}
	}
	var hits []Hit
	var total int64
	for _, s := range shards {
		top, err := Run(context.Background(), s, f.q, m.Top())
		if err != nil {
			t.Fatalf("%s: %v", where, err)
		}
		total += top.Total.Value
		hits = append(hits, top.Hits...)
		// The pruned search for the best scores has to agree with the exhaustive one.
		if f.sort == nil {
			full, err := Run(context.Background(), s, f.q, ByScore{K: size, Threshold: CountAll}.Top())
			if err != nil {
				t.Fatal(err)
			}
			pruned, err := Run(context.Background(), s, f.q, ByScore{K: size, Threshold: 1}.Top())
			if err != nil {
				t.Fatal(err)
			}
			if !slices.EqualFunc(full.Hits, pruned.Hits, func(a, b Hit) bool { return a.Doc == b.Doc && a.Score == b.Score }) {
				t.Errorf("%s: pruned %v, exhaustive %v", where, pruned.Hits, full.Hits)
			}
		}
	}
	var crs []criterion
	for _, b := range by {
		crs = append(crs, must(newCriterion(b, 0, nil, false)))
	}
	slices.SortStableFunc(hits, func(a, b Hit) int {
		for i, c := range crs {
			key := func(v any) sortKey {
				if s, ok := c.(*stringCriterion); ok {
					_ = s
					x, _ := v.([]byte)
					return sortKey{b: x, missing: v == nil}
				}
				return sortKey{n: must(by[i].parse(v, 0))}
			}
			if o := c.compareKeys(key(a.Sort[i]), key(b.Sort[i])); o != 0 {
				return o
			}
		}
		return 0
	})
	hits = hits[:min(size, len(hits))]
	var lines []string
	for _, h := range hits {
		var vals []string
		for _, v := range h.Sort {
			vals = append(vals, render(v))
		}
		lines = append(lines, strings.Join(vals, " "))
	}
	return total, lines
}
