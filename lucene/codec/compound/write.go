package compound

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/store"
)

// Write packs the named files of a segment into its .cfs and .cfe, smallest first, verifying each
// one's ID and checksum on the way. It returns the names of the two files. The caller removes the
// originals, and on an error what was written.
func Write(dir store.Directory, si *lucene.SegmentInfo, files []string) ([]string, error) {
	type sized struct {
		name   string
		length int64
	}
	sorted := make([]sized, 0, len(files))
	for _, f := range files {
		if !strings.HasPrefix(f, si.Name+"_") && !strings.HasPrefix(f, si.Name+".") {
			return nil, fmt.Errorf("write compound file of segment %s: %s is not its file", si.Name, f)
		}
		n, err := dir.Length(f)
		if err != nil {
			return nil, fmt.Errorf("write compound file of segment %s: %w", si.Name, err)
		}
		sorted = append(sorted, sized{f, n})
	}
	slices.SortFunc(sorted, func(a, b sized) int {
		return cmp.Or(cmp.Compare(a.length, b.length), strings.Compare(a.name, b.name))
	})
	dataName := lucene.SegmentFileName(si.Name, "", DataExtension)
	entriesName := lucene.SegmentFileName(si.Name, "", EntriesExtension)
	data, err := dir.Create(dataName)
	if err != nil {
		return nil, err
	}
	defer data.Close()
	entries, err := dir.Create(entriesName)
	if err != nil {
		return nil, err
	}
	defer entries.Close()
	codec.WriteIndexHeader(data, dataCodec, version, si.ID, "")
	codec.WriteIndexHeader(entries, entriesCodec, version, si.ID, "")
	entries.PutVInt(int32(len(sorted)))
	for _, f := range sorted {
		for data.FilePointer()%alignment != 0 {
			data.PutByte(0)
		}
		start := data.FilePointer()
		if err := copyFile(data, dir, si, f.name); err != nil {
			return nil, fmt.Errorf("write compound file of segment %s: %w", si.Name, err)
		}
		entries.PutString(strings.TrimPrefix(f.name, si.Name))
		entries.PutInt64(start)
		entries.PutInt64(data.FilePointer() - start)
	}
	codec.WriteFooter(data)
	codec.WriteFooter(entries)
	if err := data.Close(); err != nil {
		return nil, err
	}
	if err := entries.Close(); err != nil {
		return nil, err
	}
	return []string{dataName, entriesName}, nil
}

func copyFile(data *store.Output, dir store.Directory, si *lucene.SegmentInfo, name string) error {
	in, err := dir.Open(name, store.Sequential)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := codec.VerifyChecksum(in); err != nil {
		return err
	}
	r := store.NewReader(in)
	if _, _, err := codec.PeekHeader(r); err != nil {
		return err
	}
	at := r.Offset()
	var id lucene.ID
	r.ReadFull(id[:])
	if err := r.Err(); err != nil {
		return err
	}
	if id != si.ID {
		return store.Corruptf(name, at, "the file belongs to segment id %x, not to %x", id[:], si.ID[:])
	}
	return data.CopyFrom(in, 0, in.Length())
}
