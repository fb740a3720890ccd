package points

// See docs/formats/points.md.

import (
	"errors"
	"fmt"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/bkd"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/store"
)

// Consumer writes the points of a segment.
type Consumer struct {
	out    bkd.Outputs
	maxDoc int32
}

var _ codec.PointsConsumer = (*Consumer)(nil)

// NewConsumer creates the files that state names.
func NewConsumer(state *codec.WriteState) (*Consumer, error) {
	c := &Consumer{maxDoc: state.Info.MaxDoc}
	for _, f := range []struct {
		out             **store.Output
		extension, name string
	}{
		{&c.out.Data, dataExtension, dataCodec},
		{&c.out.Index, indexExtension, indexCodec},
		{&c.out.Meta, metaExtension, metaCodec},
	} {
		out, err := state.Dir.Create(state.FileName(f.extension))
		if err != nil {
			return nil, errors.Join(err, c.closeFiles())
		}
		codec.WriteIndexHeader(out, f.name, version, state.Info.ID, state.Suffix)
		*f.out = out
	}
	return c, nil
}

// AddPoints implements codec.PointsConsumer. All points of the field are in memory while it works, twice for those of one
// dimension. They may come in any order; ascending documents are the fastest.
func (c *Consumer) AddPoints(f *lucene.FieldInfo, points codec.PointSource) error {
	b, err := bkd.NewBuilder(bkd.NewConfig(f), c.maxDoc)
	if err == nil {
		b.Grow(int(min(points.Len(), 1<<20)))
		err = points.Each(b.Add)
	}
	if err == nil {
		err = b.Finish(&c.out, c.start(f))
	}
	return c.done(f, err)
}

// MergePoints writes the points that the sources have of a field, with their documents mapped.
func (c *Consumer) MergePoints(f *lucene.FieldInfo, sources []bkd.MergeSource) error {
	return c.done(f, bkd.Merge(bkd.NewConfig(f), c.maxDoc, sources, &c.out, c.start(f)))
}

// start returns what announces a field in the metadata.
func (c *Consumer) start(f *lucene.FieldInfo) func() {
	return func() { c.out.Meta.PutInt32(f.Number) }
}

func (c *Consumer) done(f *lucene.FieldInfo, err error) error {
	if err != nil {
		return fmt.Errorf("write the points of field %q: %w", f.Name, err)
	}
	return errors.Join(c.out.Meta.Err(), c.out.Index.Err(), c.out.Data.Err())
}

// Close writes the footers and closes the files.
func (c *Consumer) Close() error {
	c.out.Meta.PutInt32(-1)
	codec.WriteFooter(c.out.Index)
	codec.WriteFooter(c.out.Data)
	c.out.Meta.PutInt64(c.out.Index.FilePointer())
	c.out.Meta.PutInt64(c.out.Data.FilePointer())
	codec.WriteFooter(c.out.Meta)
	return c.closeFiles()
}

func (c *Consumer) closeFiles() error {
	var errs []error
	for _, out := range []*store.Output{c.out.Meta, c.out.Index, c.out.Data} {
		if out != nil {
			errs = append(errs, out.Close())
		}
	}
	return errors.Join(errs...)
}

// Source returns the points of a tree as what AddPoints takes, in the order of the tree.
func Source(p lucene.PointValues) codec.PointSource { return source{p} }

type source struct{ lucene.PointValues }

// Len implements codec.PointSource.
func (s source) Len() int64 { return s.Size() }

// Each implements codec.PointSource.
func (s source) Each(fn func(doc int32, packed []byte) error) error {
	return bkd.Each(s.PointValues, fn)
}
