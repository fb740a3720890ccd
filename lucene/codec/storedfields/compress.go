package storedfields

import (
	"bytes"
	"fmt"

	"github.com/klauspost/compress/flate"

	"github.com/varve-search/varve/lucene/lz4"
	"github.com/varve-search/varve/lucene/store"
)

// Shape of a unit: the first bytes are the dictionary of all sub-blocks.
const (
	subBlocks       = 10
	lz4DictFactor   = 2 // the dictionary is so many times smaller than a sub-block
	flateDictFactor = 6
	maxLZ4Dict      = 1<<16 - 1
	flateLevel      = 6
)

type compressor interface {
	// compress writes one unit.
	compress(out *store.Output, b []byte) error
}

func newCompressor(m Mode) compressor {
	if m == BestSpeed {
		return &lz4Compressor{c: lz4.NewFast()}
	}
	return &deflateCompressor{}
}

type lz4Compressor struct {
	c      *lz4.Fast
	buf    []byte
	packed []byte
}

func (c *lz4Compressor) compress(out *store.Output, b []byte) error {
	dict := min(maxLZ4Dict, len(b)/(subBlocks*lz4DictFactor))
	block := (len(b) - dict + subBlocks - 1) / subBlocks
	out.PutVInt(int32(dict))
	out.PutVInt(int32(block))
	c.packed = c.c.Append(c.packed[:0], b[:dict], 0)
	out.PutVInt(int32(len(c.packed)))
	c.buf = append(c.buf[:0], b[:dict]...)
	for at := dict; at < len(b); at += block {
		c.buf = append(c.buf[:dict], b[at:min(at+block, len(b))]...)
		was := len(c.packed)
		c.packed = c.c.Append(c.packed, c.buf, dict)
		out.PutVInt(int32(len(c.packed) - was))
	}
	out.PutBytes(c.packed)
	return out.Err()
}

type deflateCompressor struct {
	plain, withDict *flate.Writer
	packed          bytes.Buffer
}

func (c *deflateCompressor) compress(out *store.Output, b []byte) error {
	dict := len(b) / (subBlocks * flateDictFactor)
	block := (len(b) - dict + subBlocks - 1) / subBlocks
	out.PutVInt(int32(dict))
	out.PutVInt(int32(block))
	if err := c.block(out, b[:dict], nil); err != nil {
		return err
	}
	for at := dict; at < len(b); at += block {
		if err := c.block(out, b[at:min(at+block, len(b))], b[:dict]); err != nil {
			return err
		}
	}
	return out.Err()
}

func (c *deflateCompressor) block(out *store.Output, b, dict []byte) error {
	if len(b) == 0 {
		out.PutVInt(0)
		return nil
	}
	c.packed.Reset()
	w, err := c.writer(dict)
	if err != nil {
		return fmt.Errorf("deflate: %w", err)
	}
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("deflate: %w", err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("deflate: %w", err)
	}
	out.PutVInt(int32(c.packed.Len()))
	out.PutBytes(c.packed.Bytes())
	return nil
}

// writer returns a writer to packed. Those with and without a dictionary are kept apart, because a
// writer goes on with the dictionary that it was made with.
func (c *deflateCompressor) writer(dict []byte) (w *flate.Writer, err error) {
	if len(dict) == 0 {
		if c.plain == nil {
			c.plain, err = flate.NewWriter(&c.packed, flateLevel)
		} else {
			c.plain.Reset(&c.packed)
		}
		return c.plain, err
	}
	if c.withDict == nil {
		c.withDict, err = flate.NewWriterDict(&c.packed, flateLevel, dict)
	} else {
		c.withDict.ResetDict(&c.packed, dict)
	}
	return c.withDict, err
}
