package storedfields

import (
	"math"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/store"
)

// Units that a long may be a multiple of, which times often are; the index is the first two bits.
var units = [4]int64{1, 1000, 3600 * 1000, 24 * 3600 * 1000}

// putValue writes a value without its field.
func putValue(out *store.Output, v lucene.StoredValue) {
	switch v.Kind {
	case lucene.StoredString, lucene.StoredBytes:
		out.PutVInt(int32(len(v.Bytes)))
		out.PutBytes(v.Bytes)
	case lucene.StoredInt:
		out.PutZInt(int32(v.Num))
	case lucene.StoredFloat:
		putFloat(out, uint32(v.Num))
	case lucene.StoredLong:
		putLong(out, v.Num)
	case lucene.StoredDouble:
		putDouble(out, uint64(v.Num))
	}
}

// readValue reads a value of the given type, without its bytes for a string or bytes if skip.
func readValue(r *store.Reader, typ int, skip bool) (v lucene.StoredValue) {
	v.Kind = lucene.StoredKind(typ + 1)
	switch typ {
	case typeString, typeBytes:
		n := int(r.VInt())
		if skip {
			r.Skip(int64(n))
		} else {
			v.Bytes = r.Bytes(n)
		}
	case typeInt:
		v.Num = int64(r.ZInt())
	case typeFloat:
		v.Num = int64(readFloat(r))
	case typeLong:
		v.Num = readLong(r)
	case typeDouble:
		v.Num = int64(readDouble(r))
	default:
		r.Corruptf("stored value of type %d", typ)
	}
	return v
}

// putFloat writes small whole numbers in one byte, other positive ones in four, negative ones in five.
func putFloat(out *store.Output, bits uint32) {
	f := math.Float32frombits(bits)
	if n := smallWhole(float64(f), 125); n >= 0 && bits != 1<<31 {
		out.PutByte(byte(0x80 | n))
		return
	}
	if bits>>31 == 0 {
		out.PutByte(byte(bits >> 24))
		out.PutUint16(uint16(bits >> 8))
		out.PutByte(byte(bits))
		return
	}
	out.PutByte(0xff)
	out.PutUint32(bits)
}

// smallWhole returns f+1 if f is a whole number from -1 to largest, else -1.
func smallWhole(f float64, largest int) int {
	if f >= -1 && f <= float64(largest) && f == math.Trunc(f) {
		return int(f) + 1
	}
	return -1
}

func readFloat(r *store.Reader) uint32 {
	b := r.Byte()
	switch {
	case b == 0xff:
		return r.Uint32()
	case b&0x80 != 0:
		return math.Float32bits(float32(int(b&0x7f) - 1))
	}
	v := uint32(b)<<24 | uint32(r.Uint16())<<8
	return v | uint32(r.Byte())
}

func putDouble(out *store.Output, bits uint64) {
	f := math.Float64frombits(bits)
	if n := smallWhole(f, 124); n >= 0 && bits != 1<<63 {
		out.PutByte(byte(0x80 | n))
		return
	}
	if f == float64(float32(f)) {
		out.PutByte(0xfe)
		out.PutUint32(math.Float32bits(float32(f)))
		return
	}
	if bits>>63 == 0 {
		out.PutByte(byte(bits >> 56))
		out.PutUint32(uint32(bits >> 24))
		out.PutUint16(uint16(bits >> 8))
		out.PutByte(byte(bits))
		return
	}
	out.PutByte(0xff)
	out.PutUint64(bits)
}

func readDouble(r *store.Reader) uint64 {
	b := r.Byte()
	switch {
	case b == 0xff:
		return r.Uint64()
	case b == 0xfe:
		return math.Float64bits(float64(r.Float32()))
	case b&0x80 != 0:
		return math.Float64bits(float64(int(b&0x7f) - 1))
	}
	v := uint64(b)<<56 | uint64(r.Uint32())<<24
	v |= uint64(r.Uint16()) << 8
	return v | uint64(r.Byte())
}

func putLong(out *store.Output, v int64) {
	unit := 0
	for i := len(units) - 1; i > 0; i-- {
		if v%units[i] == 0 {
			unit = i
			break
		}
	}
	v /= units[unit]
	z := uint64(v<<1 ^ v>>63)
	head := byte(unit<<6) | byte(z&0x1f)
	if rest := z >> 5; rest != 0 {
		out.PutByte(head | 0x20)
		out.PutSignedVLong(int64(rest))
		return
	}
	out.PutByte(head)
}

func readLong(r *store.Reader) int64 {
	b := r.Byte()
	z := uint64(b & 0x1f)
	if b&0x20 != 0 {
		z |= uint64(r.VLong()) << 5
	}
	v := int64(z>>1) ^ -int64(z&1)
	return v * units[b>>6]
}
