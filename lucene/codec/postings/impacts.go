package postings

import (
	"math"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/store"
)

// NoImpacts is what is known of documents without impacts: any frequency, the best norm.
var NoImpacts = []lucene.Impact{{Freq: math.MaxInt32, Norm: 1}}

// FreqOne is what is known of a field without frequencies.
var FreqOne = []lucene.Impact{{Freq: 1, Norm: 1}}

// DecodeImpacts appends the impacts in data to list: pairs of VInt(freq delta - 1, shifted left by one)
// and, if its low bit is set, ZLong(norm delta - 1); otherwise the norm grows by one.
func DecodeImpacts(file string, data []byte, list []lucene.Impact) ([]lucene.Impact, error) {
	c := Cursor{B: data}
	freq, norm := int64(0), int64(0)
	for c.P < len(data) {
		d := uint32(c.VInt())
		freq += 1 + int64(d>>1)
		if d&1 != 0 {
			norm += c.ZLong()
		}
		norm++
		if c.Bad || freq > math.MaxInt32 {
			return nil, store.Corruptf(file, -1, "impacts % .40x", data)
		}
		list = append(list, lucene.Impact{Freq: int32(freq), Norm: norm})
	}
	if len(list) == 0 {
		return nil, store.Corruptf(file, -1, "an empty list of impacts")
	}
	return list, nil
}

// EncodeImpacts writes impacts as DecodeImpacts reads them.
func EncodeImpacts(out *store.Output, list []lucene.Impact) {
	var prev lucene.Impact
	for _, im := range list {
		f, n := im.Freq-prev.Freq-1, im.Norm-prev.Norm-1
		if n == 0 {
			out.PutVInt(f << 1)
		} else {
			out.PutVInt(f<<1 | 1)
			out.PutZLong(n)
		}
		prev = im
	}
}
