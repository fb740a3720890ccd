package mapping

import (
	"sort"
	"unicode/utf16"

	"github.com/varve-search/varve/internal/xcontent"
)

// javaHashOrder puts the members of an object into the order in which a Java HashMap gives them back:
// OpenSearch prints _meta so.
func javaHashOrder(o *xcontent.Object) *xcontent.Object {
	size := uint32(1)
	for float64(size) < float64(o.Len())/0.75+1 {
		size <<= 1
	}
	out := &xcontent.Object{Members: append([]xcontent.Member(nil), o.Members...)}
	bucket := func(key string) uint32 {
		var h uint32
		for _, u := range utf16.Encode([]rune(key)) {
			h = 31*h + uint32(u)
		}
		return (h ^ h>>16) & (size - 1)
	}
	sort.SliceStable(out.Members, func(i, j int) bool { return bucket(out.Members[i].Key) < bucket(out.Members[j].Key) })
	return out
}
