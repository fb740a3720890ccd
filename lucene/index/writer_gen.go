package index

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/store"
)

// endGeneration writes all buffers and applies all deletes of the operations so far, and calls then while no segment can
// change: all operations that returned before are in, and none of those that begin later. Errors of writing fail the writer.
func (w *Writer) endGeneration(ctx context.Context, then func() error) error {
	select {
	case w.full <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("wait for another flush of the index: %w", ctx.Err())
	}
	defer func() { <-w.full }()
	old, bufs, seq, err := w.nextGeneration()
	if err != nil {
		return err
	}
	if old == nil {
		err = w.frozen(then)
	} else {
		err = w.writeGeneration(old, bufs, seq, then)
	}
	w.mu.Lock()
	w.inFull = false
	if len(w.held) > 0 {
		w.segs = append(w.segs, w.held...)
		w.held = nil
		w.changes++
	}
	w.mu.Unlock()
	if old != nil {
		w.maybeMerge()
	}
	return err
}

// writeGeneration writes the buffers of a generation that has ended, and applies its deletes.
func (w *Writer) writeGeneration(old *generation, bufs []*buffer, seq int64, then func() error) error {
	segs, err := w.flushAll(bufs, seq, old)
	w.mu.Lock()
	for old.flushing > 0 {
		w.cond.Wait()
	}
	w.segs = append(w.segs, segs...)
	if len(segs) > 0 {
		w.changes++
	}
	w.mu.Unlock()
	if err == nil {
		err = w.usable() // a buffer that was flushed midway may be lost
	}
	if err != nil {
		return w.fail(err)
	}
	_, deletes := old.cut()
	return w.frozen(func() error {
		if err := w.applyDeletes(&deletes, seq); err != nil {
			return w.fail(err)
		}
		if then == nil {
			return nil
		}
		return then()
	})
}

// frozen calls fn while the deletes of segments cannot change and merges cannot swap segments.
func (w *Writer) frozen(fn func() error) error {
	if fn == nil {
		return nil
	}
	w.segMu.Lock()
	defer w.segMu.Unlock()
	return store.Guard(fn)
}

// nextGeneration begins the next generation and waits for the operations of the old one. It returns the old one's
// buffers and the last sequence number that it may have used; nil where it did nothing. In either case segments that are flushed
// from now on are held back until the caller clears inFull: they hold documents whose deletes are not applied yet.
func (w *Writer) nextGeneration() (*generation, []*buffer, int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.usableLocked(); err != nil {
		return nil, nil, 0, err
	}
	old := w.gen
	w.inFull = true
	if !old.changed() {
		return nil, nil, 0, nil
	}
	old.mu.Lock()
	next := old.next + int64(old.active) // operations under way still take a number each
	old.mu.Unlock()
	w.gen = newGeneration(next)
	old.closed = true
	old.flush = append(old.flush, old.idle...)
	old.idle = nil
	w.cond.Broadcast() // the next generation has no buffer in use
	for old.active > 0 {
		w.cond.Wait()
	}
	for _, b := range old.flush {
		w.startFlush(b)
	}
	clear(old.all)
	return old, old.flush, next - 1, nil
}

// changed tells whether a generation has anything to write. Guarded by Writer.mu.
func (g *generation) changed() bool {
	if g.active > 0 || g.flushing > 0 || g.midway > 0 {
		return true
	}
	for b := range g.all {
		if b.numDocs > 0 {
			return true
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.deletes.entries) > 0
}

// flushAll writes buffers, several at once.
func (w *Writer) flushAll(bufs []*buffer, seq int64, gen *generation) ([]*segment, error) {
	_, deletes := gen.cut()
	slices.SortFunc(bufs, func(a, b *buffer) int { return int(b.numDocs) - int(a.numDocs) })
	var (
		mu   sync.Mutex
		errs []error
		wg   sync.WaitGroup
		out  = make([]*segment, len(bufs))
		next = 0
	)
	work := func() error {
		for {
			mu.Lock()
			i := next
			next++
			mu.Unlock()
			if i >= len(bufs) {
				return nil
			}
			seg, err := w.flushOne(bufs[i], seq, &deletes)
			if err != nil {
				return err
			}
			out[i] = seg
		}
	}
	for range min(len(bufs), runtime.GOMAXPROCS(0)) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := store.Guard(work); err != nil {
				mu.Lock()
				errs = append(errs, err)
				mu.Unlock()
			}
		}()
	}
	wg.Wait()
	if len(errs) > 0 {
		for _, b := range bufs { // those that were not reached
			errs = append(errs, b.abandonIfOpen())
		}
	}
	out = slices.DeleteFunc(out, func(s *segment) bool { return s == nil })
	return out, errors.Join(errs...)
}

