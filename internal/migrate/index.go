package migrate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/shard"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/index"
	"github.com/varve-search/varve/lucene/store"
)

// Progress counts what Shard did so far. It may be read meanwhile.
type Progress struct {
	Documents, Bytes atomic.Int64 // indexed, and the length of their sources
	Refused          atomic.Int64 // documents that the mapping does not take
}

// Options say how Shard indexes.
type Options struct {
	// Partial leaves out documents that the mapping refuses, instead of failing the shard.
	Partial  bool
	Progress *Progress
	// Read, if set, is told of each document before it is indexed. Its error ends all.
	Read func(*Document) error
}

const (
	maxRefused   = 1000 // documents, after which counting ends
	maxReasons   = 5
	maxRAM       = 64 << 20
	maxInFlight  = 32
	bytesInQueue = 32 << 20 // of sources that wait to be indexed
)

// RefusedError says that documents of an old index do not fit its translated mapping.
type RefusedError struct {
	Refused, Read int64
	AtLeast       bool // there may be more: counting ended
	Reasons       []string
}

func (e *RefusedError) Error() string {
	least := ""
	if e.AtLeast {
		least = "at least "
	}
	return fmt.Sprintf("%s%d of the first %d documents cannot be indexed again (with \"partial\": true they are left out): %s", least, e.Refused, e.Read, strings.Join(e.Reasons, "; "))
}

// Shard indexes the live documents of src into a new Lucene index in dst, which must be empty, with the parser and the settings of cfg. It ends
// with a commit that a shard can be opened on (shard.Restored). Sequence numbers and versions begin anew. What it did is lost if it fails.
func Shard(ctx context.Context, src, dst store.Directory, cfg shard.Config, opts Options) error {
	if opts.Progress == nil {
		opts.Progress = &Progress{}
	}
	w, err := index.Open(dst, index.Config{
		RAMBudget: min(max(cfg.RAMBudget, 1<<20), maxRAM), MaxBuffers: 1, Sort: cfg.Sort, BestCompression: cfg.BestCompression, NoCompound: cfg.NoCompound, NoMerges: cfg.NoMerges,
		OnMergeError: func(err error) {
			cfg.Log.Warn("a merge failed", "index", cfg.Index, "shard", cfg.ID, "error", err)
		},
	})
	if err != nil {
		return err
	}
	m := &migration{cfg: cfg, opts: opts, writer: w}
	err = m.run(ctx, src)
	if err == nil {
		err = m.finish(ctx)
	}
	return errors.Join(err, w.Rollback()) // of what was committed nothing is taken back
}

// migration is one shard under way: one goroutine reads, several parse, one writes in the order of reading.
type migration struct {
	cfg    shard.Config
	opts   Options
	writer *index.Writer

	written int64
	segment string // that the last document came from
	refused RefusedError
}

// work is a document on its way.
type work struct {
	id, routing string
	source      []byte
	segment     string
	parsed      shard.Parsed
	err         error
	done        chan struct{}
}

func (m *migration) run(ctx context.Context, src store.Directory) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	parse, ordered := make(chan *work, maxInFlight), make(chan *work, maxInFlight)
	budget := newBudget(bytesInQueue)
	var wg sync.WaitGroup
	var readErr error
	wg.Go(func() {
		defer close(ordered)
		defer close(parse)
		readErr = store.Guard(func() error {
			return Documents(ctx, src, true, func(d *Document) error { return m.send(ctx, d, budget, parse, ordered) })
		})
	})
	for range min(4, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for j := range parse {
				j.parsed, j.err = m.cfg.Parser.Parse(ctx, j.id, j.routing, j.source)
				close(j.done)
			}
		})
	}
	var writeErr error
	for j := range ordered {
		<-j.done
		if writeErr == nil {
			if writeErr = m.write(ctx, j); writeErr != nil {
				cancel()
			}
		}
		if j.parsed != nil {
			j.parsed.Release()
		}
		budget.give(len(j.source))
	}
	wg.Wait()
	if writeErr != nil {
		return writeErr
	}
	if readErr != nil {
		return readErr
	}
	if m.refused.Refused > 0 && !m.opts.Partial {
		m.refused.Read = m.opts.Progress.Documents.Load() + m.refused.Refused
		return &m.refused
	}
	return nil
}

