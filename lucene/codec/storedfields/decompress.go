package storedfields

import (
	"bytes"
	"io"
	"slices"
	"sync"

	"github.com/klauspost/compress/flate"

	"github.com/varve-search/varve/lucene/lz4"
	"github.com/varve-search/varve/lucene/store"
)

// expander decompresses units. A unit is a dictionary and sub-blocks that are compressed with it, all
// but the last of one size; a chunk is one unit, or several if it is sliced.
type expander interface {
	// expand appends the bytes [off, off+n) of the unit of total bytes at r to dst, touching only the
	// sub-blocks it needs, and leaves r behind the unit.
	expand(dst []byte, r *store.Reader, total, off, n int) ([]byte, error)
}

func newExpander(m Mode) expander {
	if m == BestSpeed {
		return lz4Expander{}
	}
	return &deflateExpander{}
}

// readUnitHeader reads the sizes of the dictionary and of the sub-blocks, and checks them.
func readUnitHeader(r *store.Reader, total int) (dict, block, count int, err error) {
	dict, block = int(r.VInt()), int(r.VInt())
	if err := r.Err(); err != nil {
		return 0, 0, 0, err
	}
	if dict < 0 || block < 0 || dict > total || block > total || block == 0 && dict < total {
		return 0, 0, 0, r.Corruptf("a dictionary of %d and sub-blocks of %d bytes in a unit of %d", dict, block, total)
	}
	if dict < total {
		count = (total - dict + block - 1) / block
	}
	return dict, block, count, nil
}

// lz4Scratch holds what decoding a unit needs besides its result, a dictionary and a sub-block. Most cursors read one document and are
// dropped, so the buffers outlive them.
type lz4Scratch struct {
	lengths []int32
	buf     []byte
}

var lz4Scratches = sync.Pool{New: func() any { return new(lz4Scratch) }}

// lz4Kept is the largest buffer that is kept for the next cursor.
const lz4Kept = 256 << 10

type lz4Expander struct{}

func (lz4Expander) expand(dst []byte, r *store.Reader, total, off, n int) ([]byte, error) {
	dictLen, blockLen, count, err := readUnitHeader(r, total)
	if err != nil {
		return dst, err
	}
	if int64(count) > r.Remaining() {
		return dst, r.Corruptf("%d sub-blocks where %d bytes remain", count, r.Remaining())
	}
	e := lz4Scratches.Get().(*lz4Scratch)
	defer func() {
		if cap(e.buf) <= lz4Kept {
			lz4Scratches.Put(e)
		}
	}()
	e.lengths = slices.Grow(e.lengths[:0], count+1)
	var sum int64
	for range count + 1 {
		length := r.VInt()
		if length < 0 {
			r.Corruptf("a sub-block of %d compressed bytes", length)
		}
		e.lengths = append(e.lengths, length)
		sum += int64(length)
	}
	if r.Err() == nil && sum > r.Remaining() {
		r.Corruptf("sub-blocks of %d compressed bytes where %d remain", sum, r.Remaining())
	}
	if err := r.Err(); err != nil {
		return dst, err
	}
	end := r.Offset() + sum
	if n > 0 {
		dst = slices.Grow(dst, n)
		e.buf = slices.Grow(e.buf[:0], dictLen+blockLen)[:dictLen+blockLen]
		if err := e.block(r, e.buf[:dictLen], 0, dictLen, 0); err != nil {
			return dst, err
		}
		if off < dictLen {
			dst = append(dst, e.buf[off:min(dictLen, off+n)]...)
		}
		for i, at := 1, dictLen; i <= count && at < off+n; i, at = i+1, at+blockLen {
			size := min(blockLen, total-at)
			if at+size <= off {
				r.Skip(int64(e.lengths[i]))
				continue
			}
			lo, hi := max(0, off-at), min(size, off+n-at)
			if err := e.block(r, e.buf[:dictLen+size], dictLen, hi, i); err != nil {
				return dst, err
			}
			dst = append(dst, e.buf[dictLen+lo:dictLen+hi]...)
		}
	}
	r.SeekTo(end)
	return dst, nil
}

// block decodes the first want bytes of sub-block i to buf behind its dictionary.
func (e *lz4Scratch) block(r *store.Reader, buf []byte, dict, want, i int) error {
	at := r.Offset()
	src := r.Bytes(int(e.lengths[i]))
	if err := r.Err(); err != nil {
		return err
	}
	if len(buf) == dict {
		return nil
	}
	written, read, err := lz4.Decode(buf, dict, want, src)
	if err == nil && (written < want || want == len(buf)-dict && read != len(src)) {
		r.SeekTo(at)
		return r.Corruptf("sub-block %d gives %d of %d bytes, reading %d of %d", i, written, want, read, len(src))
	}
	if err != nil {
		r.SeekTo(at)
		return r.Corruptf("sub-block %d: %v", i, err)
	}
	return nil
}

type deflateExpander struct {
	inflater io.ReadCloser
	dict     []byte
	src      bytes.Reader
}

func (e *deflateExpander) expand(dst []byte, r *store.Reader, total, off, n int) ([]byte, error) {
	dictLen, blockLen, count, err := readUnitHeader(r, total)
	if err != nil {
		return dst, err
	}
	if n > 0 {
		e.dict = slices.Grow(e.dict[:0], dictLen)[:dictLen]
		if err := e.block(r, e.dict, nil, true); err != nil {
			return dst, err
		}
		if off < dictLen {
			dst = append(dst, e.dict[off:min(dictLen, off+n)]...)
		}
	} else {
		r.Skip(int64(r.VInt()))
	}
	for i, at := 0, dictLen; i < count; i, at = i+1, at+blockLen {
		size := min(blockLen, total-at)
		if n == 0 || at >= off+n || at+size <= off {
			r.Skip(int64(r.VInt()))
			if err := r.Err(); err != nil {
				return dst, err
			}
			continue
		}
		lo, hi := max(0, off-at), min(size, off+n-at)
		was := len(dst)
		dst = slices.Grow(dst, hi)[:was+hi]
		if err := e.block(r, dst[was:], e.dict, hi == size); err != nil {
			return dst, err
		}
		dst = append(dst[:was], dst[was+lo:]...)
	}
	return dst, r.Err()
}

// block fills dst from the start of the sub-block at r; whole tells that no more may follow in it.
func (e *deflateExpander) block(r *store.Reader, dst, dict []byte, whole bool) error {
	length := int(r.VInt())
	at := r.Offset()
	src := r.Bytes(length)
	if err := r.Err(); err != nil {
		return err
	}
	if length == 0 {
		if len(dst) != 0 {
			return r.Corruptf("an empty sub-block where %d bytes are expected", len(dst))
		}
		return nil
	}
	e.src.Reset(src)
	if e.inflater == nil {
		e.inflater = flate.NewReaderDict(&e.src, dict)
	} else if err := e.inflater.(flate.Resetter).Reset(&e.src, dict); err != nil {
		return err
	}
	_, err := io.ReadFull(e.inflater, dst)
	if err == nil && whole {
		var one [1]byte
		switch k, rerr := e.inflater.Read(one[:]); {
		case k != 0:
			r.SeekTo(at)
			return r.Corruptf("a sub-block gives more than its %d bytes", len(dst))
		case rerr != nil && rerr != io.EOF:
			err = rerr
		}
	}
	if err != nil {
		r.SeekTo(at)
		return r.Corruptf("a sub-block of %d bytes cannot be inflated to %d: %v", length, len(dst), err)
	}
	return nil
}
