package packed

// Sequences that never fall; see docs/formats/packed.md.

import (
	"math"
	"sort"

	"github.com/varve-search/varve/lucene/store"
)

// Limits of the size of a block, as powers of two.
const (
	minMonotonicShift = 2
	maxMonotonicShift = 22
)

type monotonicBlock struct {
	min   int64
	slope float32
	width uint8
	off   int64 // from the start of the data
}

// MonotonicMeta is what metadata says of a sequence. It is immutable.
type MonotonicMeta struct {
	blocks []monotonicBlock
	shift  uint
	count  int64
}

// ReadMonotonicMeta reads the metadata of a sequence of count values in blocks of 1<<shift; both are stored elsewhere.
func ReadMonotonicMeta(r *store.Reader, count int64, shift int) (*MonotonicMeta, error) {
	if shift < minMonotonicShift || shift > maxMonotonicShift || count < 0 {
		return nil, r.Corruptf("a monotonic sequence of %d values in blocks of 2^%d", count, shift)
	}
	n := count >> shift
	if n<<shift < count {
		n++
	}
	m := &MonotonicMeta{shift: uint(shift), count: count}
	const size = 8 + 4 + 8 + 1
	if n > r.Remaining()/size {
		return nil, r.Corruptf("%d blocks of a monotonic sequence where %d bytes remain", n, r.Remaining())
	}
	m.blocks = make([]monotonicBlock, n)
	for i := range m.blocks {
		b := &m.blocks[i]
		b.min = r.Int64()
		b.slope = r.Float32()
		b.off = r.Int64()
		b.width = r.Byte()
		if b.width != 0 && !Supported(int(b.width)) {
			return nil, r.Corruptf("a monotonic block of %d bits a value", b.width)
		}
		if math.IsNaN(float64(b.slope)) || math.IsInf(float64(b.slope), 0) {
			return nil, r.Corruptf("a monotonic block with the slope %v", b.slope)
		}
	}
	return m, r.Err()
}

// Count returns the number of values.
func (m *MonotonicMeta) Count() int64 { return m.count }

// blockLen returns the number of values of block i.
func (m *MonotonicMeta) blockLen(i int) int64 {
	return min(m.count-int64(i)<<m.shift, 1<<m.shift)
}

// Open returns access to the sequence, whose data are the length bytes at off in in.
func (m *MonotonicMeta) Open(in store.Input, off, length int64) (*Monotonic, error) {
	data, err := in.Slice(off, length)
	if err != nil {
		return nil, err
	}
	for i := range m.blocks {
		b := &m.blocks[i]
		if b.width == 0 {
			continue
		}
		if b.off < 0 || b.off > length || DirectBytes(m.blockLen(i), int(b.width)) > length-b.off {
			return nil, store.Corruptf(in.Name(), off, "block %d of a monotonic sequence lies at %d of %d bytes", i, b.off, length)
		}
	}
	s := &Monotonic{meta: m, current: -1}
	// The whole input instead of the slice: its footer makes eight bytes follow every value.
	if all := store.Resident(in); all != nil && off+length+8 <= int64(len(all)) {
		s.in, s.off = in, off
	} else {
		s.in = data
	}
	return s, nil
}

// Monotonic is random access to a sequence.
type Monotonic struct {
	meta    *MonotonicMeta
	in      store.Input
	off     int64
	current int // block that direct is of
	direct  Direct
}

// Get returns value i.
func (s *Monotonic) Get(i int64) (int64, error) {
	if uint64(i) >= uint64(s.meta.count) {
		return 0, store.Corruptf(s.in.Name(), -1, "value %d of a monotonic sequence of %d", i, s.meta.count)
	}
	block := int(i >> s.meta.shift)
	b := &s.meta.blocks[block]
	rest := i & (1<<s.meta.shift - 1)
	v := b.min + int64(b.slope*float32(rest))
	if b.width == 0 {
		return v, nil
	}
	if block != s.current {
		if err := s.open(block); err != nil {
			return 0, err
		}
	}
	delta, err := s.direct.Get(rest)
	return v + delta, err
}

func (s *Monotonic) open(block int) error {
	b := &s.meta.blocks[block]
	d, err := NewDirect(s.in, s.off+b.off, int(b.width), s.meta.blockLen(block))
	if err != nil {
		return err
	}
	s.direct, s.current = d, block
	return nil
}

// Search returns the first index in [from, to) whose value is at least key, or to.
func (s *Monotonic) Search(from, to, key int64) (int64, error) {
	var failed error
	n := sort.Search(int(max(0, to-from)), func(i int) bool {
		v, err := s.Get(from + int64(i))
		if err != nil && failed == nil {
			failed = err
		}
		return v >= key
	})
	return from + int64(n), failed
}
