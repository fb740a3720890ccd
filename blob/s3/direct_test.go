package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/internal/oracletest"
)

// testDirect reads objects whose keys need escaping, in all ways, and with what is learned from the SDK's request: the servers check the signature.
func testDirect(t *testing.T, srv *oracletest.S3) {
	c := fresh(t, srv, "base_path", "a b/ü+%25~'(x)")
	for i, name := range []string{"plain", "with space", "plus+and&amp", "100%", "%41", "ümläut-日本", "a=b;c,d:e@f$g!h*i'(j)", "?x#y", ".", "__x.part0"} {
		if blob.CheckName(name) != nil {
			continue
		}
		content := fmt.Appendf(nil, "content %d of [%s]", i, name)
		if err := putBytes(c, name, content, blob.PutOptions{}); err != nil {
			t.Fatalf("[%s]: %v", name, err)
		}
		for range 2 {
			if got := getBytes(t, c, name); string(got) != string(content) {
				t.Errorf("[%s]: %q", name, got)
			}
		}
		r, err := c.GetRange(t.Context(), name, 3, 6)
		if err != nil {
			t.Fatalf("[%s]: %v", name, err)
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != string(content[3:9]) {
			t.Errorf("[%s]: %q, %v", name, got, err)
		}
		r.Close()
	}
	if c.direct.to.Load() == nil || c.direct.off.Load() {
		t.Error("all requests went through the SDK")
	}
	_, direct := c.Get(t.Context(), "missing")
	c.direct.off.Store(true)
	_, sdk := c.Get(t.Context(), "missing")
	if blob.KindOf(direct) != blob.KindNotFound || withoutID(direct) != withoutID(sdk) {
		t.Errorf("a direct request fails with\n%v\nand one of the SDK with\n%v", direct, sdk)
	}
}

// withoutID is an error's text without what differs from request to request.
func withoutID(err error) string {
	head, rest, _ := strings.Cut(fmt.Sprint(err), ", request ")
	_, tail, _ := strings.Cut(rest, ")")
	return head + tail
}

// getter answers GetObject as a test says.
type getter struct {
	mu     sync.Mutex
	direct []bool // of each request, whether it is none of the SDK's
	answer func(w http.ResponseWriter, r *http.Request, n int)
}

func (g *getter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	n := len(g.direct)
	g.direct = append(g.direct, r.Header.Get("Amz-Sdk-Invocation-Id") == "")
	g.mu.Unlock()
	g.answer(w, r, n)
}

func openGetter(t *testing.T, g *getter) *Container {
	t.Helper()
	web := httptest.NewServer(g)
	t.Cleanup(web.Close)
	secrets := map[string]string{"s3.client.default.access_key": "key", "s3.client.default.secret_key": "secret", "s3.client.default.session_token": "token"}
	c := mustOpen(t, blob.Config{Settings: blob.Settings{"bucket": "backups", "endpoint": web.URL, "region": "eu-west-9", "expected_bucket_owner": "123456789012"},
		Secret: func(n string) (string, bool) { v, ok := secrets[n]; return v, ok }})
	t.Cleanup(func() { c.Close() })
	return c
}

func whole(w http.ResponseWriter) {
	w.Header().Set("ETag", `"e"`)
	w.Header().Set("Content-Range", "bytes 0-2/3")
	w.WriteHeader(http.StatusPartialContent)
	_, _ = io.WriteString(w, "abc")
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `<?xml version="1.0"?><Error><Code>%s</Code><Message>told</Message><RequestId>id</RequestId></Error>`, code)
}

