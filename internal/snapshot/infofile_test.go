package snapshot

import (
	"bytes"
	"crypto/sha256"
	"maps"
	"os"
	"path/filepath"
	"testing"
)

func sampleInfos() map[string]storedInfo {
	return map[string]storedInfo{"uuid-one": {300, []byte("a frame")}, "uuid-two": {1 << 20, bytes.Repeat([]byte("x"), 300)}, "": {0, nil}}
}

func sameInfos(a, b map[string]storedInfo) bool {
	return maps.EqualFunc(a, b, func(x, y storedInfo) bool { return x.size == y.size && bytes.Equal(x.frame, y.frame) })
}

// TestInfoFile: what was written is read, and a file with any damage counts as not there.
func TestInfoFile(t *testing.T) {
	f := &infoFile{path: filepath.Join(t.TempDir(), "cache", "infos", "x"), owner: sha256.Sum256([]byte("one"))}
	if got := f.read(); got != nil {
		t.Fatalf("without a file: %v", got)
	}
	if err := f.write(sampleInfos()); err != nil {
		t.Fatal(err)
	}
	if got := f.read(); !sameInfos(got, sampleInfos()) {
		t.Fatalf("read %v", got)
	}
	if entries, err := os.ReadDir(filepath.Dir(f.path)); err != nil || len(entries) != 1 {
		t.Fatalf("%v, %v", entries, err)
	}
	other := &infoFile{path: f.path, owner: sha256.Sum256([]byte("two"))}
	if got := other.read(); got != nil {
		t.Errorf("of a repository with other settings: %v", got)
	}
	whole, err := os.ReadFile(f.path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		flipped := bytes.Clone(whole)
		flipped[i] ^= 0x10
		if got := parseInfoFile(flipped, f.owner); got != nil {
			t.Errorf("byte %d flipped: %v", i, got)
		}
		if got := parseInfoFile(whole[:i], f.owner); got != nil {
			t.Errorf("cut to %d bytes: %v", i, got)
		}
	}
	if err := f.write(map[string]storedInfo{"x": {1, make([]byte, maxInfoFile)}}); err == nil {
		t.Error("a file that is too large was written")
	}
	if err := os.Truncate(f.path, maxInfoFile+1); err != nil {
		t.Fatal(err)
	}
	if got := f.read(); got != nil {
		t.Errorf("of a file that is too large: %v", got)
	}
}

func FuzzInfoFile(f *testing.F) {
	file := &infoFile{path: filepath.Join(f.TempDir(), "x")}
	if err := file.write(sampleInfos()); err != nil {
		f.Fatal(err)
	}
	b, err := os.ReadFile(file.path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(infoMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, sealed := range [][]byte{b, sealInfos(b)} { // else the checksum keeps all that is damaged away from the rest
			sum := 0
			for uuid, i := range parseInfoFile(sealed, [sha256.Size]byte{}) {
				sum += len(uuid) + len(i.frame)
			}
			if sum > len(sealed) {
				t.Errorf("%d bytes out of %d", sum, len(sealed))
			}
		}
	})
}
