package s3

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"go.uber.org/goleak"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/blobtest"
	"github.com/varve-search/varve/internal/oracletest"
)

func TestMain(m *testing.M) {
	maxBackoff, checkTime = 200*time.Millisecond, 4*time.Second
	goleak.VerifyTestMain(m)
}

// TestMinIO asks a real server.
func TestMinIO(t *testing.T) {
	srv := oracletest.S3Server(t, "minio", "MINIO_SITE_REGION=eu-central-1")
	srv.Region = "eu-central-1"
	t.Run("ClosedEarly", func(t *testing.T) { testClosedEarly(t, srv) }) // alone: it looks at the memory that all share
	for name, test := range map[string]func(*testing.T, *oracletest.S3){
		"Conformance": testConformance, "ReadOnly": testReadOnly, "Attributes": testAttributes, "Parts": testParts, "StoreCheck": testStoreCheck, "LostAnswers": testLostAnswers, "Faults": testFaults,
		"Diagnosis": testDiagnosis, "Throttled": testThrottled, "Role": testRole, "Pages": testPages, "Patience": testPatience, "Bodies": testBodies, "Amazon": testAmazon, "Direct": testDirect, "Ranges": testRanges,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, srv)
		})
	}
}

var serial atomic.Int64

// testConfig is a client of a test server; the repository's settings may be added to.
func testConfig(srv *oracletest.S3, endpoint string, settings ...string) blob.Config {
	set := blob.Settings{"bucket": fmt.Sprintf("bucket-%d", serial.Add(1)), "base_path": "some/place"}
	for i := 0; i < len(settings); i += 2 {
		set[settings[i]] = settings[i+1]
	}
	secrets := map[string]string{"s3.client.default.access_key": srv.AccessKey, "s3.client.default.secret_key": srv.SecretKey}
	return blob.Config{
		Settings: set,
		Node:     blob.Settings{"s3.client.default.endpoint": endpoint, "s3.client.default.region": srv.Region, "s3.client.default.proxy.type": "direct"},
		Secret:   func(n string) (string, bool) { v, ok := secrets[n]; return v, ok },
	}
}

func mustOpen(t testing.TB, cfg blob.Config) *Container {
	t.Helper()
	c, err := New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func makeBucket(t testing.TB, c *Container) {
	t.Helper()
	in := &s3.CreateBucketInput{Bucket: &c.cfg.bucket}
	if c.cfg.region != "us-east-1" { // which must not be named
		in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(c.cfg.region)}
	}
	if _, err := c.api.CreateBucket(context.Background(), in); err != nil {
		t.Fatal(err)
	}
}

func fresh(t testing.TB, srv *oracletest.S3, settings ...string) *Container {
	t.Helper()
	c := mustOpen(t, testConfig(srv, srv.Endpoint, settings...))
	makeBucket(t, c)
	return c
}

func testConformance(t *testing.T, srv *oracletest.S3) {
	for name, settings := range map[string][]string{
		"plain": nil,
		"md5":   {"legacy_md5_checksum_calculation", "true", "server_side_encryption_type", "AES256", "canned_acl", "bucket-owner-full-control", "base_path", ""},
		"kms":   {"server_side_encryption_type", "aws:kms", "server_side_encryption_kms_key_id", srv.KMSKey, "server_side_encryption_encryption_context", `{"a":"b"}`},
	} {
		t.Run(name, func(t *testing.T) {
			blobtest.Run(t, func(t *testing.T) blob.Container { return fresh(t, srv, settings...) })
		})
	}
}

// testAttributes reads what another program said of an object beside its content.
func testAttributes(t *testing.T, srv *oracletest.S3) {
	ctx, c := context.Background(), fresh(t, srv)
	if _, err := c.api.PutObject(ctx, &s3.PutObjectInput{Bucket: &c.cfg.bucket, Key: c.key("a"), Body: strings.NewReader("abc"), Metadata: map[string]string{"Ckp-Data": "P9ds=", "other": "x y"}}); err != nil {
		t.Fatal(err)
	}
	i, err := blob.ReadOnly(c).Stat(ctx, "a")
	if err != nil || i.Size != 3 || !maps.Equal(i.Attributes, map[string]string{"ckp-data": "P9ds=", "other": "x y"}) {
		t.Errorf("%+v, %v", i, err)
	}
	if err := putBytes(c, "b", []byte("b"), blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if i, err = c.Stat(ctx, "b"); err != nil || i.Attributes != nil {
		t.Errorf("ours has attributes: %+v, %v", i, err)
	}
}

// testReadOnly makes sure that a read-only repository sends nothing that writes.
func testReadOnly(t *testing.T, srv *oracletest.S3) {
	ctx := context.Background()
	w := fresh(t, srv)
	if err := w.Put(ctx, "a", strings.NewReader("abc"), 3, blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	cfg := testConfig(srv, srv.Endpoint, "bucket", w.cfg.bucket, "readonly", "true")
	c := mustOpen(t, cfg)
	_, treeErr := c.DeleteTree(ctx)
	for _, err := range []error{c.Put(ctx, "b", strings.NewReader("b"), 1, blob.PutOptions{}), c.DeleteBatch(ctx, []string{"a"}), treeErr,
		c.DeleteTemp(ctx, []string{"a?uploadId=x"})} {
		if blob.KindOf(err) != blob.KindReadOnly {
			t.Fatal(err)
		}
	}
	if n := c.Stats().Requests; len(n) != 0 {
		t.Fatalf("requests were sent: %v", n)
	}
	if b, err := blob.ReadAll(ctx, c, "a", 10); err != nil || string(b) != "abc" {
		t.Fatalf("%q, %v", b, err)
	}
}
