package index

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec/segments"
	"github.com/varve-search/varve/lucene/store"
)

// MaxDocs is the most documents that an index may hold, deleted ones included.
const MaxDocs = math.MaxInt32 - 128

// Config says how a Writer works. The zero value is usable.
type Config struct {
	// RAMBudget is how many bytes all buffers may hold before the largest is flushed; 0 means 64 MiB.
	RAMBudget int64
	// MaxBuffers is how many buffers are filled at once, and so how many goroutines add documents at once; others wait. 0 means
	// twice the processors, at least 4.
	MaxBuffers int
	// Sort is the index sort: the same for the life of the index, or it is not opened.
	Sort []lucene.SortField
	// BestCompression stores documents with DEFLATE instead of LZ4.
	BestCompression bool
	// NoCompound leaves the files of newly flushed segments single.
	NoCompound bool
	// Merge chooses what is merged; nil means DefaultMergePolicy.
	Merge *MergePolicy
	// NoMerges keeps the writer from merging on its own. ForceMerge still works.
	NoMerges bool
	// MergeWorkers is how many merges run at once; 0 means half of the processors, between 1 and 4.
	MergeWorkers int
	// MergeThrottle, if set, is called before a merge writes n bytes and may wait. Its error ends the merge.
	MergeThrottle func(ctx context.Context, n int) error
	// MaxDocs lowers the limit of documents; 0 means MaxDocs.
	MaxDocs int64
	// OnFailure, if set, is told when the writer fails for good.
	OnFailure func(error)
	// OnMergeError, if set, is told when a merge in the background fails, which leaves the index as it was.
	OnMergeError func(error)
}

// ErrClosed is returned by a Writer that was closed.
var ErrClosed = fmt.Errorf("index writer: %w", store.ErrClosed)

// ErrFailed is wrapped by every error of a Writer that failed for good: what was not committed is lost, the last commit
// is intact, and only opening the index again helps.
var ErrFailed = errors.New("the index writer failed and must be opened again")

// ErrTooManyDocs says that an index cannot take more documents.
var ErrTooManyDocs = errors.New("the index cannot hold more documents")

// Writer changes an index. All methods are safe for concurrent use. Documents and deletes become visible through Reader,
// and durable by Commit.
type Writer struct {
	dir    store.Directory
	cfg    Config
	fmt    *formats
	lock   io.Closer
	schema *schema
	files  *fileRefs

	ctx    context.Context // of the merges; ends with the writer
	cancel context.CancelFunc
	wg     sync.WaitGroup

	full   chan struct{} // held (by a value in it) by who ends a generation
	commit chan struct{} // held by who commits

	segMu sync.Mutex // held to change the deletes of segments, or swap merged ones; taken before mu

	mu       sync.Mutex
	cond     *sync.Cond
	gen      *generation
	inFull   bool // a generation is being ended: newer segments wait in held
	held     []*segment
	segs     []*segment
	counter  int64 // number in the next segment's name
	changes  int64 // counts changes of segs and their deletes
	docs     int64 // documents in segs and buffers
	active   int64 // bytes in buffers that are filled
	flushing int64 // bytes in buffers that are written
	nFlush   int   // buffers that are written
	waiting  int   // operations in stall
	failed   error
	closed   bool
	merges   mergeState
	reader   *DirectoryReader // the last one handed out
	readerAt int64            // changes at that time

	base      *segments.Infos // the last commit
	committed *heldCommit
	commitAt  int64 // changes at the last commit
	pins      map[*CommitPin]bool
}

// segment is a segment of the index as the writer sees it. Guarded by Writer.mu, but for name, max and core.
type segment struct {
	name    string
	max     int32 // documents, deleted ones included
	info    *lucene.SegmentCommitInfo
	live    *lucene.FixedBits // neither hard- nor soft-deleted; nil: all. Never changed in place
	hard    *lucene.FixedBits // not hard-deleted; the same as live where no soft deletes are
	dead    int32             // hard-deleted documents
	alive   int32             // documents in live
	dirty   bool              // hard is newer than the .liv file
	seq     int64             // deletes up to this sequence number are applied
	settled bool              // its generation has ended: it may be merged
	merging bool
	bytes   int64 // size of its files
	core    coreHolder
}

func (s *segment) maxDoc() int32 { return s.max }

func newSegment(info *lucene.SegmentCommitInfo) *segment {
	return &segment{name: info.Info.Name, max: info.Info.MaxDoc, info: info, alive: info.Info.MaxDoc}
}

