package index

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/store"
)

// nowhere is a StoredFieldsWriter that keeps nothing.
type nowhere struct{}

func (nowhere) StartDocument() error                              { return nil }
func (nowhere) Field(*lucene.FieldInfo, lucene.StoredValue) error { return nil }
func (nowhere) FinishDocument() error                             { return nil }
func (nowhere) Finish(int32) error                                { return nil }
func (nowhere) Close() error                                      { return nil }

func testBuffer(sortBy ...lucene.SortField) *buffer {
	b := newBuffer(newSegmentInfo("_0", sortBy, "test"), newSchema(sortBy), newTrackingDirectory(store.NewMem(), nil))
	b.open = func(*buffer) (codec.StoredFieldsWriter, error) { return nowhere{}, nil }
	b.openTV = func(*buffer) (codec.TermVectorsWriter, error) { return &recordedVectors{}, nil }
	return b
}

func (b *buffer) finishForTest(t *testing.T) *bufferSource {
	t.Helper()
	for _, pf := range b.list {
		if pf.col != nil {
			pf.col.finish()
		}
	}
	src := &bufferSource{b: b, byName: b.fields}
	if b.sorting() {
		keys, err := readSortKeys(b.sort, columns{maxDoc: b.numDocs, fields: src.fieldInfo, values: src})
		if err != nil {
			t.Fatal(err)
		}
		_, src.newDoc = sortDocs(keys, b.numDocs)
	}
	return src
}

// expected is the inverted index of a field by brute force: term → "doc:pos,pos/start-end…".
func expected(docs []*lucene.Document, field string, newDoc []int32) map[string][]string {
	type posting struct {
		doc  int32
		text string
	}
	found := map[string][]posting{}
	for i, d := range docs {
		doc := int32(i)
		if newDoc != nil {
			doc = newDoc[i]
		}
		here := map[string]string{}
		pos, off := int32(-1), int32(0)
		for _, f := range d.Fields {
			if f.Name != field || f.Type.IndexOptions == lucene.IndexNone {
				continue
			}
			list := []lucene.Token{{Term: f.Term, PositionIncrement: 1, EndOffset: utf16Length(f.Term)}}
			if f.Tokens != nil {
				list = f.Tokens.(*tokens).list
			}
			last := int32(0)
			for _, tok := range list {
				pos += tok.PositionIncrement
				here[string(tok.Term)] += fmt.Sprintf(" %d/%d-%d/%x", pos, off+tok.StartOffset, off+tok.EndOffset, tok.Payload)
				last = tok.EndOffset
			}
			if f.Tokens != nil {
				pos += f.Type.PositionGap
				off++
			}
			off += last
		}
		for term, text := range here {
			found[term] = append(found[term], posting{doc, text})
		}
	}
	out := map[string][]string{}
	for term, ps := range found {
		sort.Slice(ps, func(i, j int) bool { return ps[i].doc < ps[j].doc })
		for _, p := range ps {
			out[term] = append(out[term], fmt.Sprint(p.doc, p.text))
		}
	}
	return out
}

