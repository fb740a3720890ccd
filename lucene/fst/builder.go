package fst

// See docs/formats/fst.md.

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/store"
)

// When a node gets arcs of fixed length, and how much room direct addressing may cost; Lucene's choices.
const (
	shallowDepth   = 3  // up to here,
	shallowArcs    = 5  // with so many arcs,
	deepArcs       = 10 // and below it with so many
	creditOversize = 1.66
)

// Builder writes an FST from keys in ascending order. It holds the nodes on the way to the last key.
type Builder struct {
	out      *store.Output
	written  int64 // bytes so far, the padding byte included
	frozen   int64 // address of the node written last
	nodes    []*buildNode
	last     []byte
	empty    []byte
	hasEmpty bool
	any      bool
	credit   int

	scratch []byte
	fixed   []byte
	lens    []int
}

type buildNode struct {
	arcs  []buildArc
	final bool
	out   []byte // in addition, if the key ends here
}

type buildArc struct {
	label    byte
	final    bool
	node     int64 // address of the target, 0 if it has no arcs
	out, end []byte
}

// NewBuilder returns a builder that writes nodes to out, from where out stands.
func NewBuilder(out *store.Output) *Builder { return &Builder{out: out, written: 1} }

func (b *Builder) node(i int) *buildNode {
	for len(b.nodes) <= i {
		b.nodes = append(b.nodes, &buildNode{})
	}
	return b.nodes[i]
}

// Add adds a key, which comes after the last one, with its output.
func (b *Builder) Add(key, output []byte) error {
	if b.any && bytes.Compare(key, b.last) <= 0 {
		return fmt.Errorf("build an FST: key %.40x comes after %.40x", key, b.last)
	}
	b.any = true
	output = bytes.Clone(output)
	if len(key) == 0 {
		b.hasEmpty, b.empty = true, output
		return nil
	}
	p := 0
	for p < len(b.last) && p < len(key) && b.last[p] == key[p] {
		p++
	}
	if err := b.freeze(p + 1); err != nil {
		return err
	}
	for i := p; i < len(key); i++ {
		n := b.node(i)
		n.arcs = append(n.arcs, buildArc{label: key[i]})
	}
	b.node(len(key)).final = true
	// What the outputs of two keys have in common stays on the arcs that they share; the rest of the
	// earlier one moves on.
	for i := 0; i < p; i++ {
		arc := &b.nodes[i].arcs[len(b.nodes[i].arcs)-1]
		k := 0
		for k < len(arc.out) && k < len(output) && arc.out[k] == output[k] {
			k++
		}
		if k < len(arc.out) {
			b.nodes[i+1].prepend(arc.out[k:])
			arc.out = arc.out[:k]
		}
		output = output[k:]
	}
	parent := b.nodes[p]
	parent.arcs[len(parent.arcs)-1].out = output
	b.last = append(b.last[:0], key...)
	return nil
}

func (n *buildNode) prepend(out []byte) {
	for i := range n.arcs {
		n.arcs[i].out = slices.Concat(out, n.arcs[i].out)
	}
	if n.final {
		n.out = slices.Concat(out, n.out)
	}
}

// freeze writes the nodes of the last key from depth downTo on.
func (b *Builder) freeze(downTo int) error {
	for i := len(b.last); i >= downTo; i-- {
		n := b.nodes[i]
		addr, err := b.write(n, i)
		if err != nil {
			return err
		}
		parent := b.nodes[i-1]
		arc := &parent.arcs[len(parent.arcs)-1]
		arc.node, arc.final, arc.end = addr, n.final, n.out
		n.arcs, n.final, n.out = n.arcs[:0], false, nil
	}
	return nil
}

// Finish writes the remaining nodes, and the metadata to meta. At least one key must have been added.
func (b *Builder) Finish(meta *store.Output) error {
	if !b.any {
		return errors.New("build an FST: there is no key")
	}
	if err := b.freeze(1); err != nil {
		return err
	}
	start, err := b.write(b.node(0), 0)
	if err != nil {
		return err
	}
	if b.written == 1 {
		b.out.PutByte(0)
	}
	codec.WriteHeader(meta, codecName, versionCurrent)
	if b.hasEmpty {
		meta.PutByte(1)
		e := store.NewBuffer()
		e.PutVInt(int32(len(b.empty)))
		e.PutBytes(b.empty)
		rev := bytes.Clone(e.Data())
		slices.Reverse(rev)
		meta.PutVInt(int32(len(rev)))
		meta.PutBytes(rev)
	} else {
		meta.PutByte(0)
	}
	meta.PutByte(0) // labels are bytes
	meta.PutVLong(start)
	meta.PutVLong(b.written)
	return errors.Join(b.out.Err(), meta.Err())
}