// Open opens the index in dir for writing, or makes one if there is none, and takes the write lock.
// Files that the last commit does not name are removed.
func Open(dir store.Directory, cfg Config) (*Writer, error) {
	if err := checkSort(cfg.Sort); err != nil {
		return nil, err
	}
	lock, err := dir.Lock(store.WriteLock)
	if err != nil {
		return nil, fmt.Errorf("open index writer: %w", err)
	}
	w, err := open(dir, cfg.withDefaults(), lock)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open index writer: %w", err), lock.Close())
	}
	return w, nil
}

func (c Config) withDefaults() Config {
	if c.RAMBudget <= 0 {
		c.RAMBudget = 64 << 20
	}
	if c.MaxBuffers <= 0 {
		c.MaxBuffers = max(4, 2*runtime.GOMAXPROCS(0))
	}
	if c.MaxDocs <= 0 || c.MaxDocs > MaxDocs {
		c.MaxDocs = MaxDocs
	}
	if c.Merge == nil {
		c.Merge = DefaultMergePolicy()
	}
	if c.MergeWorkers <= 0 {
		c.MergeWorkers = defaultMergeWorkers()
	}
	return c
}

func open(dir store.Directory, cfg Config, lock io.Closer) (*Writer, error) {
	base, err := segments.ReadLatest(dir)
	if errors.Is(err, segments.ErrNoCommit) {
		base, err = segments.New(), nil
	}
	if err != nil {
		return nil, err
	}
	if base.IndexCreatedMajor < 9 || base.IndexCreatedMajor > lucene.Written.Major {
		return nil, fmt.Errorf("the index was created by Lucene %d; only those of Lucene 9 can be written to", base.IndexCreatedMajor)
	}
	if Rewritable(base) {
		return nil, fmt.Errorf("the index has segments of Lucene 10 and must be rewritten before it can be written to")
	}
	w := &Writer{
		dir: dir, cfg: cfg, fmt: newFormats(cfg), lock: lock, schema: newSchema(cfg.Sort), files: newFileRefs(dir),
		full: make(chan struct{}, 1), commit: make(chan struct{}, 1), gen: newGeneration(1), counter: base.Counter,
		base: base, pins: map[*CommitPin]bool{},
	}
	w.cond = sync.NewCond(&w.mu)
	w.ctx, w.cancel = context.WithCancel(context.Background())
	for _, sci := range base.Segments {
		seg, err := w.adopt(sci)
		if err != nil {
			w.closeSegments()
			w.cancel()
			return nil, err
		}
		w.segs = append(w.segs, seg)
	}
	if w.docs > cfg.MaxDocs {
		w.closeSegments()
		w.cancel()
		return nil, fmt.Errorf("%w: %d documents", ErrTooManyDocs, w.docs)
	}
	if err := w.removeLeftovers(); err != nil {
		w.closeSegments()
		w.cancel()
		return nil, err
	}
	w.committed = w.holdCommit(base)
	w.files.markSynced(base.Files())
	return w, nil
}

// adopt takes over a segment of the last commit.
func (w *Writer) adopt(sci *lucene.SegmentCommitInfo) (*segment, error) {
	bad := func(err error) error { return fmt.Errorf("segment %s: %w", sci.Info.Name, err) }
	if !sameSort(sci.Info.IndexSort, w.cfg.Sort) || sci.Info.IndexSortFormat != nil {
		return nil, bad(fmt.Errorf("its index sort %v is not that of the writer, %v", sci.Info.IndexSort, w.cfg.Sort))
	}
	seg := newSegment(sci.Clone())
	seg.settled = true
	r, err := seg.core.open(w.dir, seg.info)
	if err != nil {
		return nil, bad(err)
	}
	if err := w.schema.learn(r.FieldInfos()); err != nil {
		return nil, errors.Join(bad(err), seg.core.close())
	}
	seg.live, seg.hard = r.live, r.hard
	seg.dead = sci.DelCount
	seg.alive = countBits(seg.live, sci.Info.MaxDoc)
	if seg.bytes, err = sizeOf(w.dir, sci.Files()); err != nil {
		return nil, errors.Join(bad(err), seg.core.close())
	}
	w.files.hold(sci.Files())
	w.docs += int64(sci.Info.MaxDoc)
	return seg, nil
}

func (w *Writer) closeSegments() {
	for _, s := range w.segs {
		_ = s.core.close() // only readers: nothing can be lost
	}
}

