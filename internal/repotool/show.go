package repotool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/repository"
	"github.com/varve-search/varve/repository/smile"
)

// SnapshotDetails is all that a repository knows of a snapshot.
type SnapshotDetails struct {
	Snapshot
	Took               string          `json:"took"`
	Reason             string          `json:"reason,omitempty"`
	DataStreams        []string        `json:"data_streams"`
	IncludeGlobalState *bool           `json:"include_global_state,omitempty"`
	Metadata           json.RawMessage `json:"metadata,omitempty"`
	ShardFailures      []ShardFailure  `json:"failures"`
	IndexSizes         []IndexIn       `json:"index_details"`
	// Global is the cluster's metadata as the snapshot holds it.
	Global json.RawMessage `json:"global_metadata,omitempty"`
}

// ShardFailure says why a shard is not in a snapshot.
type ShardFailure struct {
	Index  string `json:"index"`
	Shard  int    `json:"shard"`
	Reason string `json:"reason"`
	Status string `json:"status,omitempty"`
}

func snapshotLine(i *repository.SnapshotInfo) Snapshot {
	return Snapshot{
		Snapshot: i.Name, UUID: i.UUID, State: i.State.String(), Version: i.Version.String(),
		Start: time.UnixMilli(i.StartTime).UTC(), End: time.UnixMilli(i.EndTime).UTC(), Indices: i.Indices,
		Shards: i.TotalShards, Successful: i.SuccessfulShards, Failures: len(i.Failures), Shallow: i.Shallow(),
	}
}

// ShowSnapshot prints everything that is known of a snapshot.
func ShowSnapshot(ctx context.Context, p *Printer, location, snapshot string) error {
	r, err := Open(ctx, location)
	if err != nil {
		return err
	}
	entry, err := r.named(snapshot)
	if err != nil {
		return err
	}
	info, err := r.SnapshotInfo(ctx, entry.SnapshotID)
	if err != nil {
		return err
	}
	d := SnapshotDetails{Snapshot: snapshotLine(info), Took: settings.FormatDuration(time.Duration(info.EndTime-info.StartTime) * time.Millisecond),
		Reason: info.Reason, DataStreams: append([]string{}, info.DataStreams...), IncludeGlobalState: info.IncludeGlobalState, ShardFailures: []ShardFailure{}, IndexSizes: []IndexIn{}}
	if info.UserMetadata != nil {
		if d.Metadata, err = info.UserMetadata.MarshalJSON(); err != nil {
			return err
		}
	}
	for _, f := range info.Failures {
		d.ShardFailures = append(d.ShardFailures, ShardFailure{f.Index, f.Shard, f.Reason, f.Status})
	}
	p.Progress.start("read", int64(len(info.Indices)), false)
	for _, ix := range r.Data.SnapshotIndices(entry.SnapshotID) {
		one, err := sizeIndex(ctx, r, entry.SnapshotID, ix)
		if err != nil {
			return err
		}
		d.IndexSizes = append(d.IndexSizes, one)
		p.Progress.add(1)
	}
	p.Progress.end()
	global, err := r.GlobalMetadata(ctx, entry.SnapshotID)
	if err != nil {
		return err
	}
	if d.Global, err = global.MarshalJSON(); err != nil {
		return err
	}
	if p.JSON {
		return p.object(d)
	}
	return d.print(p, global)
}

