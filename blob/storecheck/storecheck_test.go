package storecheck

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/mem"
)

type embedded = blob.Container

// flawed is a store with one fault.
type flawed struct {
	embedded
	fault string
}

func (f flawed) Container(path string) (blob.Container, error) {
	c, err := f.embedded.Container(path)
	return flawed{c, f.fault}, err
}

func (f flawed) Put(ctx context.Context, name string, r io.Reader, size int64, opts blob.PutOptions) error {
	if f.fault == "conditional creation" {
		opts.IfAbsent = false
	}
	if f.fault == "parallel writes" {
		return errors.New("no right to write")
	}
	return f.embedded.Put(ctx, name, r, size, opts)
}

func (f flawed) GetRange(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	if f.fault == "ranges" {
		return f.embedded.Get(ctx, name)
	}
	return f.embedded.GetRange(ctx, name, off, n)
}

func (f flawed) DeleteBatch(ctx context.Context, names []string) error {
	if f.fault == "delete" {
		return errors.New("no right to delete")
	}
	return f.embedded.DeleteBatch(ctx, names)
}

func (f flawed) List(ctx context.Context, prefix string, fn func(blob.Info) error) error {
	first := true
	return f.embedded.List(ctx, prefix, func(i blob.Info) error {
		if f.fault == "list after write" && first {
			first = false
			return nil
		}
		return fn(i)
	})
}

func TestRun(t *testing.T) {
	opts := Options{Blobs: 20, MaxSize: 1 << 20}
	for _, fault := range []string{"", "conditional creation", "parallel writes", "ranges", "delete", "list after write"} {
		m := mem.New()
		rep, err := Run(t.Context(), flawed{m, fault}, opts)
		if err != nil {
			t.Fatal(err)
		}
		if fault == "" && len(rep.Issues) != 0 || fault != "" && (len(rep.Issues) != 1 || rep.Issues[0].Check != fault || rep.Issues[0].Advice == "") {
			t.Errorf("%s: %+v", fault, rep.Issues)
		}
		if left := m.Snapshot(); len(left) != 0 {
			t.Errorf("%s: %d blobs are left", fault, len(left))
		}
	}
	rep, err := Run(t.Context(), blob.ReadOnly(mem.New()), opts)
	if err != nil || len(rep.Issues) == 0 || !strings.Contains(rep.Issues[0].Problem, "read_only") {
		t.Fatalf("%+v, %v", rep, err)
	}
}
