package storedfields

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/varve-search/varve/internal/testseed"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/store"
)

type value struct {
	field string
	lucene.StoredValue
}

type collector struct {
	got  []value
	skip string
	stop string
}

func (c *collector) Needs(f *lucene.FieldInfo) (lucene.VisitStatus, error) {
	switch f.Name {
	case c.skip:
		return lucene.VisitNo, nil
	case c.stop:
		return lucene.VisitStop, nil
	}
	return lucene.VisitYes, nil
}

func (c *collector) Field(f *lucene.FieldInfo, v lucene.StoredValue) error {
	v.Bytes = bytes.Clone(v.Bytes)
	c.got = append(c.got, value{f.Name, v})
	return nil
}

func testFields(t testing.TB, numbers ...int32) *lucene.FieldInfos {
	t.Helper()
	var infos []*lucene.FieldInfo
	for i, n := range numbers {
		infos = append(infos, &lucene.FieldInfo{Name: string(rune('a' + i)), Number: n, DocValuesGen: -1})
	}
	fis, err := lucene.NewFieldInfos(infos)
	if err != nil {
		t.Fatal(err)
	}
	return fis
}

func seed(t testing.TB) *rand.Rand {
	return rand.New(rand.NewPCG(uint64(testseed.Of(t)), 1))
}

func randomValue(rnd *rand.Rand) lucene.StoredValue {
	v := lucene.StoredValue{Kind: lucene.StoredKind(1 + rnd.IntN(6))}
	switch v.Kind {
	case lucene.StoredString, lucene.StoredBytes:
		n := rnd.IntN(60)
		switch rnd.IntN(3000) {
		case 0:
			n = 200_000 + rnd.IntN(100_000)
		case 1:
			n = 1_100_000
		}
		v.Bytes = make([]byte, n)
		for i := range v.Bytes {
			v.Bytes[i] = "abcdefgh"[rnd.IntN(1+rnd.IntN(8))]
		}
	case lucene.StoredInt:
		v.Num = int64(int32(rnd.Uint32()) >> rnd.IntN(32))
	case lucene.StoredLong:
		v.Num = int64(rnd.Uint64())>>rnd.IntN(64)/86400000*units[rnd.IntN(4)] + int64(rnd.IntN(2))
	case lucene.StoredFloat:
		f := []float32{0, float32(math.Copysign(0, -1)), -1, 125, 126, -2, 0.5, -0.5, math.MaxFloat32, float32(math.Inf(-1)), float32(rnd.IntN(300) - 100), rnd.Float32()}[rnd.IntN(12)]
		v.Num = int64(math.Float32bits(f))
	case lucene.StoredDouble:
		f := []float64{0, math.Copysign(0, -1), -1, 124, 125, -2, 0.5, 0.1, -0.1, math.MaxFloat64, math.Inf(1), float64(rnd.IntN(300) - 100), rnd.Float64()}[rnd.IntN(13)]
		v.Num = int64(math.Float64bits(f))
	}
	return v
}

type corpus [][]value

func randomCorpus(rnd *rand.Rand, n int) corpus {
	docs := make(corpus, n)
	for i := range docs {
		for range rnd.IntN(6) {
			docs[i] = append(docs[i], value{string(rune('a' + rnd.IntN(4))), randomValue(rnd)})
		}
	}
	return docs
}

