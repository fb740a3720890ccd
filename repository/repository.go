package repository

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/repository/smile"
)

// Options of a repository. The zero value is OpenSearch's default on a file system.
type Options struct {
	// BasePath is the folder of the repository within the container given to Open: what
	// OpenSearch calls base_path. With hashed prefixes, shards lie beside it.
	BasePath string
	// Compression of metadata that is written.
	Compression Compression
	// ChunkSize splits data files into blobs of at most so many bytes; 0 does not split.
	ChunkSize int64
	// ShardPathType of indices that are new in the repository: 0 fixed, 1 hashed prefix, 2 hashed
	// infix.
	ShardPathType int
	// ShardPathPrefix precedes the hash in hashed paths that are written.
	ShardPathPrefix string
	// MaxMetadata is the largest metadata blob that is read, in bytes, also decompressed; default
	// 512 MiB.
	MaxMetadata int64
	// Reserve is how many bytes Reserve keeps for deletions on a full store; 0 keeps none.
	Reserve int64
	// Writer names the cluster in roots that are written; "" names none.
	Writer string
	// RemoteStore tells where shallow snapshots have their data; nil: nowhere.
	RemoteStore RemoteStore
	// RemoteTranslog does the same for the repository that snapshots with a pinned timestamp name for the translog; nil: nowhere.
	RemoteTranslog RemoteStore
	// RemoteLocks is RemoteStore, open to writing, for the locks of snapshots that are deleted or cloned; nil: nobody may.
	RemoteLocks RemoteStore
	// Abandoned, if set, is told when work was given up that may have left blobs in the folders of shards that nothing names:
	// a clean-up with CleanupOptions.RootOnly would not find them.
	Abandoned func()
	// Parallel is the number of requests at once in Delete, Cleanup and Verify; default 16.
	Parallel int
}

// Repository is a snapshot repository. It keeps no state that others could change, and is safe for
// concurrent use. What it keeps is parsed metadata that is looked up by its bytes.
type Repository struct {
	store blob.Container // what BasePath is relative to
	root  blob.Container
	opts  Options

	mu    sync.Mutex
	paths map[string][]string // recorded shard paths by index id
	// the root that was read or written last, the SHA-256 of its bytes, and how many there are
	lastRoot *Data
	lastSum  [sha256.Size]byte
	lastSize int64
	named    int64 // the generation that index.latest had when it was read or written last

	plain  map[string]bool // UUIDs of snapshots that are known not to be shallow
	counts map[string]int  // numbers of shards by the index's id and that of its metadata's blob
	shards shardCache

	remoteDirs map[remoteDirKey]remoteDirFound // where shards lie in remote stores
}

// Open returns the repository in a container. It makes no request.
func Open(_ context.Context, store blob.Container, opts Options) (*Repository, error) {
	if opts.MaxMetadata == 0 {
		opts.MaxMetadata = 512 << 20
	}
	if opts.Parallel <= 0 {
		opts.Parallel = 16
	}
	if opts.ChunkSize < 0 || opts.ShardPathType < 0 || opts.ShardPathType > pathHashedInfix {
		return nil, fmt.Errorf("open repository in %s: chunk size %d or shard path type %d is out of range", store, opts.ChunkSize, opts.ShardPathType)
	}
	root, err := store.Container(opts.BasePath)
	if err != nil {
		return nil, fmt.Errorf("open repository in %s: %w", store, err)
	}
	return &Repository{store: store, root: root, opts: opts, paths: map[string][]string{}, plain: map[string]bool{}, counts: map[string]int{}, named: NoGeneration, remoteDirs: map[remoteDirKey]remoteDirFound{}}, nil
}

func (r *Repository) abandoned() {
	if r.opts.Abandoned != nil {
		r.opts.Abandoned()
	}
}

// String is the repository's location.
func (r *Repository) String() string { return r.root.String() }

func putBytes(ctx context.Context, c blob.Container, name string, b []byte, opts blob.PutOptions) error {
	return c.Put(ctx, name, bytes.NewReader(b), int64(len(b)), opts)
}

// LatestGeneration finds the newest root: by listing, or by index.latest where the store cannot list.
func (r *Repository) LatestGeneration(ctx context.Context) (int64, error) {
	if !r.root.Capabilities().Has(blob.CanList) {
		return r.readLatest(ctx)
	}
	gens, err := r.rootGenerations(ctx)
	if err != nil {
		return 0, err
	}
	latest := NoGeneration
	for _, g := range gens {
		latest = max(latest, g)
	}
	return latest, nil
}

