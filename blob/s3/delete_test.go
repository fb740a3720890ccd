package s3

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/varve-search/varve/blob"
)

// TestDeletesAtOnce: batches go to the store side by side, or one after the other.
func TestDeletesAtOnce(t *testing.T) {
	var now, most, requests atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		requests.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		time.Sleep(20 * time.Millisecond)
		fmt.Fprint(w, `<?xml version="1.0"?><DeleteResult></DeleteResult>`)
	}))
	defer srv.Close()
	secrets := map[string]string{"s3.client.default.access_key": "key", "s3.client.default.secret_key": "secret"}
	c := mustOpen(t, blob.Config{Settings: blob.Settings{"bucket": "backups", "endpoint": srv.URL, "region": "us-east-1"}, Secret: func(n string) (string, bool) { v, ok := secrets[n]; return v, ok }})
	defer c.Close()
	names := make([]string, 5500)
	for i := range names {
		names[i] = fmt.Sprint("blob", i)
	}
	for _, alone := range []bool{false, true} {
		ctx := t.Context()
		if alone {
			ctx = blob.WithDeletesInTurn(ctx)
		}
		most.Store(0)
		requests.Store(0)
		if err := c.DeleteBatch(ctx, names); err != nil {
			t.Fatal(err)
		}
		if m, n := most.Load(), requests.Load(); n != 6 || (m == 1) != alone {
			t.Errorf("%d requests, up to %d at a time", n, m)
		}
	}
}