func checkPostings(t *testing.T, src *bufferSource, docs []*lucene.Document, field string) {
	t.Helper()
	want := expected(docs, field, src.newDoc)
	terms, err := src.invertedFields().Terms(field)
	if err != nil {
		t.Fatal(err)
	}
	if terms == nil {
		if len(want) > 0 {
			t.Fatalf("field %s has no terms", field)
		}
		return
	}
	opts := terms.IndexOptions()
	it, _ := terms.Iterator()
	var last []byte
	var reuse lucene.PostingsEnum
	for n := 0; ; n++ {
		term, _ := it.Next()
		if term == nil {
			if n != len(want) || terms.Size() != int64(n) {
				t.Fatalf("field %s has %d terms, not %d", field, n, len(want))
			}
			return
		}
		if n > 0 && bytes.Compare(last, term) >= 0 {
			t.Fatalf("term %q after %q", term, last)
		}
		last = append(last[:0], term...)
		reuse, _ = it.Postings(reuse, lucene.PostingsAll)
		var got []string
		for {
			doc, _ := reuse.Next()
			if doc == lucene.NoMoreDocs {
				break
			}
			s := fmt.Sprint(doc)
			freq, _ := reuse.Freq()
			for i := range freq {
				pos, _ := reuse.NextPosition()
				switch {
				case opts < lucene.IndexDocsAndFreqs:
					continue
				case opts < lucene.IndexDocsFreqsPositions:
					s += " #"
				case opts < lucene.IndexDocsFreqsPositionsOffsets:
					s += fmt.Sprintf(" %d//%x", pos, reuse.Payload())
				default:
					s += fmt.Sprintf(" %d/%d-%d/%x", pos, reuse.StartOffset(), reuse.EndOffset(), reuse.Payload())
				}
				if doc%5 == 4 && i == 1 {
					break // positions need not all be read
				}
			}
			got = append(got, s)
		}
		for i, w := range want[string(term)] {
			parts := strings.Fields(w)
			var doc int32
			if _, err := fmt.Sscan(parts[0], &doc); err != nil {
				t.Fatal(err)
			}
			for k := range parts[1:] {
				p := strings.Split(parts[k+1], "/")
				switch {
				case opts < lucene.IndexDocsAndFreqs:
					parts[k+1] = ""
				case opts < lucene.IndexDocsFreqsPositions:
					parts[k+1] = "#"
				case opts < lucene.IndexDocsFreqsPositionsOffsets:
					parts[k+1] = p[0] + "//" + p[2]
				}
			}
			if doc%5 == 4 && len(parts) > 3 {
				parts = parts[:3]
			}
			want[string(term)][i] = strings.TrimSpace(strings.Join(parts, " "))
		}
		if !slices.Equal(got, want[string(term)]) {
			t.Fatalf("field %s term %q:\n got %q\nwant %q", field, term, got, want[string(term)])
		}
	}
}

// columnText reads a column as "doc=value value".
func columnText(t testing.TB, src lucene.DocValuesProducer, f *lucene.FieldInfo) []string {
	t.Helper()
	var out []string
	var it lucene.DocValuesIterator
	var values func() []string
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	switch f.DocValuesType {
	case lucene.DocValuesNumeric:
		v, err := src.Numeric(f)
		must(err)
		it, values = v, func() []string { n, err := v.Value(); must(err); return []string{fmt.Sprint(n)} }
	case lucene.DocValuesBinary:
		v, err := src.Binary(f)
		must(err)
		it, values = v, func() []string { b, err := v.Value(); must(err); return []string{fmt.Sprintf("%x", b)} }
	case lucene.DocValuesSorted:
		v, err := src.Sorted(f)
		must(err)
		it, values = v, func() []string {
			o, err := v.Ord()
			must(err)
			b, err := v.LookupOrd(int64(o))
			must(err)
			return []string{fmt.Sprintf("%x", b)}
		}
	case lucene.DocValuesSortedNumeric:
		v, err := src.SortedNumeric(f)
		must(err)
		it, values = v, func() (s []string) {
			for range v.Count() {
				n, err := v.NextValue()
				must(err)
				s = append(s, fmt.Sprint(n))
			}
			return s
		}
	case lucene.DocValuesSortedSet:
		v, err := src.SortedSet(f)
		must(err)
		it, values = v, func() (s []string) {
			for range v.Count() {
				o, err := v.NextOrd()
				must(err)
				b, err := v.LookupOrd(o)
				must(err)
				s = append(s, fmt.Sprintf("%x", b))
			}
			return s
		}
	}
	for {
		doc, err := it.Next()
		must(err)
		if doc == lucene.NoMoreDocs {
			return out
		}
		out = append(out, fmt.Sprintf("%d=%s", doc, strings.Join(values(), " ")))
	}
}

