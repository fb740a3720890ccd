package storecheck

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

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
	switch there, _ := blob.Exists(ctx, f.embedded, name); {
	case f.fault == "overwrite" && there && !opts.IfAbsent:
		_, err := io.Copy(io.Discard, r)
		return err
	case f.fault == "aborted write":
		b, err := io.ReadAll(r)
		return errors.Join(err, f.embedded.Put(ctx, name, bytes.NewReader(b), int64(len(b)), opts))
	case f.fault == "reads during writes" && !there && strings.HasPrefix(name, "blob-"):
		half, err := io.ReadAll(io.LimitReader(r, size/2))
		if err == nil {
			err = f.embedded.Put(ctx, name, bytes.NewReader(half), int64(len(half)), opts)
		}
		time.Sleep(10 * time.Millisecond) // as long as the reader needs to see it
		rest, rerr := io.ReadAll(r)
		if err = errors.Join(err, rerr); err != nil {
			return err
		}
		opts.IfAbsent = false
		return f.embedded.Put(ctx, name, bytes.NewReader(append(half, rest...)), size, opts)
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
	opts := Options{Blobs: 20, MaxSize: 1 << 20, Rare: 0.2, EarlyReads: true}
	for _, fault := range []string{"", "conditional creation", "parallel writes", "ranges", "delete", "list after write", "overwrite", "aborted write", "reads during writes"} {
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

// TestPlan: sizes keep to what was asked for, in each and in all.
// TestBounds asks for more than can be done.
func TestBounds(t *testing.T) {
	for _, o := range []Options{{Blobs: 1 << 60}, {Concurrency: 1 << 40}, {Rare: 2}, {Rare: math.NaN()}} {
		if _, err := Run(context.Background(), mem.New(), o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}

func TestPlan(t *testing.T) {
	steps := 0
	opts := Options{Blobs: 50, MaxSize: 1 << 20, MaxTotal: 300 << 10, Rare: 1, NoAborts: true, Contests: 2, Detailed: true, Seed: 7, Step: func(string) { steps++ }}
	rep, err := Run(t.Context(), mem.New(), opts)
	if err != nil || len(rep.Issues) > 0 {
		t.Fatal(rep, err)
	}
	if rep.BytesWritten > opts.MaxTotal || rep.BytesWritten < opts.MaxTotal/2 || rep.BytesRead != rep.BytesWritten || rep.BlobsRead != 50 {
		t.Errorf("%+v", rep)
	}
	if steps != len(rep.Checks) || slices.Contains(rep.Checks, "aborted write") {
		t.Errorf("%d of %v", steps, rep.Checks)
	}
	var total int64
	for _, d := range rep.Details {
		total += d.Size
		if !d.Overwritten || d.EarlyRead || d.Write == 0 || d.Read == 0 {
			t.Errorf("%+v", d)
		}
	}
	if total != rep.BytesWritten {
		t.Errorf("%d bytes in the details, %d in the report", total, rep.BytesWritten)
	}
	again, err := Run(t.Context(), mem.New(), opts)
	if err != nil || again.BytesWritten != rep.BytesWritten || again.Path == rep.Path {
		t.Errorf("the same seed: %+v, %v", again, err)
	}
}

func TestCanceled(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	m := mem.New()
	why := errors.New("told to stop")
	rep, err := Run(ctx, m, Options{Blobs: 10, MaxSize: 1 << 10, Step: func(s string) {
		if s == "ranges" {
			cancel(why)
		}
	}})
	if !errors.Is(err, why) || rep == nil || len(m.Snapshot()) != 0 {
		t.Errorf("%+v, %v, %d blobs left", rep, err, len(m.Snapshot()))
	}
}
