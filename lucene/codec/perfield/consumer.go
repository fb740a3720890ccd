package perfield

import (
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/blocktree"
	"github.com/varve-search/varve/lucene/codec/postings/lucene912"
)

const writeSuffix = "0"

// NewFieldsConsumer creates the postings files of a segment. All fields are written in the format
// Lucene912 with the suffix 0, which the consumer sets as attributes of the FieldInfos of those that it
// writes: field infos are to be written after it.
func NewFieldsConsumer(state *codec.WriteState) (codec.FieldsConsumer, error) {
	sub := *state
	sub.Suffix = lucene912.FormatName + "_" + writeSuffix
	if state.Suffix != "" {
		sub.Suffix = state.Suffix + "_" + sub.Suffix
	}
	pw, err := lucene912.NewWriter(&sub)
	if err != nil {
		return nil, err
	}
	w, err := blocktree.NewWriter(&sub, pw)
	if err != nil {
		return nil, err
	}
	return &consumer{w: w, fields: state.Fields}, nil
}

type consumer struct {
	w      *blocktree.Writer
	fields *lucene.FieldInfos
	closed bool
}

// Write implements codec.FieldsConsumer.
func (c *consumer) Write(fields lucene.Fields, norms lucene.NormsProducer) error {
	for _, name := range fields.FieldNames() {
		if f := c.fields.ByName(name); f != nil && f.IndexOptions != lucene.IndexNone {
			f.SetAttribute(lucene.AttrPostingsFormat, lucene912.FormatName)
			f.SetAttribute(lucene.AttrPostingsSuffix, writeSuffix)
		}
	}
	return c.w.Write(fields, norms)
}

// Close implements codec.FieldsConsumer.
func (c *consumer) Close() error {
	if c.closed {
		return nil
	}
	c.closed = true
	return c.w.Close()
}
