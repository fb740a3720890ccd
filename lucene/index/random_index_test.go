package index

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/testseed"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/store"
	"github.com/varve-search/varve/lucene/store/storetest"
)

var (
	roundsFlag = flag.Int("rounds", 25, "how many random indices are made")
)

var randomSorts = [][]lucene.SortField{
	nil, nil, nil,
	{{Field: "long", Type: lucene.SortLong, Selector: lucene.SelectMax, Reverse: true, Missing: int64(-5)}},
	{{Field: "kw", Type: lucene.SortString, Selector: lucene.SelectMin, Missing: lucene.StringLast}, {Field: "int", Type: lucene.SortInt, Selector: lucene.SelectMin}},
	{{Field: "sorted", Type: lucene.SortString, Reverse: true}, {Field: "version", Type: lucene.SortLong}},
}

// randomIndex is an index under random operations, with a model of what must be in it.
type randomIndex struct {
	t      *testing.T
	seed   uint64
	r      *rand.Rand
	dir    *storetest.Directory
	cfg    Config
	w      *Writer
	opts   docOptions
	model  map[string][]string // id → description; blocks are described as one
	last   map[string][]string
	maybe  map[string][]string
	nextID int
}

func newRandomIndex(t *testing.T, seed uint64) *randomIndex {
	r := rand.New(rand.NewPCG(seed, 7))
	x := &randomIndex{t: t, seed: seed, r: r, dir: storetest.New(), model: map[string][]string{}, last: map[string][]string{}}
	x.opts = docOptions{vectors: r.IntN(2) == 0, sparse: r.IntN(2) == 0}
	policy := DefaultMergePolicy()
	policy.FloorBytes = 1 << 10
	policy.SegmentsPerTier = float64(2 + r.IntN(4))
	policy.CompoundRatio = []float64{0, 0.1, 1}[r.IntN(3)]
	x.cfg = Config{
		RAMBudget: 20<<10 + r.Int64N(1<<20), Sort: randomSorts[r.IntN(len(randomSorts))], BestCompression: r.IntN(3) == 0,
		NoCompound: r.IntN(2) == 0, NoMerges: r.IntN(3) == 0, Merge: policy,
		OnMergeError: func(err error) {
			if !errors.Is(err, storetest.ErrInjected) {
				t.Errorf("seed %d: %v", seed, err)
			}
		},
	}
	return x
}

func (x *randomIndex) open() {
	w, err := Open(x.dir, x.cfg)
	if err != nil {
		x.t.Fatalf("seed %d: %v", x.seed, err)
	}
	x.w = w
}

// block makes a root document and, at times, nested ones that come before it and have the same id term.
func (x *randomIndex) block(id string) ([]*lucene.Document, []string) {
	docs := []*lucene.Document{randomDocument(x.r, id, x.opts)}
	if len(x.cfg.Sort) == 0 && x.r.IntN(6) == 0 {
		for range 1 + x.r.IntN(3) {
			child := &lucene.Document{Fields: []lucene.Field{
				{Name: "id", Type: typeID, Term: []byte(id)},
				{Name: "child", Type: typeKW, Term: []byte("c"), Bytes: []byte("c")},
			}}
			docs = append([]*lucene.Document{child}, docs...)
		}
	}
	var all []string
	for _, d := range docs {
		all = append(all, describe(d)...)
	}
	slices.Sort(all)
	return docs, all
}