// readLatest returns what index.latest says: NoGeneration where there is none.
func (r *Repository) readLatest(ctx context.Context) (int64, error) {
	b, err := blob.ReadAll(ctx, r.root, "index.latest", 1<<10)
	if err != nil && blob.KindOf(err) == blob.KindNotFound {
		return NoGeneration, nil
	}
	if err != nil {
		return 0, fmt.Errorf("find the root: %w", err)
	}
	if len(b) != 8 || b[0] >= 0x80 {
		return 0, corrupt("index.latest", nil, "%d bytes are no generation", len(b))
	}
	g := int64(binary.BigEndian.Uint64(b))
	r.noteNamed(g)
	return g, nil
}

// noteNamed remembers what index.latest says.
func (r *Repository) noteNamed(generation int64) {
	r.mu.Lock()
	r.named = generation
	r.mu.Unlock()
}

func (r *Repository) rootGenerations(ctx context.Context) ([]int64, error) {
	var gens []int64
	err := r.root.List(ctx, rootPrefix, func(i blob.Info) error {
		if g, ok := parseRootName(i.Name); ok {
			gens = append(gens, g)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the roots: %w", err)
	}
	return gens, nil
}

// loadTries is how often LoadData follows a root that others move on.
const loadTries = 5

// LoadData reads the newest root. An empty repository has generation NoGeneration.
func (r *Repository) LoadData(ctx context.Context) (*Data, error) { return r.LoadDataSince(ctx, nil) }

// LoadDataSince is LoadData for who has read a root before: it returns that one if there is none newer. Somebody who writes a
// generation over another one of the same number is not noticed.
func (r *Repository) LoadDataSince(ctx context.Context, known *Data) (*Data, error) {
	for try := 1; ; try++ {
		g, err := r.LatestGeneration(ctx)
		if err != nil {
			return nil, err
		}
		if known != nil && known.Generation == g {
			return known, nil
		}
		if g == NoGeneration {
			return &Data{Generation: NoGeneration, Identifiers: map[string]string{}}, nil
		}
		d, err := r.LoadGeneration(ctx, g)
		// A writer deletes the old root right after it has put the new one.
		if blob.KindOf(err) == blob.KindNotFound && try < loadTries {
			continue
		}
		return d, err
	}
}

// LoadGeneration reads a root by its generation, without a look at whether there is a newer one: that is for who is told so by what
// comes next, such as Finalize. There being none of that generation is an error of kind KindNotFound.
func (r *Repository) LoadGeneration(ctx context.Context, generation int64) (*Data, error) {
	b, err := blob.ReadAll(ctx, r.root, rootName(generation), r.opts.MaxMetadata)
	if err != nil {
		return nil, fmt.Errorf("read the root: %w", err)
	}
	return r.parseRoot(b, generation)
}

// parseRoot parses a root unless it is byte for byte the one that was read last: with thousands of snapshots that takes
// longer than all else.
func (r *Repository) parseRoot(b []byte, generation int64) (*Data, error) {
	sum := sha256.Sum256(b)
	r.mu.Lock()
	last, lastSum := r.lastRoot, r.lastSum
	r.mu.Unlock()
	if last != nil && last.Generation == generation && lastSum == sum {
		return last, nil
	}
	d, err := ParseData(b, generation)
	if err == nil {
		r.keepRoot(d, sum, len(b))
	}
	return d, err
}

// keepRoot keeps a root to be looked up by the SHA-256 of its bytes.
func (r *Repository) keepRoot(d *Data, sum [sha256.Size]byte, size int) {
	r.mu.Lock()
	r.lastRoot, r.lastSum, r.lastSize = d, sum, int64(size)
	r.mu.Unlock()
}

// readFrame reads a framed metadata blob; path is that of the container, for messages.
func (r *Repository) readFrame(ctx context.Context, c blob.Container, path, name, codec string) (*smile.Object, error) {
	b, err := blob.ReadAll(ctx, c, name, r.opts.MaxMetadata)
	if err != nil {
		return nil, err
	}
	return r.decode(b, join(path, name), codec)
}

// decode decodes the bytes of the framed metadata blob at a path.
func (r *Repository) decode(b []byte, path, codec string) (*smile.Object, error) {
	o, err := decodeFrame(b, codec, r.opts.MaxMetadata)
	if err != nil {
		return nil, corrupt(path, err, "cannot be decoded")
	}
	return o, nil
}

// readParsed reads a framed blob and parses it.
func readParsed[T any](ctx context.Context, r *Repository, c blob.Container, path, name, codec string, parse func(*smile.Object) (T, error)) (T, error) {
	o, err := r.readFrame(ctx, c, path, name, codec)
	if err != nil {
		var none T
		return none, err
	}
	v, err := parse(o)
	if err != nil {
		err = corrupt(join(path, name), err, "cannot be read")
	}
	return v, err
}

func (r *Repository) writeFrame(ctx context.Context, c blob.Container, name, codec string, v *smile.Object) error {
	return r.putFrame(ctx, c, name, codec, v, blob.PutOptions{})
}

func (r *Repository) putFrame(ctx context.Context, c blob.Container, name, codec string, v *smile.Object, opts blob.PutOptions) error {
	b, err := encodeFrame(codec, v, r.opts.Compression)
	if err != nil {
		return fmt.Errorf("write [%s]: %w", name, err)
	}
	return r.putMetadata(ctx, c, name, b, opts)
}

// putMetadata writes a blob that can be read again with the same limit.
func (r *Repository) putMetadata(ctx context.Context, c blob.Container, name string, b []byte, opts blob.PutOptions) error {
	if int64(len(b)) > r.opts.MaxMetadata {
		return fmt.Errorf("write [%s]: %d bytes are more than the limit of metadata", name, len(b))
	}
	return putBytes(ctx, c, name, b, opts)
}

// ListSnapshots reads the info of all snapshots of a root, in its order, several at a time.
func (r *Repository) ListSnapshots(ctx context.Context, d *Data) ([]*SnapshotInfo, error) {
	out := make([]*SnapshotInfo, len(d.Snapshots))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(r.opts.Parallel)
	for n, s := range d.Snapshots {
		g.Go(func() (err error) {
			out[n], err = r.SnapshotInfo(gctx, s.SnapshotID)
			return err
		})
	}
	return out, g.Wait()
}

// GlobalMetadata reads the cluster's metadata of a snapshot, verbatim: templates, persistent settings
// and custom sections. It is nearly empty where the snapshot has no global state.
func (r *Repository) GlobalMetadata(ctx context.Context, id SnapshotID) (*smile.Object, error) {
	o, err := readParsed(ctx, r, r.root, "", metaName(id.UUID), codecMetadata, parseGlobalMetadata)
	if err != nil {
		return nil, fmt.Errorf("global metadata of snapshot [%s]: %w", id, err)
	}
	return o, nil
}

func (r *Repository) indexContainer(i IndexID) (blob.Container, string, error) {
	c, err := r.root.Container(join(indicesDir, i.ID))
	return c, join(r.opts.BasePath, indicesDir, i.ID), err
}

// IndexMetadata reads the metadata that an index has in a snapshot.
func (r *Repository) IndexMetadata(ctx context.Context, d *Data, id SnapshotID, index string) (*IndexMetadata, error) {
	i, err := d.IndexIn(id, index)
	if err != nil {
		return nil, err
	}
	s, ok := d.byUUID(id.UUID)
	if !ok {
		return nil, &MissingSnapshotError{Snapshot: id.Name}
	}
	name, err := d.metadataBlob(s, i.IndexID)
	if err != nil {
		return nil, err
	}
	c, path, err := r.indexContainer(i.IndexID)
	if err != nil {
		return nil, err
	}
	m, err := readParsed(ctx, r, c, path, metaName(name), codecIndexMetadata, parseIndexMetadata)
	if err != nil {
		return nil, fmt.Errorf("metadata of index [%s] in snapshot [%s]: %w", index, id, err)
	}
	r.noteShards(i.IndexID, name, m.Shards())
	return m, nil
}

// ShardCount returns how many shards an index has in a snapshot. It reads the index's metadata, unless this process saw that blob before.
func (r *Repository) ShardCount(ctx context.Context, d *Data, id SnapshotID, index string) (int, error) {
	i, err := d.IndexIn(id, index)
	if err != nil {
		return 0, err
	}
	if s, ok := d.byUUID(id.UUID); ok {
		if name, err := d.metadataBlob(s, i.IndexID); err == nil {
			r.mu.Lock()
			n, known := r.counts[i.ID+"/"+name]
			r.mu.Unlock()
			if known {
				return n, nil
			}
		}
	}
	m, err := r.IndexMetadata(ctx, d, id, index)
	if err != nil {
		return 0, err
	}
	return m.Shards(), nil
}

// noteShards remembers what a metadata blob says, which never changes.
func (r *Repository) noteShards(i IndexID, blob string, shards int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.counts) >= maxRemembered {
		clear(r.counts)
	}
	r.counts[i.ID+"/"+blob] = shards
}