// TestDirectRequests: what is sent, retried and told without the SDK is what the SDK sends, retries and tells.
func TestDirectRequests(t *testing.T) {
	var first http.Header
	g := &getter{answer: func(w http.ResponseWriter, r *http.Request, n int) {
		switch n {
		case 0:
			first = r.Header.Clone()
		case 1:
			for name := range first {
				if name != "Amz-Sdk-Invocation-Id" && (name == "Authorization" || name == "X-Amz-Date") != (first.Get(name) != r.Header.Get(name)) && name != "X-Amz-Date" {
					t.Errorf("header %s is %q, and the SDK's %q", name, r.Header.Get(name), first.Get(name))
				}
			}
		}
		whole(w)
	}}
	c := openGetter(t, g)
	for range 3 {
		if got := getBytes(t, c, "a"); string(got) != "abc" {
			t.Fatalf("%q", got)
		}
	}
	if got := fmt.Sprint(g.direct); got != "[false true true]" {
		t.Error(got)
	}

	// Failures: the same number of attempts, and the same words.
	for name, fail := range map[string]func(w http.ResponseWriter){
		"slow down": func(w http.ResponseWriter) { refuse(w, 503, "SlowDown") },
		"internal":  func(w http.ResponseWriter) { refuse(w, 500, "InternalError") },
		"denied":    func(w http.ResponseWriter) { refuse(w, 403, "AccessDenied") },
		"missing":   func(w http.ResponseWriter) { refuse(w, 404, "NoSuchKey") },
		"bucket":    func(w http.ResponseWriter) { refuse(w, 404, "NoSuchBucket") },
		"archived":  func(w http.ResponseWriter) { refuse(w, 403, "InvalidObjectState") },
		"redirect":  func(w http.ResponseWriter) { refuse(w, 301, "PermanentRedirect") },
		"gateway":   func(w http.ResponseWriter) { w.WriteHeader(502); _, _ = io.WriteString(w, "<html>bad</html>") },
		"no body":   func(w http.ResponseWriter) { w.WriteHeader(404) },
		"cut":       func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			var text [2]string
			var kind [2]blob.Kind
			var sent [2]int64
			for way := range 2 {
				g := &getter{answer: func(w http.ResponseWriter, _ *http.Request, n int) {
					if n == 0 {
						whole(w)
					} else {
						fail(w)
					}
				}}
				c := openGetter(t, g)
				getBytes(t, c, "a")
				c.direct.off.Store(way == 1)
				_, err := c.Get(t.Context(), "a")
				text[way], kind[way], sent[way] = strings.ReplaceAll(fmt.Sprint(err), c.cfg.endpoint.Host, "HOST"), blob.KindOf(err), c.Stats().Requests["GetObject"]
				if st := c.Stats(); err == nil || st.Retries != sent[way]-2 {
					t.Errorf("%v, %+v", err, st)
				}
			}
			if text[0] != text[1] && name != "cut" && name != "gateway" || kind[0] != kind[1] || sent[0] != sent[1] {
				t.Errorf("directly %d requests, %s\nby the SDK %d, %s", sent[0], text[0], sent[1], text[1])
			}
		})
	}
}

// TestDirectClock: where the clocks differ the SDK makes it good.
func TestDirectClock(t *testing.T) {
	store := time.Duration(0)
	g := &getter{answer: func(w http.ResponseWriter, r *http.Request, _ int) {
		now := time.Now().Add(store)
		w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
		if at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date")); err != nil || now.Sub(at).Abs() > 15*time.Minute {
			refuse(w, http.StatusForbidden, "RequestTimeTooSkewed")
			return
		}
		whole(w)
	}}
	c := openGetter(t, g)
	for _, store = range []time.Duration{0, time.Hour, time.Hour} {
		if got := getBytes(t, c, "a"); string(got) != "abc" {
			t.Fatalf("%q", got)
		}
	}
	if got := fmt.Sprint(g.direct); got != "[false true false false false]" {
		t.Error(got)
	}
}

// TestDirectCanceled ends a request with its context.
func TestDirectCanceled(t *testing.T) {
	came := make(chan struct{}, 1)
	g := &getter{answer: func(w http.ResponseWriter, r *http.Request, n int) {
		if n == 0 {
			whole(w)
			return
		}
		came <- struct{}{}
		<-r.Context().Done()
	}}
	c := openGetter(t, g)
	getBytes(t, c, "a")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-came
		cancel()
	}()
	if _, err := c.Get(ctx, "a"); blob.KindOf(err) != blob.KindCanceled || !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
