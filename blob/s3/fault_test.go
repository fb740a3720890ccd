package s3

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/internal/oracletest"
)

// rule is what the fault proxy does to some requests.
type rule map[string]any

func setFaults(t testing.TB, proxy string, rules ...rule) {
	t.Helper()
	if rules == nil {
		rules = []rule{}
	}
	b, err := json.Marshal(rules)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(proxy+"/__faults", "application/json", bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
}

func randomBytes(n int, seed int64) []byte {
	b := make([]byte, n)
	rand.New(rand.NewSource(seed)).Read(b)
	return b
}

func putBytes(c blob.Container, name string, b []byte, opts blob.PutOptions) error {
	return c.Put(context.Background(), name, io.MultiReader(bytes.NewReader(b)), int64(len(b)), opts) // not seekable
}

func getBytes(t testing.TB, c blob.Container, name string) []byte {
	t.Helper()
	r, err := c.Get(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// putOnce creates a large blob, which cannot be created again, and reads it.
func putOnce(t *testing.T, c blob.Container, name string, b []byte) {
	t.Helper()
	if err := putBytes(c, name, b, blob.PutOptions{IfAbsent: true}); err != nil {
		t.Fatal(err)
	}
	if err := putBytes(c, name, b[:7*mib], blob.PutOptions{IfAbsent: true}); blob.KindOf(err) != blob.KindAlreadyExists {
		t.Fatal(err)
	}
	if !bytes.Equal(getBytes(t, c, name), b) {
		t.Fatal("other bytes came back")
	}
}

// testParts sends and reads a blob of several parts and windows.
func testParts(t *testing.T, srv *oracletest.S3) {
	for _, md5 := range []string{"false", "true"} {
		c := fresh(t, srv, "buffer_size", "5mb", "legacy_md5_checksum_calculation", md5)
		b := randomBytes(52*mib+17, 1)
		putOnce(t, c, "large", b)
		if n := c.Stats().Requests; n["UploadPart"] != 11+2 || n["GetObject"] != 4 || n["HeadObject"] != 0 || n["ListObjectsV2"] != 0 {
			t.Fatalf("requests: %v", n)
		}
		off := int64(15*mib + 3)
		r, err := c.GetRange(t.Context(), "large", off, 20*mib)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, b[off:off+20*mib]) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		r.Close()
		// A reader that ends early, and one that breaks, leave no upload behind.
		for _, r := range []io.Reader{bytes.NewReader(b[:12*mib]), io.MultiReader(bytes.NewReader(b[:12*mib]), broken{})} {
			if err := c.Put(t.Context(), "half", r, 20*mib, blob.PutOptions{}); err == nil {
				t.Fatal("half a blob was accepted")
			}
		}
		noUploads(t, c, "half")
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

// noUploads fails where uploads were begun and not ended. MinIO lists those of one key only.
func noUploads(t *testing.T, c *Container, name string) {
	t.Helper()
	out, err := c.api.ListMultipartUploads(context.Background(), &s3.ListMultipartUploadsInput{Bucket: &c.cfg.bucket, Prefix: c.key(name)})
	if err != nil || len(out.Uploads) != 0 {
		t.Fatalf("unfinished uploads of %s: %v, %v", name, out.Uploads, err)
	}
}

// testClosedEarly gives the memory of what was fetched back.
func testClosedEarly(t *testing.T, srv *oracletest.S3) {
	c := fresh(t, srv)
	b := randomBytes(80*mib, 2)
	if err := putBytes(c, "large", b, blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		r, err := c.Get(t.Context(), "large")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(r, make([]byte, 20*mib)); err != nil {
			t.Fatal(err)
		}
		r.Close()
	}
	if !getBudget.TryAcquire(getMemory) {
		t.Fatal("memory is lost")
	}
	defer getBudget.Release(getMemory)
	if !bytes.Equal(getBytes(t, c, "large"), b) { // without memory to fetch ahead
		t.Fatal("other bytes came back")
	}
}

// testLostAnswers repeats what had happened already.
func testLostAnswers(t *testing.T, srv *oracletest.S3) {
	proxy := oracletest.FaultProxy(t, srv.Endpoint)
	c := mustOpen(t, testConfig(srv, proxy, "buffer_size", "5mb"))
	makeBucket(t, c)
	for name, r := range map[string]rule{
		"500": {"method": "PUT", "path": "whole", "status": 500, "code": "InternalError", "after": true, "first": 1},
		"cut": {"method": "PUT", "path": "whole", "cut": true, "after": true, "first": 2},
	} {
		setFaults(t, proxy, r)
		if err := putBytes(c, "whole-"+name, []byte("abc"), blob.PutOptions{IfAbsent: true}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		setFaults(t, proxy, r)
		if err := putBytes(c, "whole-"+name, []byte("abc"), blob.PutOptions{IfAbsent: true}); blob.KindOf(err) != blob.KindAlreadyExists {
			t.Fatalf("%s: somebody else's blob was taken for ours: %v", name, err)
		}
	}
	b := randomBytes(11*mib, 3)
	setFaults(t, proxy, rule{"method": "POST", "path": "uploadId=", "cut": true, "after": true, "first": 1})
	if err := putBytes(c, "parts", b, blob.PutOptions{IfAbsent: true}); err != nil {
		t.Fatal(err)
	}
	setFaults(t, proxy)
	if !bytes.Equal(getBytes(t, c, "parts"), b) {
		t.Fatal("other bytes came back")
	}
	if st := c.Stats(); st.Retries == 0 || st.Errors == 0 {
		t.Fatalf("%+v", st)
	}
}

// testFaults lets one request in twenty fail in each way: whatever succeeds is right, and what fails says why.
func testFaults(t *testing.T, srv *oracletest.S3) {
	proxy := oracletest.FaultProxy(t, srv.Endpoint)
	for name, r := range map[string]rule{
		"reset": {"cut": true}, "lost": {"cut": true, "after": true}, "slow": {"delay_ms": 100}, "503": {"status": 503, "code": "SlowDown"},
		"500": {"status": 500, "code": "InternalError"}, "truncated": {"method": "GET", "truncate": 700},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(srv, proxy, "buffer_size", "5mb", "throttle_retries", "false", "max_retries", "5")
			c := mustOpen(t, cfg)
			setup := mustOpen(t, cfgAt(cfg, srv.Endpoint))
			makeBucket(t, setup)
			r["p"], r["path"] = 0.05, "/"+c.cfg.bucket+"/"
			faultsMu.Lock()
			faults = append(faults, r)
			setFaults(t, proxy, faults...)
			faultsMu.Unlock()
			var wg sync.WaitGroup
			for w := range 8 {
				wg.Go(func() {
					for i := range 12 {
						n := 2000 + w*1000
						if w == 0 && i%6 == 0 {
							n = 6 * mib
						}
						key, b := fmt.Sprintf("b-%d-%d", w, i), randomBytes(n, int64(w*100+i))
						if err := putBytes(c, key, b, blob.PutOptions{IfAbsent: true}); err != nil {
							t.Errorf("put %s: %v", key, err)
							continue
						}
						if got := getBytes(t, c, key); !bytes.Equal(got, b) {
							t.Errorf("%s came back with %d bytes", key, len(got))
						}
					}
				})
			}
			wg.Wait()
			if names, err := blob.Names(t.Context(), c, ""); err != nil || len(names) != 96 {
				t.Errorf("%d names, %v", len(names), err)
			}
			if st, err := c.DeleteTree(t.Context()); err != nil || st.Blobs != 96 {
				t.Errorf("%+v, %v", st, err)
			}
		})
	}
}

var (
	faultsMu sync.Mutex
	faults   []rule
)

func cfgAt(cfg blob.Config, endpoint string) blob.Config {
	node := blob.Settings{}
	for k, v := range cfg.Node {
		node[k] = v
	}
	node["s3.client.default.endpoint"] = endpoint
	cfg.Node = node
	return cfg
}

// testDiagnosis makes sure that what operators get wrong is told in one sentence and soon.
func testDiagnosis(t *testing.T, srv *oracletest.S3) {
	proxy := oracletest.FaultProxy(t, srv.Endpoint, "-owner", "111122223333")
	good := fresh(t, srv)
	bucket := good.cfg.bucket
	if err := good.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	with := func(srv oracletest.S3, endpoint string, settings ...string) blob.Config {
		return testConfig(&srv, endpoint, append([]string{"bucket", bucket}, settings...)...)
	}
	wrong := *srv
	wrong.SecretKey = "some-other-secret"
	unknown := *srv
	unknown.AccessKey = "some-other-key"
	elsewhere := *srv
	elsewhere.Region = "us-west-2"
	for _, c := range []struct {
		name string
		cfg  blob.Config
		kind blob.Kind
		says string
	}{
		{"secret", with(wrong, srv.Endpoint), blob.KindPermission, "secret key is wrong"},
		{"key", with(unknown, srv.Endpoint), blob.KindPermission, "does not know the access key"},
		{"bucket", with(*srv, srv.Endpoint, "bucket", "no-such-bucket"), blob.KindInvalid, "bucket does not exist"},
		{"region", with(elsewhere, srv.Endpoint), blob.KindInvalid, "setting region"},
		{"owner", with(*srv, proxy, "expected_bucket_owner", "999988887777"), blob.KindPermission, "expected_bucket_owner"},
		{"refused", with(*srv, "http://127.0.0.1:1"), blob.KindUnavailable, "could not be reached"},
		{"silent", with(*srv, silent(t)), blob.KindUnavailable, "did not answer"},
		{"name", with(*srv, "http://no-such-host.invalid"), blob.KindUnavailable, "could not be reached"},
		{"other", with(*srv, notS3(t)), blob.KindInvalid, "endpoint"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			err := mustOpen(t, c.cfg).Check(t.Context())
			if err == nil || blob.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v: %v", blob.KindOf(err), err)
			}
			if took := time.Since(start); took > 15*time.Second {
				t.Errorf("took %s", took)
			}
			if err != nil && (strings.Contains(err.Error(), srv.SecretKey) || strings.Contains(err.Error(), wrong.SecretKey)) {
				t.Errorf("shows a secret: %v", err)
			}
		})
	}
	owner := mustOpen(t, with(*srv, proxy, "expected_bucket_owner", "111122223333"))
	if err := owner.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// testThrottled lets the store ask for patience.
func testThrottled(t *testing.T, srv *oracletest.S3) {
	proxy := oracletest.FaultProxy(t, srv.Endpoint)
	c := mustOpen(t, testConfig(srv, proxy))
	makeBucket(t, c)
	setFaults(t, proxy, rule{"method": "PUT", "status": 503, "code": "SlowDown", "first": 2})
	if err := putBytes(c, "a", []byte("abc"), blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if st := c.Stats(); st.Throttles != 2 || st.Retries != 2 {
		t.Fatalf("%+v", st)
	}
	setFaults(t, proxy, rule{"method": "PUT", "status": 503, "code": "SlowDown"})
	if err := putBytes(c, "a", []byte("abc"), blob.PutOptions{}); blob.KindOf(err) != blob.KindThrottled {
		t.Fatal(err)
	}
	setFaults(t, proxy, rule{"method": "GET", "status": 403, "code": "InvalidObjectState"})
	if _, err := c.Get(t.Context(), "a"); blob.KindOf(err) != blob.KindArchived || !strings.Contains(err.Error(), "restore it in the store first") {
		t.Fatal(err)
	}
	setFaults(t, proxy, rule{"method": "GET", "status": 400, "code": "ExpiredToken"})
	if _, err := c.Get(t.Context(), "a"); blob.KindOf(err) != blob.KindPermission || !strings.Contains(err.Error(), "expired") {
		t.Fatal(err)
	}
	setFaults(t, proxy, rule{"method": "POST", "path": "delete", "status": 501, "code": "NotImplemented"})
	if err := c.DeleteBatch(t.Context(), []string{"a", "b"}); err != nil {
		t.Fatal(err)
	}
	setFaults(t, proxy, rule{"method": "POST", "path": "delete", "status": 400, "code": "MissingContentMD5"})
	if err := c.DeleteBatch(t.Context(), []string{"a", "b"}); err != nil {
		t.Fatal(err)
	}
	setFaults(t, proxy, rule{"method": "PUT", "status": 507, "code": "XMinioStorageFull"})
	if err := putBytes(c, "a", []byte("abc"), blob.PutOptions{}); blob.KindOf(err) != blob.KindNoSpace {
		t.Fatal(err)
	}
}

// testRole assumes a role through STS.
func testRole(t *testing.T, srv *oracletest.S3) {
	bucket := fresh(t, srv).cfg.bucket
	cfg := testConfig(srv, srv.Endpoint, "bucket", bucket, "role_arn", "arn:minio:iam:::role/any")
	cfg.Node["s3.client.default.sts_endpoint"] = srv.Endpoint
	c := mustOpen(t, cfg)
	for range 100 { // MinIO answers for STS a little later than for buckets
		if err := c.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "not initialized") {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err := putBytes(c, "a", []byte("abc"), blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	creds, err := c.api.Options().Credentials.Retrieve(t.Context())
	if err != nil || creds.AccessKeyID == srv.AccessKey || creds.SessionToken == "" || !creds.CanExpire {
		t.Fatalf("no session of a role is used: %v", err)
	}
	// A session that the store says has ended is replaced.
	proxy := oracletest.FaultProxy(t, srv.Endpoint)
	cfg = cfgAt(cfg, proxy)
	c = mustOpen(t, cfg)
	setFaults(t, proxy, rule{"method": "GET", "path": "/a", "status": 400, "code": "ExpiredToken", "first": 1})
	if got := getBytes(t, c, "a"); string(got) != "abc" {
		t.Fatalf("%q", got)
	}
	cfg.Node["s3.client.default.sts_endpoint"] = "http://127.0.0.1:1"
	if err := mustOpen(t, cfg).Check(t.Context()); blob.KindOf(err) != blob.KindPermission || !strings.Contains(err.Error(), "could not be assumed") {
		t.Fatal(err)
	}
}

// testPages lists and deletes more keys than one answer holds.
func testPages(t *testing.T, srv *oracletest.S3) {
	c := fresh(t, srv)
	const n = 2100
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for i := w; i < n; i += 16 {
				sub, err := c.Container(fmt.Sprintf("d%04d", i))
				if err == nil {
					err = putBytes(sub, "x", []byte("x"), blob.PutOptions{})
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	kids := 0
	if err := c.Children(t.Context(), func(string) error { kids++; return nil }); err != nil || kids != n {
		t.Fatalf("%d children, %v", kids, err)
	}
	if st, err := c.DeleteTree(t.Context()); err != nil || st.Blobs != n || st.Bytes != n {
		t.Fatalf("%+v, %v", st, err)
	}
	if got := c.Stats().Requests["DeleteObjects"]; got != 3 {
		t.Fatalf("%d requests deleted %d keys", got, n)
	}
	// Begun uploads of another process.
	out, err := c.api.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &c.cfg.bucket, Key: c.key("left")})
	if err != nil {
		t.Fatal(err)
	}
	name := "left" + idMark + aws.ToString(out.UploadId)
	if err := c.DeleteTemp(t.Context(), []string{name}); err != nil {
		t.Fatal(err)
	}
	noUploads(t, c, "left")
}
