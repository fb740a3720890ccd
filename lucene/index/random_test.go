package index

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/varve-search/varve/lucene"
)

// tokens is a TokenStream over a list.
type tokens struct {
	list []lucene.Token
	at   int
	cur  lucene.Token
	fail error // instead of the last token
}

func (t *tokens) Next() (bool, error) {
	if t.at == len(t.list) {
		return false, t.fail
	}
	t.cur = t.list[t.at]
	t.at++
	return true, nil
}

func (t *tokens) Token() *lucene.Token { return &t.cur }

func (t *tokens) End() (int32, int32) {
	if len(t.list) == 0 {
		return 0, 0
	}
	return t.list[len(t.list)-1].EndOffset, 0
}

// words makes a stream of the words of s, at times two at one place.
func words(s string) *tokens {
	t := &tokens{}
	off := int32(0)
	for _, w := range strings.Fields(s) {
		inc := int32(1)
		if strings.HasPrefix(w, "+") && len(t.list) > 0 {
			w, inc = w[1:], 0
			off = t.list[len(t.list)-1].StartOffset
		}
		tok := lucene.Token{Term: []byte(w), StartOffset: off, EndOffset: off + int32(len(w)), PositionIncrement: inc, PositionLength: 1}
		if strings.HasPrefix(w, "p") {
			tok.Payload = []byte(w[:1+len(w)/2])
		}
		t.list = append(t.list, tok)
		off += int32(len(w)) + 1
	}
	return t
}

// The types of the fields that random documents have.
var (
	typeID     = &lucene.FieldType{IndexOptions: lucene.IndexDocs, OmitNorms: true}
	typeStored = &lucene.FieldType{}
	typeText   = &lucene.FieldType{IndexOptions: lucene.IndexDocsFreqsPositions, PositionGap: 100}
	typeOff    = &lucene.FieldType{IndexOptions: lucene.IndexDocsFreqsPositionsOffsets, TermVectors: true, VectorPositions: true, VectorOffsets: true, VectorPayloads: true}
	typeVec    = &lucene.FieldType{IndexOptions: lucene.IndexDocsFreqsPositions, OmitNorms: true, TermVectors: true, VectorOffsets: true}
	typeVecT   = &lucene.FieldType{IndexOptions: lucene.IndexDocs, OmitNorms: true, TermVectors: true}
	typeFreqs  = &lucene.FieldType{IndexOptions: lucene.IndexDocsAndFreqs}
	typeDocsN  = &lucene.FieldType{IndexOptions: lucene.IndexDocs}
	typeKW     = &lucene.FieldType{IndexOptions: lucene.IndexDocs, OmitNorms: true, DocValuesType: lucene.DocValuesSortedSet}
	typeSorted = &lucene.FieldType{DocValuesType: lucene.DocValuesSorted}
	typeNum    = &lucene.FieldType{DocValuesType: lucene.DocValuesNumeric}
	typeLong   = &lucene.FieldType{DocValuesType: lucene.DocValuesSortedNumeric, PointDims: 1, PointIndexDims: 1, PointBytes: 8}
	typeInt    = &lucene.FieldType{DocValuesType: lucene.DocValuesSortedNumeric, PointDims: 1, PointIndexDims: 1, PointBytes: 4}
	typeBin    = &lucene.FieldType{DocValuesType: lucene.DocValuesBinary}
	typeIP     = &lucene.FieldType{DocValuesType: lucene.DocValuesSortedSet, PointDims: 1, PointIndexDims: 1, PointBytes: 16}
	typeGeo    = &lucene.FieldType{DocValuesType: lucene.DocValuesSortedNumeric, PointDims: 2, PointIndexDims: 2, PointBytes: 4}
	typeRange  = &lucene.FieldType{DocValuesType: lucene.DocValuesBinary, PointDims: 4, PointIndexDims: 2, PointBytes: 4}
)

func randomWords(r *rand.Rand, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(' ')
			if r.IntN(12) == 0 {
				b.WriteByte('+')
			}
		}
		switch r.IntN(8) {
		case 0:
			fmt.Fprintf(&b, "p%d", r.IntN(20))
		case 1:
			fmt.Fprintf(&b, "rare%d", r.IntN(100000))
		case 2:
			b.WriteString(strings.Repeat("ü", 1+r.IntN(5)))
		default:
			fmt.Fprintf(&b, "w%d", int(math.Abs(r.NormFloat64())*12))
		}
	}
	return b.String()
}

func sortableBytes(v int64) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(v)^1<<63)
}

func sortableBytes4(v int32) []byte {
	return binary.BigEndian.AppendUint32(nil, uint32(v)^1<<31)
}

func str(s string) lucene.StoredValue {
	return lucene.StoredValue{Kind: lucene.StoredString, Bytes: []byte(s)}
}

// docOptions says which fields random documents may have.
type docOptions struct{ vectors, sparse bool }

