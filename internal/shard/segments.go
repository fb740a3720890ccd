package shard

import (
	"encoding/base64"
	"strconv"

	"github.com/varve-search/varve/lucene/store"
)

// Segment describes one segment of the shard.
type Segment struct {
	Name       string
	Generation int64
	Docs       int64
	Deleted    int64
	Bytes      int64
	Committed  bool
	Searchable bool
	Compound   bool
	Version    string // of the Lucene format
	Attributes map[string]string
}

// Segments returns the segments that searches see, and those of the last commit.
func (s *Shard) Segments() ([]Segment, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.users.RUnlock()
	v, err := s.acquire()
	if err != nil {
		return nil, err
	}
	defer v.release()
	committed := map[string]bool{}
	if c := s.lastCommit(); c != nil {
		for _, sci := range c.Segments {
			committed[sci.Info.Name] = true
		}
	}
	var out []Segment
	for _, l := range v.r.Leaves() {
		sci := l.Reader.Segment()
		gen, _ := strconv.ParseInt(sci.Info.Name[1:], 36, 64) // names are _ and a number
		seg := Segment{Name: sci.Info.Name, Generation: gen, Docs: int64(l.Reader.NumDocs()), Deleted: int64(l.Reader.MaxDoc() - l.Reader.NumDocs()),
			Committed: committed[sci.Info.Name], Searchable: true, Compound: sci.Info.IsCompoundFile, Version: sci.Info.Version.String(), Attributes: sci.Info.Attributes}
		for _, f := range sci.Files() {
			if n, err := s.files().Length(f); err == nil { // a file may be merged away meanwhile
				seg.Bytes += n
			}
		}
		out = append(out, seg)
	}
	return out, nil
}

// CommitInfo describes the last commit.
type CommitInfo struct {
	ID         string // of the segments_N file, base64
	Generation int64
	UserData   map[string]string
	NumDocs    int64
}

// LastCommit describes the last commit.
func (s *Shard) LastCommit() CommitInfo {
	c := s.lastCommit()
	if c == nil {
		return CommitInfo{}
	}
	info := CommitInfo{ID: base64.StdEncoding.EncodeToString(c.ID[:]), Generation: c.Generation, UserData: c.UserData}
	for _, sci := range c.Segments {
		info.NumDocs += int64(sci.Info.MaxDoc - sci.DelCount - sci.SoftDelCount)
	}
	return info
}

// FileSizes returns the bytes of the shard's files by extension.
func (s *Shard) FileSizes() (map[string]int64, error) {
	names, err := s.files().List()
	if err != nil {
		return nil, err
	}
	sizes := map[string]int64{}
	for _, n := range names {
		if n == store.WriteLock {
			continue
		}
		ext := ""
		for i := len(n) - 1; i >= 0; i-- {
			if n[i] == '.' {
				ext = n[i+1:]
				break
			}
		}
		if b, err := s.files().Length(n); err == nil { // a file may be merged away meanwhile
			sizes[ext] += b
		}
	}
	return sizes, nil
}

// Path returns the folder that holds the shard.
func (s *Shard) Path() string { return s.cfg.Path }
