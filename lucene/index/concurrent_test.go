package index

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/store"
)

// TestConcurrentUpdatesAreNeverHalfVisible has goroutines update a fixed set of documents while others refresh, commit and merge.
// Each reader must have each document exactly once, in a version at least as new as the last one acknowledged before.
func TestConcurrentUpdatesAreNeverHalfVisible(t *testing.T) {
	dir := store.NewMem()
	policy := DefaultMergePolicy()
	policy.FloorBytes, policy.SegmentsPerTier = 1<<10, 3
	w := openTest(t, dir, Config{RAMBudget: 60 << 10, MaxBuffers: 3, Merge: policy, OnMergeError: func(err error) { t.Error(err) }})
	const ids, writers = 40, 8
	var acked [ids]atomic.Int64
	update := func(id int, version int64) error {
		d := simpleDocument(fmt.Sprint("id", id), "text")
		d.Fields = append(d.Fields, lucene.Field{Name: "v", Type: typeStored, Stored: str(fmt.Sprint(version))})
		_, err := w.UpdateDocuments(t.Context(), idTerm(fmt.Sprint("id", id)), d)
		if err == nil {
			acked[id].Store(version)
		}
		return err
	}
	for id := range ids {
		if err := update(id, 1); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	var updates atomic.Int64
	for g := range writers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			r := rand.New(rand.NewPCG(uint64(g), 11))
			for v := int64(2); ctx.Err() == nil; v++ {
				if err := update(g+writers*r.IntN(ids/writers), v); err != nil {
					t.Error(err)
					return
				}
				updates.Add(1)
			}
		}()
	}
	readers := 0
	for ctx.Err() == nil {
		var least [ids]int64
		for id := range least {
			least[id] = acked[id].Load()
		}
		switch readers++; readers % 10 {
		case 3:
			if err := w.Commit(t.Context(), map[string]string{"n": fmt.Sprint(readers)}); err != nil {
				t.Fatal(err)
			}
		case 7:
			if err := w.ForceMerge(t.Context(), 1+readers%3); err != nil {
				t.Fatal(err)
			}
		}
		got := readContents(t, w)
		if len(got) != ids {
			t.Fatalf("%d documents instead of %d", len(got), ids)
		}
		for key, text := range got {
			id, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(key, "id:1:id"), ":0"))
			at := strings.Index(text, "v:1:")
			v, err := strconv.ParseInt(strings.TrimSuffix(text[at+4:], ":0]"), 10, 64)
			if err != nil || v < least[id] {
				t.Fatalf("document %d has version %d (%v, %q), %d was acknowledged", id, v, err, text, least[id])
			}
		}
	}
	wg.Wait()
	t.Logf("%d updates, %d readers, %+v", updates.Load(), readers, w.Stats())
	if err := w.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	r, err := OpenDirectory(t.Context(), dir, "")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got := contents(t, leavesOf(r)); len(got) != ids {
		t.Fatalf("%d documents after closing", len(got))
	}
}

// TestCloseWhileBusy closes a writer while others use it.
func TestCloseWhileBusy(t *testing.T) {
	for round := range 20 {
		dir := store.NewMem()
		w := openTest(t, dir, Config{RAMBudget: 20 << 10})
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for i := 0; ; i++ {
					var err error
					switch {
					case g == 3 && i%2 == 0:
						err = w.Commit(t.Context(), nil)
					case g == 3:
						err = w.ForceMerge(t.Context(), 1)
					case i%20 == 19:
						var r *DirectoryReader
						if r, err = w.Reader(t.Context()); err == nil {
							err = r.Close()
						}
					default:
						_, err = w.AddDocuments(t.Context(), simpleDocument(fmt.Sprint(g, "-", i), "some words here"))
					}
					if err != nil {
						if w.Err() != nil {
							t.Error(w.Err())
						}
						return
					}
				}
			}()
		}
		time.Sleep(time.Duration(round) * time.Millisecond)
		if err := w.Rollback(); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		w = openTest(t, dir, Config{})
		readContents(t, w)
		checkNoLeftovers(t, w, dir)
		if err := w.Rollback(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStallEndsWithContext(t *testing.T) {
	w := openTest(t, store.NewMem(), Config{RAMBudget: 1 << 20})
	w.mu.Lock()
	w.nFlush, w.flushing = 1, 10<<20 // as if a flush hung
	w.mu.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := w.AddDocuments(ctx, simpleDocument("a", "b")); ctx.Err() == nil || err == nil {
		t.Fatalf("no stall: %v", err)
	}
	w.mu.Lock()
	w.nFlush, w.flushing = 0, 0
	w.mu.Unlock()
	if _, err := w.AddDocuments(t.Context(), simpleDocument("a", "b")); err != nil {
		t.Fatal(err)
	}
	if err := w.Rollback(); err != nil {
		t.Fatal(err)
	}
}

func TestPinnedCommitKeepsItsFiles(t *testing.T) {
	dir := store.NewMem()
	w := openTest(t, dir, Config{})
	add := func(id string) {
		t.Helper()
		if _, err := w.UpdateDocuments(t.Context(), idTerm(id), simpleDocument(id, "text "+id)); err != nil {
			t.Fatal(err)
		}
		if err := w.Commit(t.Context(), map[string]string{"id": id}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.PinCommit(); err == nil {
		t.Fatal("a commit is pinned before there is one")
	}
	add("a")
	pin, err := w.PinCommit()
	if err != nil {
		t.Fatal(err)
	}
	add("a")
	add("b")
	if err := w.ForceMerge(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	add("c")
	for _, f := range pin.Files() {
		if _, err := dir.Length(f); err != nil {
			t.Errorf("file of the pinned commit: %v", err)
		}
	}
	r, err := OpenDirectory(t.Context(), dir, pin.Infos().FileName())
	if err != nil {
		t.Fatal(err)
	}
	if n := r.NumDocs(); n != 1 {
		t.Errorf("the pinned commit has %d documents", n)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	pin.Release()
	pin.Release()
	checkNoLeftovers(t, w, dir)
	if got := readContents(t, w); len(got) != 3 {
		t.Errorf("%d documents", len(got))
	}
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestWriteLockAndLimits(t *testing.T) {
	dir := store.NewMem()
	w := openTest(t, dir, Config{MaxDocs: 3})
	if _, err := Open(dir, Config{}); err == nil {
		t.Fatal("two writers at once")
	}
	for i := range 3 {
		if _, err := w.AddDocuments(t.Context(), simpleDocument(fmt.Sprint(i), "x")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.AddDocuments(t.Context(), simpleDocument("4", "x")); err == nil {
		t.Fatal("more documents than allowed")
	}
	if _, err := w.DeleteTerm(t.Context(), idTerm("1")); err != nil {
		t.Fatal(err)
	}
	if err := w.ForceMerge(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if _, err := w.AddDocuments(t.Context(), simpleDocument("4", "x")); err != nil {
		t.Fatalf("after a merge there is room: %v", err)
	}
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Config{Sort: []lucene.SortField{{Field: "n", Type: lucene.SortLong}}}); err == nil {
		t.Fatal("an index is opened with another sort")
	}
}
