package repository

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/store"
)

// ShallowError says in which repository the files of a shallow snapshot are, or the operations that they lack. It is an ErrShallow.
type ShallowError struct {
	Repository string
	Translog   bool // it is the one of the translog
}

func (e *ShallowError) Error() string {
	return fmt.Sprintf("%v of repository [%s]", ErrShallow, e.Repository)
}

// Unwrap makes errors.Is find ErrShallow.
func (e *ShallowError) Unwrap() error { return ErrShallow }

// remoteBlobs is where a file's blob is, if it is not in the shard's folder.
type remoteBlobs struct {
	c    blob.Container
	path string // for messages
}

// container returns where the blobs of a file are.
func (s *Shard) container(f *FileInfo) blob.Container {
	if f.remote != nil {
		return f.remote.c
	}
	return s.c
}

// blobPath names a file's blob in messages.
func (s *Shard) blobPath(f *FileInfo, part int) string {
	if f.remote != nil {
		return join(f.remote.path, f.PartName(part))
	}
	return join(s.path, f.PartName(part))
}

// Files is Snapshot for who only reads: for a shallow snapshot it lists the files in the remote store that
// Options.RemoteStore opens. The error is a *ShallowError where that is not set, and ErrOperations where the files alone are not
// what the snapshot has: then State is to be asked. Files of a remote store can be read by
// the methods of this shard and by nothing else; a list that is written must not have them.
func (s *Shard) Files(ctx context.Context, id SnapshotID) (*ShardSnapshot, error) {
	snap, ops, err := s.State(ctx, id)
	if err == nil && ops != nil {
		return nil, s.wrap(ErrOperations, "snapshot [%s]", id)
	}
	return snap, err
}

const (
	remoteSegmentsDir    = "segments"
	remoteData           = "data"
	remoteMetadata       = "metadata"
	remoteLocks          = "lock_files"
	remoteMetadataPrefix = "metadata__"
	remoteLockSeparator  = "..."
	remoteLockSuffix     = ".v2_lock"
)

// remotePath is the folder of one kind of a shard's remote files, segments or translog, in the store of d: that of the repository or, for
// hashed prefixes, what its base path is relative to.
func (s *ShallowSnapshot) remotePath(d remoteDir, shard int, category, kind string) (string, error) {
	if err := blob.CheckName(s.IndexUUID); err != nil {
		return "", err
	}
	fixed := join(s.IndexUUID, strconv.Itoa(shard), category, kind)
	if s.PathType == pathFixed {
		return fixed, nil
	}
	hash, err := s.remoteHash(shard, category, kind)
	if err != nil {
		return "", err
	}
	switch s.PathType {
	case pathHashedPrefix:
		return join(d.prefix+hash, d.base, fixed), nil
	case pathHashedInfix:
		return join(d.prefix+hash, fixed), nil
	}
	return "", fmt.Errorf("path type %d of the remote store is not known", s.PathType)
}

// remoteHash is the hash in the path of such a folder.
func (s *ShallowSnapshot) remoteHash(shard int, category, kind string) (string, error) {
	h := fnv.New64a()
	h.Write([]byte(s.IndexUUID + strconv.Itoa(shard) + category + kind))
	switch {
	case s.HasPathHash && s.PathHashAlgorithm == 0:
		return base64Hash(h.Sum64()), nil
	case s.HasPathHash && s.PathHashAlgorithm == 1:
		return compositeHash(h.Sum64()), nil
	}
	return "", fmt.Errorf("path hash algorithm %d is not known", s.PathHashAlgorithm)
}

// base64Hash is OpenSearch's FNV_1A_BASE64.
func base64Hash(v uint64) string {
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, v))
}

func (s *Shard) remoteFiles(ctx context.Context, id SnapshotID, shallow *ShallowSnapshot) (*ShardSnapshot, error) {
	metadata, data, err := s.remoteFolders(ctx, s.r.opts.RemoteStore, shallow.RemoteRepository, shallow, remoteSegmentsDir)
	if err != nil {
		return nil, err
	}
	locks, err := s.remoteFolder(ctx, s.r.opts.RemoteStore, shallow.RemoteRepository, shallow, remoteLocks)
	if err != nil {
		return nil, err
	}
	locked, err := lockedMetadata(ctx, id, shallow, locks)
	if err != nil {
		return nil, err
	}
	snap, err := s.fromMetadata(ctx, shallow, locked, metadata, data)
	if snap != nil || err != nil && !isCorrupt(err) {
		return snap, err
	}
	// Without a lock, as after a deletion that broke off, other metadata of the commit has what the snapshot needs, as long as it is there. So it
	// may where a refresh came between the commit and the lock and dropped a segment whose documents were all deleted.
	others, oerr := otherMetadata(ctx, shallow, locked, metadata)
	if oerr != nil {
		return nil, errors.Join(err, oerr)
	}
	snap, oerr = s.fromMetadata(ctx, shallow, others, metadata, data)
	if snap != nil || oerr != nil && !isCorrupt(oerr) {
		return snap, oerr
	}
	return nil, cmp.Or(err, oerr)
}

