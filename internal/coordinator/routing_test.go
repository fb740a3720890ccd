package coordinator

import "testing"

// The values are those that OpenSearch's own tests hold its hash to.
func TestMurmur3(t *testing.T) {
	for s, want := range map[string]uint32{"hell": 0x5a0cb7c3, "hello": 0xd7c31989, "hello w": 0x22ab2984, "hello wo": 0xdf0ca123,
		"hello wor": 0xe7744d61, "The quick brown fox jumps over the lazy dog": 0xe07db09c, "The quick brown fox jumps over the lazy cog": 0x4e63d2ad} {
		if got := uint32(murmur3(s)); got != want {
			t.Errorf("%q: %#08x, want %#08x", s, got, want)
		}
	}
}
