package repotool

import (
	"io"
	"maps"
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

// A shallow snapshot is copied into an ordinary one: its documents are read without the remote store, and a snapshot that shares files
// sends them once.
func TestCopyShallow(t *testing.T) {
	for _, name := range []string{"opensearch-2.19/remote", "opensearch-3.8/remote"} {
		t.Run(name, func(t *testing.T) {
			folder := fixture(t, name)
			src := "fs:" + folder
			dir := filepath.Join(t.TempDir(), "copy")
			with := WithRemoteStore(bg, remoteOf(folder))
			if err := Copy(bg, &Printer{Out: io.Discard}, src, "fs:"+dir, nil); err == nil || !strings.Contains(err.Error(), "--remote-store") {
				t.Fatalf("without the remote store: %v", err)
			}
			before := files(t, filepath.Dir(folder))
			got := asked[Copied](t, func(p *Printer) error { return Copy(with, p, src, "fs:"+dir, nil) })
			if len(got.Copied) != 4 || len(got.Warnings) > 0 || got.Copied[3].ReusedFiles == 0 {
				t.Fatalf("%+v", got)
			}
			healthy(t, dir, true)
			var exp expected
			oracletest.FixtureExpected(t, name, &exp)
			for _, s := range exp.Snapshots {
				for ix := range s.Indices {
					x := text(t, func(p *Printer) error { return Cat(with, p, src, s.Name, ix) })
					y := text(t, func(p *Printer) error { return Cat(bg, p, "fs:"+dir, s.Name, ix) })
					if x != y {
						t.Errorf("%s %s: other documents", s.Name, ix)
					}
				}
			}
			for _, s := range asked[[]Snapshot](t, func(p *Printer) error { return List(bg, p, "fs:"+dir) }) {
				if s.Shallow {
					t.Errorf("%s is called shallow", s.Snapshot)
				}
			}
			// What the copy holds is what the remote store had of the snapshots, but for small files that stand in lists.
			remote := asked[Usage](t, func(p *Printer) error { return Du(with, p, src, nil) })
			here := asked[Usage](t, func(p *Printer) error { return Du(bg, p, "fs:"+dir, nil) })
			blind := asked[Usage](t, func(p *Printer) error { return Du(bg, p, src, nil) })
			if remote.Remote == 0 || here.Remote != 0 || remote.Bytes != 0 || blind.Remote != 0 || remote.Remote < here.Bytes || remote.Remote > here.Bytes*11/10 {
				t.Errorf("%d bytes in the remote store (%d in the repository) became %d (%d remote)", remote.Remote, remote.Bytes, here.Bytes, here.Remote)
			}
			for i, s := range remote.Snapshots {
				if c := here.Snapshots[i]; s.Remote != s.Bytes || s.Bytes != c.Bytes || blind.Snapshots[i].Remote != s.Remote || s.Freed.Blobs == 0 {
					t.Errorf("%+v became %+v; without the remote store %+v", s, c, blind.Snapshots[i])
				}
			}
			if now := files(t, filepath.Dir(folder)); !maps.Equal(now, before) {
				t.Error("the source was changed")
			}
		})
	}
}
