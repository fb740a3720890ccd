package s3

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/internal/oracletest"
)

// readRange reads one range whole.
func readRange(t testing.TB, r blob.Ranges, off, length int64) ([]byte, error) {
	t.Helper()
	in, err := r.GetRange(t.Context(), off, length)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return io.ReadAll(in)
}

// testRanges reads ranges side by side, also of a blob that is replaced meanwhile, and while connections break.
func testRanges(t *testing.T, srv *oracletest.S3) {
	proxy := oracletest.FaultProxy(t, srv.Endpoint)
	direct := fresh(t, srv)
	c := mustOpen(t, testConfig(srv, proxy, "bucket", direct.cfg.bucket))
	b := randomBytes(40*mib+17, 1)
	if err := putBytes(direct, "large", b, blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	const size = 7*mib + 3
	setFaults(t, proxy, rule{"method": "GET", "path": "large", "truncate": 3 * mib, "first": 3}, rule{"method": "GET", "path": "large", "cut": true, "after": true, "p": 0.2})
	r := blob.RangesOf(blob.ReadOnly(c), "large")
	if r == nil {
		t.Fatal("not Ranged")
	}
	var wg sync.WaitGroup
	for off := int64(0); off < int64(len(b)); off += size {
		wg.Go(func() {
			want := b[off:min(off+size, int64(len(b)))]
			if got, err := readRange(t, r, off, size); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes of the %d from %d on: %v", len(got), len(want), off, err)
			}
		})
	}
	wg.Wait()
	if st := c.Stats(); st.Retries == 0 && st.Requests["GetObject"] < 9 {
		t.Errorf("nothing broke: %+v", st)
	}
	setFaults(t, proxy)
	if got, err := readRange(t, r, int64(len(b)), 10); err != nil || len(got) > 0 {
		t.Errorf("behind the end: %d bytes, %v", len(got), err)
	}
	for _, bad := range [][2]int64{{-1, 5}, {0, 0}, {5, -1}, {1 << 62, 1 << 62}} {
		if _, err := r.GetRange(t.Context(), bad[0], bad[1]); blob.KindOf(err) != blob.KindInvalid {
			t.Errorf("range %v: %v", bad, err)
		}
	}
	if _, err := blob.RangesOf(c, "none").GetRange(t.Context(), 0, 5); blob.KindOf(err) != blob.KindNotFound {
		t.Errorf("no such blob: %v", err)
	}
	if _, err := blob.RangesOf(c, "a/b").GetRange(t.Context(), 0, 5); blob.KindOf(err) != blob.KindInvalidName {
		t.Errorf("a path: %v", err)
	}
	// Another blob in its place is not what was asked for, whether that shows in the middle of a range or at the next one.
	open, err := r.GetRange(t.Context(), 0, 30*mib)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	if _, err := io.ReadFull(open, make([]byte, mib)); err != nil {
		t.Fatal(err)
	}
	if err := putBytes(direct, "large", randomBytes(len(b), 2), blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := readRange(t, r, 5, 10); blob.KindOf(err) != blob.KindUnsupported || !strings.Contains(err.Error(), "replaced") {
		t.Errorf("a blob that was replaced: %v", err)
	}
	open.(*blobReader).body.Close() // the connection breaks
	if _, err := io.ReadAll(open); blob.KindOf(err) != blob.KindUnsupported || !strings.Contains(err.Error(), "replaced") {
		t.Errorf("a blob that was replaced while a range was read: %v", err)
	}
}

// TestRangesRace: of the first requests, which are on their way at the same time, only those of one version are answered.
func TestRangesRace(t *testing.T) {
	var mu sync.Mutex
	n := 0
	both := make(chan struct{})
	c := rangesOf(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		n++
		tag := "\"one\""
		if n == 2 {
			tag = "\"two\""
			close(both)
		}
		mu.Unlock()
		<-both
		w.Header().Set("ETag", tag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(make([]byte, 1000)))
	})
	r := c.Ranges("blob")
	errs := make(chan error, 2)
	for i := range int64(2) {
		go func() {
			_, err := readRange(t, r, i*500, 500)
			errs <- err
		}()
	}
	a, b := <-errs, <-errs
	if a == nil {
		a, b = b, a
	}
	if b != nil || blob.KindOf(a) != blob.KindUnsupported {
		t.Errorf("%v, and %v", a, b)
	}
}

// rangesOf is a store whose objects a function answers for.
func rangesOf(t *testing.T, get http.HandlerFunc) *Container {
	t.Helper()
	web := httptest.NewServer(get)
	t.Cleanup(web.Close)
	secret := func(string) (string, bool) { return "secret", true }
	return mustOpen(t, blob.Config{Settings: blob.Settings{"bucket": "bucket", "endpoint": web.URL, "region": "us-east-1", "proxy.type": "direct"}, Secret: secret})
}

// TestRangesIgnored: a store that sends everything has no ranges.
func TestRangesIgnored(t *testing.T) {
	c := rangesOf(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1000)) })
	for _, off := range []int64{0, 500} {
		if _, err := readRange(t, c.Ranges("blob"), off, 300); blob.KindOf(err) != blob.KindUnsupported {
			t.Errorf("from byte %d on: %v", off, err)
		}
	}
}

// TestRangesMemory: ranges are not held in memory.
func TestRangesMemory(t *testing.T) {
	content := make([]byte, 64*mib)
	c := rangesOf(t, func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	})
	r := c.Ranges("blob")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var wg sync.WaitGroup
	for i := range int64(4) {
		wg.Go(func() {
			in, err := r.GetRange(t.Context(), i*16*mib, 16*mib)
			if err != nil {
				t.Error(err)
				return
			}
			defer in.Close()
			if n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, in, make([]byte, 64<<10)); n != 16*mib || err != nil {
				t.Errorf("%d bytes, %v", n, err)
			}
		})
	}
	wg.Wait()
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 6*mib {
		t.Errorf("%d KiB were allocated to read %d", n>>10, len(content)>>10)
	}
}
