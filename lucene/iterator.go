package lucene

import "math"

// NoMoreDocs is the doc ID of an exhausted iterator.
const NoMoreDocs int32 = math.MaxInt32

// DocIDSetIterator walks over doc IDs in ascending order.
type DocIDSetIterator interface {
	// DocID returns the current document: -1 before the first call of Next or Advance, NoMoreDocs at the end.
	DocID() int32
	// Next moves to the next document.
	Next() (int32, error)
	// Advance moves to the first document at or after target, which is beyond the current one.
	Advance(target int32) (int32, error)
	// Cost estimates how many documents there are, at most.
	Cost() int64
}

// Bits is a read-only set of doc IDs, such as the live documents. It is safe for concurrent use.
type Bits interface {
	Get(i int32) bool
	Len() int32
}

// FixedBits is a Bits in words of 64; bit i is bit i%64 of word i/64.
type FixedBits struct {
	Words []uint64
	N     int32
}

// NewFixedBits returns n bits, all clear.
func NewFixedBits(n int32) *FixedBits {
	return &FixedBits{Words: make([]uint64, (int(n)+63)/64), N: n}
}

// Get implements Bits.
func (b *FixedBits) Get(i int32) bool { return b.Words[uint32(i)>>6]&(1<<(uint32(i)&63)) != 0 }

// Len implements Bits.
func (b *FixedBits) Len() int32 { return b.N }

// Set sets bit i.
func (b *FixedBits) Set(i int32) { b.Words[uint32(i)>>6] |= 1 << (uint32(i) & 63) }

// Clear clears bit i.
func (b *FixedBits) Clear(i int32) { b.Words[uint32(i)>>6] &^= 1 << (uint32(i) & 63) }

// EmptyIterator is a DocIDSetIterator without documents.
type EmptyIterator struct{ done bool }

// DocID implements DocIDSetIterator.
func (e *EmptyIterator) DocID() int32 {
	if e.done {
		return NoMoreDocs
	}
	return -1
}

// Next implements DocIDSetIterator.
func (e *EmptyIterator) Next() (int32, error) { e.done = true; return NoMoreDocs, nil }

// Advance implements DocIDSetIterator.
func (e *EmptyIterator) Advance(int32) (int32, error) { return e.Next() }

// Cost implements DocIDSetIterator.
func (e *EmptyIterator) Cost() int64 { return 0 }
