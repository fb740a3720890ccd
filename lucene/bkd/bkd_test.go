package bkd

import (
	"bytes"
	"encoding/binary"
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

// point is a point of the brute-force model.
type point struct {
	doc   int32
	value []byte
}

func (p point) String() string { return fmt.Sprintf("%d:%x", p.doc, p.value) }

func sortPoints(ps []point) []point {
	slices.SortFunc(ps, func(a, b point) int {
		if c := bytes.Compare(a.value, b.value); c != 0 {
			return c
		}
		return int(a.doc - b.doc)
	})
	return ps
}

// files collects a tree.
type files struct {
	out   Outputs
	empty bool
}

func newFiles() *files {
	f := &files{out: Outputs{Meta: store.NewBuffer(), Index: store.NewBuffer(), Data: store.NewBuffer()}, empty: true}
	f.out.Index.PutBytes([]byte("before"))
	f.out.Data.PutBytes([]byte("before, too"))
	return f
}

func (f *files) before() { f.empty = false }

func (f *files) open(maxDoc int32) (*Tree, error) {
	meta, index, data := store.NewBytesInput("meta", f.out.Meta.Data()), store.NewBytesInput("index", f.out.Index.Data()), store.NewBytesInput("data", f.out.Data.Data())
	r := store.NewReader(meta)
	m, err := ReadMeta(r, maxDoc)
	if err != nil {
		return nil, err
	}
	return m.Open(index, data, maxDoc)
}

func config(dims, index, size int) Config {
	return NewConfig(&lucene.FieldInfo{PointDims: int32(dims), PointIndexDims: int32(index), PointBytes: int32(size)})
}

func build(t testing.TB, cfg Config, maxDoc int32, points []point) *files {
	t.Helper()
	return buildSpilling(t, cfg, maxDoc, points, Spill{})
}

func buildSpilling(t testing.TB, cfg Config, maxDoc int32, points []point, spill Spill) *files {
	t.Helper()
	b, err := NewBuilder(cfg, maxDoc, spill)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range points {
		if err := b.Add(p.doc, p.value); err != nil {
			t.Fatal(err)
		}
	}
	f := newFiles()
	if err := b.Finish(&f.out, f.before); err != nil {
		t.Fatal(err)
	}
	return f
}

// values returns generators of values that lead to each form of leaf.
func values(rnd *rand.Rand, cfg Config) map[string]func(i int) []byte {
	n := cfg.packed()
	raw := func() []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		return b
	}
	few := [][]byte{raw(), raw(), raw(), raw(), raw()}
	constant := raw()
	return map[string]func(i int) []byte{
		"random":   func(int) []byte { return raw() },
		"few":      func(int) []byte { return few[rnd.IntN(len(few))] },
		"constant": func(int) []byte { return constant },
		"near": func(int) []byte {
			b := bytes.Clone(constant)
			b[rnd.IntN(n)] = byte(rnd.IntN(4))
			return b
		},
		"ascending": func(i int) []byte {
			b := make([]byte, n+8)
			binary.BigEndian.PutUint64(b[n:], uint64(i))
			return b[8:]
		},
		"descending": func(i int) []byte {
			b := make([]byte, n+8)
			binary.BigEndian.PutUint64(b[n:], uint64(1<<20-i))
			return b[8:]
		},
		"one dimension": func(int) []byte {
			b := bytes.Clone(constant)
			copy(b[(cfg.Dims-1)*cfg.Bytes:], raw()[:cfg.Bytes])
			return b
		},
		"small": func(int) []byte {
			b := make([]byte, n)
			for d := range cfg.Dims {
				b[(d+1)*cfg.Bytes-1] = byte(rnd.IntN(7))
			}
			return b
		},
	}
}

// query is a box; it checks that the tree asks and visits as it must.
type query struct {
	cfg    Config
	lo, hi []byte
	docs   []int32
	grown  int
}

func (q *query) matches(v []byte) bool {
	for d := range q.cfg.IndexDims {
		from, to := d*q.cfg.Bytes, (d+1)*q.cfg.Bytes
		if bytes.Compare(v[from:to], q.lo[from:to]) < 0 || bytes.Compare(v[from:to], q.hi[from:to]) > 0 {
			return false
		}
	}
	return true
}

