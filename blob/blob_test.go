package blob_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/blobtest"
	_ "github.com/varve-search/varve/blob/fs"
	"github.com/varve-search/varve/blob/mem"
)

func TestTrace(t *testing.T) {
	blobtest.Run(t, func(*testing.T) blob.Container { return blob.Trace(mem.New(), func(blob.Request) {}) })

	ctx := context.Background()
	var rec blob.Recorder
	c := blob.Trace(mem.New(), rec.Record)
	sub, err := c.Container("indices/x")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_ = sub.Put(ctx, "a", strings.NewReader("abc"), 3, blob.PutOptions{IfAbsent: true})
	}
	_, _ = c.Stat(ctx, "b")
	_ = c.DeleteBatch(ctx, []string{"z", "y"})
	want := "[put-if-absent indices/x/a put-if-absent indices/x/a -> already_exists stat b -> not_found delete y z]"
	if got := fmt.Sprint(rec.Requests()); got != want {
		t.Fatalf("trace:\n%s\nwant:\n%s", got, want)
	}
	if rec.Counts()["put-if-absent"] != 2 {
		t.Fatal(rec.Counts())
	}
}

func TestReadOnly(t *testing.T) {
	ctx := context.Background()
	m := mem.New()
	m.Set("d/a", []byte("x"))
	c := blob.ReadOnly(m)
	sub, err := c.Container("d")
	if err != nil {
		t.Fatal(err)
	}
	_, treeErr := sub.DeleteTree(ctx)
	for _, err := range []error{sub.Put(ctx, "a", strings.NewReader(""), 0, blob.PutOptions{}), sub.DeleteBatch(ctx, []string{"a"}), treeErr} {
		if blob.KindOf(err) != blob.KindReadOnly {
			t.Fatal(err)
		}
	}
	if sub.Capabilities().Has(blob.CanWrite) {
		t.Fatal("says it can write")
	}
	if b, err := blob.ReadAll(ctx, sub, "a", 10); err != nil || string(b) != "x" {
		t.Fatalf("%q, %v", b, err)
	}
}

func TestOpen(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	c, err := blob.Open(ctx, "fs:"+dir)
	if err != nil || c.String() != "fs:"+dir {
		t.Fatalf("%v, %v", c, err)
	}
	for _, bad := range []string{"s3://bucket/x", "nothing", "fs:", ":x"} {
		_, err := blob.Open(ctx, bad)
		if err == nil {
			t.Fatalf("%q opened", bad)
		}
		if strings.HasPrefix(bad, "s3") && (blob.KindOf(err) != blob.KindUnsupported || !strings.Contains(err.Error(), "only for fs")) {
			t.Fatalf("%q: %v", bad, err)
		}
	}
}
