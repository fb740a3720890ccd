package legacy

import (
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/segmentinfo"
	"github.com/varve-search/varve/lucene/store"
)

// segmentInfos are the layouts of .si files: the newest version of each, the oldest that is read, and whether the oldest
// version among a segment's documents is told.
var segmentInfos = map[string]struct {
	first, last int32
	minVersion  bool
}{
	"Lucene50SegmentInfo": {1, 1, false},
	"Lucene62SegmentInfo": {0, 1, false},
	"Lucene70SegmentInfo": {0, 0, true},
	"Lucene86SegmentInfo": {0, 0, true},
}

// readSegmentInfo reads a .si file but for its index sort, which documents do not need.
func readSegmentInfo(dir store.Directory, known *lucene.SegmentInfo) (*lucene.SegmentInfo, error) {
	in, err := dir.Open(segmentinfo.FileName(known.Name), store.Sequential)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return parseSegmentInfo(in, known)
}

func parseSegmentInfo(in store.Input, known *lucene.SegmentInfo) (*lucene.SegmentInfo, error) {
	if err := codec.VerifyChecksum(in); err != nil {
		return nil, err
	}
	r := store.NewReader(in)
	name, _, err := codec.PeekHeader(r)
	if err != nil {
		return nil, err
	}
	layout, ok := segmentInfos[name]
	if !ok {
		return nil, &codec.UnsupportedError{Format: clip(name), Where: "segment " + known.Name, Reason: "it is no segment info of Lucene 5 to 8"}
	}
	r.SeekTo(0)
	if _, err := codec.ReadIndexHeader(r, name, layout.first, layout.last, known.ID, ""); err != nil {
		return nil, err
	}
	si := &lucene.SegmentInfo{Name: known.Name, ID: known.ID, Codec: known.Codec, Version: readVersion(r)}
	if layout.minVersion && r.Byte() == 1 {
		v := readVersion(r)
		si.MinVersion = &v
	}
	si.MaxDoc = int32(r.BEUint32())
	si.IsCompoundFile = r.Byte() == 1
	si.Diagnostics = r.StringMap()
	si.Files = r.StringSet()
	si.Attributes = r.StringMap()
	if err := r.Err(); err != nil {
		return nil, err
	}
	if si.MaxDoc < 0 {
		return nil, r.Corruptf("%d documents", si.MaxDoc)
	}
	return si, nil
}

func readVersion(r *store.Reader) lucene.Version {
	return lucene.Version{Major: int32(r.BEUint32()), Minor: int32(r.BEUint32()), Bugfix: int32(r.BEUint32())}
}

func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
