package store

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
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
