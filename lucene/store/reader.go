package store

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Reader decodes primitives one after another from an Input. The first error sticks: later calls
// return zeros, and Err tells. It is not safe for concurrent use; the zero value is not usable.
type Reader struct {
	in   Input
	w    []byte // window: bytes of in from base on
	pos  int    // next byte within w
	base int64  // offset in in of w[0]
	err  error
}

// NewReader returns a Reader at offset 0 of in.
func NewReader(in Input) *Reader { return &Reader{in: in} }

// Reset makes r read in from offset off, and forgets any error.
func (r *Reader) Reset(in Input, off int64) { *r = Reader{in: in, base: off} }

// Input returns what is read.
func (r *Reader) Input() Input { return r.in }

// Err returns the first error.
func (r *Reader) Err() error { return r.err }

// Fail sets the error, if none is set yet.
func (r *Reader) Fail(err error) {
	if r.err == nil {
		r.err = err
		r.w, r.pos = nil, 0
	}
}

// Corruptf sets a CorruptError at the current offset, if no error is set yet, and returns the error that is set.
func (r *Reader) Corruptf(format string, args ...any) error {
	if r.err == nil {
		r.Fail(&CorruptError{File: r.in.Name(), Offset: Base(r.in) + r.Offset(), Problem: fmt.Sprintf(format, args...)})
	}
	return r.err
}

// Offset returns the offset of the next byte.
func (r *Reader) Offset() int64 { return r.base + int64(r.pos) }

// Remaining returns the number of bytes from here to the end.
func (r *Reader) Remaining() int64 { return r.in.Length() - r.Offset() }

// SeekTo moves to an absolute offset; one outside of the input fails at the next read.
func (r *Reader) SeekTo(off int64) {
	if d := off - r.base; d >= 0 && d <= int64(len(r.w)) {
		r.pos = int(d)
		return
	}
	r.w, r.pos, r.base = nil, 0, off
}

// Skip moves n bytes on.
func (r *Reader) Skip(n int64) {
	if n < 0 {
		r.Corruptf("negative skip of %d bytes", n)
		return
	}
	r.SeekTo(r.Offset() + n)
}

// need makes at least n bytes available at r.w[r.pos:].
func (r *Reader) need(n int) bool {
	if len(r.w)-r.pos >= n {
		return r.err == nil
	}
	if r.err != nil {
		return false
	}
	off := r.Offset()
	w, err := r.in.Window(off, n)
	if err != nil {
		r.Fail(err)
		return false
	}
	r.w, r.pos, r.base = w, 0, off
	return true
}

// Bytes returns the next n bytes without copying; they must not be written to.
func (r *Reader) Bytes(n int) []byte {
	if n < 0 || int64(n) > r.Remaining() {
		r.Corruptf("a length of %d bytes where %d remain", n, r.Remaining())
		return nil
	}
	if !r.need(n) {
		return nil
	}
	b := r.w[r.pos : r.pos+n : r.pos+n]
	r.pos += n
	return b
}

// ReadFull fills p.
func (r *Reader) ReadFull(p []byte) {
	copy(p, r.Bytes(len(p)))
}

// Byte returns the next byte.
func (r *Reader) Byte() byte {
	if r.pos < len(r.w) {
		b := r.w[r.pos]
		r.pos++
		return b
	}
	if !r.need(1) {
		return 0
	}
	b := r.w[r.pos]
	r.pos++
	return b
}

// Uint16 returns two bytes, little-endian.
func (r *Reader) Uint16() uint16 {
	if !r.need(2) {
		return 0
	}
	v := binary.LittleEndian.Uint16(r.w[r.pos:])
	r.pos += 2
	return v
}

// Uint32 returns four bytes, little-endian.
func (r *Reader) Uint32() uint32 {
	if !r.need(4) {
		return 0
	}
	v := binary.LittleEndian.Uint32(r.w[r.pos:])
	r.pos += 4
	return v
}

// Uint64 returns eight bytes, little-endian.
func (r *Reader) Uint64() uint64 {
	if !r.need(8) {
		return 0
	}
	v := binary.LittleEndian.Uint64(r.w[r.pos:])
	r.pos += 8
	return v
}

// Int16 returns two bytes, little-endian, as Lucene's readShort.
func (r *Reader) Int16() int16 { return int16(r.Uint16()) }

