package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/varve-search/varve/blob"
)

// ranges are those of one version of a blob.
type ranges struct {
	c    *Container
	name string
	etag atomic.Pointer[string] // of the first answer
}

// Ranges implements blob.Ranged.
func (c *Container) Ranges(name string) blob.Ranges { return &ranges{c: c, name: name} }

// GetRange implements blob.Ranges.
func (g *ranges) GetRange(ctx context.Context, off, length int64) (io.ReadCloser, error) {
	if err := g.c.check(ctx, "get", g.name); err != nil {
		return nil, err
	}
	fail := func(kind blob.Kind, err error) (io.ReadCloser, error) {
		return nil, &blob.Error{Op: "get", Location: g.c.String(), Name: g.name, Kind: kind, Err: err}
	}
	if off < 0 || length <= 0 || length > math.MaxInt64-off {
		return fail(blob.KindInvalid, fmt.Errorf("range %d+%d", off, length))
	}
	rctx, cancel := context.WithCancel(ctx)
	r := &blobReader{ctx: rctx, cancel: cancel, c: g.c, name: g.name, pos: off, end: off + length, of: g, etag: g.etag.Load()}
	out, err := r.request(off, r.end)
	if err != nil {
		cancel()
		switch statusOf(err) {
		case http.StatusRequestedRangeNotSatisfiable:
			return io.NopCloser(strings.NewReader("")), nil // behind the end
		case http.StatusPreconditionFailed:
			return nil, r.replaced()
		}
		return nil, g.c.failed(ctx, "get", g.name, err)
	}
	same := true
	if out.ETag != nil && r.etag == nil {
		same = g.etag.CompareAndSwap(nil, out.ETag) || *g.etag.Load() == *out.ETag
	}
	switch err = r.begin(out); {
	case out.ContentRange == nil:
		_, err = fail(blob.KindUnsupported, errors.New("the store does not answer requests for ranges"))
	case err != nil:
		_, err = fail(blob.KindCorrupt, err)
	case !same:
		err = r.replaced()
	}
	if err != nil {
		out.Body.Close()
		cancel()
		return nil, err
	}
	return r, nil
}
