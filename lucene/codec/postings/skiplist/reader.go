package skiplist

import (
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/postings"
	"github.com/varve-search/varve/lucene/store"
)

const (
	termsCodec = "Lucene90PostingsWriterTerms"
	blockSize  = postings.BlockSize
)

// Format is what differs between the formats.
type Format struct {
	Codec      string // start of the codec names, such as Lucene99PostingsWriter
	MaxVersion int32
	// Gaps reads the document gaps of a full block.
	Gaps func(r *store.Reader, gaps *[blockSize]uint32)
	// GroupVInts tells whether the documents that fill no block are group-varints, not VInts.
	GroupVInts bool
}

// Reader reads the postings of a segment. It is safe for concurrent use.
type Reader struct {
	*postings.Files
	format *Format
	state  *codec.ReadState
}

// NewReader opens .doc and, if any field needs them, .pos and .pay.
func NewReader(state *codec.ReadState, format *Format) (*Reader, error) {
	files, _, err := postings.Open(state, postings.Packed9, format.Codec, 0, format.MaxVersion)
	if err != nil {
		return nil, err
	}
	return &Reader{Files: files, format: format, state: state}, nil
}

// ReadTermsHeader implements postings.Reader.
func (rd *Reader) ReadTermsHeader(r *store.Reader) error {
	if _, err := codec.ReadIndexHeader(r, termsCodec, 0, rd.format.MaxVersion, rd.state.Info.ID, rd.state.Suffix); err != nil {
		return err
	}
	if n := r.VInt(); r.Err() == nil && n != blockSize {
		r.Corruptf("postings in blocks of %d", n)
	}
	return r.Err()
}

// DecodeTerm implements postings.Reader.
func (rd *Reader) DecodeTerm(c *postings.Cursor, t postings.Traits, s *postings.TermState, absolute bool) {
	postings.DecodePointers(c, t, s, blockSize, absolute)
	if s.DocFreq > blockSize {
		s.SkipOffset = c.VLong()
	}
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
