package index

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/varve-search/varve/lucene"
)

// describe returns all that an index must know of a document, a line for each thing.
func describe(d *lucene.Document) []string {
	var out []string
	byName := map[string][]lucene.Field{}
	for _, f := range d.Fields {
		byName[f.Name] = append(byName[f.Name], f)
		if f.Stored.Kind != lucene.StoredNone {
			out = append(out, fmt.Sprintf("stored %s %d %x %d", f.Name, f.Stored.Kind, f.Stored.Bytes, f.Stored.Num))
		}
	}
	for name, fields := range byName {
		t := fields[0].Type
		if t.IndexOptions != lucene.IndexNone {
			out = append(out, describeTerms(name, fields)...)
		}
		out = append(out, describeColumn(name, fields)...)
		for _, f := range fields {
			if f.Point != nil {
				out = append(out, fmt.Sprintf("point %s %x", name, f.Point))
			}
		}
	}
	slices.Sort(out)
	return out
}

func describeTerms(name string, fields []lucene.Field) (out []string) {
	t := fields[0].Type
	plain, vector := map[string]string{}, map[string]string{}
	freq := map[string]int{}
	pos, off, length := int32(-1), int32(0), int32(0)
	anyPayload := false
	for _, f := range fields {
		if f.Tokens != nil {
			for _, tok := range f.Tokens.(*tokens).list {
				anyPayload = anyPayload || len(tok.Payload) > 0
			}
		}
	}
	for _, f := range fields {
		list := []lucene.Token{{Term: f.Term, PositionIncrement: 1, EndOffset: utf16Length(f.Term)}}
		if f.Tokens != nil {
			list = f.Tokens.(*tokens).list
		}
		last := int32(0)
		for _, tok := range list {
			pos += tok.PositionIncrement
			length += min(tok.PositionIncrement, 1)
			last = tok.EndOffset
			s := string(tok.Term)
			freq[s]++
			o := fmt.Sprintf("/%d-%d", off+tok.StartOffset, off+tok.EndOffset)
			if t.IndexOptions >= lucene.IndexDocsFreqsPositions {
				plain[s] += fmt.Sprintf(" %d", pos)
				if t.IndexOptions == lucene.IndexDocsFreqsPositionsOffsets {
					plain[s] += o
				}
				plain[s] += fmt.Sprintf("/%x", tok.Payload)
			} else {
				plain[s] += ""
			}
			v := " "
			if t.VectorPositions {
				v += fmt.Sprint(pos)
			}
			if t.VectorOffsets {
				v += o
			}
			if t.VectorPayloads && anyPayload {
				v += fmt.Sprintf("/%x", tok.Payload)
			}
			vector[s] += strings.TrimRight(v, " ")
		}
		if f.Tokens != nil {
			pos += t.PositionGap
			off++
		}
		off += last
	}
	for term := range plain {
		n := freq[term]
		if t.TermVectors {
			out = append(out, fmt.Sprintf("vector %s %q %d%s", name, term, n, vector[term]))
		}
		if t.IndexOptions == lucene.IndexDocs {
			n = 1
		}
		out = append(out, fmt.Sprintf("term %s %q %d%s", name, term, n, plain[term]))
	}
	if !t.OmitNorms {
		if t.IndexOptions == lucene.IndexDocs {
			length = int32(len(plain))
		}
		out = append(out, fmt.Sprintf("norm %s %d", name, lengthNorm(length)))
	}
	return out
}

