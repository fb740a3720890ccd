package fst

// See docs/formats/fst.md.

import (
	"math/bits"
	"sync"

	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/store"
)

// Flags of an arc.
const (
	flagFinal       = 1 << 0 // the key may end with the arc
	flagLast        = 1 << 1 // the last arc of its node
	flagNext        = 1 << 2 // the target is the node that stands next
	flagStop        = 1 << 3 // the target has no arcs
	flagOutput      = 1 << 4
	flagFinalOutput = 1 << 5
)

// First bytes of a node that is not a list of arcs.
const (
	nodeBinarySearch = flagFinalOutput
	nodeDirect       = 1 << 6
	nodeContinuous   = nodeDirect | nodeBinarySearch
)

const (
	codecName      = "FST"
	versionLE      = 8 // Lucene 9.0
	versionCurrent = 9 // nodes of continuous labels, Lucene 9.9
)

// FST is a transducer. It is safe for concurrent use.
type FST struct {
	in    store.Input // the part of the file that holds the nodes
	start int64       // address of the root node, 0 if it has no arcs
	empty []byte      // output of the empty key, nil if it is no key
	has   bool

	load sync.Once
	data []byte
	err  error
}

// Read reads the metadata of an FST from r, and takes the nodes from in, from offset start on.
func Read(r *store.Reader, in store.Input, start int64) (*FST, error) {
	if _, err := codec.ReadHeader(r, codecName, versionLE, versionCurrent); err != nil {
		return nil, err
	}
	f := &FST{}
	switch b := r.Byte(); b {
	case 0:
	case 1:
		rev := r.Bytes(int(r.VInt()))
		c := reverse{b: rev, p: len(rev) - 1}
		out := c.bytes()
		if r.Err() == nil && (c.bad || c.p != -1) {
			return nil, r.Corruptf("the output of the empty key is % .40x", rev)
		}
		f.has = true
		for i := out.from; i > out.from-out.n; i-- {
			f.empty = append(f.empty, rev[i])
		}
	default:
		return nil, r.Corruptf("a flag of %d", b)
	}
	if t := r.Byte(); r.Err() == nil && t != 0 {
		return nil, r.Corruptf("input type %d where bytes (0) are expected", t)
	}
	f.start = r.VLong()
	n := r.VLong()
	if err := r.Err(); err != nil {
		return nil, err
	}
	if n < 1 || f.start >= n {
		return nil, r.Corruptf("a root node at %d of %d bytes", f.start, n)
	}
	var err error
	if f.in, err = in.Slice(start, n); err != nil {
		return nil, err
	}
	return f, nil
}

// Empty returns the output of the empty key, and whether it is a key.
func (f *FST) Empty() ([]byte, bool) { return f.empty, f.has }

// bytes returns all bytes: those in memory, or else read once.
func (f *FST) bytes() ([]byte, error) {
	f.load.Do(func() {
		if f.data = store.Resident(f.in); f.data == nil {
			f.data, f.err = store.Bytes(f.in, 0, int(f.in.Length()))
		}
	})
	return f.data, f.err
}

// reverse reads backwards. Reading before the start sets bad and returns zeros.
type reverse struct {
	b   []byte
	p   int // the next byte
	bad bool
}

func (c *reverse) byte() byte {
	if uint(c.p) >= uint(len(c.b)) {
		c.bad = true
		return 0
	}
	v := c.b[c.p]
	c.p--
	return v
}

func (c *reverse) varint() int64 {
	var v uint64
	for shift := uint(0); shift < 63; shift += 7 {
		b := c.byte()
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return int64(v)
		}
	}
	c.bad = true
	return 0
}

// span is a run of bytes that are read backwards.
type span struct{ from, n int }

func (c *reverse) bytes() span {
	n := c.varint()
	if c.bad || n > int64(c.p+1) {
		c.bad = true
		return span{}
	}
	s := span{c.p, int(n)}
	c.p -= int(n)
	return s
}

func (c *reverse) skip(n int64) {
	if n < 0 || n > int64(c.p)+1 {
		c.bad = true
		return
	}
	c.p -= int(n)
}

// Cursor walks from the root along the bytes of a key. The zero value is not usable; see FST.Cursor.
type Cursor struct {
	f           *FST
	b           []byte
	node        int64 // address of the node that the arc leads to; 0 if it has no arcs
	final       bool
	output, end span // of the arc, and in addition if the key ends here
}

// Cursor returns a cursor at the root.
func (f *FST) Cursor() (Cursor, error) {
	b, err := f.bytes()
	return Cursor{f: f, b: b, node: f.start}, err
}

// Final tells whether the bytes walked so far are a key. It does not know of the empty key.
func (c *Cursor) Final() bool { return c.final }

