package repository

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/varve-search/varve/repository/smile"
)

// encode writes the JSON as 2.19 does, without a tree: with thousands of snapshots that would be most of the time of a change.
func (d *Data) encode() ([]byte, error) {
	for i, s := range d.Snapshots {
		if i > 0 && s.Version == d.Snapshots[i-1].Version {
			continue
		}
		if _, err := ParseVersion(s.Version); err != nil {
			return nil, fmt.Errorf("snapshot [%s]: %w", s.Name, err)
		}
	}
	w := &rootWriter{b: make([]byte, 0, d.encodedSize())}
	w.text(`{"snapshots":[`)
	for i := range d.Snapshots {
		w.comma(i)
		w.snapshot(&d.Snapshots[i])
	}
	w.text(`],"indices":{`)
	for i := range d.Indices {
		w.comma(i)
		w.index(&d.Indices[i])
	}
	w.text(`}`)
	if v := d.minVersion(); v != "" {
		w.text(`,"min_version":`)
		w.value(v)
	}
	w.text(`,"index_metadata_identifiers":`)
	w.stringMap(d.Identifiers)
	w.text(`}`)
	return w.b, w.err
}

// encodedSize is about how many bytes the JSON has.
func (d *Data) encodedSize() int {
	const entry = 60 // an id and its identifier, or a UUID, with what stands around them
	n := 1<<10 + 2*entry*len(d.Identifiers)
	for _, s := range d.Snapshots {
		n += 2*entry + len(s.Name) + 5*entry/4*len(s.IndexMetadata)
	}
	for _, i := range d.Indices {
		n += 2*entry + len(i.Name) + entry*(len(i.Snapshots)+len(i.Generations))
	}
	return n
}

// rootWriter appends JSON, and keeps the first error.
type rootWriter struct {
	b    []byte
	err  error
	keys []string
}

func (w *rootWriter) text(s string) { w.b = append(w.b, s...) }

func (w *rootWriter) comma(i int) {
	if i > 0 {
		w.b = append(w.b, ',')
	}
}

func (w *rootWriter) value(v any) {
	if w.err == nil {
		w.b, w.err = smile.AppendJSON(w.b, v)
	}
}

func (w *rootWriter) string(s string) { w.b = smile.AppendJSONText(w.b, s) }

func (w *rootWriter) extra(members []member) {
	for _, m := range members {
		w.text(",")
		w.string(m.Name)
		w.text(":")
		w.value(m.Value)
	}
}

func (w *rootWriter) snapshot(s *SnapshotEntry) {
	w.text(`{"name":`)
	w.string(s.Name)
	w.text(`,"uuid":`)
	w.string(s.UUID)
	if s.State != StateUnknown {
		w.text(`,"state":`)
		w.b = strconv.AppendInt(w.b, int64(s.State), 10)
	}
	w.text(`,"index_metadata_lookup":`)
	w.stringMap(s.IndexMetadata)
	w.text(`,"version":`)
	w.string(s.Version)
	w.extra(s.extra)
	w.text("}")
}

func (w *rootWriter) index(i *IndexEntry) {
	w.string(i.Name)
	w.text(`:{"id":`)
	w.string(i.ID)
	w.text(`,"shard_path_type":`)
	w.b = strconv.AppendInt(w.b, int64(i.ShardPathType), 10)
	w.text(`,"snapshots":[`)
	for n, uuid := range i.Snapshots {
		w.comma(n)
		w.string(uuid)
	}
	w.text(`],"shard_generations":[`)
	for n, g := range i.Generations {
		w.comma(n)
		if g == "" {
			w.text("null")
		} else {
			w.string(g)
		}
	}
	w.text("]")
	w.extra(i.extra)
	w.text("}")
}

func (w *rootWriter) stringMap(m map[string]string) {
	w.keys = w.keys[:0]
	for k := range m {
		w.keys = append(w.keys, k)
	}
	slices.Sort(w.keys)
	w.text("{")
	for n, k := range w.keys {
		w.comma(n)
		w.string(k)
		w.text(":")
		w.string(m[k])
	}
	w.text("}")
}

// minVersion is the MinVersion to be written.
func (d *Data) minVersion() string {
	for i := range d.Snapshots {
		if i > 0 && d.Snapshots[i].Version == d.Snapshots[i-1].Version {
			continue
		}
		if v, err := ParseVersion(d.Snapshots[i].Version); err == nil && v.Before(lastWithMinVersion) {
			return firstIndexGenerations.String()
		}
	}
	return ""
}
