package storedfields

import (
	"fmt"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
)

// See docs/formats/storedfields.md.
const (
	indexName   = "Lucene90FieldsIndex"
	version     = 1
	metaMin     = 0
	blockShift  = 10
	maxDocsRead = 1 << 17 // of a chunk; writers make at most 4,096

	// DataExtension, IndexExtension and MetaExtension are those of the three files.
	DataExtension  = "fdt"
	IndexExtension = "fdx"
	MetaExtension  = "fdm"

	// ModeKey is the segment attribute that names the mode.
	ModeKey = "Lucene90StoredFieldsFormat.mode"
)

// Mode is how chunks are compressed.
type Mode uint8

// The modes. OpenSearch's index.codec default and lz4 are BestSpeed; best_compression and zlib are
// BestCompression.
const (
	BestSpeed Mode = iota + 1
	BestCompression
)

type modeInfo struct {
	name      string // as the attribute says it
	codec     string
	chunkSize int // bytes of documents from which on a chunk is complete
	maxDocs   int
	maxRatio  int64 // by which bytes can expand, at most
}

var modes = [...]modeInfo{
	BestSpeed:       {"BEST_SPEED", "Lucene90StoredFieldsFastData", 10 * 8 << 10, 1024, 256},
	BestCompression: {"BEST_COMPRESSION", "Lucene90StoredFieldsHighData", 10 * 48 << 10, 4096, 1040},
}

func (m Mode) info() *modeInfo { return &modes[m] }

func (m Mode) String() string {
	if m != BestSpeed && m != BestCompression {
		return fmt.Sprintf("Mode(%d)", uint8(m))
	}
	return modes[m].name
}

// ModeOf returns the mode of a segment, which its attributes name.
func ModeOf(si *lucene.SegmentInfo) (Mode, error) {
	name, ok := si.Attributes[ModeKey]
	if !ok {
		return 0, &codec.UnsupportedError{Format: si.Codec, Where: "stored fields of segment " + si.Name, Reason: "the segment has no attribute " + ModeKey}
	}
	for m := BestSpeed; m <= BestCompression; m++ {
		if modes[m].name == name {
			return m, nil
		}
	}
	return 0, &codec.UnsupportedError{Format: fmt.Sprintf("%.64q", name), Where: "stored fields of segment " + si.Name, Reason: "the mode is not known"}
}

// Types of values, in the low bits of the field number.
const (
	typeBits = 3
	typeMask = 1<<typeBits - 1

	typeString = iota - 2
	typeBytes
	typeInt
	typeFloat
	typeLong
	typeDouble
)

// Flags of a chunk, below the number of its documents.
const (
	flagSliced = 1 << iota
	flagDirty
	flagBits = iota
)
