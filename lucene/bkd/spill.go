package bkd

// Points that do not fit the memory budget lie in temporary files, as plain records, until the tree is written.

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/store"
)

// Spill is where a Builder puts points beyond its budget. A zero Spill keeps all in memory.
type Spill struct {
	Dir    store.Directory
	Prefix string // of the temporary files' names, which end in .tmp
	Budget int64  // bytes of points in memory; sorting takes the same again
}

// DefaultBudget is enough for five million points of eight bytes without a temporary file.
const DefaultBudget = 64 << 20

// spillFile is a temporary file of records.
type spillFile struct {
	name  string
	count int64
	crc   uint32
}

// spiller makes, reads and removes temporary files.
type spiller struct {
	Spill
	width int
	next  int
	names map[string]bool
}

func (s *spiller) remove(f *spillFile) error {
	delete(s.names, f.name)
	return s.Dir.Remove(f.name)
}

// cleanup removes what an error left behind.
func (s *spiller) cleanup() error {
	var errs []error
	for name := range s.names {
		errs = append(errs, s.Dir.Remove(name))
	}
	clear(s.names)
	return errors.Join(errs...)
}

// create returns a new file.
func (s *spiller) create() (*store.Output, error) {
	s.next++
	name := fmt.Sprintf("%s_%d.tmp", s.Prefix, s.next)
	out, err := s.Dir.Create(name)
	if err != nil {
		return nil, err
	}
	if s.names == nil {
		s.names = map[string]bool{}
	}
	s.names[name] = true
	return out, nil
}

func (s *spiller) finish(out *store.Output) (*spillFile, error) {
	f := &spillFile{name: out.Name(), count: out.FilePointer() / int64(s.width), crc: out.Checksum()}
	return f, out.Close()
}

func (s *spiller) write(recs []byte) (*spillFile, error) {
	out, err := s.create()
	if err != nil {
		return nil, err
	}
	out.PutBytes(recs)
	return s.finish(out)
}

// each calls fn for the records of a file, many at a time, and verifies its checksum.
func (s *spiller) each(f *spillFile, fn func(recs []byte) error) error {
	r, err := s.open(f, 1<<20)
	if err != nil {
		return err
	}
	defer r.in.Close()
	for {
		recs, err := r.read()
		if err != nil || recs == nil {
			return err
		}
		if err := fn(recs); err != nil {
			return err
		}
	}
}

// spillReader reads a file from front to back.
type spillReader struct {
	f    *spillFile
	in   store.Input
	off  int64
	step int64
	crc  uint32
}

func (s *spiller) open(f *spillFile, step int) (*spillReader, error) {
	in, err := s.Dir.Open(f.name, store.Sequential)
	if err != nil {
		return nil, err
	}
	if in.Length() != f.count*int64(s.width) {
		return nil, errors.Join(store.Corruptf(f.name, -1, "the file has %d bytes, %d were written", in.Length(), f.count*int64(s.width)), in.Close())
	}
	return &spillReader{f: f, in: in, step: int64(max(step/s.width, 1) * s.width)}, nil
}

// read returns the next records, or nil after the last.
func (r *spillReader) read() ([]byte, error) {
	n := min(r.step, r.in.Length()-r.off)
	if n == 0 {
		if r.crc != r.f.crc {
			return nil, store.Corruptf(r.f.name, -1, "the checksum is %08x, what was written has %08x", r.crc, r.f.crc)
		}
		return nil, nil
	}
	b, err := store.Bytes(r.in, r.off, int(n))
	if err != nil {
		return nil, err
	}
	r.crc = crc32.Update(r.crc, crc32.IEEETable, b)
	r.off += n
	return b, nil
}

// run is a sorted file, or the rest of the points in memory, as a source of a merge.
type run struct {
	r    *spillReader // nil: memory
	recs []byte
	at   int
	w    int
}

func (c *run) rec() []byte { return c.recs[c.at : c.at+c.w] }

func (c *run) next() (bool, error) {
	c.at += c.w
	if c.at < len(c.recs) {
		return true, nil
	}
	if c.r == nil {
		return false, nil
	}
	recs, err := c.r.read()
	c.recs, c.at = recs, 0
	return recs != nil, err
}

// fileBuilder builds the upper part of a tree, whose points do not fit into memory.
type fileBuilder struct {
	*treeWriter
	s *spiller
}

