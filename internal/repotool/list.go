package repotool

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/repository"
)

// Snapshot is a line of the list of snapshots.
type Snapshot struct {
	Snapshot   string    `json:"snapshot"`
	UUID       string    `json:"uuid"`
	State      string    `json:"state"`
	Version    string    `json:"version"`
	Start      time.Time `json:"start_time,omitzero"`
	End        time.Time `json:"end_time,omitzero"`
	Indices    []string  `json:"indices"`
	Shards     int       `json:"total_shards"`
	Successful int       `json:"successful_shards"`
	Failures   int       `json:"failed_shards"`
	Shallow    bool      `json:"shallow,omitempty"`
	// Note says what is wrong with the snapshot's info: then only what the root knows is told.
	Note string `json:"note,omitempty"`
}

// lines reads what is told of each snapshot. One whose info is lost or damaged does not hide the others.
func (r *Repo) lines(ctx context.Context) ([]Snapshot, error) {
	list := make([]Snapshot, len(r.Data.Snapshots))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(listParallel)
	for n, s := range r.Data.Snapshots {
		g.Go(func() error {
			info, err := r.SnapshotInfo(gctx, s.SnapshotID)
			switch {
			case err == nil:
				list[n] = snapshotLine(info)
				return nil
			case !ofOneBlob(err):
				return err
			}
			list[n] = Snapshot{Snapshot: s.Name, UUID: s.UUID, State: s.State.String(), Version: s.Version, Indices: []string{}, Note: "its info cannot be read: " + err.Error()}
			for _, ix := range r.Data.SnapshotIndices(s.SnapshotID) {
				list[n].Indices = append(list[n].Indices, ix.Name)
			}
			return nil
		})
	}
	return list, g.Wait()
}

// listParallel is how many infos are read side by side.
const listParallel = 16

// ofOneBlob tells whether an error is about the blob that was read, and says nothing of the store.
func ofOneBlob(err error) bool {
	var damaged *repository.CorruptError
	switch blob.KindOf(err) {
	case blob.KindNotFound, blob.KindCorrupt, blob.KindPermission, blob.KindArchived:
		return true
	}
	return errors.As(err, &damaged)
}

// List writes a line for each snapshot, oldest first.
func List(ctx context.Context, p *Printer, location string) error {
	r, err := Open(ctx, location)
	if err != nil {
		return err
	}
	list, err := r.lines(ctx)
	if err != nil {
		return err
	}
	slices.SortStableFunc(list, func(a, b Snapshot) int { return a.Start.Compare(b.Start) })
	if p.JSON {
		return p.object(list)
	}
	w := p.table("SNAPSHOT", "STATE", "VERSION", "STARTED", "\tTOOK", "\tINDICES", "\tSHARDS", "\tFAILED", "NOTE")
	w.state = 1
	for _, s := range list {
		if s.Note != "" {
			w.row(s.Snapshot, s.State, s.Version, "?", "\t?", right(len(s.Indices)), "\t?", "\t?", p.paint(red, s.Note))
			continue
		}
		w.row(s.Snapshot, s.State, s.Version, s.Start.Format(time.DateTime), "\t"+settings.FormatDuration(s.End.Sub(s.Start)), right(len(s.Indices)),
			right(s.Shards), right(s.Failures))
	}
	return w.flush()
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
func ListIndices(ctx context.Context, p *Printer, location, snapshot string) error {
	r, err := Open(ctx, location)
	if err != nil {
		return err
	}
	entry, err := r.named(snapshot)
	if err != nil {
		return err
	}
	list := []IndexIn{}
	for _, ix := range r.Data.SnapshotIndices(entry.SnapshotID) {
		one, err := sizeIndex(ctx, r, entry.SnapshotID, ix)
		if err != nil {
			return err
		}
		list = append(list, one)
	}
	if p.JSON {
		return p.object(list)
	}
	w := p.table("INDEX", "\tSHARDS", "\tFILES", "\tSIZE", "\tADDED", "ID", "NOTE")
	for _, i := range list {
		w.row(i.Index, right(i.Shards), right(i.Files), rightBytes(i.Bytes), rightBytes(i.Added), i.ID, i.Note)
	}
	return w.flush()
}

func sizeIndex(ctx context.Context, r *Repo, id repository.SnapshotID, ix repository.IndexEntry) (IndexIn, error) {
	one := IndexIn{Index: ix.Name, ID: ix.ID}
	meta, err := r.IndexMetadata(ctx, r.Data, id, ix.Name)
	if err != nil && ofOneBlob(err) {
		one.Note = "its metadata cannot be read: " + err.Error()
		return one, nil
	}
	if err != nil {
		return one, err
	}
	one.Shards = meta.Shards()
	for n := range one.Shards {
		sh, err := r.Shard(ctx, ix.IndexID, n)
		if err != nil {
			return one, err
		}
		snap, _, err := sh.State(ctx, id)
		var missing *repository.MissingSnapshotError
		switch {
		case errors.Is(err, repository.ErrShallow):
			one.Note = "data in a remote store"
			continue
		case errors.As(err, &missing):
			one.Note = "shard " + strconv.Itoa(n) + " failed"
			continue
		case err != nil && ofOneBlob(err):
			one.Note = "shard " + strconv.Itoa(n) + " cannot be read: " + err.Error()
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

func right(n int) string { return "\t" + strconv.Itoa(n) }

func rightBytes(n int64) string { return "\t" + settings.FormatBytes(n) }
