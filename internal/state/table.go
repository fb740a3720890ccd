package state

import (
	"hash/maphash"
	"slices"
	"strings"
)

// entry is a record with what identifies its stored form.
type entry struct {
	rec Record
	sum uint64 // of the stored bytes, to see whether anything changed; 0: not stored yet
	// blob is the id of the blob that the record lies in, or "".
	blob string
}

const tableBuckets = 256

// table maps names to entries. Tables are copied on write, bucket by bucket, so that a view with
// thousands of records costs little to succeed. Records with a parent lie in their parent's bucket.
type table struct {
	n       int
	buckets [tableBuckets]*bucket // nil where empty
}

type bucket struct{ m map[string]entry }

// entries may be called on nil.
func (b *bucket) entries() map[string]entry {
	if b == nil {
		return nil
	}
	return b.m
}

var seed = maphash.MakeSeed()

// parentOf returns the part of a name before its last slash: an index of a shard, a job of a part.
func parentOf(name string) string {
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		return name[:i+1]
	}
	return ""
}

func bucketOf(name string) uint8 {
	key := name
	if p := parentOf(name); p != "" {
		key = p
	}
	return uint8(maphash.String(seed, key))
}

func (t *table) get(name string) (entry, bool) {
	e, ok := t.buckets[bucketOf(name)].entries()[name]
	return e, ok
}

// names returns all names in order.
func (t *table) names() []string {
	names := make([]string, 0, t.n)
	for _, b := range t.buckets {
		for name := range b.entries() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// children returns the names that begin with parent, which ends with a slash, in order.
func (t *table) children(parent string) []string {
	var names []string
	for name := range t.buckets[uint8(maphash.String(seed, parent))].entries() {
		if strings.HasPrefix(name, parent) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
