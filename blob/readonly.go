package blob

import (
	"context"
	"io"
)

// inner lets a wrapper embed a Container although Container is also one of its methods.
type inner = Container

type readOnly struct{ inner }

// ReadOnly wraps a container so that each write is an error of kind KindReadOnly.
func ReadOnly(c Container) Container { return readOnly{c} }

func (r readOnly) refuse(op, name string) error {
	return &Error{Op: op, Location: r.String(), Name: name, Kind: KindReadOnly}
}

func (r readOnly) Put(_ context.Context, name string, _ io.Reader, _ int64, _ PutOptions) error {
	return r.refuse("put", name)
}

func (r readOnly) DeleteBatch(context.Context, []string) error { return r.refuse("delete", "") }

func (r readOnly) DeleteTree(context.Context) (DeleteStats, error) {
	return DeleteStats{}, r.refuse("delete tree", "")
}

func (r readOnly) Container(path string) (Container, error) {
	c, err := r.inner.Container(path)
	if err != nil {
		return nil, err
	}
	return readOnly{c}, nil
}

func (r readOnly) Capabilities() Capabilities {
	return r.inner.Capabilities() &^ (CanWrite | CanDelete | AtomicIfAbsent)
}

// Unwrap returns the container that was made read-only.
func (r readOnly) Unwrap() Container { return r.inner }
