package repotool

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestVerifyOld looks deep into repositories of old versions, sound and damaged ones.
func TestVerifyOld(t *testing.T) {
	for _, name := range []string{"elasticsearch-5.6/main", "elasticsearch-6.8/main", "opensearch-1.3/main"} {
		loc := "fs:" + fixture(t, name)
		out := text(t, func(p *Printer) error {
			healthy, err := Verify(bg, p, loc, true)
			if !healthy {
				t.Errorf("%s is not healthy", name)
			}
			return err
		})
		if strings.Contains(out, "not looked into") || strings.Contains(out, "; 0 segments") {
			t.Errorf("%s: segments were left out:\n%s", name, out)
		}
	}
}

// A damaged file of documents is named.
func TestVerifyOldDamaged(t *testing.T) {
	root := fixture(t, "elasticsearch-7.10/main")
	blobs, err := filepath.Glob(filepath.Join(root, "indices", "*", "0", "__*"))
	if err != nil || len(blobs) == 0 {
		t.Fatalf("no blobs: %v", err)
	}
	for _, b := range blobs {
		content, err := os.ReadFile(b)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(content, []byte("Lucene87StoredFieldsFastData")) {
			continue
		}
		content[len(content)/2] ^= 8
		if err := os.WriteFile(b, content, 0o644); err != nil {
			t.Fatal(err)
		}
		out := text(t, func(p *Printer) error {
			healthy, err := Verify(bg, p, "fs:"+root, true)
			if healthy {
				t.Error("a damaged blob is healthy")
			}
			return err
		})
		if !strings.Contains(out, filepath.Base(b)) {
			t.Errorf("%s is not named:\n%s", filepath.Base(b), out)
		}
		return
	}
	t.Fatal("no blob of documents")
}