func (q *query) Compare(lo, hi []byte) lucene.Relation {
	inside := true
	for d := range q.cfg.IndexDims {
		from, to := d*q.cfg.Bytes, (d+1)*q.cfg.Bytes
		if bytes.Compare(lo[from:to], hi[from:to]) > 0 {
			panic(fmt.Sprintf("a cell from %x to %x", lo, hi))
		}
		if bytes.Compare(hi[from:to], q.lo[from:to]) < 0 || bytes.Compare(lo[from:to], q.hi[from:to]) > 0 {
			return lucene.CellOutside
		}
		inside = inside && bytes.Compare(lo[from:to], q.lo[from:to]) >= 0 && bytes.Compare(hi[from:to], q.hi[from:to]) <= 0
	}
	if inside {
		return lucene.CellInside
	}
	return lucene.CellCrosses
}

func (q *query) Visit(doc int32) error { return q.VisitAll([]int32{doc}) }

func (q *query) VisitAll(docs []int32) error {
	q.docs = append(q.docs, docs...)
	q.grown -= len(docs)
	return nil
}

func (q *query) VisitValue(doc int32, v []byte) error {
	if q.matches(v) {
		q.docs = append(q.docs, doc)
	}
	return nil
}

func (q *query) Grow(n int) { q.grown += n }

func check(rnd *rand.Rand, cfg Config, tree *Tree, maxDoc int32, points []point) error {
	docs := map[int32]bool{}
	for _, p := range points {
		docs[p.doc] = true
	}
	if tree.Size() != int64(len(points)) || int(tree.DocCount()) != len(docs) || tree.NumDims() != cfg.Dims || tree.NumIndexDims() != cfg.IndexDims || tree.BytesPerDim() != cfg.Bytes {
		return fmt.Errorf("%d points in %d documents, not %d in %d", tree.Size(), tree.DocCount(), len(points), len(docs))
	}
	for d := range cfg.IndexDims {
		from, to := d*cfg.Bytes, (d+1)*cfg.Bytes
		lo, hi := points[0].value[from:to], points[0].value[from:to]
		for _, p := range points {
			lo, hi = slices.MinFunc([][]byte{lo, p.value[from:to]}, bytes.Compare), slices.MaxFunc([][]byte{hi, p.value[from:to]}, bytes.Compare)
		}
		if !bytes.Equal(lo, tree.MinPacked()[from:to]) || !bytes.Equal(hi, tree.MaxPacked()[from:to]) {
			return fmt.Errorf("dimension %d from %x to %x, not %x to %x", d, tree.MinPacked()[from:to], tree.MaxPacked()[from:to], lo, hi)
		}
	}
	var all []point
	if err := Each(tree, func(doc int32, v []byte) error {
		all = append(all, point{doc, bytes.Clone(v)})
		return nil
	}); err != nil {
		return err
	}
	if cfg.Dims == 1 && !slices.EqualFunc(all, sortPoints(slices.Clone(points)), same) {
		return fmt.Errorf("the points of a tree of one dimension are not in order")
	}
	if !slices.EqualFunc(sortPoints(all), sortPoints(slices.Clone(points)), same) {
		return fmt.Errorf("%d points differ", len(all))
	}
	for range 30 {
		a, b := points[rnd.IntN(len(points))].value, points[rnd.IntN(len(points))].value
		q := &query{cfg: cfg, lo: bytes.Clone(a[:cfg.index()]), hi: bytes.Clone(b[:cfg.index()])}
		for d := range cfg.IndexDims {
			from, to := d*cfg.Bytes, (d+1)*cfg.Bytes
			if rnd.IntN(4) == 0 {
				q.lo[to-1]--
			}
			if rnd.IntN(4) == 0 {
				q.hi[to-1]++
			}
			if bytes.Compare(q.lo[from:to], q.hi[from:to]) > 0 {
				for i := from; i < to; i++ {
					q.lo[i], q.hi[i] = q.hi[i], q.lo[i]
				}
			}
		}
		var want []int32
		for _, p := range points {
			if q.matches(p.value) {
				want = append(want, p.doc)
			}
		}
		if err := tree.Intersect(q); err != nil {
			return err
		}
		slices.Sort(q.docs)
		slices.Sort(want)
		if !slices.Equal(q.docs, want) {
			return fmt.Errorf("%x to %x has %d points, not %d", q.lo, q.hi, len(q.docs), len(want))
		}
		if q.grown < -int(tree.Size())+int(min(tree.Size(), int64(maxDoc))) {
			return fmt.Errorf("%d points came unannounced", -q.grown)
		}
		n, err := tree.EstimatePointCount(q)
		// Only leaves that cross are guessed: at most as many points as they have.
		if err != nil || n < 0 || n > tree.Size() || len(want) > 0 && n == 0 {
			return fmt.Errorf("%d points are estimated where there are %d: %w", n, len(want), err)
		}
	}
	return nil
}

