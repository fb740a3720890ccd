package coordinator

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/testseed"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene/search"
)

const spreadFields = `{"u":{"type":"keyword"},"l":{"type":"long"},"d":{"type":"double"},"k":{"type":"keyword"},"t":{"type":"date"},"b":{"type":"boolean"},"x":{"type":"text"}}`

// randomDocs makes documents in which fields are missing, or have several values, and many are equal. All of them have u, each its own.
func randomDocs(r *rand.Rand, n int) (ids []string, docs map[string]string) {
	docs = map[string]string{}
	for i := range n {
		id := fmt.Sprintf("%03d", i)
		o := xcontent.Obj("u", fmt.Sprintf("u%03d", r.IntN(1000)*1000+i))
		some := func(name string, value func() any) {
			switch r.IntN(8) {
			case 0, 1:
			case 2:
				o.Add(name, []any{value(), value(), value()})
			default:
				o.Add(name, value())
			}
		}
		some("l", func() any { return r.IntN(9) - 4 })
		some("d", func() any { return float64(r.IntN(13)-6) / 4 })
		some("k", func() any { return string(rune('a' + r.IntN(6))) })
		some("t", func() any { return 1700000000000 + r.IntN(5)*86400000 })
		some("b", func() any { return r.IntN(2) == 0 })
		words := make([]string, 1+r.IntN(6))
		for j := range words {
			words[j] = []string{"red", "green", "blue", "black"}[r.IntN(4)]
		}
		o.Add("x", strings.Join(words, " "))
		b, _ := json.Marshal(o)
		ids, docs[id] = append(ids, id), string(b)
	}
	return ids, docs
}

// randomSort is some criteria, and u last, so that no two hits are equal.
func randomSort(r *rand.Rand) string {
	var keys []string
	for range 1 + r.IntN(2) {
		f := []string{"l", "d", "k", "t", "b"}[r.IntN(5)]
		opts := []string{`"order":"` + []string{"asc", "desc"}[r.IntN(2)] + `"`}
		switch missing := []string{"", `"_first"`, `"_last"`, "custom"}[r.IntN(4)]; {
		case missing == "custom" && (f == "l" || f == "d"):
			opts = append(opts, fmt.Sprintf(`"missing":%d`, r.IntN(5)-2))
		case missing != "" && missing != "custom":
			opts = append(opts, `"missing":`+missing)
		}
		modes := []string{"min", "max"}
		if f == "l" || f == "d" {
			modes = append(modes, "sum", "avg", "median")
		}
		if r.IntN(2) == 0 {
			opts = append(opts, `"mode":"`+modes[r.IntN(len(modes))]+`"`)
		}
		keys = append(keys, `{"`+f+`":{`+strings.Join(opts, ",")+`}}`)
	}
	return `[` + strings.Join(append(keys, `{"u":"asc"}`), ",") + `]`
}

func randomQuery(r *rand.Rand) string {
	return []string{`{"match_all":{}}`, `{"range":{"l":{"gte":-1}}}`, `{"terms":{"k":["a","c","d"]}}`, `{"bool":{"must_not":{"exists":{"field":"d"}}}}`, `{"term":{"k":"none"}}`}[r.IntN(5)]
}

// shown is what a search answers, as text.
func shown(t *testing.T, res *SearchResult, scores bool) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "%+v\n", res.Total)
	for _, h := range res.Hits {
		sort, err := json.Marshal(get(h, "sort"))
		check(t, err)
		fmt.Fprintf(&b, "%v %s", get(h, "_id"), sort)
		if scores {
			fmt.Fprintf(&b, " %v", get(h, "_score"))
		}
		b.WriteByte('\n')
	}
	aggs, err := json.Marshal(res.Aggs)
	check(t, err)
	b.Write(aggs)
	return b.String()
}

