package mapping_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/varve-search/varve/internal/mapping"
	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/index"
	"github.com/varve-search/varve/lucene/store"
)

// docCase is a mapping with documents, each accepted or refused by a real node.
type docCase struct {
	name    string
	mapping string
	docs    []string
}

// ours indexes documents as a shard would: a mapping update first, then the document.
type ours struct {
	t   *testing.T
	m   *mapping.Mapping
	w   *index.Writer
	dir string
	seq int64
}

func newOurs(t *testing.T, def string) *ours {
	t.Helper()
	ix := testIndex(t)
	m, err := mapping.ParseJSON(ix, []byte(def), mapping.ParseOptions{})
	if err == nil {
		m, err = mapping.Merge(nil, m)
	}
	if err != nil {
		t.Fatalf("%s: %s", def, describe(err))
	}
	dir := t.TempDir()
	d, err := store.OpenFS(dir)
	if err != nil {
		t.Fatal(err)
	}
	w, err := index.Open(d, index.Config{NoMerges: true})
	if err != nil {
		t.Fatal(err)
	}
	return &ours{t: t, m: m, w: w, dir: dir}
}

func (o *ours) index(id, routing, doc string) error {
	for range 3 {
		p, err := o.m.ParseDocument(mapping.Source{ID: id, Routing: routing, JSON: []byte(doc)})
		if err != nil {
			return err
		}
		if p.Update != nil {
			p.Release()
			if o.m, err = mapping.Merge(o.m, p.Update); err != nil {
				return err
			}
			continue
		}
		p.SetSequence(o.seq, 1, 1)
		o.seq++
		_, err = o.w.AddDocuments(context.Background(), p.Docs...)
		p.Release()
		return err
	}
	return fmt.Errorf("the mapping goes on changing")
}

// nodeAndRepo returns a real node and the folder of its snapshot repository.
func nodeAndRepo(t *testing.T) (url, repo string) {
	if u, r := os.Getenv("VARVE_ORACLE_URL"), os.Getenv("VARVE_ORACLE_REPO"); u != "" && r != "" {
		return u, r
	}
	repo = t.TempDir()
	return oracletest.Node(t, "opensearch", "2.19", repo), repo
}

// TestDocuments indexes the same documents into a real node and with our own writer, and compares all
// that Lucene keeps of them: schema, terms, positions, columns, points, norms, stored fields.
func TestDocuments(t *testing.T) {
	url, repo := nodeAndRepo(t)
	folder := fmt.Sprintf("r%d", time.Now().UnixNano())
	if code, body := call(t, "PUT", url+"/_snapshot/"+folder, fmt.Sprintf(`{"type":"fs","settings":{"location":%q}}`, filepath.Join(repo, folder))); code != 200 {
		t.Fatalf("repository: %s", body)
	}
	prefix := indexName()
	mine := map[string]*ours{}
	for i, c := range docCases {
		if c.name == "" {
			c.name = fmt.Sprint(i)
		}
		name := prefix + "-" + c.name
		body := fmt.Sprintf(`{"settings":%s,"mappings":%s}`, strings.Replace(testSettings, "{", `{"refresh_interval":"-1",`, 1), c.mapping)
		if code, out := call(t, "PUT", url+"/"+name, body); code != 200 {
			t.Errorf("%s: %s", c.name, out)
			continue
		}
		o := newOurs(t, c.mapping)
		mine[name] = o
		for n, doc := range c.docs {
			id, routing := fmt.Sprint(n), ""
			switch n % 4 {
			case 1:
				id = fmt.Sprintf("id-%d_%s", n, "äö")
			case 2:
				id, routing = fmt.Sprintf("abcdefghij%06d", n), "route"
			}
			path := fmt.Sprintf("%s/%s/_doc/%s", url, name, strings.ReplaceAll(strings.ReplaceAll(id, "ä", "%C3%A4"), "ö", "%C3%B6"))
			if routing != "" {
				path += "?routing=" + routing
			}
			status, out := call(t, "PUT", path, doc)
			err := o.index(id, routing, doc)
			switch {
			case status < 300 && err != nil:
				t.Errorf("%s: %s\nwe refuse it: %s", c.name, doc, describe(err))
			case status >= 300 && err == nil:
				t.Errorf("%s: %s\nthe node refuses it: %s", c.name, doc, describeOracle(status, out))
			case err != nil:
				if got, want := stable(describe(err)), stable(describeOracle(status, out)); got != want {
					t.Errorf("%s: %s\n got %s\nwant %s", c.name, doc, got, want)
				}
			}
		}
		if got, want := jsonText(t, o.m.Render()), oracleMapping(t, url, name); got != want {
			t.Errorf("%s: mapping\n got %s\nwant %s", c.name, got, want)
		}
		call(t, "POST", url+"/"+name+"/_flush?force=true", "")
	}
	defer call(t, "DELETE", url+"/"+prefix+"-*", "")
	if code, body := call(t, "PUT", url+"/_snapshot/"+folder+"/s?wait_for_completion=true", fmt.Sprintf(`{"indices":%q}`, prefix+"-*")); code != 200 {
		t.Fatalf("snapshot: %s", body)
	}
	out := t.TempDir()
	if text, err := oracletest.Tool(t, "unsnap", filepath.Join(repo, folder), "s", out); err != nil {
		t.Fatalf("unsnap: %v\n%s", err, text)
	}
	for name, o := range mine {
		if err := o.w.Commit(context.Background(), map[string]string{"x": "y"}); err != nil {
			t.Fatal(err)
		}
		if err := o.w.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		got, want := dump(t, o.dir), dump(t, filepath.Join(out, name, "0"))
		compareDumps(t, strings.TrimPrefix(name, prefix+"-"), got, want)
	}
}