func same(a, b point) bool { return a.doc == b.doc && bytes.Equal(a.value, b.value) }

var shapes = []Config{config(1, 1, 1), config(1, 1, 4), config(1, 1, 8), config(1, 1, 16), config(2, 2, 4), config(2, 2, 8), config(3, 3, 4), config(4, 2, 4), config(8, 8, 2), config(7, 4, 4), config(2, 1, 16), config(16, 8, 16)}

func randomPoints(rnd *rand.Rand, n int, maxDoc int32, gen func(int) []byte) []point {
	ps := make([]point, n)
	docs := make([]int32, n)
	for i := range docs {
		docs[i] = rnd.Int32N(maxDoc)
	}
	slices.Sort(docs)
	for i := range ps {
		ps[i] = point{docs[i], gen(i)}
	}
	return ps
}

func TestTrees(t *testing.T) {
	seed := uint64(testseed.Of(t))
	rnd := rand.New(rand.NewPCG(seed, 1))
	for _, cfg := range shapes {
		for name, gen := range values(rnd, cfg) {
			for _, n := range []int{1, 2, 511, 512, 513, 1024, 1025, 3000, 512*7 + 1, 9000} {
				maxDoc := int32(n)
				switch rnd.IntN(5) {
				case 0:
					maxDoc = int32(1 + n/3)
				case 1:
					maxDoc = 1 << 20
				case 2:
					maxDoc = 1 << 24
				case 3:
					maxDoc = 1 << 26
				}
				points := randomPoints(rnd, n, maxDoc, gen)
				if maxDoc == int32(n) {
					for i := range points {
						points[i].doc = int32(i)
					}
				}
				given := slices.Clone(points)
				if rnd.IntN(4) == 0 {
					rnd.Shuffle(n, func(i, j int) { given[i], given[j] = given[j], given[i] })
				}
				f := build(t, cfg, maxDoc, given)
				tree, err := f.open(maxDoc)
				if err != nil {
					t.Fatalf("%+v %s %d: %v", cfg, name, n, err)
				}
				if err := check(rnd, cfg, tree, maxDoc, points); err != nil {
					t.Fatalf("%+v, %s, %d points of %d documents: %v", cfg, name, n, maxDoc, err)
				}
			}
		}
	}
}

// TestSpill builds trees with as little memory as there may be.
func TestSpill(t *testing.T) {
	seed := uint64(testseed.Of(t))
	rnd := rand.New(rand.NewPCG(seed, 1))
	for _, cfg := range shapes {
		for name, gen := range values(rnd, cfg) {
			n := 1 + rnd.IntN(20000)
			points := randomPoints(rnd, n, int32(n), gen)
			given := slices.Clone(points)
			if rnd.IntN(2) == 0 {
				rnd.Shuffle(n, func(i, j int) { given[i], given[j] = given[j], given[i] })
			}
			dir := store.NewMem()
			f := buildSpilling(t, cfg, int32(n), given, Spill{Dir: dir, Prefix: "_0_f", Budget: 1})
			tree, err := f.open(int32(n))
			if err == nil {
				err = check(rnd, cfg, tree, int32(n), points)
			}
			if err != nil {
				t.Fatalf("%+v, %s, %d points: %v", cfg, name, n, err)
			}
			if names, _ := dir.List(); len(names) > 0 {
				t.Fatalf("temporary files are left: %v", names)
			}
			whole := build(t, cfg, int32(n), given)
			if cfg.Dims == 1 && (!bytes.Equal(whole.out.Data.Data(), f.out.Data.Data()) || !bytes.Equal(whole.out.Index.Data(), f.out.Index.Data())) {
				t.Fatalf("%+v, %s: a tree depends on the memory it was built in", cfg, name)
			}
		}
	}
}