func (d *SnapshotDetails) print(p *Printer, global *smile.Object) error {
	f := &facts{p: p}
	f.add("snapshot", p.paint(bold, d.Snapshot.Snapshot))
	f.add("uuid", d.UUID)
	f.add("state", p.paint(stateColor(d.State), d.State))
	f.add("reason", d.Reason)
	f.add("version", d.Version)
	f.add("started", d.Start.Format(time.RFC3339))
	f.add("ended", d.End.Format(time.RFC3339)+" ("+d.Took+")")
	f.add("shards", fmt.Sprintf("%d, %d successful, %d failed", d.Shards, d.Successful, len(d.ShardFailures)))
	if d.Shallow {
		f.add("data", "lies in a remote store; this repository holds references only")
	}
	for _, s := range d.DataStreams {
		f.add("data stream", s)
	}
	if d.IncludeGlobalState != nil {
		f.add("global state", yesNo(*d.IncludeGlobalState))
	}
	for _, line := range globalParts(global) {
		f.add("", line)
	}
	f.add("metadata", string(d.Metadata))
	for _, x := range d.ShardFailures {
		f.add("failed", p.paint(red, fmt.Sprintf("[%s][%d] %s", x.Index, x.Shard, x.Reason)))
	}
	if err := f.flush(); err != nil {
		return err
	}
	if len(d.IndexSizes) == 0 {
		return nil
	}
	t := p.table("INDEX", "\tSHARDS", "\tFILES", "\tSIZE", "\tADDED", "NOTE")
	for _, i := range d.IndexSizes {
		t.row(i.Index, right(i.Shards), right(i.Files), rightBytes(i.Bytes), rightBytes(i.Added), i.Note)
	}
	if err := p.printf("\n"); err != nil {
		return err
	}
	return t.flush()
}

// ownState are parts of a cluster's metadata that concern only the cluster itself.
var ownState = map[string]bool{"cluster_coordination": true, "index-graveyard": true}

// globalParts names what a cluster's metadata holds: templates, pipelines and the like.
func globalParts(global *smile.Object) []string {
	var out []string
	for _, m := range global.Members {
		o, ok := m.Value.(*smile.Object)
		if !ok || ownState[m.Name] {
			continue
		}
		names := partNames(m.Name, o)
		if len(names) == 0 {
			continue
		}
		sort.Strings(names)
		if len(names) > 8 {
			names = append(names[:8], "…")
		}
		out = append(out, m.Name+": "+strings.Join(names, ", "))
	}
	return out
}

