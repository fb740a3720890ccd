package repotool

import (
	"context"

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
