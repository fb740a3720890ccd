package index

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"slices"
)

// stream is an append-only sequence of small items in chunks that grow with it. An item never straddles two
// chunks, so that readers return slices of the chunks.
type stream struct {
	full [][]byte
	cur  []byte
	ram  *int64 // bytes of all chunks are added here
}

const (
	streamFirst = 64
	streamMax   = 32 << 10
)

// room makes n bytes available at the end of the current chunk.
func (s *stream) room(n int) {
	if cap(s.cur)-len(s.cur) >= n {
		return
	}
	size := min(max(2*cap(s.cur), streamFirst), streamMax)
	if len(s.cur) > 0 {
		s.full = append(s.full, s.cur)
		*s.ram += 24
	}
	size = max(size, n)
	*s.ram += int64(size)
	s.cur = make([]byte, 0, size)
}

func (s *stream) uvarint(v uint64) {
	s.room(binary.MaxVarintLen64)
	s.cur = binary.AppendUvarint(s.cur, v)
}

func (s *stream) byte(b byte) {
	s.room(1)
	s.cur = append(s.cur, b)
}

func (s *stream) bytes(p []byte) {
	s.room(len(p))
	s.cur = append(s.cur, p...)
}

// streamReader reads a stream that no longer grows.
type streamReader struct {
	s    *stream
	next int // chunk after cur
	cur  []byte
}

func (s *stream) reader() streamReader { return streamReader{s: s} }

// more moves to the next chunk when the current one is used up.
func (r *streamReader) more() {
	for len(r.cur) == 0 && r.next <= len(r.s.full) {
		if r.next == len(r.s.full) {
			r.cur = r.s.cur
		} else {
			r.cur = r.s.full[r.next]
		}
		r.next++
	}
}

func (r *streamReader) uvarint() uint64 {
	if len(r.cur) == 0 {
		r.more()
	}
	if len(r.cur) > 0 && r.cur[0] < 0x80 {
		v := uint64(r.cur[0])
		r.cur = r.cur[1:]
		return v
	}
	v, n := binary.Uvarint(r.cur)
	r.cur = r.cur[n:]
	return v
}

func (r *streamReader) byte() byte {
	r.more()
	b := r.cur[0]
	r.cur = r.cur[1:]
	return b
}

// bytes returns the next n bytes, that were added by one call.
func (r *streamReader) bytes(n int) []byte {
	if n == 0 {
		return []byte{}
	}
	r.more()
	b := r.cur[:n:n]
	r.cur = r.cur[n:]
	return b
}

func zigzag(v int64) uint64   { return uint64(v<<1 ^ v>>63) }
func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

// docList is a list of ascending documents. Its first ones, while there is no gap, cost nothing.
type docList struct {
	dense int32 // documents 0 to dense-1
	last  int32
	n     int32
	rest  stream // deltas of those after
}

func (l *docList) add(doc int32) {
	if doc == l.n {
		l.dense++
	} else {
		l.rest.uvarint(uint64(doc - l.last))
	}
	l.last = doc
	l.n++
}

type docListReader struct {
	l    *docList
	r    streamReader
	doc  int32
	left int32
}

func (l *docList) reader() docListReader {
	return docListReader{l: l, r: l.rest.reader(), doc: -1, left: l.n}
}

// next returns the next document or -1.
func (r *docListReader) next() int32 {
	if r.left == 0 {
		return -1
	}
	r.left--
	switch {
	case r.doc+1 < r.l.dense:
		r.doc++
	case r.l.dense == 0 && r.doc == -1:
		r.doc = int32(r.r.uvarint())
	default:
		r.doc += int32(r.r.uvarint())
	}
	return r.doc
}

// maxTermLength is the most bytes that a term may have, as in Lucene.
const maxTermLength = 32766

const (
	poolShift = 15
	poolBlock = 1 << poolShift
	poolMask  = poolBlock - 1
)

// bytePool is bytes in blocks of 32 KiB, addressed as one space of at most 4 GiB.
type bytePool struct {
	blocks [][]byte
	used   int // of the last block
	ram    *int64
}

// alloc reserves n contiguous bytes, at most poolBlock, and returns their address.
func (p *bytePool) alloc(n int) uint32 {
	if len(p.blocks) == 0 || p.used+n > poolBlock {
		p.blocks = append(p.blocks, make([]byte, poolBlock))
		p.used = 0
		*p.ram += poolBlock + 24
	}
	addr := uint32(len(p.blocks)-1)<<poolShift | uint32(p.used)
	p.used += n
	return addr
}

