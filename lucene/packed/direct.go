package packed

// Values of equal width, least significant bit first; see docs/formats/packed.md.

import (
	"encoding/binary"
	"math/bits"

	"github.com/varve-search/varve/lucene/store"
)

// widths are those that Direct knows. Each value of them lies within eight bytes from the byte it starts in.
var widths = [...]int{1, 2, 4, 8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64}

// Supported tells whether Direct reads values of that many bits.
func Supported(width int) bool {
	for _, w := range widths {
		if w == width {
			return true
		}
	}
	return false
}

// BitsRequired returns the smallest width that Direct supports and that holds max, taken as unsigned.
func BitsRequired(max uint64) int {
	n := bits.Len64(max)
	for _, w := range widths {
		if w >= n {
			return w
		}
	}
	return 64
}

// DirectBytes returns how many bytes count values of a width take, the padding behind them left out.
func DirectBytes(count int64, width int) int64 {
	return count/8*int64(width) + (count%8*int64(width)+7)/8
}

// Direct is random access to values of one width.
type Direct struct {
	w     []byte // bytes from base on, relative to start
	base  uint64
	last  uint64 // offsets within w up to here have eight bytes
	width uint64
	mask  uint64
	count uint64
	start int64 // of the first value in in
	in    store.Input
}

// NewDirect returns access to count values that start at off in in. It fails where in cannot hold them.
func NewDirect(in store.Input, off int64, width int, count int64) (Direct, error) {
	d := Direct{in: in, start: off, width: uint64(width), count: uint64(count), mask: ^uint64(0) >> ((64 - uint(width)) & 63)}
	if !Supported(width) {
		return d, store.Corruptf(in.Name(), off, "packed values of %d bits", width)
	}
	if off < 0 || off > in.Length() || count < 0 || count > (in.Length()-off)*8/int64(width) {
		return d, store.Corruptf(in.Name(), off, "%d packed values of %d bits do not fit the %d bytes of the file", count, width, in.Length())
	}
	if all := store.Resident(in); all != nil {
		d.show(all[off:], 0)
	}
	return d, nil
}

// show makes w, which starts p bytes behind the first value, the window.
func (d *Direct) show(w []byte, p uint64) {
	d.w, d.base, d.last = w, p, uint64(max(0, len(w)-7))
}

// Count returns the number of values.
func (d *Direct) Count() int64 { return int64(d.count) }

// Get returns value i.
func (d *Direct) Get(i int64) (int64, error) {
	bit := uint64(i) * d.width
	p := bit>>3 - d.base
	if uint64(i) < d.count && p < d.last {
		return int64(binary.LittleEndian.Uint64(d.w[p:]) >> (bit & 7) & d.mask), nil
	}
	return d.slow(i)
}

// slow is Get outside of the window.
func (d *Direct) slow(i int64) (int64, error) {
	if uint64(i) >= d.count {
		return 0, d.outOfRange(i)
	}
	bit := uint64(i) * d.width
	if err := d.move(bit >> 3); err != nil {
		return 0, err
	}
	return int64(binary.LittleEndian.Uint64(d.w) >> (bit & 7) & d.mask), nil
}

func (d *Direct) outOfRange(i int64) error {
	return store.Corruptf(d.in.Name(), d.start, "value %d of %d is asked for", i, d.count)
}

// move makes a window of at least eight bytes from offset p on, zeros behind the end of the input.
func (d *Direct) move(p uint64) error {
	off := d.start + int64(p)
	w, err := d.in.Window(off, int(min(d.in.Length()-off, 8)))
	if err != nil {
		return err
	}
	if len(w) < 8 {
		w = append(make([]byte, 0, 8), w...)[:8]
	}
	d.show(w, p)
	return nil
}

// Fill sets dst to the values from first on.
func (d *Direct) Fill(dst []int64, first int64) error {
	if n := uint64(len(dst)); uint64(first) > d.count || n > d.count-uint64(first) {
		return d.outOfRange(first + int64(n) - 1)
	}
	for len(dst) > 0 {
		// Groups of eight values start at a whole byte, whatever the width.
		if first&7 != 0 || len(dst) < 8 {
			v, err := d.Get(first)
			if err != nil {
				return err
			}
			dst[0] = v
			dst, first = dst[1:], first+1
			continue
		}
		p := uint64(first)>>3*d.width - d.base
		groups := len(dst) >> 3
		if fit := int((uint64(len(d.w)) - p) / d.width); p >= uint64(len(d.w)) || fit == 0 {
			if err := d.move(p + d.base); err != nil {
				return err
			}
			if uint64(len(d.w)) < d.width {
				// A window of less than a group: the input says no more than it must.
				w, err := store.Bytes(d.in, d.start+int64(d.base), int(d.width))
				if err != nil {
					return err
				}
				d.show(w, d.base)
			}
			continue
		} else if groups > fit {
			groups = fit
		}
		unpack(dst[:groups*8], d.w[p:p+uint64(groups)*d.width], int(d.width))
		dst, first = dst[groups*8:], first+int64(groups*8)
	}
	return nil
}

// Gather sets dst[i] to value index[i]-base, for ascending indices.
func (d *Direct) Gather(dst []int64, index []int32, base int32) error {
	if len(index) == 0 {
		return nil
	}
	if first, n := index[0], len(index); n >= 16 && int(index[n-1]-first) == n-1 {
		return d.Fill(dst[:n], int64(first-base))
	}
	dst = dst[:len(index)]
	w, width, mask, start, last, count := d.w, d.width, d.mask, d.base, d.last, d.count
	for i, doc := range index {
		k := uint64(int64(doc - base))
		bit := k * width
		p := bit>>3 - start
		if k >= count || p >= last {
			v, err := d.slow(int64(k))
			if err != nil {
				return err
			}
			dst[i] = v
			w, start, last = d.w, d.base, d.last
			continue
		}
		dst[i] = int64(binary.LittleEndian.Uint64(w[p:]) >> (bit & 7) & mask)
	}
	return nil
}
