package oss

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/blobtest"
	"github.com/varve-search/varve/blob/oss/osstest"
)

func TestPatience(t *testing.T) {
	d := osstest.New()
	away := &blobtest.Away{Store: d}
	srv := httptest.NewServer(away)
	defer srv.Close()
	c := fresh(t, d, srv.URL, "max_retries", "1")
	if err := c.Put(t.Context(), "a", strings.NewReader("abc"), 3, blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	blobtest.Patience(t, c, away)
	away.Next.Store(3)
	ctx := blob.WithPatience(t.Context(), time.Minute)
	for range 2 {
		err := c.Put(ctx, "new", strings.NewReader("abc"), 3, blob.PutOptions{IfAbsent: true})
		if kind := blob.KindOf(err); err != nil && kind != blob.KindAlreadyExists {
			t.Fatal(err)
		}
	}
}