// TestSpillFails damages the temporary files, and makes them fail.
func TestSpillFails(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, cfg := range []Config{config(1, 1, 8), config(2, 2, 4)} {
		dir := store.NewMem()
		b, err := NewBuilder(cfg, 20000, Spill{Dir: dir, Prefix: "_0_f", Budget: 1})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range randomPoints(rnd, 20000, 20000, values(rnd, cfg)["random"]) {
			if err := b.Add(p.doc, p.value); err != nil {
				t.Fatal(err)
			}
		}
		names, _ := dir.List()
		if len(names) < 3 {
			t.Fatalf("only %v were written", names)
		}
		in, err := dir.Open(names[1], store.Random)
		if err != nil {
			t.Fatal(err)
		}
		good, _ := store.Bytes(in, 0, int(in.Length()))
		bad := bytes.Clone(good)
		bad[len(bad)-1] ^= 1
		dir.Put(names[1], bad)
		f := newFiles()
		if err := b.Finish(&f.out, f.before); !store.IsCorrupt(err) {
			t.Errorf("a damaged temporary file: %v", err)
		}
		if names, _ := dir.List(); len(names) > 0 {
			t.Errorf("temporary files are left: %v", names)
		}
	}
}

func TestMerge(t *testing.T) {
	seed := uint64(testseed.Of(t))
	rnd := rand.New(rand.NewPCG(seed, 1))
	for _, cfg := range []Config{config(1, 1, 4), config(1, 1, 8), config(1, 1, 16), config(2, 2, 4), config(4, 4, 4)} {
		for name, gen := range values(rnd, cfg) {
			for round := range 4 {
				var sources []MergeSource
				var want []point
				maxDoc := int32(0)
				for range 1 + rnd.IntN(4) {
					n := 1 + rnd.IntN(3000)
					ps := randomPoints(rnd, n, int32(n), gen)
					tree, err := build(t, cfg, int32(n), ps).open(int32(n))
					if err != nil {
						t.Fatal(err)
					}
					// Some documents are dropped; in every other round the others change places.
					to := make([]int32, n)
					next := maxDoc
					for i := range to {
						to[i] = -1
						if rnd.IntN(4) > 0 {
							to[i] = next
							next++
						}
					}
					if round%2 == 1 {
						rnd.Shuffle(n, func(i, j int) { to[i], to[j] = to[j], to[i] })
					}
					maxDoc = next
					for _, p := range ps {
						if to[p.doc] >= 0 {
							want = append(want, point{to[p.doc], p.value})
						}
					}
					sources = append(sources, MergeSource{Points: tree, MaxDoc: int32(n), Map: func(doc int32) int32 { return to[doc] }})
				}
				f := newFiles()
				if err := Merge(cfg, maxDoc, sources, &f.out, Spill{}, f.before); err != nil {
					t.Fatal(err)
				}
				if f.empty != (len(want) == 0) {
					t.Fatalf("%d points make an empty tree (%v)", len(want), f.empty)
				}
				if f.empty {
					continue
				}
				tree, err := f.open(maxDoc)
				if err == nil {
					err = check(rnd, cfg, tree, maxDoc, want)
				}
				if err != nil {
					t.Fatalf("%+v %s: %v", cfg, name, err)
				}
			}
		}
	}
}

