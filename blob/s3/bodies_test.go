package s3

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/internal/oracletest"
)

// testBodies changes a byte of each body on its way to a store over plain HTTP: the store refuses it, whatever guards the body.
func testBodies(t *testing.T, srv *oracletest.S3) {
	for name, c := range map[string]struct {
		set  map[string]string // of the client
		sees func(http.Header) bool
	}{
		"crc32c": {nil, func(h http.Header) bool {
			return h.Get("X-Amz-Content-Sha256") == "UNSIGNED-PAYLOAD" && h.Get("X-Amz-Checksum-Crc32c") != "" && h.Get("Content-Md5") == ""
		}},
		"signature": {map[string]string{"sign_payload": "true"}, func(h http.Header) bool {
			return len(h.Get("X-Amz-Content-Sha256")) == 64 && h.Get("X-Amz-Checksum-Crc32c") == ""
		}},
		"md5": {map[string]string{"legacy_md5_checksum_calculation": "true"}, func(h http.Header) bool {
			return h.Get("Content-Md5") != "" && h.Get("X-Amz-Checksum-Crc32c") == ""
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var damage atomic.Bool
			url := plainFront(t, srv.Endpoint, func(r *http.Request) {
				if r.Method != http.MethodPut || r.ContentLength <= 0 || !strings.Contains(r.URL.Path, "/some/place/") {
					return
				}
				if !c.sees(r.Header) {
					t.Errorf("%s %s: %v", r.Method, r.URL, r.Header)
				}
				if r.Header.Get("Expect") != "" {
					t.Error("the store is asked whether it wants the body")
				}
				if damage.Load() {
					b, err := io.ReadAll(r.Body)
					if err != nil {
						return
					}
					b[len(b)/2] ^= 1
					r.Body = io.NopCloser(bytes.NewReader(b))
				}
			})
			cfg := testConfig(srv, url, "buffer_size", "5mb")
			for k, v := range c.set {
				cfg.Node["s3.client.default."+k] = v
			}
			s := mustOpen(t, cfg)
			makeBucket(t, s)
			for key, n := range map[string]int{"small": 1000, "large": 11 * mib} {
				b := randomBytes(n, 1)
				damage.Store(true)
				if err := putBytes(s, key, b, blob.PutOptions{}); err == nil {
					t.Errorf("%s was taken with another byte in it", key)
				}
				if ok, err := blob.Exists(t.Context(), s, key); ok || err != nil {
					t.Errorf("%s is there: %v", key, err)
				}
				damage.Store(false)
				if err := putBytes(s, key, b, blob.PutOptions{}); err != nil {
					t.Error(err)
				} else if !bytes.Equal(getBytes(t, s, key), b) {
					t.Errorf("%s came back with other bytes", key)
				}
			}
		})
	}
}