// Int32 returns four bytes, little-endian, as Lucene's readInt.
func (r *Reader) Int32() int32 { return int32(r.Uint32()) }

// Int64 returns eight bytes, little-endian, as Lucene's readLong.
func (r *Reader) Int64() int64 { return int64(r.Uint64()) }

// BEUint32 returns four bytes, big-endian.
func (r *Reader) BEUint32() uint32 {
	if !r.need(4) {
		return 0
	}
	v := binary.BigEndian.Uint32(r.w[r.pos:])
	r.pos += 4
	return v
}

// BEInt64 returns eight bytes, big-endian.
func (r *Reader) BEInt64() int64 {
	if !r.need(8) {
		return 0
	}
	v := binary.BigEndian.Uint64(r.w[r.pos:])
	r.pos += 8
	return int64(v)
}

// Float32 returns a little-endian IEEE 754 number of four bytes.
func (r *Reader) Float32() float32 { return math.Float32frombits(r.Uint32()) }

// VInt returns a variable-length int of one to five bytes; it may be negative.
func (r *Reader) VInt() int32 {
	b := r.Byte()
	if b < 0x80 {
		return int32(b)
	}
	v := uint32(b & 0x7f)
	for shift := 7; shift <= 28; shift += 7 {
		b = r.Byte()
		v |= uint32(b&0x7f) << shift
		if b < 0x80 {
			if shift == 28 && b > 0x0f {
				break
			}
			return int32(v)
		}
	}
	r.Corruptf("a variable-length int of more than 32 bits")
	return 0
}

// VLong returns a variable-length long of one to nine bytes, never negative.
func (r *Reader) VLong() int64 {
	v, _ := r.varint64(56)
	return v
}

// varint64 reads groups of seven bits up to the one at shift last; the last may have eight.
func (r *Reader) varint64(last int) (int64, bool) {
	b := r.Byte()
	if b < 0x80 {
		return int64(b), true
	}
	v := uint64(b & 0x7f)
	for shift := 7; shift <= last; shift += 7 {
		b = r.Byte()
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			if shift == 63 && b > 1 {
				break
			}
			return int64(v), true
		}
	}
	r.Corruptf("a variable-length long of more than its bits")
	return 0, false
}

// SignedVLong returns a variable-length long that may be negative, of up to ten bytes.
func (r *Reader) SignedVLong() int64 {
	v, _ := r.varint64(63)
	return v
}

// ZInt returns a zigzag-coded variable-length int.
func (r *Reader) ZInt() int32 {
	u := uint32(r.VInt())
	return int32(u>>1) ^ -int32(u&1)
}

// ZLong returns a zigzag-coded variable-length long.
func (r *Reader) ZLong() int64 {
	u := uint64(r.SignedVLong())
	return int64(u>>1) ^ -int64(u&1)
}

// Count returns a VInt that counts things of at least size bytes each, and fails where the rest of the
// input cannot hold so many: what a caller may allocate before reading on.
func (r *Reader) Count(what string, size int) int {
	n := r.VInt()
	return r.checkCount(what, int64(n), size)
}

// checkCount validates a count that was read otherwise.
func (r *Reader) checkCount(what string, n int64, size int) int {
	if r.err != nil {
		return 0
	}
	if n < 0 || n*int64(size) > r.Remaining() {
		r.Corruptf("%d %s where %d bytes remain", n, what, r.Remaining())
		return 0
	}
	return int(n)
}

// CheckCount returns n, or 0 and an error set if n things of at least size bytes cannot follow.
func (r *Reader) CheckCount(what string, n int64, size int) int { return r.checkCount(what, n, size) }

// String returns a string: VInt length in bytes and UTF-8.
func (r *Reader) String() string {
	return string(r.Bytes(int(r.VInt())))
}

// StringMap returns a map: VInt count and pairs of strings.
func (r *Reader) StringMap() map[string]string {
	n := r.Count("map entries", 2)
	m := make(map[string]string, n)
	for range n {
		k := r.String()
		m[k] = r.String()
	}
	return m
}

// StringSet returns a set: VInt count and strings, in the order they stand.
func (r *Reader) StringSet() []string {
	n := r.Count("set entries", 1)
	s := make([]string, 0, n)
	for range n {
		s = append(s, r.String())
	}
	return s
}