// TestSpread asks one shard, and the same documents spread over several shards and indices: the answers are the same.
func TestSpread(t *testing.T) {
	r := rand.New(rand.NewPCG(uint64(testseed.Of(t)), 1))
	s := start(t)
	ids, docs := randomDocs(r, 120)
	s.create(t, "one", 1, spreadFields)
	s.create(t, "many", 5, spreadFields)
	s.create(t, "left", 3, spreadFields)
	s.create(t, "right", 1, spreadFields)
	s.create(t, "empty", 2, spreadFields)
	s.fill(t, "one", ids, docs)
	r.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	s.fill(t, "many", ids, docs)
	s.fill(t, "left", ids[:40], docs)
	s.fill(t, "right", ids[40:], docs)
	spreads := [][]string{{"many"}, {"left", "right"}, {"right", "left", "empty"}}
	for range 80 {
		track := []string{`true`, `true`, `false`, `7`, `200`}[r.IntN(5)]
		body := fmt.Sprintf(`"query":%s,"sort":%s,"track_total_hits":%s,"_source":false`, randomQuery(r), randomSort(r), track)
		if r.IntN(2) == 0 {
			body += `,"aggs":{"k":{"terms":{"field":"k","size":20,"order":{"_key":"asc"}},"aggs":{"s":{"stats":{"field":"l"}}}},"m":{"missing":{"field":"t"}},"h":{"histogram":{"field":"d","interval":0.5}}}`
		}
		if r.IntN(3) == 0 {
			body += `,"post_filter":` + randomQuery(r)
		}
		page := fmt.Sprintf(`{%s,"from":%d,"size":%d}`, body, r.IntN(30)*r.IntN(2), r.IntN(40))
		want, err := s.ask(t, page, "one")
		check(t, err)
		for _, indices := range spreads {
			got, err := s.ask(t, page, indices...)
			check(t, err)
			a, b := shown(t, want, false), shown(t, got, false)
			// How far a shard counts beyond the threshold is its own matter.
			if got.Total != nil && want.Total != nil && got.Total.Relation != want.Total.Relation && got.Total.Value != want.Total.Value {
				t.Errorf("%s of %v: total %+v, not %+v", page, indices, got.Total, want.Total)
			}
			if a != b {
				t.Fatalf("%s\nof %v:\n%s\nof one shard:\n%s", page, indices, b, a)
			}
		}
		// Pages after each other are the whole.
		whole, err := s.ask(t, fmt.Sprintf(`{%s,"size":200}`, body), "one")
		check(t, err)
		for _, indices := range spreads {
			var all []*xcontent.Object
			after, size := "", 7+r.IntN(30)
			for {
				res, err := s.ask(t, fmt.Sprintf(`{%s,"size":%d%s}`, body, size, after), indices...)
				check(t, err)
				all = append(all, res.Hits...)
				if len(res.Hits) < size {
					break
				}
				last, err := json.Marshal(get(res.Hits[size-1], "sort"))
				check(t, err)
				after = `,"search_after":` + string(last)
			}
			x, y := &SearchResult{Hits: all}, &SearchResult{Hits: whole.Hits}
			if a, b := shown(t, y, false), shown(t, x, false); a != b {
				t.Fatalf("{%s} page by page of %v:\n%s\nof one shard at once:\n%s", body, indices, b, a)
			}
		}
	}
}

// TestSpreadScores asks one shard and several with the statistics of all of them: the scores are the same, and in order.
func TestSpreadScores(t *testing.T) {
	r := rand.New(rand.NewPCG(uint64(testseed.Of(t)), 2))
	s := start(t)
	ids, docs := randomDocs(r, 150)
	s.create(t, "one", 1, spreadFields)
	s.create(t, "many", 4, spreadFields)
	s.fill(t, "one", ids, docs)
	s.fill(t, "many", ids, docs)
	for _, q := range []string{`{"match":{"x":"red"}}`, `{"match":{"x":"red blue"}}`, `{"bool":{"must":{"match":{"x":"green"}},"should":{"match":{"x":"black"}}}}`, `{"match_phrase":{"x":"red green"}}`, `{"match":{"x":"white"}}`} {
		for _, size := range []int{0, 3, 150} {
			v, err := xcontent.Decode(fmt.Appendf(nil, `{"query":%s,"size":%d,"_source":false,"track_total_hits":true}`, q, size))
			check(t, err)
			src, err := ParseSearchSource(v.(*xcontent.Object))
			check(t, err)
			var answers [2]string
			for i, index := range []string{"one", "many"} {
				res, err := s.Search(t.Context(), &SearchRequest{Indices: []string{index}, Source: src, DFS: true})
				check(t, err)
				scores := make([]float32, len(res.Hits))
				for j, h := range res.Hits {
					scores[j] = float32FromAny(get(h, "_score"))
				}
				if !slices.IsSortedFunc(scores, func(a, b float32) int { return -cmpFloat(a, b) }) {
					t.Errorf("%s of %s: the scores %v are not in order", q, index, scores)
				}
				answers[i] = fmt.Sprint(res.Total.Value, res.Total.Relation, res.MaxScore, scores)
			}
			if answers[0] != answers[1] {
				t.Errorf("%s, %d hits\nof one shard: %s\nof several:   %s", q, size, answers[0], answers[1])
			}
		}
	}
}

