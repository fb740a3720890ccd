package perfielddv

import (
	"errors"
	"fmt"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/docvalues"
)

// suffix is the one that new fields get: all share the first pair of files.
const suffix = "0"

// Consumer writes the columns of all fields of a segment, or of an update, and records their format in the
// attributes of each field. It creates its files with the first column.
type Consumer struct {
	state *codec.WriteState
	files map[string]*docvalues.Consumer // by suffix
	order []*docvalues.Consumer
}

var _ codec.DocValuesConsumer = (*Consumer)(nil)

// NewConsumer returns a consumer for state. It sets attributes of the fields that are added, so it must
// be closed before the field infos are written.
func NewConsumer(state *codec.WriteState) (*Consumer, error) {
	return &Consumer{state: state, files: map[string]*docvalues.Consumer{}}, nil
}

// open returns the files that a field goes to. One that an earlier generation wrote keeps its suffix.
func (c *Consumer) open(f *lucene.FieldInfo) (*docvalues.Consumer, error) {
	s := suffix
	if f.DocValuesGen >= 0 {
		if name := f.Attributes[lucene.AttrDocValuesFormat]; name != "" && name != format {
			return nil, &codec.UnsupportedError{Format: name, Where: fmt.Sprintf("the doc values of field %q", f.Name)}
		}
		if old := f.Attributes[lucene.AttrDocValuesSuffix]; old != "" {
			s = old
		}
	}
	f.SetAttribute(lucene.AttrDocValuesFormat, format)
	f.SetAttribute(lucene.AttrDocValuesSuffix, s)
	if files := c.files[s]; files != nil {
		return files, nil
	}
	state := *c.state
	state.Suffix = join(c.state.Suffix, format+"_"+s)
	files, err := docvalues.NewConsumer(&state)
	if err != nil {
		return nil, err
	}
	c.files[s] = files
	c.order = append(c.order, files)
	return files, nil
}

// AddNumeric implements codec.DocValuesConsumer.
func (c *Consumer) AddNumeric(f *lucene.FieldInfo, values lucene.DocValuesProducer) error {
	files, err := c.open(f)
	if err != nil {
		return err
	}
	return files.AddNumeric(f, values)
}

// AddBinary implements codec.DocValuesConsumer.
func (c *Consumer) AddBinary(f *lucene.FieldInfo, values lucene.DocValuesProducer) error {
	files, err := c.open(f)
	if err != nil {
		return err
	}
	return files.AddBinary(f, values)
}

// AddSorted implements codec.DocValuesConsumer.
func (c *Consumer) AddSorted(f *lucene.FieldInfo, values lucene.DocValuesProducer) error {
	files, err := c.open(f)
	if err != nil {
		return err
	}
	return files.AddSorted(f, values)
}

// AddSortedNumeric implements codec.DocValuesConsumer.
func (c *Consumer) AddSortedNumeric(f *lucene.FieldInfo, values lucene.DocValuesProducer) error {
	files, err := c.open(f)
	if err != nil {
		return err
	}
	return files.AddSortedNumeric(f, values)
}

// AddSortedSet implements codec.DocValuesConsumer.
func (c *Consumer) AddSortedSet(f *lucene.FieldInfo, values lucene.DocValuesProducer) error {
	files, err := c.open(f)
	if err != nil {
		return err
	}
	return files.AddSortedSet(f, values)
}

// Close writes the footers and closes the files.
func (c *Consumer) Close() error {
	var errs []error
	for _, files := range c.order {
		errs = append(errs, files.Close())
	}
	return errors.Join(errs...)
}
