package lucene90

import (
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/postings"
	"github.com/varve-search/varve/lucene/codec/postings/pfor"
	"github.com/varve-search/varve/lucene/codec/postings/skiplist"
)

// FormatName is the name of the format in the attributes of a field.
const FormatName = "Lucene90"

var format = skiplist.Format{Codec: "Lucene90PostingsWriter", MaxVersion: 1, Gaps: pfor.DecodePFOR}

// NewReader opens the postings of a segment.
func NewReader(state *codec.ReadState) (postings.Reader, error) {
	return skiplist.NewReader(state, &format)
}
