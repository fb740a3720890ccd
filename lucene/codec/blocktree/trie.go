package blocktree

// The trie of prefixes that is the index of Lucene 10.3; see docs/formats/blocktree.md.

import (
	"encoding/binary"
	"math/bits"
	"sync"

	"github.com/varve-search/varve/lucene/store"
)

// Kinds of nodes, in the two low bits of their first byte.
const (
	trieLeaf        = iota
	trieChainOutput // one child, and a block
	trieChain       // one child
	trieFork        // several children
)

// How a node with several children tells their labels.
const (
	labelsMissing = iota // the largest label, and those between that are missing
	labelsListed         // all but the smallest
	labelsBitmap
)

// Bits of an output below the address of its block.
const (
	trieFloor = 1 << iota
	trieHasTerms
	trieBits = iota
)

// maxFloorBytes is above what tells how a block is split: a count, and 255 times a label and an offset.
const maxFloorBytes = 5 + 255*11

// trie is the index of one field.
type trie struct {
	in   store.Input // the field's part of .tip
	root int64
	load sync.Once
	data []byte
	err  error
}

// bytes returns all bytes: those in memory, or else read once.
func (t *trie) bytes() ([]byte, error) {
	t.load.Do(func() {
		if t.data = store.Resident(t.in); t.data == nil {
			t.data, t.err = store.Bytes(t.in, 0, int(t.in.Length()))
		}
	})
	return t.data, t.err
}

// trieNode is a place in a trie. Nodes stand behind their children.
type trieNode struct {
	t      *trie
	b      []byte
	at     int64
	kind   int
	block  address // where hasOut
	hasOut bool
	label  int   // the smallest label of a child
	delta  int64 // of a chain: how far before the node its child stands
	// Of a fork:
	labels     int   // how they are told
	labelsAt   int64 // where
	labelsSize int64 // in so many bytes
	size       int64 // bytes of each child's distance
}

// open goes to the node at an offset.
func (n *trieNode) open(at int64) error {
	if at < 0 || at >= int64(len(n.b)) {
		return n.damaged(at)
	}
	n.at, n.hasOut = at, false
	n.block.floor = nil
	ok := false
	head := int(n.b[at])
	switch n.kind = head & 3; n.kind {
	case trieLeaf:
		ok = n.openLeaf(head)
	case trieFork:
		ok = n.openFork()
	default:
		ok = n.openChain(head)
	}
	if !ok {
		return n.damaged(at)
	}
	return nil
}

func (n *trieNode) damaged(at int64) error {
	return store.Corruptf(n.t.in.Name(), store.Base(n.t.in)+at, "a node of an index is damaged")
}

// number returns the number in the size bytes, low byte first, at an offset.
func (n *trieNode) number(at, size int64) (int64, bool) {
	if at < 0 || at > int64(len(n.b))-size {
		return 0, false
	}
	var buf [8]byte
	copy(buf[:], n.b[at:at+size])
	v := int64(binary.LittleEndian.Uint64(buf[:]))
	return v, v >= 0
}

// setFloor notes that what tells how the block is split stands at an offset.
func (n *trieNode) setFloor(at int64) bool {
	if at >= int64(len(n.b)) {
		return false
	}
	n.block.floor = n.b[at:min(int64(len(n.b)), at+maxFloorBytes)]
	return true
}

func (n *trieNode) openLeaf(head int) (ok bool) {
	size := int64(head>>2&7) + 1
	n.block.terms = head&0x20 != 0
	if n.block.fp, ok = n.number(n.at+1, size); !ok {
		return false
	}
	n.hasOut = true
	return head&0x40 == 0 || n.setFloor(n.at+1+size)
}

func (n *trieNode) openChain(head int) (ok bool) {
	size := int64(head>>2&7) + 1
	if n.delta, ok = n.number(n.at+2, size); !ok {
		return false
	}
	n.label = int(n.b[n.at+1])
	if n.kind == trieChain {
		return true
	}
	at, outSize := n.at+2+size, int64(head>>5)+1
	out, ok := n.number(at, outSize)
	if !ok {
		return false
	}
	return !n.setOutput(out) || n.setFloor(at+outSize)
}

// setOutput sets the block from an output and tells whether it is split.
func (n *trieNode) setOutput(out int64) (floor bool) {
	n.hasOut = true
	n.block.fp, n.block.terms = out>>trieBits, out&trieHasTerms != 0
	return out&trieFloor != 0
}

func (n *trieNode) openFork() bool {
	head, ok := n.number(n.at, 3)
	if !ok {
		return false
	}
	n.size = head>>2&7 + 1
	n.labels, n.labelsSize = int(head>>9&3), head>>11&31+1
	n.label = int(head >> 16)
	n.labelsAt = n.at + 3
	if head&0x20 == 0 {
		return true
	}
	outSize := head>>6&7 + 1
	out, ok := n.number(n.labelsAt, outSize)
	if !ok {
		return false
	}
	n.labelsAt += outSize
	if !n.setOutput(out) {
		return true
	}
	children, ok := n.number(n.labelsAt, 1)
	n.labelsAt++
	return ok && n.setFloor(n.labelsAt+n.labelsSize+(children+1)*n.size)
}

// step goes to the child with a label, and tells whether there is one. If there is none, n must not be used any more.
func (n *trieNode) step(label byte) (bool, error) {
	delta := n.delta
	switch {
	case n.kind == trieLeaf:
		return false, nil
	case n.kind == trieFork:
		if n.labelsAt+n.labelsSize > int64(len(n.b)) {
			return false, n.damaged(n.at)
		}
		i := n.find(int(label), n.b[n.labelsAt:n.labelsAt+n.labelsSize])
		if i < 0 {
			return false, nil
		}
		ok := false
		if delta, ok = n.number(n.labelsAt+n.labelsSize+int64(i)*n.size, n.size); !ok {
			return false, n.damaged(n.at)
		}
	case int(label) != n.label:
		return false, nil
	}
	if delta <= 0 || delta > n.at {
		return false, n.damaged(n.at)
	}
	return true, n.open(n.at - delta)
}

// find returns which child of a fork has a label, or -1; told is what tells the labels.
func (n *trieNode) find(label int, told []byte) int {
	switch {
	case label == n.label:
		return 0
	case label < n.label:
		return -1
	}
	switch n.labels {
	case labelsBitmap:
		bit := label - n.label
		if bit>>3 >= len(told) || told[bit>>3]>>(bit&7)&1 == 0 {
			return -1
		}
		i := 0
		for _, b := range told[:bit>>3] {
			i += bits.OnesCount8(b)
		}
		return i + bits.OnesCount8(told[bit>>3]&(1<<(bit&7)-1))
	case labelsListed:
		for i, b := range told {
			if int(b) == label {
				return i + 1
			}
		}
		return -1
	case labelsMissing:
		if label > int(told[0]) {
			return -1
		}
		before := 0
		for _, b := range told[1:] {
			if int(b) == label {
				return -1
			}
			if int(b) < label {
				before++
			}
		}
		return label - n.label - before
	}
	return -1
}
