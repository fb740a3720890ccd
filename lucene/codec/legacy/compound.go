package legacy

import (
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/compound"
	"github.com/varve-search/varve/lucene/store"
)

const (
	compoundData50    = "Lucene50CompoundData"
	compoundEntries50 = "Lucene50CompoundEntries"
)

type entry struct{ offset, length int64 }

// compoundDir is the read-only directory over the files of one compound file.
type compoundDir struct {
	segment string
	data    store.Input
	entries map[string]entry // by file name without the segment
}

func openCompound(dir store.Directory, si *lucene.SegmentInfo) (*compoundDir, error) {
	in, err := dir.Open(lucene.SegmentFileName(si.Name, "", compound.EntriesExtension), store.Sequential)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	d := &compoundDir{segment: si.Name}
	r := store.NewReader(in)
	d.entries, err = parseEntries(r, si.ID)
	if err := codec.Finish(r, err); err != nil {
		return nil, err
	}
	if d.data, err = dir.Open(lucene.SegmentFileName(si.Name, "", compound.DataExtension), store.Sequential); err != nil {
		return nil, err
	}
	if err := d.check(si.ID); err != nil {
		d.data.Close()
		return nil, err
	}
	return d, nil
}

// check looks at the frame of the data. Its length is the sum of what lies in it, for nothing is aligned.
func (d *compoundDir) check(id lucene.ID) error {
	r := store.NewReader(d.data)
	if _, err := codec.ReadIndexHeader(r, compoundData50, 0, 0, id, ""); err != nil {
		return err
	}
	if _, err := codec.ReadFooter(d.data); err != nil {
		return err
	}
	want := r.Offset() + codec.FooterLength
	for _, e := range d.entries {
		want += e.length
	}
	if d.data.Length() != want {
		return store.Corruptf(d.data.Name(), -1, "the length is %d bytes, its entries need %d", d.data.Length(), want)
	}
	return nil
}

func parseEntries(r *store.Reader, id lucene.ID) (map[string]entry, error) {
	if _, err := codec.ReadIndexHeader(r, compoundEntries50, 0, 0, id, ""); err != nil {
		return nil, err
	}
	n := r.Count("entries", 17)
	entries := make(map[string]entry, n)
	for range n {
		name := r.String()
		e := entry{offset: r.BEInt64(), length: r.BEInt64()}
		switch _, twice := entries[name]; {
		case r.Err() != nil:
			return nil, r.Err()
		case twice || store.CheckName("x"+name) != nil:
			return nil, r.Corruptf("the inner file name %.100q is not the end of one, or appears twice", name)
		case e.offset < 0 || e.length < 0 || e.offset+e.length < 0:
			return nil, r.Corruptf("the inner file %s has %d bytes at %d", name, e.length, e.offset)
		}
		entries[name] = e
	}
	return entries, r.Err()
}

func (d *compoundDir) find(op, name string) (entry, error) {
	rest, ok := strings.CutPrefix(name, d.segment)
	e, found := d.entries[rest]
	if !ok || !found {
		return entry{}, &fs.PathError{Op: op, Path: d.data.Name() + "/" + name, Err: fs.ErrNotExist}
	}
	return e, nil
}

// List implements store.Directory.
func (d *compoundDir) List() ([]string, error) {
	names := slices.Sorted(maps.Keys(d.entries))
	for i := range names {
		names[i] = d.segment + names[i]
	}
	return names, nil
}

// Length implements store.Directory.
func (d *compoundDir) Length(name string) (int64, error) {
	e, err := d.find("stat", name)
	return e.length, err
}

// Open implements store.Directory. Closing what it returns has no effect.
func (d *compoundDir) Open(name string, _ store.Access) (store.Input, error) {
	e, err := d.find("open", name)
	if err != nil {
		return nil, err
	}
	return store.Inner(d.data, d.data.Name()+"/"+name, e.offset, e.length)
}

// Close implements store.Directory.
func (d *compoundDir) Close() error { return d.data.Close() }

// Create implements store.Directory; it is refused, as all changes are.
func (d *compoundDir) Create(string) (*store.Output, error) { return nil, compound.ErrReadOnly }

// Remove implements store.Directory.
func (d *compoundDir) Remove(string) error { return compound.ErrReadOnly }

// Rename implements store.Directory.
func (d *compoundDir) Rename(string, string) error { return compound.ErrReadOnly }

// Sync implements store.Directory.
func (d *compoundDir) Sync([]string) error { return compound.ErrReadOnly }

// SyncMetadata implements store.Directory.
func (d *compoundDir) SyncMetadata() error { return compound.ErrReadOnly }

// Lock implements store.Directory.
func (d *compoundDir) Lock(string) (io.Closer, error) { return nil, compound.ErrReadOnly }
