package lz4

// Decoding of blocks; see docs/formats/lz4.md.

import (
	"encoding/binary"
	"errors"

	"github.com/varve-search/varve/lucene/store"
)

const (
	minMatch     = 4
	lastLiterals = 5 // a block ends with at least so many literals, unless it is shorter
	maxDistance  = 1<<16 - 1
)

// MaxLength returns the largest size of a compressed block of n bytes.
func MaxLength(n int) int { return n + n/255 + 16 }

// The ways in which a block can be damaged.
var (
	errTruncated = errors.New("the LZ4 block ends in the middle of a sequence")
	errTooLong   = errors.New("the LZ4 block holds more bytes than were announced")
	errDistance  = errors.New("the LZ4 block refers to bytes before its start")
)

// Decompress reads one block at r, writing to dst from off on, and stops with the sequence by which n
// bytes are there; it returns how many there are. dst[:off] is the dictionary. For a whole block n is
// len(dst)-off; a reader that needs only the first n bytes of a larger block gives a dst for all of it.
// r then stands behind the last sequence read. A damaged block is a *store.CorruptError, set in r too.
func Decompress(r *store.Reader, dst []byte, off, n int) (int, error) {
	if err := r.Err(); err != nil {
		return 0, err
	}
	in, at := r.Input(), r.Offset()
	// A block that is not damaged fits in here, so that one window is enough.
	limit := min(int64(MaxLength(len(dst)-off)), max(0, in.Length()-at))
	src, err := in.Window(at, int(limit))
	if err != nil {
		r.Fail(err)
		return 0, err
	}
	written, read, err := Decode(dst, off, n, src)
	if err != nil {
		r.Skip(int64(read))
		return 0, r.Corruptf("%v", err)
	}
	r.Skip(int64(read))
	return written, nil
}

// Decode is Decompress for a block at the start of src. It returns also how many bytes of src it read.
func Decode(dst []byte, off, n int, src []byte) (written, read int, err error) {
	if off < 0 || n < 0 || off > len(dst) || n > len(dst)-off {
		return 0, 0, errTooLong
	}
	d, s, end := off, 0, off+n
	for {
		if s >= len(src) {
			return d - off, s, errTruncated
		}
		token := int(src[s])
		s++
		if length := token >> 4; length != 0 {
			if length == 15 {
				if length, s, err = extend(length, s, src); err != nil {
					return d - off, s, err
				}
			} else if s+16 <= len(src) && d+16 <= len(dst) {
				// Most runs are short: sixteen bytes at once, of which the tail is overwritten later.
				copy(dst[d:d+16], src[s:s+16])
				s += length
				d += length
				goto match
			}
			if length > len(src)-s {
				return d - off, s, errTruncated
			}
			if length > len(dst)-d {
				return d - off, s, errTooLong
			}
			copy(dst[d:d+length], src[s:s+length])
			s += length
			d += length
		}
	match:
		if d >= end {
			return d - off, s, nil
		}
		if s+2 > len(src) {
			return d - off, s, errTruncated
		}
		distance := int(binary.LittleEndian.Uint16(src[s:]))
		s += 2
		length := token & 15
		if length == 15 {
			if length, s, err = extend(length, s, src); err != nil {
				return d - off, s, err
			}
		}
		length += minMatch
		if distance == 0 || distance > d {
			return d - off, s, errDistance
		}
		if length > len(dst)-d {
			return d - off, s, errTooLong
		}
		from := d - distance
		if length <= 16 && distance >= 16 && d+16 <= len(dst) {
			copy(dst[d:d+16], dst[from:from+16])
			d += length
		} else if distance >= length {
			copy(dst[d:d+length], dst[from:from+length])
			d += length
		} else {
			// The match repeats itself: what is copied doubles each time.
			for stop := d + length; d < stop; {
				d += copy(dst[d:stop], dst[from:d])
			}
		}
		if d >= end {
			return d - off, s, nil
		}
	}
}

// extend reads the bytes that follow a length of 15.
func extend(length, s int, src []byte) (int, int, error) {
	for {
		if s >= len(src) {
			return 0, s, errTruncated
		}
		b := src[s]
		s++
		length += int(b)
		if b != 255 {
			return length, s, nil
		}
	}
}
