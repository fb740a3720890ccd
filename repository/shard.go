package repository

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/lucene/store"
)

// Shard is one shard's folder in the repository.
type Shard struct {
	Index IndexID
	ID    int

	r    *Repository
	c    blob.Container
	path string // for messages, and unique in the store
}

// Shard returns the folder of a shard. For an index with hashed paths it reads the record of its
// paths, once.
func (r *Repository) Shard(ctx context.Context, i IndexID, shard int) (*Shard, error) {
	if err := blob.CheckName(i.ID); err != nil {
		return nil, err
	}
	if shard < 0 || shard >= maxShards {
		return nil, fmt.Errorf("index [%s]: shard number %d is out of range", i, shard)
	}
	path, err := r.shardPath(i, shard)
	if err != nil {
		return nil, err
	}
	if i.ShardPathType != pathFixed {
		r.mu.Lock()
		recorded, known := r.paths[i.ID]
		r.mu.Unlock()
		if !known {
			if recorded, err = r.recordedPaths(ctx, i); err != nil {
				return nil, fmt.Errorf("paths of index [%s]: %w", i, err)
			}
			if recorded != nil {
				r.mu.Lock()
				r.paths[i.ID] = recorded
				r.mu.Unlock()
			}
		}
		if shard < len(recorded) {
			path = recorded[shard]
		}
	}
	c, err := r.store.Container(path)
	if err != nil {
		return nil, err
	}
	return &Shard{Index: i, ID: shard, r: r, c: c, path: path}, nil
}

func (s *Shard) String() string { return fmt.Sprintf("[%s][%d]", s.Index.Name, s.ID) }

// Path is the shard's folder below the store.
func (s *Shard) Path() string { return s.path }

func (s *Shard) wrap(err error, format string, args ...any) error {
	return fmt.Errorf("shard %s: %s: %w", s, fmt.Sprintf(format, args...), err)
}

// Snapshot reads the shard's file list in a snapshot. The error is ErrShallow where the data is in a
// remote store, and a *MissingSnapshotError where the shard failed in that snapshot.
func (s *Shard) Snapshot(ctx context.Context, id SnapshotID) (*ShardSnapshot, error) {
	snap, err := readParsed(ctx, s.r, s.c, s.path, snapName(id.UUID), codecSnapshot, parseShardSnapshot)
	if blob.KindOf(err) == blob.KindNotFound && err != nil {
		shallow, serr := blob.Exists(ctx, s.c, shallowName(id.UUID))
		switch {
		case serr != nil:
			err = serr
		case shallow:
			err = ErrShallow
		default:
			err = errors.Join(&MissingSnapshotError{Snapshot: id.Name, Index: s.String()}, err)
		}
	}
	if err != nil {
		return nil, s.wrap(err, "snapshot [%s]", id)
	}
	return snap, nil
}

// ShallowSnapshot reads where a remote store has the shard's files of a shallow snapshot.
func (s *Shard) ShallowSnapshot(ctx context.Context, id SnapshotID) (*ShallowSnapshot, error) {
	snap, err := readParsed(ctx, s.r, s.c, s.path, shallowName(id.UUID), codecSnapshot, parseShallowSnapshot)
	if err != nil {
		return nil, s.wrap(err, "shallow snapshot [%s]", id)
	}
	return snap, nil
}

// NewGeneration is the generation of a shard that the repository does not know yet.
const NewGeneration = "_new"

// FileIndex reads the shard's index of all files at a generation. With "" it finds the generation as
// versions before 7.6 did, by listing numbers; there being none is an empty index with NewGeneration.
// It returns the generation read, or tried.
func (s *Shard) FileIndex(ctx context.Context, generation string) (*ShardIndex, string, error) {
	x, generation, _, err := s.readIndex(ctx, generation)
	return x, generation, err
}

// readIndex is FileIndex, and returns the index's blob too, if there is one.
func (s *Shard) readIndex(ctx context.Context, generation string) (*ShardIndex, string, []byte, error) {
	if generation == "" {
		latest := int64(-1)
		err := s.c.List(ctx, rootPrefix, func(i blob.Info) error {
			if g, ok := parseRootName(i.Name); ok {
				latest = max(latest, g)
			}
			return nil
		})
		if err != nil {
			return nil, "", nil, s.wrap(err, "find its index")
		}
		generation = NewGeneration
		if latest >= 0 {
			generation = strconv.FormatInt(latest, 10)
		}
	}
	if generation == NewGeneration {
		return newShardIndex(nil, nil), NewGeneration, nil, nil
	}
	b, err := blob.ReadAll(ctx, s.c, shardIndexName(generation), s.r.opts.MaxMetadata)
	if err != nil {
		return nil, generation, nil, s.wrap(err, "index at generation [%s]", generation)
	}
	x, err := s.parseIndex(b, generation)
	return x, generation, b, err
}

