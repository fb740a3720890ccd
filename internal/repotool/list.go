package repotool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/varve-search/varve/blob"
	_ "github.com/varve-search/varve/blob/fs" // the scheme fs:
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/repository"
)

// Open opens the repository at a location such as fs:/backups, read-only, and loads its root.
func Open(ctx context.Context, location string) (*repository.Repository, *repository.Data, error) {
	c, err := blob.Open(ctx, location)
	if err != nil {
		return nil, nil, err
	}
	r, err := repository.Open(ctx, blob.ReadOnly(c), repository.Options{})
	if err != nil {
		return nil, nil, fmt.Errorf("open the repository at %s: %w", location, err)
	}
	data, err := r.LoadData(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("open the repository at %s: %w", location, err)
	}
	if data.Generation == repository.NoGeneration {
		return nil, nil, fmt.Errorf("open the repository at %s: there is no index-N, so this is no snapshot repository (or an empty one)", location)
	}
	return r, data, nil
}

// Snapshot is a line of the list of snapshots.
type Snapshot struct {
	Snapshot   string    `json:"snapshot"`
	UUID       string    `json:"uuid"`
	State      string    `json:"state"`
	Version    string    `json:"version"`
	Start      time.Time `json:"start_time"`
	End        time.Time `json:"end_time"`
	Indices    []string  `json:"indices"`
	Shards     int       `json:"total_shards"`
	Successful int       `json:"successful_shards"`
	Failures   int       `json:"failed_shards"`
	Shallow    bool      `json:"shallow,omitempty"`
}

// List writes a line for each snapshot, oldest first.
func List(ctx context.Context, out io.Writer, location string, asJSON bool) error {
	r, data, err := Open(ctx, location)
	if err != nil {
		return err
	}
	infos, err := r.ListSnapshots(ctx, data)
	if err != nil {
		return err
	}
	list := make([]Snapshot, 0, len(infos))
	for _, i := range infos {
		list = append(list, Snapshot{
			Snapshot: i.Name, UUID: i.UUID, State: i.State.String(), Version: i.Version.String(),
			Start: time.UnixMilli(i.StartTime).UTC(), End: time.UnixMilli(i.EndTime).UTC(), Indices: i.Indices,
			Shards: i.TotalShards, Successful: i.SuccessfulShards, Failures: len(i.Failures), Shallow: i.Shallow(),
		})
	}
	slices.SortStableFunc(list, func(a, b Snapshot) int { return a.Start.Compare(b.Start) })
	if asJSON {
		return printJSON(out, list)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SNAPSHOT\tSTATE\tVERSION\tSTARTED\tTOOK\tINDICES\tSHARDS\tFAILED")
	for _, s := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\n", s.Snapshot, s.State, s.Version, s.Start.Format(time.DateTime),
			settings.FormatDuration(s.End.Sub(s.Start)), len(s.Indices), s.Shards, s.Failures)
	}
	return w.Flush()
}

// IndexIn is a line of the list of a snapshot's indices.
type IndexIn struct {
	Index  string `json:"index"`
	ID     string `json:"id"`
	Shards int    `json:"shards"`
	Files  int    `json:"files"`
	Bytes  int64  `json:"size_in_bytes"`
	Added  int64  `json:"added_in_bytes"` // by this snapshot
	Note   string `json:"note,omitempty"`
}

// ListIndices writes a line for each index of a snapshot.
func ListIndices(ctx context.Context, out io.Writer, location, snapshot string, asJSON bool) error {
	r, data, err := Open(ctx, location)
	if err != nil {
		return err
	}
	entry, err := data.Snapshot(snapshot)
	if err != nil {
		return err
	}
	var list []IndexIn
	for _, ix := range data.SnapshotIndices(entry.SnapshotID) {
		one, err := sizeIndex(ctx, r, data, entry.SnapshotID, ix)
		if err != nil {
			return err
		}
		list = append(list, one)
	}
	if asJSON {
		return printJSON(out, list)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "INDEX\tSHARDS\tFILES\tSIZE\tADDED\tID\tNOTE")
	for _, i := range list {
		fmt.Fprintf(w, "%s\t%d\t%d\t%s\t%s\t%s\t%s\n", i.Index, i.Shards, i.Files, settings.FormatBytes(i.Bytes), settings.FormatBytes(i.Added), i.ID, i.Note)
	}
	return w.Flush()
}

func sizeIndex(ctx context.Context, r *repository.Repository, data *repository.Data, id repository.SnapshotID, ix repository.IndexEntry) (IndexIn, error) {
	one := IndexIn{Index: ix.Name, ID: ix.ID}
	meta, err := r.IndexMetadata(ctx, data, id, ix.Name)
	if err != nil {
		return one, err
	}
	one.Shards = meta.Shards()
	for n := range one.Shards {
		sh, err := r.Shard(ctx, ix.IndexID, n)
		if err != nil {
			return one, err
		}
		snap, err := sh.Snapshot(ctx, id)
		var missing *repository.MissingSnapshotError
		switch {
		case errors.Is(err, repository.ErrShallow):
			one.Note = "data in a remote store"
			continue
		case errors.As(err, &missing):
			one.Note = "shard " + strconv.Itoa(n) + " failed"
			continue
		case err != nil:
			return one, err
		}
		one.Files += len(snap.Files)
		one.Bytes += snap.TotalSize()
		one.Added += snap.IncrementalSize
	}
	return one, nil
}

func printJSON(out io.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
