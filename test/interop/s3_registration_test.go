package interop

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/servertest"
)

// TestS3Registration makes the mistakes that operators make. Each is told within 15 seconds, in one error that says what is wrong,
// and nothing is registered.
func TestS3Registration(t *testing.T) {
	t.Parallel()
	const account = "123456789012"
	minio := oracletest.S3Server(t, "minio", "MINIO_SITE_REGION=eu-central-1")
	owned := oracletest.S3Server(t, "versitygw", "S3TEST_ACCESS="+account)
	full := fullStore(t)
	minio.MakeBucket(t, "shared")
	owned.MakeBucket(t, "shared")
	proxy := oracletest.FaultProxy(t, minio.Endpoint)
	faults(t, proxy, map[string]any{"method": "PUT", "path": "^/shared/", "status": 507, "code": "XMinioAdminBucketQuotaExceeded"})
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	s := servertest.Start(t, t.TempDir(), t.TempDir(), "repository_s3.allow_insecure_settings=true", "keystore.path="+filepath.Join(t.TempDir(), "keystore"))
	good := func(srv *oracletest.S3, region string) map[string]string {
		return map[string]string{"bucket": "shared", "endpoint": srv.Endpoint, "region": region, "access_key": srv.AccessKey, "secret_key": srv.SecretKey}
	}
	for _, c := range []struct {
		name   string
		base   map[string]string
		change map[string]string
		says   []string // all of them
	}{
		{"secret key", good(minio, "eu-central-1"), map[string]string{"secret_key": "mistaken-secret"}, []string{"secret key is wrong"}},
		{"access key", good(minio, "eu-central-1"), map[string]string{"access_key": "mistaken-key"}, []string{"does not know the access key"}},
		{"one key", good(minio, "eu-central-1"), map[string]string{"secret_key": ""}, []string{"secret_key", "missing"}},
		{"bucket", good(minio, "eu-central-1"), map[string]string{"bucket": "elsewhere"}, []string{"[elsewhere]|s3://elsewhere", "bucket does not exist"}},
		{"region", good(minio, "us-west-2"), nil, []string{"setting region", "eu-central-1"}},
		{"owner", good(owned, "us-east-1"), map[string]string{"expected_bucket_owner": "999988887777"}, []string{"expected_bucket_owner"}},
		{"no owner", good(owned, "us-east-1"), map[string]string{"expected_bucket_owner": "somebody"}, []string{"expected_bucket_owner", "12 digits"}},
		{"archive", good(owned, "us-east-1"), map[string]string{"storage_class": "glacier"}, []string{"storage_class", "cannot be read at once"}},
		{"refused", good(minio, "eu-central-1"), map[string]string{"endpoint": "http://127.0.0.1:1"}, []string{"127.0.0.1:1", "could not be reached", "refused"}},
		{"silent", good(minio, "eu-central-1"), map[string]string{"endpoint": "http://" + silent.Addr().String()}, []string{silent.Addr().String(), "did not answer"}},
		{"name", good(minio, "eu-central-1"), map[string]string{"endpoint": "http://no-such-host.invalid"}, []string{"no-such-host.invalid", "could not be reached"}},
		{"certificate", good(minio, "eu-central-1"), map[string]string{"endpoint": strings.Replace(minio.Endpoint, "http:", "https:", 1)}, []string{"could not be reached", "HTTPS"}},
		{"quota", good(minio, "eu-central-1"), map[string]string{"endpoint": proxy}, []string{"no_space", "quota"}},
		{"full", good(full, "us-east-1"), nil, []string{"no_space", "the store is full"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			set := maps.Clone(c.base)
			maps.Copy(set, c.change)
			maps.DeleteFunc(set, func(_, v string) bool { return v == "" })
			body, err := json.Marshal(map[string]any{"type": "s3", "settings": set})
			if err != nil {
				t.Fatal(err)
			}
			path := "/_snapshot/" + strings.ReplaceAll(c.name, " ", "-")
			start := time.Now()
			status, answer, err := servertest.Call(s.URL, "PUT", path, string(body))
			took := time.Since(start)
			if err != nil || status < 400 || took > 15*time.Second {
				t.Fatalf("%d after %s: %s %v", status, took, answer, err)
			}
			text := string(answer)
			t.Logf("%d after %s: %s", status, took.Round(time.Millisecond), text)
			for _, want := range c.says {
				found := false
				for _, w := range strings.Split(want, "|") {
					found = found || strings.Contains(text, w)
				}
				if !found {
					t.Errorf("the answer does not say [%s]", want)
				}
			}
			if strings.Contains(text, minio.SecretKey) || strings.Contains(text, "mistaken-secret") {
				t.Error("the answer shows a secret")
			}
			if status, _, err := servertest.Call(s.URL, "GET", path, ""); err != nil || status != 404 {
				t.Errorf("it was registered all the same: %d %v", status, err)
			}
		})
	}
	for name, set := range map[string]map[string]string{"minio": good(minio, "eu-central-1"), "versitygw": good(owned, "us-east-1")} {
		if set["expected_bucket_owner"] = ""; name == "versitygw" {
			set["expected_bucket_owner"] = account
		}
		body, err := json.Marshal(map[string]any{"type": "s3", "settings": set})
		if err != nil {
			t.Fatal(err)
		}
		servertest.Must(t, s.URL, "PUT", "/_snapshot/right-"+name, string(body), nil)
		servertest.Must(t, s.URL, "PUT", "/"+name+"/_doc/1?refresh=true", `{"a":1}`, nil)
		servertest.Must(t, s.URL, "PUT", "/_snapshot/right-"+name+"/one?wait_for_completion=true", fmt.Sprintf(`{"indices":%q}`, name), nil)
		servertest.Must(t, s.URL, "POST", "/_snapshot/right-"+name+"/one/_restore?wait_for_completion=true", `{"rename_pattern":"(.+)","rename_replacement":"again-$1"}`, nil)
		if got := string(ask(t, s.URL, "again-"+name, `{"size":0,"track_total_hits":true}`).Hits.Total); !strings.Contains(got, `"value":1,`) {
			t.Errorf("%s gave %s back", name, got)
		}
	}
}

// fullStore starts a server of which the disk has no space left.
func fullStore(t *testing.T) *oracletest.S3 {
	t.Helper()
	dir := oracletest.SmallDisk(t, 8<<20)
	srv := oracletest.S3ServerOn(t, "minio", dir)
	srv.MakeBucket(t, "shared")
	f, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for chunk := make([]byte, 4096); err == nil; {
		_, err = f.Write(chunk)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	return srv
}
