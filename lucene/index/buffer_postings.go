package index

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/varve-search/varve/lucene"
)

// A term's postings are kept in two chains of slices: documents with frequencies, and positions with what belongs to
// them. A slice of level l has 8<<l bytes, the last four of which are the address of the next one.
const (
	maxSliceLevel = 5
	sliceLink     = 4
)

// chain is the writing end of a chain of slices.
type chain struct {
	start, upto uint32 // addresses; both 0 while nothing was written, which no slice has (see newChainPool)
	left, level uint8  // bytes left in the slice, its level
}

func newSlice(p *bytePool, level uint8) (addr uint32, left uint8) {
	size := 8 << level
	return p.alloc(size), uint8(size - sliceLink)
}

func (c *chain) grow(p *bytePool) {
	if c.start == 0 {
		c.start, c.left = newSlice(p, 0)
		c.upto = c.start
		return
	}
	level := min(c.level+1, maxSliceLevel)
	addr, left := newSlice(p, level)
	binary.LittleEndian.PutUint32(p.at(c.upto), addr)
	c.upto, c.left, c.level = addr, left, level
}

func (c *chain) uvarint(p *bytePool, v uint32) {
	if v < 0x80 {
		if c.left == 0 {
			c.grow(p)
		}
		p.blocks[c.upto>>poolShift][c.upto&poolMask] = byte(v)
		c.upto++
		c.left--
		return
	}
	var b [binary.MaxVarintLen32]byte
	c.bytes(p, b[:binary.PutUvarint(b[:], uint64(v))])
}

func (c *chain) bytes(p *bytePool, b []byte) {
	for len(b) > 0 {
		if c.left == 0 {
			c.grow(p)
		}
		n := copy(p.at(c.upto)[:c.left], b)
		b = b[n:]
		c.upto += uint32(n)
		c.left -= uint8(n)
	}
}

// chainReader reads a chain from its start.
type chainReader struct {
	pool  *bytePool
	b     []byte // rest of the slice's data
	link  []byte // where the address of the next slice stands
	end   uint32
	addr  uint32 // of the slice
	size  uint32
	level uint8
}

func (r *chainReader) reset(p *bytePool, c *chain) {
	*r = chainReader{pool: p, end: c.upto}
	if c.start != 0 {
		r.open(c.start)
	}
}

func (r *chainReader) open(addr uint32) {
	r.addr, r.size = addr, 8<<r.level-sliceLink
	b := r.pool.at(addr)
	r.b, r.link = b[:r.size], b[r.size:]
}

// done tells whether all that was written is read.
func (r *chainReader) done() bool {
	return r.pool == nil || r.end == 0 || r.addr+r.size-uint32(len(r.b)) == r.end
}

func (r *chainReader) byte() byte {
	if len(r.b) == 0 {
		if r.level < maxSliceLevel {
			r.level++
		}
		r.open(binary.LittleEndian.Uint32(r.link))
	}
	b := r.b[0]
	r.b = r.b[1:]
	return b
}

func (r *chainReader) uvarint() uint32 {
	b := r.byte()
	v := uint32(b & 0x7f)
	for shift := 7; b >= 0x80; shift += 7 {
		b = r.byte()
		v |= uint32(b&0x7f) << shift
	}
	return v
}

func (r *chainReader) bytes(dst []byte, n int) []byte {
	for range n {
		dst = append(dst, r.byte())
	}
	return dst
}

// termDocs is what the buffer knows of a term. Its last document is not in the chain yet.
type termDocs struct {
	chain
	lastDoc   int32
	lastDelta int32 // from the document before
	freq      int32 // in lastDoc
}

// termPositions is added to it in fields with positions.
type termPositions struct {
	chain
	lastPos    int32
	lastOffset int32
}

// inverted is the inverted index of one field in a buffer.
type inverted struct {
	hash      bytesHash
	docs      []termDocs
	positions []termPositions // nil without positions
	slices    *bytePool
	ram       *int64
	freqs     bool // frequencies are kept
	hasPos    bool
	offsets   bool
	payloads  bool  // a token had one
	docCount  int32 // documents with a term
	sumDF     int64
	sumTTF    int64
}

