package blockcache

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/varve-search/varve/repository/snapshotdir"
)

// FuzzBlock reads files of any content as blocks: what is taken is what was written, trailer included.
func FuzzBlock(f *testing.F) {
	dir := f.TempDir()
	c, err := Open(Config{Path: dir, Disk: 1 << 20, Memory: 1})
	if err != nil {
		f.Fatal(err)
	}
	k := snapshotdir.Key{File: "f"}
	c.disk.write(idOf(k), []byte("sixteen bytes..."))
	good, err := os.ReadFile(c.disk.file(idOf(k)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, 16)
	f.Add(good[:20], 16)
	f.Add(good, 4)
	f.Add([]byte{}, 0)
	path := filepath.Join(dir, "any")
	f.Fuzz(func(t *testing.T, content []byte, n int) {
		if n < 0 || n > 1<<16 {
			return
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		p := make([]byte, n)
		if whole, _ := readBlock(path, p); whole && (len(content) != n+trailerLen || !bytes.Equal(p, content[:n])) {
			t.Errorf("%d bytes were taken as a block of %d", len(content), n)
		}
	})
}
