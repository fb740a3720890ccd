package coordinator

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/varve-search/varve/internal/state"
)

// murmur3 is MurmurHash3 x86 32 with seed 0 of a string's UTF-16 units, low byte first: what routes
// documents to shards. Any other hash would not find the documents of a restored index.
func murmur3(s string) int32 {
	var stack [256]byte
	b := stack[:0]
	for len(s) > 0 {
		r, n := rune(s[0]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRuneInString(s)
		}
		s = s[n:]
		if hi, lo := utf16.EncodeRune(r); hi != utf8.RuneError {
			b = binary.LittleEndian.AppendUint16(b, uint16(hi))
			b = binary.LittleEndian.AppendUint16(b, uint16(lo))
			continue
		}
		b = binary.LittleEndian.AppendUint16(b, uint16(r))
	}
	const c1, c2 = 0xcc9e2d51, 0x1b873593
	n := uint32(len(b))
	var h uint32
	for ; len(b) >= 4; b = b[4:] {
		k := binary.LittleEndian.Uint32(b) * c1
		h ^= bits.RotateLeft32(k, 15) * c2
		h = bits.RotateLeft32(h, 13)*5 + 0xe6546b64
	}
	if len(b) > 0 { // two bytes: units are whole
		k := uint32(binary.LittleEndian.Uint16(b)) * c1
		h ^= bits.RotateLeft32(k, 15) * c2
	}
	h ^= n
	h = (h ^ h>>16) * 0x85ebca6b
	h = (h ^ h>>13) * 0xc2b2ae35
	return int32(h ^ h>>16)
}

func floorMod(a int64, m int) int {
	r := int(a % int64(m))
	if r < 0 {
		r += m
	}
	return r
}

// ShardFor returns the shard that a document belongs to.
func ShardFor(ix *state.Index, id, routing string) int {
	effective := routing
	if effective == "" {
		effective = id
	}
	offset := 0
	if size, _ := ix.Settings.Int("index.routing_partition_size", 1); size > 1 { // a bad value was refused at creation
		offset = floorMod(int64(murmur3(id)), size)
	}
	return floorMod(int64(murmur3(effective))+int64(offset), ix.RoutingNumShards) / (ix.RoutingNumShards / ix.NumberOfShards)
}

// ShardsFor returns the shards that a search with routing values must ask, ascending; all of them without.
func ShardsFor(ix *state.Index, routing []string) []int {
	if len(routing) == 0 {
		all := make([]int, ix.NumberOfShards)
		for i := range all {
			all[i] = i
		}
		return all
	}
	size, _ := ix.Settings.Int("index.routing_partition_size", 1)
	hit := make([]bool, ix.NumberOfShards)
	for _, r := range routing {
		for offset := range max(size, 1) {
			hit[floorMod(int64(murmur3(r))+int64(offset), ix.RoutingNumShards)/(ix.RoutingNumShards/ix.NumberOfShards)] = true
		}
	}
	var out []int
	for i, h := range hit {
		if h {
			out = append(out, i)
		}
	}
	return out
}