// stable cuts what messages hold of places in the source.
func stable(s string) string {
	for {
		i := strings.Index(s, "\n at [Source")
		if i < 0 {
			return s
		}
		j := strings.Index(s[i:], "]")
		k := strings.Index(s[i+j+1:], "]")
		if j < 0 || k < 0 {
			return s[:i]
		}
		s = s[:i] + s[i+j+1+k+1:]
	}
}

func compareDumps(t *testing.T, name string, got, want []string) {
	t.Helper()
	seen := map[string]int{}
	for _, l := range want {
		seen[l]++
	}
	var extra, missing []string
	for _, l := range got {
		if seen[l] == 0 {
			extra = append(extra, "  + "+l)
		} else {
			seen[l]--
		}
	}
	for _, l := range want {
		if seen[l] > 0 {
			missing = append(missing, "  - "+l)
			seen[l]--
		}
	}
	if len(extra)+len(missing) > 0 {
		all := append(extra, missing...)
		sort.Slice(all, func(i, j int) bool { return all[i][4:] < all[j][4:] })
		if len(all) > 40 {
			all = append(all[:40], fmt.Sprintf("  … %d more", len(all)-40))
		}
		t.Errorf("%s: + is ours, - the node's\n%s", name, strings.Join(all, "\n"))
	}
}

// dump prints all that an index knows of its documents.
func dump(t *testing.T, folder string) []string {
	t.Helper()
	d, err := store.OpenFS(folder)
	if err != nil {
		t.Fatal(err)
	}
	r, err := index.OpenDirectory(context.Background(), d, "")
	if err != nil {
		t.Fatalf("%s: %v", folder, err)
	}
	defer r.Close()
	var out []string
	for _, leaf := range r.Leaves() {
		out = append(out, dumpLeaf(t, leaf.Reader, leaf.DocBase)...)
	}
	return out
}

