package segmentinfo

import (
	"strings"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/catalog"
	"github.com/varve-search/varve/lucene/store"
)

// See docs/formats/segmentinfo.md.
const (
	codecName = "Lucene90SegmentInfo"
	version   = 0
	yes       = 1
	no        = 0xff

	// Extension of the file.
	Extension = "si"
)

// FileName returns the name of a segment's .si file.
func FileName(segment string) string { return lucene.SegmentFileName(segment, "", Extension) }

// Read reads the .si file of a segment, whose ID and codec the commit tells.
func Read(dir store.Directory, segment string, id lucene.ID, codecName string) (*lucene.SegmentInfo, error) {
	c, err := catalog.Lookup(codecName)
	if err != nil {
		return nil, err
	}
	in, err := dir.Open(FileName(segment), store.Sequential)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return Parse(in, segment, id, c)
}

// Parse reads a .si file from an input.
func Parse(in store.Input, segment string, id lucene.ID, c catalog.Codec) (*lucene.SegmentInfo, error) {
	r := store.NewReader(in)
	si, err := parse(r, segment, id, c)
	if err := codec.Finish(r, err); err != nil {
		return nil, err
	}
	return si, nil
}

func parse(r *store.Reader, segment string, id lucene.ID, c catalog.Codec) (*lucene.SegmentInfo, error) {
	if _, err := codec.ReadIndexHeader(r, codecName, version, version, id, ""); err != nil {
		return nil, err
	}
	si := &lucene.SegmentInfo{Name: segment, ID: id, Codec: c.Name, Version: readVersion(r)}
	switch has := r.Byte(); has {
	case 0:
	case 1:
		v := readVersion(r)
		si.MinVersion = &v
	default:
		return nil, r.Corruptf("the flag of the minimum version is %d", has)
	}
	si.MaxDoc = r.Int32()
	if si.MaxDoc < 0 {
		return nil, r.Corruptf("%d documents", si.MaxDoc)
	}
	si.IsCompoundFile = readFlag(r, "compound file")
	if c.SegmentInfo == catalog.SegmentInfo99 {
		si.HasBlocks = readFlag(r, "blocks")
	}
	si.Diagnostics = r.StringMap()
	si.Files = r.StringSet()
	si.Attributes = r.StringMap()
	if err := r.Err(); err != nil {
		return nil, err
	}
	for _, f := range si.Files {
		if err := store.CheckName(f); err != nil || !BelongsTo(f, segment) {
			return nil, r.Corruptf("the file %.100q does not belong to segment %s", f, segment)
		}
	}
	if err := readSort(r, si); err != nil {
		return nil, err
	}
	return si, r.Err()
}

// BelongsTo tells whether a file's name begins with the name of a segment.
func BelongsTo(file, segment string) bool {
	rest, ok := strings.CutPrefix(file, segment)
	return ok && rest != "" && (rest[0] == '_' || rest[0] == '.')
}

func readVersion(r *store.Reader) lucene.Version {
	v := lucene.Version{Major: r.Int32(), Minor: r.Int32(), Bugfix: r.Int32()}
	if r.Err() == nil && (v.Major|v.Minor|v.Bugfix)&^0xff != 0 {
		r.Corruptf("implausible version %s of Lucene", v)
	}
	return v
}

func readFlag(r *store.Reader, what string) bool {
	switch b := r.Byte(); b {
	case yes:
		return true
	case no:
	default:
		r.Corruptf("the flag of %s is %d, neither 1 nor -1", what, int8(b))
	}
	return false
}
