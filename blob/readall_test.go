package blob_test

import (
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/mem"
)

type store = blob.Container

// endless has blobs of zeros that are only as long as they say.
type endless struct {
	store
	size, read int64
	stats      int
}

func (e *endless) Stat(context.Context, string) (blob.Info, error) {
	e.stats++
	return blob.Info{Size: e.size}, nil
}

func (e *endless) Get(context.Context, string) (io.ReadCloser, error) {
	return io.NopCloser(io.LimitReader(zeros{e}, e.size)), nil
}

type zeros struct{ e *endless }

func (z zeros) Read(b []byte) (int, error) {
	clear(b)
	z.e.read += int64(len(b))
	return len(b), nil
}

// TestReadAllLarge reads blobs of which the large ones are asked for their length: one beyond the limit is not read to the limit, and
// one below takes no more memory than it has bytes. Small ones cost no second request.
func TestReadAllLarge(t *testing.T) {
	ctx := context.Background()
	e := &endless{store: mem.New(), size: 4 << 30}
	if _, err := blob.ReadAll(ctx, e, "x", 512<<20); blob.KindOf(err) != blob.KindCorrupt || e.stats != 1 || e.read > 64<<20 {
		t.Errorf("%v after %d bytes and %d questions", err, e.read, e.stats)
	}
	e = &endless{store: mem.New(), size: 40 << 20}
	if b, err := blob.ReadAll(ctx, e, "x", 64<<20); err != nil || int64(len(b)) != e.size || int64(cap(b)) > e.size+e.size/4 || e.stats != 1 {
		t.Errorf("%v: %d bytes in %d, %d questions", err, len(b), cap(b), e.stats)
	}
	e = &endless{store: mem.New(), size: 1 << 20}
	if b, err := blob.ReadAll(ctx, e, "x", 1<<20); err != nil || !bytes.Equal(b, make([]byte, 1<<20)) || e.stats != 0 {
		t.Errorf("%v: %d bytes, %d questions", err, len(b), e.stats)
	}
	if _, err := blob.ReadAll(ctx, e, "x", 1<<20-1); blob.KindOf(err) != blob.KindCorrupt {
		t.Error(err)
	}
}
