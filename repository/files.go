package repository

import (
	"bytes"
	"fmt"
	"math"
	"strings"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/repository/smile"
)

// Format: docs/formats/repository.md, "Shards".

const (
	dataPrefix    = "__"
	virtualPrefix = "v__"
	partInfix     = ".part"
)

// FileInfo is a Lucene file in the repository.
type FileInfo struct {
	Name         string // of its blob; "v__…" has none, MetaHash being the content
	PhysicalName string // in the index
	Length       int64  // bytes
	Checksum     string // Lucene's footer CRC-32 in base 36
	PartSize     int64  // bytes of each blob but the last; 0 or MaxInt64: one blob
	WrittenBy    string // Lucene's version
	MetaHash     []byte // content of .si and segments_N files, at most the first MiB of it

	extra  []member
	remote *remoteBlobs // where the blob is, if not in the shard's folder
}

// Virtual says that the file has no blob: its content is MetaHash.
func (f *FileInfo) Virtual() bool { return strings.HasPrefix(f.Name, virtualPrefix) }

// Parts is the number of blobs that hold the file: 0 for a virtual one.
func (f *FileInfo) Parts() int {
	switch {
	case f.Virtual():
		return 0
	case f.PartSize <= 0 || f.Length <= f.PartSize:
		return 1
	}
	return int((f.Length-1)/f.PartSize + 1)
}

// PartName is the name of a blob of the file, counted from 0.
func (f *FileInfo) PartName(part int) string {
	if f.Parts() > 1 {
		return fmt.Sprintf("%s%s%d", f.Name, partInfix, part)
	}
	return f.Name
}

// PartLength is the length of a blob of the file.
func (f *FileInfo) PartLength(part int) int64 {
	if n := f.Parts(); n <= 1 {
		return f.Length
	} else if part < n-1 {
		return f.PartSize
	}
	return f.Length - int64(part)*f.PartSize
}

// Same says whether a file of the index is this one: name, length, checksum and, where both know it,
// content agree.
func (f *FileInfo) Same(physicalName string, length int64, checksum string, hash []byte) bool {
	return f.PhysicalName == physicalName && f.Length == length && f.Checksum == checksum &&
		(len(hash) == 0 && len(f.MetaHash) == 0 || bytes.Equal(hash, f.MetaHash))
}

// maxParts keeps hostile metadata from asking for a request per byte.
const maxParts = 1 << 20

func parseFileInfo(v any) (FileInfo, error) {
	f := newFields(v, "a file")
	if f.err != nil {
		return FileInfo{}, f.err
	}
	i := FileInfo{Name: f.required("name"), PhysicalName: f.required("physical_name"), Checksum: f.required("checksum"),
		WrittenBy: f.text("written_by"), MetaHash: f.bytes("meta_hash")}
	if _, ok := f.get("length"); !ok && f.err == nil {
		f.err = fmt.Errorf("[length] is missing")
	}
	i.Length = f.number("length", 0)
	i.PartSize = f.number("part_size", math.MinInt64)
	i.extra = f.rest()
	return i, i.check(f.err)
}

// check says what is wrong with a file that was read, err being what was noticed on the way.
func (f *FileInfo) check(err error) error {
	if err == nil {
		err = blob.CheckName(f.Name)
	}
	if err == nil {
		err = blob.CheckName(f.PhysicalName)
	}
	switch {
	case err != nil:
		return fmt.Errorf("file [%s] in [%s]: %w", f.PhysicalName, f.Name, err)
	case !f.Virtual() && !strings.HasPrefix(f.Name, dataPrefix):
		return fmt.Errorf("file [%s]: [%s] is no name of a data blob", f.PhysicalName, f.Name)
	case f.Virtual() && int64(len(f.MetaHash)) != f.Length:
		return fmt.Errorf("file [%s]: %d bytes inline, but its length is %d", f.PhysicalName, len(f.MetaHash), f.Length)
	case f.PartSize > 0 && f.Length/f.PartSize >= maxParts:
		return fmt.Errorf("file [%s]: more than %d parts of %d bytes", f.PhysicalName, maxParts, f.PartSize)
	}
	return nil
}

// foreign refuses to write what OpenSearch would not read.
func (f *FileInfo) foreign() error {
	if len(f.extra) == 0 {
		return nil
	}
	return &ReadOnlyFormatError{fmt.Sprintf("file [%s] has the key [%s], which OpenSearch refuses", f.PhysicalName, f.extra[0].Name)}
}