func dumpLeaf(t *testing.T, leaf lucene.LeafReader, base int32) []string {
	var out []string
	add := func(doc int32, format string, args ...any) {
		out = append(out, fmt.Sprintf("doc %d: ", doc+base)+fmt.Sprintf(format, args...))
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range leaf.FieldInfos().All() {
		if f.Name == "_recovery_source" || f.Name == "__soft_deletes" {
			continue
		}
		out = append(out, fmt.Sprintf("field %s: %s norms=%v dv=%s points=%d/%d/%d vectors=%v payloads=%v", f.Name, f.IndexOptions, f.HasNorms(), f.DocValuesType,
			f.PointDims, f.PointIndexDims, f.PointBytes, f.HasVectors, f.HasPayloads))
		if f.IndexOptions != lucene.IndexNone {
			terms, err := leaf.Terms(f.Name)
			must(err)
			if terms != nil {
				dumpTerms(t, f, terms, add)
			}
		}
		if f.HasNorms() {
			n, err := leaf.Norms(f.Name)
			must(err)
			for n != nil {
				doc, err := n.Next()
				must(err)
				if doc == lucene.NoMoreDocs {
					break
				}
				v, err := n.Value()
				must(err)
				add(doc, "norm %s %d", f.Name, v)
			}
		}
		if f.PointDims > 0 {
			p, err := leaf.Points(f.Name)
			must(err)
			if p != nil {
				must(p.Intersect(everyPoint{func(doc int32, packed []byte) { add(doc, "point %s %x", f.Name, packed) }}))
			}
		}
		dumpColumn(t, leaf, f, add)
	}
	stored := leaf.StoredFields()
	for doc := range leaf.MaxDoc() {
		must(stored.Document(doc, storedVisitor{func(f *lucene.FieldInfo, v lucene.StoredValue) {
			if f.Name == "_source" {
				var x any
				must(json.Unmarshal(v.Bytes, &x)) // the order of keys is not kept where source is filtered
				b, err := json.Marshal(x)
				must(err)
				v.Bytes = b
			}
			if f.Name != "_recovery_source" {
				add(doc, "stored %s %d %q %d", f.Name, v.Kind, v.Bytes, v.Num)
			}
		}}))
	}
	return out
}

type everyPoint struct {
	fn func(doc int32, packed []byte)
}

func (everyPoint) Compare(_, _ []byte) lucene.Relation { return lucene.CellCrosses }
func (everyPoint) Visit(int32) error                   { return fmt.Errorf("a document without its value") }
func (everyPoint) VisitAll([]int32) error              { return fmt.Errorf("documents without their values") }
func (everyPoint) Grow(int)                            {}
func (e everyPoint) VisitValue(doc int32, packed []byte) error {
	e.fn(doc, packed)
	return nil
}

type storedVisitor struct {
	fn func(*lucene.FieldInfo, lucene.StoredValue)
}

func (storedVisitor) Needs(*lucene.FieldInfo) (lucene.VisitStatus, error) {
	return lucene.VisitYes, nil
}
func (s storedVisitor) Field(f *lucene.FieldInfo, v lucene.StoredValue) error {
	s.fn(f, v)
	return nil
}

func dumpTerms(t *testing.T, f *lucene.FieldInfo, terms lucene.Terms, add func(int32, string, ...any)) {
	it, err := terms.Iterator()
	if err != nil {
		t.Fatal(err)
	}
	for {
		term, err := it.Next()
		if err != nil {
			t.Fatal(err)
		}
		if term == nil {
			return
		}
		p, err := it.Postings(nil, lucene.PostingsAll)
		if err != nil {
			t.Fatal(err)
		}
		for {
			doc, err := p.Next()
			if err != nil {
				t.Fatal(err)
			}
			if doc == lucene.NoMoreDocs {
				break
			}
			freq, err := p.Freq()
			if err != nil {
				t.Fatal(err)
			}
			s := fmt.Sprintf("%q x%d", term, freq)
			for range freq {
				if f.IndexOptions < lucene.IndexDocsFreqsPositions {
					break
				}
				pos, err := p.NextPosition()
				if err != nil {
					t.Fatal(err)
				}
				s += fmt.Sprintf(" @%d", pos)
				if f.IndexOptions == lucene.IndexDocsFreqsPositionsOffsets {
					s += fmt.Sprintf("/%d-%d", p.StartOffset(), p.EndOffset())
				}
			}
			add(doc, "term %s %s", f.Name, s)
		}
	}
}

func dumpColumn(t *testing.T, leaf lucene.LeafReader, f *lucene.FieldInfo, add func(int32, string, ...any)) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dv := leaf.DocValues()
	switch f.DocValuesType {
	case lucene.DocValuesNumeric:
		c, err := dv.Numeric(f)
		must(err)
		for {
			doc, err := c.Next()
			must(err)
			if doc == lucene.NoMoreDocs {
				return
			}
			v, err := c.Value()
			must(err)
			add(doc, "column %s %d", f.Name, v)
		}
	case lucene.DocValuesSortedNumeric:
		c, err := dv.SortedNumeric(f)
		must(err)
		for {
			doc, err := c.Next()
			must(err)
			if doc == lucene.NoMoreDocs {
				return
			}
			s := ""
			for range c.Count() {
				v, err := c.NextValue()
				must(err)
				s += fmt.Sprintf(" %d", v)
			}
			add(doc, "column %s%s", f.Name, s)
		}
	case lucene.DocValuesBinary:
		c, err := dv.Binary(f)
		must(err)
		for {
			doc, err := c.Next()
			must(err)
			if doc == lucene.NoMoreDocs {
				return
			}
			v, err := c.Value()
			must(err)
			add(doc, "column %s %x", f.Name, v)
		}
	case lucene.DocValuesSortedSet:
		c, err := dv.SortedSet(f)
		must(err)
		for {
			doc, err := c.Next()
			must(err)
			if doc == lucene.NoMoreDocs {
				return
			}
			s := ""
			for range c.Count() {
				ord, err := c.NextOrd()
				must(err)
				v, err := c.LookupOrd(ord)
				must(err)
				s += fmt.Sprintf(" %q", v)
			}
			add(doc, "column %s%s", f.Name, s)
		}
	}
}