func (m *migration) send(ctx context.Context, d *Document, b *budget, to ...chan *work) error {
	if d.Source == nil {
		return fmt.Errorf("[%s] has no _source, so that it cannot be indexed again", d.ID)
	}
	if m.opts.Read != nil {
		if err := m.opts.Read(d); err != nil {
			return err
		}
	}
	if err := b.take(ctx, len(d.Source)); err != nil {
		return err
	}
	j := &work{id: d.ID, routing: d.Routing, segment: d.Segment, source: append([]byte(nil), d.Source...), done: make(chan struct{})}
	for _, c := range to {
		select {
		case c <- j:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// write indexes a parsed document, or counts one that was refused.
func (m *migration) write(ctx context.Context, j *work) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p := m.opts.Progress
	if j.err != nil && !refusal(j.err) {
		return fmt.Errorf("prepare document [%s]: %w", j.id, j.err)
	}
	if j.err != nil {
		m.refused.Refused++
		p.Refused.Add(1)
		if len(m.refused.Reasons) < maxReasons {
			m.refused.Reasons = append(m.refused.Reasons, fmt.Sprintf("[%s]: %v", j.id, j.err))
		}
		if m.refused.Refused >= maxRefused && !m.opts.Partial {
			m.refused.AtLeast, m.refused.Read = true, p.Documents.Load()+m.refused.Refused
			return &m.refused
		}
		return nil
	}
	if m.refused.Refused == 0 || m.opts.Partial { // else the shard fails: the rest is only counted
		if err := m.boundary(ctx, j.segment); err != nil {
			return err
		}
		j.parsed.SetSequence(m.written, m.cfg.PrimaryTerm, 1)
		keepSource(j.parsed.Documents(), j.source)
		if _, err := m.writer.AddDocuments(ctx, j.parsed.Documents()...); err != nil {
			return fmt.Errorf("index document [%s]: %w", j.id, err)
		}
		m.written++
	}
	p.Documents.Add(1)
	p.Bytes.Add(int64(len(j.source)))
	return nil
}

// boundary ends a segment where the old index has one, so that documents keep their order.
func (m *migration) boundary(ctx context.Context, segment string) error {
	if m.segment == "" || m.segment == segment {
		m.segment = segment
		return nil
	}
	m.segment = segment
	r, err := m.writer.Reader(ctx) // which writes what is buffered
	if err != nil {
		return err
	}
	return r.Close()
}

// keepSource stores the source as it was. Where the mapping filters it, it was filtered before, and would not come out the same a
// second time: objects that became empty would be dropped.
func keepSource(docs []*lucene.Document, source []byte) {
	root := docs[len(docs)-1]
	for i := range root.Fields {
		if f := &root.Fields[i]; f.Name == "_source" && f.Stored.Kind == lucene.StoredBytes {
			f.Stored.Bytes = source
		}
	}
}

// refusal tells a document that the mapping does not take from what kept it from being asked.
func refusal(err error) bool {
	e := apierr.As(err)
	return e != nil && e.Status == http.StatusBadRequest
}

func (m *migration) finish(ctx context.Context) error {
	if n := m.refused.Refused; n > 0 {
		m.log().Warn("documents of an old index could not be indexed again and were left out", "documents", n, "reasons", m.refused.Reasons)
	}
	last := strconv.FormatInt(m.written-1, 10)
	return m.writer.Commit(ctx, map[string]string{"max_seq_no": last, "local_checkpoint": last})
}

func (m *migration) log() *slog.Logger {
	return m.cfg.Log.With("index", m.cfg.Index, "shard", m.cfg.ID)
}

// budget bounds the bytes that are under way.
type budget struct {
	mu    sync.Mutex
	free  int
	ready chan struct{} // closed and replaced when bytes come back
	limit int
}

func newBudget(n int) *budget { return &budget{free: n, limit: n, ready: make(chan struct{})} }

// take waits for n bytes. A document larger than all of them waits until nothing else is under way.
func (b *budget) take(ctx context.Context, n int) error {
	n = min(n, b.limit)
	for {
		b.mu.Lock()
		if b.free >= n {
			b.free -= n
			b.mu.Unlock()
			return nil
		}
		ready := b.ready
		b.mu.Unlock()
		select {
		case <-ready:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (b *budget) give(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free += min(n, b.limit)
	close(b.ready)
	b.ready = make(chan struct{})
}
