package lucene912

import (
	"errors"
	"math"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/postings"
	"github.com/varve-search/varve/lucene/codec/postings/pfor"
	"github.com/varve-search/varve/lucene/store"
)

// See docs/formats/postings.md.
const (
	codecName    = "Lucene912PostingsWriter"
	metaCodec    = codecName + "Meta"
	termsCodec   = "Lucene90PostingsWriterTerms"
	metaExt      = "psm"
	version      = 0
	blockSize    = postings.BlockSize
	level1Blocks = 32
	level1Docs   = level1Blocks * blockSize
)

// FormatName is the name of the format in the attributes of a field.
const FormatName = "Lucene912"

// Format is what differs between this format and its successors in Lucene 10.
type Format struct {
	Codec      string // start of the codec names, such as Lucene912PostingsWriter
	TermsCodec string // in the dictionary's metadata
	MaxVersion int32
	Packing    *postings.Packing
	// Docs reads a full block of documents that come after base: they ascend, or r fails.
	Docs func(r *store.Reader, base int32, docs *[postings.MaxBlockSize + 1]int32)
}

var format = Format{
	Codec: codecName, TermsCodec: termsCodec, MaxVersion: version, Packing: postings.Packed9,
	Docs: func(r *store.Reader, base int32, docs *[postings.MaxBlockSize + 1]int32) {
		pfor.DecodeDeltas(r, base, (*[blockSize + 1]int32)(docs[:]))
	},
}

// Reader reads the postings of a segment. It is safe for concurrent use.
type Reader struct {
	*postings.Files
	format *Format
	meta   store.Input
	state  *codec.ReadState
}

// NewReader opens .psm, .doc and, if any field needs them, .pos and .pay.
func NewReader(state *codec.ReadState) (*Reader, error) { return NewFormatReader(state, &format) }

// NewFormatReader is NewReader for a successor of the format.
func NewFormatReader(state *codec.ReadState, format *Format) (*Reader, error) {
	rd := &Reader{format: format, state: state}
	var err error
	if rd.meta, err = state.Dir.Open(state.FileName(metaExt), state.Access); err != nil {
		return nil, err
	}
	v, lengths, err := rd.readMeta()
	if err != nil {
		return nil, errors.Join(err, rd.meta.Close())
	}
	if rd.Files, _, err = postings.Open(state, format.Packing, format.Codec, v, v); err != nil {
		return nil, errors.Join(err, rd.meta.Close())
	}
	for i, in := range []store.Input{rd.Doc, rd.Pos, rd.Pay} {
		if in != nil && in.Length() != lengths[i] {
			err := store.Corruptf(in.Name(), -1, "the file has %d bytes, %s says %d", in.Length(), rd.meta.Name(), lengths[i])
			return nil, errors.Join(err, rd.Close())
		}
	}
	return rd, nil
}

// readMeta returns the version of the files and the lengths of .doc, .pos and .pay.
func (rd *Reader) readMeta() (v int32, lengths [3]int64, err error) {
	state, r := rd.state, store.NewReader(rd.meta)
	if v, err = codec.ReadIndexHeader(r, rd.format.Codec+"Meta", 0, rd.format.MaxVersion, state.Info.ID, state.Suffix); err == nil {
		for range 4 {
			r.Int32() // the most impacts, and bytes of them, at each level: we size by what we find
		}
		lengths[0] = r.Int64()
		pos, pay := postings.NeedsFiles(state.Fields)
		if pos {
			lengths[1] = r.Int64()
		}
		if pay {
			lengths[2] = r.Int64()
		}
	}
	return v, lengths, codec.Finish(r, err)
}

// ReadTermsHeader implements postings.Reader.
func (rd *Reader) ReadTermsHeader(r *store.Reader) error {
	if _, err := codec.ReadIndexHeader(r, rd.format.TermsCodec, 0, rd.format.MaxVersion, rd.state.Info.ID, rd.state.Suffix); err != nil {
		return err
	}
	if n := r.VInt(); r.Err() == nil && int(n) != rd.format.Packing.Size {
		r.Corruptf("postings in blocks of %d", n)
	}
	return r.Err()
}

// DecodeTerm implements postings.Reader.
func (rd *Reader) DecodeTerm(c *postings.Cursor, t postings.Traits, s *postings.TermState, absolute bool) {
	postings.DecodePointers(c, t, s, rd.format.Packing.Size, absolute)
}

// Postings implements postings.Reader.
func (rd *Reader) Postings(t postings.Traits, s *postings.TermState, reuse lucene.PostingsEnum, flags int) (lucene.PostingsEnum, error) {
	e, ok := reuse.(*enum)
	if !ok || e.Files != rd.Files {
		e = new(enum)
	}
	e.reset(rd, t, s, flags)
	return e, nil
}

// Impacts implements postings.Reader.
func (rd *Reader) Impacts(t postings.Traits, s *postings.TermState, flags int) (lucene.ImpactsEnum, error) {
	e := new(enum)
	e.reset(rd, t, s, flags)
	return e, nil
}

// CheckIntegrity implements codec.Checker.
func (rd *Reader) CheckIntegrity() error {
	return errors.Join(codec.VerifyChecksum(rd.meta), rd.Files.CheckIntegrity())
}

// Close implements codec.Checker.
func (rd *Reader) Close() error { return errors.Join(rd.meta.Close(), rd.Files.Close()) }

// vint15 reads a number of 15 bits in two bytes; the high bit says that a variable-length rest follows.
func vint15(r *store.Reader) int64 {
	v := int64(r.Uint16())
	if v < 1<<15 {
		return v
	}
	rest := r.VLong()
	if rest > math.MaxInt64>>15 {
		r.Corruptf("a number of more than 63 bits")
		return 0
	}
	return v&(1<<15-1) | rest<<15
}
