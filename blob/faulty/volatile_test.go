package faulty_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/blobtest"
	"github.com/varve-search/varve/blob/faulty"
	"github.com/varve-search/varve/blob/mem"
)

func TestVolatile(t *testing.T) {
	blobtest.Run(t, func(*testing.T) blob.Container { return faulty.NewVolatile(mem.New(), nil) })

	ctx := context.Background()
	store := mem.New()
	var fails error
	v := faulty.NewVolatile(store, func() error { return fails })
	sub, err := v.Container("x")
	if err != nil {
		t.Fatal(err)
	}
	const content = "0123456789"
	fill := func(prefix string, opts blob.PutOptions) {
		for i := range 40 {
			if err := sub.Put(ctx, prefix+fmt.Sprint(i), strings.NewReader(content), 10, opts); err != nil {
				t.Fatal(err)
			}
		}
	}
	whole := func(prefix string) (n int) {
		for path, b := range store.Snapshot() {
			if strings.HasPrefix(path, "x/"+prefix) && string(b) == content {
				n++
			}
		}
		return n
	}
	flushed, late, lost := blob.NewBatch(40), blob.NewBatch(40), blob.NewBatch(40)
	fill("durable", blob.PutOptions{})
	fill("flushed", blob.PutOptions{Batch: flushed})
	if err := flushed.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	fill("late", blob.PutOptions{Batch: late})
	fill("late", blob.PutOptions{}) // over it
	fill("lost", blob.PutOptions{Batch: lost})
	fails = errors.New("no")
	if err := lost.Flush(ctx); !errors.Is(err, fails) {
		t.Fatal(err)
	}
	if v.Unflushed() != 40 || whole("lost") != 40 {
		t.Fatal(v.Unflushed())
	}
	n, err := v.PowerCut(ctx, rand.New(rand.NewSource(1)))
	if err != nil || n == 0 || n == 40 || whole("lost") == 40 || v.Unflushed() != 0 {
		t.Fatal(n, err)
	}
	for _, prefix := range []string{"durable", "flushed", "late"} {
		if whole(prefix) != 40 {
			t.Errorf("of the blobs %s there are %d", prefix, whole(prefix))
		}
	}
}
