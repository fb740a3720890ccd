package packed

import (
	"encoding/binary"
	"fmt"

	"github.com/varve-search/varve/lucene/store"
)

// writerValues is how many values a DirectWriter holds back: a multiple of eight, so that every flush but the last
// ends at a whole byte.
const writerValues = 512

// DirectWriter writes values that Direct reads.
type DirectWriter struct {
	out   *store.Output
	width uint
	left  int64
	n     int
	buf   [writerValues]uint64
	bytes []byte
}

// NewDirectWriter returns a writer of count values of a width that BitsRequired gave.
func NewDirectWriter(out *store.Output, count int64, width int) *DirectWriter {
	w := &DirectWriter{}
	w.Reset(out, count, width)
	return w
}

// Reset makes w write count other values.
func (w *DirectWriter) Reset(out *store.Output, count int64, width int) {
	if !Supported(width) {
		panic(fmt.Sprintf("packed: a DirectWriter of %d bits", width))
	}
	w.out, w.width, w.left, w.n = out, uint(width), count, 0
}

// Add appends a value, which must fit the width; only its low bits count.
func (w *DirectWriter) Add(v int64) {
	w.buf[w.n] = uint64(v)
	w.n++
	w.left--
	if w.n == writerValues {
		w.flush()
	}
}

func (w *DirectWriter) flush() {
	b := w.bytes[:0]
	switch vs := w.buf[:w.n]; {
	case w.width%8 == 0:
		n := int(w.width / 8)
		for _, v := range vs {
			b = binary.LittleEndian.AppendUint64(b, v)
			b = b[:len(b)-8+n]
		}
	default:
		var acc uint64
		var have uint
		for _, v := range vs {
			acc |= v << have
			for have += w.width; have >= 8; have -= 8 {
				b = append(b, byte(acc))
				acc >>= 8
			}
		}
		if have > 0 {
			b = append(b, byte(acc))
		}
	}
	w.out.PutBytes(b)
	w.bytes, w.n = b, 0
}

// Finish writes what is left and the padding that lets readers load a value at once. It fails if not
// as many values were added as announced; errors of the output show there.
func (w *DirectWriter) Finish() error {
	if w.left != 0 {
		return fmt.Errorf("%s: %d packed values too few were written", w.out.Name(), w.left)
	}
	w.flush()
	if w.width > 8 {
		word := uint(16)
		for word < w.width {
			word *= 2
		}
		for range (word - w.width + 7) / 8 {
			w.out.PutByte(0)
		}
	}
	return nil
}

// MonotonicWriter writes a sequence that Monotonic reads: blocks to data, what describes them to meta.
type MonotonicWriter struct {
	meta, data *store.Output
	base       int64
	buf        []int64
	n          int
	left       int64
	previous   int64
	err        error
	w          *DirectWriter
}

// NewMonotonicWriter returns a writer of count values in blocks of 1<<shift.
func NewMonotonicWriter(meta, data *store.Output, count int64, shift int) *MonotonicWriter {
	if shift < minMonotonicShift || shift > maxMonotonicShift {
		panic(fmt.Sprintf("packed: a MonotonicWriter with blocks of 2^%d", shift))
	}
	return &MonotonicWriter{
		meta: meta, data: data, base: data.FilePointer(), left: count,
		buf: make([]int64, min(max(count, 0), 1<<shift)), previous: -1 << 63,
	}
}

// Add appends a value, which must not be smaller than the one before.
func (w *MonotonicWriter) Add(v int64) {
	if v < w.previous || w.left <= 0 {
		if w.err == nil {
			w.err = fmt.Errorf("%s: monotonic value %d after %d, %d to come", w.data.Name(), v, w.previous, w.left)
		}
		return
	}
	w.previous = v
	w.left--
	if w.n == len(w.buf) {
		w.flush()
	}
	w.buf[w.n] = v
	w.n++
}

func (w *MonotonicWriter) flush() {
	vs := w.buf[:w.n]
	slope := float32(float64(vs[w.n-1]-vs[0]) / float64(max(1, w.n-1)))
	lowest := int64(1<<63 - 1)
	for i := range vs {
		vs[i] -= int64(slope * float32(i))
		lowest = min(lowest, vs[i])
	}
	var all uint64
	for i := range vs {
		vs[i] -= lowest
		all |= uint64(vs[i])
	}
	w.meta.PutInt64(lowest)
	w.meta.PutFloat32(slope)
	w.meta.PutInt64(w.data.FilePointer() - w.base)
	if all == 0 {
		w.meta.PutByte(0)
	} else {
		width := BitsRequired(all)
		if w.w == nil {
			w.w = &DirectWriter{}
		}
		w.w.Reset(w.data, int64(w.n), width)
		for _, v := range vs {
			w.w.Add(v)
		}
		if err := w.w.Finish(); err != nil && w.err == nil {
			w.err = err
		}
		w.meta.PutByte(byte(width))
	}
	w.n = 0
}

// Finish writes the last block and returns the first error but those of the outputs, which show there.
func (w *MonotonicWriter) Finish() error {
	if w.n > 0 {
		w.flush()
	}
	if w.err == nil && w.left != 0 {
		w.err = fmt.Errorf("%s: %d monotonic values too few were written", w.data.Name(), w.left)
	}
	return w.err
}
