package index

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/store"
	"github.com/varve-search/varve/lucene/store/storetest"
)

// simpleDocument has an id and a text, and stores both.
func simpleDocument(id, text string) *lucene.Document {
	return &lucene.Document{Fields: []lucene.Field{
		{Name: "id", Type: typeID, Term: []byte(id), Stored: str(id)},
		{Name: "body", Type: typeText, Tokens: words(text), Stored: str(text)},
	}}
}

func idTerm(id string) lucene.Term { return lucene.Term{Field: "id", Bytes: []byte(id)} }

type collect struct{ fields []string }

func (c *collect) Needs(*lucene.FieldInfo) (lucene.VisitStatus, error) { return lucene.VisitYes, nil }

func (c *collect) Field(f *lucene.FieldInfo, v lucene.StoredValue) error {
	c.fields = append(c.fields, fmt.Sprintf("%s:%d:%s:%d", f.Name, v.Kind, v.Bytes, v.Num))
	return nil
}

// contents returns the live documents of leaves by id; each id must be there once, and be found by its term.
func contents(t testing.TB, leaves []lucene.LeafReader) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, leaf := range leaves {
		stored, live := leaf.StoredFields(), leaf.LiveDocs()
		n := int32(0)
		for doc := range leaf.MaxDoc() {
			if live != nil && !live.Get(doc) {
				continue
			}
			n++
			var c collect
			if err := stored.Document(doc, &c); err != nil {
				t.Fatalf("segment %s document %d: %v", leaf.Segment().Info.Name, doc, err)
			}
			id, text := c.fields[0], fmt.Sprint(c.fields[1:])
			if _, ok := out[id]; ok {
				t.Fatalf("%s is there twice", id)
			}
			out[id] = text
		}
		if n != leaf.NumDocs() {
			t.Fatalf("segment %s has %d live documents and says %d", leaf.Segment().Info.Name, n, leaf.NumDocs())
		}
	}
	return out
}

