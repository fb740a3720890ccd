package packed

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/varve-search/varve/internal/testseed"
	"github.com/varve-search/varve/lucene/store"
)

// windowed is an input that is not resident and shows as little as it may.
type windowed struct {
	store.Input
	size int
}

func (w windowed) Window(off int64, min int) ([]byte, error) {
	n := max(min, w.size)
	if rest := w.Length() - off; int64(n) > rest {
		n = max(min, int(rest))
	}
	b, err := store.Bytes(w.Input, off, n)
	return append([]byte(nil), b...), err
}

func (w windowed) Slice(off, n int64) (store.Input, error) {
	in, err := w.Input.Slice(off, n)
	return windowed{in, w.size}, err
}

func random(rnd *rand.Rand, width int) int64 {
	return int64(rnd.Uint64() & (^uint64(0) >> (64 - uint(width))))
}

func TestDirect(t *testing.T) {
	seed := uint64(testseed.Of(t))
	rnd := rand.New(rand.NewPCG(seed, 1))
	for _, width := range widths {
		for _, n := range []int{0, 1, 2, 7, 8, 9, 63, 64, 511, 512, 513, 3000} {
			want := make([]int64, n)
			out := store.NewBuffer()
			out.PutBytes([]byte("before"))
			w := NewDirectWriter(out, int64(n), width)
			for i := range want {
				want[i] = random(rnd, width)
				w.Add(want[i])
			}
			if err := w.Finish(); err != nil {
				t.Fatal(err)
			}
			in := store.Input(store.NewBytesInput("f", out.Data()))
			for _, in := range []store.Input{in, windowed{in, 1}, windowed{in, 50}, windowed{in, 1000}} {
				d, err := NewDirect(in, 6, width, int64(n))
				if err != nil {
					t.Fatal(err)
				}
				for range 200 {
					if n == 0 {
						break
					}
					i := rnd.IntN(n)
					if v, err := d.Get(int64(i)); err != nil || v != want[i] {
						t.Fatalf("width %d: value %d of %d is %d, not %d; %v", width, i, n, v, want[i], err)
					}
				}
				for range 20 {
					from := rnd.IntN(n + 1)
					got := make([]int64, rnd.IntN(n-from+1))
					if err := d.Fill(got, int64(from)); err != nil {
						t.Fatal(err)
					}
					for i, v := range got {
						if v != want[from+i] {
							t.Fatalf("width %d: filled value %d of %d is %d, not %d", width, from+i, n, v, want[from+i])
						}
					}
					var docs []int32
					step := 1 + rnd.IntN(3)
					for doc := from; doc < n; doc += 1 + rnd.IntN(step) {
						docs = append(docs, int32(doc)+1000)
					}
					got = make([]int64, len(docs))
					if err := d.Gather(got, docs, 1000); err != nil {
						t.Fatal(err)
					}
					for i, doc := range docs {
						if got[i] != want[doc-1000] {
							t.Fatalf("width %d: gathered value %d of %d is %d, not %d", width, doc-1000, n, got[i], want[doc-1000])
						}
					}
				}
				for _, i := range []int64{-1, int64(n), math.MaxInt64, math.MinInt64} {
					if _, err := d.Get(i); !store.IsCorrupt(err) {
						t.Fatalf("value %d of %d: %v", i, n, err)
					}
				}
				if err := d.Fill(make([]int64, 2), int64(n)-1); !store.IsCorrupt(err) {
					t.Fatalf("filled beyond the end: %v", err)
				}
			}
		}
	}
}

