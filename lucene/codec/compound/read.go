package compound

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/store"
)

// See docs/formats/compound.md.
const (
	dataCodec    = "Lucene90CompoundData"
	entriesCodec = "Lucene90CompoundEntries"
	version      = 0
	alignment    = 8

	// DataExtension and EntriesExtension are those of the two files.
	DataExtension    = "cfs"
	EntriesExtension = "cfe"
)

// ErrReadOnly is what a compound directory says to a change.
var ErrReadOnly = errors.New("a compound file cannot be changed")

type entry struct{ offset, length int64 }

// Directory is the read-only store.Directory over the files of one compound file.
type Directory struct {
	dir     store.Directory
	segment string
	entries map[string]entry // by file name without the segment
	data    store.Input

	mu         sync.Mutex
	access     store.Access
	sequential store.Input // opened when first asked for
	closed     bool
}

// Open opens the compound file of a segment. Inner files that are opened for random access lie in an
// Input that was opened for access.
func Open(dir store.Directory, si *lucene.SegmentInfo, access store.Access) (*Directory, error) {
	d := &Directory{dir: dir, segment: si.Name, access: access}
	end, err := d.readEntries(si.ID)
	if err != nil {
		return nil, err
	}
	name := d.dataName()
	if d.data, err = dir.Open(name, access); err != nil {
		return nil, err
	}
	if err := d.checkData(si.ID, end); err != nil {
		d.data.Close()
		return nil, err
	}
	return d, nil
}

func (d *Directory) dataName() string {
	return lucene.SegmentFileName(d.segment, "", DataExtension)
}

func (d *Directory) checkData(id lucene.ID, end int64) error {
	r := store.NewReader(d.data)
	if _, err := codec.ReadIndexHeader(r, dataCodec, version, version, id, ""); err != nil {
		return err
	}
	if _, err := codec.ReadFooter(d.data); err != nil {
		return err
	}
	if want := max(end, r.Offset()) + codec.FooterLength; d.data.Length() != want {
		return store.Corruptf(d.data.Name(), -1, "the length is %d bytes, its entries need %d", d.data.Length(), want)
	}
	return nil
}

// readEntries reads the table and returns where the last entry ends.
func (d *Directory) readEntries(id lucene.ID) (end int64, err error) {
	in, err := d.dir.Open(lucene.SegmentFileName(d.segment, "", EntriesExtension), store.Sequential)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	r := store.NewReader(in)
	d.entries, end, err = parseEntries(r, id)
	return end, codec.Finish(r, err)
}

func parseEntries(r *store.Reader, id lucene.ID) (map[string]entry, int64, error) {
	if _, err := codec.ReadIndexHeader(r, entriesCodec, version, version, id, ""); err != nil {
		return nil, 0, err
	}
	first := codec.IndexHeaderLength(dataCodec, "")
	n := r.Count("entries", 17)
	entries := make(map[string]entry, n)
	end := int64(0)
	for range n {
		name := r.String()
		e := entry{offset: r.Int64(), length: r.Int64()}
		switch {
		case r.Err() != nil:
			return nil, 0, r.Err()
		case name == "" || name[0] != '_' && name[0] != '.' || store.CheckName("x"+name) != nil:
			return nil, 0, r.Corruptf("the inner file name %.100q is not the end of one", name)
		case e.offset < first || e.length < 0 || e.offset+e.length < 0:
			return nil, 0, r.Corruptf("the inner file %s has %d bytes at %d", name, e.length, e.offset)
		}
		if _, ok := entries[name]; ok {
			return nil, 0, r.Corruptf("the inner file %s appears twice", name)
		}
		entries[name] = e
		end = max(end, e.offset+e.length)
	}
	return entries, end, r.Err()
}

func (d *Directory) lookup(op, name string) (entry, error) {
	rest, ok := strings.CutPrefix(name, d.segment)
	e, found := d.entries[rest]
	if !ok || !found {
		return entry{}, &fs.PathError{Op: op, Path: d.dataName() + "/" + name, Err: fs.ErrNotExist}
	}
	return e, nil
}

// List implements store.Directory.
func (d *Directory) List() ([]string, error) {
	names := slices.Sorted(maps.Keys(d.entries))
	for i := range names {
		names[i] = d.segment + names[i]
	}
	return names, nil
}

// Length implements store.Directory.
func (d *Directory) Length(name string) (int64, error) {
	e, err := d.lookup("stat", name)
	return e.length, err
}

// Open implements store.Directory. Closing the Input that it returns has no effect; Close of the
// Directory ends them all.
func (d *Directory) Open(name string, access store.Access) (store.Input, error) {
	e, err := d.lookup("open", name)
	if err != nil {
		return nil, err
	}
	data, err := d.input(access)
	if err != nil {
		return nil, err
	}
	return store.Inner(data, d.dataName()+"/"+name, e.offset, e.length)
}

func (d *Directory) input(access store.Access) (store.Input, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, fmt.Errorf("read %s: %w", d.dataName(), store.ErrClosed)
	}
	if access != store.Sequential || d.access == store.Sequential {
		return d.data, nil
	}
	if d.sequential == nil {
		in, err := d.dir.Open(d.dataName(), store.Sequential)
		if err != nil {
			return nil, err
		}
		if in.Length() != d.data.Length() {
			in.Close()
			return nil, store.Corruptf(d.dataName(), -1, "the length changed from %d to %d bytes", d.data.Length(), in.Length())
		}
		d.sequential = in
	}
	return d.sequential, nil
}

// CheckIntegrity verifies the checksum of the .cfs file. That of the .cfe was verified by Open.
func (d *Directory) CheckIntegrity() error {
	in, err := d.input(store.Sequential)
	if err != nil {
		return err
	}
	return codec.VerifyChecksum(in)
}

// Close implements store.Directory.
func (d *Directory) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	err := d.data.Close()
	if d.sequential != nil {
		err = errors.Join(err, d.sequential.Close())
	}
	return err
}

// Create implements store.Directory; it is refused.
func (d *Directory) Create(string) (*store.Output, error) { return nil, ErrReadOnly }

// Remove implements store.Directory; it is refused.
func (d *Directory) Remove(string) error { return ErrReadOnly }

// Rename implements store.Directory; it is refused.
func (d *Directory) Rename(string, string) error { return ErrReadOnly }

// Sync implements store.Directory; it is refused.
func (d *Directory) Sync([]string) error { return ErrReadOnly }

// SyncMetadata implements store.Directory; it is refused.
func (d *Directory) SyncMetadata() error { return ErrReadOnly }

// Lock implements store.Directory; it is refused.
func (d *Directory) Lock(string) (io.Closer, error) { return nil, ErrReadOnly }
