package perfield

import (
	"errors"
	"slices"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/blocktree"
	"github.com/varve-search/varve/lucene/codec/postings"
	"github.com/varve-search/varve/lucene/codec/postings/lucene10"
	"github.com/varve-search/varve/lucene/codec/postings/lucene90"
	"github.com/varve-search/varve/lucene/codec/postings/lucene912"
	"github.com/varve-search/varve/lucene/codec/postings/lucene99"
	"github.com/varve-search/varve/lucene/store"
)

// FieldsProducer is what NewFieldsProducer returns.
type FieldsProducer interface {
	codec.FieldsProducer
	// Unsupported returns why the postings of a field cannot be read, an *codec.UnsupportedError, or nil
	// if they can, or if the field has none.
	Unsupported(field string) error
}

type (
	openPostings func(*codec.ReadState) (postings.Reader, error)
	openTerms    func(*codec.ReadState, postings.Reader) (*blocktree.Reader, error)
)

var postingsFormats = map[string]struct {
	postings openPostings
	terms    openTerms
}{
	lucene90.FormatName:    {lucene90.NewReader, blocktree.NewReader},
	lucene99.FormatName:    {lucene99.NewReader, blocktree.NewReader},
	lucene912.FormatName:   {func(s *codec.ReadState) (postings.Reader, error) { return lucene912.NewReader(s) }, blocktree.NewReader},
	lucene10.FormatName101: {lucene10.NewReader101, blocktree.NewReader},
	lucene10.FormatName103: {lucene10.NewReader103, blocktree.NewTrieReader},
	lucene10.FormatName104: {lucene10.NewReader104, blocktree.NewTrieReader},
}

type producer struct {
	fields      map[string]codec.FieldsProducer
	formats     map[string]codec.FieldsProducer // by suffix
	unsupported map[string]error
	names       []string
}

// NewFieldsProducer opens the postings of a segment, one producer for each format and suffix that its
// fields name.
func NewFieldsProducer(state *codec.ReadState) (FieldsProducer, error) {
	p := &producer{fields: map[string]codec.FieldsProducer{}, formats: map[string]codec.FieldsProducer{}, unsupported: map[string]error{}}
	for _, f := range state.Fields.All() {
		name, ok := f.Attributes[lucene.AttrPostingsFormat]
		if f.IndexOptions == lucene.IndexNone || !ok {
			continue // a field that no document of the segment has
		}
		if err := p.open(state, f, name); err != nil {
			return nil, errors.Join(err, p.Close())
		}
	}
	for name := range p.fields {
		p.names = append(p.names, name)
	}
	for name := range p.unsupported {
		p.names = append(p.names, name)
	}
	slices.Sort(p.names)
	return p, nil
}

func (p *producer) open(state *codec.ReadState, f *lucene.FieldInfo, format string) error {
	open, ok := postingsFormats[format]
	if !ok {
		p.unsupported[f.Name] = &codec.UnsupportedError{
			Format: format, Where: "field " + f.Name, Reason: "its postings cannot be read",
		}
		return nil
	}
	suffix, ok := f.Attributes[lucene.AttrPostingsSuffix]
	if !ok {
		return store.Corruptf(state.FileName("fnm"), -1, "field %q has no attribute %s", f.Name, lucene.AttrPostingsSuffix)
	}
	sub := *state
	sub.Suffix = format + "_" + suffix
	if state.Suffix != "" {
		sub.Suffix = state.Suffix + "_" + sub.Suffix
	}
	fp, ok := p.formats[sub.Suffix]
	if !ok {
		pr, err := open.postings(&sub)
		if err != nil {
			return err
		}
		if fp, err = open.terms(&sub, pr); err != nil {
			return err
		}
		p.formats[sub.Suffix] = fp
	}
	p.fields[f.Name] = fp
	return nil
}

// FieldNames implements lucene.Fields. It includes the fields that are not supported: to leave them out
// would be to lose them in a merge.
func (p *producer) FieldNames() []string { return p.names }

// Terms implements lucene.Fields.
func (p *producer) Terms(field string) (lucene.Terms, error) {
	if fp := p.fields[field]; fp != nil {
		return fp.Terms(field)
	}
	return nil, p.unsupported[field]
}

// Unsupported implements FieldsProducer.
func (p *producer) Unsupported(field string) error { return p.unsupported[field] }

// CheckIntegrity implements codec.Checker.
func (p *producer) CheckIntegrity() error { return p.each(codec.FieldsProducer.CheckIntegrity) }

// Close implements codec.Checker.
func (p *producer) Close() error { return p.each(codec.FieldsProducer.Close) }

func (p *producer) each(fn func(codec.FieldsProducer) error) error {
	var errs []error
	for _, fp := range p.formats {
		errs = append(errs, fn(fp))
	}
	return errors.Join(errs...)
}
