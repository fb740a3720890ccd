package docvalues

import (
	"github.com/varve-search/varve/lucene/packed"
	"github.com/varve-search/varve/lucene/store"
)

// span keeps a window of an input, so that neighbouring values cost one read.
type span struct {
	in   store.Input
	w    []byte
	base int64
}

// bytes returns n bytes at off.
func (s *span) bytes(off, n int64) ([]byte, error) {
	if p := off - s.base; p >= 0 && n >= 0 && p <= int64(len(s.w)) && n <= int64(len(s.w))-p {
		return s.w[p : p+n : p+n], nil
	}
	if n < 0 || n > s.in.Length() {
		return nil, store.Corruptf(s.in.Name(), off, "a value of %d bytes", n)
	}
	w, err := s.in.Window(off, int(n))
	if err != nil {
		return nil, err
	}
	s.w, s.base = w, off
	return w[:n:n], nil
}

// binaryColumn implements lucene.BinaryDocValues.
type binaryColumn struct {
	docs
	entry     *binaryEntry
	data      span
	addresses *packed.Monotonic // nil: all values have one length
}

func newBinary(in store.Input, e *binaryEntry, maxDoc int32) (*binaryColumn, error) {
	b := &binaryColumn{entry: e}
	if err := b.docs.open(in, e.docs, int64(e.numDocs), maxDoc); err != nil {
		return nil, err
	}
	if b.maxDoc == 0 {
		return b, nil
	}
	part, err := in.Slice(e.offset, e.length)
	if err != nil {
		return nil, err
	}
	b.data.in = part
	if e.addresses != nil {
		b.addresses, err = e.addresses.Open(in, e.addressesOffset, e.addressesLength)
	}
	return b, err
}

// Value implements lucene.BinaryDocValues.
func (b *binaryColumn) Value() ([]byte, error) {
	i := b.index()
	if b.addresses == nil {
		n := int64(b.entry.minLen)
		return b.data.bytes(i*n, n)
	}
	start, err := b.addresses.Get(i)
	if err != nil {
		return nil, err
	}
	end, err := b.addresses.Get(i + 1)
	if err != nil {
		return nil, err
	}
	return b.data.bytes(start, end-start)
}
