package postings

import (
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/store"
)

// BlockSize is the number of documents, or positions, in a packed block of most formats; MaxBlockSize is that of the
// format with the largest.
const (
	BlockSize    = 128
	MaxBlockSize = 256
)

// TermState is where the postings of a term lie, and its statistics.
type TermState struct {
	DocFreq       int32
	TotalTermFreq int64 // equals DocFreq where freqs are not indexed
	DocStart      int64 // offset in .doc
	PosStart      int64 // offset in .pos
	PayStart      int64 // offset in .pay
	SkipOffset    int64 // of the skip list after DocStart, or -1 (formats before Lucene912)
	LastPosBlock  int64 // offset after PosStart of the positions that fill no block, or -1
	Singleton     int32 // the only document of a term with one, or -1
}

// IsTermState implements lucene.TermState.
func (*TermState) IsTermState() {}

// Traits says what the postings of a field hold.
type Traits struct {
	Freqs, Positions, Offsets, Payloads bool
}

// TraitsOf returns the traits of a field.
func TraitsOf(f *lucene.FieldInfo) Traits {
	return Traits{
		Freqs:     f.IndexOptions >= lucene.IndexDocsAndFreqs,
		Positions: f.IndexOptions >= lucene.IndexDocsFreqsPositions,
		Offsets:   f.IndexOptions >= lucene.IndexDocsFreqsPositionsOffsets,
		Payloads:  f.HasPayloads && f.IndexOptions >= lucene.IndexDocsFreqsPositions,
	}
}

// Pay tells whether the field uses the .pay file.
func (t Traits) Pay() bool { return t.Offsets || t.Payloads }

// Reader reads the postings that terms point to. A terms dictionary owns it.
type Reader interface {
	// ReadTermsHeader reads the header that the format wrote into the metadata of the dictionary.
	ReadTermsHeader(r *store.Reader) error
	// DecodeTerm reads the metadata of the next term of a block into s, whose statistics are set and
	// which otherwise holds the state of the term before; absolute says that there is none.
	DecodeTerm(c *Cursor, t Traits, s *TermState, absolute bool)
	// Postings returns the postings of a term; see lucene.TermsEnum.
	Postings(t Traits, s *TermState, reuse lucene.PostingsEnum, flags int) (lucene.PostingsEnum, error)
	// Impacts returns the postings of a term with their impacts; see lucene.TermsEnum.
	Impacts(t Traits, s *TermState, flags int) (lucene.ImpactsEnum, error)
	codec.Checker
}

// Writer writes the postings of terms, for a terms dictionary that owns it.
type Writer interface {
	// WriteTermsHeader writes the format's header into the metadata of the dictionary.
	WriteTermsHeader(out *store.Output)
	// SetField starts a field; norms may be nil if the field has none.
	SetField(f *lucene.FieldInfo, norms lucene.NormsProducer) error
	// WriteTerm writes the postings of the term that terms stands on, and sets the bit of each of its
	// documents. A term without documents gives a state with DocFreq 0 and leaves no trace.
	WriteTerm(terms lucene.TermsEnum, docsSeen *lucene.FixedBits) (TermState, error)
	// EncodeTerm writes the metadata of a term. Terms of a block come in order, the first absolute.
	EncodeTerm(out *store.Output, s *TermState, absolute bool)
	// Close writes the footers and closes the files.
	Close() error
}

// Cursor reads primitives from bytes in memory. Reading past the end sets Bad and returns zeros.
type Cursor struct {
	B   []byte
	P   int
	Bad bool
}

// Set makes c read b from its start.
func (c *Cursor) Set(b []byte) { *c = Cursor{B: b} }

// Byte returns the next byte.
func (c *Cursor) Byte() byte {
	if c.P >= len(c.B) {
		c.Bad = true
		return 0
	}
	b := c.B[c.P]
	c.P++
	return b
}

// VInt returns a variable-length int.
func (c *Cursor) VInt() int32 {
	if c.P < len(c.B) && c.B[c.P] < 0x80 {
		c.P++
		return int32(c.B[c.P-1])
	}
	return int32(c.varint(5))
}

// VLong returns a variable-length long, never negative.
func (c *Cursor) VLong() int64 {
	if c.P < len(c.B) && c.B[c.P] < 0x80 {
		c.P++
		return int64(c.B[c.P-1])
	}
	v := int64(c.varint(10))
	if v < 0 {
		c.Bad = true
		return 0
	}
	return v
}

// ZLong returns a zigzag-coded long.
func (c *Cursor) ZLong() int64 {
	u := c.varint(10)
	return int64(u>>1) ^ -int64(u&1)
}

func (c *Cursor) varint(most int) uint64 {
	var v uint64
	for i := range most {
		b := c.Byte()
		v |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			return v
		}
	}
	c.Bad = true
	return 0
}

// DecodePointers reads the part of a term's metadata that all generations share; blockSize is that of the format.
func DecodePointers(c *Cursor, t Traits, s *TermState, blockSize int, absolute bool) {
	if absolute {
		s.DocStart, s.PosStart, s.PayStart = 0, 0, 0
	}
	if l := c.VLong(); l&1 == 0 {
		s.DocStart += l >> 1
		s.Singleton = -1
		if s.DocFreq == 1 {
			s.Singleton = c.VInt()
		}
	} else {
		// The singleton before it had the same DocStart; only the document differs.
		d := int64(uint64(l) >> 1)
		s.Singleton = int32(int64(s.Singleton) + (int64(uint64(d)>>1) ^ -(d & 1)))
		if absolute || s.DocFreq != 1 {
			c.Bad = true
		}
	}
	s.LastPosBlock, s.SkipOffset = -1, -1
	if t.Positions {
		s.PosStart += c.VLong()
		if t.Pay() {
			s.PayStart += c.VLong()
		}
		if s.TotalTermFreq > int64(blockSize) {
			s.LastPosBlock = c.VLong()
		}
	}
}
