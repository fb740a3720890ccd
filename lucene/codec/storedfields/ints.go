package storedfields

import (
	"slices"

	"github.com/varve-search/varve/lucene/store"
)

// Arrays of a chunk: one number per document, in 8, 16 or 32 bits, or all the same. Whole blocks of 128
// are packed in 64-bit words, the first of each word in its highest bits.
const intsBlock = 128

func readInts(r *store.Reader, dst []int32) error {
	if len(dst) == 1 {
		dst[0] = r.VInt()
		return checkInts(r, dst)
	}
	width := int(r.Byte())
	switch width {
	case 0:
		v := r.VInt()
		for i := range dst {
			dst[i] = v
		}
		return checkInts(r, dst)
	case 8, 16, 32:
	default:
		return r.Corruptf("numbers of %d bits in the header of a chunk", width)
	}
	if int64(len(dst))*int64(width/8) > r.Remaining() {
		return r.Corruptf("%d numbers of %d bits where %d bytes remain", len(dst), width, r.Remaining())
	}
	lanes := 64 / width
	step := intsBlock / lanes
	mask := uint64(1)<<width - 1
	for ; len(dst) >= intsBlock; dst = dst[intsBlock:] {
		for i := range step {
			word := r.Uint64()
			for lane := range lanes {
				dst[lane*step+i] = int32(word >> (64 - (lane+1)*width) & mask)
			}
		}
		if err := checkInts(r, dst[:intsBlock]); err != nil {
			return err
		}
	}
	for i := range dst {
		switch width {
		case 8:
			dst[i] = int32(r.Byte())
		case 16:
			dst[i] = int32(r.Uint16())
		default:
			dst[i] = r.Int32()
		}
	}
	return checkInts(r, dst)
}

func checkInts(r *store.Reader, v []int32) error {
	if r.Err() == nil && len(v) > 0 && slices.Min(v) < 0 {
		r.Corruptf("a negative number in the header of a chunk")
	}
	return r.Err()
}

func putInts(out *store.Output, v []int32) {
	if len(v) == 1 {
		out.PutVInt(v[0])
		return
	}
	same, all := true, uint32(0)
	for _, x := range v {
		same = same && x == v[0]
		all |= uint32(x)
	}
	var width int
	switch {
	case same:
		out.PutByte(0)
		out.PutVInt(v[0])
		return
	case all <= 0xff:
		width = 8
	case all <= 0xffff:
		width = 16
	default:
		width = 32
	}
	out.PutByte(byte(width))
	lanes := 64 / width
	step := intsBlock / lanes
	for ; len(v) >= intsBlock; v = v[intsBlock:] {
		for i := range step {
			var word uint64
			for lane := range lanes {
				word = word<<width | uint64(uint32(v[lane*step+i]))
			}
			out.PutUint64(word)
		}
	}
	for _, x := range v {
		switch width {
		case 8:
			out.PutByte(byte(x))
		case 16:
			out.PutUint16(uint16(x))
		default:
			out.PutInt32(x)
		}
	}
}
