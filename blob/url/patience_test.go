package url

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/blobtest"
)

func TestPatience(t *testing.T) {
	away := &blobtest.Away{Store: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/repo/a" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte("abc"))
	})}
	srv := httptest.NewServer(away)
	defer srv.Close()
	c, err := Open(t.Context(), blob.Config{Settings: blob.Settings{"url": srv.URL + "/repo", "http_max_retries": "1"}, Node: blob.Settings{"repositories.url.allowed_urls": srv.URL + "/*"}})
	if err != nil {
		t.Fatal(err)
	}
	blobtest.Patience(t, c, away)
}