func (s *Shard) parseIndex(b []byte, generation string) (*ShardIndex, error) {
	x, err := readShardIndex(b, s.r.opts.MaxMetadata)
	if err != nil {
		return nil, s.wrap(corrupt(join(s.path, shardIndexName(generation)), err, "cannot be read"), "index at generation [%s]", generation)
	}
	return x, nil
}

// KnownIndex is FileIndex for who writes the next generation: what was read or written before is taken from memory, since a
// generation never changes. Whether its blob is still there it does not tell.
func (s *Shard) KnownIndex(ctx context.Context, generation string) (*ShardIndex, string, error) {
	x, generation, b, err := s.knownIndex(ctx, generation)
	if b != nil {
		s.r.shards.put(s.path, generation, b)
	}
	return x, generation, err
}

// knownIndex is KnownIndex that keeps nothing: what is read is returned as bytes too, for who writes no other generation in its place.
func (s *Shard) knownIndex(ctx context.Context, generation string) (*ShardIndex, string, []byte, error) {
	if b, ok := s.r.shards.get(s.path, generation); ok {
		x, err := s.parseIndex(b, generation)
		return x, generation, nil, err
	}
	x, generation, b, err := s.readIndex(ctx, generation)
	if err != nil {
		b = nil
	}
	return x, generation, b, err
}

// OpenFile opens a file from its first byte, across its parts. While it streams, length and Lucene
// checksum are verified: io.EOF comes only after both are right, a *store.CorruptError otherwise.
func (s *Shard) OpenFile(ctx context.Context, f FileInfo) (io.ReadCloser, error) {
	if f.Virtual() {
		return io.NopCloser(newSumReader(bytes.NewReader(f.MetaHash), f.PhysicalName, f.Length, f.Checksum)), nil
	}
	p := &partsReader{ctx: ctx, s: s, f: f}
	if err := p.next(); err != nil {
		return nil, err
	}
	return &fileReader{newSumReader(p, f.PhysicalName, f.Length, f.Checksum), p}, nil
}

type fileReader struct {
	*sumReader
	parts *partsReader
}

func (f *fileReader) Close() error { return f.parts.Close() }

// partsReader concatenates the blobs of a file.
type partsReader struct {
	ctx  context.Context
	s    *Shard
	f    FileInfo
	part int // the next one
	cur  io.ReadCloser
	left int64
}

func (p *partsReader) next() error {
	r, err := p.s.container(&p.f).Get(p.ctx, p.f.PartName(p.part))
	if err != nil {
		return p.s.wrap(err, "file [%s]", p.f.PhysicalName)
	}
	p.cur, p.left = r, p.f.PartLength(p.part)
	p.part++
	return nil
}

func (p *partsReader) Read(b []byte) (int, error) {
	for {
		n, err := p.cur.Read(b)
		p.left -= int64(n)
		if err != nil && err != io.EOF {
			return n, p.s.wrap(err, "file [%s]", p.f.PhysicalName)
		}
		if p.left < 0 || err == io.EOF && p.left > 0 {
			name := p.f.PartName(p.part - 1)
			return n, store.Corruptf(p.f.PhysicalName, -1, "blob [%s] has not its %d bytes", name, p.f.PartLength(p.part-1))
		}
		if n > 0 || len(b) == 0 {
			return n, nil
		}
		if err == io.EOF {
			if p.part >= p.f.Parts() {
				return 0, io.EOF
			}
			if err := p.cur.Close(); err != nil {
				return 0, err
			}
			if err := p.next(); err != nil {
				return 0, err
			}
		}
	}
}

func (p *partsReader) Close() error { return p.cur.Close() }

