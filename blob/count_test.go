package blob_test

import (
	"bytes"
	"context"
	"io"
	"strconv"
	"sync"
	"testing"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/fs"
	"github.com/varve-search/varve/blob/mem"
)

func TestCount(t *testing.T) {
	var n blob.Counters
	c, err := blob.Count(mem.New(), &n).Container("a/b")
	if err != nil {
		t.Fatal(err)
	}
	b := []byte("twelve bytes")
	if err := c.Put(t.Context(), "x", bytes.NewReader(b), int64(len(b)), blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if got, err := blob.ReadAll(t.Context(), c, "x", 100); err != nil || !bytes.Equal(got, b) {
		t.Fatal(got, err)
	}
	r, err := c.GetRange(t.Context(), "x", 7, 5)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.Copy(io.Discard, r); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Get(t.Context(), "y"); blob.KindOf(err) != blob.KindNotFound {
		t.Fatal(err)
	}
	st := n.Stats()
	if st.BytesOut != 12 || st.BytesIn != 17 || st.Errors != 1 || st.Requests["put"] != 1 || st.Requests["get"] != 2 || st.Requests["get_range"] != 1 {
		t.Errorf("%+v", st)
	}
	dir, err := fs.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	sub, err := blob.Count(dir, &n).Container("sub")
	if _, ok := sub.(blob.TempCleaner); err != nil || !ok {
		t.Error("what interrupted writes leave is no longer found", err)
	}
}

// TestMetered: requests of two operations at a time are told apart, and those of none count for the store only.
func TestMetered(t *testing.T) {
	var store, one, two blob.Counters
	var mu sync.Mutex
	seen := map[string]int64{}
	store.Watch = func(_ context.Context, a blob.Attempt) func(int64) {
		return func(in int64) {
			mu.Lock()
			defer mu.Unlock()
			seen[a.Kind] += in + a.BytesOut
		}
	}
	c := blob.Count(mem.New(), &store)
	body := []byte("twelve bytes")
	put := func(ctx context.Context, name string) {
		if err := c.Put(ctx, name, bytes.NewReader(body), int64(len(body)), blob.PutOptions{}); err != nil {
			t.Error(err)
		}
		if _, err := blob.ReadAll(ctx, c, name, 100); err != nil {
			t.Error(err)
		}
	}
	var wg sync.WaitGroup
	for i := range 20 {
		for _, n := range []*blob.Counters{&one, &two, &two} {
			wg.Go(func() { put(blob.Metered(t.Context(), n), "x"+strconv.Itoa(i)) })
		}
	}
	wg.Wait()
	put(t.Context(), "nobody's")
	for _, w := range []struct {
		n     *blob.Counters
		times int64
	}{{&one, 20}, {&two, 40}, {&store, 61}} {
		if st := w.n.Stats(); st.Requests["put"] != w.times || st.Requests["get"] != w.times || st.BytesOut != 12*w.times || st.BytesIn != 12*w.times {
			t.Errorf("%d: %+v", w.times, st)
		}
	}
	if seen["put"] != 12*61 || seen["get"] != 12*61 {
		t.Errorf("%v", seen)
	}
}
