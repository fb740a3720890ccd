package repotool

import (
	"bufio"
	"bytes"
	"container/heap"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"

	"github.com/varve-search/varve/internal/migrate"
	"github.com/varve-search/varve/internal/uid"
	"github.com/varve-search/varve/lucene/store"
	"github.com/varve-search/varve/repository"
	"github.com/varve-search/varve/repository/snapshotdir"
)

// Segments of Lucene 8 and older are read by their stored documents alone, which come in no order of ids. They are sorted in runs of
// so many bytes, which go into a temporary file each; without --source a document's sum stands for it. Tests shorten it.
var runBytes = 32 << 20

// oldDirectory opens a shard that has segments of Lucene 8 or older; nil if it has none.
func (d *differ) oldDirectory(s *side, n int) (*snapshotdir.Directory, error) {
	if v, err := migrate.CreatedBy(s.meta); err != nil || !migrate.Old(v) {
		return nil, nil //nolint:nilerr // who reads the index natively tells what is wrong with it
	}
	sh, err := d.r.Shard(d.ctx, s.ix, n)
	if err != nil {
		return nil, err
	}
	dir, err := snapshotdir.Open(d.ctx, sh, s.id, d.cache)
	var missing *repository.MissingSnapshotError
	if errors.As(err, &missing) {
		return nil, errShardFailed
	}
	if err != nil {
		return nil, err
	}
	if old, err := migrate.HasOldSegments(dir); err != nil || !old {
		return nil, err
	}
	return dir, nil
}

// sortedRuns reads the documents of a shard into sorted runs. The cursors must be closed.
func (d *differ) sortedRuns(dir store.Directory) (out []*docCursor, err error) {
	defer func() {
		if err != nil {
			closeRuns(out)
			out = nil
		}
	}()
	w := &runWriter{}
	flush := func() error {
		cur, err := w.flush()
		if cur != nil {
			out = append(out, cur)
		}
		return err
	}
	doc := &docReader{}
	err = store.Guard(func() error {
		return migrate.Documents(d.ctx, dir, false, func(m *migrate.Document) error {
			doc.reset()
			doc.id, doc.hasID = uid.Encode(doc.id, m.ID), true
			doc.routing, doc.hasRouting = append(doc.routing, m.Routing...), m.HasRouting
			if doc.hasSource = m.Source != nil; doc.hasSource && d.o.Source {
				doc.source = append(doc.source, m.Source...)
			} else if doc.hasSource {
				doc.sum, doc.hasSum = sha256.Sum256(m.Source), true
			}
			w.add(doc)
			if w.size >= runBytes {
				return flush()
			}
			return nil
		})
	})
	if err == nil {
		err = flush()
	}
	if err == nil {
		out, err = d.merged(out)
	}
	return out, err
}

// closeRuns removes the files of cursors over runs.
func closeRuns(list []*docCursor) {
	for _, c := range list {
		if c.run != nil {
			c.run.close()
		}
	}
}

// runWriter collects documents and writes them in the order of their ids.
type runWriter struct {
	docs [][]byte // encoded; they begin with the length of the id and the id
	size int
}

const (
	runRouting = 1 << iota
	runSource
	runSum
)

func (w *runWriter) add(d *docReader) {
	b := binary.AppendUvarint(nil, uint64(len(d.id)))
	b = append(b, d.id...)
	flags := byte(0)
	if d.hasRouting {
		flags |= runRouting
	}
	content := d.source
	switch {
	case d.hasSum:
		flags |= runSum
		content = d.sum[:]
	case d.hasSource:
		flags |= runSource
	}
	b = append(b, flags)
	for _, part := range [][]byte{d.routing, content} {
		b = binary.AppendUvarint(b, uint64(len(part)))
		b = append(b, part...)
	}
	w.docs = append(w.docs, b)
	w.size += len(b) + 64
}

func runID(b []byte) []byte {
	n, at := binary.Uvarint(b)
	return b[at : at+int(n)]
}

// flush writes what was collected into a run; nil if there is nothing.
func (w *runWriter) flush() (*docCursor, error) {
	if len(w.docs) == 0 {
		return nil, nil
	}
	slices.SortFunc(w.docs, func(a, b []byte) int { return bytes.Compare(runID(a), runID(b)) })
	c, err := newRun(slices.Values(w.docs))
	w.docs, w.size = nil, 0
	return c, err
}

// newRun writes encoded documents into a file, and returns a cursor on it.
func newRun(docs iter.Seq[[]byte]) (_ *docCursor, err error) {
	f, err := os.CreateTemp("", "varve-diff-")
	if err != nil {
		return nil, fmt.Errorf("sort documents: %w", err)
	}
	r := &run{f: f}
	out := bufio.NewWriterSize(f, runBuffer)
	for b := range docs {
		if _, err = out.Write(binary.AppendUvarint(nil, uint64(len(b)))); err == nil {
			_, err = out.Write(b)
		}
		if err != nil {
			break
		}
	}
	if err == nil {
		err = out.Flush()
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		r.close()
		return nil, fmt.Errorf("sort documents: %w", err)
	}
	r.in = bufio.NewReaderSize(f, runBuffer)
	return &docCursor{run: r}, nil
}

// run is a file of documents sorted by id.
type run struct {
	f   *os.File
	in  *bufio.Reader
	cur []byte // the current document
}

func (r *run) close() {
	_ = r.f.Close() // it is read, or given up
	_ = os.Remove(r.f.Name())
}

// next returns the next id; nil at the end.
func (r *run) next() ([]byte, error) {
	n, err := binary.ReadUvarint(r.in)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err == nil {
		r.cur = slices.Grow(r.cur[:0], int(n))[:n]
		_, err = io.ReadFull(r.in, r.cur)
	}
	if err != nil {
		return nil, fmt.Errorf("read sorted documents: %w", err)
	}
	return runID(r.cur), nil
}

// read decodes the current document.
func (r *run) read(d *docReader) {
	d.reset()
	b := r.cur
	part := func() []byte {
		n, at := binary.Uvarint(b)
		p := b[at : at+int(n)]
		b = b[at+int(n):]
		return p
	}
	d.id, d.hasID = append(d.id, part()...), true
	flags := b[0]
	b = b[1:]
	d.hasRouting = flags&runRouting != 0
	d.routing = append(d.routing, part()...)
	content := part()
	switch {
	case flags&runSum != 0:
		d.hasSource, d.hasSum = true, true
		copy(d.sum[:], content)
	case flags&runSource != 0:
		d.hasSource = true
		d.source = append(d.source, content...)
	}
}

// mostRuns is how many runs are read at once: each costs a buffer and an open file.
const (
	mostRuns  = 64
	runBuffer = 128 << 10
)

// merged makes one run of many until they are few enough. The runs that it returns must be closed, also with an error.
func (d *differ) merged(runs []*docCursor) ([]*docCursor, error) {
	for len(runs) > mostRuns {
		var h docHeap
		for _, c := range runs[:mostRuns] {
			if ok, err := c.next(); err != nil {
				return runs, err
			} else if ok {
				h = append(h, c)
			}
		}
		heap.Init(&h)
		var failed error
		one, err := newRun(func(yield func([]byte) bool) {
			for len(h) > 0 && failed == nil && yield(h[0].run.cur) {
				failed = errors.Join(h.advance(), d.ctx.Err())
			}
		})
		if err == nil && failed != nil {
			one.run.close()
		}
		if err = errors.Join(err, failed); err != nil {
			return runs, err
		}
		closeRuns(runs[:mostRuns])
		runs = append(runs[mostRuns:len(runs):len(runs)], one)
	}
	return runs, nil
}
