package mapping

import (
	"fmt"
	"math"
	"testing"
)

// TestVarLong checks the worked example of docs/formats/field-encodings.md, and the order of the bytes.
func TestVarLong(t *testing.T) {
	r := rangeTypes[0]
	if got := fmt.Sprintf("%x", r.encodeRanges([]valueRange{{int64(1), int64(300)}})); got != "0181892c" {
		t.Errorf("[1, 300] is %s", got)
	}
	if got := fmt.Sprintf("%x", appendVarLong(nil, -1)); got != "7f" {
		t.Errorf("-1 is %s", got)
	}
	last := ""
	for _, v := range []int64{math.MinInt64, math.MinInt64 + 1, -1 << 40, -70000, -2049, -2048, -300, -9, -8, -1, 0, 1, 7, 8, 300, 2047, 2048, 70000, 1 << 40, math.MaxInt64} {
		b := string(appendVarLong(nil, v))
		if b <= last {
			t.Errorf("%d (%x) does not sort behind what is smaller (%x)", v, b, last)
		}
		last = b
	}
}