// randomDocument makes a document; its stored fields are returned as one text by which it can be recognised.
func randomDocument(r *rand.Rand, id string, o docOptions) *lucene.Document {
	d := &lucene.Document{}
	add := func(f lucene.Field) { d.Fields = append(d.Fields, f) }
	add(lucene.Field{Name: "id", Type: typeID, Term: []byte(id), Stored: str(id)})
	add(lucene.Field{Name: "version", Type: typeNum, Num: r.Int64N(5)})
	if r.IntN(10) > 0 {
		for range 1 + r.IntN(2) {
			text := randomWords(r, r.IntN(30))
			add(lucene.Field{Name: "body", Type: typeText, Tokens: words(text), Stored: str(text)})
		}
	}
	if r.IntN(3) == 0 {
		add(lucene.Field{Name: "tags", Type: typeFreqs, Tokens: words(randomWords(r, r.IntN(6)))})
		add(lucene.Field{Name: "title", Type: typeDocsN, Tokens: words(randomWords(r, 1+r.IntN(6)))})
	}
	if o.vectors && r.IntN(3) > 0 {
		for range 1 + r.IntN(2) {
			add(lucene.Field{Name: "offsets", Type: typeOff, Tokens: words(randomWords(r, r.IntN(12)))})
		}
		if r.IntN(2) == 0 {
			add(lucene.Field{Name: "vec", Type: typeVec, Tokens: words(randomWords(r, r.IntN(12)))})
		}
		add(lucene.Field{Name: "vecterms", Type: typeVecT, Term: []byte(fmt.Sprint("t", r.IntN(9)))})
	}
	for range r.IntN(4) {
		kw := []byte(fmt.Sprintf("kw-%d", r.IntN(50)))
		add(lucene.Field{Name: "kw", Type: typeKW, Term: kw, Bytes: kw})
	}
	if r.IntN(4) > 0 {
		add(lucene.Field{Name: "sorted", Type: typeSorted, Bytes: []byte(fmt.Sprintf("s%d", r.IntN(1000)))})
	}
	for range 1 + r.IntN(2) {
		v := r.Int64N(1 << uint(1+r.IntN(60)))
		add(lucene.Field{Name: "long", Type: typeLong, Num: v, Point: sortableBytes(v), Stored: lucene.StoredValue{Kind: lucene.StoredLong, Num: v}})
	}
	if r.IntN(2) == 0 {
		v := int32(r.IntN(100)) - 50
		add(lucene.Field{Name: "int", Type: typeInt, Num: int64(v), Point: sortableBytes4(v), Stored: lucene.StoredValue{Kind: lucene.StoredInt, Num: int64(v)}})
		add(lucene.Field{Name: "double", Type: typeStored, Stored: lucene.StoredValue{Kind: lucene.StoredDouble, Num: int64(math.Float64bits(r.Float64()))}})
	}
	if r.IntN(3) == 0 {
		b := make([]byte, r.IntN(40))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		add(lucene.Field{Name: "bin", Type: typeBin, Bytes: b, Stored: lucene.StoredValue{Kind: lucene.StoredBytes, Bytes: b}})
	}
	for range r.IntN(3) {
		ip := make([]byte, 16)
		ip[10], ip[11], ip[12], ip[15] = 0xff, 0xff, 10, byte(r.IntN(256))
		add(lucene.Field{Name: "ip", Type: typeIP, Bytes: ip, Point: ip})
	}
	if r.IntN(2) == 0 {
		lat, lon := r.Int32(), -r.Int32()
		add(lucene.Field{Name: "geo", Type: typeGeo, Num: int64(lat)<<32 | int64(uint32(lon)), Point: slices.Concat(sortableBytes4(lat), sortableBytes4(lon))})
	}
	if r.IntN(3) == 0 {
		a, b, c, e := r.Int32(), r.Int32(), r.Int32(), r.Int32()
		p := slices.Concat(sortableBytes4(a), sortableBytes4(b), sortableBytes4(c), sortableBytes4(e))
		add(lucene.Field{Name: "range", Type: typeRange, Bytes: p, Point: p})
	}
	if o.sparse && r.IntN(8) == 0 {
		n := r.IntN(30)
		switch n % 3 {
		case 0:
			add(lucene.Field{Name: fmt.Sprint("dyn", n), Type: typeText, Tokens: words(randomWords(r, 3))})
		case 1:
			add(lucene.Field{Name: fmt.Sprint("dyn", n), Type: typeNum, Num: int64(n)})
		case 2:
			add(lucene.Field{Name: fmt.Sprint("dyn", n), Type: typeKW, Term: []byte("x"), Bytes: []byte("x")})
		}
	}
	return d
}

// rewind makes the token streams of a document usable again.
func rewind(d *lucene.Document) {
	for _, f := range d.Fields {
		if t, ok := f.Tokens.(*tokens); ok {
			t.at = 0
		}
	}
}
