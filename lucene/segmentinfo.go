package lucene

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/varve-search/varve/lucene/store"
)

// Version is a version of Lucene.
type Version struct{ Major, Minor, Bugfix int32 }

// Written is the version that all files of ours name.
var Written = Version{9, 12, 0}

func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Bugfix) }

// Before tells whether v is older than o.
func (v Version) Before(o Version) bool {
	if v.Major != o.Major {
		return v.Major < o.Major
	}
	if v.Minor != o.Minor {
		return v.Minor < o.Minor
	}
	return v.Bugfix < o.Bugfix
}

// ID identifies a segment or a commit: 16 random bytes that stand in the header of each of its files.
type ID [16]byte

// NewID returns a random ID.
func NewID() ID {
	var id ID
	_, _ = rand.Read(id[:]) // crypto/rand never fails on the systems that Go supports
	return id
}

// SegmentInfo describes a segment as its .si file does. It does not change after the segment is written.
type SegmentInfo struct {
	Name            string // such as _4
	ID              ID
	Version         Version  // of the Lucene that wrote it
	MinVersion      *Version // the oldest that contributed to it by merging; nil: unknown
	MaxDoc          int32    // documents, deleted ones included
	IsCompoundFile  bool
	HasBlocks       bool     // it holds blocks of nested documents
	Files           []string // its files, without .liv and update generations
	Diagnostics     map[string]string
	Attributes      map[string]string
	Codec           string // name of the codec, such as Lucene912
	IndexSort       []SortField
	IndexSortFormat []byte // nil; reserved for sort providers that are not understood: the raw bytes
}

// SortType is the type of an index sort field.
type SortType uint8

// The types that an index sort may have.
const (
	SortString SortType = iota
	SortInt
	SortLong
	SortFloat
	SortDouble
)

// SortSelector chooses the value of a field with several.
type SortSelector uint8

// The selectors. SelectNone means that the field has one value (NUMERIC or SORTED doc values).
const (
	SelectNone SortSelector = iota
	SelectMin
	SelectMax
	SelectMiddleMin
	SelectMiddleMax
)

// SortField is one criterion of an index sort.
type SortField struct {
	Field    string
	Type     SortType
	Selector SortSelector
	Reverse  bool
	// Missing says where documents without a value go. For SortString: nil means Lucene's default
	// (first), else StringFirst or StringLast. For numbers: an int32, int64, float32 or float64, or nil.
	Missing any
}

// MissingString is where a string sort puts documents without a value.
type MissingString uint8

// The places for documents without a value.
const (
	StringFirst MissingString = iota + 1
	StringLast
)

// SegmentCommitInfo is a segment within a commit: what changes after it was written.
type SegmentCommitInfo struct {
	Info            *SegmentInfo
	ID              ID // changes with each change below; zero: none was recorded
	HasID           bool
	DelGen          int64 // generation of the .liv file, or -1
	DelCount        int32 // hard-deleted documents
	SoftDelCount    int32 // documents soft-deleted and not hard-deleted
	FieldInfosGen   int64 // generation of the .fnm update, or -1
	DocValuesGen    int64 // highest generation of a doc-values update, or -1
	FieldInfosFiles []string
	DocValuesFiles  map[int32][]string // field number to the files of its update
}

// NewSegmentCommitInfo returns a segment without deletions or updates.
func NewSegmentCommitInfo(info *SegmentInfo) *SegmentCommitInfo {
	return &SegmentCommitInfo{Info: info, ID: NewID(), HasID: true, DelGen: -1, FieldInfosGen: -1, DocValuesGen: -1}
}

// Clone returns a copy that shares the SegmentInfo and nothing else.
func (s *SegmentCommitInfo) Clone() *SegmentCommitInfo {
	c := *s
	c.FieldInfosFiles = slices.Clone(s.FieldInfosFiles)
	if s.DocValuesFiles != nil {
		c.DocValuesFiles = make(map[int32][]string, len(s.DocValuesFiles))
		for k, v := range s.DocValuesFiles {
			c.DocValuesFiles[k] = slices.Clone(v)
		}
	}
	return &c
}

// HasDeletions tells whether a .liv file belongs to it.
func (s *SegmentCommitInfo) HasDeletions() bool { return s.DelGen != -1 }

// Files returns the names of all files of the segment in this commit, sorted, each once.
func (s *SegmentCommitInfo) Files() []string {
	files := slices.Clone(s.Info.Files)
	if s.DelGen != -1 {
		files = append(files, GenFileName(s.Info.Name, "liv", s.DelGen))
	}
	files = append(files, s.FieldInfosFiles...)
	for _, f := range s.DocValuesFiles {
		files = append(files, f...)
	}
	slices.Sort(files)
	return slices.Compact(files)
}

// SegmentFileName returns segment[_suffix].ext.
func SegmentFileName(segment, suffix, ext string) string {
	var b strings.Builder
	b.WriteString(segment)
	if suffix != "" {
		b.WriteByte('_')
		b.WriteString(suffix)
	}
	if ext != "" {
		b.WriteByte('.')
		b.WriteString(ext)
	}
	return b.String()
}

// GenFileName returns the name of a file with a generation: base.ext for generation 0, base_1.ext in
// base 36 for others, and "" for -1.
func GenFileName(base, ext string, gen int64) string {
	switch gen {
	case -1:
		return ""
	case 0:
		return SegmentFileName(base, "", ext)
	}
	return SegmentFileName(base, strconv.FormatInt(gen, 36), ext)
}

// ParseGeneration returns the generation in a name such as segments_1a (26+10), with the prefix
// segments; "segments" alone is 0.
func ParseGeneration(prefix, name string) (int64, error) {
	if name == prefix {
		return 0, nil
	}
	s, ok := strings.CutPrefix(name, prefix+"_")
	gen, err := strconv.ParseInt(s, 36, 64)
	if !ok || err != nil || gen < 0 {
		return 0, store.Corruptf(name, -1, "the name is not %s_ and a generation in base 36", prefix)
	}
	return gen, nil
}
