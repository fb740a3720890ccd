package translog

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// Options tune a log. The zero value is good.
type Options struct {
	// BufferSize is the number of bytes that are gathered before they are written to the file. Two
	// buffers of it may be in use. Default 512 KiB.
	BufferSize int
	// Durability tells what Ensure does.
	Durability Durability
	// SyncInterval is the pause between two syncs with DurabilityAsync. Default 5 s.
	SyncInterval time.Duration

	fs fileSystem
}

func (o Options) withDefaults() Options {
	if o.BufferSize <= 0 {
		o.BufferSize = 512 << 10
	}
	if o.SyncInterval <= 0 {
		o.SyncInterval = 5 * time.Second
	}
	if o.fs == nil {
		o.fs = osFS{}
	}
	return o
}

// Location is where an operation's record lies.
type Location struct {
	Generation int64
	Offset     int64
	Size       int32
}

func (l Location) end() int64 { return l.Offset + int64(l.Size) }

// Less orders locations as they were added.
func (l Location) Less(o Location) bool {
	return l.Generation < o.Generation || l.Generation == o.Generation && l.Offset < o.Offset
}

// generation is one file. The log's mutex guards it.
type generation struct {
	number           int64
	path             string
	f                file
	size             int64 // with what is still in memory
	ops              int64
	minSeqNo, maxSeq int64 // -1 where there is no operation
	modified         time.Time
	refs             int // readers, and the log itself while it lists the generation
}

func (g *generation) count(seqNo int64) {
	g.ops++
	if g.minSeqNo < 0 || seqNo < g.minSeqNo {
		g.minSeqNo = seqNo
	}
	g.maxSeq = max(g.maxSeq, seqNo)
}

func (g *generation) seal() seal { return seal{ops: g.ops, minSeqNo: g.minSeqNo, maxSeq: g.maxSeq} }

// Log is a shard's operation log. Its methods may be called by any number of goroutines.
type Log struct {
	dir  string
	id   uuid
	opts Options
	fs   fileSystem

	// sync state: who syncs, and up to where it is done. Taken alone.
	syncMu  sync.Mutex
	synced  sync.Cond
	syncing bool
	done    Location // all below its offset, and all generations before, are on disk

	// ioMu serialises everything that writes to files. Taken before mu.
	ioMu       sync.Mutex
	checkpoint file
	last       checkpoint // what the newest slot says

	mu      sync.Mutex
	err     error         // ErrClosed or *FailedError: nothing works any more
	closed  bool          // the files are closed
	gens    []*generation // oldest first; the last one is written to
	buf     []byte        // the end of the newest generation, not yet written
	writing []byte        // what is being written, at writingAt of generation writingGen
	spare   []byte        // a buffer without content
	global  int64         // global checkpoint

	writingGen, writingAt int64

	background syncer
}

func (l *Log) current() *generation { return l.gens[len(l.gens)-1] }

// UUID identifies the log; a commit names it so that no other log is replayed onto it.
func (l *Log) UUID() string { return l.id.String() }

// Generation returns the generation that operations are added to.
func (l *Log) Generation() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current().number
}

// CurrentSize returns the size in bytes of the generation that operations are added to.
func (l *Log) CurrentSize() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current().size
}

// Add appends op and returns its location. The operation is not durable before Sync or Ensure with
// that location (or a later one) returned. Neither op nor its Source is kept.
func (l *Log) Add(op *Operation) (Location, error) {
	if err := op.validate(); err != nil {
		return Location{}, err
	}
	bound := maxEncodedSize(op)
	for {
		l.mu.Lock()
		if l.err != nil {
			err := l.err
			l.mu.Unlock()
			return Location{}, err
		}
		// A record larger than the buffer goes in alone, so that it need not be cut.
		if len(l.buf) == 0 || len(l.buf)+bound <= l.opts.BufferSize {
			before := len(l.buf)
			if l.buf == nil {
				l.buf, l.spare = l.spare, nil
			}
			l.buf = appendRecord(l.buf, op)
			g := l.current()
			loc := Location{Generation: g.number, Offset: g.size, Size: int32(len(l.buf) - before)}
			g.size += int64(loc.Size)
			g.count(op.SeqNo)
			l.mu.Unlock()
			return loc, nil
		}
		l.mu.Unlock()
		if err := l.makeRoom(bound); err != nil {
			return Location{}, err
		}
	}
}