// fromMetadata returns the files of a snapshot's commit by the first of some metadata files that has them all; nil without an error if there
// are none.
func (s *Shard) fromMetadata(ctx context.Context, shallow *ShallowSnapshot, names []string, metadata, data *remoteBlobs) (*ShardSnapshot, error) {
	var first error
	for _, name := range names {
		b, err := blob.ReadAll(ctx, metadata.c, name, s.r.opts.MaxMetadata)
		if err != nil {
			return nil, err
		}
		m, err := parseRemoteSegments(name, b)
		var files []FileInfo
		if err == nil {
			files, err = m.filesOf(shallow, data)
		}
		if err == nil {
			return &ShardSnapshot{Snapshot: shallow.Snapshot, IndexVersion: shallow.IndexVersion, StartTime: shallow.StartTime, Time: shallow.Time, Files: files}, nil
		}
		if first == nil {
			first = corrupt(join(metadata.path, name), err, "cannot be used")
		}
	}
	return nil, first
}

func isCorrupt(err error) bool {
	var c *CorruptError
	return errors.As(err, &c)
}

// metadataPrefix begins the names of the metadata files of the snapshot's commit, and of the locks on them.
func (s *ShallowSnapshot) metadataPrefix() (string, error) {
	if s.PrimaryTerm < 0 || s.CommitGeneration < 0 {
		return "", fmt.Errorf("primary term %d and generation %d", s.PrimaryTerm, s.CommitGeneration)
	}
	return fmt.Sprintf("%s%019d__%019d__", remoteMetadataPrefix, math.MaxInt64-s.PrimaryTerm, math.MaxInt64-s.CommitGeneration), nil
}

// lockedMetadata returns the metadata file that the snapshot has locked.
func lockedMetadata(ctx context.Context, id SnapshotID, shallow *ShallowSnapshot, locks *remoteBlobs) ([]string, error) {
	prefix, err := shallow.metadataPrefix()
	if err != nil {
		return nil, err
	}
	var names []string
	err = locks.c.List(ctx, prefix, func(i blob.Info) error {
		if name, owner := parseRemoteLock(i.Name); owner == id.UUID {
			names = append(names, name)
		}
		return nil
	})
	return names, err
}

// otherMetadata returns the metadata files of the snapshot's commit that it has not locked, newest first.
func otherMetadata(ctx context.Context, shallow *ShallowSnapshot, locked []string, metadata *remoteBlobs) ([]string, error) {
	prefix, err := shallow.metadataPrefix()
	if err != nil {
		return nil, err
	}
	var names []string
	err = metadata.c.List(ctx, prefix, func(i blob.Info) error {
		if !slices.Contains(locked, i.Name) {
			names = append(names, i.Name)
		}
		return nil
	})
	if err == nil && len(names)+len(locked) == 0 {
		err = corrupt(join(metadata.path, prefix+"*"), nil, "the metadata of the shard's commit is missing; is this the right remote store?")
	}
	slices.Sort(names)
	return names, err
}

// parseRemoteLock returns which metadata file a lock keeps, and for which snapshot (its UUID).
func parseRemoteLock(lock string) (name, owner string) {
	separator := remoteLockSeparator
	rest, ok := strings.CutSuffix(lock, remoteLockSuffix)
	if !ok { // until 2.10
		separator = "___"
		if rest, ok = strings.CutSuffix(lock, ".lock"); !ok {
			return "", ""
		}
	}
	at := strings.LastIndex(rest, separator)
	if at < 0 {
		return "", ""
	}
	return rest[:at], rest[at+len(separator):]
}

// filesOf returns the files of a snapshot's commit. The metadata may have more, of refreshes after the commit.
func (m *remoteSegments) filesOf(shallow *ShallowSnapshot, data *remoteBlobs) ([]FileInfo, error) {
	commit := "segments_" + strconv.FormatInt(shallow.CommitGeneration, 36)
	names := slices.Sorted(slices.Values(shallow.FileNames))
	names = slices.Compact(names)
	if !slices.Contains(names, commit) {
		return nil, store.Corruptf(commit, -1, "the snapshot does not list its commit among its files")
	}
	var files []FileInfo
	if _, ok := m.files[commit]; !ok && m.generation == shallow.CommitGeneration {
		// The commit of that refresh stands in the metadata itself, and needs all files of it.
		names = slices.Sorted(maps.Keys(m.files))
		own, err := m.commitFile(commit)
		if err != nil {
			return nil, err
		}
		files = append(files, own)
	}
	return m.appendFiles(files, names, data)
}

// commitFile is the segments_N that stands in the metadata.
func (m *remoteSegments) commitFile(commit string) (FileInfo, error) {
	sum, err := codec.ReadFooter(store.NewBytesInput(commit, m.infos))
	return FileInfo{Name: virtualPrefix + commit, PhysicalName: commit, Length: int64(len(m.infos)), Checksum: checksumText(sum), MetaHash: m.infos}, err
}

func (m *remoteSegments) appendFiles(files []FileInfo, names []string, data *remoteBlobs) ([]FileInfo, error) {
	for _, name := range names {
		f, ok := m.files[name]
		if !ok {
			return nil, fmt.Errorf("file [%s] of the snapshot is not in it", name)
		}
		files = append(files, FileInfo{Name: f.blob, PhysicalName: name, Length: f.length, Checksum: checksumText(f.checksum),
			WrittenBy: strconv.Itoa(f.major) + ".0.0", remote: data}) // readers of lists want a whole version; only the major one is known
	}
	return files, nil
}
