package s3

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/blobtest"
	"github.com/varve-search/varve/internal/oracletest"
)

// tlsFront puts TLS with a certificate for host in front of a server, and returns its address and the file of the
// certificate. Every request goes through watch.
func tlsFront(t *testing.T, target, host string, watch func(*http.Request)) (addr, caFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(front(t, target, watch))
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return srv.Listener.Addr().String(), caFile
}

// plainFront is tlsFront without TLS; it returns a URL.
func plainFront(t *testing.T, target string, watch func(*http.Request)) string {
	t.Helper()
	srv := httptest.NewServer(front(t, target, watch))
	t.Cleanup(srv.Close)
	return srv.URL
}

// front hands requests on to a server, as they are, once watch has seen them.
func front(t *testing.T, target string, watch func(*http.Request)) http.Handler {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	proxy := &httputil.ReverseProxy{Transport: transport, Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(u); p.Out.Host = p.In.Host }}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		watch(r)
		proxy.ServeHTTP(w, r)
	})
}

// testAmazon speaks as with Amazon: over TLS, with checksums in trailers.
func testAmazon(t *testing.T, srv *oracletest.S3) {
	const host = "s3.eu-central-1.amazonaws.com"
	var trailers, parts atomic.Int64
	addr, ca := tlsFront(t, srv.Endpoint, host, func(r *http.Request) {
		if strings.Contains(r.Header.Get("X-Amz-Trailer"), "x-amz-checksum-crc32") {
			trailers.Add(1)
			if r.URL.Query().Has("partNumber") {
				parts.Add(1)
			}
		}
	})
	open := func(bucket string) *Container {
		cfg := testConfig(srv, "https://"+host, "bucket", bucket, "buffer_size", "5mb")
		cfg.Node["s3.client.default.ca_file"] = ca
		cfg.Node["s3.client.default.path_style_access"] = "true" // one name is enough for the certificate
		c := mustOpen(t, cfg)
		c.transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		}
		return c
	}
	blobtest.Run(t, func(t *testing.T) blob.Container { return open(fresh(t, srv).cfg.bucket) })
	c := open(fresh(t, srv).cfg.bucket)
	b := randomBytes(12*mib, 4)
	for _, opts := range []blob.PutOptions{{IfAbsent: true}, {}} {
		if err := putBytes(c, "large", b, opts); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(getBytes(t, c, "large"), b) {
		t.Fatal("other bytes came back")
	}
	if trailers.Load() == 0 || parts.Load() != 6 {
		t.Fatalf("%d requests with trailers, %d of them parts", trailers.Load(), parts.Load())
	}
	cfg := testConfig(srv, "https://"+host, "bucket", c.cfg.bucket)
	untrusting := mustOpen(t, cfg)
	untrusting.transport.DialContext = c.transport.DialContext
	if err := untrusting.Check(t.Context()); blob.KindOf(err) != blob.KindUnavailable || !strings.Contains(err.Error(), "certificate") {
		t.Fatalf("a certificate that nobody vouches for: %v", err)
	}
}
