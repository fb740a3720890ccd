package transfer

import (
	"bytes"
	"context"
	"io"
	"log"
	"math/rand"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/s3"
	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/lucene/store"
)

// tampered passes a body on, and changes a byte, or breaks off, at some place.
type tampered struct {
	io.ReadCloser
	left  int
	flips bool
}

func (r *tampered) Read(b []byte) (int, error) {
	if r.left == 0 && !r.flips {
		return 0, http.ErrAbortHandler
	}
	if r.left > 0 {
		b = b[:min(len(b), r.left)]
	}
	n, err := r.ReadCloser.Read(b)
	if r.left -= n; r.left == 0 && r.flips && n > 0 {
		b[n-1] ^= 0x10
	}
	return n, err
}

// meddler sends requests, and does to those for ranges what a test wants.
type meddler struct {
	to     *http.Transport
	ranges atomic.Int64
	before func(n int64) // the n-th
	body   func(n int64, body io.ReadCloser) io.ReadCloser
}

func (m *meddler) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet || req.Header.Get("Range") == "" {
		return m.to.RoundTrip(req)
	}
	n := m.ranges.Add(1)
	if m.before != nil {
		m.before(n)
	}
	resp, err := m.to.RoundTrip(req)
	if err == nil && m.body != nil && resp.StatusCode == http.StatusPartialContent {
		resp.Body = m.body(n, resp.Body)
	}
	return resp, err
}

// TestS3Ranges brings a file of several ranges from MinIO through a proxy that changes a byte, breaks connections off in the middle of
// ranges, or puts another object in the place of the one that is read.
func TestS3Ranges(t *testing.T) {
	srv := oracletest.S3Server(t, "minio")
	srv.MakeBucket(t, "bucket")
	meddle := &meddler{to: &http.Transport{DisableCompression: true}}
	defer meddle.to.CloseIdleConnections()
	target, err := url.Parse(srv.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Transport: meddle, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host }, // which is signed
		ErrorLog: log.New(io.Discard, "", 0),
	})
	defer proxy.Close()
	container := func(endpoint string) blob.Container {
		secrets := map[string]string{"s3.client.default.access_key": srv.AccessKey, "s3.client.default.secret_key": srv.SecretKey}
		c, err := s3.New(t.Context(), blob.Config{Settings: blob.Settings{"bucket": "bucket", "endpoint": endpoint, "region": srv.Region, "proxy.type": "direct"},
			Secret: func(n string) (string, bool) { v, ok := secrets[n]; return v, ok }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	direct, under := container(srv.Endpoint), container(proxy.URL)
	rnd := rand.New(rand.NewSource(1))
	const size = 2 << 20
	content := luceneFile(rnd, 4*size+12345)
	src := store.NewMem()
	src.Put("_0.fdt", content)
	list, _ := upload(t, open(t, direct, 0), src, nil)
	where, err := direct.Container(open(t, direct, 0).Path())
	if err != nil {
		t.Fatal(err)
	}
	download := func(before func(int64), body func(int64, io.ReadCloser) io.ReadCloser) (*store.FSDirectory, Counts, error) {
		meddle.before, meddle.body = before, body
		meddle.ranges.Store(0)
		dst, err := store.OpenFS(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		d := &Download{Shard: open(t, under, 0), Files: list, Dir: dst, Parallel: 2, Progress: &Progress{}, Retry: quick, rangeSize: size}
		err = d.Run(t.Context())
		return dst, d.Progress.Counts(), err
	}
	dst, _, err := download(nil, func(n int64, body io.ReadCloser) io.ReadCloser {
		if n == 2 {
			return &tampered{body, size - 5, true}
		}
		return body
	})
	if _, gone := dst.Length("_0.fdt"); !store.IsCorrupt(err) || gone == nil {
		t.Errorf("a changed byte: %v", err)
	}
	dst, counts, err := download(nil, func(n int64, body io.ReadCloser) io.ReadCloser {
		if n%2 == 0 {
			return &tampered{body, int(n) * size / 8, false}
		}
		return body
	})
	if n := meddle.ranges.Load(); err != nil || !bytes.Equal(readAll(t, dst, "_0.fdt"), content) || n < 7 || counts.MovedBytes != int64(len(content)) {
		t.Errorf("%d requests, of which each second broke off: %v, %+v", n, err, counts)
	}
	dst, _, err = download(func(n int64) {
		if n != rangesAtOnce+1 { // the first ranges are read to their ends meanwhile: MinIO locks what is read
			return
		}
		other := luceneFile(rnd, len(content))
		if err := where.Put(context.Background(), list[0].Name, bytes.NewReader(other), int64(len(other)), blob.PutOptions{}); err != nil {
			t.Error(err)
		}
	}, nil)
	if _, gone := dst.Length("_0.fdt"); !store.IsCorrupt(err) || gone == nil || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("an object that was replaced: %v", err)
	}
}
