package livedocs

// See docs/formats/livedocs.md.

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"strconv"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/store"
)

const (
	codecName = "Lucene90LiveDocs"
	extension = "liv"
	version   = 0
)

// FileName returns the name of the file for a generation of deletions.
func FileName(info *lucene.SegmentInfo, gen int64) string {
	return lucene.GenFileName(info.Name, extension, gen)
}

// Read returns the documents of the segment that are not hard-deleted, or nil if it has no deletions. The
// number of deleted ones must be the one that the commit says.
func Read(dir store.Directory, info *lucene.SegmentCommitInfo) (*lucene.FixedBits, error) {
	if !info.HasDeletions() {
		return nil, nil
	}
	in, err := dir.Open(FileName(info.Info, info.DelGen), store.Sequential)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	r := store.NewReader(in)
	live, err := read(r, info)
	if err := codec.Finish(r, err); err != nil {
		return nil, err
	}
	return live, nil
}

func read(r *store.Reader, info *lucene.SegmentCommitInfo) (*lucene.FixedBits, error) {
	if _, err := codec.ReadIndexHeader(r, codecName, version, version, info.Info.ID, strconv.FormatInt(info.DelGen, 36)); err != nil {
		return nil, err
	}
	maxDoc := info.Info.MaxDoc
	words := (int(maxDoc) + 63) / 64
	b := r.Bytes(8 * words)
	if r.Err() != nil {
		return nil, r.Err()
	}
	live, n := lucene.NewFixedBits(maxDoc), int32(0)
	for i := range live.Words {
		live.Words[i] = binary.LittleEndian.Uint64(b[8*i:])
		n += int32(bits.OnesCount64(live.Words[i]))
	}
	if rest := uint(maxDoc) & 63; rest != 0 && live.Words[words-1]>>rest != 0 {
		return nil, r.Corruptf("documents behind the last are alive")
	}
	if deleted := maxDoc - n; deleted != info.DelCount {
		return nil, r.Corruptf("%d documents are deleted, the commit says %d", deleted, info.DelCount)
	}
	return live, nil
}

// Write writes the live documents of the segment as generation gen and returns the file's name. info.DelCount
// must be the number of deleted ones; it is for the caller to set info.DelGen afterwards.
func Write(dir store.Directory, info *lucene.SegmentCommitInfo, gen int64, live *lucene.FixedBits) (string, error) {
	if gen <= 0 {
		return "", fmt.Errorf("write the live documents of %s: generation %d", info.Info.Name, gen)
	}
	n := int32(0)
	for _, w := range live.Words {
		n += int32(bits.OnesCount64(w))
	}
	if live.N != info.Info.MaxDoc || live.N-n != info.DelCount {
		return "", fmt.Errorf("write the live documents of %s: %d of %d are deleted where the segment has %d and %d deleted", info.Info.Name, live.N-n, live.N, info.Info.MaxDoc, info.DelCount)
	}
	name := FileName(info.Info, gen)
	out, err := dir.Create(name)
	if err != nil {
		return "", err
	}
	codec.WriteIndexHeader(out, codecName, version, info.Info.ID, strconv.FormatInt(gen, 36))
	for _, w := range live.Words {
		out.PutUint64(w)
	}
	codec.WriteFooter(out)
	return name, out.Close()
}
