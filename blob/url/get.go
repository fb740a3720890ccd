package url

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"

	"github.com/varve-search/varve/blob"
)

// Get implements blob.Container.
func (c *Container) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	return c.open(ctx, name, 0, math.MaxInt64)
}

// GetRange implements blob.Container.
func (c *Container) GetRange(ctx context.Context, name string, off, length int64) (io.ReadCloser, error) {
	if err := blob.CheckName(name); err != nil {
		return nil, err
	}
	if off < 0 || length < 0 {
		return nil, &blob.Error{Op: "get", Location: c.String(), Name: name, Kind: blob.KindInvalid, Err: fmt.Errorf("range %d+%d", off, length)}
	}
	if length == 0 {
		_, err := c.Stat(ctx, name)
		return io.NopCloser(strings.NewReader("")), err
	}
	return c.open(ctx, name, off, length)
}

// reader reads the bytes from pos to end, and goes on behind a connection that broke.
type reader struct {
	ctx      context.Context //nolint:containedctx // of the requests that reading makes
	c        *Container
	name     string
	etag     string
	body     io.ReadCloser
	pos, end int64
	failures int
}

func (c *Container) open(ctx context.Context, name string, off, length int64) (io.ReadCloser, error) {
	r := &reader{ctx: ctx, c: c, name: name, pos: off, end: math.MaxInt64}
	if length < math.MaxInt64-off {
		r.end = off + length
	}
	err := r.request()
	var st *statusError
	if errors.As(err, &st) && st.status == http.StatusRequestedRangeNotSatisfiable {
		return io.NopCloser(strings.NewReader("")), nil
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// request asks for what is left.
func (r *reader) request() error {
	rng := ""
	switch {
	case r.end != math.MaxInt64:
		rng = fmt.Sprintf("bytes=%d-%d", r.pos, r.end-1)
	case r.pos > 0:
		rng = fmt.Sprintf("bytes=%d-", r.pos)
	}
	resp, err := r.c.send(r.ctx, "get", http.MethodGet, r.name, rng, r.etag)
	if err != nil {
		return err
	}
	if resp.StatusCode == http.StatusOK && r.pos > 0 { // the server knows no ranges
		if _, err := io.CopyN(io.Discard, resp.Body, r.pos); err != nil {
			resp.Body.Close()
			if errors.Is(err, io.EOF) {
				r.end = r.pos // behind the end
				r.body = io.NopCloser(strings.NewReader(""))
				return nil
			}
			return r.broken(err)
		}
	}
	if tag := resp.Header.Get("ETag"); r.etag == "" && !strings.HasPrefix(tag, "W/") {
		r.etag = tag
	}
	r.body = resp.Body
	switch {
	case resp.ContentLength < 0:
	case resp.StatusCode == http.StatusOK:
		r.end = min(r.end, resp.ContentLength)
	default:
		r.end = min(r.end, r.pos+resp.ContentLength)
	}
	return nil
}

func (r *reader) broken(err error) error {
	if r.ctx.Err() != nil {
		return r.c.canceled(r.ctx, "get", r.name)
	}
	return &blob.Error{Op: "get", Location: r.c.String(), Name: r.name, Kind: blob.KindUnavailable, Err: fmt.Errorf("the connection broke at byte %d: %w", r.pos, err)}
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	for {
		if r.pos >= r.end {
			return 0, io.EOF
		}
		if len(p) == 0 {
			return 0, nil
		}
		n, err := r.body.Read(p[:min(int64(len(p)), r.end-r.pos)])
		r.pos += int64(n)
		if n > 0 {
			r.failures = 0
			return n, nil
		}
		switch {
		case err == nil:
			continue
		case err == io.EOF && r.end == math.MaxInt64: // a length that nobody told
			return 0, io.EOF
		case err == io.EOF:
			err = io.ErrUnexpectedEOF
		}
		r.body.Close()
		if r.failures++; r.failures > r.c.opts.attempts || r.ctx.Err() != nil {
			return 0, r.broken(err)
		}
		if err := r.request(); err != nil {
			return 0, err
		}
	}
}

// Close implements io.Closer.
func (r *reader) Close() error { return r.body.Close() }