func openTest(t testing.TB, dir store.Directory, cfg Config) *Writer {
	t.Helper()
	w, err := Open(dir, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func readContents(t testing.TB, w *Writer) map[string]string {
	t.Helper()
	r, err := w.Reader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	return contents(t, leavesOf(r))
}

func sameContents(t testing.TB, got, want map[string]string) {
	t.Helper()
	if maps.Equal(got, want) {
		return
	}
	for id, text := range want {
		if got[id] != text {
			t.Errorf("%s: got %q, want %q", id, got[id], text)
		}
	}
	for id := range got {
		if _, ok := want[id]; !ok {
			t.Errorf("%s should be gone", id)
		}
	}
	t.FailNow()
}

func storedText(d *lucene.Document) (id, text string) {
	var c collect
	for _, f := range d.Fields {
		if f.Stored.Kind != lucene.StoredNone {
			_ = c.Field(&lucene.FieldInfo{Name: f.Name}, f.Stored)
		}
	}
	return c.fields[0], fmt.Sprint(c.fields[1:])
}

// simpleOps runs random operations on simple documents and keeps a model.
type simpleOps struct {
	r     *rand.Rand
	w     *Writer
	model map[string]string // now
	last  map[string]string // at the last commit that succeeded
	maybe map[string]string // at a commit that failed: it may stand or not
}

func (o *simpleOps) step(ctx context.Context) error {
	id := fmt.Sprint("id", o.r.IntN(60))
	switch n := o.r.IntN(100); {
	case n < 70:
		d := simpleDocument(id, randomWords(o.r, o.r.IntN(12)))
		if _, err := o.w.UpdateDocuments(ctx, idTerm(id), d); err != nil {
			return err
		}
		k, v := storedText(d)
		o.model[k] = v
	case n < 85:
		if _, err := o.w.DeleteTerm(ctx, idTerm(id)); err != nil {
			return err
		}
		k, _ := storedText(simpleDocument(id, ""))
		delete(o.model, k)
	case n < 90:
		r, err := o.w.Reader(ctx)
		if err != nil {
			return err
		}
		return r.Close()
	case n < 92:
		return o.w.ForceMerge(ctx, 1+o.r.IntN(3))
	default:
		o.maybe = maps.Clone(o.model)
		if err := o.w.Commit(ctx, map[string]string{"n": fmt.Sprint(len(o.model))}); err != nil {
			return err
		}
		o.last, o.maybe = o.maybe, nil
	}
	return nil
}

func TestWriterModel(t *testing.T) {
	for seed := range uint64(8) {
		dir := store.NewMem()
		cfg := Config{RAMBudget: 40 << 10, NoMerges: seed%2 == 0, NoCompound: seed%3 == 0}
		o := &simpleOps{r: rand.New(rand.NewPCG(seed, 3)), model: map[string]string{}, last: map[string]string{}}
		o.w = openTest(t, dir, cfg)
		for i := range 600 {
			if err := o.step(t.Context()); err != nil {
				t.Fatalf("seed %d step %d: %v", seed, i, err)
			}
			switch {
			case i%37 == 0:
				sameContents(t, readContents(t, o.w), o.model)
			case i%151 == 150:
				if err := o.w.Rollback(); err != nil {
					t.Fatal(err)
				}
				o.model = maps.Clone(o.last)
				o.w = openTest(t, dir, cfg)
			}
		}
		if err := o.w.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		o.w = openTest(t, dir, cfg)
		sameContents(t, readContents(t, o.w), o.model)
		if err := o.w.Rollback(); err != nil {
			t.Fatal(err)
		}
	}
}

var everyFault = flag.Bool("faults", false, "test a fault at every change, not at some")

// TestFaultAtEveryChange runs a scenario once for each change of the directory, and lets that one fail, or all from there on,
// or the process die, or the power fail. What is found afterwards is the last commit, whole.
func TestFaultAtEveryChange(t *testing.T) {
	run := func(dir *storetest.Directory, seed uint64) *simpleOps {
		o := &simpleOps{r: rand.New(rand.NewPCG(seed, 4)), model: map[string]string{}, last: map[string]string{}}
		w, err := Open(dir, Config{RAMBudget: 30 << 10, NoMerges: true})
		if err != nil {
			return o
		}
		o.w = w
		for range 40 {
			if err := o.step(context.Background()); err != nil {
				if w.Err() == nil && !errors.Is(err, storetest.ErrInjected) {
					t.Fatalf("an error of a writer that did not fail: %v", err)
				}
				break
			}
		}
		return o
	}
	clean := storetest.New()
	o := run(clean, 1)
	if err := o.w.Rollback(); err != nil {
		t.Fatal(err)
	}
	total := clean.Ops()
	t.Logf("%d changes", total)
	for n := int64(1); n <= total; n++ {
		for mode := range 4 {
			if !*everyFault && (n+int64(mode))%11 != 0 {
				continue
			}
			dir := storetest.New()
			dir.FailAt(n, mode != 0)
			o := run(dir, 1)
			var after *storetest.Directory
			switch mode {
			case 0, 1: // an error, and the program goes on and closes the writer
				if o.w != nil {
					_ = o.w.Rollback() // may fail as well
				}
				dir.Heal()
				after = dir.Kill()
			case 2:
				after = dir.Kill()
			case 3:
				after = dir.Crash(rand.New(rand.NewPCG(uint64(n), 5)))
			}
			w, err := Open(after, Config{})
			if err != nil {
				t.Fatalf("change %d mode %d: open afterwards: %v", n, mode, err)
			}
			got := readContents(t, w)
			if !maps.Equal(got, o.last) && (o.maybe == nil || !maps.Equal(got, o.maybe)) {
				t.Errorf("change %d mode %d: not the last commit", n, mode)
				sameContents(t, got, o.last)
			}
			checkNoLeftovers(t, w, after)
			if err := w.Rollback(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// checkNoLeftovers fails the test if the directory has files that neither the last commit nor the writer need.
func checkNoLeftovers(t testing.TB, w *Writer, dir store.Directory) {
	t.Helper()
	names, err := dir.List()
	if err != nil {
		t.Fatal(err)
	}
	want := w.LastCommit().Files()
	w.mu.Lock()
	for _, s := range w.segs {
		want = append(want, s.info.Files()...)
	}
	w.mu.Unlock()
	for _, n := range names {
		if n != store.WriteLock && !slices.Contains(want, n) {
			t.Fatalf("file %s is left over (wanted %v)", n, want)
		}
	}
}

func leavesOf(r *DirectoryReader) (leaves []lucene.LeafReader) {
	for _, l := range r.Leaves() {
		leaves = append(leaves, l.Reader)
	}
	return leaves
}
