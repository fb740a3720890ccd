package index

import (
	"context"
	"fmt"
	"strconv"

	"github.com/varve-search/varve/lucene"
)

// midwayLimit is how many segments a generation may flush before it is ended: they cannot be merged earlier.
const midwayLimit = 8

// AddDocuments adds a block of documents that stay together: nested documents first, their root last; most
// blocks are one document. It returns the operation's sequence number. A *SchemaError, an *ImmenseTermError and errors
// of the analysis refuse the block and leave nothing of it; see ErrFailed for errors that end the writer.
// The documents may be reused after the call. ctx limits only the wait for memory.
func (w *Writer) AddDocuments(ctx context.Context, block ...*lucene.Document) (int64, error) {
	return w.write(ctx, nil, block)
}

// UpdateDocuments is AddDocuments after deleting all documents with the term, as one step.
func (w *Writer) UpdateDocuments(ctx context.Context, term lucene.Term, block ...*lucene.Document) (int64, error) {
	if len(term.Bytes) > maxTermLength {
		return 0, immense(term.Field, term.Bytes)
	}
	return w.write(ctx, &term, block)
}

// DeleteTerm deletes the documents with the term that were added before.
func (w *Writer) DeleteTerm(ctx context.Context, term lucene.Term) (int64, error) {
	if len(term.Bytes) > maxTermLength {
		return 0, nil // no document can have it
	}
	return w.write(ctx, &term, nil)
}

// write is one operation: wait for memory, take a buffer of the current generation, add, take a sequence number.
func (w *Writer) write(ctx context.Context, term *lucene.Term, block []*lucene.Document) (int64, error) {
	if len(block) > 1 && len(w.cfg.Sort) > 0 {
		return 0, ErrBlocksInSortedIndex
	}
	gen, b, err := w.begin(ctx, len(block))
	if err != nil {
		return 0, err
	}
	var seq int64
	var opErr error
	unused := len(block)
	if b != nil {
		before := b.numDocs
		opErr = b.add(block)
		unused -= int(b.numDocs - before)
	}
	if opErr == nil {
		seq = gen.sequence(term)
		if b != nil {
			b.seal(seq)
		}
	}
	victim, endGen := w.end(gen, b, unused)
	if victim != nil {
		if err := w.flushMidway(gen, victim); err != nil {
			return 0, err
		}
	}
	if b != nil && b.err != nil {
		return 0, w.fail(b.err)
	}
	if endGen {
		if err := w.endGeneration(ctx, nil); err != nil && ctx.Err() == nil {
			return 0, err
		}
	}
	return seq, opErr
}

// begin waits while too much memory is in use, and enters the current generation with a buffer for n documents.
func (w *Writer) begin(ctx context.Context, n int) (*generation, *buffer, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.stall(ctx, n); err != nil {
		return nil, nil, err
	}
	if w.docs+int64(n) > w.cfg.MaxDocs {
		return nil, nil, fmt.Errorf("%w: the limit is %d", ErrTooManyDocs, w.cfg.MaxDocs)
	}
	w.docs += int64(n)
	gen := w.gen
	gen.active++
	if n == 0 {
		return gen, nil, nil
	}
	if last := len(gen.idle) - 1; last >= 0 {
		b := gen.idle[last]
		gen.idle = gen.idle[:last]
		b.inUse = true
		return gen, b, nil
	}
	b := w.newBuffer()
	gen.all[b] = true
	return gen, b, nil
}

// stall waits while buffers hold twice the budget and some are being written, merges are far behind, or, for documents,
// all buffers are in use. More buffers would become more and smaller segments, and no more work gets done at once.
func (w *Writer) stall(ctx context.Context, docs int) error {
	var stop func() bool
	for {
		if err := w.usableLocked(); err != nil {
			return err
		}
		full := w.nFlush > 0 && w.active+w.flushing > 2*w.cfg.RAMBudget
		taken := docs > 0 && len(w.gen.idle) == 0 && len(w.gen.all) >= w.cfg.MaxBuffers
		if !full && !taken && !w.merges.behind() {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("wait for the index to write its buffers: %w", err)
		}
		if stop == nil {
			stop = context.AfterFunc(ctx, func() {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.cond.Broadcast()
			})
			defer stop()
		}
		w.waiting++
		w.cond.Wait()
		w.waiting--
	}
}

func (w *Writer) newSegmentName() string {
	name := "_" + strconv.FormatInt(w.counter, 36)
	w.counter++
	return name
}