func checkColumn(t *testing.T, src *bufferSource, docs []*lucene.Document, f *lucene.FieldInfo) {
	t.Helper()
	byDoc := make([]string, len(docs))
	has := make([]bool, len(docs))
	for i, d := range docs {
		doc := i
		if src.newDoc != nil {
			doc = int(src.newDoc[i])
		}
		var nums []int64
		var strs []string
		for _, v := range d.Fields {
			if v.Name != f.Name {
				continue
			}
			has[doc] = true
			nums = append(nums, v.Num)
			strs = append(strs, fmt.Sprintf("%x", v.Bytes))
		}
		switch f.DocValuesType {
		case lucene.DocValuesNumeric, lucene.DocValuesSortedNumeric:
			slices.Sort(nums)
			strs = strs[:0]
			for _, n := range nums {
				strs = append(strs, fmt.Sprint(n))
			}
		case lucene.DocValuesSortedSet:
			slices.Sort(strs)
			strs = slices.Compact(strs)
		}
		byDoc[doc] = fmt.Sprintf("%d=%s", doc, strings.Join(strs, " "))
	}
	var want []string
	for i, s := range byDoc {
		if has[i] {
			want = append(want, s)
		}
	}
	if got := columnText(t, src, f); !slices.Equal(got, want) {
		t.Fatalf("column %s:\n got %q\nwant %q", f.Name, got, want)
	}
}

func checkPoints(t *testing.T, src *bufferSource, docs []*lucene.Document, f *lucene.FieldInfo) {
	t.Helper()
	byDoc := make([][]string, len(docs))
	for i, d := range docs {
		doc := i
		if src.newDoc != nil {
			doc = int(src.newDoc[i])
		}
		for _, v := range d.Fields {
			if v.Name == f.Name && v.Point != nil {
				byDoc[doc] = append(byDoc[doc], fmt.Sprintf("%d=%x", doc, v.Point))
			}
		}
	}
	p, err := src.pointSource(f)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	if p != nil {
		if err := p.Each(func(doc int32, packed []byte) error {
			got = append(got, fmt.Sprintf("%d=%x", doc, packed))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if want := slices.Concat(byDoc...); !slices.Equal(got, want) {
		t.Fatalf("points %s:\n got %q\nwant %q", f.Name, got, want)
	}
}

func checkNorms(t *testing.T, src *bufferSource, docs []*lucene.Document, f *lucene.FieldInfo) {
	t.Helper()
	want := make([]int64, len(docs))
	for i, d := range docs {
		doc := i
		if src.newDoc != nil {
			doc = int(src.newDoc[i])
		}
		want[doc] = -1000
		n, terms := int32(0), map[string]bool{}
		has := false
		for _, v := range d.Fields {
			if v.Name != f.Name {
				continue
			}
			has = true
			for _, tok := range v.Tokens.(*tokens).list {
				n += min(tok.PositionIncrement, 1)
				terms[string(tok.Term)] = true
			}
		}
		if f.IndexOptions == lucene.IndexDocs {
			n = int32(len(terms))
		}
		if has {
			want[doc] = lengthNorm(n)
		}
	}
	got := make([]int64, len(docs))
	for i := range got {
		got[i] = -1000
	}
	it, err := src.Norms(f)
	if err != nil {
		t.Fatal(err)
	}
	for {
		doc, _ := it.Next()
		if doc == lucene.NoMoreDocs {
			break
		}
		got[doc], _ = it.Value()
	}
	if !slices.Equal(got, want) {
		t.Fatalf("norms %s:\n got %v\nwant %v", f.Name, got, want)
	}
}

func TestBufferAgainstBruteForce(t *testing.T) {
	sorts := [][]lucene.SortField{
		nil,
		{{Field: "long", Type: lucene.SortLong, Selector: lucene.SelectMin, Reverse: true}},
		{{Field: "kw", Type: lucene.SortString, Selector: lucene.SelectMax, Missing: lucene.StringLast},
			{Field: "int", Type: lucene.SortInt, Selector: lucene.SelectMax, Missing: int32(7)}},
	}
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 1))
		b := testBuffer(sorts[seed%3]...)
		var docs []*lucene.Document
		for i := range 1 + r.IntN(400) {
			d := randomDocument(r, fmt.Sprint("id", i), docOptions{vectors: true, sparse: true})
			docs = append(docs, d)
			if err := b.add([]*lucene.Document{d}); err != nil {
				t.Fatal(err)
			}
			b.seal(int64(i))
		}
		src := b.finishForTest(t)
		for _, pf := range b.list {
			f := pf.info
			if f.IndexOptions != lucene.IndexNone {
				checkPostings(t, src, docs, f.Name)
			}
			if f.HasNorms() {
				checkNorms(t, src, docs, f)
			}
			if f.DocValuesType != lucene.DocValuesNone {
				checkColumn(t, src, docs, f)
			}
			if f.PointDims > 0 {
				checkPoints(t, src, docs, f)
			}
		}
	}
}