func float32FromAny(v any) float32 {
	switch v := v.(type) {
	case float32:
		return v
	case float64:
		return float32(v)
	case json.Number:
		f, _ := v.Float64() // it is one that we made
		return float32(f)
	}
	return -1
}

func cmpFloat(a, b float32) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// TestPartial sorts two indices by a field that one of them does not have: its shards fail, all of them and no others, and the answer is that of the other index.
func TestPartial(t *testing.T) {
	r := rand.New(rand.NewPCG(uint64(testseed.Of(t)), 3))
	s := start(t)
	ids, docs := randomDocs(r, 60)
	s.create(t, "has", 2, strings.TrimSuffix(spreadFields, "}")+`,"only":{"type":"long"}}`)
	s.create(t, "lacks", 3, spreadFields)
	s.fill(t, "has", ids, docs)
	s.fill(t, "lacks", ids, docs)
	body := `{"sort":[{"only":"asc"},{"u":"desc"}],"size":10,"from":5,"_source":false,"track_total_hits":true,"aggs":{"s":{"sum":{"field":"l"}}}}`
	want, err := s.ask(t, body, "has")
	check(t, err)
	got, err := s.ask(t, body, "has", "lacks")
	check(t, err)
	if a, b := shown(t, want, false), shown(t, got, false); a != b {
		t.Errorf("with shards that failed:\n%s\nwithout:\n%s", b, a)
	}
	if c := got.Shards; c.Total != 5 || c.Successful != 2 || len(c.Failures) != 3 {
		t.Errorf("%+v", c)
	}
	seen := map[int]bool{}
	for _, f := range got.Shards.Failures {
		if f.Index != "lacks" || seen[f.Shard] || f.Err == nil {
			t.Errorf("%+v", f)
		}
		seen[f.Shard] = true
	}
	var phase *PhaseError
	if _, err := s.ask(t, body, "lacks"); !errors.As(err, &phase) || len(phase.Failures) != 3 || phase.Reason != "all shards failed" {
		t.Errorf("all of them: %v", err)
	}
	v, err := xcontent.Decode([]byte(body))
	check(t, err)
	src, err := ParseSearchSource(v.(*xcontent.Object))
	check(t, err)
	refuse := true
	if _, err := s.Search(t.Context(), &SearchRequest{Indices: []string{"has", "lacks"}, Source: src, RefusePartial: &refuse}); !errors.As(err, &phase) || len(phase.Failures) != 3 {
		t.Errorf("where none may fail: %v", err)
	}
}

// TestTimeout lets the time be over before a search begins: what was seen by then is counted, and is the answer, unless the whole was asked for.
func TestTimeout(t *testing.T) {
	r := rand.New(rand.NewPCG(uint64(testseed.Of(t)), 5))
	s := start(t)
	s.create(t, "ix", 1, `{"n":{"type":"long"}}`)
	var items []Item
	for i := range 6000 {
		it := NewItem(OpIndex, "ix", fmt.Sprint(i))
		it.Source = fmt.Appendf(nil, `{"n":%d}`, r.IntN(100))
		items = append(items, it)
	}
	for _, res := range s.Bulk(t.Context(), items, RefreshNow) {
		check(t, res.Err)
	}
	for _, rest := range []string{``, `,"post_filter":{"range":{"n":{"gte":0}}}`, `,"sort":[{"n":"asc"}]`} {
		v, err := xcontent.Decode([]byte(`{"size":3,"track_total_hits":true,"aggs":{"c":{"value_count":{"field":"n"}}}` + rest + `}`))
		check(t, err)
		src, err := ParseSearchSource(v.(*xcontent.Object))
		check(t, err)
		src.Timeout = 1
		res, err := s.Search(t.Context(), &SearchRequest{Indices: []string{"ix"}, Source: src})
		check(t, err)
		if c := get(res.Aggs, "c", "value"); !res.TimedOut || res.Total.Value >= 6000 || fmt.Sprint(c) != fmt.Sprint(res.Total.Value) || res.Shards.Successful != 1 {
			t.Errorf("%s: timed out %t, total %+v, the aggregation saw %v; %+v", rest, res.TimedOut, res.Total, c, res.Shards)
		}
		refuse := true
		var phase *PhaseError
		if _, err := s.Search(t.Context(), &SearchRequest{Indices: []string{"ix"}, Source: src, RefusePartial: &refuse}); !errors.As(err, &phase) || !strings.Contains(err.Error(), "Time exceeded") {
			t.Errorf("%s, where nothing may lack: %v", rest, err)
		}
	}
}

