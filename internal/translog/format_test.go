package translog

import (
	"encoding/hex"
	"testing"
)

// The worked example of docs/formats/translog.md.
func TestDocumentedBytes(t *testing.T) {
	op := Operation{Type: OpIndex, SeqNo: 300, PrimaryTerm: 1, Version: 2, ID: "7", Source: []byte("{}")}
	if got := hex.EncodeToString(appendRecord(nil, &op)); got != "0a000000"+"1610af72"+"01ac02"+"0102"+"0137"+"00"+"7b7d" {
		t.Fatal(got)
	}
}