func (w *Writer) newBuffer() *buffer {
	si := newSegmentInfo(w.newSegmentName(), w.cfg.Sort, "flush")
	b := newBuffer(si, w.schema, newTrackingDirectory(w.dir, nil))
	b.open, b.openTV = w.fmt.bufferStoredFields, w.fmt.bufferTermVectors
	b.inUse = true
	return b
}

// newSegmentInfo describes a segment that is about to be written.
func newSegmentInfo(name string, sort []lucene.SortField, source string) *lucene.SegmentInfo {
	v := lucene.Written
	return &lucene.SegmentInfo{
		Name: name, ID: lucene.NewID(), Version: v, MinVersion: &v, Codec: currentCodec, IndexSort: sort,
		Diagnostics: map[string]string{"source": source, "lucene.version": v.String(), "writer": "varve"},
		Attributes:  map[string]string{},
	}
}

// end leaves the generation; unused is how many documents were announced and not added. It returns a buffer that is to be flushed now, and whether the generation should be ended.
func (w *Writer) end(gen *generation, b *buffer, unused int) (victim *buffer, endGen bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.docs -= int64(unused)
	gen.active--
	if w.waiting > 0 {
		w.cond.Broadcast()
	}
	if b != nil {
		b.inUse = false
		w.active += b.ram - b.counted
		b.counted = b.ram
		switch {
		case gen.closed:
			gen.flush = append(gen.flush, b)
		case b.pending || b.ram > maxBufferBytes:
			victim = b
		default:
			gen.idle = append(gen.idle, b)
		}
	}
	if gen.closed {
		if gen.active == 0 {
			w.cond.Broadcast()
		}
		return nil, false
	}
	if w.closed && gen.active == 0 {
		w.cond.Broadcast()
	}
	deletes := gen.deleteRAM()
	if victim == nil && w.active+deletes > w.cfg.RAMBudget && w.usableLocked() == nil {
		victim = gen.largest()
		if victim != nil && victim.inUse {
			victim.pending = true
			victim = nil
		}
	}
	if victim != nil {
		gen.detach(victim)
		gen.flushing++
		w.startFlush(victim)
	}
	endGen = (gen.midway >= midwayLimit || deletes > w.cfg.RAMBudget/4) && !gen.ending && w.usableLocked() == nil
	gen.ending = gen.ending || endGen
	return victim, endGen
}

// startFlush moves the memory of a buffer from active to flushing.
func (w *Writer) startFlush(b *buffer) {
	w.active -= b.counted
	w.flushing += b.counted
	w.nFlush++
}

func (w *Writer) endFlush(b *buffer) {
	w.flushing -= b.counted
	w.nFlush--
	w.cond.Broadcast()
}

// largest returns the largest buffer that is not to be flushed anyway.
func (g *generation) largest() *buffer {
	var best *buffer
	for b := range g.all {
		if !b.pending && (best == nil || b.counted > best.counted) {
			best = b
		}
	}
	return best
}

// detach takes a buffer that is not in use out of the generation.
func (g *generation) detach(b *buffer) {
	delete(g.all, b)
	for i, o := range g.idle {
		if o == b {
			g.idle[i] = g.idle[len(g.idle)-1]
			g.idle = g.idle[:len(g.idle)-1]
			return
		}
	}
}

// flushMidway writes a buffer because memory is short; its generation goes on.
func (w *Writer) flushMidway(gen *generation, b *buffer) error {
	seq, deletes := gen.cut()
	f, err := b.flush(seq, &deletes, w.fmt, !w.cfg.NoCompound)
	var seg *segment
	if err == nil && f != nil {
		seg, err = w.newSegment(f)
	}
	w.mu.Lock()
	gen.flushing--
	w.endFlush(b)
	w.docs -= int64(b.numDocs)
	if seg != nil {
		w.docs += int64(b.numDocs)
		gen.midway++
		if w.inFull && !gen.closed {
			w.held = append(w.held, seg)
		} else {
			w.segs = append(w.segs, seg)
			w.changes++
		}
	}
	w.mu.Unlock()
	if err != nil {
		return w.fail(err)
	}
	return nil
}

// newSegment makes a segment of what was flushed.
func (w *Writer) newSegment(f *flushed) (*segment, error) {
	size, err := sizeOf(w.dir, f.info.Files())
	if err != nil {
		return nil, err
	}
	s := newSegment(f.info)
	s.live, s.hard, s.dead, s.dirty = f.live, f.live, f.dead, f.dead > 0
	s.alive, s.seq, s.bytes = s.max-f.dead, f.seq, size
	w.files.hold(f.info.Files())
	return s, nil
}