// TestMixedKinds sorts by a field that is a text in one index and a number in another: there is no such order, whichever index comes first.
func TestMixedKinds(t *testing.T) {
	s := start(t)
	docs := map[string]string{"1": `{"f":7}`, "2": `{"f":8}`, "3": `{"f":null}`}
	for name, kind := range map[string]string{"a-long": "long", "b-keyword": "keyword", "c-double": "double", "d-date": "date"} {
		s.create(t, name, 1, `{"f":{"type":"`+kind+`"}}`)
		s.fill(t, name, []string{"1", "2", "3"}, docs)
	}
	body := `{"sort":[{"f":"asc"}]}`
	for _, indices := range []string{"a-long,b-keyword", "b-keyword,c-double", "b-keyword,d-date", "a-long,b-keyword,c-double,d-date"} {
		var phase *PhaseError
		if _, err := s.ask(t, body, strings.Split(indices, ",")...); !errors.As(err, &phase) || phase.Cause == nil || !strings.Contains(phase.Error(), "texts") {
			t.Errorf("%s: %v", indices, err)
		}
	}
	res, err := s.ask(t, body, "a-long", "c-double", "d-date")
	check(t, err)
	if len(res.Hits) != 9 || fmt.Sprint(get(res.Hits[2], "sort")) == fmt.Sprint(get(res.Hits[3], "sort")) {
		t.Errorf("%s", shown(t, res, false))
	}
}

// TestTerminateAfter compares what ends early with a walk through the documents in their order: hits are counted behind all filters, and
// aggregations see what comes before the document that ends the search.
func TestTerminateAfter(t *testing.T) {
	r := rand.New(rand.NewPCG(uint64(testseed.Of(t)), 4))
	s := start(t)
	s.create(t, "ix", 1, `{"q":{"type":"boolean"},"p":{"type":"boolean"},"n":{"type":"long"}}`)
	const n = 200
	docs := map[string]string{}
	var ids []string
	var inQuery, inPost [n]bool
	for i := range n {
		inQuery[i], inPost[i] = r.IntN(3) > 0, r.IntN(3) > 0
		id := fmt.Sprint(i)
		ids, docs[id] = append(ids, id), fmt.Sprintf(`{"q":%t,"p":%t,"n":%d}`, inQuery[i], inPost[i], i)
	}
	s.fill(t, "ix", ids, docs)
	order := make([]int, n) // merges may have changed that of the documents
	all, err := s.ask(t, `{"size":200,"sort":["_doc"],"_source":false}`, "ix")
	check(t, err)
	for i, h := range all.Hits {
		order[i] = slices.Index(ids, fmt.Sprint(get(h, "_id")))
	}
	for range 200 {
		limit, size, post, aggs := 1+r.IntN(n), r.IntN(12), r.IntN(2) == 0, r.IntN(2) == 0
		body := fmt.Sprintf(`{"query":{"term":{"q":true}},"terminate_after":%d,"size":%d,"track_total_hits":true,"sort":["_doc"],"_source":false`, limit, size)
		if post {
			body += `,"post_filter":{"term":{"p":true}}`
		}
		if aggs {
			body += `,"aggs":{"c":{"value_count":{"field":"n"}}}`
		}
		var hits []string
		total, visited, early := 0, 0, false
		for _, i := range order {
			if !inQuery[i] {
				continue
			}
			if !post || inPost[i] {
				if total == limit {
					early = true
					break
				}
				if total++; len(hits) < size {
					hits = append(hits, ids[i])
				}
			}
			visited++
		}
		res, err := s.ask(t, body+"}", "ix")
		check(t, err)
		var got []string
		for _, h := range res.Hits {
			got = append(got, fmt.Sprint(get(h, "_id")))
		}
		if !slices.Equal(got, hits) || *res.Total != (search.TotalHits{Value: int64(total)}) || res.TerminatedEarly == nil || *res.TerminatedEarly != early {
			t.Fatalf("%s}: %v of %+v, ended %v; want %v of %d, ended %t", body, got, res.Total, *res.TerminatedEarly, hits, total, early)
		}
		if aggs && fmt.Sprint(get(res.Aggs, "c", "value")) != fmt.Sprint(visited) {
			t.Fatalf("%s}: the aggregation saw %v documents, not %d", body, get(res.Aggs, "c", "value"), visited)
		}
	}
}
