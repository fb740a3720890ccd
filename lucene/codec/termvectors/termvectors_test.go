package termvectors

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"github.com/varve-search/varve/internal/testseed"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/store"
)

func seed(t testing.TB) *rand.Rand {
	return rand.New(rand.NewPCG(uint64(testseed.Of(t)), 1))
}

type occurrence struct {
	pos, start, end int32
	payload         []byte
}

type vector struct {
	field         string
	pos, off, pay bool
	terms         []string
	occurrences   [][]occurrence // of each term
}

type document []vector

func testFields(t testing.TB, numbers ...int32) *lucene.FieldInfos {
	t.Helper()
	var infos []*lucene.FieldInfo
	for i, n := range numbers {
		infos = append(infos, &lucene.FieldInfo{
			Name: fmt.Sprintf("f%02d", i), Number: n, DocValuesGen: -1, HasVectors: true, IndexOptions: lucene.IndexDocsFreqsPositionsOffsets,
		})
	}
	fis, err := lucene.NewFieldInfos(infos)
	if err != nil {
		t.Fatal(err)
	}
	return fis
}

func randomDocs(rnd *rand.Rand, n, fields int) []document {
	docs := make([]document, n)
	for i := range docs {
		if rnd.IntN(4) == 0 {
			continue
		}
		for f := range fields {
			if rnd.IntN(3) == 0 {
				docs[i] = append(docs[i], randomVector(rnd, f))
			}
		}
	}
	return docs
}

func randomVector(rnd *rand.Rand, f int) vector {
	v := vector{field: fmt.Sprintf("f%02d", f), pos: f%2 == 0 || rnd.IntN(5) == 0, off: f%3 == 0, pay: f%4 == 0}
	if !v.pos {
		v.pay = false
	}
	words := map[string][]occurrence{}
	off := int32(0)
	for p := range 1 + rnd.IntN(40) {
		w := fmt.Sprintf("word%d", rnd.IntN(30))
		if rnd.IntN(20) == 0 {
			w = string(bytes.Repeat([]byte("x"), rnd.IntN(100)))
		}
		o := occurrence{pos: int32(p * (1 + rnd.IntN(2))), start: off, end: off + int32(len(w)+rnd.IntN(2))}
		if last := words[w]; len(last) > 0 {
			o.pos = max(o.pos, last[len(last)-1].pos)
		}
		off = o.end + 1
		if rnd.IntN(3) == 0 {
			o.payload = []byte(w + "!")
		}
		words[w] = append(words[w], o)
	}
	for w := range words {
		v.terms = append(v.terms, w)
	}
	sort.Strings(v.terms)
	for _, w := range v.terms {
		v.occurrences = append(v.occurrences, words[w])
	}
	return v
}