// makeRoom writes the buffer to the file unless n bytes fit already.
func (l *Log) makeRoom(n int) error {
	l.ioMu.Lock()
	defer l.ioMu.Unlock()
	l.mu.Lock()
	room := len(l.buf) == 0 || len(l.buf)+n <= l.opts.BufferSize
	l.mu.Unlock()
	if room {
		return nil
	}
	return l.writeBuffer()
}

// writeBuffer writes what was added to the file. The caller holds ioMu.
func (l *Log) writeBuffer() error {
	l.mu.Lock()
	if l.err != nil {
		defer l.mu.Unlock()
		return l.err
	}
	g := l.current()
	l.detachBuffer(g)
	l.mu.Unlock()
	return l.writeDetached(g)
}

// detachBuffer moves the buffer of g aside, so that adding goes on. The caller holds ioMu and mu.
func (l *Log) detachBuffer(g *generation) {
	l.writing, l.buf = l.buf, nil
	l.writingGen, l.writingAt = g.number, g.size-int64(len(l.writing))
}

// writeDetached writes the detached buffer to g. The caller holds ioMu.
func (l *Log) writeDetached(g *generation) error {
	if len(l.writing) > 0 {
		if _, err := g.f.WriteAt(l.writing, l.writingAt); err != nil {
			return l.fail(fmt.Errorf("write %s: %w", g.path, err))
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.writing) > 0 {
		g.modified = time.Now()
	}
	// One huge operation must not keep its memory for ever.
	if cap(l.writing) <= 2*l.opts.BufferSize && cap(l.writing) > 0 {
		if l.buf == nil {
			l.buf = l.writing[:0]
		} else {
			l.spare = l.writing[:0]
		}
	}
	l.writing = nil
	return nil
}

// fail makes err the log's end and returns the error to give to the caller.
func (l *Log) fail(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = &FailedError{Dir: l.dir, Err: err}
	}
	return l.err
}

// Err returns nil as long as the log works, else ErrClosed or the *FailedError.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// SetGlobalCheckpoint records the highest sequence number up to which every copy of the shard has
// all operations. It becomes durable with the next sync and never goes back.
func (l *Log) SetGlobalCheckpoint(seqNo int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.global = max(l.global, seqNo)
}

// GlobalCheckpoint returns the highest value given to SetGlobalCheckpoint, or -1. After Open it is
// the one of the last sync.
func (l *Log) GlobalCheckpoint() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.global
}

// Close syncs what was added and closes the files. Closing again does nothing. On a failed log it
// returns the failure.
func (l *Log) Close() error {
	l.background.stop()
	err := l.SyncAll()
	if errors.Is(err, ErrClosed) {
		return nil
	}
	l.ioMu.Lock()
	defer l.ioMu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	if l.err == nil {
		l.err = ErrClosed
	}
	for _, g := range l.gens {
		if cerr := l.unref(g); err == nil && cerr != nil {
			err = fmt.Errorf("close translog: %w", cerr)
		}
	}
	l.buf, l.spare = nil, nil
	if cerr := l.checkpoint.Close(); err == nil && cerr != nil {
		err = fmt.Errorf("close translog: %w", cerr)
	}
	return err
}

// unref gives a generation back; the last one closes its file. The caller holds mu.
func (l *Log) unref(g *generation) error {
	if g.refs--; g.refs == 0 {
		return g.f.Close()
	}
	return nil
}
