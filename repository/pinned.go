package repository

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/lucene/codec/segments"
	"github.com/varve-search/varve/lucene/store"
	"github.com/varve-search/varve/repository/smile"
)

// Format: docs/formats/remote-segments.md, "Snapshots that pin a timestamp".

const (
	remoteTranslogDir  = "translog"
	pinnedTimestamps   = "pinned_timestamps"
	remoteNameParts    = "__"
	localCheckpointKey = "local_checkpoint"
)

// pinnedShard is where remote stores have a shard of a snapshot that pins a timestamp. The index's metadata tells.
type pinnedShard struct {
	at       *ShallowSnapshot // of the segments
	translog string           // the repository of the translog
	time     int64            // what is pinned, in milliseconds since 1970
	info     *SnapshotInfo
	// attributes says that the checkpoints of the translog are attributes of its objects.
	attributes bool
}

// RemoteSegments returns the repositories where an index with a remote store had its segments and its translog; "" where it had none.
func (m *IndexMetadata) RemoteSegments() (segments, translog string) {
	if m.Setting("index.remote_store.enabled") != "true" {
		return "", ""
	}
	return m.Setting("index.remote_store.segment.repository"), m.Setting("index.remote_store.translog.repository")
}

// remoteCustom reads what an index's metadata say of its remote store beside the settings; "" if nothing.
func (m *IndexMetadata) remoteCustom(key string) string {
	v, _ := m.Body.Get("remote_store")
	o, _ := v.(*smile.Object)
	v, _ = o.Get(key)
	t, _ := v.(string)
	return t
}

// remotePaths reads how the paths of an index in a remote store are made.
func (m *IndexMetadata) remotePaths(s *ShallowSnapshot) error {
	switch t := m.remoteCustom("path_type"); t {
	case "", "FIXED":
		return nil
	case "HASHED_PREFIX":
		s.PathType = pathHashedPrefix
	case "HASHED_INFIX":
		s.PathType = pathHashedInfix
	default:
		return fmt.Errorf("index [%s] has its remote store at paths of type [%s], which is not known", m.Name, t)
	}
	s.HasPathHash = true
	switch a := m.remoteCustom("path_hash_algorithm"); a {
	case "FNV_1A_BASE64":
	case "FNV_1A_COMPOSITE_1":
		s.PathHashAlgorithm = 1
	default:
		return fmt.Errorf("index [%s] has its remote store at paths with a hash [%s], which is not known", m.Name, a)
	}
	return nil
}

// dataNaming returns a root that names the snapshot: what a snapshot holds does not change.
func (r *Repository) dataNaming(ctx context.Context, id SnapshotID) (*Data, error) {
	r.mu.Lock()
	last := r.lastRoot
	r.mu.Unlock()
	if last != nil {
		if _, ok := last.byUUID(id.UUID); ok {
			return last, nil
		}
	}
	return r.LoadData(ctx)
}

// pinned returns where a shard of a snapshot that pins a timestamp lies; nil if the snapshot pins none.
func (s *Shard) pinned(ctx context.Context, id SnapshotID) (*pinnedShard, error) {
	info, err := s.r.SnapshotInfo(ctx, id)
	if err != nil || info.PinnedTimestamp == 0 {
		return nil, err
	}
	data, err := s.r.dataNaming(ctx, id)
	if err != nil {
		return nil, err
	}
	m, err := s.r.IndexMetadata(ctx, data, id, s.Index.Name)
	if err != nil {
		return nil, err
	}
	if s.ID >= m.Shards() {
		return nil, &MissingSnapshotError{Snapshot: id.Name, Index: s.String()}
	}
	p := &pinnedShard{time: info.PinnedTimestamp, info: info, attributes: m.remoteCustom("translog_metadata") == "true", at: &ShallowSnapshot{Snapshot: id.Name, StartTime: info.StartTime, IndexUUID: m.UUID()}}
	if p.at.RemoteRepository, p.translog = m.RemoteSegments(); p.at.RemoteRepository == "" || p.translog == "" {
		return nil, fmt.Errorf("the snapshot pins a timestamp, but index [%s] has no remote store", m.Name)
	}
	return p, m.remotePaths(p.at)
}

