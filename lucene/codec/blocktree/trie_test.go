package blocktree

import (
	"testing"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/store"
)

// TestTrieNodes follows a trie that was made by hand: the root with the children "a" (a leaf), "c" and "d".
func TestTrieNodes(t *testing.T) {
	leaf := func(fp byte) []byte { return []byte{0x20, fp} }
	for name, told := range map[string][2][]byte{ // strategy and its bytes
		"bitmap":  {{labelsBitmap}, {0b1101}},
		"listed":  {{labelsListed}, {'c', 'd'}},
		"missing": {{labelsMissing}, {'d', 'b'}},
	} {
		b := append(append(leaf(7), leaf(8)...), leaf(9)...)
		root := int64(len(b))
		head := uint32(trieFork) | 0x20 | uint32(told[0][0])<<9 | uint32(len(told[1])-1)<<11 | 'a'<<16
		b = append(b, byte(head), byte(head>>8), byte(head>>16))
		b = append(b, 5<<trieBits|trieHasTerms|trieFloor, 2) // the root's block, and three children
		b = append(b, told[1]...)
		b = append(b, 6, 4, 2)
		b = append(b, 1, 'x', 3) // floor data
		tr := &trie{in: store.NewBytesInput("x.tip", b), root: root}
		fr := &fieldReader{trie: tr}
		for label, fp := range map[byte]int64{'a': 7, 'b': -1, 'c': 8, 'd': 9, 'e': -1, 'A': -1, 0xff: -1} {
			var w walker
			a, err := w.start(fr)
			if err != nil || a.fp != 5 || !a.terms || len(a.floor) != 3 || a.floor[1] != 'x' {
				t.Fatalf("%s: the root is %+v, %v", name, a, err)
			}
			ok, err := w.step(label)
			if err != nil || ok != (fp >= 0) {
				t.Fatalf("%s: %c: %v, %v", name, label, ok, err)
			}
			if !ok {
				continue
			}
			if a, has, err := w.block(); err != nil || !has || a.fp != fp || !a.terms || a.floor != nil {
				t.Errorf("%s: the block of %c is %+v, %v, %v", name, label, a, has, err)
			}
			if ok, err := w.step('z'); ok || err != nil {
				t.Errorf("%s: a leaf has a child: %v", name, err)
			}
		}
	}
}

var testField = &lucene.FieldInfo{Name: "f"}

// FuzzTrie walks over any bytes: it comes to an end, and to an error or a place.
func FuzzTrie(f *testing.F) {
	f.Add([]byte{0x20, 7, 0x02, 'a', 2}, int64(2), []byte("abc"))
	f.Add([]byte{0x20, 7, 0x23, 0x04, 'a', 22, 2, 0b101, 3, 3, 1, 'x', 3}, int64(2), []byte("c"))
	f.Fuzz(func(t *testing.T, b []byte, root int64, term []byte) {
		fr := &fieldReader{rd: &Reader{index: store.NewBytesInput("x.tip", b)}, trie: &trie{in: store.NewBytesInput("x.tip", b), root: root}}
		fr.info = testField
		var w walker
		if _, err := w.start(fr); err != nil {
			return
		}
		for _, c := range term {
			if ok, err := w.step(c); err != nil || !ok {
				return
			}
			a, ok, err := w.block()
			if err != nil || ok && a.fp < 0 {
				t.Fatalf("a block at %d: %v", a.fp, err)
			}
		}
	})
}
