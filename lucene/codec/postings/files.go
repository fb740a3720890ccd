package postings

import (
	"errors"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/postings/pfor"
	"github.com/varve-search/varve/lucene/store"
)

// Extensions of the files that all generations have.
const (
	DocExtension = "doc"
	PosExtension = "pos"
	PayExtension = "pay"
)

// Files are the open data files of a format. Pos and Pay are nil where no field needs them.
type Files struct {
	Doc, Pos, Pay store.Input
	MaxDoc        int32
	Packing       *Packing
}

// Packing is how a format packs blocks of frequencies and positions.
type Packing struct {
	Size   int // values in a block, at most MaxBlockSize
	Decode func(r *store.Reader, out *[MaxBlockSize]uint32)
	Skip   func(r *store.Reader)
}

// Packed9 is the packing of all formats of Lucene 9.
var Packed9 = &Packing{
	Size:   BlockSize,
	Decode: func(r *store.Reader, out *[MaxBlockSize]uint32) { pfor.DecodePFOR(r, (*[BlockSize]uint32)(out[:])) },
	Skip:   pfor.SkipPFOR,
}

// NeedsFiles tells which of .pos and .pay a format has for fields.
func NeedsFiles(fields *lucene.FieldInfos) (pos, pay bool) {
	for _, f := range fields.All() {
		t := TraitsOf(f)
		pos = pos || t.Positions
		pay = pay || t.Pay() || f.HasPayloads
	}
	return pos, pos && pay
}

// Open opens the data files of a format whose codec names start with name, such as
// Lucene912PostingsWriter, and checks their headers and the form of their footers. The version is that
// of .doc, which the others must share.
func Open(state *codec.ReadState, packing *Packing, name string, minVersion, maxVersion int32) (f *Files, version int32, err error) {
	f = &Files{MaxDoc: state.Info.MaxDoc, Packing: packing}
	defer func() {
		if err != nil {
			_ = f.Close()
			f = nil
		}
	}()
	if f.Doc, version, err = open(state, DocExtension, name+"Doc", minVersion, maxVersion); err != nil {
		return f, 0, err
	}
	pos, pay := NeedsFiles(state.Fields)
	if pos {
		if f.Pos, _, err = open(state, PosExtension, name+"Pos", version, version); err != nil {
			return f, 0, err
		}
	}
	if pay {
		if f.Pay, _, err = open(state, PayExtension, name+"Pay", version, version); err != nil {
			return f, 0, err
		}
	}
	return f, version, nil
}

func open(state *codec.ReadState, ext, name string, minVersion, maxVersion int32) (store.Input, int32, error) {
	in, err := state.Dir.Open(state.FileName(ext), state.Access)
	if err != nil {
		return nil, 0, err
	}
	version, err := codec.ReadIndexHeader(store.NewReader(in), name, minVersion, maxVersion, state.Info.ID, state.Suffix)
	if err == nil {
		_, err = codec.ReadFooter(in)
	}
	if err != nil {
		return nil, 0, errors.Join(err, in.Close())
	}
	return in, version, nil
}

func (f *Files) each(fn func(store.Input) error) error {
	var errs []error
	for _, in := range []store.Input{f.Doc, f.Pos, f.Pay} {
		if in != nil {
			errs = append(errs, fn(in))
		}
	}
	return errors.Join(errs...)
}

// CheckIntegrity verifies the checksums of the files.
func (f *Files) CheckIntegrity() error { return f.each(codec.VerifyChecksum) }

// Close closes the files.
func (f *Files) Close() error { return f.each(store.Input.Close) }