func (x *randomIndex) step(ctx context.Context) error {
	r := x.r
	id := fmt.Sprint("d", r.IntN(x.nextID+1))
	switch n := r.IntN(1000); {
	case n < 500:
		x.nextID++
		id = fmt.Sprint("d", x.nextID)
		docs, text := x.block(id)
		if _, err := x.w.AddDocuments(ctx, docs...); err != nil {
			return err
		}
		x.model[id] = text
	case n < 800:
		docs, text := x.block(id)
		if _, err := x.w.UpdateDocuments(ctx, idTerm(id), docs...); err != nil {
			return err
		}
		x.model[id] = text
	case n < 900:
		if _, err := x.w.DeleteTerm(ctx, idTerm(id)); err != nil {
			return err
		}
		delete(x.model, id)
	case n < 920: // refused
		stream := words("some text")
		stream.fail = errors.New("refused")
		d := randomDocument(r, "refused", docOptions{})
		d.Fields = append(d.Fields, lucene.Field{Name: "body", Type: typeText, Tokens: stream})
		if _, err := x.w.UpdateDocuments(ctx, idTerm(id), d); err == nil {
			return fmt.Errorf("a document that cannot be analysed is accepted")
		}
	case n < 960:
		return x.refresh(ctx)
	case n < 968:
		return x.w.ForceMerge(ctx, 1+r.IntN(4))
	case n < 972:
		return x.w.ForceMergeDeletes(ctx)
	case n < 975:
		_, err := x.w.DeleteWhere(ctx, func(_ context.Context, leaf lucene.LeafReader, del func(int32) error) error {
			return deletePrefix(x.t, leaf, id, del)
		})
		if err == nil {
			delete(x.model, id)
		}
		return err
	default:
		x.maybe = maps.Clone(x.model)
		if err := x.w.Commit(ctx, map[string]string{"n": fmt.Sprint(r.Uint32())}); err != nil {
			return err
		}
		x.last, x.maybe = x.maybe, nil
	}
	return nil
}

// deletePrefix deletes the documents with an id by looking it up itself.
func deletePrefix(t *testing.T, leaf lucene.LeafReader, id string, del func(int32) error) error {
	terms, err := leaf.Terms("id")
	if err != nil || terms == nil {
		return err
	}
	it, err := terms.Iterator()
	if err != nil {
		return err
	}
	ok, err := it.SeekExact([]byte(id))
	if err != nil || !ok {
		return err
	}
	p, err := it.Postings(nil, lucene.PostingsNone)
	for err == nil {
		var doc int32
		if doc, err = p.Next(); doc == lucene.NoMoreDocs || err != nil {
			break
		}
		err = del(doc)
	}
	return err
}

func (x *randomIndex) refresh(ctx context.Context) error {
	r, err := x.w.Reader(ctx)
	if err != nil {
		return err
	}
	if x.r.IntN(8) == 0 {
		x.check(leavesOf(r), x.model)
	}
	return r.Close()
}

// check compares leaves with a model.
func (x *randomIndex) check(leaves []lucene.LeafReader, models ...map[string][]string) {
	x.t.Helper()
	got := map[string][]string{}
	for _, leaf := range leaves {
		var block []string
		for doc, lines := range describeLeaf(x.t, leaf) {
			live := leaf.LiveDocs() == nil || leaf.LiveDocs().Get(int32(doc))
			if !live {
				continue
			}
			block = append(block, lines...)
			id := ""
			for _, l := range lines {
				if _, err := fmt.Sscanf(l, "stored id 1 %x 0", &id); err == nil {
					break
				}
			}
			if id == "" {
				continue // a nested document; its root follows
			}
			slices.Sort(block)
			if got[id] != nil {
				x.t.Fatalf("seed %d: %s is there twice", x.seed, id)
			}
			got[id], block = block, nil
		}
		if block != nil {
			x.t.Fatalf("seed %d: nested documents without a root", x.seed)
		}
	}
	for _, m := range models {
		if m != nil && maps.EqualFunc(got, m, slices.Equal[[]string]) {
			return
		}
	}
	want := models[0]
	for id, lines := range want {
		if !slices.Equal(got[id], lines) {
			for _, l := range lines {
				if !slices.Contains(got[id], l) {
					x.t.Errorf("seed %d: %s lacks %s", x.seed, id, l)
				}
			}
			for _, l := range got[id] {
				if !slices.Contains(lines, l) {
					x.t.Errorf("seed %d: %s has %s", x.seed, id, l)
				}
			}
		}
	}
	for id := range got {
		if want[id] == nil {
			x.t.Errorf("seed %d: %s should not be there", x.seed, id)
		}
	}
	x.t.Fatalf("seed %d: the index is not as the model", x.seed)
}

