package docvalues

import (
	"errors"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/store"
)

// Producer reads the columns of one set of files.
type Producer struct {
	data    store.Input
	skips   store.Input // the skip indexes that Lucene 10 writes, or nil; only their checksum is looked at
	entries entries
	maxDoc  int32
}

var _ codec.DocValuesProducer = (*Producer)(nil)

// NewProducer opens the files that state names. Fields must have all fields that they hold.
func NewProducer(state *codec.ReadState) (*Producer, error) {
	p := &Producer{maxDoc: state.Info.MaxDoc}
	metaVersion, err := p.readMeta(state)
	if err != nil {
		return nil, err
	}
	if p.data, err = open(state, dataExtension, dataCodec, metaVersion); err != nil {
		return nil, err
	}
	if metaVersion >= versionSkipFile {
		if p.skips, err = open(state, skipExtension, skipCodec, metaVersion); err != nil {
			return nil, errors.Join(err, p.data.Close())
		}
	}
	return p, nil
}

// open opens a file, which must have the version of the metadata.
func open(state *codec.ReadState, extension, name string, metaVersion int32) (store.Input, error) {
	in, err := state.Dir.Open(state.FileName(extension), state.Access)
	if err != nil {
		return nil, err
	}
	r := store.NewReader(in)
	v, err := codec.ReadIndexHeader(r, name, version, versionNewest, state.Info.ID, state.Suffix)
	if err == nil && v != metaVersion {
		err = r.Corruptf("the version is %d, that of the metadata %d", v, metaVersion)
	}
	if err == nil {
		_, err = codec.ReadFooter(in)
	}
	if err != nil {
		return nil, errors.Join(err, in.Close())
	}
	return in, nil
}

func (p *Producer) readMeta(state *codec.ReadState) (int32, error) {
	in, err := state.Dir.Open(state.FileName(metaExtension), store.Sequential)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	r := store.NewReader(in)
	v, err := codec.ReadIndexHeader(r, metaCodec, version, versionNewest, state.Info.ID, state.Suffix)
	if err == nil {
		p.entries, err = readEntries(r, v, state.Fields, p.maxDoc)
	}
	return v, codec.Finish(r, err)
}

// Close implements codec.Checker.
func (p *Producer) Close() error {
	if p.skips == nil {
		return p.data.Close()
	}
	return errors.Join(p.data.Close(), p.skips.Close())
}

// CheckIntegrity implements codec.Checker. The metadata were verified when they were read.
func (p *Producer) CheckIntegrity() error {
	if p.skips != nil {
		if err := codec.VerifyChecksum(p.skips); err != nil {
			return err
		}
	}
	return codec.VerifyChecksum(p.data)
}

// Numeric implements lucene.DocValuesProducer.
func (p *Producer) Numeric(f *lucene.FieldInfo) (lucene.NumericDocValues, error) {
	e, ok := p.entries[f.Number].(*numericEntry)
	if !ok {
		return nil, nil
	}
	return p.numeric(e)
}

func (p *Producer) numeric(e *numericEntry) (*numeric, error) {
	n := &numeric{}
	err := n.docs.open(p.data, e.docs, e.count, p.maxDoc)
	if err == nil {
		err = n.values.open(p.data, e)
	}
	if err != nil {
		return nil, err
	}
	return n, nil
}

// Binary implements lucene.DocValuesProducer.
func (p *Producer) Binary(f *lucene.FieldInfo) (lucene.BinaryDocValues, error) {
	e, ok := p.entries[f.Number].(*binaryEntry)
	if !ok {
		return nil, nil
	}
	return newBinary(p.data, e, p.maxDoc)
}

// Sorted implements lucene.DocValuesProducer.
func (p *Producer) Sorted(f *lucene.FieldInfo) (lucene.SortedDocValues, error) {
	e, ok := p.entries[f.Number].(*sortedEntry)
	if !ok {
		return nil, nil
	}
	return p.sorted(e)
}

func (p *Producer) sorted(e *sortedEntry) (*sorted, error) {
	ords, err := p.numeric(&e.ords)
	if err != nil {
		return nil, err
	}
	return &sorted{numeric: *ords, dictionary: dictionary{in: p.data, entry: &e.dict}}, nil
}

// SortedNumeric implements lucene.DocValuesProducer.
func (p *Producer) SortedNumeric(f *lucene.FieldInfo) (lucene.SortedNumericDocValues, error) {
	e, ok := p.entries[f.Number].(*sortedNumericEntry)
	if !ok {
		return nil, nil
	}
	if e.addresses == nil {
		n, err := p.numeric(&e.numericEntry)
		if err != nil {
			return nil, err
		}
		return lucene.SingletonNumeric(n), nil
	}
	return p.sortedNumeric(e)
}

func (p *Producer) sortedNumeric(e *sortedNumericEntry) (*sortedNumeric, error) {
	s := &sortedNumeric{last: -1}
	err := s.docs.open(p.data, e.docs, int64(e.numDocs), p.maxDoc)
	if err == nil {
		err = s.values.open(p.data, &e.numericEntry)
	}
	if err == nil && e.addresses != nil {
		s.addresses, err = e.addresses.Open(p.data, e.addressesOffset, e.addressesLength)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// SortedSet implements lucene.DocValuesProducer.
func (p *Producer) SortedSet(f *lucene.FieldInfo) (lucene.SortedSetDocValues, error) {
	e, ok := p.entries[f.Number].(*sortedSetEntry)
	if !ok {
		return nil, nil
	}
	if e.single != nil {
		s, err := p.sorted(e.single)
		if err != nil {
			return nil, err
		}
		return lucene.SingletonSorted(s), nil
	}
	ords, err := p.sortedNumeric(&e.ords)
	if err != nil {
		return nil, err
	}
	return &sortedSet{sortedNumeric: *ords, dictionary: dictionary{in: p.data, entry: &e.dict}}, nil
}
