package aggregation

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sort"
	"strconv"
	"testing"
	"time"

	"github.com/varve-search/varve/internal/testseed"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/index"
	"github.com/varve-search/varve/lucene/store"
)

// plainFormat shows values as they are.
type plainFormat struct{}

func (plainFormat) Long(v int64) string     { return strconv.FormatInt(v, 10) }
func (plainFormat) Double(v float64) string { return FormatDouble(v) }
func (plainFormat) Bytes(b []byte) string   { return string(b) }
func (plainFormat) ParseLong(text string, _ bool) (int64, error) {
	return strconv.ParseInt(text, 10, 64)
}
func (plainFormat) ParseDouble(text string) (float64, error) { return strconv.ParseFloat(text, 64) }
func (plainFormat) ParseBytes(text string) ([]byte, error)   { return []byte(text), nil }

// columns resolves the fields of the test's index.
type columns struct{ Resolver }

func (columns) Now() time.Time          { return time.Unix(0, 0) }
func (columns) InNested() bool          { return false }
func (columns) CheckRegex(string) error { return nil }
func (columns) Column(field, _, _ string) (*Column, error) {
	class := ClassLong
	if field == "word" || field == "words" || field == "rare" {
		class = ClassBytes
	}
	return &Column{Field: field, Type: "test", Class: class, Format: plainFormat{}}, nil
}

type testDoc struct {
	n     int64
	ns    []int64
	word  string
	words []string
	rare  string // not in every document
}

var batchAggs = []string{
	`{"a":{"terms":{"field":"word"}}}`,
	`{"a":{"terms":{"field":"word","size":3,"shard_size":4}}}`,
	`{"a":{"terms":{"field":"word","size":5,"order":{"_key":"desc"}}}}`,
	`{"a":{"terms":{"field":"word","size":4,"order":{"_count":"asc"}}}}`,
	`{"a":{"terms":{"field":"words","size":7}}}`,
	`{"a":{"terms":{"field":"rare","missing":"none"}}}`,
	`{"a":{"terms":{"field":"rare","size":1000}}}`,
	`{"a":{"terms":{"field":"word","include":"w1.*"}}}`,
	`{"a":{"terms":{"field":"word","min_doc_count":0,"size":50}}}`,
	`{"a":{"terms":{"field":"word"},"aggs":{"s":{"stats":{"field":"n"}},"c":{"cardinality":{"field":"words"}},"t":{"terms":{"field":"words"}}}}}`,
	`{"a":{"terms":{"field":"rare","size":20},"aggs":{"h":{"histogram":{"field":"n","interval":100},"aggs":{"v":{"value_count":{"field":"rare"}}}}}}}`,
	`{"a":{"terms":{"field":"n","size":5},"aggs":{"t":{"terms":{"field":"rare"}},"u":{"terms":{"field":"word","size":2}},"c":{"cardinality":{"field":"rare"}}}}}`,
	`{"a":{"terms":{"field":"words"},"aggs":{"s":{"sum":{"field":"n"}}}}}`,
	`{"a":{"histogram":{"field":"n","interval":20,"hard_bounds":{"min":50,"max":120}}}}`,
	`{"a":{"terms":{"field":"n","size":5}}}`,
	`{"a":{"histogram":{"field":"n","interval":7,"offset":3}}}`,
	`{"a":{"histogram":{"field":"n","interval":7,"min_doc_count":1},"aggs":{"m":{"max":{"field":"n"}}}}}`,
	`{"a":{"histogram":{"field":"ns","interval":50}}}`,
	`{"a":{"date_histogram":{"field":"n","fixed_interval":"10ms"}}}`,
	`{"a":{"cardinality":{"field":"word"}},"b":{"cardinality":{"field":"words"}},"c":{"cardinality":{"field":"n"}},"d":{"cardinality":{"field":"rare","missing":"x","precision_threshold":10}}}`,
	`{"a":{"stats":{"field":"n"}},"b":{"extended_stats":{"field":"ns"}},"c":{"value_count":{"field":"rare"}}}`,
}

// TestBatches compares batches with documents one by one, for indices of one and of several segments, and counts of terms
// with a count by hand.
func TestBatches(t *testing.T) {
	seed := testseed.Of(t)
	rnd := rand.New(rand.NewPCG(uint64(seed), 1))
	for _, segments := range []int{1, 3} {
		docs := make([]testDoc, 900)
		for i := range docs {
			d := &docs[i]
			d.n = rnd.Int64N(300)
			for range rnd.IntN(4) {
				d.ns = append(d.ns, rnd.Int64N(400)-200)
			}
			d.word = fmt.Sprint("w", rnd.IntN(30))
			for range 1 + rnd.IntN(3) {
				d.words = append(d.words, fmt.Sprint("x", rnd.IntN(40)))
			}
			if rnd.IntN(3) == 0 {
				d.rare = fmt.Sprint("r", rnd.IntN(600))
			}
		}
		r := writeDocs(t, docs, segments)
		for _, request := range batchAggs {
			single := render(t, request, r, rnd, oneByOne)
			for name, got := range map[string]string{
				"in batches":                  render(t, request, r, rnd, inBatches),
				"in batches, leaf by leaf":    render(t, request, r, rnd, leafByLeaf),
				"in batches, leaves in parts": render(t, request, r, rnd, inParts),
			} {
				if got != single {
					t.Errorf("%s of %d segments %s:\n%s\none by one:\n%s", request, segments, name, got, single)
				}
			}
		}
		checkTerms(t, docs, render(t, `{"a":{"terms":{"field":"word","size":6}}}`, r, rnd, inBatches))
		checkTerms(t, docs, render(t, `{"a":{"terms":{"field":"word","size":6}}}`, r, rnd, inParts))
	}
}

