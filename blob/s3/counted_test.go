package s3

import (
	"net/http"
	"net/http/httptest"
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
