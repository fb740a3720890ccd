package blob

import (
	"context"
	"io"
)

// Ranged is implemented by containers of which the ranges of a blob, read side by side, come faster than the blob in one stream.
type Ranged interface {
	// Ranges returns a reader of a blob's ranges. It sends no request.
	Ranges(name string) Ranges
}

// Ranges reads ranges of one version of a blob. It is safe for concurrent use.
type Ranges interface {
	// GetRange is that of a [Container]: each call is one request, and nothing is read ahead into memory. An error is of
	// KindUnsupported where this way leads nowhere but another may: the store answers with whole blobs only, or the blob is
	// not the one any more of which a range was read before.
	GetRange(ctx context.Context, off, length int64) (io.ReadCloser, error)
}

// RangesOf reads a blob's ranges side by side; it is nil where the store of the container is not [Ranged].
func RangesOf(c Container, name string) Ranges {
	if r, ok := innermost(c).(Ranged); ok {
		return r.Ranges(name)
	}
	return nil
}
