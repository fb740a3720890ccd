package url

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/varve-search/varve/blob"
)

// server is what a container shares with its sub-containers.
type server struct {
	http     *http.Client
	opts     options
	counters *blob.Counters
}

// Container is a path of a web server.
type Container struct {
	*server
	base *url.URL // its path ends with a slash
	path string   // below the repository: empty, or ending with a slash
}

var (
	_ blob.Container = (*Container)(nil)
	_ blob.Checker   = (*Container)(nil)
	_ blob.Counted   = (*Container)(nil)
)

func newContainer(u *url.URL, opts options, permit func(*url.URL) error, counters *blob.Counters) *Container {
	base := *u
	base.Path = strings.TrimRight(base.Path, "/") + "/"
	base.RawPath = ""
	return &Container{&server{newClient(opts, permit), opts, counters}, &base, ""}
}

func (c *Container) String() string { return strings.TrimSuffix(c.base.String(), "/") }

// Stats implements blob.Counted.
func (c *Container) Stats() blob.Stats { return c.counters.Stats() }

// Capabilities implements blob.Container.
func (c *Container) Capabilities() blob.Capabilities { return 0 }

// Container implements blob.Container.
func (c *Container) Container(path string) (blob.Container, error) {
	if err := blob.CheckPath(path); err != nil {
		return nil, err
	}
	if path == "" {
		return c, nil
	}
	base := *c.base
	base.Path += path + "/"
	return &Container{c.server, &base, c.path + path + "/"}, nil
}

func (c *Container) refuse(op, name string, kind blob.Kind, why string) error {
	return &blob.Error{Op: op, Location: c.String(), Name: name, Kind: kind, Err: errors.New(why)}
}

const onlyRead = "a repository of type url only reads"

// Put implements blob.Container.
func (c *Container) Put(_ context.Context, name string, _ io.Reader, _ int64, _ blob.PutOptions) error {
	return c.refuse("put", name, blob.KindReadOnly, onlyRead)
}

// DeleteBatch implements blob.Container.
func (c *Container) DeleteBatch(context.Context, []string) error {
	return c.refuse("delete", "", blob.KindReadOnly, onlyRead)
}

// DeleteTree implements blob.Container.
func (c *Container) DeleteTree(context.Context) (blob.DeleteStats, error) {
	return blob.DeleteStats{}, c.refuse("delete tree", "", blob.KindReadOnly, onlyRead)
}

// List implements blob.Container.
func (c *Container) List(context.Context, string, func(blob.Info) error) error {
	return c.refuse("list", "", blob.KindUnsupported, "a web server does not list")
}

// Children implements blob.Container.
func (c *Container) Children(context.Context, func(string) error) error {
	return c.refuse("children", "", blob.KindUnsupported, "a web server does not list")
}

// Check implements blob.Checker: the server must answer for index.latest, if only that there is none.
func (c *Container) Check(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, 12*time.Second)
	defer cancel()
	once := *c.server
	once.opts.attempts = 1
	_, err := (&Container{&once, c.base, c.path}).Stat(limited, "index.latest")
	if k := blob.KindOf(err); err != nil && k == blob.KindNotFound {
		return c.refuse("check", "index.latest", blob.KindInvalid, "the server answers, but there is no index.latest: the setting url is not the folder of a snapshot repository")
	}
	if err != nil && ctx.Err() == nil && limited.Err() != nil {
		return c.refuse("check", "", blob.KindUnavailable, "the server did not answer in time")
	}
	return err
}

// Stat implements blob.Container.
func (c *Container) Stat(ctx context.Context, name string) (blob.Info, error) {
	resp, err := c.send(ctx, "stat", http.MethodHead, name, "", "")
	if err != nil {
		return blob.Info{}, err
	}
	resp.Body.Close()
	if resp.ContentLength < 0 {
		return blob.Info{}, c.refuse("stat", name, blob.KindUnsupported, "the server does not tell the length")
	}
	return blob.Info{Name: name, Size: resp.ContentLength}, nil
}

// send makes a request, several times if need be. The answer has a status of success.
func (c *Container) send(ctx context.Context, op, method, name, rng, etag string) (*http.Response, error) {
	if err := blob.CheckName(name); err != nil {
		return nil, err
	}
	patience := blob.PatienceOf(ctx)
	outage := patience.Outage()
	for try := 1; ; try++ {
		resp, err := c.once(ctx, op, method, name, rng, etag, try > 1)
		if err == nil || !blob.KindOf(err).Retryable() {
			patience.Answered()
			return resp, err
		}
		wait := time.Duration(rand.Int64N(int64(min(100*time.Millisecond<<min(try, 10), 5*time.Second)))) //nolint:gosec // jitter
		if outage.Failed(); try >= c.opts.attempts {
			var again bool
			if wait, again = outage.Wait(); !again {
				return resp, err
			}
		}
		select {
		case <-ctx.Done():
			return nil, c.canceled(ctx, op, name)
		case <-time.After(wait):
		}
	}
}

func (c *Container) canceled(ctx context.Context, op, name string) error {
	return &blob.Error{Op: op, Location: c.String(), Name: name, Kind: blob.KindCanceled, Err: ctx.Err()}
}

var kindOfStatus = map[int]blob.Kind{
	http.StatusNotFound: blob.KindNotFound, http.StatusGone: blob.KindNotFound, http.StatusUnauthorized: blob.KindPermission,
	http.StatusForbidden: blob.KindPermission, http.StatusTooManyRequests: blob.KindThrottled, http.StatusServiceUnavailable: blob.KindThrottled,
	http.StatusInternalServerError: blob.KindUnavailable, http.StatusBadGateway: blob.KindUnavailable, http.StatusGatewayTimeout: blob.KindUnavailable,
}

func (c *Container) once(ctx context.Context, op, method, name, rng, etag string, retry bool) (*http.Response, error) {
	if ctx.Err() != nil {
		return nil, c.canceled(ctx, op, name)
	}
	u := *c.base
	u.Path += name
	req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return nil, c.refuse(op, name, blob.KindInvalid, "no request can be made for this URL")
	}
	if rng != "" {
		req.Header.Set("Range", rng)
	}
	if etag != "" {
		req.Header.Set("If-Match", etag)
	}
	start := time.Now()
	resp, err := c.http.Do(req) //nolint:bodyclose // closed below, or by who gets it
	a := blob.Attempt{Kind: method, Blob: c.path + name, Retry: retry, Time: time.Since(start), Failed: err != nil || resp.StatusCode >= 400}
	if resp == nil {
		c.counters.Sent(ctx, a, nil)
	} else {
		a.Throttled = resp.StatusCode == http.StatusServiceUnavailable || resp.StatusCode == http.StatusTooManyRequests
		resp.Body = c.counters.Sent(ctx, a, resp.Body)
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil, c.canceled(ctx, op, name)
		}
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return nil, &blob.Error{Op: op, Location: c.String(), Name: name, Kind: blob.KindUnavailable, Err: fmt.Errorf("the server could not be reached or did not answer: %w", err)}
	}
	if resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusPartialContent {
		return resp, nil
	}
	resp.Body.Close()
	kind, ok := kindOfStatus[resp.StatusCode]
	if !ok {
		kind = blob.KindOther
	}
	return nil, &blob.Error{Op: op, Location: c.String(), Name: name, Kind: kind, Err: &statusError{resp.StatusCode}}
}

// statusError is an answer that is no success.
type statusError struct{ status int }

func (e *statusError) Error() string {
	return "the server answered with status " + strconv.Itoa(e.status)
}
