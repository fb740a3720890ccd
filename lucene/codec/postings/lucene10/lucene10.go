package lucene10

import (
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/postings"
	"github.com/varve-search/varve/lucene/codec/postings/lucene912"
	"github.com/varve-search/varve/lucene/codec/postings/pfor"
	"github.com/varve-search/varve/lucene/store"
)

// Names of the formats in the attributes of a field.
const (
	FormatName101 = "Lucene101" // Lucene 10.1 and 10.2
	FormatName103 = "Lucene103" // 10.3
	FormatName104 = "Lucene104" // since 10.4
)

const (
	size101 = 128
	size104 = 256
)

var (
	packing101 = packing(size101)
	packing104 = packing(size104)

	format101 = lucene912.Format{
		Codec: "Lucene101PostingsWriter", TermsCodec: "Lucene90PostingsWriterTerms", MaxVersion: 1, Packing: packing101, Docs: docs101,
	}
	format103 = lucene912.Format{
		Codec: "Lucene103PostingsWriter", TermsCodec: "Lucene103PostingsWriterTerms", Packing: packing101, Docs: docs101,
	}
	format104 = lucene912.Format{
		Codec: "Lucene104PostingsWriter", TermsCodec: "Lucene104PostingsWriterTerms", Packing: packing104, Docs: docs104,
	}
)

func packing(size int) *postings.Packing {
	return &postings.Packing{
		Size:   size,
		Decode: func(r *store.Reader, out *[postings.MaxBlockSize]uint32) { pfor.DecodePFOR32(r, size, out) },
		Skip:   func(r *store.Reader) { pfor.SkipPFOR32(r, size) },
	}
}

func docs101(r *store.Reader, base int32, docs *[postings.MaxBlockSize + 1]int32) {
	pfor.DecodeDocs32(r, base, size101, pfor.DeltaLane101, docs)
}

func docs104(r *store.Reader, base int32, docs *[postings.MaxBlockSize + 1]int32) {
	pfor.DecodeDocs32(r, base, size104, pfor.DeltaLane104, docs)
}

// NewReader101 opens the postings of a segment in the format Lucene101.
func NewReader101(state *codec.ReadState) (postings.Reader, error) { return open(state, &format101) }

// NewReader103 opens the postings of a segment in the format Lucene103.
func NewReader103(state *codec.ReadState) (postings.Reader, error) { return open(state, &format103) }

// NewReader104 opens the postings of a segment in the format Lucene104.
func NewReader104(state *codec.ReadState) (postings.Reader, error) { return open(state, &format104) }

func open(state *codec.ReadState, format *lucene912.Format) (postings.Reader, error) {
	rd, err := lucene912.NewFormatReader(state, format)
	if err != nil {
		return nil, err // not rd: a nil pointer is no nil interface
	}
	return rd, nil
}
