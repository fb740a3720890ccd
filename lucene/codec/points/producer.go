package points

// See docs/formats/points.md.

import (
	"errors"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/bkd"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/store"
)

const (
	dataCodec      = "Lucene90PointsFormatData"
	indexCodec     = "Lucene90PointsFormatIndex"
	metaCodec      = "Lucene90PointsFormatMeta"
	dataExtension  = "kdd"
	indexExtension = "kdi"
	metaExtension  = "kdm"
	version        = 0
	versionBPV21   = 1 // trees of Lucene 10
)

// Producer reads the points of a segment.
type Producer struct {
	index, data store.Input
	trees       map[string]*bkd.Tree
}

var _ codec.PointsProducer = (*Producer)(nil)

// NewProducer opens the points that state names.
func NewProducer(state *codec.ReadState) (*Producer, error) {
	p := &Producer{trees: map[string]*bkd.Tree{}}
	err := p.open(state)
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

func openFile(state *codec.ReadState, extension, name string) (store.Input, error) {
	in, err := state.Dir.Open(state.FileName(extension), state.Access)
	if err != nil {
		return nil, err
	}
	if _, err = codec.ReadIndexHeader(store.NewReader(in), name, version, versionBPV21, state.Info.ID, state.Suffix); err == nil {
		_, err = codec.ReadFooter(in)
	}
	if err != nil {
		return nil, errors.Join(err, in.Close())
	}
	return in, nil
}

func (p *Producer) open(state *codec.ReadState) (err error) {
	if p.index, err = openFile(state, indexExtension, indexCodec); err != nil {
		return err
	}
	if p.data, err = openFile(state, dataExtension, dataCodec); err != nil {
		return err
	}
	in, err := state.Dir.Open(state.FileName(metaExtension), store.Sequential)
	if err != nil {
		return err
	}
	defer in.Close()
	r := store.NewReader(in)
	return codec.Finish(r, p.readMeta(r, state))
}

func (p *Producer) readMeta(r *store.Reader, state *codec.ReadState) error {
	if _, err := codec.ReadIndexHeader(r, metaCodec, version, versionBPV21, state.Info.ID, state.Suffix); err != nil {
		return err
	}
	for number := r.Int32(); number != -1; number = r.Int32() {
		if err := r.Err(); err != nil {
			return err
		}
		f := state.Fields.ByNumber(number)
		if f == nil || f.PointDims == 0 {
			return r.Corruptf("points of field number %d, which has none", number)
		}
		m, err := bkd.ReadMeta(r, state.Info.MaxDoc)
		if err != nil {
			return err
		}
		if m.Dims != int(f.PointDims) || m.IndexDims != int(f.PointIndexDims) || m.Bytes != int(f.PointBytes) {
			return r.Corruptf("points of field %q of %d dimensions, %d of them indexed, of %d bytes, where the field has %d, %d and %d",
				f.Name, m.Dims, m.IndexDims, m.Bytes, f.PointDims, f.PointIndexDims, f.PointBytes)
		}
		if p.trees[f.Name], err = m.Open(p.index, p.data, state.Info.MaxDoc); err != nil {
			return err
		}
	}
	indexLength, dataLength := r.Int64(), r.Int64()
	if err := r.Err(); err != nil {
		return err
	}
	if indexLength != p.index.Length() || dataLength != p.data.Length() {
		return r.Corruptf("the files of points have %d and %d bytes, %d and %d are expected", p.index.Length(), p.data.Length(), indexLength, dataLength)
	}
	return nil
}

// Points implements lucene.PointsProducer. A field without points is nil.
func (p *Producer) Points(field string) (lucene.PointValues, error) {
	if t := p.trees[field]; t != nil {
		return t, nil
	}
	return nil, nil
}

// Close implements codec.Checker.
func (p *Producer) Close() error {
	var errs []error
	for _, in := range []store.Input{p.index, p.data} {
		if in != nil {
			errs = append(errs, in.Close())
		}
	}
	return errors.Join(errs...)
}

// CheckIntegrity implements codec.Checker. The metadata were verified when they were read.
func (p *Producer) CheckIntegrity() error {
	if err := codec.VerifyChecksum(p.index); err != nil {
		return err
	}
	return codec.VerifyChecksum(p.data)
}
