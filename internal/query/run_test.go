package query

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"sort"
	"strconv"
	"testing"

	"github.com/varve-search/varve/internal/aggregation"
	"github.com/varve-search/varve/internal/mapping"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/uid"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/analysis"
	"github.com/varve-search/varve/lucene/index"
	"github.com/varve-search/varve/lucene/search"
	"github.com/varve-search/varve/lucene/store"
)

// testIndex is an index of a real node, opened by our readers.
type testIndex struct {
	ctx    *Context
	shards []*search.Searcher
}

// openIndex opens the shards in folders, as the mappings and settings of a real node describe them.
func openIndex(t testing.TB, name string, folders []string, mappings, flat any) *testIndex {
	t.Helper()
	text, err := json.Marshal(flat)
	must(t, err)
	s, err := settings.Parse(text)
	must(t, err)
	raw := map[string]any{}
	strs := map[string]string{}
	for _, k := range s.Keys() {
		raw[k] = s[k]
		strs[k] = s.GetOr(k, "")
	}
	ix, err := mapping.NewIndex(strs, analysis.NewLenientRegistry(raw))
	must(t, err)
	m, err := mapping.Parse(ix, mappings.(*xcontent.Object), mapping.ParseOptions{Lenient: true})
	must(t, err)
	c, err := NewContext(m, name, "uuid", nil, s)
	must(t, err)
	out := &testIndex{ctx: c}
	sort.Strings(folders)
	for _, f := range folders {
		dir, err := store.OpenFS(f)
		must(t, err)
		r, err := index.OpenDirectory(context.Background(), dir, "")
		must(t, err)
		t.Cleanup(func() { r.Close() })
		out.shards = append(out.shards, search.NewSearcher(r.Leaves(), search.Options{Similarity: c.Similarity, Workers: 1}))
	}
	return out
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type testHit struct {
	shard int
	id    string
	hit   search.Hit
}

// answer is what both sides are reduced to.
type answer struct {
	Total int64
	Max   any
	Hits  []answerHit
	Aggs  *xcontent.Object
}

type answerHit struct {
	ID    string
	Score any
	Sort  []any
}

// run searches as a coordinator would.
func (ix *testIndex) run(body *xcontent.Object) (*answer, error) {
	get := func(k string) any { v, _ := body.Get(k); return v }
	size := 10
	if n, ok := get("size").(json.Number); ok {
		i, _ := n.Int64()
		size = int(i)
	}
	comp, err := Compile(get("query"))
	if err != nil {
		return nil, err
	}
	spec, err := ParseSort(get("sort"))
	if err != nil {
		return nil, err
	}
	out := &answer{}
	var all []testHit
	var srt *Sort
	max := float32(math.NaN())
	var parts []aggregation.Results
	for i, s := range ix.shards {
		c := *ix.ctx
		c.Searcher = func() *search.Searcher { return s }
		c.parents = search.NewParentFilter(rootDocuments)
		q, err := comp.Query(&c)
		if err != nil {
			return nil, err
		}
		q = c.Filtered(q)
		if srt, err = spec.Bind(&c); err != nil {
			return nil, err
		}
		var after *search.Hit
		if v, ok := get("search_after").([]any); ok {
			if after, err = srt.After(v); err != nil {
				return nil, err
			}
		}
		var top *search.TopDocs
		if srt.Fields == nil {
			top, err = search.Run(context.Background(), s, q, search.ByScore{K: size, Threshold: search.CountAll, After: after}.Top())
		} else {
			top, err = search.Run(context.Background(), s, q, search.ByFields{K: size, Sort: srt.Fields, Threshold: search.CountAll, After: after}.Top())
		}
		if err != nil {
			return nil, err
		}
		out.Total += top.Total.Value
		for _, h := range top.Hits {
			id, err := idOf(s, h.Doc)
			if err != nil {
				return nil, err
			}
			all = append(all, testHit{i, id, h})
		}
		if !(top.MaxScore <= max) && !math.IsNaN(float64(top.MaxScore)) {
			max = top.MaxScore
		}
		if a := get("aggs"); a != nil {
			plan, err := aggregation.Parse(a, c.Aggregations(s))
			if err != nil {
				return nil, err
			}
			r, err := collectAggs(s, q, plan)
			if err != nil {
				return nil, err
			}
			parts = append(parts, r)
		}
	}
	sort.SliceStable(all, func(i, j int) bool {
		a, b := all[i], all[j]
		if srt.Fields == nil {
			return a.hit.Score > b.hit.Score
		}
		c, err := srt.Compare(a.hit.Sort, b.hit.Sort)
		if err != nil {
			panic(err) // the fixtures have each field of one kind
		}
		return c < 0
	})
	for _, h := range all[:min(size, len(all))] {
		one := answerHit{ID: h.id}
		if srt.Fields == nil {
			one.Score = float64(float64(h.hit.Score))
		} else {
			if srt.NeedsScores() {
				for i, f := range srt.Fields {
					if f.Type == search.SortScore {
						one.Score = h.hit.Sort[i]
					}
				}
			}
			for _, v := range srt.Render(h.hit.Sort) {
				one.Sort = append(one.Sort, plain(v))
			}
		}
		out.Hits = append(out.Hits, one)
	}
	if parts != nil {
		r, err := aggregation.Reduce(parts)
		if err != nil {
			return nil, err
		}
		if out.Aggs, err = r.Render(false); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func collectAggs(s *search.Searcher, q search.Query, plan *aggregation.Plan) (aggregation.Results, error) {
	c := plan.Collector()
	leaves := s.Leaves()
	for i := range leaves {
		it, err := matching(s, q, &leaves[i])
		if err != nil {
			return aggregation.Results{}, err
		}
		if it == nil {
			continue
		}
		if err := c.Leaf(&leaves[i]); err != nil {
			return aggregation.Results{}, err
		}
		live := leaves[i].Reader.LiveDocs()
		for {
			d, err := it.Next()
			if err != nil {
				return aggregation.Results{}, err
			}
			if d == lucene.NoMoreDocs {
				break
			}
			if live == nil || live.Get(d) {
				if err := c.Collect(d); err != nil {
					return aggregation.Results{}, err
				}
			}
		}
	}
	r, err := c.Results()
	if err == nil {
		err = r.ShardDone()
	}
	return r, err
}

type idVisitor struct{ id string }

func (v *idVisitor) Needs(f *lucene.FieldInfo) (lucene.VisitStatus, error) {
	if f.Name == "_id" {
		return lucene.VisitYes, nil
	}
	return lucene.VisitNo, nil
}

func (v *idVisitor) Field(_ *lucene.FieldInfo, s lucene.StoredValue) (err error) {
	v.id, err = uid.Decode(s.Bytes)
	return err
}

func idOf(s *search.Searcher, doc int32) (string, error) {
	for _, l := range s.Leaves() {
		if doc >= l.DocBase && doc < l.DocBase+l.Reader.MaxDoc() {
			v := &idVisitor{}
			err := l.Reader.StoredFields().Document(doc-l.DocBase, v)
			return v.id, err
		}
	}
	return "", fmt.Errorf("no document %d", doc)
}

// plain turns any JSON value into strings and floats that can be compared.
func plain(v any) any {
	switch x := v.(type) {
	case nil, string, bool:
		return x
	case json.Number:
		if f, err := x.Float64(); err == nil {
			if _, err := strconv.ParseInt(x.String(), 10, 64); err == nil && math.Abs(f) > 1<<50 {
				return x.String()
			}
			return f
		}
		return x.String()
	case *xcontent.Object:
		out := map[string]any{}
		for _, m := range x.Members {
			out[m.Key] = plain(m.Value)
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = plain(e)
		}
		return out
	}
	var b bytes.Buffer
	if err := xcontent.Append(&b, v); err != nil {
		return err.Error()
	}
	d, err := xcontent.Decode(b.Bytes())
	if err != nil {
		return err.Error()
	}
	return plain(d)
}

// expectedAnswer reads the answer of a real node, or of a fixture.
func expectedAnswer(o *xcontent.Object) *answer {
	get := func(o *xcontent.Object, k string) any { v, _ := o.Get(k); return v }
	out := &answer{}
	hits := get(o, "hits")
	if h, ok := hits.(*xcontent.Object); ok { // as HTTP answers
		total := get(h, "total").(*xcontent.Object)
		out.Total, _ = get(total, "value").(json.Number).Int64()
		hits = get(h, "hits")
	} else {
		out.Total, _ = get(o, "total").(json.Number).Int64()
	}
	list, _ := hits.([]any)
	for _, e := range list {
		h := e.(*xcontent.Object)
		one := answerHit{ID: get(h, "_id").(string)}
		if n, ok := get(h, "_score").(json.Number); ok {
			f, _ := n.Float64()
			one.Score = f
		}
		if s, ok := get(h, "sort").([]any); ok {
			for _, v := range s {
				one.Sort = append(one.Sort, plain(v))
			}
		}
		out.Hits = append(out.Hits, one)
	}
	if a, ok := get(o, "aggregations").(*xcontent.Object); ok {
		out.Aggs = a
	}
	return out
}

// differ tells in words how two answers differ, or "".
func differ(got, want *answer, ordered bool) string {
	if got.Total != want.Total {
		return fmt.Sprintf("total %d, want %d\n got %v\nwant %v", got.Total, want.Total, got.Hits, want.Hits)
	}
	if len(got.Hits) != len(want.Hits) {
		return fmt.Sprintf("%d hits, want %d", len(got.Hits), len(want.Hits))
	}
	g, w := got.Hits, want.Hits
	if !ordered {
		byID := func(h []answerHit) []answerHit {
			c := append([]answerHit(nil), h...)
			sort.SliceStable(c, func(i, j int) bool { return c[i].ID < c[j].ID })
			return c
		}
		g, w = byID(g), byID(w)
	}
	for i := range g {
		a, b := g[i], w[i]
		if w[i].Score == nil || g[i].Score == nil {
			a.Score, b.Score = nil, nil
		}
		if x, y := fmt.Sprintf("%v", a), fmt.Sprintf("%v", b); x != y && !nearHit(a, b) {
			return fmt.Sprintf("hit %d is %s, want %s", i, x, y)
		}
	}
	return ""
}

// nearHit allows a last digit to be rounded differently.
func nearHit(a, b answerHit) bool {
	return a.ID == b.ID && near(a.Score, b.Score) && near(toAny(a.Sort), toAny(b.Sort))
}

func toAny(s []any) any { return append([]any{}, s...) }

func near(a, b any) bool {
	switch x := a.(type) {
	case float64:
		y, ok := b.(float64)
		return ok && (x == y || math.Abs(x-y) <= 6e-6+1e-5*math.Max(math.Abs(x), math.Abs(y)))
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !near(x[i], y[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for k := range x {
			if !near(x[k], y[k]) {
				return false
			}
		}
		return true
	}
	return a == b
}

func shardFolders(t testing.TB, root, name string) []string {
	f, err := filepath.Glob(filepath.Join(root, name, "*"))
	must(t, err)
	return f
}
