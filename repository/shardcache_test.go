package repository

import (
	"bytes"
	"fmt"
	"testing"
)

// TestShardCache keeps one generation a shard, as much as it may, and forgets first what was used longest ago.
func TestShardCache(t *testing.T) {
	var c shardCache
	if _, ok := c.get("a", "1"); ok {
		t.Fatal("an empty cache has something")
	}
	c.put("a", "1", []byte("one"))
	c.put("a", "2", []byte("two"))
	if _, ok := c.get("a", "1"); ok {
		t.Fatal("an older generation is kept")
	}
	if b, ok := c.get("a", "2"); !ok || string(b) != "two" {
		t.Fatalf("%q %v", b, ok)
	}
	large := make([]byte, 1<<20)
	_, _ = random(t).Read(large) // nothing that could be compressed
	for i := range 2 * shardCacheBytes / len(large) {
		c.put(fmt.Sprint(i), "g", large)
		if _, ok := c.get("0", "g"); !ok {
			t.Fatalf("what is used is gone after %d", i)
		}
	}
	if c.bytes > shardCacheBytes || len(c.byDir) != c.order.Len() || len(c.byDir) < 10 {
		t.Fatalf("%d bytes, %d of %d entries", c.bytes, len(c.byDir), c.order.Len())
	}
	if _, ok := c.get("1", "g"); ok {
		t.Fatal("what was not used is kept")
	}
	if b, _ := c.get("0", "g"); !bytes.Equal(b, large) {
		t.Fatal("other bytes")
	}
}
