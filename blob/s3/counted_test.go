package s3

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/varve-search/varve/blob"
)

// TestCountedRetries: only what is sent again counts as a retry, also where a job has patience with the store.
func TestCountedRetries(t *testing.T) {
	c := &cloud{day: 1, life: time.Hour}
	fail := true
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if fail {
			fail = false
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		c.ServeHTTP(w, r)
	}))
	defer web.Close()
	secrets := map[string]string{"s3.client.default.access_key": "key", "s3.client.default.secret_key": "secret"}
	store := mustOpen(t, blob.Config{Settings: blob.Settings{"bucket": "backups", "endpoint": web.URL, "region": "us-east-1"},
		Secret: func(n string) (string, bool) { v, ok := secrets[n]; return v, ok }})
	defer store.Close()
	patient := blob.WithPatience(t.Context(), time.Minute)
	if err := store.List(patient, "", func(blob.Info) error { return nil }); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := store.List(patient, "", func(blob.Info) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if err := store.List(t.Context(), "", func(blob.Info) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if st := store.Stats(); st.Requests["ListObjectsV2"] != 8 || st.Retries != 1 || st.Errors != 1 {
		t.Errorf("%+v", st)
	}
}

// TestWatchedNames: who watches is told which blob each request is for.
func TestWatchedNames(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("list-type") {
			fmt.Fprint(w, "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")
		}
	}))
	defer srv.Close()
	var mu sync.Mutex
	got := map[string]bool{}
	counters := &blob.Counters{Watch: func(_ context.Context, a blob.Attempt) func(int64) {
		mu.Lock()
		defer mu.Unlock()
		got[a.Kind+" "+a.Blob] = true
		return nil
	}}
	secret := func(string) (string, bool) { return "secret", true }
	c, err := New(t.Context(), blob.Config{Settings: blob.Settings{"bucket": "bucket", "base_path": "a b/%c", "endpoint": srv.URL + "/root", "proxy.type": "direct"}, Secret: secret, Counters: counters})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	sub, err := c.Container("indices/u/0")
	if err != nil {
		t.Fatal(err)
	}
	if err := putBytes(sub, "__x", []byte("x"), blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := blob.Names(t.Context(), c, "index-"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"PutObject indices/u/0/__x", "ListObjectsV2 index-"} {
		if !got[want] {
			t.Errorf("no %s in %v", want, got)
		}
	}
}
