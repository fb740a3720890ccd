package norms

import (
	"bytes"
	"errors"
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

// source is norms in memory.
type source struct {
	docs  []int32
	norms []int64
	at    int
}

func (s *source) Norms(*lucene.FieldInfo) (lucene.NumericDocValues, error) {
	return &source{docs: s.docs, norms: s.norms, at: -1}, nil
}
func (s *source) DocID() int32 { return s.docs[s.at] }
func (s *source) Next() (int32, error) {
	if s.at++; s.at >= len(s.docs) {
		return lucene.NoMoreDocs, nil
	}
	return s.docs[s.at], nil
}
func (s *source) Advance(int32) (int32, error)     { return 0, errors.New("not used") }
func (s *source) AdvanceExact(int32) (bool, error) { return false, errors.New("not used") }
func (s *source) Cost() int64                      { return int64(len(s.docs)) }
func (s *source) Value() (int64, error)            { return s.norms[s.at], nil }

var field = &lucene.FieldInfo{Name: "f", Number: 7, IndexOptions: lucene.IndexDocsFreqsPositions, DocValuesGen: -1}

func state(t testing.TB, dir store.Directory, maxDoc int32) *codec.ReadState {
	t.Helper()
	fields, err := lucene.NewFieldInfos([]*lucene.FieldInfo{field})
	if err != nil {
		t.Fatal(err)
	}
	return &codec.ReadState{Dir: dir, Info: &lucene.SegmentInfo{Name: "_0", ID: lucene.ID{9}, MaxDoc: maxDoc}, Fields: fields, Access: store.Random}
}

func write(t testing.TB, s *source, maxDoc int32) *codec.ReadState {
	t.Helper()
	st := state(t, store.NewMem(), maxDoc)
	c, err := NewConsumer(&codec.WriteState{Dir: st.Dir, Info: st.Info, Fields: st.Fields})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.AddNorms(field, s), c.Close()); err != nil {
		t.Fatal(err)
	}
	return st
}

func sources(rnd *rand.Rand, maxDoc int32) map[string]*source {
	all := map[string]*source{}
	for name, gen := range map[string]func() int64{
		"constant": func() int64 { return -5 },
		"1 byte":   func() int64 { return rnd.Int64N(256) - 128 },
		"2 bytes":  func() int64 { return rnd.Int64N(1<<16) - 1<<15 },
		"4 bytes":  func() int64 { return int64(int32(rnd.Uint32())) },
		"8 bytes":  func() int64 { return int64(rnd.Uint64()) },
		"extremes": func() int64 { return []int64{math.MinInt64, math.MaxInt64}[rnd.IntN(2)] },
	} {
		for part, one := range map[string]int{"all": 1, "half": 2, "few": 100, "none": 0} {
			s := &source{}
			for doc := range maxDoc {
				if one > 0 && rnd.IntN(one) == 0 {
					s.docs = append(s.docs, doc)
					s.norms = append(s.norms, gen())
				}
			}
			all[name+", "+part] = s
		}
	}
	return all
}

func TestNorms(t *testing.T) {
	seed := uint64(testseed.Of(t))
	rnd := rand.New(rand.NewPCG(seed, 1))
	for _, maxDoc := range []int32{1, 300, 70000} {
		for name, s := range sources(rnd, maxDoc) {
			st := write(t, s, maxDoc)
			p, err := NewProducer(st)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.CheckIntegrity(); err != nil {
				t.Fatal(err)
			}
			it, err := p.Norms(field)
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range s.docs {
				doc, err := it.Next()
				if err != nil || doc != want {
					t.Fatalf("%s: document %d, not %d; %v", name, doc, want, err)
				}
				if v, err := it.Value(); err != nil || v != s.norms[i] {
					t.Fatalf("%s: norm %d, not %d; %v", name, v, s.norms[i], err)
				}
			}
			if doc, err := it.Next(); doc != lucene.NoMoreDocs || err != nil {
				t.Fatalf("%s: %d after the last; %v", name, doc, err)
			}
			if it, err = p.Norms(field); err != nil {
				t.Fatal(err)
			}
			var docs []int32
			for doc := rnd.Int32N(10); doc < maxDoc; doc += 1 + rnd.Int32N(40) {
				docs = append(docs, doc)
				i, want := slices.BinarySearch(s.docs, doc)
				got, err := it.AdvanceExact(doc)
				if err != nil || got != want {
					t.Fatalf("%s: document %d: %v, not %v; %v", name, doc, got, want, err)
				}
				if got {
					if v, err := it.Value(); err != nil || v != s.norms[i] {
						t.Fatalf("%s: norm %d, not %d; %v", name, v, s.norms[i], err)
					}
				}
			}
			values := make([]int64, len(docs))
			dense := len(s.docs) == int(maxDoc)
			ok, err := it.(lucene.NumericBatch).Values(docs, values)
			if err != nil || len(docs) > 0 && ok != dense {
				t.Fatalf("%s: batch: %v, %v", name, ok, err)
			}
			for i, doc := range docs {
				if ok && values[i] != s.norms[doc] {
					t.Fatalf("%s: batch: norm %d, not %d", name, values[i], s.norms[doc])
				}
			}
			if other, err := p.Norms(&lucene.FieldInfo{Number: 8}); other != nil || err != nil {
				t.Fatalf("a field without norms: %v, %v", other, err)
			}
		}
	}
}

