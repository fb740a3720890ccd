package faulty_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

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

func TestForgottenTwiceAndLate(t *testing.T) {
	ctx := context.Background()
	store := mem.New()
	var next faulty.Fault
	c := faulty.New(store, func(faulty.Op) faulty.Fault { return next })
	put := func(name string, opts blob.PutOptions) error {
		return c.Put(ctx, name, strings.NewReader("12345"), 5, opts)
	}

	next = faulty.Fault{Forget: true}
	if err := put("a", blob.PutOptions{}); err != nil || len(store.Snapshot()) != 0 {
		t.Fatalf("%v, %d blobs", err, len(store.Snapshot()))
	}
	next = faulty.Fault{Twice: true}
	if err := put("a", blob.PutOptions{IfAbsent: true}); blob.KindOf(err) != blob.KindAlreadyExists || len(store.Snapshot()) != 1 {
		t.Fatalf("%v, %d blobs", err, len(store.Snapshot()))
	}
	next = faulty.Fault{Lag: 10}
	for _, want := range []int{0, 0, 1} {
		if names, err := blob.Names(ctx, c, ""); err != nil || len(names) != want {
			t.Fatalf("%v, %v, want %d", names, err, want)
		}
		next = faulty.Fault{Lag: next.Lag - 4}
	}
	next = faulty.Fault{Delay: time.Hour}
	short, cancel := context.WithCancel(ctx)
	cancel()
	if err := c.Put(short, "b", strings.NewReader("1"), 1, blob.PutOptions{}); err == nil {
		t.Fatal("a canceled request worked")
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
