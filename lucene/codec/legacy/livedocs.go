package legacy

import (
	"encoding/binary"
	"math/bits"
	"strconv"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/livedocs"
	"github.com/varve-search/varve/lucene/store"
)

const liveDocs50 = "Lucene50LiveDocs"

// readLiveDocs returns the documents that are not hard-deleted.
func readLiveDocs(dir store.Directory, sci *lucene.SegmentCommitInfo) (*lucene.FixedBits, error) {
	if !sci.HasDeletions() {
		return allBits(sci.Info.MaxDoc), nil
	}
	in, err := dir.Open(livedocs.FileName(sci.Info, sci.DelGen), store.Sequential)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return parseLiveDocs(in, sci)
}

func parseLiveDocs(in store.Input, sci *lucene.SegmentCommitInfo) (*lucene.FixedBits, error) {
	r := store.NewReader(in)
	live, err := parseBits(r, sci)
	if err := codec.Finish(r, err); err != nil {
		return nil, err
	}
	return live, nil
}

func parseBits(r *store.Reader, sci *lucene.SegmentCommitInfo) (*lucene.FixedBits, error) {
	if _, err := codec.ReadIndexHeader(r, liveDocs50, 0, 0, sci.Info.ID, strconv.FormatInt(sci.DelGen, 36)); err != nil {
		return nil, err
	}
	maxDoc := sci.Info.MaxDoc
	words := (int(maxDoc) + 63) / 64
	b := r.Bytes(8 * words)
	if r.Err() != nil {
		return nil, r.Err()
	}
	live, n := lucene.NewFixedBits(maxDoc), int32(0)
	for i := range live.Words {
		live.Words[i] = binary.BigEndian.Uint64(b[8*i:])
		n += int32(bits.OnesCount64(live.Words[i]))
	}
	if rest := uint(maxDoc) & 63; rest != 0 && live.Words[words-1]>>rest != 0 {
		return nil, r.Corruptf("documents behind the last are alive")
	}
	if deleted := maxDoc - n; deleted != sci.DelCount {
		return nil, r.Corruptf("%d documents are deleted, the commit says %d", deleted, sci.DelCount)
	}
	return live, nil
}

func allBits(n int32) *lucene.FixedBits {
	b := lucene.NewFixedBits(n)
	for i := range b.Words {
		b.Words[i] = ^uint64(0)
	}
	if rest := uint32(n) & 63; rest != 0 {
		b.Words[len(b.Words)-1] = 1<<rest - 1
	}
	return b
}
