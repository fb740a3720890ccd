package repotool

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/repository"
)

// Finding is a finding of Verify as scripts read it. Fields that do not apply are left out.
type Finding struct {
	Severity string `json:"severity"`
	Blob     string `json:"blob,omitempty"`
	Snapshot string `json:"snapshot,omitempty"`
	Index    string `json:"index,omitempty"`
	Shard    *int   `json:"shard,omitempty"`
	File     string `json:"file,omitempty"`
	Problem  string `json:"problem"`
}

// Verify checks a repository and prints what it finds: sentences, or with asJSON one finding a line. It
// tells whether the repository is healthy: nothing was found that is worse than a left-over.
func Verify(ctx context.Context, out io.Writer, location string, deep, asJSON bool) (healthy bool, err error) {
	c, err := blob.Open(ctx, location)
	if err != nil {
		return false, err
	}
	names, err := blob.Names(ctx, c, "")
	if err != nil {
		return false, fmt.Errorf("list the repository at %s: %w", location, err)
	}
	if len(names) == 0 {
		return false, fmt.Errorf("open the repository at %s: nothing is there", location)
	}
	r, err := repository.Open(ctx, blob.ReadOnly(c), repository.Options{})
	if err != nil {
		return false, fmt.Errorf("open the repository at %s: %w", location, err)
	}
	healthy = true
	findings := 0
	var writeErr error
	stats, err := r.Verify(ctx, repository.VerifyOptions{Deep: deep}, func(f repository.Finding) {
		findings++
		if f.Severity > repository.SeverityInfo {
			healthy = false
		}
		if !asJSON {
			_, writeErr = fmt.Fprintln(out, f)
			return
		}
		one := Finding{Severity: f.Severity.String(), Blob: f.Blob, Snapshot: f.Snapshot, Index: f.Index, File: f.File, Problem: f.Problem}
		if f.Shard >= 0 {
			one.Shard = &f.Shard
		}
		writeErr = json.NewEncoder(out).Encode(one)
	})
	if err == nil {
		err = writeErr
	}
	if err != nil {
		return false, fmt.Errorf("verify the repository at %s: %w", location, err)
	}
	if !asJSON {
		what := "its metadata and the lengths of its files are"
		if deep {
			what = "every byte of it was read and is"
		}
		if findings == 0 {
			fmt.Fprintf(out, "The repository is healthy: %s right (%d snapshots, %d shards, %d files).\n", what, stats.Snapshots, stats.Shards, stats.Files)
		} else {
			fmt.Fprintf(out, "%d findings (%d snapshots, %d shards, %d files looked at).\n", findings, stats.Snapshots, stats.Shards, stats.Files)
		}
	}
	return healthy, nil
}
