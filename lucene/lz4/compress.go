package lz4

// Encoding of blocks; see docs/formats/lz4.md. Both compressors remember where they saw each sequence of
// four bytes. Positions in their tables count on from call to call, so that entries of earlier calls are
// recognised by being too small and no table needs to be cleared.

import (
	"encoding/binary"
	"math/bits"
)

const (
	fastBits = 13 // 32 KiB, to stay within the first-level cache
	highBits = 15
	// attempts bounds how many earlier places High compares for one position.
	attempts = 256
	// Positions start anew before they could overflow.
	maxBase = 1 << 30
)

func hash(v uint32, log uint) uint32 { return v * 2654435761 >> (32 - log) }

func load32(b []byte, i int) uint32 { return binary.LittleEndian.Uint32(b[i:]) }

// common returns how many bytes from a and b on are equal, up to limit; a < b.
func common(p []byte, a, b, limit int) int {
	start := b
	for b+8 <= limit {
		if x := binary.LittleEndian.Uint64(p[a:]) ^ binary.LittleEndian.Uint64(p[b:]); x != 0 {
			return b - start + bits.TrailingZeros64(x)>>3
		}
		a, b = a+8, b+8
	}
	for b < limit && p[a] == p[b] {
		a, b = a+1, b+1
	}
	return b - start
}

func appendLength(dst []byte, n int) []byte {
	for ; n >= 255; n -= 255 {
		dst = append(dst, 255)
	}
	return append(dst, byte(n))
}

func appendSequence(dst, literals []byte, distance, match int) []byte {
	token := byte(min(len(literals), 15)<<4 | min(match-minMatch, 15))
	dst = append(dst, token)
	if len(literals) >= 15 {
		dst = appendLength(dst, len(literals)-15)
	}
	dst = append(dst, literals...)
	dst = append(dst, byte(distance), byte(distance>>8))
	if match-minMatch >= 15 {
		dst = appendLength(dst, match-minMatch-15)
	}
	return dst
}

func appendLast(dst, literals []byte) []byte {
	dst = append(dst, byte(min(len(literals), 15)<<4))
	if len(literals) >= 15 {
		dst = appendLength(dst, len(literals)-15)
	}
	return append(dst, literals...)
}

// Fast compresses quickly: it remembers one place for each sequence of bytes.
type Fast struct {
	base  uint32 // position of the current call's first byte
	table [1 << fastBits]uint32
}

// NewFast returns a compressor.
func NewFast() *Fast { return &Fast{base: 1} }

// Append compresses src[dictLen:] to the end of dst; src[:dictLen] is the dictionary, of which the last 64
// KiB count.
func (c *Fast) Append(dst, src []byte, dictLen int) []byte {
	if drop := dictLen - maxDistance; drop > 0 {
		src, dictLen = src[drop:], maxDistance
	}
	end := len(src)
	anchor := dictLen
	if end-dictLen <= lastLiterals+minMatch {
		return appendLast(dst, src[anchor:])
	}
	if c.base >= maxBase || uint64(end) >= maxBase {
		c.base = 1
		clear(c.table[:])
	}
	base := c.base
	c.base += uint32(end)
	for i := 0; i < dictLen; i++ {
		c.table[hash(load32(src, i), fastBits)] = base + uint32(i)
	}
	limit := end - lastLiterals
	matchLimit := limit - minMatch
	misses := 0
	for pos := dictLen; pos < matchLimit; {
		v := load32(src, pos)
		slot := &c.table[hash(v, fastBits)]
		seen := *slot
		*slot = base + uint32(pos)
		ref := int(seen) - int(base)
		if seen < base || pos-ref > maxDistance || load32(src, ref) != v {
			misses++
			pos += 1 + misses>>6 // data without matches is passed faster and faster
			continue
		}
		misses = 0
		for pos > anchor && ref > 0 && src[pos-1] == src[ref-1] {
			pos, ref = pos-1, ref-1
		}
		n := minMatch + common(src, ref+minMatch, pos+minMatch, limit)
		dst = appendSequence(dst, src[anchor:pos], pos-ref, n)
		pos += n
		anchor = pos
		if pos < matchLimit {
			c.table[hash(load32(src, pos-2), fastBits)] = base + uint32(pos-2)
		}
	}
	return appendLast(dst, src[anchor:])
}

// High compresses slowly and well: it compares many earlier places and takes the longest match.
type High struct {
	base  uint32
	table [1 << highBits]uint32   // the last place of each hash
	chain [maxDistance + 1]uint16 // how far before each place the one before it lies, 0: nowhere near
}

// NewHigh returns a compressor.
func NewHigh() *High { return &High{base: 1} }

func (c *High) insert(src []byte, i int) {
	slot := &c.table[hash(load32(src, i), highBits)]
	at := c.base + uint32(i)
	delta := uint32(0)
	if *slot >= c.base && at-*slot <= maxDistance {
		delta = at - *slot
	}
	c.chain[at&maxDistance] = uint16(delta)
	*slot = at
}

// longest returns the longest match for pos among the places that were inserted, all before it.
func (c *High) longest(src []byte, pos, limit int) (ref, length int) {
	v := load32(src, pos)
	seen := c.table[hash(v, highBits)]
	for range attempts {
		if seen < c.base {
			break
		}
		r := int(seen - c.base)
		if pos-r > maxDistance {
			break
		}
		if pos+length < limit && src[r+length] == src[pos+length] && load32(src, r) == v {
			if n := minMatch + common(src, r+minMatch, pos+minMatch, limit); n > length {
				ref, length = r, n
			}
		}
		delta := uint32(c.chain[seen&maxDistance])
		if delta == 0 {
			break
		}
		seen -= delta
	}
	return ref, length
}

// Append compresses src[dictLen:] to the end of dst; src[:dictLen] is the dictionary, of which the last 64
// KiB count.
func (c *High) Append(dst, src []byte, dictLen int) []byte {
	if drop := dictLen - maxDistance; drop > 0 {
		src, dictLen = src[drop:], maxDistance
	}
	end := len(src)
	anchor := dictLen
	if end-dictLen <= lastLiterals+minMatch {
		return appendLast(dst, src[anchor:])
	}
	if c.base >= maxBase || uint64(end) >= maxBase {
		c.base = 1
		clear(c.table[:])
	}
	limit := end - lastLiterals
	matchLimit := limit - minMatch
	next := 0 // the first place that is not inserted
	for pos := dictLen; pos < matchLimit; {
		for ; next < pos; next++ {
			c.insert(src, next)
		}
		ref, n := c.longest(src, pos, limit)
		if n < minMatch {
			pos++
			continue
		}
		dst = appendSequence(dst, src[anchor:pos], pos-ref, n)
		pos += n
		anchor = pos
	}
	c.base += uint32(end)
	return appendLast(dst, src[anchor:])
}