// ReadFileAt fills b with the file's bytes from off, across its parts, without verifying a checksum.
// Like io.ReaderAt it returns io.EOF when fewer bytes are left.
func (s *Shard) ReadFileAt(ctx context.Context, f FileInfo, b []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("shard %s: file [%s]: offset %d", s, f.PhysicalName, off)
	}
	if off >= f.Length {
		return 0, io.EOF
	}
	want := b[:min(int64(len(b)), f.Length-off)]
	var eof error
	if len(want) < len(b) {
		eof = io.EOF
	}
	if f.Virtual() {
		return copy(want, f.MetaHash[off:]), eof
	}
	n := 0
	for part, start := 0, int64(0); part < f.Parts() && n < len(want); part++ {
		length := f.PartLength(part)
		if pos := off + int64(n) - start; pos < length {
			dst := want[n:][:min(int64(len(want)-n), length-pos)]
			m, err := readRange(ctx, s.container(&f), f.PartName(part), dst, pos)
			n += m
			if err != nil {
				if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
					err = store.Corruptf(f.PhysicalName, off+int64(n), "blob [%s] is shorter than its %d bytes", f.PartName(part), length)
				}
				return n, s.wrap(err, "file [%s]", f.PhysicalName)
			}
		}
		start += length
	}
	return n, eof
}

func readRange(ctx context.Context, c blob.Container, name string, dst []byte, off int64) (int, error) {
	r, err := c.GetRange(ctx, name, off, int64(len(dst)))
	if err != nil {
		return 0, err
	}
	defer r.Close()
	return io.ReadFull(r, dst)
}

// InlineLimit is how many bytes of a .si or segments_N file stand in the metadata.
const InlineLimit = 1 << 20

func inlined(physicalName string) bool {
	return strings.HasSuffix(physicalName, ".si") || strings.HasPrefix(physicalName, "segments")
}

// Upload describes a file to upload.
type Upload struct {
	PhysicalName string
	Length       int64
	Checksum     string // expected, in base 36; "" takes the footer's
	WrittenBy    string // Lucene's version, such as "9.12.0"
	Content      io.Reader
}

// UploadFile streams a file into new blobs, split as Options.ChunkSize says, and verifies its Lucene
// footer on the way; a damaged file is a *store.CorruptError. Small .si and segments_N files are only
// taken into the FileInfo. On error the blobs written so far are removed if that works; they are
// unreferenced in any case.
func (s *Shard) UploadFile(ctx context.Context, u Upload) (FileInfo, error) {
	f := FileInfo{PhysicalName: u.PhysicalName, Length: u.Length, WrittenBy: u.WrittenBy, PartSize: s.r.opts.ChunkSize}
	if f.PartSize == 0 {
		f.PartSize = noChunks
	}
	if err := blob.CheckName(u.PhysicalName); err != nil {
		return f, err
	}
	if u.Length < 0 || f.Length/f.PartSize >= maxParts {
		return f, fmt.Errorf("shard %s: upload [%s]: %d bytes in parts of %d", s, u.PhysicalName, u.Length, f.PartSize)
	}
	sum := newSumReader(u.Content, u.PhysicalName, u.Length, u.Checksum)
	content := io.Reader(sum)
	if inlined(u.PhysicalName) {
		head, err := io.ReadAll(io.LimitReader(sum, InlineLimit))
		if err != nil {
			return f, s.wrap(err, "upload [%s]", u.PhysicalName)
		}
		f.MetaHash = head
		content = io.MultiReader(bytes.NewReader(head), sum)
	}
	f.Name = dataPrefix + NewUUID()
	if inlined(u.PhysicalName) && u.Length <= InlineLimit {
		f.Name = virtualPrefix + NewUUID()
	}
	err := s.putParts(ctx, &f, content)
	if err == nil {
		// The last read makes sumReader verify.
		if _, rerr := sum.Read(make([]byte, 1)); !errors.Is(rerr, io.EOF) {
			err = rerr
		}
	}
	if err != nil {
		s.removeParts(context.WithoutCancel(ctx), &f)
		s.r.abandoned()
		return f, s.wrap(err, "upload [%s]", u.PhysicalName)
	}
	f.Checksum = sum.got
	return f, nil
}

const noChunks = 1<<63 - 1

