package faulty_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/blobtest"
	"github.com/varve-search/varve/blob/faulty"
	"github.com/varve-search/varve/blob/mem"
)

func TestConformanceWithoutFaults(t *testing.T) {
	blobtest.Run(t, func(*testing.T) blob.Container {
		return faulty.New(mem.New(), func(faulty.Op) faulty.Fault { return faulty.Fault{} })
	})
}

func TestFaults(t *testing.T) {
	ctx := context.Background()
	store := mem.New()
	var next faulty.Fault
	c := faulty.New(store, func(faulty.Op) faulty.Fault { return next })
	put := func(name string) error { return c.Put(ctx, name, strings.NewReader("12345"), 5, blob.PutOptions{}) }

	next = faulty.Fault{Before: faulty.Fail(blob.KindThrottled)}
	if err := put("a"); blob.KindOf(err) != blob.KindThrottled || !errors.Is(err, faulty.ErrInjected) {
		t.Fatal(err)
	}
	if len(store.Snapshot()) != 0 {
		t.Fatal("a request that failed before it was sent wrote")
	}
	next = faulty.Fault{After: faulty.Fail(blob.KindUnavailable)}
	if err := put("a"); blob.KindOf(err) != blob.KindUnavailable {
		t.Fatal(err)
	}
	if string(store.Snapshot()["a"]) != "12345" {
		t.Fatal("a request whose answer was lost did not write")
	}
	next = faulty.Fault{Cut: true, Truncate: 2}
	r, err := c.Get(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(r); string(b) != "12" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("%q, %v", b, err)
	}
	next = faulty.Fault{Flip: true, FlipAt: 3}
	r, _ = c.Get(ctx, "a")
	if b, _ := io.ReadAll(r); !bytes.Equal(b, []byte("12355")) {
		t.Fatalf("%q", b)
	}
}

func TestCrashAfter(t *testing.T) {
	ctx := context.Background()
	store := mem.New()
	c := faulty.New(store, faulty.CrashAfter(2))
	sub, err := c.Container("x")
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"a", "b", "c", "d"} {
		err := sub.Put(ctx, name, strings.NewReader(""), 0, blob.PutOptions{})
		if (err == nil) != (i < 2) {
			t.Fatalf("write %d: %v", i, err)
		}
	}
	if _, err := c.Stat(ctx, "a"); err == nil {
		t.Fatal("a dead process still reads")
	}
	if len(store.Snapshot()) != 2 {
		t.Fatalf("%d blobs", len(store.Snapshot()))
	}
}