func TestDirectRefuses(t *testing.T) {
	in := store.NewBytesInput("f", make([]byte, 100))
	for _, c := range []struct {
		off   int64
		width int
		count int64
	}{{0, 3, 1}, {0, 0, 1}, {101, 8, 0}, {-1, 8, 1}, {0, 8, 101}, {50, 64, 7}, {0, 1, math.MaxInt64}, {0, 8, -1}} {
		if _, err := NewDirect(in, c.off, c.width, c.count); !store.IsCorrupt(err) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestBitsRequired(t *testing.T) {
	for max, want := range map[uint64]int{0: 1, 1: 1, 2: 2, 15: 4, 16: 8, 256: 12, 4096: 16, 1 << 32: 40, math.MaxUint64: 64} {
		if got := BitsRequired(max); got != want {
			t.Errorf("%d needs %d bits, not %d", max, got, want)
		}
	}
}

func TestMonotonic(t *testing.T) {
	seed := uint64(testseed.Of(t))
	rnd := rand.New(rand.NewPCG(seed, 1))
	for _, shift := range []int{2, 4, 10} {
		for _, n := range []int{0, 1, 3, 4, 5, 1000, 5000} {
			for name, step := range map[string]func() int64{
				"constant": func() int64 { return 0 },
				"even":     func() int64 { return 17 },
				"random":   func() int64 { return rnd.Int64N(100) },
				"jumps":    func() int64 { return rnd.Int64N(2) * rnd.Int64N(1<<40) },
			} {
				meta, data := store.NewBuffer(), store.NewBuffer()
				data.PutBytes([]byte("xyz"))
				w := NewMonotonicWriter(meta, data, int64(n), shift)
				want := make([]int64, n)
				v := rnd.Int64N(2000) - 1000
				for i := range want {
					want[i] = v
					w.Add(v)
					v += step()
				}
				if err := w.Finish(); err != nil {
					t.Fatal(err)
				}
				r := store.NewReader(store.NewBytesInput("meta", meta.Data()))
				m, err := ReadMonotonicMeta(r, int64(n), shift)
				if err != nil || r.Remaining() != 0 {
					t.Fatalf("%v, %d bytes are left", err, r.Remaining())
				}
				in := store.Input(store.NewBytesInput("f", data.Data()))
				for _, in := range []store.Input{in, windowed{in, 9}} {
					s, err := m.Open(in, 3, in.Length()-3)
					if err != nil {
						t.Fatal(err)
					}
					for range 2 * n {
						i := rnd.IntN(n)
						if v, err := s.Get(int64(i)); err != nil || v != want[i] {
							t.Fatalf("%s, shift %d: value %d of %d is %d, not %d; %v", name, shift, i, n, v, want[i], err)
						}
						key := want[i] + rnd.Int64N(3) - 1
						at, err := s.Search(0, int64(n), key)
						if err != nil || at > 0 && want[at-1] >= key || at < int64(n) && want[at] < key {
							t.Fatalf("search for %d ends at %d: %v", key, at, err)
						}
					}
					if _, err := s.Get(int64(n)); !store.IsCorrupt(err) {
						t.Fatalf("beyond the end: %v", err)
					}
				}
			}
		}
	}
}

func FuzzMonotonic(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 128, 63, 0, 0, 0, 0, 0, 0, 0, 0, 8}, []byte{1, 2, 3, 4, 0, 0, 0, 0}, int64(4), 2)
	f.Fuzz(func(t *testing.T, meta, data []byte, count int64, shift int) {
		m, err := ReadMonotonicMeta(store.NewReader(store.NewBytesInput("meta", meta)), count, shift)
		if err != nil {
			return
		}
		s, err := m.Open(store.NewBytesInput("data", data), 0, int64(len(data)))
		if err != nil {
			return
		}
		for _, i := range []int64{0, 1, count / 2, count - 1, count} {
			if _, err := s.Get(i); err != nil && !store.IsCorrupt(err) {
				t.Fatal(err)
			}
		}
	})
}

func BenchmarkDirect(b *testing.B) {
	const n = 1 << 16
	for _, width := range widths {
		out := store.NewBuffer()
		w := NewDirectWriter(out, n, width)
		rnd := rand.New(rand.NewPCG(1, 2))
		for range n {
			w.Add(random(rnd, width))
		}
		if err := w.Finish(); err != nil {
			b.Fatal(err)
		}
		d, err := NewDirect(store.NewBytesInput("f", out.Data()), 0, width, n)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("get/%d", width), func(b *testing.B) {
			b.SetBytes(n)
			for b.Loop() {
				for i := range int64(n) {
					if _, err := d.Get(i); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
		dst := make([]int64, 128)
		b.Run(fmt.Sprintf("fill/%d", width), func(b *testing.B) {
			b.SetBytes(n)
			for b.Loop() {
				for i := int64(0); i < n; i += 128 {
					if err := d.Fill(dst, i); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

// TestKnownBytes compares with the worked examples of docs/formats/packed.md.
func TestKnownBytes(t *testing.T) {
	out := store.NewBuffer()
	w := NewDirectWriter(out, 3, 12)
	for v := range int64(3) {
		w.Add(v + 1)
	}
	if err := w.Finish(); err != nil || !bytes.Equal(out.Data(), []byte{1, 0x20, 0, 3, 0, 0}) {
		t.Errorf("direct: % x, %v", out.Data(), err)
	}
	for width, padding := range map[int]int64{1: 0, 8: 0, 12: 1, 16: 0, 20: 2, 24: 1, 28: 1, 32: 0, 40: 3, 48: 2, 56: 1, 64: 0} {
		out.Reset()
		w := NewDirectWriter(out, 8, width)
		for range 8 {
			w.Add(0)
		}
		if err := w.Finish(); err != nil || out.FilePointer() != int64(width)+padding {
			t.Errorf("%d bits: %d bytes of padding, not %d; %v", width, out.FilePointer()-int64(width), padding, err)
		}
	}
	meta := store.NewBuffer()
	out.Reset()
	m := NewMonotonicWriter(meta, out, 3, 4)
	for _, v := range []int64{10, 20, 31} {
		m.Add(v)
	}
	want := []byte{10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x28, 0x41, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	if err := m.Finish(); err != nil || !bytes.Equal(meta.Data(), want) || out.FilePointer() != 0 {
		t.Errorf("monotonic: % x, %v", meta.Data(), err)
	}
}
