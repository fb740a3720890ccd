package storecheck

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/mem"
)

// inParts is a store with uploads in parts and a clock, and with one fault.
type inParts struct {
	embedded
	fault string
	left  map[string]bool // uploads that were not aborted
}

func (p *inParts) Container(path string) (blob.Container, error) {
	c, err := p.embedded.Container(path)
	return &inParts{c, p.fault, p.left}, err
}

const least = 4096

func (p *inParts) SmallParts() (blob.Container, int64) { return p, least }

func (p *inParts) StoreTime(context.Context) (time.Time, error) {
	if p.fault == clockCheck {
		return time.Now().Add(-7 * time.Minute), nil
	}
	return time.Now().Add(-4 * time.Minute), nil
}

func (p *inParts) Put(ctx context.Context, name string, r io.Reader, size int64, opts blob.PutOptions) error {
	if strings.HasPrefix(name, "parts") && p.fault == partsCheck {
		opts.IfAbsent = false
	}
	err := p.embedded.Put(ctx, name, r, size, opts)
	if errors.Is(err, errAborted) && size > least && p.fault != "" {
		switch p.fault {
		case "no right to abort":
			return errors.Join(err, &blob.Error{Op: "abort", Kind: blob.KindPermission})
		case "not aborted":
			p.left[name+"?1"] = true
		}
	}
	return err
}

func (p *inParts) ListTemp(context.Context, int64) (out []blob.Info, err error) {
	if p.fault == "no right to list" {
		return nil, &blob.Error{Op: "list", Kind: blob.KindPermission}
	}
	for n := range p.left {
		out = append(out, blob.Info{Name: n})
	}
	return out, nil
}

func (p *inParts) DeleteTemp(_ context.Context, names []string) error {
	for _, n := range names {
		delete(p.left, n)
	}
	return nil
}

// TestParts: uploads in parts, what broken ones leave, and the clocks.
func TestParts(t *testing.T) {
	for fault, check := range map[string]string{"": "", clockCheck: clockCheck, partsCheck: partsCheck, "no right to abort": abortedCheck, "not aborted": abortedCheck, "no right to list": abortedCheck} {
		m := mem.New()
		p := &inParts{m, fault, map[string]bool{}}
		rep, err := Run(t.Context(), p, Options{Blobs: 5, MaxSize: 8 << 10})
		if err != nil {
			t.Fatal(err)
		}
		if fault == "" && len(rep.Issues) != 0 || fault != "" && (len(rep.Issues) != 1 || rep.Issues[0].Check != check || rep.Issues[0].Advice == "") {
			t.Errorf("%s: %+v", fault, rep.Issues)
		}
		if left := m.Snapshot(); len(left) != 0 || fault == "not aborted" && len(p.left) != 0 {
			t.Errorf("%s: %d blobs and %d uploads are left", fault, len(left), len(p.left))
		}
	}
	// Who allows small blobs only gets no large one.
	rep, err := Run(t.Context(), &inParts{mem.New(), partsCheck, nil}, Options{Blobs: 5, MaxSize: least})
	if err != nil || len(rep.Issues) != 0 || strings.Contains(strings.Join(rep.Checks, ","), "parts") {
		t.Errorf("%+v, %v", rep, err)
	}
}

// TestReadOnly: nothing is tried out where nothing can be written, and nothing is said to have been.
func TestReadOnly(t *testing.T) {
	rep, err := Run(t.Context(), blob.ReadOnly(mem.New()), Options{})
	if err != nil || len(rep.Issues) != 1 || rep.BlobsWritten != 0 || rep.BytesWritten != 0 {
		t.Fatalf("%+v, %v", rep, err)
	}
}
