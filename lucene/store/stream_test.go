package store

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// TestStream writes more than is written out at once, and no file twice.
func TestStream(t *testing.T) {
	d, err := OpenFS(t.TempDir())
	must(t, err)
	var _ Streamer = d
	want := make([]byte, 2*writeBack+12345)
	for i := range want {
		want[i] = byte(i * (i >> 12))
	}
	w, err := d.CreateStream("a")
	must(t, err)
	for b := want; len(b) > 0; {
		n := min(len(b), 3<<20)
		_, err := w.Write(b[:n])
		must(t, err)
		b = b[n:]
	}
	must(t, w.Close())
	must(t, d.Sync([]string{"a"}))
	if got, err := os.ReadFile(filepath.Join(d.Path(), "a")); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%d bytes of %d, or others: %v", len(got), len(want), err)
	}
	if _, err := d.CreateStream("a"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a file that is there: %v", err)
	}
	if _, err := d.CreateStream("../a"); err == nil {
		t.Error("a file of another folder")
	}
	if _, err := w.Write(want[:10]); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after it was closed: %v", err)
	}
}

// TestPlaced writes a file at several places side by side.
func TestPlaced(t *testing.T) {
	d, err := OpenFS(t.TempDir())
	must(t, err)
	var _ Placer = d
	const parts, size = 5, writeBack + 54321
	want := make([]byte, parts*size)
	for i := range want {
		want[i] = byte(i * (i >> 12))
	}
	f, err := d.CreatePlaced("a")
	must(t, err)
	var wg sync.WaitGroup
	for i := range parts {
		wg.Go(func() {
			w := f.From(int64(i * size))
			for b := want[i*size : (i+1)*size]; len(b) > 0; {
				n := min(len(b), 100_000)
				if _, err := w.Write(b[:n]); err != nil {
					t.Error(err)
				}
				b = b[n:]
			}
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	must(t, f.Close())
	must(t, d.Sync([]string{"a"}))
	if got, err := os.ReadFile(filepath.Join(d.Path(), "a")); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%d bytes of %d, or others: %v", len(got), len(want), err)
	}
	if _, err := d.CreatePlaced("a"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a file that is there: %v", err)
	}
	if _, err := f.From(0).Write(want[:10]); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after it was closed: %v", err)
	}
}