func (f *FileInfo) tree() (*smile.Object, error) {
	if err := f.foreign(); err != nil {
		return nil, err
	}
	o := smile.NewObject(
		member{Name: "name", Value: f.Name},
		member{Name: "physical_name", Value: f.PhysicalName},
		member{Name: "length", Value: f.Length},
		member{Name: "checksum", Value: f.Checksum})
	if f.PartSize != 0 {
		o.Set("part_size", f.PartSize)
	}
	o.Set("written_by", f.WrittenBy)
	if len(f.MetaHash) > 0 {
		o.Set("meta_hash", f.MetaHash)
	}
	return o, nil
}

func parseFiles(list []any) ([]FileInfo, error) {
	files := make([]FileInfo, 0, len(list))
	for _, v := range list {
		f, err := parseFileInfo(v)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

func filesTree(files []FileInfo) ([]any, error) {
	list := make([]any, 0, len(files))
	for i := range files {
		o, err := files[i].tree()
		if err != nil {
			return nil, err
		}
		list = append(list, o)
	}
	return list, nil
}

// ShardSnapshot is the content of a shard's snap-UUID.dat: the files of one commit. Times are in
// milliseconds, StartTime since 1970.
type ShardSnapshot struct {
	Snapshot         string // name
	IndexVersion     int64  // generation of the commit
	StartTime        int64
	Time             int64
	IncrementalFiles int   // files that this snapshot added
	IncrementalSize  int64 // their bytes
	Files            []FileInfo
}

// TotalSize is the sum of the files' lengths.
func (s *ShardSnapshot) TotalSize() int64 {
	var n int64
	for i := range s.Files {
		n += s.Files[i].Length
	}
	return n
}

func parseShardSnapshot(o *smile.Object) (*ShardSnapshot, error) {
	f := newFields(o, "the content")
	s := &ShardSnapshot{Snapshot: f.required("name"), StartTime: f.number("start_time", math.MinInt64), Time: f.number("time", math.MinInt64),
		IncrementalFiles: f.int32("number_of_files", 0), IncrementalSize: f.number("total_size", 0)}
	s.IndexVersion = f.number("index_version", 0)
	if _, ok := f.get("index-version"); ok {
		s.IndexVersion = f.number("index-version", 0)
	}
	list := f.list("files")
	if f.err != nil {
		return nil, f.err
	}
	var err error
	s.Files, err = parseFiles(list)
	return s, err
}

func (s *ShardSnapshot) tree() (*smile.Object, error) {
	files, err := filesTree(s.Files)
	return smile.NewObject(
		member{Name: "name", Value: s.Snapshot},
		member{Name: "index_version", Value: s.IndexVersion},
		member{Name: "start_time", Value: s.StartTime},
		member{Name: "time", Value: s.Time},
		member{Name: "number_of_files", Value: int64(s.IncrementalFiles)},
		member{Name: "total_size", Value: s.IncrementalSize},
		member{Name: "files", Value: files}), err
}

// ShallowSnapshot is the content of a shard's shallow-snap-UUID.dat: where a remote store has the
// shard's files.
type ShallowSnapshot struct {
	Snapshot          string
	IndexVersion      int64
	StartTime, Time   int64
	TotalFiles        int
	TotalSize         int64
	IndexUUID         string
	RemoteRepository  string
	PrimaryTerm       int64
	CommitGeneration  int64
	FileNames         []string
	PathType          int
	PathHashAlgorithm int
	HasPathHash       bool
}

func parseShallowSnapshot(o *smile.Object) (*ShallowSnapshot, error) {
	f := newFields(o, "the content")
	s := &ShallowSnapshot{Snapshot: f.required("name"), IndexVersion: f.number("index_version", 0), StartTime: f.number("start_time", math.MinInt64),
		Time: f.number("time", math.MinInt64), TotalFiles: f.int32("number_of_files", 0), TotalSize: f.number("total_size", 0),
		IndexUUID: f.required("index_uuid"), RemoteRepository: f.required("remote_store_repository"),
		PrimaryTerm: f.number("primary_term", 0), CommitGeneration: f.number("commit_generation", 0), FileNames: f.texts("file_names"),
		PathType: f.int32("path_type", 0), PathHashAlgorithm: f.int32("path_hash_algorithm", 0)}
	_, s.HasPathHash = f.get("path_hash_algorithm")
	return s, f.err
}