func appendVInt(dst []byte, v uint64) []byte {
	for v >= 0x80 {
		dst = append(dst, byte(v)|0x80)
		v >>= 7
	}
	return append(dst, byte(v))
}

func appendOutput(dst, out []byte) []byte {
	return append(appendVInt(dst, uint64(len(out))), out...)
}

// write writes a node at some depth and returns its address; 0 if it has no arcs.
func (b *Builder) write(n *buildNode, depth int) (int64, error) {
	if len(n.arcs) == 0 {
		return 0, nil
	}
	fixed := depth <= shallowDepth && len(n.arcs) >= shallowArcs || len(n.arcs) >= deepArcs
	b.scratch, b.lens = b.scratch[:0], b.lens[:0]
	longest := 0
	for i := range n.arcs {
		a := &n.arcs[i]
		start := len(b.scratch)
		var flags byte
		if i == len(n.arcs)-1 {
			flags |= flagLast
		}
		if a.final {
			flags |= flagFinal
			if len(a.end) > 0 {
				flags |= flagFinalOutput
			}
		}
		if len(a.out) > 0 {
			flags |= flagOutput
		}
		switch {
		case a.node == 0:
			flags |= flagStop
		case a.node == b.frozen && !fixed:
			flags |= flagNext
		}
		b.scratch = append(b.scratch, flags, a.label)
		if flags&flagOutput != 0 {
			b.scratch = appendOutput(b.scratch, a.out)
		}
		if flags&flagFinalOutput != 0 {
			b.scratch = appendOutput(b.scratch, a.end)
		}
		if flags&(flagStop|flagNext) == 0 {
			b.scratch = appendVInt(b.scratch, uint64(a.node))
		}
		b.lens = append(b.lens, len(b.scratch)-start)
		longest = max(longest, len(b.scratch)-start)
	}
	if fixed {
		b.layOut(n, longest)
	}
	slices.Reverse(b.scratch)
	if b.written == 1 {
		b.out.PutByte(0) // address 0 is none
	}
	b.out.PutBytes(b.scratch)
	b.written += int64(len(b.scratch))
	b.frozen = b.written - 1
	return b.frozen, b.out.Err()
}

// layOut gives the arcs in scratch fixed lengths.
func (b *Builder) layOut(n *buildNode, longest int) {
	first := n.arcs[0].label
	span := int(n.arcs[len(n.arcs)-1].label) - int(first) + 1
	count := len(n.arcs)
	bare := longest - 1 // without the label
	out := b.fixed[:0]
	switch {
	case span == count:
		out = append(out, nodeContinuous)
		out = appendVInt(appendVInt(out, uint64(span)), uint64(bare))
		out = append(out, first)
		out = b.appendArcs(out, bare, true)
	case b.affordsDirect(count, span, longest):
		out = append(out, nodeDirect)
		out = appendVInt(appendVInt(out, uint64(span)), uint64(bare))
		table := len(out)
		out = append(out, make([]byte, (span+7)/8)...)
		for _, a := range n.arcs {
			i := int(a.label) - int(first)
			out[table+i/8] |= 1 << (i % 8)
		}
		out = append(out, first)
		out = b.appendArcs(out, bare, true)
	default:
		out = append(out, nodeBinarySearch)
		out = appendVInt(appendVInt(out, uint64(count)), uint64(longest))
		out = b.appendArcs(out, longest, false)
	}
	b.scratch, b.fixed = out, b.scratch
}

// affordsDirect tells whether direct addressing costs no more room than binary search, or no more than
// was saved before.
func (b *Builder) affordsDirect(count, span, longest int) bool {
	search := longest * count
	direct := (span+7)/8 + 1 + (longest-1)*count
	cost := direct - search
	if cost <= 0 || b.credit >= cost && float64(direct) <= float64(search)*creditOversize {
		b.credit -= cost
		return true
	}
	return false
}

// appendArcs appends the arcs in scratch, each padded to size bytes, and without its label if bare.
func (b *Builder) appendArcs(out []byte, size int, bare bool) []byte {
	at := 0
	for _, n := range b.lens {
		a := b.scratch[at : at+n]
		at += n
		end := len(out) + size
		out = append(out, a[0])
		if bare {
			out = append(out, a[2:]...)
		} else {
			out = append(out, a[1:]...)
		}
		out = append(out, make([]byte, end-len(out))...)
	}
	return out
}