// add counts an occurrence of term in doc and tells whether it is its first there.
func (v *inverted) add(doc int32, term []byte, pos int32, t *lucene.Token, offset int32) (bool, error) {
	id, isNew := v.hash.add(term)
	first := true
	if isNew {
		before := cap(v.docs)
		v.docs = append(v.docs, termDocs{lastDoc: doc, lastDelta: doc, freq: 1})
		*v.ram += int64(cap(v.docs)-before) * 28
		if v.hasPos {
			before := cap(v.positions)
			v.positions = append(v.positions, termPositions{})
			*v.ram += int64(cap(v.positions)-before) * 20
		}
		v.sumDF++
	} else if d := &v.docs[id]; d.lastDoc != doc {
		v.push(d)
		d.lastDelta, d.lastDoc, d.freq = doc-d.lastDoc, doc, 1
		v.sumDF++
		if v.hasPos {
			p := &v.positions[id]
			p.lastPos, p.lastOffset = 0, 0
		}
	} else {
		first = false
		if v.freqs {
			if d.freq == math.MaxInt32 {
				return false, fmt.Errorf("a term occurs more than %d times in a document", math.MaxInt32)
			}
			d.freq++
		}
	}
	if first || v.freqs {
		v.sumTTF++
	}
	if v.hasPos {
		v.addPosition(id, pos, t, offset)
	}
	return first, nil
}

// push writes the pending document of a term.
func (v *inverted) push(d *termDocs) {
	switch {
	case !v.freqs:
		d.uvarint(v.slices, uint32(d.lastDelta))
	case d.freq == 1:
		d.uvarint(v.slices, uint32(d.lastDelta)<<1|1)
	default:
		d.uvarint(v.slices, uint32(d.lastDelta)<<1)
		d.uvarint(v.slices, uint32(d.freq))
	}
}

func (v *inverted) addPosition(id uint32, pos int32, t *lucene.Token, offset int32) {
	p := &v.positions[id]
	code := uint32(pos-p.lastPos) << 1
	p.lastPos = pos
	var payload []byte
	if t != nil {
		payload = t.Payload
	}
	if len(payload) == 0 {
		p.uvarint(v.slices, code)
	} else {
		v.payloads = true
		p.uvarint(v.slices, code|1)
		p.uvarint(v.slices, uint32(len(payload)))
		p.bytes(v.slices, payload)
	}
	if v.offsets {
		start, end := offset, offset
		if t != nil {
			start, end = offset+t.StartOffset, offset+t.EndOffset
		}
		p.uvarint(v.slices, uint32(start-p.lastOffset))
		p.uvarint(v.slices, uint32(end-start))
		p.lastOffset = start
	}
}

// docReader walks over the documents of a term.
type docReader struct {
	v     *inverted
	d     *termDocs
	r     chainReader
	doc   int32
	freq  int32
	state uint8 // 0 in the chain, 1 at the pending document, 2 beyond
}

func (r *docReader) reset(v *inverted, id uint32) {
	r.v, r.d, r.doc, r.freq, r.state = v, &v.docs[id], 0, 1, 0
	r.r.reset(v.slices, &r.d.chain)
}

func (r *docReader) next() bool {
	if r.state == 0 && !r.r.done() {
		code := r.r.uvarint()
		if !r.v.freqs {
			r.doc += int32(code)
			return true
		}
		r.doc += int32(code >> 1)
		r.freq = 1
		if code&1 == 0 {
			r.freq = int32(r.r.uvarint())
		}
		return true
	}
	r.state++
	if r.state > 1 {
		r.state = 2
		return false
	}
	r.doc, r.freq = r.doc+r.d.lastDelta, r.d.freq
	return true
}

// position is one occurrence as it was kept.
type position struct {
	pos, start, end int32
	payload         []byte
}

// posReader walks over the positions of a term, in all its documents.
type posReader struct {
	v   *inverted
	r   chainReader
	cur position
	buf []byte
}

func (r *posReader) reset(v *inverted, id uint32) {
	r.v = v
	r.r.reset(v.slices, &v.positions[id].chain)
}

// startDoc must be called before the first position of each document.
func (r *posReader) startDoc() { r.cur = position{start: -1, end: -1} }

func (r *posReader) next() {
	code := r.r.uvarint()
	r.cur.pos += int32(code >> 1)
	r.cur.payload = nil
	if code&1 != 0 {
		r.buf = r.r.bytes(r.buf[:0], int(r.r.uvarint()))
		r.cur.payload = r.buf
	}
	if r.v.offsets {
		r.cur.start = max(r.cur.start, 0) + int32(r.r.uvarint())
		r.cur.end = r.cur.start + int32(r.r.uvarint())
	}
}