// State returns what a shard had in a snapshot: its files, as Files, and the operations that they lack, nil if they lack none: in
// snapshots that pin a timestamp these are in the remote translog, which Options.RemoteTranslog opens. Who reads the files without
// applying the operations to them misses documents.
func (s *Shard) State(ctx context.Context, id SnapshotID) (*ShardSnapshot, *Operations, error) {
	snap, err := s.Snapshot(ctx, id)
	var missing *MissingSnapshotError
	if errors.As(err, &missing) {
		p, perr := s.pinned(ctx, id)
		if p == nil && perr == nil {
			return nil, nil, err
		}
		if perr != nil {
			return nil, nil, s.wrap(perr, "snapshot [%s]", id)
		}
		return s.pinnedState(ctx, id, p)
	}
	if !errors.Is(err, ErrShallow) {
		return snap, nil, err
	}
	shallow, err := s.ShallowSnapshot(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	if s.r.opts.RemoteStore == nil {
		return nil, nil, s.wrap(&ShallowError{Repository: shallow.RemoteRepository}, "snapshot [%s]", id)
	}
	if snap, err = s.remoteFiles(ctx, id, shallow); err != nil {
		return nil, nil, s.wrap(err, "snapshot [%s] in the remote store of repository [%s]", id, shallow.RemoteRepository)
	}
	return snap, nil, nil
}

func (s *Shard) pinnedState(ctx context.Context, id SnapshotID, p *pinnedShard) (*ShardSnapshot, *Operations, error) {
	if s.r.opts.RemoteStore == nil {
		return nil, nil, s.wrap(&ShallowError{Repository: p.at.RemoteRepository}, "snapshot [%s]", id)
	}
	snap, checkpoint, err := s.pinnedFiles(ctx, p)
	if err != nil {
		return nil, nil, s.wrap(err, "snapshot [%s] in the remote store of repository [%s]", id, p.at.RemoteRepository)
	}
	if s.r.opts.RemoteTranslog == nil && p.translog != p.at.RemoteRepository {
		return nil, nil, s.wrap(&ShallowError{p.translog, true}, "the operations of snapshot [%s] that were not refreshed", id)
	}
	ops, err := s.pinnedOperations(ctx, p, checkpoint)
	if err != nil {
		return nil, nil, s.wrap(err, "snapshot [%s] in the remote translog of repository [%s]", id, p.translog)
	}
	return snap, ops, nil
}

// pinnedFiles returns the files that the shard had at the pinned time, and up to which sequence number they hold all operations.
func (s *Shard) pinnedFiles(ctx context.Context, p *pinnedShard) (*ShardSnapshot, int64, error) {
	metadata, data, err := s.remoteFolders(ctx, s.r.opts.RemoteStore, p.at.RemoteRepository, p.at, remoteSegmentsDir)
	if err != nil {
		return nil, 0, err
	}
	name, err := pinnedMetadata(ctx, metadata, p.time, segmentsName)
	if err != nil {
		return nil, 0, err
	}
	b, err := blob.ReadAll(ctx, metadata.c, name, s.r.opts.MaxMetadata)
	if err != nil {
		return nil, 0, err
	}
	m, err := parseRemoteSegments(name, b)
	if err != nil {
		return nil, 0, corrupt(join(metadata.path, name), err, "cannot be used")
	}
	p.at.PrimaryTerm, p.at.CommitGeneration = m.primaryTerm, m.generation
	commit := segments.FileName(m.generation)
	infos, err := segments.ParseEntries(store.NewBytesInput(commit, m.infos), commit)
	if err != nil {
		return nil, 0, corrupt(join(metadata.path, name), err, "its segment infos cannot be used")
	}
	checkpoint, err := strconv.ParseInt(cmp.Or(infos.UserData[localCheckpointKey], "-1"), 10, 64)
	if err != nil {
		return nil, 0, corrupt(join(metadata.path, name), err, "its local checkpoint is no number")
	}
	files, err := m.filesNow(commit, data)
	if err != nil {
		return nil, 0, corrupt(join(metadata.path, name), err, "cannot be used")
	}
	return &ShardSnapshot{Snapshot: p.at.Snapshot, IndexVersion: m.generation, StartTime: p.info.StartTime, Time: p.info.EndTime - p.info.StartTime, Files: files}, checkpoint, nil
}

// remoteName is what the name of a metadata file says.
type remoteName struct {
	time   int64  // when it was written, in milliseconds since 1970
	writer string // a hash of the node's id; "" before 2.11
	state  string // what only one node may have written
}

// segmentsName reads metadata__TERM__GENERATION__TRANSLOG__COUNTER__NODE__TIME__VERSION.
func segmentsName(name string) (n remoteName, ok bool) {
	parts := strings.Split(name, remoteNameParts)
	if len(parts) < 4 {
		return n, false
	}
	n.time, ok = inverted(parts[len(parts)-2])
	if len(parts) >= 8 {
		n.state, n.writer = strings.Join(parts[1:4], remoteNameParts), parts[5]
	}
	return n, ok
}

// translogName reads metadata__TERM__GENERATION__TIME__NODE__…
func translogName(name string) (n remoteName, ok bool) {
	parts := strings.Split(name, remoteNameParts)
	if len(parts) < 4 {
		return n, false
	}
	n.time, ok = inverted(parts[3])
	if len(parts) >= 6 {
		n.state, n.writer = strings.Join(parts[1:3], remoteNameParts), parts[4]
	}
	return n, ok
}

func inverted(text string) (int64, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return math.MaxInt64 - n, err == nil && n >= 0
}

// pinnedMetadata finds the metadata file that was the newest at a time. Of names sorted by what they count the first one that is
// not younger is it; one that is younger than those before it was written by a node that was no primary any more.
func pinnedMetadata(ctx context.Context, c *remoteBlobs, time int64, parse func(string) (remoteName, bool)) (string, error) {
	var names []string
	err := c.c.List(ctx, remoteMetadataPrefix, func(i blob.Info) error {
		names = append(names, i.Name)
		return nil
	})
	if err != nil {
		return "", err
	}
	slices.Sort(names)
	writers := map[string]string{}
	found, before := "", int64(math.MaxInt64)
	for _, name := range names {
		n, ok := parse(name)
		if !ok {
			return "", corrupt(join(c.path, name), nil, "its name is not that of a metadata file")
		}
		if n.writer != "" {
			if other, ok := writers[n.state]; ok && other != n.writer {
				return "", corrupt(join(c.path, name), nil, "two nodes wrote metadata of the same state, so that it is not certain which one counts")
			}
			writers[n.state] = n.writer
		}
		if found != "" || n.time > before {
			continue
		}
		if before = n.time; n.time <= time {
			found = name
		}
	}
	if found == "" {
		return "", corrupt(join(c.path, remoteMetadataPrefix+"*"), nil, "there is no metadata of the time that the snapshot pins; is this the right remote store?")
	}
	return found, nil
}

// filesNow returns the files of the state that the metadata describes. Its commit is the one in the metadata: that of a refresh
// stands nowhere else.
func (m *remoteSegments) filesNow(commit string, data *remoteBlobs) ([]FileInfo, error) {
	names := make([]string, 0, len(m.files))
	for name := range m.files {
		if !strings.HasPrefix(name, "segments_") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	own, err := m.commitFile(commit)
	if err != nil {
		return nil, err
	}
	return m.appendFiles([]FileInfo{own}, names, data)
}
