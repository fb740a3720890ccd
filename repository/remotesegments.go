package repository

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/store"
)

// Format: docs/formats/remote-segments.md.

const (
	codecRemoteSegments      = "segment_md"
	remoteSegmentsMinVersion = 1
	remoteSegmentsVersion    = 2 // adds the time of creation

	remoteFieldSeparator = "::"
)

// remoteSegments is the content of a metadata file in a remote store: what a shard's index consisted of at one refresh.
type remoteSegments struct {
	files map[string]remoteSegment // by their names in the index

	index, indexUUID string
	shard            int32
	primaryTerm      int64
	generation       int64 // of the commit
	created          int64 // nanoseconds of a clock that only the writer knows; 0 in version 1
	infos            []byte
}

// remoteSegment is a file of an index in a remote store.
type remoteSegment struct {
	blob     string
	length   int64
	checksum uint32 // Lucene's
	major    int    // version of Lucene that wrote it
}

// parseRemoteSegments reads a metadata file whose name is for messages.
func parseRemoteSegments(name string, b []byte) (*remoteSegments, error) {
	in := store.NewBytesInput(name, b)
	if err := codec.VerifyChecksum(in); err != nil {
		return nil, err
	}
	r := store.NewReader(in)
	version, err := codec.ReadHeader(r, codecRemoteSegments, remoteSegmentsMinVersion, remoteSegmentsVersion)
	if err != nil {
		return nil, err
	}
	m := &remoteSegments{files: map[string]remoteSegment{}}
	for file, text := range r.StringMap() {
		if m.files[file], err = parseRemoteSegment(file, text); err != nil {
			return nil, r.Corruptf("file [%s]: %v", file, err)
		}
	}
	m.index, m.indexUUID, m.shard = r.String(), r.String(), r.VInt()
	m.primaryTerm, m.generation = r.Int64(), r.Int64()
	_, _ = r.Int64(), r.Int64() // version of the segment infos, and length of all files
	_ = r.String()              // the codec's name; each segment says its own
	if version >= 2 {
		m.created = r.Int64()
	}
	n := r.Int64()
	if n < 0 || n > r.Remaining()-codec.FooterLength {
		return nil, r.Corruptf("%d bytes of segment infos where %d remain", n, r.Remaining())
	}
	m.infos = r.Bytes(int(n))
	return m, codec.Finish(r, nil)
}

// parseRemoteSegment reads file::blob::checksum::length::major. The checksum is decimal.
func parseRemoteSegment(file, text string) (remoteSegment, error) {
	f := strings.Split(text, remoteFieldSeparator)
	if len(f) != 5 {
		return remoteSegment{}, fmt.Errorf("%d fields where there are five", len(f))
	}
	s := remoteSegment{blob: f[1]}
	sum, err := strconv.ParseUint(f[2], 10, 32)
	if err != nil {
		return s, fmt.Errorf("its checksum: %w", err)
	}
	s.checksum = uint32(sum)
	if s.length, err = strconv.ParseInt(f[3], 10, 64); err != nil || s.length < 0 {
		return s, fmt.Errorf("[%.40s] is no length", f[3])
	}
	if s.major, err = strconv.Atoi(f[4]); err != nil {
		return s, fmt.Errorf("its version of Lucene: %w", err)
	}
	for _, name := range []string{file, s.blob} {
		if err := blob.CheckName(name); err != nil {
			return s, err
		}
	}
	switch {
	case f[0] != file:
		return s, fmt.Errorf("it stands under the name of [%s]", f[0])
	case strings.HasPrefix(s.blob, virtualPrefix):
		return s, fmt.Errorf("[%s] is no name of a data blob", s.blob)
	}
	return s, nil
}
