package blobtest

import (
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/varve-search/varve/blob"
)

// Away lets requests fail before they reach a store.
type Away struct {
	Store http.Handler
	// Next is how many requests still fail; below 0: all.
	Next atomic.Int64
}

func (a *Away) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := a.Next.Load()
	if n > 0 {
		a.Next.Add(-1)
	}
	if n == 0 {
		a.Store.ServeHTTP(w, r)
		return
	}
	w.WriteHeader(http.StatusServiceUnavailable)
}

// Patience lets a job outlast a store that is away, for as long as it wants to. The container makes one attempt by its settings and holds the blob a, of
// the three bytes abc, and none of the name b.
func Patience(t *testing.T, c blob.Container, away *Away) {
	t.Helper()
	away.Next.Store(3)
	if _, err := c.Get(t.Context(), "a"); blob.KindOf(err) != blob.KindThrottled {
		t.Fatalf("without patience: %v", err)
	}
	away.Next.Store(3)
	ctx := blob.WithPatience(t.Context(), time.Minute)
	r, err := c.Get(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if b, err := io.ReadAll(r); err != nil || string(b) != "abc" {
		t.Fatalf("%q, %v", b, err)
	}
	start := time.Now()
	if _, err := c.Get(ctx, "b"); blob.KindOf(err) != blob.KindNotFound || time.Since(start) > time.Second {
		t.Fatalf("what is not there for good, after %s: %v", time.Since(start), err)
	}
	away.Next.Store(-1)
	GivenUp(t, c)
	away.Next.Store(0)
}

// GivenUp lets a job with a second of patience find a store away that stays away: it waits once, and no request after the first does.
func GivenUp(t *testing.T, c blob.Container) {
	t.Helper()
	ctx := blob.WithPatience(t.Context(), time.Second)
	start := time.Now()
	if _, err := c.Get(ctx, "a"); blob.KindOf(err) != blob.KindThrottled {
		t.Fatalf("a store that stays away: %v", err)
	}
	if took := time.Since(start); took < time.Second/2 || took > 10*time.Second {
		t.Errorf("given up after %s", took)
	}
	start = time.Now()
	if _, err := c.Stat(ctx, "a"); blob.KindOf(err) != blob.KindThrottled || time.Since(start) > time.Second/2 {
		t.Errorf("the same job waited once more, %s: %v", time.Since(start), err)
	}
}