// abandonIfOpen drops a buffer that no flush took.
func (b *buffer) abandonIfOpen() error {
	if b.stored == nil && b.vectors == nil {
		return nil
	}
	return b.abandon()
}

func (w *Writer) flushOne(b *buffer, seq int64, deletes *deleteLog) (*segment, error) {
	f, err := b.flush(seq, deletes, w.fmt, !w.cfg.NoCompound)
	var seg *segment
	if err == nil && f != nil {
		seg, err = w.newSegment(f)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.endFlush(b)
	if seg == nil {
		w.docs -= int64(b.numDocs)
	}
	return seg, err
}

// applyDeletes applies a generation's deletes to all segments, and drops those of which nothing is left. It is called
// with segMu held.
func (w *Writer) applyDeletes(log *deleteLog, seq int64) error {
	w.mu.Lock()
	segs := slices.Clone(w.segs)
	w.mu.Unlock()
	terms := log.byTerm()
	var changed []*deleter
	for _, s := range segs {
		d := &deleter{seg: s}
		for _, f := range terms {
			if err := s.deleteTerms(w.dir, f, d); err != nil {
				return fmt.Errorf("apply deletes to segment %s: %w", s.name, err)
			}
		}
		if d.n > 0 {
			changed = append(changed, d)
		}
	}
	w.commitDeletes(changed)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range segs {
		s.seq, s.settled = seq, true
	}
	return nil
}

// commitDeletes makes the deletes visible. It is called with segMu held.
func (w *Writer) commitDeletes(changed []*deleter) {
	if len(changed) == 0 {
		return
	}
	w.mu.Lock()
	var gone []*segment
	for _, d := range changed {
		s := d.seg
		s.live, s.hard = d.live, d.hard
		s.dead += d.n
		s.alive -= d.n
		s.dirty = true
		if s.alive == 0 && !s.merging {
			gone = append(gone, s)
		}
	}
	w.dropLocked(gone)
	w.changes++
	w.mu.Unlock()
	w.discard(gone)
}

// dropLocked takes segments out of the list.
func (w *Writer) dropLocked(gone []*segment) {
	w.segs = slices.DeleteFunc(w.segs, func(s *segment) bool { return slices.Contains(gone, s) })
	for _, s := range gone {
		w.docs -= int64(s.maxDoc())
	}
	w.changes++
}

// discard gives up segments that are no longer in the list.
func (w *Writer) discard(gone []*segment) {
	for _, s := range gone {
		_ = s.core.close() // a reader: nothing can be lost
		w.files.release(s.info.Files())
	}
}

// deleteTerms deletes a segment's documents with the terms of a field, those whose delete came after the segment.
func (s *segment) deleteTerms(dir store.Directory, f fieldDeletes, d *deleter) error {
	newest := slices.MaxFunc(f.seqs, func(a, b int64) int { return int(max(-1, min(1, a-b))) })
	if newest <= s.seq {
		return nil
	}
	r, err := s.core.open(dir, s.info)
	if err != nil {
		return err
	}
	terms, err := r.Terms(f.field)
	if err != nil || terms == nil {
		return err
	}
	it, err := terms.Iterator()
	if err != nil {
		return err
	}
	var reuse lucene.PostingsEnum
	for i, term := range f.terms {
		if f.seqs[i] <= s.seq {
			continue
		}
		found, err := it.SeekExact(term)
		if err != nil {
			return err
		}
		if !found {
			continue
		}
		if reuse, err = it.Postings(reuse, lucene.PostingsNone); err != nil {
			return err
		}
		for {
			doc, err := reuse.Next()
			if err != nil {
				return err
			}
			if doc == lucene.NoMoreDocs {
				break
			}
			if err := d.delete(doc); err != nil {
				return err
			}
		}
	}
	return nil
}

// DeleteWhere deletes the documents that choose names, leaf by leaf, of those added before: choose calls del for
// each. It is for rare and large deletes; the segments are written and asked at once. It returns a sequence number.
func (w *Writer) DeleteWhere(ctx context.Context, choose func(ctx context.Context, leaf lucene.LeafReader, del func(doc int32) error) error) (int64, error) {
	var seq int64
	err := w.endGeneration(ctx, func() error {
		w.mu.Lock()
		segs := slices.Clone(w.segs)
		seq = w.gen.sequence(nil)
		w.mu.Unlock()
		var changed []*deleter
		for _, s := range segs {
			leaf, err := w.leafOf(s)
			if err != nil {
				return err
			}
			d := &deleter{seg: s}
			err = choose(ctx, leaf, d.delete)
			if err = errors.Join(err, leaf.Close()); err != nil {
				return fmt.Errorf("choose documents of segment %s to delete: %w", s.name, err)
			}
			if d.n > 0 {
				changed = append(changed, d)
			}
		}
		w.commitDeletes(changed)
		return nil
	})
	return seq, err
}