func write(t testing.TB, mode Mode, docs corpus, fields *lucene.FieldInfos) (*codec.ReadState, []string) {
	t.Helper()
	dir := store.NewMem()
	si := &lucene.SegmentInfo{Name: "_0", ID: lucene.NewID(), MaxDoc: int32(len(docs)), Codec: "Lucene912"}
	w, err := NewWriter(&codec.WriteState{Dir: dir, Info: si, Fields: fields}, mode)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range docs {
		if err := w.StartDocument(); err != nil {
			t.Fatal(err)
		}
		for _, v := range d {
			if err := w.Field(fields.ByName(v.field), v.StoredValue); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.FinishDocument(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Finish(int32(len(docs))); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &codec.ReadState{Dir: dir, Info: si, Fields: fields}, w.Files()
}

func checkDocs(t testing.TB, r *Reader, docs corpus, order []int) {
	t.Helper()
	sf := r.Fields()
	for _, i := range order {
		var c collector
		if err := sf.Document(int32(i), &c); err != nil {
			t.Fatalf("document %d: %v", i, err)
		}
		if !slices.EqualFunc(c.got, docs[i], func(a, b value) bool {
			return a.field == b.field && a.Kind == b.Kind && a.Num == b.Num && bytes.Equal(a.Bytes, b.Bytes)
		}) {
			t.Fatalf("document %d: got %.300v, want %.300v", i, c.got, docs[i])
		}
	}
}

func TestRoundTrip(t *testing.T) {
	rnd := seed(t)
	for _, mode := range []Mode{BestSpeed, BestCompression} {
		for _, n := range []int{1, 2, 127, 129, 1024, 1025, 6000} {
			t.Run(fmt.Sprint(mode, n), func(t *testing.T) {
				docs := randomCorpus(rnd, n)
				state, _ := write(t, mode, docs, testFields(t, 3, 0, 7, 200))
				r, err := Open(state)
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				if err := r.CheckIntegrity(); err != nil {
					t.Fatal(err)
				}
				order := rnd.Perm(n)
				checkDocs(t, r, docs, order[:min(n, 300)])
				for i := range order {
					order[i] = i
				}
				checkDocs(t, r, docs, order)
				if err := r.Fields().Document(int32(n), &collector{}); err == nil {
					t.Error("a document beyond the last is no error")
				}
			})
		}
	}
}

func TestVisitor(t *testing.T) {
	docs := corpus{{
		{"a", lucene.StoredValue{Kind: lucene.StoredString, Bytes: []byte("one")}},
		{"b", lucene.StoredValue{Kind: lucene.StoredLong, Num: 86400000 * 5}},
		{"c", lucene.StoredValue{Kind: lucene.StoredInt, Num: -7}},
		{"d", lucene.StoredValue{Kind: lucene.StoredBytes, Bytes: []byte{0, 1}}},
	}}
	state, _ := write(t, BestSpeed, docs, testFields(t, 0, 1, 2, 3))
	r, err := Open(state)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, c := range []struct {
		skip, stop, want string
	}{{"a", "", "bcd"}, {"d", "", "abc"}, {"", "c", "ab"}, {"b", "d", "ac"}} {
		v := collector{skip: c.skip, stop: c.stop}
		if err := r.Fields().Document(0, &v); err != nil {
			t.Fatal(err)
		}
		var got string
		for _, x := range v.got {
			got += x.field
		}
		if got != c.want {
			t.Errorf("skip %q, stop %q: got %s, want %s", c.skip, c.stop, got, c.want)
		}
	}
}

// TestCopy merges segments of either mode, with the same and with other field numbers, in whole and in parts.
func TestCopy(t *testing.T) {
	rnd := seed(t)
	for round := range 16 {
		target := testFields(t, 0, 1, 2, 3)
		mode := Mode(1 + round%2)
		dir := store.NewMem()
		si := &lucene.SegmentInfo{Name: "_m", ID: lucene.NewID(), Codec: "Lucene912"}
		w, err := NewWriter(&codec.WriteState{Dir: dir, Info: si, Fields: target}, mode)
		if err != nil {
			t.Fatal(err)
		}
		var want corpus
		for range 1 + rnd.IntN(3) {
			fields := target
			if rnd.IntN(3) == 0 {
				fields = testFields(t, 5, 4, 2, 9)
			}
			docs := randomCorpus(rnd, 1+rnd.IntN(12_000))
			state, _ := write(t, Mode(1+rnd.IntN(2)), docs, fields)
			r, err := Open(state)
			if err != nil {
				t.Fatal(err)
			}
			c, err := NewCopier(w, r, fields, target)
			if err != nil {
				t.Fatal(err)
			}
			step := len(docs)
			if rnd.IntN(2) == 0 {
				step = 1 + rnd.IntN(len(docs))
			}
			for at := 0; at < len(docs); at += step {
				end := min(len(docs), at+step)
				if rnd.IntN(3) == 0 { // the first of them is deleted
					at++
				}
				if at < end {
					if err := c.Copy(int32(at), int32(end)); err != nil {
						t.Fatal(err)
					}
					want = append(want, docs[at:end]...)
				}
				at = end - step
			}
		}
		if err := w.Finish(int32(len(want))); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if len(want) == 0 {
			continue
		}
		si.MaxDoc = int32(len(want))
		r, err := Open(&codec.ReadState{Dir: dir, Info: si, Fields: target})
		if err != nil {
			t.Fatal(err)
		}
		order := make([]int, len(want))
		for i := range order {
			order[i] = i
		}
		checkDocs(t, r, want, order)
		r.Close()
	}
}

// TestDamage flips bytes and truncates, at which nothing may panic, and every flip must be noticed at
// last by the checksums.
func TestDamage(t *testing.T) {
	rnd := seed(t)
	for _, mode := range []Mode{BestSpeed, BestCompression} {
		docs := randomCorpus(rnd, 250)
		for _, d := range docs {
			for i := range d {
				d[i].Bytes = d[i].Bytes[:min(len(d[i].Bytes), 2000)]
			}
		}
		docs[100] = append(docs[100], value{"b", lucene.StoredValue{Kind: lucene.StoredBytes, Bytes: bytes.Repeat([]byte("sliced"), 1+mode.info().chunkSize/2)}})
		state, files := write(t, mode, docs, testFields(t, 0, 1, 2, 3))
		mem := state.Dir.(*store.MemDirectory)
		for round := range 600 {
			name := files[round%len(files)]
			in, err := mem.Open(name, store.Random)
			if err != nil {
				t.Fatal(err)
			}
			good, _ := store.Bytes(in, 0, int(in.Length()))
			bad := bytes.Clone(good)
			if rnd.IntN(5) == 0 {
				bad = bad[:rnd.IntN(len(bad))]
			} else {
				bad[rnd.IntN(len(bad))] ^= 1 << rnd.IntN(8)
			}
			mem.Put(name, bad)
			if err := readAll(state, len(docs)); err == nil {
				t.Errorf("%s: damage of %s goes unnoticed", mode, name)
			}
			mem.Put(name, good)
		}
	}
}

func readAll(state *codec.ReadState, n int) error {
	r, err := Open(state)
	if err != nil {
		return err
	}
	defer r.Close()
	sf := r.Fields()
	for i := range n {
		if i%100 == 50 {
			sf = r.Fields()
		}
		_ = sf.Document(int32(i), &collector{})
	}
	return r.CheckIntegrity()
}

func FuzzChunk(f *testing.F) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for _, mode := range []Mode{BestSpeed, BestCompression} {
		state, _ := write(f, mode, randomCorpus(rnd, 40), testFields(f, 0, 1, 2, 3))
		r, err := Open(state)
		if err != nil {
			f.Fatal(err)
		}
		h := codec.IndexHeaderLength(mode.info().codec, "")
		b, err := store.Bytes(r.data, h, int(r.data.Length()-h-codec.FooterLength))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(mode == BestSpeed, uint16(40), b)
	}
	f.Fuzz(func(t *testing.T, fast bool, docs uint16, chunk []byte) {
		mode := BestCompression
		if fast {
			mode = BestSpeed
		}
		if docs == 0 || len(chunk) == 0 {
			return
		}
		dir := store.NewMem()
		si := &lucene.SegmentInfo{Name: "_0", ID: lucene.NewID(), MaxDoc: int32(docs)}
		w, err := NewWriter(&codec.WriteState{Dir: dir, Info: si}, mode)
		if err != nil {
			t.Fatal(err)
		}
		w.index.Add(int32(docs), w.data.FilePointer())
		w.chunks++
		w.docBase = int32(docs)
		w.data.PutBytes(chunk)
		if err := w.Finish(int32(docs)); err != nil {
			t.Fatal(err)
		}
		w.Close()
		r, err := Open(&codec.ReadState{Dir: dir, Info: si, Fields: testFields(t, 0, 1, 2, 3)})
		if err != nil {
			t.Fatal(err)
		}
		sf := r.Fields()
		for i := range min(int32(docs), 100) {
			_ = sf.Document(i, &collector{})
		}
	})
}

func BenchmarkWrite(b *testing.B) {
	for _, mode := range []Mode{BestSpeed, BestCompression} {
		b.Run(mode.String(), func(b *testing.B) {
			docs := make(corpus, 2000)
			n := 0
			for i := range docs {
				s := fmt.Sprintf(`{"package":"lib%d","version":"%d.%d","section":"libs","size":%d,"description":"shared library number %d of many"}`, i*7, i%9, i%13, i*i, i)
				docs[i] = []value{{"a", lucene.StoredValue{Kind: lucene.StoredBytes, Bytes: []byte(s)}}}
				n += len(s)
			}
			b.SetBytes(int64(n))
			for b.Loop() {
				write(b, mode, docs, testFields(b, 0))
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	for _, mode := range []Mode{BestSpeed, BestCompression} {
		docs := randomCorpus(rand.New(rand.NewPCG(1, 2)), 20_000)
		state, _ := write(b, mode, docs, testFields(b, 0, 1, 2, 3))
		r, err := Open(state)
		if err != nil {
			b.Fatal(err)
		}
		for _, random := range []bool{true, false} {
			b.Run(fmt.Sprintf("%s/random=%v", mode, random), func(b *testing.B) {
				sf := r.Fields()
				rnd := rand.New(rand.NewPCG(1, 2))
				c := collector{skip: "a"}
				i := 0
				for b.Loop() {
					doc := i % len(docs)
					if random {
						doc = rnd.IntN(len(docs))
					}
					c.got = c.got[:0]
					if err := sf.Document(int32(doc), &c); err != nil {
						b.Fatal(err)
					}
					i++
				}
			})
		}
	}
}