// crash ends the process or the power and opens what is left.
func (x *randomIndex) crash() {
	old := x.w
	switch x.r.IntN(3) {
	case 0:
		if err := old.Rollback(); err != nil {
			x.t.Fatalf("seed %d: roll back: %v", x.seed, err)
		}
		x.dir = x.dir.Kill()
	case 1:
		x.dir = x.dir.Kill()
		_ = old.Rollback() // its directory is dead
	case 2:
		x.dir.FailAt(1+x.r.Int64N(40), x.r.IntN(2) == 0)
		for range 30 {
			if err := x.step(x.t.Context()); err != nil {
				break
			}
		}
		x.dir = x.dir.Crash(x.r)
		_ = old.Rollback()
	}
	x.open()
	r, err := x.w.Reader(x.t.Context())
	if err != nil {
		x.t.Fatalf("seed %d: %v", x.seed, err)
	}
	x.check(leavesOf(r), x.last, x.maybe)
	if x.maybe != nil && x.isMaybe(leavesOf(r)) {
		x.last = x.maybe
	}
	x.model, x.maybe = maps.Clone(x.last), nil
	if err := r.Close(); err != nil {
		x.t.Fatal(err)
	}
}

// isMaybe tells whether the index is at the commit that failed.
func (x *randomIndex) isMaybe(leaves []lucene.LeafReader) bool {
	n := 0
	for _, leaf := range leaves {
		for doc, lines := range describeLeaf(x.t, leaf) {
			if lines == nil || leaf.LiveDocs() != nil && !leaf.LiveDocs().Get(int32(doc)) {
				continue
			}
			for _, l := range lines {
				id := ""
				if _, err := fmt.Sscanf(l, "stored id 1 %x 0", &id); err == nil {
					n++
					if x.maybe[id] == nil || !containsAll(x.maybe[id], lines) {
						return false
					}
				}
			}
		}
	}
	return n == len(x.maybe)
}

func containsAll(all, some []string) bool {
	for _, s := range some {
		if !slices.Contains(all, s) {
			return false
		}
	}
	return true
}

func (x *randomIndex) run(steps int) {
	x.open()
	for i := range steps {
		if err := x.step(x.t.Context()); err != nil {
			x.t.Fatalf("seed %d step %d: %v", x.seed, i, err)
		}
		if x.r.IntN(steps/3+1) == 0 {
			x.crash()
		}
	}
	if err := x.w.Commit(x.t.Context(), map[string]string{"done": "yes"}); err != nil {
		x.t.Fatalf("seed %d: %v", x.seed, err)
	}
	r, err := x.w.Reader(x.t.Context())
	if err != nil {
		x.t.Fatalf("seed %d: %v", x.seed, err)
	}
	x.check(leavesOf(r), x.model)
	if err := errors.Join(r.Close(), x.w.Rollback()); err != nil {
		x.t.Fatalf("seed %d: %v", x.seed, err)
	}
}

// TestRandomIndexCheckIndex makes indices by random operations, compares them with a model, and has Lucene's CheckIndex
// judge them all.
func TestRandomIndexCheckIndex(t *testing.T) {
	var dirs []string
	root := t.TempDir()
	first := uint64(testseed.Of(t))
	for i := range *roundsFlag {
		seed := first + uint64(i)
		x := newRandomIndex(t, seed)
		x.run(100 + x.r.IntN(900))
		path := filepath.Join(root, fmt.Sprint("seed-", seed))
		dir, err := store.OpenFS(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := x.dir.CopyTo(dir); err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, path)
	}
	for batch := range slices.Chunk(dirs, 50) {
		checkIndex(t, batch)
	}
}

// checkIndex is oracletest.CheckIndex, but says only what is wrong.
func checkIndex(t *testing.T, dirs []string) {
	t.Helper()
	out, err := oracletest.Tool(t, "checkindex", dirs...)
	if err == nil {
		return
	}
	t.Errorf("CheckIndex refuses an index")
	lines := strings.Split(string(out), "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, "Opening index") || strings.Contains(l, "FAILED") || strings.Contains(l, "Exception") || strings.Contains(l, " name=") {
			t.Log(strings.Join(lines[i:min(i+2, len(lines))], "\n"))
		}
	}
}
