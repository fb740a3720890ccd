package s3

import (
	"strings"
	"testing"
	"time"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/blobtest"
	"github.com/varve-search/varve/internal/oracletest"
)

// testPatience lets a job outlast a store that is away, for as long as it wants to.
func testPatience(t *testing.T, srv *oracletest.S3) {
	proxy := oracletest.FaultProxy(t, srv.Endpoint)
	c := mustOpen(t, testConfig(srv, proxy, "max_retries", "1"))
	makeBucket(t, c)
	away := rule{"path": "/" + c.cfg.bucket + "/", "status": 503, "code": "SlowDown", "first": 3}
	setFaults(t, proxy, away)
	if err := putBytes(c, "a", []byte("abc"), blob.PutOptions{}); blob.KindOf(err) != blob.KindThrottled {
		t.Fatalf("without patience: %v", err)
	}
	setFaults(t, proxy, away)
	ctx := blob.WithPatience(t.Context(), time.Minute)
	if err := c.Put(ctx, "a", strings.NewReader("abc"), 3, blob.PutOptions{IfAbsent: true}); err != nil {
		t.Fatal(err)
	}
	if err := c.Put(ctx, "a", strings.NewReader("abc"), 3, blob.PutOptions{IfAbsent: true}); blob.KindOf(err) != blob.KindAlreadyExists {
		t.Fatalf("what the store refuses for good: %v", err)
	}
	delete(away, "first")
	setFaults(t, proxy, away)
	blobtest.GivenUp(t, c)
}
