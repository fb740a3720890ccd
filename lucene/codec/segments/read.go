package segments

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strings"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/segmentinfo"
	"github.com/varve-search/varve/lucene/store"
)

// See docs/formats/segments.md.
const (
	codecName = "segments"
	version70 = 7
	version72 = 8  // the counter is a VLong
	version74 = 9  // soft-deleted documents are counted
	version86 = 10 // segments have an ID of their state
	maxDocs   = math.MaxInt32 - 128
)

// ErrNoCommit says that a directory holds no commit: it is no index, or not yet one.
var ErrNoCommit = errors.New("no segments_N file: not an index")

// LastGeneration returns the generation of the newest commit among the names of files, or -1.
func LastGeneration(files []string) int64 {
	last := int64(-1)
	for _, f := range files {
		if f != Prefix && !strings.HasPrefix(f, Prefix+"_") {
			continue
		}
		if gen, err := lucene.ParseGeneration(Prefix, f); err == nil {
			last = max(last, gen)
		}
	}
	return last
}

// ReadLatest reads the newest commit of a directory. A writer may replace it meanwhile: as long as
// newer ones appear, it tries again.
func ReadLatest(dir store.Directory) (*Infos, error) {
	tried := int64(-1)
	var firstErr error
	for {
		files, err := dir.List()
		if err != nil {
			return nil, err
		}
		gen := LastGeneration(files)
		switch {
		case gen == -1:
			return nil, ErrNoCommit
		case gen <= tried:
			return nil, firstErr
		}
		tried = gen
		infos, err := Read(dir, FileName(gen))
		if err == nil {
			return infos, nil
		}
		if firstErr == nil {
			firstErr = err
		}
	}
}

// Read reads a commit by the name of its file, and the .si files of its segments.
func Read(dir store.Directory, name string) (*Infos, error) {
	infos, err := ReadEntries(dir, name)
	if err != nil {
		return nil, err
	}
	if err := infos.resolve(dir, name); err != nil {
		return nil, err
	}
	return infos, nil
}

// ReadEntries reads a commit without the .si files: of each segment's Info only Name, ID and Codec are
// set. It serves callers that decide by the codec what to do with a segment.
func ReadEntries(dir store.Directory, name string) (*Infos, error) {
	in, err := dir.Open(name, store.Sequential)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return ParseEntries(in, name)
}

// ParseEntries is ReadEntries from an input; name is that of the file in its directory.
func ParseEntries(in store.Input, name string) (*Infos, error) {
	gen, err := lucene.ParseGeneration(Prefix, name)
	if err != nil {
		return nil, err
	}
	r := store.NewReader(in)
	infos, err := parse(r, gen)
	if err := codec.Finish(r, err); err != nil {
		return nil, err
	}
	return infos, nil
}

func parse(r *store.Reader, gen int64) (*Infos, error) {
	format, err := codec.ReadHeader(r, codecName, version70, version86)
	if err != nil {
		var v *codec.VersionError
		if errors.As(err, &v) && v.Version < version70 {
			return nil, &codec.UnsupportedError{Format: fmt.Sprintf("segments version %d", v.Version), Where: r.Input().Name(), Reason: "it is of Lucene 6 or older, which is not readable as it is"}
		}
		return nil, err
	}
	s := &Infos{Generation: gen}
	r.ReadFull(s.ID[:])
	suffix := string(r.Bytes(int(r.Byte())))
	if want := strings.TrimPrefix(strings.TrimPrefix(FileName(gen), Prefix), "_"); r.Err() == nil && suffix != want && !(gen == 0 && suffix == "0") {
		return nil, r.Corruptf("the generation is %q, the file name says %q", suffix, want)
	}
	s.LuceneVersion = readVersion(r)
	s.IndexCreatedMajor = r.VInt()
	if r.Err() == nil && (s.IndexCreatedMajor > s.LuceneVersion.Major || s.IndexCreatedMajor < 0) {
		return nil, r.Corruptf("the index was created by Lucene %d and written by %s", s.IndexCreatedMajor, s.LuceneVersion)
	}
	s.Version = r.BEInt64()
	if format > version70 {
		s.Counter = r.VLong()
	} else {
		s.Counter = int64(int32(r.BEUint32()))
	}
	n := r.CheckCount("segments", int64(int32(r.BEUint32())), 50)
	if n > 0 {
		readVersion(r) // the oldest segment's, which the .si files tell too
	}
	seen := make(map[string]bool, n)
	for range n {
		sci, err := parseSegment(r, format)
		if err != nil {
			return nil, err
		}
		if seen[sci.Info.Name] {
			return nil, r.Corruptf("segment %s appears twice", sci.Info.Name)
		}
		seen[sci.Info.Name] = true
		s.Segments = append(s.Segments, sci)
	}
	s.UserData = r.StringMap()
	return s, r.Err()
}

