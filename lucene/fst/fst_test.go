package fst

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/varve-search/varve/lucene/store"
)

type pair struct{ key, out []byte }

func build(t testing.TB, pairs []pair) (meta, data []byte) {
	t.Helper()
	out, m := store.NewBuffer(), store.NewBuffer()
	b := NewBuilder(out)
	for _, p := range pairs {
		if err := b.Add(p.key, p.out); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Finish(m); err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(m.Data()), bytes.Clone(out.Data())
}

func open(meta, data []byte) (*FST, error) {
	return Read(store.NewReader(store.NewBytesInput("meta", meta)), store.NewBytesInput("index", data), 0)
}

// lookup walks the key and returns its output.
func lookup(f *FST, key []byte) ([]byte, bool, error) {
	if len(key) == 0 {
		out, ok := f.Empty()
		return out, ok, nil
	}
	c, err := f.Cursor()
	if err != nil {
		return nil, false, err
	}
	var out []byte
	for _, b := range key {
		ok, err := c.Step(b)
		if !ok || err != nil {
			return nil, false, err
		}
		out = c.AppendOutput(out)
	}
	return c.AppendFinal(out), c.Final(), nil
}

func randomPairs(rnd *rand.Rand) []pair {
	n := 1 + rnd.IntN(1<<rnd.IntN(12))
	alphabet := 1 + rnd.IntN(256)
	keys := map[string]bool{}
	for range n {
		k := make([]byte, rnd.IntN(6))
		for i := range k {
			k[i] = byte(rnd.IntN(alphabet))
		}
		keys[string(k)] = true
	}
	var pairs []pair
	for k := range keys {
		out := make([]byte, rnd.IntN(5))
		for i := range out {
			out[i] = byte(rnd.IntN(3))
		}
		pairs = append(pairs, pair{[]byte(k), out})
	}
	slices.SortFunc(pairs, func(a, b pair) int { return bytes.Compare(a.key, b.key) })
	return pairs
}

func TestRoundTrip(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		pairs := randomPairs(rnd)
		f, err := open(build(t, pairs))
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		want := map[string][]byte{}
		for _, p := range pairs {
			want[string(p.key)] = p.out
		}
		check := func(k []byte) {
			out, ok, err := lookup(f, k)
			w, there := want[string(k)]
			if err != nil || ok != there || ok && !bytes.Equal(out, w) {
				t.Fatalf("seed %d: key %x gives %x %v %v, want %x %v", seed, k, out, ok, err, w, there)
			}
		}
		for _, p := range pairs {
			check(p.key)
			if len(p.key) > 0 {
				k := bytes.Clone(p.key)
				k[rnd.IntN(len(k))] += byte(rnd.IntN(5))
				check(k)
			}
			check(append(bytes.Clone(p.key), byte(rnd.IntN(256))))
		}
	}
}

func TestOrder(t *testing.T) {
	b := NewBuilder(store.NewBuffer())
	if err := b.Finish(store.NewBuffer()); err == nil {
		t.Error("an FST without keys is built")
	}
	if err := b.Add([]byte("b"), nil); err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"b", "a", ""} {
		if err := b.Add([]byte(k), nil); err == nil {
			t.Errorf("key %q is taken after b", k)
		}
	}
}

// TestDamage flips bits and cuts, and looks up all keys of what is left.
func TestDamage(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 7))
	for range 2000 {
		pairs := randomPairs(rnd)
		meta, data := build(t, pairs)
		for range 1 + rnd.IntN(3) {
			b := data
			if rnd.IntN(4) == 0 {
				b = meta
			}
			b[rnd.IntN(len(b))] ^= 1 << rnd.IntN(8)
		}
		walkAll(meta, data[:len(data)-rnd.IntN(2)*rnd.IntN(len(data))], pairs)
	}
}

func walkAll(meta, data []byte, pairs []pair) {
	f, err := open(meta, data)
	if err != nil {
		return
	}
	for _, p := range pairs {
		_, _, _ = lookup(f, p.key)
	}
}

func FuzzLookup(f *testing.F) {
	for seed := range uint64(4) {
		meta, data := build(f, randomPairs(rand.New(rand.NewPCG(seed, 2))))
		f.Add(meta, data, []byte("abc"))
	}
	f.Fuzz(func(t *testing.T, meta, data, key []byte) {
		walkAll(meta, data, []pair{{key: key}})
	})
}

func BenchmarkLookup(b *testing.B) {
	var pairs []pair
	for i := range 100000 {
		pairs = append(pairs, pair{fmt.Appendf(nil, "%06d", i), fmt.Appendf(nil, "%d", i*7)})
	}
	f, err := open(build(b, pairs))
	if err != nil {
		b.Fatal(err)
	}
	var out []byte
	for i := range b.N {
		c, _ := f.Cursor()
		out = out[:0]
		for _, l := range pairs[i*7919%len(pairs)].key {
			if ok, _ := c.Step(l); !ok {
				b.Fatal("not found")
			}
			out = c.AppendOutput(out)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/6, "ns/byte")
}

// TestExample checks the example of docs/formats/fst.md.
func TestExample(t *testing.T) {
	meta, data := build(t, []pair{{[]byte("a"), []byte{7}}, {[]byte("ab"), []byte{7, 1}}})
	if want := []byte{0x00, 0x01, 0x01, 0x62, 0x1b, 0x07, 0x01, 0x61, 0x17}; !bytes.Equal(data, want) {
		t.Errorf("nodes % x, want % x", data, want)
	}
	if tail := meta[len(meta)-4:]; !bytes.Equal(tail, []byte{0, 0, 8, 9}) {
		t.Errorf("metadata ends with % x", tail)
	}
}
