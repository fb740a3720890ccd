package index

import (
	"errors"
	"strconv"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/docvalues"
	"github.com/varve-search/varve/lucene/codec/perfielddv"
)

// open opens the doc values of a segment with the fields as they are after updates.
func (cols *segmentColumns) open(c *segmentCore, fields *lucene.FieldInfos) error {
	if c.codec.OneDocValuesFormat {
		p, err := openPlainColumns(c, fields)
		if err != nil {
			return err
		}
		cols.DocValuesProducer = p
		return nil
	}
	p, err := perfielddv.NewSegmentProducer(c.state(fields), c.dir)
	if err != nil {
		return err
	}
	cols.DocValuesProducer, cols.unsupported = p, p.Unsupported
	return nil
}

// plainColumns are the doc values of a codec that uses one format for all fields, whose attributes
// therefore do not name it: OpenSearch's codecs with star trees. Files have no suffix but a generation.
type plainColumns struct {
	files map[int64]*docvalues.Producer // by generation
}

func openPlainColumns(c *segmentCore, fields *lucene.FieldInfos) (*plainColumns, error) {
	p := &plainColumns{files: map[int64]*docvalues.Producer{}}
	for _, f := range fields.All() {
		gen := f.DocValuesGen
		if f.DocValuesType == lucene.DocValuesNone || p.files[gen] != nil {
			continue
		}
		state := c.state(fields)
		if gen >= 0 {
			state.Dir, state.Suffix = c.dir, strconv.FormatInt(gen, 36)
		}
		files, err := docvalues.NewProducer(state)
		if err != nil {
			return nil, errors.Join(err, p.Close())
		}
		p.files[gen] = files
	}
	return p, nil
}

func (p *plainColumns) Numeric(f *lucene.FieldInfo) (lucene.NumericDocValues, error) {
	if files := p.files[f.DocValuesGen]; files != nil {
		return files.Numeric(f)
	}
	return nil, nil
}

func (p *plainColumns) Binary(f *lucene.FieldInfo) (lucene.BinaryDocValues, error) {
	if files := p.files[f.DocValuesGen]; files != nil {
		return files.Binary(f)
	}
	return nil, nil
}

func (p *plainColumns) Sorted(f *lucene.FieldInfo) (lucene.SortedDocValues, error) {
	if files := p.files[f.DocValuesGen]; files != nil {
		return files.Sorted(f)
	}
	return nil, nil
}

func (p *plainColumns) SortedNumeric(f *lucene.FieldInfo) (lucene.SortedNumericDocValues, error) {
	if files := p.files[f.DocValuesGen]; files != nil {
		return files.SortedNumeric(f)
	}
	return nil, nil
}

func (p *plainColumns) SortedSet(f *lucene.FieldInfo) (lucene.SortedSetDocValues, error) {
	if files := p.files[f.DocValuesGen]; files != nil {
		return files.SortedSet(f)
	}
	return nil, nil
}

func (p *plainColumns) CheckIntegrity() error {
	return p.each(codec.DocValuesProducer.CheckIntegrity)
}

func (p *plainColumns) Close() error { return p.each(codec.DocValuesProducer.Close) }

func (p *plainColumns) each(fn func(codec.DocValuesProducer) error) error {
	var errs []error
	for _, f := range p.files {
		errs = append(errs, fn(f))
	}
	return errors.Join(errs...)
}