func drain(p *Producer, maxDoc int32) error {
	it, err := p.Norms(field)
	if err != nil || it == nil {
		return err
	}
	last := int32(-1)
	for {
		doc, err := it.Next()
		if err != nil || doc == lucene.NoMoreDocs {
			return err
		}
		if doc <= last || doc >= maxDoc {
			return fmt.Errorf("document %d of %d after %d", doc, maxDoc, last)
		}
		last = doc
		if _, err := it.Value(); err != nil {
			return err
		}
	}
}

// damaged opens norms from bytes that no checksum protects.
func damaged(fields *lucene.FieldInfos, meta, data []byte, maxDoc int32) error {
	p := &Producer{maxDoc: maxDoc, entries: map[int32]*entry{}, data: store.NewBytesInput("f.nvd", data)}
	if err := p.readEntries(store.NewReader(store.NewBytesInput("f.nvm", meta)), fields); err != nil {
		return err
	}
	return drain(p, maxDoc)
}

func parts(t testing.TB, st *codec.ReadState) (meta, data []byte) {
	t.Helper()
	read := func(ext string) []byte {
		in, err := st.Dir.Open(st.FileName(ext), store.Random)
		if err != nil {
			t.Fatal(err)
		}
		b, err := store.Bytes(in, 0, int(in.Length()))
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Clone(b)
	}
	meta = read(metaExtension)
	return meta[codec.IndexHeaderLength(metaCodec, "") : len(meta)-codec.FooterLength], read(dataExtension)
}

func TestMutations(t *testing.T) {
	seed := uint64(testseed.Of(t))
	rnd := rand.New(rand.NewPCG(seed, 1))
	for name, s := range sources(rnd, 3000) {
		st := write(t, s, 3000)
		meta, data := parts(t, st)
		for range 200 {
			m, d := bytes.Clone(meta), bytes.Clone(data)
			m[rnd.IntN(len(m))] ^= 1 << rnd.IntN(8)
			d[rnd.IntN(len(d))] ^= 1 << rnd.IntN(8)
			if rnd.IntN(5) == 0 {
				d = d[:rnd.IntN(len(d))]
			}
			if err := damaged(st.Fields, m, d, 3000); err != nil && !store.IsCorrupt(err) {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
}

// TestDamagedFiles changes the files as they lie in the directory: the checksums find it.
func TestDamagedFiles(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	st := write(t, sources(rnd, 300)["1 byte, half"], 300)
	dir := st.Dir.(*store.MemDirectory)
	for _, ext := range []string{metaExtension, dataExtension} {
		in, err := dir.Open(st.FileName(ext), store.Random)
		if err != nil {
			t.Fatal(err)
		}
		good, err := store.Bytes(in, 0, int(in.Length()))
		if err != nil {
			t.Fatal(err)
		}
		for i := range good {
			bad := bytes.Clone(good)
			bad[i] ^= 4
			dir.Put(st.FileName(ext), bad)
			p, err := NewProducer(st)
			if err == nil {
				err = p.CheckIntegrity()
			}
			var v *codec.VersionError
			if !store.IsCorrupt(err) && !errors.As(err, &v) {
				t.Fatalf("byte %d of .%s: %v", i, ext, err)
			}
		}
		dir.Put(st.FileName(ext), good)
	}
}

func FuzzNorms(f *testing.F) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var fields *lucene.FieldInfos
	for _, s := range sources(rnd, 200) {
		st := write(f, s, 200)
		fields = st.Fields
		meta, data := parts(f, st)
		f.Add(meta, data, int32(200))
	}
	f.Fuzz(func(t *testing.T, meta, data []byte, maxDoc int32) {
		if maxDoc < 0 || maxDoc > 1<<20 {
			return
		}
		if err := damaged(fields, meta, data, maxDoc); err != nil && !store.IsCorrupt(err) {
			t.Fatal(err)
		}
	})
}

func BenchmarkValue(b *testing.B) {
	rnd := rand.New(rand.NewPCG(1, 2))
	const n = 1 << 17
	for name, s := range sources(rnd, n) {
		if name != "1 byte, all" && name != "1 byte, half" {
			continue
		}
		p, err := NewProducer(write(b, s, n))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				it, err := p.Norms(field)
				if err != nil {
					b.Fatal(err)
				}
				for _, doc := range s.docs {
					if _, err := it.AdvanceExact(doc); err != nil {
						b.Fatal(err)
					}
					if _, err := it.Value(); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(s.docs)), "ns/doc")
		})
	}
}

// TestKnownFiles compares with the worked example of docs/formats/norms.md.
func TestKnownFiles(t *testing.T) {
	st := write(t, &source{docs: []int32{0, 1, 2}, norms: []int64{5, 5, 9}}, 3)
	meta, data := parts(t, st)
	header := codec.IndexHeaderLength(dataCodec, "")
	want := append([]byte{7, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 3, 0, 0, 0, 1, byte(header)}, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff)
	if !bytes.Equal(meta, want) || header != 43 || !bytes.Equal(data[header:len(data)-codec.FooterLength], []byte{5, 5, 9}) {
		t.Fatalf("header of %d\n% x\n% x", header, meta, data)
	}
}
