package oss

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/varve-search/varve/blob"
)

// Get implements blob.Container.
func (c *Container) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	return c.open(ctx, name, 0, math.MaxInt64)
}

// GetRange implements blob.Container.
func (c *Container) GetRange(ctx context.Context, name string, off, length int64) (io.ReadCloser, error) {
	if err := c.check(ctx, "get", name, false); err != nil {
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
	etag     *string
	body     io.ReadCloser
	pos, end int64
	failures int
}

func (c *Container) open(ctx context.Context, name string, off, length int64) (io.ReadCloser, error) {
	if err := c.check(ctx, "get", name, false); err != nil {
		return nil, err
	}
	r := &reader{ctx: ctx, c: c, name: name, pos: off, end: math.MaxInt64}
	if length < math.MaxInt64-off {
		r.end = off + length
	}
	err := r.request()
	if _, status := codeOf(err); status == 416 {
		return io.NopCloser(strings.NewReader("")), nil // behind the end
	}
	if err != nil {
		return nil, c.failed(ctx, "get", name, err)
	}
	return r, nil
}

// request asks for what is left, and learns the end.
func (r *reader) request() error {
	in := &oss.GetObjectRequest{Bucket: &r.c.cfg.bucket, Key: r.c.key(r.name), IfMatch: r.etag}
	switch {
	case r.end != math.MaxInt64:
		in.Range = oss.Ptr(fmt.Sprintf("bytes=%d-%d", r.pos, r.end-1))
	case r.pos > 0:
		in.Range = oss.Ptr(fmt.Sprintf("bytes=%d-", r.pos))
	}
	if in.Range != nil {
		in.RangeBehavior = oss.Ptr("standard") // else a range behind the end is answered with everything
	}
	out, err := r.c.api.GetObject(r.ctx, in, r.c.patiently(r.ctx))
	if err != nil {
		return err
	}
	first := int64(0)
	if out.ContentRange != nil {
		from, _, _ := strings.Cut(strings.TrimPrefix(*out.ContentRange, "bytes "), "-")
		first, err = strconv.ParseInt(from, 10, 64)
	}
	if err != nil || first != r.pos || out.ContentLength < 0 || out.ContentLength > math.MaxInt64-r.pos {
		out.Body.Close()
		return &blob.Error{Op: "get", Location: r.c.String(), Name: r.name, Kind: blob.KindCorrupt, Err: errors.New("the store answered with another range than was asked")}
	}
	r.body, r.etag, r.end = out.Body, out.ETag, min(r.end, r.pos+out.ContentLength)
	return nil
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	for r.pos < r.end {
		if len(p) == 0 {
			return 0, nil
		}
		n, err := r.body.Read(p[:min(int64(len(p)), r.end-r.pos)])
		r.pos += int64(n)
		if n > 0 {
			r.failures = 0
			return n, nil
		}
		if err == nil {
			continue
		}
		if r.failures++; r.failures > r.c.cfg.attempts || r.ctx.Err() != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return 0, r.c.failed(r.ctx, "get", r.name, err)
		}
		r.body.Close()
		if err := r.request(); err != nil {
			r.body = io.NopCloser(strings.NewReader(""))
			return 0, r.c.failed(r.ctx, "get", r.name, err)
		}
	}
	return 0, io.EOF
}

// Close implements io.Closer.
func (r *reader) Close() error { return r.body.Close() }
