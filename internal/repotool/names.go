package repotool

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/varve-search/varve/blob"
)

// Schemes returns what locations may begin with, for the completion of a shell.
func Schemes() []string {
	list := blob.Schemes()
	for i := range list {
		list[i] += ":"
	}
	return list
}

// Folders returns the locations of the folders whose path begins so, for the completion of a shell: those that are no repository end in
// a slash, since there is more to come.
func Folders(begun string) []string {
	dir, base := filepath.Split(begun)
	entries, err := os.ReadDir(cmp.Or(dir, "."))
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), base) || base == "" && strings.HasPrefix(e.Name(), ".") {
			continue
		}
		path := dir + e.Name()
		if st, err := os.Stat(path); err != nil || !st.IsDir() {
			continue
		}
		if _, err := os.Stat(filepath.Join(path, "index.latest")); err != nil {
			path += "/"
		}
		out = append(out, "fs:"+path)
	}
	return out
}

// Names returns the names of a repository's snapshots (kind "snapshot"), or of the indices of one snapshot or of all (kind "index"),
// for the completion of a shell: nothing where they cannot be read.
func Names(ctx context.Context, location, kind, snapshot string) []string {
	r, err := Open(ctx, location)
	if err != nil {
		return nil
	}
	var out []string
	if kind == "snapshot" {
		for _, s := range r.Data.Snapshots {
			out = append(out, s.Name)
		}
		return out
	}
	list := r.Data.Indices
	if s, err := r.Data.Snapshot(snapshot); err == nil {
		list = r.Data.SnapshotIndices(s.SnapshotID)
	}
	for _, ix := range list {
		out = append(out, ix.Name)
	}
	return out
}