func parseSegment(r *store.Reader, format int32) (*lucene.SegmentCommitInfo, error) {
	info := &lucene.SegmentInfo{Name: r.String()}
	if r.Err() == nil && (store.CheckName(info.Name) != nil || info.Name[0] != '_') {
		return nil, r.Corruptf("%.100q is no name of a segment", info.Name)
	}
	r.ReadFull(info.ID[:])
	info.Codec = r.String()
	sci := &lucene.SegmentCommitInfo{Info: info}
	sci.DelGen = r.BEInt64()
	sci.DelCount = int32(r.BEUint32())
	sci.FieldInfosGen = r.BEInt64()
	sci.DocValuesGen = r.BEInt64()
	if format > version72 {
		sci.SoftDelCount = int32(r.BEUint32())
	}
	if format > version74 {
		switch has := r.Byte(); has {
		case 0:
		case 1:
			sci.HasID = true
			r.ReadFull(sci.ID[:])
		default:
			return nil, r.Corruptf("the flag of the state's ID is %d", has)
		}
	}
	sci.FieldInfosFiles = r.StringSet()
	n := r.CheckCount("fields with doc-values updates", int64(int32(r.BEUint32())), 5)
	if n > 0 {
		sci.DocValuesFiles = make(map[int32][]string, n)
	}
	for range n {
		field := int32(r.BEUint32())
		sci.DocValuesFiles[field] = r.StringSet()
	}
	if r.Err() != nil {
		return nil, r.Err()
	}
	if sci.DelGen < -1 || sci.FieldInfosGen < -1 || sci.DocValuesGen < -1 || sci.DelCount < 0 || sci.SoftDelCount < 0 {
		return nil, r.Corruptf("segment %s has a negative generation or count", info.Name)
	}
	updates := [][]string{sci.FieldInfosFiles}
	for _, files := range sci.DocValuesFiles {
		updates = append(updates, files)
	}
	for _, files := range updates {
		for _, f := range files {
			if store.CheckName(f) != nil || !segmentinfo.BelongsTo(f, info.Name) {
				return nil, r.Corruptf("the file %.100q does not belong to segment %s", f, info.Name)
			}
		}
	}
	return sci, nil
}

func readVersion(r *store.Reader) lucene.Version {
	v := lucene.Version{Major: r.VInt(), Minor: r.VInt(), Bugfix: r.VInt()}
	if r.Err() == nil && (v.Major|v.Minor|v.Bugfix)&^0xff != 0 {
		r.Corruptf("implausible version %s of Lucene", v)
	}
	return v
}

// resolve reads the .si files and checks what they say against the commit.
func (s *Infos) resolve(dir store.Directory, name string) error {
	var total int64
	for _, sci := range s.Segments {
		info, err := segmentinfo.Read(dir, sci.Info.Name, sci.Info.ID, sci.Info.Codec)
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return &store.CorruptError{File: name, Offset: -1, Problem: "segment " + sci.Info.Name + " is missing", Err: err}
			}
			return fmt.Errorf("segment %s of %s: %w", sci.Info.Name, name, err)
		}
		sci.Info = info
		if err := s.checkSegment(sci, name); err != nil {
			return err
		}
		total += int64(info.MaxDoc)
	}
	if total > maxDocs {
		return store.Corruptf(name, -1, "%d documents are more than an index can have", total)
	}
	return nil
}

func (s *Infos) checkSegment(sci *lucene.SegmentCommitInfo, name string) error {
	info := sci.Info
	switch {
	case int64(sci.DelCount)+int64(sci.SoftDelCount) > int64(info.MaxDoc):
		return store.Corruptf(name, -1, "segment %s has %d deleted and %d soft-deleted of %d documents", info.Name, sci.DelCount, sci.SoftDelCount, info.MaxDoc)
	case s.IndexCreatedMajor >= 7 && info.Version.Major < s.IndexCreatedMajor:
		return store.Corruptf(name, -1, "segment %s is of Lucene %s, the index was created by %d", info.Name, info.Version, s.IndexCreatedMajor)
	case s.IndexCreatedMajor >= 7 && info.MinVersion == nil:
		return store.Corruptf(name, -1, "segment %s does not tell its minimum version", info.Name)
	}
	return nil
}
