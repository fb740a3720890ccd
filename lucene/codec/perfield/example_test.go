package perfield_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/store"
)

// TestExample checks the examples of docs/formats/postings.md and blocktree.md.
func TestExample(t *testing.T) {
	info := &lucene.FieldInfo{Name: "f", IndexOptions: lucene.IndexDocsFreqsPositions, OmitNorms: true, DocValuesGen: -1}
	fis, err := lucene.NewFieldInfos([]*lucene.FieldInfo{info})
	if err != nil {
		t.Fatal(err)
	}
	w := &codec.WriteState{Dir: store.NewMem(), Info: &lucene.SegmentInfo{Name: "_0", MaxDoc: 12}, Fields: fis}
	write(t, w, memFields{"f": {info: info, terms: []memTerm{
		{[]byte("ab"), []memDoc{{7, 1, []memPos{{pos: 4}}}, {11, 3, []memPos{{pos: 5}, {pos: 9}, {pos: 10}}}}},
		{[]byte("ac"), []memDoc{{3, 1, []memPos{{pos: 2}}}}},
	}}})
	if info.Attributes[lucene.AttrPostingsFormat] != "Lucene912" || info.Attributes[lucene.AttrPostingsSuffix] != "0" {
		t.Errorf("attributes %v", info.Attributes)
	}
	for ext, want := range map[string]string{
		"doc": "11 08 03",
		"pos": "04 05 04 01 02",
		"tim": "05 24 61626163 05 02 03 0402 01 05 7e3f 060304",
		"tip": "00",
		"tmd": "8001 01 0002 02815e 050303 026162 026163 38 3fd76c17 03465354 00000009 01035e8102 000001 4900000000000000 5900000000000000",
	} {
		b := readAll(t, w.Dir, "_0_Lucene912_0."+ext)
		b = b[:len(b)-codec.FooterLength]
		raw, err := hex.DecodeString(strings.ReplaceAll(want, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasSuffix(b, raw) {
			t.Errorf(".%s ends with % x, want %s", ext, b[max(0, len(b)-len(raw)):], want)
		}
	}
}