// build writes n leaves from number first on of the points in f, which it removes.
func (b *fileBuilder) build(first, n int, f *spillFile, lo, hi []byte) error {
	if n == 1 || f.count*int64(b.width) <= b.s.Budget {
		recs := make([]byte, 0, f.count*int64(b.width))
		err := b.s.each(f, func(part []byte) error { recs = append(recs, part...); return nil })
		if err == nil {
			err = b.s.remove(f)
		}
		if err == nil {
			b.treeWriter.build(first, n, recs, lo, hi)
		}
		return err
	}
	var err error
	if b.exact(n) {
		if lo, hi, err = b.bounds(f); err != nil {
			return err
		}
	}
	size := b.cfg.Bytes
	dim := b.splitDim(lo, hi)
	from, to := dim*size, (dim+1)*size
	left := leftLeaves(n)
	mid := int64(left) * int64(b.cfg.leafSize)
	value, smaller, err := b.selectValue(f, mid, from, to, lo[from:from+commonPrefix(lo[from:to], hi[from:to])])
	if err != nil {
		return err
	}
	l, r, err := b.partition(f, value, from, to, mid-smaller)
	if err != nil {
		return err
	}
	if l.count != mid {
		return fmt.Errorf("%s: %d points are left of the split, not %d", f.name, l.count, mid)
	}
	right := first + left
	copy(b.splits[(right-1)*size:], value)
	b.dims[right-1] = byte(dim)
	b.times[dim]++
	leftHi, rightLo := bytes.Clone(hi), bytes.Clone(lo)
	copy(leftHi[from:], value)
	copy(rightLo[from:], value)
	if err := b.build(first, left, l, lo, leftHi); err != nil {
		return err
	}
	if err := b.build(right, n-left, r, rightLo, hi); err != nil {
		return err
	}
	b.times[dim]--
	return nil
}

func (b *fileBuilder) bounds(f *spillFile) (lo, hi []byte, err error) {
	err = b.s.each(f, func(recs []byte) error {
		l, h := bounds(&b.cfg, recs, b.width)
		lo, hi = widen(&b.cfg, lo, hi, l, h)
		return nil
	})
	return lo, hi, err
}

// widen returns bounds that include both pairs; the first may be nil.
func widen(cfg *Config, lo, hi, l, h []byte) ([]byte, []byte) {
	if lo == nil {
		return l, h
	}
	for at, size := 0, cfg.Bytes; at < len(lo); at += size {
		if bytes.Compare(l[at:at+size], lo[at:at+size]) < 0 {
			copy(lo[at:at+size], l[at:])
		}
		if bytes.Compare(h[at:at+size], hi[at:at+size]) > 0 {
			copy(hi[at:at+size], h[at:])
		}
	}
	return lo, hi
}

// selectValue returns what bytes [from, to) of the point have that is number k by them, all of which start with
// prefix, and how many points are smaller. It reads the file once for each byte until the rest fits into memory.
func (b *fileBuilder) selectValue(f *spillFile, k int64, from, to int, prefix []byte) ([]byte, int64, error) {
	value := bytes.Clone(prefix)
	smaller, equal := int64(0), f.count
	size := to - from
	for len(value) < size && equal*int64(size) > b.s.Budget/2 {
		var counts [256]int64
		at := from + len(value)
		err := b.s.each(f, func(recs []byte) error {
			for i := 0; i < len(recs); i += b.width {
				if bytes.Equal(recs[i+from:i+at], value) {
					counts[recs[i+at]]++
				}
			}
			return nil
		})
		if err != nil {
			return nil, 0, err
		}
		bucket := 0
		for smaller+counts[bucket] <= k {
			smaller += counts[bucket]
			bucket++
		}
		value, equal = append(value, byte(bucket)), counts[bucket]
	}
	if len(value) == size {
		return value, smaller, nil
	}
	rest := make([]byte, 0, equal*int64(size))
	err := b.s.each(f, func(recs []byte) error {
		for i := 0; i < len(recs); i += b.width {
			if bytes.HasPrefix(recs[i+from:i+to], value) {
				rest = append(rest, recs[i+from:i+to]...)
			}
		}
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	rest = sortRecords(rest, size, size)
	at := int(k-smaller) * size
	value = bytes.Clone(rest[at : at+size])
	for at = 0; !bytes.Equal(rest[at:at+size], value); at += size {
		smaller++
	}
	return value, smaller, nil
}

// partition distributes the points of f to two files by bytes [from, to), and removes f. Of those that equal value as many as
// equalLeft go left.
func (b *fileBuilder) partition(f *spillFile, value []byte, from, to int, equalLeft int64) (l, r *spillFile, err error) {
	left, err := b.s.create()
	if err != nil {
		return nil, nil, err
	}
	right, err := b.s.create()
	if err != nil {
		return nil, nil, errors.Join(err, left.Close())
	}
	err = b.s.each(f, func(recs []byte) error {
		for i := 0; i < len(recs); i += b.width {
			out := right
			switch c := bytes.Compare(recs[i+from:i+to], value); {
			case c < 0:
				out = left
			case c == 0 && equalLeft > 0:
				out = left
				equalLeft--
			}
			out.PutBytes(recs[i : i+b.width])
		}
		return errors.Join(left.Err(), right.Err())
	})
	l, lerr := b.s.finish(left)
	r, rerr := b.s.finish(right)
	if err = errors.Join(err, lerr, rerr); err != nil {
		return nil, nil, err
	}
	return l, r, b.s.remove(f)
}

// see marks the documents of records.
func see(seen *lucene.FixedBits, recs []byte, width int) {
	for at := width - docBytes; at < len(recs); at += width {
		seen.Set(recordDoc(recs[at:]))
	}
}