// at returns the bytes from an address to the end of its block.
func (p *bytePool) at(addr uint32) []byte { return p.blocks[addr>>poolShift][addr&poolMask:] }

// text returns the length-prefixed bytes at an address.
func (p *bytePool) text(addr uint32) []byte {
	b := p.at(addr)
	if n := int(b[0]); n < 0x80 {
		return b[1 : 1+n : 1+n]
	}
	n := int(b[0]&0x7f)<<8 | int(b[1])
	return b[2 : 2+n : 2+n]
}

// putText stores bytes with their length before them: one byte below 128, else two.
func (p *bytePool) putText(b []byte) uint32 {
	n := len(b)
	if n < 0x80 {
		addr := p.alloc(n + 1)
		dst := p.at(addr)
		dst[0] = byte(n)
		copy(dst[1:], b)
		return addr
	}
	addr := p.alloc(n + 2)
	dst := p.at(addr)
	dst[0], dst[1] = 0x80|byte(n>>8), byte(n)
	copy(dst[2:], b)
	return addr
}

var hashSeed = maphash.MakeSeed()

// bytesHash gives distinct byte strings the numbers 0, 1, … in the order they come.
type bytesHash struct {
	pool  *bytePool
	slots []uint64 // hash<<32 | number+1; 0 is empty
	texts []uint32 // number → address in pool
	ram   *int64
}

func (h *bytesHash) len() int { return len(h.texts) }

func (h *bytesHash) text(id uint32) []byte { return h.pool.text(h.texts[id]) }

// find returns the number of b, or false.
func (h *bytesHash) find(b []byte) (uint32, bool) {
	if len(h.slots) == 0 {
		return 0, false
	}
	slot := h.slots[h.probe(b, hashOf(b))]
	return uint32(slot) - 1, slot != 0
}

func hashOf(b []byte) uint32 { return uint32(maphash.Bytes(hashSeed, b)) }

// probe returns the slot that holds b, or the empty one where it belongs.
func (h *bytesHash) probe(b []byte, sum uint32) int {
	mask := len(h.slots) - 1
	for i := int(sum) & mask; ; i = (i + 1) & mask {
		slot := h.slots[i]
		if slot == 0 || uint32(slot>>32) == sum && bytes.Equal(h.text(uint32(slot)-1), b) {
			return i
		}
	}
}

// add returns the number of b and whether it is new.
func (h *bytesHash) add(b []byte) (uint32, bool) {
	if len(h.texts) >= len(h.slots)/2 {
		h.rehash()
	}
	sum := hashOf(b)
	i := h.probe(b, sum)
	if slot := h.slots[i]; slot != 0 {
		return uint32(slot) - 1, false
	}
	id := uint32(len(h.texts))
	before := cap(h.texts)
	h.texts = append(h.texts, h.pool.putText(b))
	*h.ram += int64(cap(h.texts)-before) * 4
	h.slots[i] = uint64(sum)<<32 | uint64(id+1)
	return id, true
}

func (h *bytesHash) rehash() {
	n := max(16, 2*len(h.slots))
	*h.ram += int64(n-len(h.slots)) * 8
	old := h.slots
	h.slots = make([]uint64, n)
	for _, slot := range old {
		if slot == 0 {
			continue
		}
		i := int(slot>>32) & (n - 1)
		for h.slots[i] != 0 {
			i = (i + 1) & (n - 1)
		}
		h.slots[i] = slot
	}
}

// reset forgets all strings but keeps the table's memory. The pool is the caller's.
func (h *bytesHash) reset() {
	clear(h.slots)
	h.texts = h.texts[:0]
}

// sorted returns the numbers in the order of their strings.
func (h *bytesHash) sorted() []uint32 {
	type key struct {
		prefix uint64
		id     uint32
	}
	keys := make([]key, h.len())
	for i := range keys {
		keys[i] = key{prefixOf(h.text(uint32(i))), uint32(i)}
	}
	slices.SortFunc(keys, func(a, b key) int {
		switch {
		case a.prefix < b.prefix:
			return -1
		case a.prefix > b.prefix:
			return 1
		}
		return bytes.Compare(h.text(a.id), h.text(b.id))
	})
	ids := make([]uint32, len(keys))
	for i, k := range keys {
		ids[i] = k.id
	}
	return ids
}

// prefixOf returns the first eight bytes as a number that sorts like them.
func prefixOf(b []byte) uint64 {
	if len(b) >= 8 {
		return binary.BigEndian.Uint64(b)
	}
	var p [8]byte
	copy(p[:], b)
	return binary.BigEndian.Uint64(p[:])
}
