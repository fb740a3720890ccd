package fs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/blobtest"
	"github.com/varve-search/varve/internal/oracletest"
)

func fresh(t *testing.T) *Container {
	c, err := New(filepath.Join(t.TempDir(), "not", "yet"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestConformance(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blob.Container { return fresh(t) })
}

func TestNoTempFilesStay(t *testing.T) {
	ctx := context.Background()
	c := fresh(t)
	_ = c.Put(ctx, "a", strings.NewReader("abc"), 3, blob.PutOptions{IfAbsent: true})
	_ = c.Put(ctx, "a", strings.NewReader("abc"), 3, blob.PutOptions{IfAbsent: true})
	_ = c.Put(ctx, "b", strings.NewReader("abc"), 4, blob.PutOptions{})
	entries, err := os.ReadDir(c.Dir())
	if err != nil || len(entries) != 1 {
		t.Fatalf("%v, %v", entries, err)
	}
}

func TestLeftoversOfAKilledProcess(t *testing.T) {
	ctx := context.Background()
	c := fresh(t)
	if err := c.Put(ctx, "a", strings.NewReader("abc"), 3, blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.Dir(), "pending-x-1"), []byte("half"), 0o644); err != nil {
		t.Fatal(err)
	}
	if names, err := blob.Names(ctx, c, ""); err != nil || len(names) != 1 {
		t.Fatalf("List shows an unfinished file: %v, %v", names, err)
	}
	if err := c.Put(ctx, "pending-y", strings.NewReader(""), 0, blob.PutOptions{}); blob.KindOf(err) != blob.KindInvalidName {
		t.Fatal(err)
	}
	if young, err := c.ListTemp(ctx, 3600); err != nil || len(young) != 0 {
		t.Fatalf("%v, %v", young, err)
	}
	old, err := c.ListTemp(ctx, 0)
	if err != nil || len(old) != 1 || old[0].Size != 4 {
		t.Fatalf("%v, %v", old, err)
	}
	if err := c.DeleteTemp(ctx, []string{"a"}); err == nil {
		t.Fatal("DeleteTemp takes a finished blob")
	}
	if err := c.DeleteTemp(ctx, []string{old[0].Name}); err != nil {
		t.Fatal(err)
	}
	if left, _ := c.ListTemp(ctx, 0); len(left) != 0 {
		t.Fatal(left)
	}
}

func TestKinds(t *testing.T) {
	for err, want := range map[error]blob.Kind{
		syscall.ENOSPC: blob.KindNoSpace, syscall.EDQUOT: blob.KindNoSpace, syscall.EROFS: blob.KindReadOnly,
		syscall.EACCES: blob.KindPermission, syscall.EIO: blob.KindCorrupt, syscall.ENOENT: blob.KindNotFound,
		syscall.EMFILE: blob.KindUnavailable, syscall.EBADF: blob.KindOther,
	} {
		if got := kindOf(&os.PathError{Op: "x", Path: "y", Err: err}); got != want {
			t.Errorf("%v is %v, want %v", err, got, want)
		}
	}
}

// TestFullDisk fills a tiny file system.
func TestFullDisk(t *testing.T) {
	dir := oracletest.SmallDisk(t, 64<<10)
	ctx := context.Background()
	c, err := New(dir)
	if err != nil {
		t.Fatal(err)
	}
	err = c.Put(ctx, "big", strings.NewReader(strings.Repeat("x", 1<<20)), 1<<20, blob.PutOptions{})
	if blob.KindOf(err) != blob.KindNoSpace {
		t.Fatal(err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Fatalf("a failed write left %v", entries)
	}
	if err := c.Put(ctx, "small", strings.NewReader("x"), 1, blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

// TestLongBatchOfRemovals shares a list that is long enough among goroutines.
func TestLongBatchOfRemovals(t *testing.T) {
	ctx := context.Background()
	c := fresh(t)
	var names []string
	for i := range 5*removalsPerTurn + 7 {
		names = append(names, fmt.Sprintf("%d/b", i%9)+fmt.Sprint(i))
		sub, err := c.Container(fmt.Sprint(i % 9))
		if err != nil {
			t.Fatal(err)
		}
		if err := sub.Put(ctx, names[i][2:], strings.NewReader("x"), 1, blob.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	bad := []string{"../x", "3/pending-a"}
	err := c.DeleteBatch(ctx, append(slices.Insert(slices.Clone(names), 40, bad...), "0/not there"))
	var batch *blob.BatchError
	if !errors.As(err, &batch) || len(batch.Failed) != len(bad) || batch.Failed[bad[0]] == nil || batch.Failed[bad[1]] == nil {
		t.Fatal(err)
	}
	for i := range 9 {
		entries, err := os.ReadDir(filepath.Join(c.Dir(), fmt.Sprint(i)))
		if err != nil || len(entries) != 0 {
			t.Fatal(entries, err)
		}
	}
	if err := c.DeleteBatch(blob.WithDeletesInTurn(ctx), names); err != nil {
		t.Fatal(err)
	}
	if err := c.DeleteBatch(ctx, nil); err != nil {
		t.Fatal(err)
	}
}
