package s3

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/varve-search/varve/blob/storecheck"
	"github.com/varve-search/varve/internal/oracletest"
)

// testStoreCheck: the check passes, and names what is wrong when rights are missing, parts are not taken, or a clock is wrong.
func testStoreCheck(t *testing.T, srv *oracletest.S3) {
	proxy := oracletest.FaultProxy(t, srv.Endpoint)
	bucket := fresh(t, srv).cfg.bucket
	check := func(endpoint string) *storecheck.Report {
		c := mustOpen(t, testConfig(srv, endpoint, "bucket", bucket, "max_retries", "0"))
		rep, err := storecheck.Run(t.Context(), c, storecheck.Options{Blobs: 3, MaxSize: 6 * mib, Contests: 2})
		if err != nil {
			t.Fatal(err)
		}
		return rep
	}
	for _, q := range []struct {
		rule         rule
		check, words string
	}{
		{nil, "", ""},
		{rule{"method": "DELETE", "path": "uploadId=", "status": 403, "code": "AccessDenied"}, "aborted upload", "s3:AbortMultipartUpload"},
		{rule{"method": "GET", "path": "[?&]uploads", "status": 403, "code": "AccessDenied"}, "aborted upload", "s3:ListBucketMultipartUploads"},
		{rule{"method": "PUT", "path": "partNumber=", "status": 403, "code": "AccessDenied"}, "upload in parts", "s3:PutObject"},
		{rule{"method": "GET", "path": "list-type=2", "status": 403, "code": "AccessDenied"}, "access", "s3:ListBucket"},
	} {
		if q.rule != nil {
			setFaults(t, proxy, q.rule)
		}
		rep := check(proxy)
		setFaults(t, proxy)
		if q.check == "" {
			if len(rep.Issues) != 0 || !strings.Contains(strings.Join(rep.Checks, ","), "upload in parts") {
				t.Fatalf("%+v", rep)
			}
			continue
		}
		if len(rep.Issues) == 0 || rep.Issues[0].Check != q.check || !strings.Contains(rep.Issues[0].Problem, q.words) {
			t.Errorf("%v: %+v", q.rule, rep.Issues)
		}
	}

	to, err := url.Parse(srv.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	late := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = to.Scheme, to.Host }, // Host stays as it was signed
		ModifyResponse: func(r *http.Response) error {
			r.Header.Set("Date", time.Now().Add(8*time.Minute).UTC().Format(http.TimeFormat))
			return nil
		},
	})
	defer late.Close()
	rep := check(late.URL)
	if len(rep.Issues) != 1 || rep.Issues[0].Check != "clock" || !strings.Contains(rep.Issues[0].Problem, "apart") {
		t.Errorf("%+v", rep.Issues)
	}
}
