package legacy

import (
	"encoding/binary"
	"math"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/store"
)

// Units that a long may be a multiple of, by its first two bits, in milliseconds.
var units = [4]int64{1, 1000, 3600 * 1000, 24 * 3600 * 1000}

// readValue reads a stored value of a type.
func readValue(r *store.Reader, typ int) lucene.StoredValue {
	v := lucene.StoredValue{Kind: lucene.StoredKind(typ + 1)}
	switch v.Kind {
	case lucene.StoredString, lucene.StoredBytes:
		v.Bytes = r.Bytes(int(r.VInt()))
	case lucene.StoredInt:
		v.Num = int64(r.ZInt())
	case lucene.StoredFloat:
		v.Num = int64(readFloat(r))
	case lucene.StoredLong:
		v.Num = readLong(r)
	case lucene.StoredDouble:
		v.Num = int64(readDouble(r))
	default:
		r.Corruptf("stored value of type %d", typ)
	}
	return v
}

func readFloat(r *store.Reader) uint32 {
	switch b := r.Byte(); {
	case b == 0xff:
		return r.BEUint32()
	case b&0x80 != 0:
		return math.Float32bits(float32(int(b&0x7f) - 1))
	default: // the first of four bytes
		var w [4]byte
		w[0] = b
		copy(w[1:], r.Bytes(3))
		return binary.BigEndian.Uint32(w[:])
	}
}

func readDouble(r *store.Reader) uint64 {
	switch b := r.Byte(); {
	case b == 0xff:
		return uint64(r.BEInt64())
	case b == 0xfe:
		return math.Float64bits(float64(math.Float32frombits(r.BEUint32())))
	case b&0x80 != 0:
		return math.Float64bits(float64(int(b&0x7f) - 1))
	default: // the first of eight bytes
		var w [8]byte
		w[0] = b
		copy(w[1:], r.Bytes(7))
		return binary.BigEndian.Uint64(w[:])
	}
}

func readLong(r *store.Reader) int64 {
	b := r.Byte()
	z := uint64(b & 0x1f)
	if b&0x20 != 0 {
		z |= uint64(r.VLong()) << 5
	}
	return (int64(z>>1) ^ -int64(z&1)) * units[b>>6]
}