func (s *Shard) putParts(ctx context.Context, f *FileInfo, content io.Reader) error {
	for part := range f.Parts() {
		n := f.PartLength(part)
		if err := s.c.Put(ctx, f.PartName(part), io.LimitReader(content, n), n, blob.PutOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// removeParts is a courtesy: what it leaves is found by Cleanup.
func (s *Shard) removeParts(ctx context.Context, f *FileInfo) {
	var names []string
	for part := range f.Parts() {
		names = append(names, f.PartName(part))
	}
	_ = s.c.DeleteBatch(ctx, names)
}

// NewShardSnapshot is a shard's part of a snapshot that is being taken.
type NewShardSnapshot struct {
	Snapshot SnapshotID
	// BaseGeneration is the generation from Data that the files were compared with; "" as for
	// FileIndex.
	BaseGeneration string
	IndexVersion   int64  // generation of the commit
	StateID        string // "" does not record one
	StartTime      int64  // milliseconds since 1970
	Time           int64  // milliseconds
	// IncrementalFiles and IncrementalSize count what was uploaded.
	IncrementalFiles int
	IncrementalSize  int64
	Files            []FileInfo // all files of the commit
	// Stale are names in the shard's index, as of snapshots that were never finished, that are left out.
	Stale []string
	// Replace writes the list anew although there may be one.
	Replace bool
	// Base is the index at BaseGeneration, where it was read already.
	Base *ShardIndex
	// Batch, if there is one, has to be flushed before the shard is said to be done.
	Batch *blob.Batch
}

// TakeSnapshot writes the shard's file list, and its new index, once all files are uploaded. It returns the new generation, to
// be given to Finalize, and the list; until then nothing refers to them.
//
// A snapshot has one list per shard, which is never written over: an earlier attempt may have been recorded as done. Where there
// is one already that one counts, and is returned, though its files may be others. Unseen tells whether they are all there. If
// not, no attempt can have been done, and Replace writes the list anew.
func (s *Shard) TakeSnapshot(ctx context.Context, n NewShardSnapshot) (string, *ShardSnapshot, error) {
	x, err := n.Base, error(nil)
	if x == nil {
		if x, _, _, err = s.knownIndex(ctx, n.BaseGeneration); err != nil {
			return "", nil, err
		}
	}
	snap := &ShardSnapshot{Snapshot: n.Snapshot.Name, IndexVersion: n.IndexVersion, StartTime: n.StartTime, Time: n.Time,
		IncrementalFiles: n.IncrementalFiles, IncrementalSize: n.IncrementalSize, Files: n.Files}
	if snap, err = s.writeList(ctx, n.Snapshot, snap, n.Replace, n.Batch); err != nil {
		return "", nil, err
	}
	state := n.StateID
	if !slices.EqualFunc(snap.Files, n.Files, func(a, b FileInfo) bool { return a.Name == b.Name }) {
		state = ""
	}
	if x, err = x.without(n.Stale).with(n.Snapshot.Name, state, snap.Files); err != nil {
		s.r.abandoned()
		return "", nil, s.wrap(err, "snapshot [%s]", n.Snapshot)
	}
	gen, err := s.writeIndex(ctx, x, n.Batch)
	return gen, snap, err
}

// WriteSnapshot is TakeSnapshot for who makes one attempt only, and returns the new generation.
func (s *Shard) WriteSnapshot(ctx context.Context, n NewShardSnapshot) (string, error) {
	gen, _, err := s.TakeSnapshot(ctx, n)
	return gen, err
}

// writeList writes a snapshot's file list if there is none yet, and returns the one that there is. With a batch it is durable once that is
// flushed, whoever wrote it: a process that was killed may not have come to that. One that cannot be read was lost by a machine
// that crashed before, so no attempt has been recorded as done, and it is written over.
func (s *Shard) writeList(ctx context.Context, id SnapshotID, snap *ShardSnapshot, replace bool, batch *blob.Batch) (*ShardSnapshot, error) {
	put := func(snap *ShardSnapshot, opts blob.PutOptions) error {
		tree, err := snap.tree()
		if err == nil {
			err = s.r.putFrame(ctx, s.c, snapName(id.UUID), codecSnapshot, tree, opts)
		}
		if err != nil {
			s.r.abandoned() // this attempt, or the one before
		}
		return err
	}
	err := put(snap, blob.PutOptions{IfAbsent: !replace, Batch: batch})
	if err != nil && blob.KindOf(err) == blob.KindAlreadyExists {
		var before *ShardSnapshot
		var damaged *CorruptError
		switch before, err = s.Snapshot(ctx, id); {
		case err == nil && batch == nil:
			return before, nil
		case err == nil:
			snap = before
		case batch == nil || !errors.As(err, &damaged):
			return nil, err
		}
		err = put(snap, blob.PutOptions{Batch: batch})
	}
	if err != nil {
		return nil, s.wrap(err, "write snapshot [%s]", id)
	}
	return snap, nil
}

// writeIndex writes a shard's index under a new generation. With a batch it is durable once that is flushed.
func (s *Shard) writeIndex(ctx context.Context, x *ShardIndex, batch *blob.Batch) (string, error) {
	gen := NewUUID()
	b, err := frame(codecShardIndex, s.r.opts.Compression, x.appendTo)
	if err == nil {
		err = s.r.putMetadata(ctx, s.c, shardIndexName(gen), b, blob.PutOptions{Batch: batch})
	}
	if err != nil {
		s.r.abandoned()
		return "", s.wrap(err, "write its index")
	}
	s.r.shards.put(s.path, gen, b)
	return gen, nil
}

// CloneShard is a shard's part of a clone. Times are in milliseconds, StartTime since 1970.
type CloneShard struct {
	Source, Target  SnapshotID
	BaseGeneration  string // the shard's newest; "" as for FileIndex
	StartTime, Time int64
	Stale           []string // as in NewShardSnapshot
	// Batch, if there is one, has to be flushed before the shard is said to be done. CloneShallow does without.
	Batch *blob.Batch
	// GivenUp tells CloneShallow, after it took a lock, whether the clone has ended without it. Nil: it has not.
	GivenUp func() bool
}

// CloneSnapshot writes a snapshot of the shard that has the files of another. It returns the new
// generation, to be given to Finalize, and what it wrote.
func (s *Shard) CloneSnapshot(ctx context.Context, n CloneShard) (string, *ShardSnapshot, error) {
	x, _, _, err := s.knownIndex(ctx, n.BaseGeneration)
	if err != nil {
		return "", nil, err
	}
	from, ok := x.Snapshot(n.Source.Name)
	if !ok {
		return "", nil, s.wrap(&MissingSnapshotError{Snapshot: n.Source.Name, Index: s.String()}, "clone")
	}
	snap, err := s.Snapshot(ctx, n.Source)
	if err != nil {
		return "", nil, err
	}
	if x, err = x.without(n.Stale).with(n.Target.Name, from.StateID, snap.Files); err != nil {
		return "", nil, s.wrap(err, "clone snapshot [%s]", n.Target)
	}
	clone := *snap
	clone.Snapshot, clone.StartTime, clone.Time = n.Target.Name, n.StartTime, n.Time
	clone.IncrementalFiles, clone.IncrementalSize = 0, 0
	written, err := s.writeList(ctx, n.Target, &clone, false, n.Batch)
	if err != nil {
		return "", nil, err
	}
	gen, err := s.writeIndex(ctx, x, n.Batch)
	return gen, written, err
}

// Unseen returns those of a snapshot's blobs that the store does not show with their length: its data
// files, its list and, at a generation, the shard's index. It lists the shard's folder once, and asks
// singly for what the list lacks, which may lag.
func (s *Shard) Unseen(ctx context.Context, id SnapshotID, generation string, files []FileInfo) ([]string, error) {
	listed, err := blob.Names(ctx, s.c, "")
	if err != nil {
		return nil, s.wrap(err, "look for the blobs of snapshot [%s]", id)
	}
	var unseen []string
	look := func(name string, length int64) error {
		if size, ok := listed[name]; ok && (length < 0 || size == length) {
			return nil
		}
		i, err := s.c.Stat(ctx, name)
		switch {
		case err == nil && (length < 0 || i.Size == length):
		case err == nil || blob.KindOf(err) == blob.KindNotFound:
			unseen = append(unseen, name)
		default:
			return s.wrap(err, "look for the blobs of snapshot [%s]", id)
		}
		return nil
	}
	for i := range files {
		for part := range files[i].Parts() {
			if err := look(files[i].PartName(part), files[i].PartLength(part)); err != nil {
				return nil, err
			}
		}
	}
	for _, name := range []string{shardIndexName(generation), snapName(id.UUID)} {
		if err := look(name, -1); err != nil {
			return nil, err
		}
	}
	if len(unseen) > 0 {
		s.r.abandoned()
	}
	return unseen, nil
}