func write(t testing.TB, docs []document, fis *lucene.FieldInfos) (*codec.ReadState, []string) {
	t.Helper()
	dir := store.NewMem()
	si := &lucene.SegmentInfo{Name: "_0", ID: lucene.NewID(), MaxDoc: int32(len(docs))}
	w, err := NewWriter(&codec.WriteState{Dir: dir, Info: si, Fields: fis})
	must(t, err)
	for _, d := range docs {
		must(t, w.StartDocument(len(d)))
		for _, v := range d {
			must(t, w.StartField(fis.ByName(v.field), len(v.terms), v.pos, v.off, v.pay))
			for i, term := range v.terms {
				must(t, w.StartTerm([]byte(term), int32(len(v.occurrences[i]))))
				for _, o := range v.occurrences[i] {
					if v.pos || v.off || v.pay {
						must(t, w.Position(o.pos, o.start, o.end, o.payload))
					}
				}
			}
		}
		must(t, w.FinishDocument())
	}
	must(t, w.Finish(int32(len(docs))))
	must(t, w.Close())
	return &codec.ReadState{Dir: dir, Info: si, Fields: fis}, w.Files()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func checkDoc(t testing.TB, got lucene.Fields, want document) {
	t.Helper()
	if len(want) == 0 {
		if got != nil {
			t.Fatalf("got fields %v of a document without vectors", got.FieldNames())
		}
		return
	}
	var names []string
	for _, v := range want {
		names = append(names, v.field)
	}
	if !slices.Equal(got.FieldNames(), names) {
		t.Fatalf("got fields %v, want %v", got.FieldNames(), names)
	}
	var reuse lucene.PostingsEnum
	for _, v := range want {
		terms, err := got.Terms(v.field)
		must(t, err)
		if terms.Size() != int64(len(v.terms)) || terms.HasPayloads() != v.pay {
			t.Fatalf("%s: %d terms, payloads %v; want %d, %v", v.field, terms.Size(), terms.HasPayloads(), len(v.terms), v.pay)
		}
		it, err := terms.Iterator()
		must(t, err)
		for i, w := range v.terms {
			term, err := it.Next()
			must(t, err)
			if string(term) != w || string(it.Term()) != w {
				t.Fatalf("%s: got term %q, want %q", v.field, term, w)
			}
			reuse, err = it.Postings(reuse, lucene.PostingsAll)
			must(t, err)
			if d, _ := reuse.Next(); d != 0 {
				t.Fatalf("document %d", d)
			}
			freq, _ := reuse.Freq()
			if int(freq) != len(v.occurrences[i]) {
				t.Fatalf("%s %q: freq %d, want %d", v.field, w, freq, len(v.occurrences[i]))
			}
			for _, o := range v.occurrences[i] {
				pos, err := reuse.NextPosition()
				must(t, err)
				want := o
				if !v.pos {
					want.pos = -1
				}
				if !v.off {
					want.start, want.end = -1, -1
				}
				if !v.pay {
					want.payload = nil
				}
				if pos != want.pos || reuse.StartOffset() != want.start || reuse.EndOffset() != want.end || !bytes.Equal(reuse.Payload(), want.payload) {
					t.Fatalf("%s %q: got %d %d %d %q, want %+v", v.field, w, pos, reuse.StartOffset(), reuse.EndOffset(), reuse.Payload(), want)
				}
			}
			if _, err := reuse.NextPosition(); err == nil {
				t.Fatal("a position too many is no error")
			}
		}
		if term, err := it.Next(); term != nil || err != nil {
			t.Fatalf("a term too many: %q, %v", term, err)
		}
		for _, w := range v.terms {
			if ok, err := it.SeekExact([]byte(w)); !ok || err != nil {
				t.Fatalf("%s: %q is not found: %v", v.field, w, err)
			}
		}
		if s, err := it.SeekCeil([]byte("~")); s != lucene.SeekEnd || err != nil {
			t.Fatalf("seek behind all: %v, %v", s, err)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	rnd := seed(t)
	for _, n := range []int{1, 2, 127, 128, 129, 1000} {
		for _, nf := range []int{1, 7, 8, 9, 20} {
			numbers := make([]int32, nf)
			for i, p := range rnd.Perm(nf) {
				numbers[i] = int32(p * (1 + rnd.IntN(2)*0 + 3))
			}
			docs := randomDocs(rnd, n, nf)
			fis := testFields(t, numbers...)
			state, _ := write(t, docs, fis)
			r, err := Open(state)
			must(t, err)
			must(t, r.CheckIntegrity())
			tv := r.Vectors()
			for i := range docs {
				got, err := tv.Get(int32(i))
				must(t, err)
				checkDoc(t, got, docs[i])
			}
			for _, i := range rnd.Perm(n)[:min(n, 40)] {
				got, err := tv.Get(int32(i))
				must(t, err)
				checkDoc(t, got, docs[i])
			}
			must(t, r.Close())
		}
	}
}

func TestCopy(t *testing.T) {
	rnd := seed(t)
	for range 12 {
		target := testFields(t, 0, 1, 2, 3, 4)
		dir := store.NewMem()
		si := &lucene.SegmentInfo{Name: "_m", ID: lucene.NewID()}
		w, err := NewWriter(&codec.WriteState{Dir: dir, Info: si, Fields: target})
		must(t, err)
		var want []document
		for range 1 + rnd.IntN(3) {
			fis := target
			if rnd.IntN(2) == 0 {
				fis = testFields(t, 9, 7, 5, 3, 1)
			}
			docs := randomDocs(rnd, 1+rnd.IntN(3000), 5)
			state, _ := write(t, docs, fis)
			r, err := Open(state)
			must(t, err)
			c, err := NewCopier(w, r, fis, target)
			must(t, err)
			step := len(docs)
			if rnd.IntN(2) == 0 {
				step = 1 + rnd.IntN(len(docs))
			}
			for at := 0; at < len(docs); at += step {
				end := min(len(docs), at+step)
				must(t, c.Copy(int32(at), int32(end)))
				want = append(want, docs[at:end]...)
			}
		}
		none, err := NewCopier(w, nil, target, target)
		must(t, err)
		must(t, none.Copy(0, 3))
		want = append(want, nil, nil, nil)
		must(t, w.Finish(int32(len(want))))
		must(t, w.Close())
		si.MaxDoc = int32(len(want))
		r, err := Open(&codec.ReadState{Dir: dir, Info: si, Fields: target})
		must(t, err)
		tv := r.Vectors()
		for i := range want {
			got, err := tv.Get(int32(i))
			must(t, err)
			checkDoc(t, got, want[i])
		}
		must(t, r.Close())
	}
}

// readAll reads everything there is.
func readAll(state *codec.ReadState) error {
	r, err := Open(state)
	if err != nil {
		return err
	}
	defer r.Close()
	tv := r.Vectors()
	for i := range state.Info.MaxDoc {
		f, err := tv.Get(i)
		if err != nil {
			tv = r.Vectors()
			continue
		}
		if f == nil {
			continue
		}
		w, err := NewWriter(&codec.WriteState{Dir: store.NewMem(), Info: state.Info})
		if err != nil {
			return err
		}
		_ = Add(w, f, state.Fields)
	}
	return r.CheckIntegrity()
}

func TestDamage(t *testing.T) {
	rnd := seed(t)
	docs := randomDocs(rnd, 150, 5)
	state, files := write(t, docs, testFields(t, 0, 1, 2, 3, 4))
	mem := state.Dir.(*store.MemDirectory)
	for round := range 450 {
		name := files[round%len(files)]
		in, err := mem.Open(name, store.Random)
		must(t, err)
		good, err := store.Bytes(in, 0, int(in.Length()))
		must(t, err)
		bad := bytes.Clone(good)
		if rnd.IntN(5) == 0 {
			bad = bad[:rnd.IntN(len(bad))]
		} else {
			bad[rnd.IntN(len(bad))] ^= 1 << rnd.IntN(8)
		}
		mem.Put(name, bad)
		if err := readAll(state); err == nil {
			t.Errorf("damage of %s goes unnoticed", name)
		}
		mem.Put(name, good)
	}
}

func FuzzChunk(f *testing.F) {
	fis := testFields(f, 0, 1, 2, 3, 4)
	state, _ := write(f, randomDocs(rand.New(rand.NewPCG(1, 1)), 20, 5), fis)
	r, err := Open(state)
	must(f, err)
	h := codec.IndexHeaderLength(dataCodec, "")
	b, err := store.Bytes(r.data, h, int(r.data.Length()-h-codec.FooterLength))
	must(f, err)
	f.Add(uint16(20), b)
	f.Add(uint16(1), []byte{0, 2, 1, 1, 0})
	f.Fuzz(func(t *testing.T, docs uint16, b []byte) {
		if docs == 0 || len(b) == 0 {
			return
		}
		c := &chunk{}
		c.Docs = int32(docs)
		if err := c.read(store.NewReader(store.NewBytesInput("fuzz", b)), fis); err != nil {
			return
		}
		for i := range c.docFields[:docs] {
			d := &fields{chunk: c, from: int(c.docFields[i]), to: int(c.docFields[i+1])}
			w, err := NewWriter(&codec.WriteState{Dir: store.NewMem(), Info: &lucene.SegmentInfo{Name: "_0"}})
			must(t, err)
			_ = Add(w, d, fis)
		}
	})
}

func FuzzBlocks(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4}, []byte{5})
	f.Fuzz(func(t *testing.T, raw, more []byte) {
		var v []int32
		for i := 0; i+4 <= len(raw); i += 4 {
			v = append(v, int32(uint32(raw[i])|uint32(raw[i+1])<<8|uint32(raw[i+2])<<16|uint32(raw[i+3])<<24)>>(raw[i]%32))
		}
		out := store.NewBuffer()
		putBlocks(out, v)
		got, err := readBlocks(store.NewReader(store.NewBytesInput("x", out.Data())), nil, len(v))
		if err != nil || !slices.Equal(got, v) {
			t.Fatalf("got %v, %v; want %v", got, err, v)
		}
		_, _ = readBlocks(store.NewReader(store.NewBytesInput("x", more)), nil, len(raw))
	})
}
