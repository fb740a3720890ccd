package s3

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/varve-search/varve/blob"
)

// adviceFor opens a bucket at an endpoint and returns what a request for a blob ends with, and what writing one does.
func adviceFor(t *testing.T, set blob.Settings, secrets map[string]string) (get, put error) {
	t.Helper()
	for k, v := range map[string]string{"bucket": "bucket", "base_path": "b", "max_retries": "0"} {
		set[k] = v
	}
	known := map[string]string{"s3.client.default.access_key": "a", "s3.client.default.secret_key": "s"}
	for k, v := range secrets {
		known[k] = v
	}
	c, err := New(t.Context(), blob.Config{Settings: set, Secret: func(name string) (string, bool) { v, ok := known[name]; return v, ok }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, get = c.Get(t.Context(), "index-0")
	return get, putBytes(c, "index-0", []byte("x"), blob.PutOptions{})
}

func wantAdvice(t *testing.T, err error, kind blob.Kind, words ...string) {
	t.Helper()
	if err == nil || blob.KindOf(err) != kind {
		t.Fatalf("kind %v, not %v: %v", blob.KindOf(err), kind, err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Fatalf("[%s] is missing in: %v", w, err)
		}
	}
}

// Errors that a store answers with name the right that is missing, or the setting that helps. A blob is missing only if the store says so.
func TestAdvice(t *testing.T) {
	for _, c := range []struct {
		status   int
		code     string
		kind     blob.Kind
		get, put string
	}{
		{403, "AccessDenied", blob.KindPermission, "s3:GetObject", "s3:PutObject"},
		{403, "RequestTimeTooSkewed", blob.KindPermission, "NTP", "NTP"},
		{404, "kms:KeyNotFound", blob.KindInvalid, "server_side_encryption_kms_key_id", "server_side_encryption_kms_key_id"},
		{404, "KMS.NotFoundException", blob.KindInvalid, "server_side_encryption_kms_key_id", "server_side_encryption_kms_key_id"},
		{404, "WebsiteRedirect", blob.KindInvalid, "WebsiteRedirect", "WebsiteRedirect"},
		{404, "NoSuchKey", blob.KindNotFound, "NoSuchKey", "NoSuchKey"},
		{407, "", blob.KindPermission, "s3.client.default.proxy.username", "s3.client.default.proxy.username"},
		{501, "NotImplemented", blob.KindUnsupported, "server_side_encryption_type", "server_side_encryption_type"},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			if c.code != "" {
				fmt.Fprintf(w, "<Error><Code>%s</Code><Message>m</Message></Error>", c.code)
			}
		}))
		get, put := adviceFor(t, blob.Settings{"endpoint": srv.URL}, nil)
		wantAdvice(t, get, c.kind, c.get)
		wantAdvice(t, put, c.kind, c.put)
		srv.Close()
	}
}

// What fails before a store answers names the setting that is wrong: protocol, certificate, proxy.
func TestAdviceOnTheWay(t *testing.T) {
	none := http.NotFoundHandler()
	plain, secure := httptest.NewServer(none), httptest.NewUnstartedServer(none)
	defer plain.Close()
	defer secure.Close()
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	plainHost, secureHost := plain.Listener.Addr().String(), secure.Listener.Addr().String()
	get, _ := adviceFor(t, blob.Settings{"endpoint": plainHost}, nil) // https, unless something says otherwise
	wantAdvice(t, get, blob.KindUnavailable, "protocol", "http://"+plainHost)
	get, _ = adviceFor(t, blob.Settings{"endpoint": "http://" + secureHost}, nil)
	wantAdvice(t, get, blob.KindInvalid, "protocol", "https://"+secureHost)
	get, _ = adviceFor(t, blob.Settings{"endpoint": secureHost}, nil)
	wantAdvice(t, get, blob.KindUnavailable, "ca_file")

	host, port, err := net.SplitHostPort(plainHost)
	if err != nil {
		t.Fatal(err)
	}
	secrets := map[string]string{"s3.client.default.proxy.username": "someone", "s3.client.default.proxy.password": "proxy-secret"}
	get, _ = adviceFor(t, blob.Settings{"endpoint": "http://store.invalid", "proxy.type": "https", "proxy.host": host, "proxy.port": port}, secrets)
	wantAdvice(t, get, blob.KindUnavailable, "proxy.type", "through the proxy https://"+plainHost)
	if strings.Contains(get.Error(), "someone") || strings.Contains(get.Error(), "proxy-secret") {
		t.Fatalf("the proxy's credentials are shown: %v", get)
	}
}

// A setting of the repository's own is named as it stands there.
func TestOwnSecretNamed(t *testing.T) {
	_, err := New(t.Context(), blob.Config{Settings: blob.Settings{"bucket": "bucket", "access_key": "a"}, Node: blob.Settings{"repository_s3.allow_insecure_settings": "true"}})
	wantAdvice(t, err, blob.KindInvalid, "[secret_key]")
}

// The endpoint of the AWS configuration's profile counts as that of the environment does.
func TestEndpointOfProfile(t *testing.T) {
	asked := false
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.Path == "/bucket/b/index-0" // path style, as with every store that is not Amazon's
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, "<Error><Code>NoSuchKey</Code></Error>")
	}))
	defer srv.Close()
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, []byte("[profile varve]\nendpoint_url = "+srv.URL+"\nregion = eu-west-1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{"AWS_CONFIG_FILE": file, "AWS_PROFILE": "varve", "AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_S3": ""} {
		t.Setenv(k, v)
	}
	get, _ := adviceFor(t, blob.Settings{}, nil)
	if wantAdvice(t, get, blob.KindNotFound); !asked {
		t.Fatal("the profile's endpoint was not asked in path style")
	}
}

// A location is written for this tool: what it does not know there is a slip of the pen, and might send credentials elsewhere.
func TestLocationWithUnknownSetting(t *testing.T) {
	_, err := blob.Open(t.Context(), "s3://bucket/base?endpiont=http://127.0.0.1:1")
	wantAdvice(t, err, blob.KindInvalid, "[endpiont]")
}