func TestBufferRefusesDocumentsWhole(t *testing.T) {
	b := testBuffer()
	add := func(fields ...lucene.Field) error { return b.add([]*lucene.Document{{Fields: fields}}) }
	if err := add(lucene.Field{Name: "a", Type: typeKW, Term: []byte("x"), Bytes: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	var schemaErr *SchemaError
	err := add(lucene.Field{Name: "new", Type: typeNum}, lucene.Field{Name: "a", Type: typeText, Tokens: words("x")})
	if !errors.As(err, &schemaErr) || schemaErr.Field != "a" {
		t.Fatalf("another type: %v", err)
	}
	if b.schema.byName["new"] != nil || b.fields["new"] != nil || b.numDocs != 1 {
		t.Fatal("the refused document left a trace")
	}
	var immenseErr *ImmenseTermError
	if err := add(lucene.Field{Name: "a", Type: typeKW, Term: make([]byte, maxTermLength+1)}); !errors.As(err, &immenseErr) {
		t.Fatalf("a term that is too long: %v", err)
	}
	if err := add(lucene.Field{Name: "n", Type: typeNum}, lucene.Field{Name: "n", Type: typeNum}); err == nil {
		t.Fatal("two values of a numeric column are accepted")
	}
	if err := add(lucene.Field{Name: "p", Type: typeLong, Point: []byte{1}}); err == nil {
		t.Fatal("a short point is accepted")
	}
	if b.numDocs != 1 || b.numDeleted != 0 {
		t.Fatalf("%d documents, %d deleted", b.numDocs, b.numDeleted)
	}
	// a failure of the analysis is only found midway: the document is there and deleted
	boom := errors.New("boom")
	stream := words("one two")
	stream.fail = boom
	if err := add(lucene.Field{Name: "body", Type: typeText, Tokens: stream}); !errors.Is(err, boom) {
		t.Fatalf("a failing analysis: %v", err)
	}
	if b.numDocs != 2 || !b.isDeleted(1) || b.err != nil {
		t.Fatal("the document of a failing analysis is not deleted")
	}
	if err := add(lucene.Field{Name: "body", Type: typeText, Tokens: words("fine")}); err != nil || b.isDeleted(2) {
		t.Fatalf("the document after it: %v", err)
	}
}

func TestLengthNorm(t *testing.T) {
	// the values are those of Lucene's SmallFloat.intToByte4
	for n, want := range map[int32]byte{0: 0, 1: 1, 23: 23, 24: 24, 39: 39, 40: 40, 41: 40, 42: 41, 1000: 87} {
		if got := byte(lengthNorm(n)); got != want {
			t.Errorf("norm of %d tokens is %d, not %d", n, got, want)
		}
	}
	if got := byte(lengthNorm(1<<31 - 1)); got != 255 {
		t.Errorf("norm of the longest text is %d, not 255", got)
	}
}

func TestBufferDeletes(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 2))
		b, log := testBuffer(), newDeleteLog()
		alive := map[int]int{} // document → key
		seq := int64(10)
		for i := range 300 {
			key := r.IntN(40)
			term := []byte(fmt.Sprint(key))
			if err := b.add([]*lucene.Document{{Fields: []lucene.Field{{Name: "id", Type: typeID, Term: term}}}}); err != nil {
				t.Fatal(err)
			}
			if r.IntN(2) == 0 {
				for doc, k := range alive {
					if k == key {
						delete(alive, doc)
					}
				}
				log.add(seq, "id", term)
			}
			b.seal(seq)
			alive[i] = key
			seq++
		}
		snap := log.snapshot()
		b.applyDeletes(&snap)
		for i := range 300 {
			if _, ok := alive[i]; ok == b.isDeleted(int32(i)) {
				t.Fatalf("seed %d: document %d is alive: %v", seed, i, ok)
			}
		}
	}
}
