package oss

import (
	"bytes"
	"io"
	"math/rand"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/blobtest"
	"github.com/varve-search/varve/blob/oss/osstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, d *osstest.Server) string {
	srv := httptest.NewServer(d)
	t.Cleanup(srv.Close)
	return srv.URL
}

func fresh(t *testing.T, d *osstest.Server, url string, settings ...string) *Container {
	t.Helper()
	bucket := d.MakeBucket()
	set := blob.Settings{"endpoint": url, "region": d.Region, "bucket": bucket, "base_path": "some/place", "access_key_id": d.KeyID, "secret_access_key": d.Key}
	if d.Token != "" {
		set["security_token"] = d.Token
	}
	for i := 0; i < len(settings); i += 2 {
		set[settings[i]] = settings[i+1]
	}
	c, err := New(blob.Config{Settings: set})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestConformance(t *testing.T) {
	for name, settings := range map[string][]string{"v4": nil, "v1": {"signature_version", "v1"}, "parts": {"buffer_size", "1mb", "base_path", ""}} {
		t.Run(name, func(t *testing.T) {
			d := osstest.New()
			d.PageMax = 3
			url := start(t, d)
			blobtest.Run(t, func(t *testing.T) blob.Container { return fresh(t, d, url, settings...) })
			if n := d.Uploads(); n != 0 {
				t.Fatalf("%d uploads were left", n)
			}
		})
	}
	t.Run("token", func(t *testing.T) {
		d := osstest.New()
		d.Token = "session"
		url := start(t, d)
		blobtest.Run(t, func(t *testing.T) blob.Container { return fresh(t, d, url) })
	})
}

func TestLostAnswers(t *testing.T) {
	d := osstest.New()
	url := start(t, d)
	c := fresh(t, d, url, "buffer_size", "1mb")
	content := make([]byte, 3*mib+5)
	rand.New(rand.NewSource(1)).Read(content)
	once := func(method, query string) {
		fired := false
		d.Fault = func(r *http.Request) (int, string, bool) {
			if fired || r.Method != method || !strings.Contains(r.URL.RawQuery, query) {
				return 0, "", false
			}
			fired = true
			return 500, "InternalError", true
		}
	}
	put := func(name string, b []byte) error {
		return c.Put(t.Context(), name, io.MultiReader(bytes.NewReader(b)), int64(len(b)), blob.PutOptions{IfAbsent: true})
	}
	once("PUT", "")
	if err := put("a", []byte("abc")); err != nil {
		t.Fatal(err)
	}
	once("PUT", "")
	if err := put("a", []byte("abc")); blob.KindOf(err) != blob.KindAlreadyExists {
		t.Fatalf("somebody else's blob was taken for ours: %v", err)
	}
	once("POST", "uploadId=")
	if err := put("large", content); err != nil {
		t.Fatal(err)
	}
	if b, err := blob.ReadAll(t.Context(), c, "large", 8*mib); err != nil || !bytes.Equal(b, content) {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	if n := c.Stats().Requests; n["UploadPart"] != 4 || n["ListObjectsV2"] != 0 {
		t.Fatalf("%v", n)
	}
}

func TestDiagnosis(t *testing.T) {
	d := osstest.New()
	url := start(t, d)
	for _, f := range []struct {
		name     string
		settings []string
		kind     blob.Kind
		says     string
	}{
		{"secret", []string{"secret_access_key", "other-secret"}, blob.KindPermission, "secret_access_key is wrong"},
		{"id", []string{"access_key_id", "other"}, blob.KindPermission, "does not know access_key_id"},
		{"token", []string{"security_token", "other"}, blob.KindPermission, "security_token is not valid"},
		{"bucket", []string{"bucket", "no-such-bucket"}, blob.KindInvalid, "bucket does not exist"},
		{"refused", []string{"endpoint", "http://127.0.0.1:1"}, blob.KindUnavailable, "could not be reached"},
	} {
		begun := time.Now()
		err := fresh(t, d, url, f.settings...).Check(t.Context())
		if err == nil || blob.KindOf(err) != f.kind || !strings.Contains(err.Error(), f.says) || strings.Contains(err.Error(), "other-secret") || time.Since(begun) > 15*time.Second {
			t.Errorf("%s: %v after %s", f.name, err, time.Since(begun))
		}
	}
	c := fresh(t, d, url)
	if err := c.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.PutObject(c.cfg.bucket, "some/place/a", []byte("x"), map[string]string{"x-oss-storage-class": "Archive"})
	if _, err := c.Get(t.Context(), "a"); blob.KindOf(err) != blob.KindArchived {
		t.Fatal(err)
	}
	ro := fresh(t, d, url, "readonly", "true")
	if err := ro.Put(t.Context(), "a", strings.NewReader("b"), 1, blob.PutOptions{}); blob.KindOf(err) != blob.KindReadOnly || len(ro.Stats().Requests) != 0 {
		t.Fatalf("%v, %v", err, ro.Stats().Requests)
	}
}

func TestSettings(t *testing.T) {
	for _, k := range []string{"OSS_ACCESS_KEY_ID", "OSS_ACCESS_KEY_SECRET", "OSS_SESSION_TOKEN"} {
		t.Setenv(k, "")
	}
	good := blob.Settings{"endpoint": "oss-cn-hangzhou-internal.aliyuncs.com", "bucket": "some-bucket", "access_key_id": "i", "secret_access_key": "k"}
	if c, err := parse(blob.Config{Settings: good}); err != nil || c.region != "cn-hangzhou" || c.pathStyle || c.endpoint.Scheme != "https" {
		t.Fatalf("%+v, %v", c, err)
	}
	for _, b := range []struct{ name, value, named string }{
		{"bucket", "", "bucket"}, {"bucket", "Upper", "bucket"}, {"base_path", "a/../b", "base_path"}, {"endpoint", "", "endpoint"}, {"endpoint", "http://u:p@h", "endpoint"},
		{"endpoint", "store.example", "region"}, {"chunk_size", "1mb", "chunk_size"}, {"buffer_size", "1gb", "buffer_size"}, {"compress", "x", "compress"}, {"readonly", "x", "readonly"},
		{"max_retries", "0", "max_retries"}, {"signature_version", "v2", "signature_version"}, {"storage_class", "Archive", "storage_class"}, {"path_style_access", "x", "path_style_access"},
		{"access_key_id", "", "access_key_id"}, {"secret_access_key", "", "secret_access_key"},
	} {
		set := blob.Settings{}
		for k, v := range good {
			set[k] = v
		}
		set[b.name] = b.value
		if _, err := parse(blob.Config{Settings: set}); blob.KindOf(err) != blob.KindInvalid || !strings.Contains(err.Error(), "["+b.named+"]") {
			t.Errorf("%s=%s: %v", b.name, b.value, err)
		}
	}
	secrets := map[string]string{"oss.client.default.access_key_id": "si", "oss.client.default.secret_access_key": "sk"}
	delete(good, "access_key_id")
	delete(good, "secret_access_key")
	if c, err := parse(blob.Config{Settings: good, Secret: func(n string) (string, bool) { v, ok := secrets[n]; return v, ok }}); err != nil || c.keyID != "si" || c.key != "sk" {
		t.Fatalf("%v", err)
	}
	if _, err := parse(blob.Config{Settings: good}); err == nil || !strings.Contains(err.Error(), "key store") {
		t.Fatal(err)
	}
}

func TestLocation(t *testing.T) {
	t.Setenv("OSS_ACCESS_KEY_ID", "i")
	t.Setenv("OSS_ACCESS_KEY_SECRET", "k")
	c, err := blob.Open(t.Context(), "oss://some-bucket/a/b?endpoint=oss-cn-beijing.aliyuncs.com&buffer_size=2mb")
	if err != nil || c.String() != "oss://some-bucket/a/b" || c.(*Container).cfg.region != "cn-beijing" || c.(*Container).cfg.bufferSize != 2*mib {
		t.Fatalf("%v, %v", c, err)
	}
	for _, bad := range []string{"oss:", "oss://some-bucket/x", "oss://u:p@some-bucket/x?endpoint=h", "oss://some-bucket/x?endpoint=h&region=r&security_token=y"} {
		if _, err := blob.Open(t.Context(), bad); err == nil || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
