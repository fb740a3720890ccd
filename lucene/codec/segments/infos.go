package segments

import (
	"maps"
	"slices"
	"strconv"

	"github.com/varve-search/varve/lucene"
)

// Names of the commit files, before the generation.
const (
	Prefix        = "segments"
	PendingPrefix = "pending_segments"
)

// FileName returns the name of the commit of a generation.
func FileName(gen int64) string { return lucene.GenFileName(Prefix, "", gen) }

// PendingFileName returns the name that a commit has until it is complete.
func PendingFileName(gen int64) string { return lucene.GenFileName(PendingPrefix, "", gen) }

// Infos is a commit, or one in the making.
type Infos struct {
	ID                lucene.ID
	Generation        int64 // N of segments_N, 0 before the first commit
	Version           int64 // counts changes
	Counter           int64 // the number that the name of the next segment gets
	LuceneVersion     lucene.Version
	IndexCreatedMajor int32 // major version of the Lucene that created the index
	Segments          []*lucene.SegmentCommitInfo
	UserData          map[string]string
}

// New returns an empty index made now.
func New() *Infos {
	return &Infos{IndexCreatedMajor: lucene.Written.Major, LuceneVersion: lucene.Written, UserData: map[string]string{}}
}

// NextSegmentName returns a fresh name, and counts it and the change.
func (s *Infos) NextSegmentName() string {
	name := "_" + strconv.FormatInt(s.Counter, 36)
	s.Counter++
	s.Version++
	return name
}

// FileName returns the name of this commit, or "" before the first.
func (s *Infos) FileName() string {
	if s.Generation == 0 {
		return ""
	}
	return FileName(s.Generation)
}

// MaxDoc returns the number of documents, deleted ones included.
func (s *Infos) MaxDoc() int64 {
	var n int64
	for _, sci := range s.Segments {
		n += int64(sci.Info.MaxDoc)
	}
	return n
}

// Files returns the names of all files of the commit, sorted, that of the commit itself included if
// it has been written.
func (s *Infos) Files() []string {
	var files []string
	if name := s.FileName(); name != "" {
		files = append(files, name)
	}
	for _, sci := range s.Segments {
		files = append(files, sci.Files()...)
	}
	slices.Sort(files)
	return slices.Compact(files)
}

// Clone returns a copy that shares the SegmentInfo of each segment and nothing else.
func (s *Infos) Clone() *Infos {
	c := *s
	c.Segments = slices.Clone(s.Segments)
	for i, sci := range s.Segments {
		c.Segments[i] = sci.Clone()
	}
	c.UserData = maps.Clone(s.UserData)
	return &c
}