// TestDocs covers the forms of document lists, among them those that only older versions wrote.
func TestDocs(t *testing.T) {
	seed := uint64(testseed.Of(t))
	rnd := rand.New(rand.NewPCG(seed, 1))
	const maxDoc = 1 << 30
	for range 3000 {
		n := 1 + rnd.IntN(600)
		docs := make([]int32, n)
		span := []int32{1, 10, 60000, 70000, 1 << 24, 1 << 29}[rnd.IntN(6)]
		base := rnd.Int32N(1 << 28)
		if span == 1<<24 {
			base = 0
		}
		for i := range docs {
			docs[i] = base + rnd.Int32N(span)
		}
		switch rnd.IntN(3) {
		case 0:
			slices.Sort(docs)
		case 1:
			for i := range docs {
				docs[i] = base + int32(i)*(1+rnd.Int32N(2))
			}
			slices.Sort(docs)
		}
		b := binary.AppendUvarint(nil, uint64(n))
		if slices.IsSorted(docs) && rnd.IntN(2) == 0 {
			b = append(b, docsVInts)
			for i, last := 0, int32(0); i < n; i++ {
				b = binary.AppendUvarint(b, uint64(docs[i]-last))
				last = docs[i]
			}
		} else {
			b = appendDocs(b, docs)
		}
		var l leafReader
		l.init(&Tree{meta: &Meta{Config: Config{leafSize: 600}}, data: store.NewBytesInput("f", b), maxDoc: maxDoc})
		got, err := l.docIDs(0)
		if err != nil || !slices.Equal(got, docs) || l.r.Remaining() != 0 {
			t.Fatalf("%d documents: %v, %d bytes are left", n, err, l.r.Remaining())
		}
		if hi := slices.Max(docs); hi > 0 {
			l.init(&Tree{meta: l.m, data: store.NewBytesInput("f", b), maxDoc: hi})
			if _, err := l.docIDs(0); !store.IsCorrupt(err) {
				t.Fatalf("document %d of %d: %v", hi, hi, err)
			}
		}
	}
}

func TestBuilderRefuses(t *testing.T) {
	b, err := NewBuilder(config(1, 1, 4), 10, Spill{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		doc   int32
		value string
	}{{-1, "abcd"}, {10, "abcd"}, {3, "abc"}, {3, "abcde"}} {
		if err := b.Add(c.doc, []byte(c.value)); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
	f := newFiles()
	if err := b.Finish(&f.out, f.before); err != nil || !f.empty || f.out.Meta.FilePointer() != 0 {
		t.Errorf("no points: %v", err)
	}
	if _, err := NewBuilder(config(9, 9, 4), 10, Spill{}); err == nil {
		t.Error("nine index dimensions are accepted")
	}
}

// use reads all of a tree.
func use(tree *Tree) error {
	n := int64(0)
	err := Each(tree, func(doc int32, v []byte) error {
		if doc < 0 || doc >= tree.maxDoc || len(v) != tree.meta.packed() {
			return fmt.Errorf("document %d of %d, %d bytes", doc, tree.maxDoc, len(v))
		}
		if n++; n > 1<<22 {
			return fmt.Errorf("%d points", n)
		}
		return nil
	})
	if err != nil {
		return err
	}
	q := &anything{lo: tree.MinPacked()}
	if err := tree.Intersect(q); err != nil {
		return err
	}
	_, err = tree.EstimatePointCount(q)
	return err
}

// anything answers by the cell's bytes, so that all paths are taken.
type anything struct{ lo []byte }

func (q *anything) Compare(lo, hi []byte) lucene.Relation {
	return lucene.Relation((int(lo[len(lo)-1]) + int(hi[0])) % 3)
}
func (*anything) Visit(int32) error              { return nil }
func (*anything) VisitAll([]int32) error         { return nil }
func (*anything) VisitValue(int32, []byte) error { return nil }
func (*anything) Grow(int)                       {}

func tryAll(meta, index, data []byte, maxDoc int32) error {
	m, err := ReadMeta(store.NewReader(store.NewBytesInput("meta", meta)), maxDoc)
	if err != nil {
		return err
	}
	tree, err := m.Open(store.NewBytesInput("index", index), store.NewBytesInput("data", data), maxDoc)
	if err != nil {
		return err
	}
	return use(tree)
}

func TestMutations(t *testing.T) {
	seed := uint64(testseed.Of(t))
	rnd := rand.New(rand.NewPCG(seed, 1))
	for _, cfg := range shapes {
		for name, gen := range values(rnd, cfg) {
			f := build(t, cfg, 5000, randomPoints(rnd, 2500, 5000, gen))
			for range 60 {
				parts := [][]byte{bytes.Clone(f.out.Meta.Data()), bytes.Clone(f.out.Index.Data()), bytes.Clone(f.out.Data.Data())}
				for range 1 + rnd.IntN(3) {
					b := parts[rnd.IntN(3)]
					b[rnd.IntN(len(b))] ^= 1 << rnd.IntN(8)
				}
				if rnd.IntN(8) == 0 {
					i := rnd.IntN(3)
					parts[i] = parts[i][:rnd.IntN(len(parts[i]))]
				}
				err := tryAll(parts[0], parts[1], parts[2], 5000)
				if err != nil && !store.IsCorrupt(err) && !isVersion(err) {
					t.Fatalf("%+v %s: %v", cfg, name, err)
				}
			}
		}
	}
}

func FuzzTree(f *testing.F) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, cfg := range shapes[:8] {
		for _, gen := range values(rnd, cfg) {
			files := build(f, cfg, 2000, randomPoints(rnd, 1100, 2000, gen))
			f.Add(files.out.Meta.Data(), files.out.Index.Data(), files.out.Data.Data(), int32(2000))
		}
	}
	f.Fuzz(func(t *testing.T, meta, index, data []byte, maxDoc int32) {
		if maxDoc < 0 || maxDoc > 1<<20 {
			return
		}
		if err := tryAll(meta, index, data, maxDoc); err != nil && !store.IsCorrupt(err) && !isVersion(err) {
			t.Fatal(err)
		}
	})
}

func isVersion(err error) bool {
	var v *codec.VersionError
	return errors.As(err, &v)
}

func benchPoints(dims int) (Config, []point) {
	rnd := rand.New(rand.NewPCG(1, 2))
	cfg := config(dims, dims, 8/dims)
	points := make([]point, 1_000_000)
	for i := range points {
		b := make([]byte, 8)
		binary.BigEndian.PutUint64(b, rnd.Uint64()>>20)
		if dims == 2 {
			binary.BigEndian.PutUint64(b, rnd.Uint64())
		}
		points[i] = point{int32(i), b}
	}
	return cfg, points
}

func BenchmarkBuild(b *testing.B) {
	for _, dims := range []int{1, 2} {
		cfg, points := benchPoints(dims)
		b.Run(fmt.Sprintf("%dD", dims), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				build(b, cfg, int32(len(points)), points)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(points)), "ns/point")
		})
	}
}

