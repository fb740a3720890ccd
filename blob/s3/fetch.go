package s3

import (
	"io"
)

// fetch is a window of a blob that is read into memory before somebody asks for it.
type fetch struct {
	off  int64
	buf  []byte
	err  error
	done chan struct{}
}

// fetchAhead starts fetches of what follows, as far as there is memory.
func (r *blobReader) fetchAhead() {
	for len(r.fetched) < ahead && r.next < r.end {
		n := min(window, r.end-r.next)
		if !getBudget.TryAcquire(weight(n)) {
			return
		}
		f := &fetch{off: r.next, buf: newBuffer(n), done: make(chan struct{})}
		r.fetched = append(r.fetched, f)
		r.next += n
		go func() {
			defer close(f.done)
			f.err = r.fill(f)
		}()
	}
}

// fill reads a window. It does not try again: the reader does, from where it is.
func (r *blobReader) fill(f *fetch) error {
	out, err := r.request(f.off, f.off+int64(len(f.buf)))
	if err != nil {
		return err
	}
	defer out.Body.Close()
	if out.ContentRange == nil {
		return io.ErrUnexpectedEOF
	}
	if first, _, _, err := parseContentRange(*out.ContentRange); err != nil || first != f.off {
		return io.ErrUnexpectedEOF
	}
	_, err = io.ReadFull(out.Body, f.buf)
	return err
}

// release waits for the fetch and gives its memory back.
func (f *fetch) release() {
	<-f.done
	n := weight(int64(len(f.buf)))
	freeBuffer(f.buf)
	f.buf = nil
	getBudget.Release(n)
}

// readFetched reads from the first fetch. Neither bytes nor an error mean that it is used up.
func (r *blobReader) readFetched(p []byte) (int, error) {
	f := r.fetched[0]
	<-f.done // ends with the context
	end := f.off + int64(len(f.buf))
	if f.err == nil && r.pos < end {
		n := copy(p, f.buf[r.pos-f.off:])
		r.pos += int64(n)
		r.failures = 0
		if r.pos == end {
			r.drop()
		}
		return n, nil
	}
	err := f.err
	r.drop()
	if err == nil {
		return 0, nil
	}
	return 0, r.again(err, end)
}

// drop gives up the first fetch and starts another at the end.
func (r *blobReader) drop() {
	r.fetched[0].release()
	r.fetched = r.fetched[1:]
	r.fetchAhead()
}
