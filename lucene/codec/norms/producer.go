package norms

// See docs/formats/norms.md.

import (
	"encoding/binary"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/disi"
	"github.com/varve-search/varve/lucene/store"
)

const (
	dataCodec     = "Lucene90NormsData"
	metaCodec     = "Lucene90NormsMetadata"
	dataExtension = "nvd"
	metaExtension = "nvm"
	version       = 0
)

type entry struct {
	docs    disi.Meta
	numDocs int32
	width   int   // bytes of a norm: 0, 1, 2, 4 or 8
	offset  int64 // of the norms in the data, or the norm of all documents where the width is 0
}

// Producer reads the norms of a segment.
type Producer struct {
	data    store.Input
	entries map[int32]*entry // by field number
	maxDoc  int32
}

var _ codec.NormsProducer = (*Producer)(nil)

// NewProducer opens the norms that state names.
func NewProducer(state *codec.ReadState) (*Producer, error) {
	p := &Producer{maxDoc: state.Info.MaxDoc, entries: map[int32]*entry{}}
	metaVersion, err := p.readMeta(state)
	if err != nil {
		return nil, err
	}
	p.data, err = state.Dir.Open(state.FileName(dataExtension), state.Access)
	if err != nil {
		return nil, err
	}
	r := store.NewReader(p.data)
	dataVersion, err := codec.ReadIndexHeader(r, dataCodec, version, version, state.Info.ID, state.Suffix)
	if err == nil && dataVersion != metaVersion {
		err = r.Corruptf("the version is %d, that of the metadata %d", dataVersion, metaVersion)
	}
	if err == nil {
		_, err = codec.ReadFooter(p.data)
	}
	if err != nil {
		p.data.Close()
		return nil, err
	}
	return p, nil
}

func (p *Producer) readMeta(state *codec.ReadState) (int32, error) {
	in, err := state.Dir.Open(state.FileName(metaExtension), store.Sequential)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	r := store.NewReader(in)
	v, err := codec.ReadIndexHeader(r, metaCodec, version, version, state.Info.ID, state.Suffix)
	if err == nil {
		err = p.readEntries(r, state.Fields)
	}
	return v, codec.Finish(r, err)
}

func (p *Producer) readEntries(r *store.Reader, fields *lucene.FieldInfos) error {
	for {
		number := r.Int32()
		if number == -1 || r.Err() != nil {
			return r.Err()
		}
		if f := fields.ByNumber(number); f == nil || !f.HasNorms() {
			return r.Corruptf("norms of field number %d, which has none", number)
		}
		e := &entry{docs: disi.ReadMeta(r), numDocs: r.Int32(), width: int(r.Byte()), offset: r.Int64()}
		switch e.width {
		case 0:
		case 1, 2, 4, 8:
			if e.offset < 0 {
				r.Corruptf("norms at offset %d", e.offset)
			}
		default:
			r.Corruptf("norms of %d bytes", e.width)
		}
		if e.numDocs < 0 || e.numDocs > p.maxDoc || e.docs.Offset == disi.All && e.numDocs != p.maxDoc {
			r.Corruptf("norms of %d of %d documents", e.numDocs, p.maxDoc)
		}
		p.entries[number] = e
	}
}

// Close implements codec.Checker.
func (p *Producer) Close() error { return p.data.Close() }

// CheckIntegrity implements codec.Checker. The metadata were verified when they were read.
func (p *Producer) CheckIntegrity() error { return codec.VerifyChecksum(p.data) }

// Norms implements lucene.NormsProducer. A field without norms is nil.
func (p *Producer) Norms(f *lucene.FieldInfo) (lucene.NumericDocValues, error) {
	e := p.entries[f.Number]
	if e == nil {
		return nil, nil
	}
	c := &column{doc: -1, maxDoc: p.maxDoc, width: e.width, constant: e.offset}
	var err error
	switch e.docs.Offset {
	case disi.All:
	case disi.Empty:
		c.maxDoc = 0
		return c, nil
	default:
		if c.set, err = disi.New(p.data, e.docs, int64(e.numDocs), p.maxDoc); err != nil {
			return nil, err
		}
	}
	if e.width > 0 {
		if c.data, err = p.data.Slice(e.offset, int64(e.numDocs)*int64(e.width)); err != nil {
			return nil, err
		}
		c.w = store.Resident(c.data)
	}
	return c, nil
}

// column implements lucene.NumericDocValues and lucene.NumericBatch.
type column struct {
	set      *disi.Iterator // nil: every document below maxDoc has a norm
	doc      int32
	maxDoc   int32
	width    int
	constant int64
	data     store.Input
	w        []byte // window of data
	base     int64
}

// DocID implements lucene.DocIDSetIterator.
func (c *column) DocID() int32 {
	if c.set != nil {
		return c.set.DocID()
	}
	return c.doc
}

// Next implements lucene.DocIDSetIterator.
func (c *column) Next() (int32, error) {
	if c.set != nil {
		return c.set.Next()
	}
	if c.doc >= c.maxDoc-1 {
		c.doc = lucene.NoMoreDocs
	} else {
		c.doc++
	}
	return c.doc, nil
}

// Advance implements lucene.DocIDSetIterator.
func (c *column) Advance(target int32) (int32, error) {
	if c.set != nil {
		return c.set.Advance(target)
	}
	if target >= c.maxDoc {
		target = lucene.NoMoreDocs
	}
	c.doc = target
	return target, nil
}

// AdvanceExact implements lucene.DocValuesIterator.
func (c *column) AdvanceExact(target int32) (bool, error) {
	if c.set != nil {
		return c.set.AdvanceExact(target)
	}
	c.doc = target
	return target < c.maxDoc, nil
}

// Cost implements lucene.DocIDSetIterator.
func (c *column) Cost() int64 {
	if c.set != nil {
		return c.set.Cost()
	}
	return int64(c.maxDoc)
}

// Value implements lucene.NumericDocValues.
func (c *column) Value() (int64, error) {
	if c.set != nil {
		return c.norm(c.set.Index())
	}
	return c.norm(c.doc)
}

// norm returns norm i.
func (c *column) norm(i int32) (int64, error) {
	if c.width == 0 {
		return c.constant, nil
	}
	p := int64(i)*int64(c.width) - c.base
	if p < 0 || p > int64(len(c.w)-c.width) {
		w, err := c.data.Window(p+c.base, c.width)
		if err != nil {
			return 0, err
		}
		c.w, c.base, p = w, p+c.base, 0
	}
	switch c.width {
	case 1:
		return int64(int8(c.w[p])), nil
	case 2:
		return int64(int16(binary.LittleEndian.Uint16(c.w[p:]))), nil
	case 4:
		return int64(int32(binary.LittleEndian.Uint32(c.w[p:]))), nil
	}
	return int64(binary.LittleEndian.Uint64(c.w[p:])), nil
}

// Values implements lucene.NumericBatch.
func (c *column) Values(docs []int32, values []int64) (bool, error) {
	if c.set != nil || len(docs) > 0 && (docs[0] < 0 || docs[len(docs)-1] >= c.maxDoc) {
		return false, nil
	}
	values = values[:len(docs)]
	if c.width == 1 && c.base == 0 && len(c.w) >= int(c.maxDoc) {
		w := c.w
		for i, doc := range docs {
			values[i] = int64(int8(w[doc]))
		}
		return true, nil
	}
	for i, doc := range docs {
		v, err := c.norm(doc)
		if err != nil {
			return true, err
		}
		values[i] = v
	}
	return true, nil
}