func sizeOf(dir store.Directory, files []string) (int64, error) {
	var sum int64
	for _, f := range files {
		n, err := dir.Length(f)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// removeLeftovers removes the files of an index that the last commit does not name: those of a process that died, and those
// of older commits.
func (w *Writer) removeLeftovers() error {
	names, err := w.dir.List()
	if err != nil {
		return err
	}
	// the commit that was found must be durable before what it replaced goes away
	if err := w.dir.SyncMetadata(); err != nil {
		return err
	}
	keep := map[string]bool{}
	for _, f := range w.base.Files() {
		keep[f] = true
	}
	for _, name := range names {
		n, ok := segmentNumber(name)
		if ok {
			w.counter = max(w.counter, n+1)
		}
		if !ok && !strings.HasPrefix(name, segments.Prefix) && !strings.HasPrefix(name, segments.PendingPrefix) {
			continue
		}
		if keep[name] {
			continue
		}
		if err := w.dir.Remove(name); err != nil {
			return fmt.Errorf("remove a file that no commit names: %w", err)
		}
	}
	return nil
}

// segmentNumber returns the number of the segment that a file belongs to by its name: 36 for _10.cfs.
func segmentNumber(file string) (int64, bool) {
	rest, ok := strings.CutPrefix(file, "_")
	if !ok {
		return 0, false
	}
	end := strings.IndexAny(rest, "_.")
	if end < 0 {
		end = len(rest)
	}
	n, err := strconv.ParseInt(rest[:end], 36, 64)
	return n, err == nil && n >= 0
}

// fail makes the writer fail for good.
func (w *Writer) fail(err error) error {
	w.mu.Lock()
	first := w.failed == nil && !w.closed
	if first {
		w.failed = fmt.Errorf("%w: %w", ErrFailed, err)
	}
	w.cond.Broadcast()
	w.mu.Unlock()
	if first {
		w.cancel()
		if w.cfg.OnFailure != nil {
			w.cfg.OnFailure(err)
		}
	}
	return w.usable()
}

// usable returns why the writer cannot be used, or nil.
func (w *Writer) usable() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.usableLocked()
}

func (w *Writer) usableLocked() error {
	if w.failed != nil {
		return w.failed
	}
	if w.closed {
		return ErrClosed
	}
	return nil
}

// Err returns the error that made the writer fail, or nil.
func (w *Writer) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed
}

// Stats is what a Writer holds.
type Stats struct {
	Segments     int
	MaxDoc       int64 // documents in segments, deleted ones included
	NumDocs      int64 // documents in segments that are alive, as far as deletes were applied
	BufferedDocs int64
	BufferBytes  int64
	Bytes        int64 // of the segments' files
	Merging      int   // merges under way
}

// Stats returns a summary.
func (w *Writer) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := Stats{Segments: len(w.segs), BufferBytes: w.active + w.flushing, Merging: w.merges.running}
	for _, seg := range w.segs {
		s.MaxDoc += int64(seg.maxDoc())
		s.NumDocs += int64(seg.alive)
		s.Bytes += seg.bytes
	}
	s.BufferedDocs = w.docs - s.MaxDoc
	return s
}

// Rollback closes the writer and drops what was not committed.
func (w *Writer) Rollback() error {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return nil
	}
	w.closed = true
	w.cond.Broadcast()
	w.mu.Unlock()
	w.cancel()
	w.wg.Wait()
	w.commit <- struct{}{} // whoever commits, or ends a generation, is done now
	w.full <- struct{}{}
	defer func() { <-w.full; <-w.commit }() // those who wait learn that the writer is closed
	w.mu.Lock()
	for w.gen.active > 0 || w.gen.flushing > 0 {
		w.cond.Wait()
	}
	bufs := maps.Keys(w.gen.all)
	segs := append(w.segs, w.held...)
	w.segs, w.held = nil, nil
	reader := w.reader
	w.reader = nil
	w.mu.Unlock()
	var errs []error
	for b := range bufs {
		errs = append(errs, b.abandon())
	}
	for _, s := range segs {
		errs = append(errs, s.core.close())
		w.files.release(s.info.Files())
	}
	if reader != nil {
		errs = append(errs, reader.Close())
	}
	return errors.Join(append(errs, w.lock.Close())...)
}

// Close commits, keeping the user data of the last commit, and closes the writer. When the commit fails, the
// writer is closed all the same.
func (w *Writer) Close(ctx context.Context) error {
	err := w.Commit(ctx, nil)
	if errors.Is(err, ErrClosed) {
		return nil
	}
	return errors.Join(err, w.Rollback())
}