// checkTerms compares the answer of terms with a count by hand.
func checkTerms(t *testing.T, docs []testDoc, got string) {
	t.Helper()
	n := map[string]int{}
	for _, d := range docs {
		n[d.word]++
	}
	var words []string
	for w := range n {
		words = append(words, w)
	}
	sort.Slice(words, func(i, j int) bool {
		a, b := words[i], words[j]
		return n[a] > n[b] || n[a] == n[b] && a < b
	})
	var answer struct {
		A struct {
			Other   int `json:"sum_other_doc_count"`
			Buckets []struct {
				Key   string `json:"key"`
				Count int    `json:"doc_count"`
			} `json:"buckets"`
		} `json:"a"`
	}
	if err := json.Unmarshal([]byte(got), &answer); err != nil {
		t.Fatal(err)
	}
	other := len(docs)
	for i, b := range answer.A.Buckets {
		if b.Key != words[i] || b.Count != n[words[i]] {
			t.Errorf("bucket %d is %v, not %s with %d", i, b, words[i], n[words[i]])
		}
		other -= b.Count
	}
	if len(answer.A.Buckets) != 6 || answer.A.Other != other {
		t.Errorf("%d buckets and %d other documents, not 6 and %d", len(answer.A.Buckets), answer.A.Other, other)
	}
}

func writeDocs(t *testing.T, docs []testDoc, segments int) *index.DirectoryReader {
	t.Helper()
	ctx := context.Background()
	w, err := index.Open(store.NewMem(), index.Config{NoMerges: true})
	if err != nil {
		t.Fatal(err)
	}
	number := &lucene.FieldType{DocValuesType: lucene.DocValuesSortedNumeric}
	word := &lucene.FieldType{DocValuesType: lucene.DocValuesSortedSet}
	for i, d := range docs {
		doc := &lucene.Document{Fields: []lucene.Field{{Name: "n", Type: number, Num: d.n}, {Name: "word", Type: word, Bytes: []byte(d.word)}}}
		for _, n := range d.ns {
			doc.Fields = append(doc.Fields, lucene.Field{Name: "ns", Type: number, Num: n})
		}
		for _, s := range d.words {
			doc.Fields = append(doc.Fields, lucene.Field{Name: "words", Type: word, Bytes: []byte(s)})
		}
		if d.rare != "" {
			doc.Fields = append(doc.Fields, lucene.Field{Name: "rare", Type: word, Bytes: []byte(d.rare)})
		}
		if _, err := w.AddDocuments(ctx, doc); err != nil {
			t.Fatal(err)
		}
		if (i+1)%(len(docs)/segments) == 0 {
			if err := w.Commit(ctx, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	r, err := w.Reader(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if err := w.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	if len(r.Leaves()) != segments {
		t.Fatalf("%d segments, not %d", len(r.Leaves()), segments)
	}
	return r
}

// way is how documents get to collectors.
type way int

const (
	oneByOne   way = iota // to one collector for all leaves
	inBatches             // to one collector for all leaves
	leafByLeaf            // in batches to a collector for each leaf
	inParts               // in batches to a collector for each leaf's first part and the rest of the one before
)

// render answers a request.
func render(t *testing.T, request string, r *index.DirectoryReader, rnd *rand.Rand, how way) string {
	t.Helper()
	raw, err := xcontent.Decode([]byte(request))
	if err != nil {
		t.Fatal(err)
	}
	plan, err := Parse(raw, columns{})
	if err != nil {
		t.Fatal(err)
	}
	c := plan.Collector()
	var parts []Results
	end := func() {
		res, err := c.Results()
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, res)
		c = plan.Collector()
	}
	for i, leaf := range r.Leaves() {
		if err := c.Leaf(&leaf); err != nil {
			t.Fatal(err)
		}
		all := make([]int32, leaf.Reader.MaxDoc())
		for d := range all {
			all[d] = int32(d)
		}
		cut := -1
		if how == inParts {
			cut = 1 + rnd.IntN(len(all)-1)
		}
		for len(all) > 0 {
			if len(all) == cut {
				end()
				if err := c.Leaf(&leaf); err != nil {
					t.Fatal(err)
				}
			}
			n := min(1, len(all))
			if how != oneByOne {
				n = 1 + rnd.IntN(len(all))
				if len(all) > cut && len(all)-n < cut {
					n = len(all) - cut
				}
				err = c.CollectBatch(all[:n])
			} else {
				err = c.Collect(all[0])
			}
			if err != nil {
				t.Fatal(err)
			}
			all = all[n:]
		}
		if how == leafByLeaf || i == len(r.Leaves())-1 {
			end()
		}
	}
	res, err := Reduce(parts)
	if err == nil {
		err = res.ShardDone()
	}
	if err != nil {
		t.Fatal(err)
	}
	o, err := res.Render(false)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, b, "", " "); err != nil {
		t.Fatal(err)
	}
	return out.String()
}