func describeColumn(name string, fields []lucene.Field) []string {
	var nums []int64
	var strs []string
	for _, f := range fields {
		if f.NoDocValue {
			continue
		}
		nums = append(nums, f.Num)
		strs = append(strs, fmt.Sprintf("%x", f.Bytes))
	}
	switch fields[0].Type.DocValuesType {
	case lucene.DocValuesNone:
		return nil
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
	return []string{fmt.Sprintf("column %s %s", name, strings.Join(strs, " "))}
}

// everyPoint visits all points of a tree.
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

// describeLeaf returns the same for each live document of a segment.
func describeLeaf(t testing.TB, leaf lucene.LeafReader) [][]string {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("segment %s: %v", leaf.Segment().Info.Name, err)
		}
	}
	out := make([][]string, leaf.MaxDoc())
	add := func(doc int32, format string, args ...any) {
		out[doc] = append(out[doc], fmt.Sprintf(format, args...))
	}
	for _, f := range leaf.FieldInfos().All() {
		if f.IndexOptions != lucene.IndexNone {
			terms, err := leaf.Terms(f.Name)
			must(err)
			if terms != nil {
				it, err := terms.Iterator()
				must(err)
				eachTerm(t, f, it, func(doc int32, text string) { add(doc, "term %s %s", f.Name, text) })
			}
		}
		if f.HasNorms() {
			norms, err := leaf.Norms(f.Name)
			must(err)
			for norms != nil {
				doc, err := norms.Next()
				must(err)
				if doc == lucene.NoMoreDocs {
					break
				}
				v, err := norms.Value()
				must(err)
				add(doc, "norm %s %d", f.Name, v)
			}
		}
		if f.DocValuesType != lucene.DocValuesNone {
			for _, s := range columnText(t, leaf.DocValues(), f) {
				doc, text, _ := strings.Cut(s, "=")
				var n int32
				_, err := fmt.Sscan(doc, &n)
				must(err)
				add(n, "column %s %s", f.Name, text)
			}
		}
		if f.PointDims > 0 {
			p, err := leaf.Points(f.Name)
			must(err)
			if p != nil {
				must(p.Intersect(everyPoint{func(doc int32, packed []byte) { add(doc, "point %s %x", f.Name, packed) }}))
			}
		}
	}
	stored, vectors := leaf.StoredFields(), leaf.TermVectors()
	for doc := range leaf.MaxDoc() {
		if live := leaf.LiveDocs(); live != nil && !live.Get(doc) {
			out[doc] = nil
			continue
		}
		must(stored.Document(doc, describeStored{func(s string) { out[doc] = append(out[doc], s) }}))
		if vectors != nil {
			fields, err := vectors.Get(doc)
			must(err)
			if fields != nil {
				for _, name := range fields.FieldNames() {
					terms, err := fields.Terms(name)
					must(err)
					it, err := terms.Iterator()
					must(err)
					info := leaf.FieldInfos().ByName(name)
					eachVectorTerm(t, info, terms, it, func(text string) { add(doc, "vector %s %s", name, text) })
				}
			}
		}
		sort.Strings(out[doc])
	}
	return out
}

type describeStored struct{ fn func(string) }

func (describeStored) Needs(*lucene.FieldInfo) (lucene.VisitStatus, error) {
	return lucene.VisitYes, nil
}

func (d describeStored) Field(f *lucene.FieldInfo, v lucene.StoredValue) error {
	d.fn(fmt.Sprintf("stored %s %d %x %d", f.Name, v.Kind, v.Bytes, v.Num))
	return nil
}

func eachTerm(t testing.TB, f *lucene.FieldInfo, it lucene.TermsEnum, fn func(doc int32, text string)) {
	t.Helper()
	var reuse lucene.PostingsEnum
	for {
		term, err := it.Next()
		if err != nil {
			t.Fatal(err)
		}
		if term == nil {
			return
		}
		name := string(term)
		if reuse, err = it.Postings(reuse, lucene.PostingsAll); err != nil {
			t.Fatal(err)
		}
		for {
			doc, err := reuse.Next()
			if err != nil {
				t.Fatal(err)
			}
			if doc == lucene.NoMoreDocs {
				break
			}
			freq, err := reuse.Freq()
			if err != nil {
				t.Fatal(err)
			}
			text := fmt.Sprintf("%q %d", name, freq)
			for range freq {
				if f.IndexOptions < lucene.IndexDocsFreqsPositions {
					break
				}
				pos, err := reuse.NextPosition()
				if err != nil {
					t.Fatal(err)
				}
				text += fmt.Sprintf(" %d", pos)
				if f.IndexOptions == lucene.IndexDocsFreqsPositionsOffsets {
					text += fmt.Sprintf("/%d-%d", reuse.StartOffset(), reuse.EndOffset())
				}
				text += fmt.Sprintf("/%x", reuse.Payload())
			}
			fn(doc, text)
		}
	}
}

func eachVectorTerm(t testing.TB, f *lucene.FieldInfo, terms lucene.Terms, it lucene.TermsEnum, fn func(text string)) {
	t.Helper()
	typ := map[string]*lucene.FieldType{"offsets": typeOff, "vec": typeVec, "vecterms": typeVecT}[f.Name]
	if typ == nil { // of an index of someone else
		typ = typeOff
	}
	for {
		term, err := it.Next()
		if err != nil {
			t.Fatal(err)
		}
		if term == nil {
			return
		}
		name := string(term)
		p, err := it.Postings(nil, lucene.PostingsAll)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Next(); err != nil {
			t.Fatal(err)
		}
		freq, err := p.Freq()
		if err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprintf("%q %d", name, freq)
		for range freq {
			if !typ.VectorPositions && !typ.VectorOffsets {
				break
			}
			pos, err := p.NextPosition()
			if err != nil {
				t.Fatal(err)
			}
			text += " "
			if typ.VectorPositions {
				text += fmt.Sprint(pos)
			}
			if typ.VectorOffsets {
				text += fmt.Sprintf("/%d-%d", p.StartOffset(), p.EndOffset())
			}
			if typ.VectorPayloads && terms.HasPayloads() {
				text += fmt.Sprintf("/%x", p.Payload())
			}
		}
		fn(text)
	}
}