// AppendOutput appends the output of the last arc, which counts whatever follows.
func (c *Cursor) AppendOutput(dst []byte) []byte { return c.appendSpan(dst, c.output) }

// AppendFinal appends the output that counts in addition if the key ends with the last arc.
func (c *Cursor) AppendFinal(dst []byte) []byte { return c.appendSpan(dst, c.end) }

func (c *Cursor) appendSpan(dst []byte, s span) []byte {
	for i := s.from; i > s.from-s.n; i-- {
		dst = append(dst, c.b[i])
	}
	return dst
}

func (c *Cursor) corrupt() error {
	return store.Corruptf(c.f.in.Name(), -1, "the node at %d of an index FST is damaged", c.node)
}

// Step follows the arc with the label, and tells whether there is one. If there is none, the cursor must not
// be used any more.
func (c *Cursor) Step(label byte) (bool, error) {
	if c.node <= 0 {
		return false, nil
	}
	r := reverse{b: c.b, p: int(c.node)}
	switch head := r.byte(); head {
	case nodeBinarySearch:
		n, size := r.varint(), r.varint()
		if !r.fits(n, size) {
			return false, c.corrupt()
		}
		first := r.p
		lo, hi := 0, int(n)-1
		for lo <= hi {
			mid := int(uint(lo+hi) >> 1)
			r.p = first - mid*int(size)
			flags := r.byte()
			switch l := r.byte(); {
			case l < label:
				lo = mid + 1
			case l > label:
				hi = mid - 1
			default:
				return c.take(&r, flags, first-int(n)*int(size))
			}
		}
		return c.none(&r)
	case nodeDirect, nodeContinuous:
		n, size := r.varint(), r.varint() // n is the range of labels
		table := r.p
		if head == nodeDirect {
			r.skip((n + 7) / 8)
		}
		i := int64(label) - int64(r.byte())
		if r.bad || n > 256 {
			return false, c.corrupt()
		}
		if i < 0 || i >= n {
			return false, nil
		}
		arcs := n
		if head == nodeDirect {
			if c.b[table-int(i/8)]>>(i%8)&1 == 0 {
				return false, nil
			}
			arcs = c.countBits(table, n)
			i = c.countBits(table, i)
		}
		if !r.fits(arcs, size) {
			return false, c.corrupt()
		}
		first := r.p
		r.p = first - int(i*size)
		return c.take(&r, r.byte(), first-int(arcs*size))
	default:
		flags := head
		for {
			l := r.byte()
			if l == label {
				return c.take(&r, flags, -1)
			}
			if l > label || flags&flagLast != 0 || r.bad {
				return c.none(&r)
			}
			r.skipArc(flags)
			flags = r.byte()
		}
	}
}

func (c *Cursor) none(r *reverse) (bool, error) {
	if r.bad {
		return false, c.corrupt()
	}
	return false, nil
}

// fits tells whether n arcs of size bytes, at least a flag byte each, can stand before r.p.
func (r *reverse) fits(n, size int64) bool {
	return !r.bad && n >= 0 && n <= 256 && size >= 1 && size <= int64(len(r.b)) && n*size <= int64(r.p)+1
}

// countBits counts the bits set below bit upto of the table whose first byte is at p.
func (c *Cursor) countBits(p int, upto int64) int64 {
	n := 0
	for ; upto >= 8; upto -= 8 {
		n += bits.OnesCount8(c.b[p])
		p--
	}
	if upto > 0 {
		n += bits.OnesCount8(c.b[p] & (1<<upto - 1))
	}
	return int64(n)
}

func (r *reverse) skipArc(flags byte) {
	if flags&flagOutput != 0 {
		r.skip(r.varint())
	}
	if flags&flagFinalOutput != 0 {
		r.skip(r.varint())
	}
	if flags&(flagStop|flagNext) == 0 {
		r.varint()
	}
}

// take makes the arc that r stands in, behind its label, the cursor's. next is where the following node
// begins, or -1 in a list of arcs, where one has to pass the rest to know it.
func (c *Cursor) take(r *reverse, flags byte, next int) (bool, error) {
	node := c.node
	c.final = flags&flagFinal != 0
	c.output, c.end = span{}, span{}
	if flags&flagOutput != 0 {
		c.output = r.bytes()
	}
	if flags&flagFinalOutput != 0 {
		c.end = r.bytes()
	}
	switch {
	case flags&flagStop != 0:
		c.node = 0
	case flags&flagNext == 0:
		c.node = r.varint()
	case next >= 0:
		c.node = int64(next)
	default:
		for flags&flagLast == 0 && !r.bad {
			flags = r.byte()
			r.byte()
			r.skipArc(flags)
		}
		c.node = int64(r.p)
	}
	if r.bad || c.node >= node || c.node < 0 {
		c.node = node
		return false, c.corrupt()
	}
	return true, nil
}
