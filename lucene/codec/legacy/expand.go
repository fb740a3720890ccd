package legacy

import (
	"bytes"
	"io"
	"slices"

	"github.com/klauspost/compress/flate"

	"github.com/varve-search/varve/lucene/lz4"
	"github.com/varve-search/varve/lucene/store"
)

// expander decompresses chunks, or slices of them: LZ4 or DEFLATE, as one block (Lucene50) or as a dictionary
// and the blocks that are compressed with it (Lucene87).
type expander struct {
	dict, deflate bool
	src           bytes.Reader
	inflater      io.ReadCloser
	buf           []byte
}

// expand appends the n bytes that the compressed ones at r stand for, and leaves r behind them.
func (e *expander) expand(dst []byte, r *store.Reader, n int) ([]byte, error) {
	if !e.dict {
		return e.block(dst, r, nil, n)
	}
	dict, block := int(r.VInt()), int(r.VInt())
	if r.Err() == nil && (dict < 0 || block < 0 || dict > n || block > n || block == 0 && dict < n) {
		return dst, r.Corruptf("a dictionary of %d and blocks of %d bytes among %d", dict, block, n)
	}
	if !e.deflate { // the compressed lengths of dictionary and blocks
		for at := dict; ; at += block {
			r.VInt()
			if at >= n || r.Err() != nil {
				break
			}
		}
	}
	if r.Err() != nil {
		return dst, r.Err()
	}
	start := len(dst)
	dst, err := e.block(dst, r, nil, dict)
	if err != nil {
		return dst, err
	}
	words := slices.Clone(dst[start:])
	for at := dict; at < n; at += block {
		if dst, err = e.block(dst, r, words, min(block, n-at)); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// block appends one block of n bytes.
func (e *expander) block(dst []byte, r *store.Reader, dict []byte, n int) ([]byte, error) {
	e.buf = append(slices.Grow(e.buf[:0], len(dict)+n), dict...)[:len(dict)+n]
	if e.deflate {
		if err := e.inflate(e.buf[len(dict):], r, dict); err != nil {
			return dst, err
		}
	} else {
		got, err := lz4.Decompress(r, e.buf, len(dict), n)
		if err != nil {
			return dst, err
		}
		if got != n {
			return dst, r.Corruptf("a block gives %d bytes where %d are expected", got, n)
		}
	}
	return append(dst, e.buf[len(dict):]...), nil
}

// inflate fills dst from a block with its compressed length before it.
func (e *expander) inflate(dst []byte, r *store.Reader, dict []byte) error {
	src := r.Bytes(int(r.VInt()))
	if r.Err() != nil {
		return r.Err()
	}
	if len(src) == 0 && len(dst) == 0 {
		return nil
	}
	e.src.Reset(src)
	if e.inflater == nil {
		e.inflater = flate.NewReaderDict(&e.src, dict)
	} else if err := e.inflater.(flate.Resetter).Reset(&e.src, dict); err != nil {
		return err
	}
	if _, err := io.ReadFull(e.inflater, dst); err != nil {
		return r.Corruptf("a block of %d bytes cannot be inflated to %d: %v", len(src), len(dst), err)
	}
	return nil
}
