package s3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"

	"github.com/varve-search/varve/blob"
)

// newTransport makes the HTTP connections of a client.
func newTransport(cfg *config) (*http.Transport, error) {
	t := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		MaxConnsPerHost:     cfg.connections,
		MaxIdleConns:        cfg.connections,
		MaxIdleConnsPerHost: cfg.connections,
		IdleConnTimeout:     60 * time.Second,
		TLSHandshakeTimeout: cfg.dialTimeout,
		DisableCompression:  true, // a blob that is stored compressed must arrive as it is
		WriteBufferSize:     64 << 10,
		ReadBufferSize:      64 << 10,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
	}
	switch {
	case cfg.noProxy:
		t.Proxy = nil
	case cfg.proxy != nil:
		t.Proxy = http.ProxyURL(cfg.proxy)
	}
	dialer := &net.Dialer{Timeout: cfg.dialTimeout, KeepAlive: 30 * time.Second}
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &patient{conn, cfg.readTimeout}, nil
	}
	caFile := cfg.caFile
	if caFile == "" {
		caFile = os.Getenv("AWS_CA_BUNDLE")
	}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, blob.SettingError("ca_file", "cannot be read: %w", err)
		}
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, blob.SettingError("ca_file", "[%s] holds no certificate in PEM", caFile)
		}
		t.TLSClientConfig.RootCAs = pool
	}
	return t, nil
}

// patient is a connection that breaks when nothing has moved on it, in either direction, for a time.
type patient struct {
	net.Conn
	timeout time.Duration
}

func (p *patient) Read(b []byte) (int, error) {
	if err := p.Conn.SetReadDeadline(time.Now().Add(p.timeout)); err != nil {
		return 0, err
	}
	return p.Conn.Read(b)
}

func (p *patient) Write(b []byte) (int, error) {
	// The answer is awaited while a long body goes out.
	if err := p.Conn.SetDeadline(time.Now().Add(p.timeout)); err != nil {
		return 0, err
	}
	return p.Conn.Write(b)
}

// doer sends the SDK's requests and counts them. It lets fewer out at a time when the store asks to slow
// down, and gradually more again while it does not.
type doer struct {
	http     *http.Client
	counters *blob.Counters
	cfg      *config

	mu      sync.Mutex
	limit   float64 // requests at a time
	most    float64
	busy    int
	waiting []chan struct{}
	slowed  time.Time
}

func newDoer(t http.RoundTripper, cfg *config) *doer {
	return &doer{
		http: &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, counters: cfg.counters, cfg: cfg,
		limit: float64(cfg.connections), most: float64(cfg.connections),
	}
}

// Do implements the SDK's HTTPClient.
func (d *doer) Do(req *http.Request) (*http.Response, error) {
	if err := d.enter(req.Context()); err != nil {
		return nil, err
	}
	start := time.Now()
	resp, err := d.http.Do(req)
	a := blob.Attempt{Kind: awsmiddleware.GetOperationName(req.Context()), BytesOut: req.ContentLength, Time: time.Since(start), Failed: err != nil}
	// "attempt=2; max=3", without the most where there is no bound.
	if attempt, _, _ := strings.Cut(req.Header.Get("Amz-Sdk-Request"), ";"); attempt != "" && attempt != "attempt=1" {
		a.Retry = true
	}
	if d.counters.Watch != nil {
		root := ""
		if d.cfg.endpoint != nil {
			root = d.cfg.endpoint.Path
		}
		a.Blob = blob.NameIn(req.URL, root, d.cfg.bucket, d.cfg.base)
	}
	if resp == nil {
		d.counters.Sent(req.Context(), a, nil)
	} else {
		a.Failed = resp.StatusCode >= 400
		a.Throttled = resp.StatusCode == http.StatusServiceUnavailable || resp.StatusCode == http.StatusTooManyRequests
		resp.Body = d.counters.Sent(req.Context(), a, resp.Body)
	}
	d.leave(a.Throttled, err == nil)
	return resp, err
}

// enter waits for its turn.
func (d *doer) enter(ctx context.Context) error {
	d.mu.Lock()
	if float64(d.busy) < d.limit {
		d.busy++
		d.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	d.waiting = append(d.waiting, turn)
	d.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, w := range d.waiting {
		if w == turn {
			d.waiting = append(d.waiting[:i], d.waiting[i+1:]...)
			return ctx.Err()
		}
	}
	d.busy-- // the turn came at the same moment; it goes to the next
	d.admit()
	return ctx.Err()
}

func (d *doer) leave(throttled, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.busy--
	switch now := time.Now(); {
	case throttled && now.Sub(d.slowed) > 200*time.Millisecond: // one wave of refusals counts once
		d.limit, d.slowed = max(1, d.limit/2), now
	case ok && !throttled:
		d.limit = min(d.most, d.limit+1/d.limit)
	}
	d.admit()
}

// admit gives turns to those who wait; the lock is held.
func (d *doer) admit() {
	for len(d.waiting) > 0 && float64(d.busy) < d.limit {
		close(d.waiting[0])
		d.waiting = d.waiting[1:]
		d.busy++
	}
}
