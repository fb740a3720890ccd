package blocktree

import (
	"bytes"

	"github.com/varve-search/varve/lucene/fst"
	"github.com/varve-search/varve/lucene/store"
)

// address is what the index says of a block.
type address struct {
	fp    int64  // offset in .tim of its first part
	terms bool   // that part has terms
	floor []byte // begins with what tells how the block is split; empty if it is not
}

// walker follows a term, byte by byte, through the index of a field: an FST up to Lucene 10.2, a trie since.
type walker struct {
	fr   *fieldReader
	c    fst.Cursor
	out  []byte   // outputs of the FST on the way
	node trieNode // in the trie
}

// start goes to the root and returns the address of its block.
func (w *walker) start(fr *fieldReader) (address, error) {
	w.fr = fr
	if fr.trie == nil {
		var err error
		w.out = w.out[:0]
		if w.c, err = fr.index.Cursor(); err != nil {
			return address{}, err
		}
		return fr.address(fr.root)
	}
	b, err := fr.trie.bytes()
	if err != nil {
		return address{}, err
	}
	w.node.t, w.node.b = fr.trie, b
	if err := w.node.open(fr.trie.root); err != nil {
		return address{}, err
	}
	if !w.node.hasOut {
		return address{}, store.Corruptf(fr.rd.index.Name(), -1, "the index of field %q has no block at its root", fr.info.Name)
	}
	return w.node.block, nil
}

// step goes on with a byte and tells whether the index does, too. If not, w must not be used any more.
func (w *walker) step(b byte) (bool, error) {
	if w.fr.trie != nil {
		return w.node.step(b)
	}
	ok, err := w.c.Step(b)
	if ok && err == nil {
		w.out = w.c.AppendOutput(w.out)
	}
	return ok, err
}

// block returns the address of the block whose prefix are the bytes so far, if there is one. It is valid until the
// next step.
func (w *walker) block() (a address, ok bool, err error) {
	if w.fr.trie != nil {
		return w.node.block, w.node.hasOut, nil
	}
	if !w.c.Final() {
		return address{}, false, nil
	}
	n := len(w.out)
	w.out = w.c.AppendFinal(w.out)
	a, err = w.fr.address(w.out)
	w.out = w.out[:n]
	return a, true, err
}

// address decodes an output of the FST.
func (f *fieldReader) address(out []byte) (address, error) {
	code, rest, err := f.readCode(out)
	if err != nil {
		return address{}, err
	}
	a := address{fp: code >> codeBits, terms: code&codeHasTerms != 0}
	if code&codeFloor != 0 {
		a.floor = rest
	}
	return a, nil
}

// sameRoot tells whether the root's address stands in the FST, too, as the output of the empty key.
func (f *fieldReader) sameRoot() bool {
	empty, ok := f.index.Empty()
	return ok && bytes.Equal(empty, f.root)
}
