package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/varve-search/varve/blob"
)

// Get implements blob.Container.
func (c *Container) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	return c.open(ctx, name, 0, math.MaxInt64)
}

// GetRange implements blob.Container.
func (c *Container) GetRange(ctx context.Context, name string, off, length int64) (io.ReadCloser, error) {
	if err := c.check(ctx, "get", name); err != nil {
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

// ahead is how many windows are fetched before they are read.
const ahead = 3

// blobReader reads the bytes from pos to end of a blob: the first window as it comes, the following ones
// from memory, where they are fetched ahead as far as memory allows.
type blobReader struct {
	ctx    context.Context //nolint:containedctx // of the requests that reading makes
	cancel context.CancelFunc
	c      *Container
	name   string
	etag   *string // of the blob that was opened: another one must not continue it
	of     *ranges // nil: nobody else reads ranges of it beside this reader

	pos, end int64
	body     io.ReadCloser // the bytes from pos to bodyEnd, if there is one
	bodyEnd  int64
	fetched  []*fetch // what follows bodyEnd, in order
	next     int64    // where the next fetch begins
	failures int      // in a row, without a byte between
}

// open sends the first request of a reader.
func (c *Container) open(ctx context.Context, name string, off, length int64) (io.ReadCloser, error) {
	if err := c.check(ctx, "get", name); err != nil {
		return nil, err
	}
	end := int64(math.MaxInt64)
	if length < math.MaxInt64-off {
		end = off + length
	}
	rctx, cancel := context.WithCancel(ctx)
	r := &blobReader{ctx: rctx, cancel: cancel, c: c, name: name, pos: off, end: end}
	out, err := r.request(off, min(end, off+min(window, math.MaxInt64-off)))
	if err != nil {
		cancel()
		if statusOf(err) == http.StatusRequestedRangeNotSatisfiable {
			return io.NopCloser(strings.NewReader("")), nil // behind the end
		}
		return nil, c.failed(ctx, "get", name, err)
	}
	if err := r.begin(out); err != nil {
		out.Body.Close()
		cancel()
		return nil, &blob.Error{Op: "get", Location: c.String(), Name: name, Kind: blob.KindCorrupt, Err: err}
	}
	r.fetchAhead()
	return r, nil
}

// request asks for the bytes from off to end.
func (r *blobReader) request(off, end int64) (*s3.GetObjectOutput, error) {
	return r.c.getObject(r.ctx, &s3.GetObjectInput{
		Bucket: &r.c.cfg.bucket, Key: r.c.key(r.name), Range: aws.String(fmt.Sprintf("bytes=%d-%d", off, end-1)), IfMatch: r.etag,
		ExpectedBucketOwner: optional(r.c.cfg.owner),
	})
}

// begin takes the first answer: it tells how long the blob is.
func (r *blobReader) begin(out *s3.GetObjectOutput) error {
	r.body, r.etag = out.Body, out.ETag
	n := aws.ToInt64(out.ContentLength)
	if n < 0 || n > math.MaxInt64-r.pos {
		return fmt.Errorf("the store announces %d bytes", n)
	}
	if out.ContentRange == nil { // the store ignored the range and sends everything
		if r.pos > 0 {
			return errors.New("the store does not answer requests for ranges")
		}
		r.bodyEnd, r.end = n, min(r.end, n)
		r.next = r.end
		return nil
	}
	first, last, total, err := parseContentRange(*out.ContentRange)
	if err != nil {
		return err
	}
	if first != r.pos || last-first+1 != n {
		return fmt.Errorf("the store answered with the range [%s] of %d bytes, not with what was asked", *out.ContentRange, n)
	}
	r.bodyEnd, r.end = last+1, min(r.end, total)
	r.next = r.bodyEnd
	return nil
}

// parseContentRange reads "bytes FIRST-LAST/TOTAL".
func parseContentRange(s string) (first, last, total int64, err error) {
	span, all, ok := strings.Cut(strings.TrimPrefix(s, "bytes "), "/")
	from, to, ok2 := strings.Cut(span, "-")
	if ok && ok2 {
		var errs [3]error
		first, errs[0] = strconv.ParseInt(from, 10, 64)
		last, errs[1] = strconv.ParseInt(to, 10, 64)
		total, errs[2] = strconv.ParseInt(all, 10, 64)
		if errors.Join(errs[:]...) == nil && first >= 0 && last >= first && total > last {
			return first, last, total, nil
		}
	}
	return 0, 0, 0, fmt.Errorf("the store answered with the range [%.100s]", s)
}

// Read implements io.Reader.
func (r *blobReader) Read(p []byte) (int, error) {
	for {
		if err := r.ctx.Err(); err != nil {
			return 0, r.c.failed(r.ctx, "get", r.name, err)
		}
		switch {
		case len(p) == 0:
			return 0, nil
		case r.body != nil:
			if n, err := r.readBody(p); n > 0 || err != nil {
				return n, err
			}
		case r.pos >= r.end:
			return 0, io.EOF
		case len(r.fetched) > 0:
			if n, err := r.readFetched(p); n > 0 || err != nil {
				return n, err
			}
		default: // no memory to fetch ahead, or something failed: one request for the rest
			if err := r.reopen(r.end); err != nil {
				return 0, err
			}
		}
	}
}

// readBody reads from the connection. Neither bytes nor an error mean that the body has ended.
func (r *blobReader) readBody(p []byte) (int, error) {
	left := min(r.bodyEnd, r.end) - r.pos
	n, err := 0, io.EOF
	if left > 0 {
		n, err = r.body.Read(p[:min(left, int64(len(p)))])
	}
	r.pos += int64(n)
	if n > 0 {
		r.failures = 0
	}
	if r.pos >= min(r.bodyEnd, r.end) {
		r.closeBody()
		return n, nil
	}
	if err == nil {
		return n, nil
	}
	// It broke, or ended early.
	r.closeBody()
	if n > 0 {
		return n, r.reopen(r.bodyEnd)
	}
	return 0, r.again(err, r.bodyEnd)
}

func (r *blobReader) closeBody() {
	r.body.Close()
	r.body = nil
}

// again reopens after a failure, unless too many came in a row.
func (r *blobReader) again(err error, end int64) error {
	if r.ctx.Err() != nil {
		return r.c.failed(r.ctx, "get", r.name, err)
	}
	if r.failures++; r.failures > r.c.cfg.attempts {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return &blob.Error{Op: "get", Location: r.c.String(), Name: r.name, Kind: blob.KindUnavailable,
			Err: fmt.Errorf("the connection broke %d times at byte %d of %d: %w", r.failures, r.pos, r.end, err)}
	}
	return r.reopen(end)
}

// reopen requests the bytes from pos to end anew.
func (r *blobReader) reopen(end int64) error {
	end = min(end, r.end)
	if r.pos >= end {
		return nil
	}
	out, err := r.request(r.pos, end)
	if err != nil {
		if statusOf(err) == http.StatusPreconditionFailed {
			return r.replaced()
		}
		return r.c.failed(r.ctx, "get", r.name, err)
	}
	first, last, total, err := parseContentRange(aws.ToString(out.ContentRange))
	if err == nil && (first != r.pos || last >= end || total < r.end) {
		err = fmt.Errorf("the store answered with the range [%s], not with what was asked", *out.ContentRange)
	}
	if err != nil {
		out.Body.Close()
		return &blob.Error{Op: "get", Location: r.c.String(), Name: r.name, Kind: blob.KindCorrupt, Err: err}
	}
	r.body, r.bodyEnd = out.Body, last+1
	return nil
}

// replaced says that the rest is another blob's.
func (r *blobReader) replaced() error {
	kind := blob.KindUnavailable
	if r.of != nil {
		kind = blob.KindUnsupported
	}
	return &blob.Error{Op: "get", Location: r.c.String(), Name: r.name, Kind: kind, Err: errors.New("the blob was replaced while it was read")}
}

// Close implements io.Closer. It waits until nothing is fetched any more.
func (r *blobReader) Close() error {
	r.cancel()
	if r.body != nil {
		r.closeBody()
	}
	for _, f := range r.fetched {
		f.release()
	}
	r.fetched, r.pos = nil, r.end
	return nil
}
