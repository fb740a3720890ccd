package faulty

import (
	"context"
	"io"

	"github.com/varve-search/varve/blob"
)

type ranged struct{ inner }

// Ranged makes a container one that is [blob.Ranged]: each range is a Get of it. It does not look whether a blob was replaced.
func Ranged(c blob.Container) blob.Container { return ranged{c} }

func (c ranged) Container(path string) (blob.Container, error) {
	sub, err := c.inner.Container(path)
	return ranged{sub}, err
}

// Ranges implements blob.Ranged.
func (c ranged) Ranges(name string) blob.Ranges { return ranges{c, name} }

type ranges struct {
	c    ranged
	name string
}

func (r ranges) GetRange(ctx context.Context, off, length int64) (io.ReadCloser, error) {
	return r.c.GetRange(ctx, r.name, off, length)
}
