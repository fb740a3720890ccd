package repotool

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/oracletest"
)

// remoteOf is where the fixtures of the variant remote have the segments of the repository in a folder.
func remoteOf(repository string) string {
	return "fs:" + filepath.Join(filepath.Dir(repository), "remote-store", "segment")
}

// A shallow snapshot is read, verified and taken out where its data is named, and says what is missing where it is not.
func TestShallowSnapshots(t *testing.T) {
	for _, name := range []string{"opensearch-2.19/remote", "opensearch-3.8/remote"} {
		t.Run(name, func(t *testing.T) {
			folder := fixture(t, name)
			location := "fs:" + folder
			with := WithRemoteStore(bg, remoteOf(folder))

			err := Cat(bg, &Printer{Out: &strings.Builder{}}, location, "snap-3", "products")
			if err == nil || !strings.Contains(err.Error(), "--remote-store") || !strings.Contains(err.Error(), "[rs-segment]") {
				t.Errorf("without the place of the remote store: %v", err)
			}
			err = Cat(WithRemoteStore(bg, "fs:"+t.TempDir()), &Printer{Out: &strings.Builder{}}, location, "snap-3", "products")
			if err == nil || !strings.Contains(err.Error(), "is this the right remote store?") {
				t.Errorf("with a wrong remote store: %v", err)
			}
			out := text(t, func(p *Printer) error {
				healthy, err := Verify(bg, p, location, false)
				if !healthy {
					t.Error("unhealthy, though nothing was looked at")
				}
				return err
			})
			if !strings.Contains(out, "which was not looked at") {
				t.Errorf("verify without the remote store says %s", out)
			}
			out = text(t, func(p *Printer) error {
				healthy, err := Verify(with, p, location, true)
				if !healthy {
					t.Error("unhealthy")
				}
				return err
			})
			if strings.Contains(out, "not looked at") || strings.Contains(out, " 0 files") {
				t.Errorf("verify with the remote store says %s", out)
			}
			target := filepath.Join(t.TempDir(), "shard")
			got := asked[Extracted](t, func(p *Printer) error { return Extract(with, p, location, "snap-3", "products", 0, target) })
			if got.Files < 2 || got.Commit == "" {
				t.Errorf("extracted %+v", got)
			}
			if strings.Contains(name, "-2.") { // the oracle's CheckIndex is of Lucene 9
				oracletest.CheckIndex(t, target)
			}
		})
	}
}
