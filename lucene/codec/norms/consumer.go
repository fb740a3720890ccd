package norms

// See docs/formats/norms.md.

import (
	"errors"
	"fmt"
	"math"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/disi"
	"github.com/varve-search/varve/lucene/store"
)

// Consumer writes the norms of a segment.
type Consumer struct {
	data, meta *store.Output
	maxDoc     int32
}

var _ codec.NormsConsumer = (*Consumer)(nil)

// NewConsumer creates the files that state names.
func NewConsumer(state *codec.WriteState) (*Consumer, error) {
	data, err := state.Dir.Create(state.FileName(dataExtension))
	if err != nil {
		return nil, err
	}
	meta, err := state.Dir.Create(state.FileName(metaExtension))
	if err != nil {
		return nil, errors.Join(err, data.Close())
	}
	codec.WriteIndexHeader(data, dataCodec, version, state.Info.ID, state.Suffix)
	codec.WriteIndexHeader(meta, metaCodec, version, state.Info.ID, state.Suffix)
	return &Consumer{data: data, meta: meta, maxDoc: state.Info.MaxDoc}, nil
}

// each calls fn for every document with a norm.
func each(f *lucene.FieldInfo, values lucene.NormsProducer, fn func(norm int64)) error {
	it, err := values.Norms(f)
	if err != nil {
		return err
	}
	for {
		doc, err := it.Next()
		if err != nil || doc == lucene.NoMoreDocs {
			return err
		}
		v, err := it.Value()
		if err != nil {
			return err
		}
		fn(v)
	}
}

func bytesFor(low, high int64) int {
	switch {
	case low >= high:
		return 0
	case low >= math.MinInt8 && high <= math.MaxInt8:
		return 1
	case low >= math.MinInt16 && high <= math.MaxInt16:
		return 2
	case low >= math.MinInt32 && high <= math.MaxInt32:
		return 4
	}
	return 8
}

// AddNorms implements codec.NormsConsumer. It asks values for the column two or three times.
func (c *Consumer) AddNorms(f *lucene.FieldInfo, values lucene.NormsProducer) error {
	if err := c.addNorms(f, values); err != nil {
		return fmt.Errorf("write the norms of field %q: %w", f.Name, err)
	}
	return errors.Join(c.data.Err(), c.meta.Err())
}

func (c *Consumer) addNorms(f *lucene.FieldInfo, values lucene.NormsProducer) error {
	numDocs, low, high := int32(0), int64(math.MaxInt64), int64(math.MinInt64)
	err := each(f, values, func(v int64) {
		numDocs++
		low, high = min(low, v), max(high, v)
	})
	if err != nil {
		return err
	}
	var docs disi.Meta
	switch {
	case numDocs == 0:
		docs.Offset = disi.Empty
	case numDocs == c.maxDoc:
		docs.Offset = disi.All
	case numDocs > c.maxDoc:
		return fmt.Errorf("%d of %d documents have a norm", numDocs, c.maxDoc)
	default:
		it, err := values.Norms(f)
		if err != nil {
			return err
		}
		if docs, err = disi.Write(c.data, it); err != nil {
			return err
		}
	}
	c.meta.PutInt32(f.Number)
	disi.WriteMeta(c.meta, docs)
	c.meta.PutInt32(numDocs)
	width := bytesFor(low, high)
	c.meta.PutByte(byte(width))
	if width == 0 {
		c.meta.PutInt64(low)
		return nil
	}
	c.meta.PutInt64(c.data.FilePointer())
	return each(f, values, func(v int64) {
		switch width {
		case 1:
			c.data.PutByte(byte(v))
		case 2:
			c.data.PutInt16(int16(v))
		case 4:
			c.data.PutInt32(int32(v))
		default:
			c.data.PutInt64(v)
		}
	})
}

// Close writes the footers and closes the files.
func (c *Consumer) Close() error {
	c.meta.PutInt32(-1)
	codec.WriteFooter(c.meta)
	codec.WriteFooter(c.data)
	return errors.Join(c.data.Close(), c.meta.Close())
}
