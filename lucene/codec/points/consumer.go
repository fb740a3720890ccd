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
	// Budget is how many bytes of points of one field are in memory before temporary files take them.
	Budget int64
	out    bkd.Outputs
	maxDoc int32
	dir    store.Directory
	prefix string
}

var _ codec.PointsConsumer = (*Consumer)(nil)

// NewConsumer creates the files that state names.
func NewConsumer(state *codec.WriteState) (*Consumer, error) {
	c := &Consumer{Budget: bkd.DefaultBudget, maxDoc: state.Info.MaxDoc, dir: state.Dir, prefix: lucene.SegmentFileName(state.Info.Name, state.Suffix, "")}
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

func (c *Consumer) spill(f *lucene.FieldInfo) bkd.Spill {
	return bkd.Spill{Dir: c.dir, Prefix: fmt.Sprintf("%s_points_%d", c.prefix, f.Number), Budget: c.Budget}
}

// AddPoints implements codec.PointsConsumer. Up to Budget bytes of points are in memory while it works, twice for
// those of one dimension, and the others in temporary files. Points may come in any order; ascending documents are the fastest.
func (c *Consumer) AddPoints(f *lucene.FieldInfo, points codec.PointSource) error {
	b, err := bkd.NewBuilder(bkd.NewConfig(f), c.maxDoc, c.spill(f))
	if err != nil {
		return c.done(f, err)
	}
	b.Grow(points.Len())
	if err := points.Each(b.Add); err != nil {
		return c.done(f, errors.Join(err, b.Close()))
	}
	return c.done(f, b.Finish(&c.out, c.start(f)))
}

// MergePoints writes the points that the sources have of a field, with their documents mapped. Trees of one dimension are
// merged without holding their points; others are collected as by AddPoints.
func (c *Consumer) MergePoints(f *lucene.FieldInfo, sources []bkd.MergeSource) error {
	return c.done(f, bkd.Merge(bkd.NewConfig(f), c.maxDoc, sources, &c.out, c.spill(f), c.start(f)))
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
