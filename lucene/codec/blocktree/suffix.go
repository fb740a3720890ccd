package blocktree

import (
	"github.com/varve-search/varve/lucene/lz4"
	"github.com/varve-search/varve/lucene/store"
)

// How the suffixes of a block are compressed.
const (
	compressNone = iota
	compressLowercase
	compressLZ4
)

// readSuffixes returns the n bytes of a block's suffixes; buf is a buffer that may be used for them.
func readSuffixes(r *store.Reader, algorithm int, n int64, buf []byte) []byte {
	rest := r.Remaining()
	switch {
	case r.Err() != nil:
		return buf
	case algorithm == compressNone && n > rest,
		algorithm == compressLowercase && n-n/4 > rest,
		algorithm == compressLZ4 && n/255 > rest:
		r.Corruptf("%d bytes of suffixes where %d bytes remain", n, rest)
		return buf
	}
	if algorithm == compressNone {
		return r.Bytes(int(n))
	}
	if int64(cap(buf)) < n {
		buf = make([]byte, n+n/4)
	}
	buf = buf[:n]
	switch algorithm {
	case compressLowercase:
		decompressLowercase(r, buf)
	case compressLZ4:
		if m, err := lz4.Decompress(r, buf, 0, len(buf)); err == nil && m != len(buf) {
			r.Corruptf("%d bytes of suffixes where %d are announced", m, len(buf))
		}
	default:
		r.Corruptf("unknown compression %d of suffixes", algorithm)
	}
	return buf
}

// decompressLowercase undoes the packing of four characters, each in 0x1f to 0x3e or 0x5f to 0x7e, into
// three bytes: the last quarter is spread over the two high bits of the others. Characters out of these ranges follow as
// pairs of a distance and the byte.
func decompressLowercase(r *store.Reader, out []byte) {
	saved := len(out) / 4
	packed := len(out) - saved
	copy(out, r.Bytes(packed))
	if r.Err() != nil {
		return
	}
	for i := range saved {
		out[packed+i] = out[i]&0xc0>>2 | out[saved+i]&0xc0>>4 | out[2*saved+i]&0xc0>>6
	}
	for i, b := range out {
		out[i] = b&0x1f | 0x20 | b&0x20<<1
		out[i]--
	}
	at := 0
	for range r.Count("exceptions", 2) {
		at += int(r.Byte())
		b := r.Byte()
		if at >= len(out) {
			r.Corruptf("an exception at %d of %d bytes", at, len(out))
			return
		}
		out[at] = b
	}
}

func packable(b byte) bool {
	high := (b + 1) &^ 0x1f
	return high == 0x20 || high == 0x60
}

// compressLowercaseTo appends the packed form of in to out, or returns false if that would not save room.
func compressLowercaseTo(out *store.Output, in []byte) bool {
	if len(in) < 8 {
		return false
	}
	n, prev := 0, 0
	for i, b := range in {
		if !packable(b) {
			n += max(0, i-prev-1)/0xff + 1
			prev = i
		}
		if n > len(in)/32 {
			return false
		}
	}
	saved := len(in) / 4
	packed := len(in) - saved
	tmp := make([]byte, len(in))
	for i, b := range in {
		b++
		tmp[i] = b&0x1f | b&0x40>>1
	}
	for i := range saved {
		b := tmp[packed+i]
		tmp[i] |= b & 0x30 << 2
		tmp[saved+i] |= b & 0x0c << 4
		tmp[2*saved+i] |= b & 0x03 << 6
	}
	out.PutBytes(tmp[:packed])
	out.PutVInt(int32(n))
	prev = 0
	for i, b := range in {
		if packable(b) {
			continue
		}
		for i-prev > 0xff {
			prev += 0xff
			out.PutByte(0xff)
			out.PutByte(in[prev])
		}
		out.PutByte(byte(i - prev))
		out.PutByte(b)
		prev = i
	}
	return true
}