// bits is a query as a search makes it: a range into a bit set.
type bitsQuery struct {
	query
	set *lucene.FixedBits
}

func (q *bitsQuery) VisitAll(docs []int32) error {
	for _, doc := range docs {
		q.set.Set(doc)
	}
	return nil
}

func (q *bitsQuery) VisitValue(doc int32, v []byte) error {
	if q.matches(v) {
		q.set.Set(doc)
	}
	return nil
}

func BenchmarkIntersect(b *testing.B) {
	for _, dims := range []int{1, 2} {
		cfg, points := benchPoints(dims)
		tree, err := build(b, cfg, int32(len(points)), points).open(int32(len(points)))
		if err != nil {
			b.Fatal(err)
		}
		for _, part := range []float64{0.001, 0.1} {
			b.Run(fmt.Sprintf("%dD/%v", dims, part), func(b *testing.B) {
				b.ReportAllocs()
				q := &bitsQuery{query: query{cfg: cfg, lo: make([]byte, 8), hi: make([]byte, 8)}, set: lucene.NewFixedBits(int32(len(points)))}
				if dims == 1 {
					binary.BigEndian.PutUint64(q.lo, 1<<43)
					binary.BigEndian.PutUint64(q.hi, 1<<43+uint64(part*(1<<44)))
				} else {
					side := uint32(math.Sqrt(part) * (1 << 32))
					binary.BigEndian.PutUint64(q.lo, 1<<62|1<<30)
					binary.BigEndian.PutUint64(q.hi, uint64(1<<30+side)<<32|uint64(1<<30+side))
				}
				for b.Loop() {
					if err := tree.Intersect(q); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(count(q.set)), "docs")
			})
		}
	}
}

// TestKnownLeaf compares with the worked example of docs/formats/points.md.
func TestKnownLeaf(t *testing.T) {
	f := build(t, config(1, 1, 2), 3, []point{{0, []byte{1, 2}}, {1, []byte{1, 2}}, {2, []byte{1, 7}}})
	want := []byte{3, 0xfe, 0, 1, 1, 0xfe, 2, 2, 1, 7}
	if got := f.out.Data.Data()[len("before, too"):]; !bytes.Equal(got, want) {
		t.Fatalf("% x", got)
	}
}
