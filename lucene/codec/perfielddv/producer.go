package perfielddv

import (
	"errors"
	"strconv"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/docvalues"
	"github.com/varve-search/varve/lucene/store"
)

// format is the only one that is read and written: that of all of Lucene 9.
const format = "Lucene90"

// Producer hands out the columns of all fields of a segment.
type Producer struct {
	files       []*docvalues.Producer
	byField     map[int32]*docvalues.Producer
	unsupported map[string]error
}

var _ codec.DocValuesProducer = (*Producer)(nil)

// NewProducer opens the columns of state.Fields, all files being in state.Dir. For a segment that is
// compound and has updated doc values use NewSegmentProducer.
func NewProducer(state *codec.ReadState) (*Producer, error) {
	return NewSegmentProducer(state, state.Dir)
}

// NewSegmentProducer opens the columns of state.Fields: the fields of the segment as they are now, after updates.
// What was written with the segment is in state.Dir, what updates wrote in updates.
func NewSegmentProducer(state *codec.ReadState, updates store.Directory) (*Producer, error) {
	p := &Producer{byField: map[int32]*docvalues.Producer{}, unsupported: map[string]error{}}
	opened := map[string]*docvalues.Producer{}
	for _, f := range state.Fields.All() {
		if f.DocValuesType == lucene.DocValuesNone {
			continue
		}
		if err := p.open(state, updates, f, opened); err != nil {
			return nil, errors.Join(err, p.Close())
		}
	}
	return p, nil
}

func (p *Producer) open(state *codec.ReadState, updates store.Directory, f *lucene.FieldInfo, opened map[string]*docvalues.Producer) error {
	name, ok := f.Attributes[lucene.AttrDocValuesFormat]
	if !ok {
		return nil // the segment has no document with a value
	}
	if name != format {
		p.unsupported[f.Name] = &codec.UnsupportedError{Format: name, Where: "the doc values of field " + strconv.Quote(f.Name)}
		return nil
	}
	suffix, ok := f.Attributes[lucene.AttrDocValuesSuffix]
	if !ok {
		return store.Corruptf(state.FileName("fnm"), -1, "field %q has a doc-values format without a suffix", f.Name)
	}
	s := *state
	s.Suffix = join(state.Suffix, name+"_"+suffix)
	if f.DocValuesGen >= 0 {
		s.Dir = updates
		s.Suffix = join(strconv.FormatInt(f.DocValuesGen, 36), name+"_"+suffix)
	}
	files := opened[s.Suffix]
	if files == nil {
		var err error
		if files, err = docvalues.NewProducer(&s); err != nil {
			return err
		}
		opened[s.Suffix] = files
		p.files = append(p.files, files)
	}
	p.byField[f.Number] = files
	return nil
}

// join appends a format's suffix to the one that the whole state has.
func join(outer, inner string) string {
	if outer == "" {
		return inner
	}
	return outer + "_" + inner
}

// Unsupported returns why the column of a field cannot be read though its files are sound, or nil.
func (p *Producer) Unsupported(field string) error { return p.unsupported[field] }

// Close implements codec.Checker.
func (p *Producer) Close() error {
	var errs []error
	for _, f := range p.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// CheckIntegrity implements codec.Checker.
func (p *Producer) CheckIntegrity() error {
	for _, f := range p.files {
		if err := f.CheckIntegrity(); err != nil {
			return err
		}
	}
	return nil
}

// find returns the files of a field, or nil if it has no column.
func (p *Producer) find(f *lucene.FieldInfo) (*docvalues.Producer, error) {
	if files := p.byField[f.Number]; files != nil {
		return files, nil
	}
	return nil, p.unsupported[f.Name]
}

// Numeric implements lucene.DocValuesProducer.
func (p *Producer) Numeric(f *lucene.FieldInfo) (lucene.NumericDocValues, error) {
	files, err := p.find(f)
	if files == nil {
		return nil, err
	}
	return files.Numeric(f)
}

// Binary implements lucene.DocValuesProducer.
func (p *Producer) Binary(f *lucene.FieldInfo) (lucene.BinaryDocValues, error) {
	files, err := p.find(f)
	if files == nil {
		return nil, err
	}
	return files.Binary(f)
}

// Sorted implements lucene.DocValuesProducer.
func (p *Producer) Sorted(f *lucene.FieldInfo) (lucene.SortedDocValues, error) {
	files, err := p.find(f)
	if files == nil {
		return nil, err
	}
	return files.Sorted(f)
}

// SortedNumeric implements lucene.DocValuesProducer.
func (p *Producer) SortedNumeric(f *lucene.FieldInfo) (lucene.SortedNumericDocValues, error) {
	files, err := p.find(f)
	if files == nil {
		return nil, err
	}
	return files.SortedNumeric(f)
}

// SortedSet implements lucene.DocValuesProducer.
func (p *Producer) SortedSet(f *lucene.FieldInfo) (lucene.SortedSetDocValues, error) {
	files, err := p.find(f)
	if files == nil {
		return nil, err
	}
	return files.SortedSet(f)
}
