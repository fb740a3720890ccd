package state

import (
	"bytes"
	"testing"
)

// FuzzRecord gives arbitrary stored values to every kind's decoder; what is accepted must come back
// the same after another round.
func FuzzRecord(f *testing.F) {
	for _, r := range []Record{pipeline("p", 1), &Index{Name: "i", Aliases: map[string]Alias{"a": {}}}, &ShardRouting{Copies: []ShardCopy{{Recovery: &RecoverySource{}}}}} {
		b, err := encodeRecord(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(int(r.kind()), b)
	}
	f.Fuzz(func(t *testing.T, kind int, stored []byte) {
		k := Kind(((kind % int(numKinds)) + int(numKinds)) % int(numKinds))
		_, _, _ = parseRef(stored)
		r, err := decodeRecord(k, stored)
		if err != nil {
			return
		}
		once, err := encodeRecord(r)
		if err != nil {
			return
		}
		again, err := decodeRecord(k, once)
		if err != nil {
			t.Fatal(err)
		}
		if twice, err := encodeRecord(again); err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%s became %s (%v)", once, twice, err)
		}
		_ = r.name()
	})
}

// FuzzKey gives arbitrary keys to the parser.
func FuzzKey(f *testing.F) {
	f.Add("routing/u/00003")
	f.Fuzz(func(t *testing.T, key string) {
		if k, name, ok := parseKey(key); ok {
			if k2, n2, ok := parseKey(keyOf(k, name)); !ok || k2 != k || n2 != name {
				t.Fatalf("%q became %q", name, n2)
			}
		}
	})
}