// partNames returns the names of what a section holds. Sections of templates wrap their entries once more, under the section's name;
// that of pipelines is a list.
func partNames(section string, o *smile.Object) []string {
	var names []string
	for _, e := range o.Members {
		switch inner := e.Value.(type) {
		case *smile.Object:
			if e.Name != section {
				break
			}
			for _, x := range inner.Members {
				names = append(names, x.Name)
			}
			continue
		case []any:
			for _, x := range inner {
				if one, ok := x.(*smile.Object); ok {
					if id, ok := one.Get("id"); ok {
						names = append(names, fmt.Sprint(id))
					}
				}
			}
			if len(names) > 0 {
				continue
			}
		}
		names = append(names, e.Name)
	}
	return names
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// facts prints names and values below each other.
type facts struct {
	p    *Printer
	rows [][2]string
}

func (f *facts) add(name, value string) {
	if value != "" {
		f.rows = append(f.rows, [2]string{name, value})
	}
}

func (f *facts) flush() error {
	width := 0
	for _, r := range f.rows {
		width = max(width, len(r[0]))
	}
	for _, r := range f.rows {
		if err := f.p.printf("%-*s  %s\n", width, r[0], r[1]); err != nil {
			return err
		}
	}
	return nil
}

// IndexDetails is all that a repository knows of an index in a snapshot.
type IndexDetails struct {
	Index    string          `json:"index"`
	ID       string          `json:"id"`
	UUID     string          `json:"uuid"`
	Snapshot string          `json:"snapshot"`
	Settings json.RawMessage `json:"settings"`
	Mappings json.RawMessage `json:"mappings"`
	Aliases  json.RawMessage `json:"aliases"`
	Shards   []ShardDetails  `json:"shards"`
}

// ShardDetails is a shard's list of files in a snapshot.
type ShardDetails struct {
	Shard      int         `json:"shard"`
	Path       string      `json:"path"`
	Generation string      `json:"generation,omitempty"`
	Commit     int64       `json:"commit_generation"`
	Bytes      int64       `json:"size_in_bytes"`
	Note       string      `json:"note,omitempty"`
	Files      []ShardFile `json:"files"`
}

// ShardFile is one Lucene file of a shard.
type ShardFile struct {
	Name      string `json:"name"`
	Bytes     int64  `json:"size_in_bytes"`
	Checksum  string `json:"checksum"`
	Blob      string `json:"blob"`
	Parts     int    `json:"parts"` // 0: the content stands in the list itself
	WrittenBy string `json:"written_by"`
}

// ShowIndex prints everything that is known of an index in a snapshot.
func ShowIndex(ctx context.Context, p *Printer, location, snapshot, index string) error {
	r, err := Open(ctx, location)
	if err != nil {
		return err
	}
	entry, err := r.named(snapshot)
	if err != nil {
		return err
	}
	ix, err := r.indexIn(entry.SnapshotID, index)
	if err != nil {
		return err
	}
	meta, err := r.IndexMetadata(ctx, r.Data, entry.SnapshotID, index)
	if err != nil {
		return err
	}
	d := IndexDetails{Index: index, ID: ix.ID, UUID: meta.UUID(), Snapshot: snapshot}
	mappings, err := meta.Mappings()
	if err == nil {
		d.Mappings, err = mappings.MarshalJSON()
	}
	if err == nil {
		d.Settings, err = part(meta, "settings")
	}
	if err == nil {
		d.Aliases, err = part(meta, "aliases")
	}
	if err != nil {
		return fmt.Errorf("metadata of index [%s]: %w", index, err)
	}
	for n := range meta.Shards() {
		s, err := showShard(ctx, r, entry.SnapshotID, ix, n)
		if err != nil {
			return err
		}
		d.Shards = append(d.Shards, s)
	}
	if p.JSON {
		return p.object(d)
	}
	return d.print(p)
}

func part(meta *repository.IndexMetadata, key string) (json.RawMessage, error) {
	v, ok := meta.Body.Get(key)
	if !ok || v == nil {
		return json.RawMessage("{}"), nil
	}
	return smile.AppendJSON(nil, v)
}

func showShard(ctx context.Context, r *Repo, id repository.SnapshotID, ix repository.IndexEntry, n int) (ShardDetails, error) {
	d := ShardDetails{Shard: n, Generation: ix.ShardGeneration(n), Files: []ShardFile{}}
	sh, err := r.Shard(ctx, ix.IndexID, n)
	if err != nil {
		return d, err
	}
	d.Path = sh.Path()
	snap, _, err := sh.State(ctx, id)
	var missing *repository.MissingSnapshotError
	switch {
	case errors.Is(err, repository.ErrShallow):
		d.Note = "data in a remote store"
		return d, nil
	case errors.As(err, &missing):
		d.Note = "failed: not in the snapshot"
		return d, nil
	case err != nil:
		return d, err
	}
	d.Commit, d.Bytes = snap.IndexVersion, snap.TotalSize()
	for _, f := range snap.Files {
		d.Files = append(d.Files, ShardFile{f.PhysicalName, f.Length, f.Checksum, f.Name, f.Parts(), f.WrittenBy})
	}
	slices.SortFunc(d.Files, func(a, b ShardFile) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return d, nil
}

func (d *IndexDetails) print(p *Printer) error {
	f := &facts{p: p}
	f.add("index", p.paint(bold, d.Index))
	f.add("uuid", d.UUID)
	f.add("id in the repository", d.ID)
	for _, x := range []struct {
		name string
		json json.RawMessage
	}{{"settings", d.Settings}, {"mappings", d.Mappings}, {"aliases", d.Aliases}} {
		f.add(x.name, string(x.json))
	}
	if err := f.flush(); err != nil {
		return err
	}
	for _, s := range d.Shards {
		if err := p.printf("\nshard %d in %s: %s, %s %s\n", s.Shard, s.Path, plural(len(s.Files), "file", "files"), settings.FormatBytes(s.Bytes), p.paint(red, s.Note)); err != nil {
			return err
		}
		if len(s.Files) == 0 {
			continue
		}
		t := p.table("  FILE", "\tSIZE", "CHECKSUM", "\tPARTS", "BLOB")
		for _, x := range s.Files {
			blob := x.Blob
			if x.Parts == 0 {
				blob = "(in the list itself)"
			}
			t.row("  "+x.Name, rightBytes(x.Bytes), x.Checksum, right(x.Parts), blob)
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	return nil
}
