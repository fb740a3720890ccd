package index

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/store"
)

func addPlain(t testing.TB, w *Writer, from, to int) {
	t.Helper()
	typ := &lucene.FieldType{IndexOptions: lucene.IndexDocs, OmitNorms: true}
	for i := from; i < to; i++ {
		id := []byte(fmt.Sprint(i))
		d := &lucene.Document{Fields: []lucene.Field{{Name: "id", Type: typ, Term: id, Stored: lucene.StoredValue{Kind: lucene.StoredBytes, Bytes: id}}}}
		if _, err := w.AddDocuments(context.Background(), d); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReopen shares what did not change between the readers of successive commits, and old readers stay as they were.
func TestReopen(t *testing.T) {
	ctx := context.Background()
	dir, err := store.OpenFS(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w, err := Open(dir, Config{NoMerges: true})
	if err != nil {
		t.Fatal(err)
	}
	commit := func() {
		t.Helper()
		if err := w.Commit(ctx, nil); err != nil {
			t.Fatal(err)
		}
	}
	addPlain(t, w, 0, 100)
	commit()
	first, err := OpenDirectory(ctx, dir, "")
	if err != nil {
		t.Fatal(err)
	}
	same, changed, err := first.OpenIfChanged(ctx)
	if err != nil || changed || same != first {
		t.Fatalf("an unchanged index: %v, %v", changed, err)
	}
	if err := same.Close(); err != nil {
		t.Fatal(err)
	}
	addPlain(t, w, 100, 150)
	commit()
	next, changed, err := first.OpenIfChanged(ctx)
	if err != nil || !changed || next.NumDocs() != 150 || first.NumDocs() != 100 {
		t.Fatalf("after more documents: %v, %v", changed, err)
	}
	if next.Segments()[0] != first.Segments()[0] {
		t.Error("an unchanged segment was opened again")
	}
	if _, err := w.DeleteTerm(ctx, lucene.Term{Field: "id", Bytes: []byte("7")}); err != nil {
		t.Fatal(err)
	}
	commit()
	last, changed, err := next.OpenIfChanged(ctx)
	if err != nil || !changed || last.NumDocs() != 149 {
		t.Fatalf("after a delete: %v, %v", changed, err)
	}
	a, b := next.Segments()[0], last.Segments()[0]
	if a == b || a.core != b.core || a.columns != b.columns || a.NumDocs() != 100 || b.NumDocs() != 99 {
		t.Error("a segment with a delete does not share what it can")
	}
	if last.Segments()[1] != next.Segments()[1] {
		t.Error("an unchanged segment was opened again")
	}
	if err := w.Close(ctx); err != nil {
		t.Fatal(err)
	}
	// Files of old commits are gone by now; their readers go on.
	for i, r := range []*DirectoryReader{first, next, last} {
		for _, leaf := range r.Leaves() {
			var c docCollector
			if err := leaf.Reader.StoredFields().Document(3, &c); err != nil {
				t.Errorf("reader %d: %v", i, err)
			}
		}
	}
	core := first.Segments()[0].core
	for i, r := range []*DirectoryReader{next, first, last} {
		if core.n.Load() <= 0 {
			t.Errorf("the core is closed before reader %d", i)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if r.Acquire() {
			t.Error("a closed reader can be acquired")
		}
	}
	if n := core.n.Load(); n != 0 {
		t.Errorf("%d users of the core are left", n)
	}
	if _, _, err := last.OpenIfChanged(ctx); !errors.Is(err, store.ErrClosed) {
		t.Errorf("reopening a closed reader: %v", err)
	}
}

// TestOpenWhileWriting opens and reads commits while a writer replaces and removes them.
func TestOpenWhileWriting(t *testing.T) {
	ctx := context.Background()
	dir, err := store.OpenFS(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w, err := Open(dir, Config{})
	if err != nil {
		t.Fatal(err)
	}
	addPlain(t, w, 0, 10)
	if err := w.Commit(ctx, nil); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			n := int32(0)
			for {
				select {
				case <-stop:
					return
				default:
				}
				r, err := OpenDirectory(ctx, dir, "")
				if err != nil {
					t.Error(err)
					return
				}
				if r.NumDocs() < n {
					t.Errorf("%d documents after %d", r.NumDocs(), n)
				}
				n = r.NumDocs()
				for _, leaf := range r.Leaves() {
					if err := leaf.Reader.StoredFields().Document(0, &docCollector{}); err != nil {
						t.Error(err)
					}
				}
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	for i := range 40 {
		addPlain(t, w, 10+i*5, 15+i*5)
		if err := w.Commit(ctx, nil); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	wg.Wait()
	if err := w.Close(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestOpenCanceled(t *testing.T) {
	dir := store.NewMem()
	w, err := Open(dir, Config{})
	if err != nil {
		t.Fatal(err)
	}
	addPlain(t, w, 0, 3)
	if err := w.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if r, err := OpenDirectory(ctx, dir, ""); err == nil && r.MaxDoc() > 0 || err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("a canceled opening: %v", err)
	}
}
