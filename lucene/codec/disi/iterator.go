package disi

// Reading of the set; see docs/formats/disi.md.

import (
	"encoding/binary"
	"math/bits"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/store"
)

const (
	blockDocs   = 1 << 16
	maxSparse   = 1<<12 - 1 // more documents than this in a range are a bitmap
	bitmapBytes = blockDocs / 8
	noMoreBlock = lucene.NoMoreDocs >> 16 // the range of the sentinel
)

// Meta is what the metadata of a column says of its set.
type Meta struct {
	Offset    int64 // of the set in the data file; or Empty or All, where there is none
	Length    int64
	Jumps     int16 // entries of the jump table at the end of the set
	RankPower int8  // log2 of the documents per rank of a dense range, or -1: no ranks
}

// The values of Meta.Offset that stand for a set that is not stored.
const (
	Empty int64 = -2
	All   int64 = -1
)

// MetaLength is the size of a Meta in metadata.
const MetaLength = 8 + 8 + 2 + 1

// ReadMeta reads a Meta and checks that it is possible.
func ReadMeta(r *store.Reader) Meta {
	m := Meta{Offset: r.Int64(), Length: r.Int64(), Jumps: r.Int16(), RankPower: int8(r.Byte())}
	if m.Offset < 0 && (m.Offset != Empty && m.Offset != All) || m.Offset >= 0 && !m.sound() {
		r.Corruptf("documents with a value at %d, length %d, %d jumps, rank power %d", m.Offset, m.Length, m.Jumps, m.RankPower)
	}
	return m
}

func (m *Meta) sound() bool {
	return m.Length >= int64(max(m.Jumps, 0))*8 && (m.RankPower == -1 || m.RankPower >= 7 && m.RankPower <= 15)
}

type kind uint8

const (
	none kind = iota
	sparse
	dense
	full
)

// Iterator walks over the set.
type Iterator struct {
	in     store.Input // the ranges, then the jump table
	ranges int64       // bytes of the ranges
	jumps  int32       // entries of the jump table
	power  int8
	cost   int64
	maxDoc int32

	doc   int32
	index int32 // of doc in the set

	block int32 // first document of the current range, -1 before the first
	end   int64 // offset behind it
	first int32 // index of its first document
	count int32
	kind  kind
	b     []byte // its documents, or its bitmap
	ranks []byte

	at   int32 // sparse: place of doc, or of the next document after it
	word int32 // dense: the word that ones is for
	ones int32 // dense: bits set before it
}

// New returns an iterator over a set that is stored in in, the data file. cost is the number of documents in it.
func New(in store.Input, m Meta, cost int64, maxDoc int32) (*Iterator, error) {
	if m.Offset < 0 || !m.sound() {
		return nil, store.Corruptf(in.Name(), m.Offset, "no set of documents: length %d, %d jumps, rank power %d", m.Length, m.Jumps, m.RankPower)
	}
	part, err := in.Slice(m.Offset, m.Length)
	if err != nil {
		return nil, err
	}
	jumps := int32(max(m.Jumps, 0))
	return &Iterator{
		in: part, ranges: m.Length - int64(jumps)*8, jumps: jumps, power: m.RankPower, cost: cost, maxDoc: maxDoc,
		doc: -1, index: -1, block: -1,
	}, nil
}

// DocID implements lucene.DocIDSetIterator.
func (it *Iterator) DocID() int32 { return it.doc }

// Cost implements lucene.DocIDSetIterator.
func (it *Iterator) Cost() int64 { return it.cost }

// Index returns how many documents of the set come before the current one, which must be in it.
func (it *Iterator) Index() int32 { return it.index }

// Next implements lucene.DocIDSetIterator.
func (it *Iterator) Next() (int32, error) {
	switch it.kind {
	case sparse:
		if at := it.at + 1; at < it.count && it.doc == it.block|it.value(it.at) {
			if doc := it.block | it.value(at); doc > it.doc && doc < it.maxDoc {
				it.doc, it.at, it.index = doc, at, it.first+at
				return doc, nil
			}
		}
	case dense:
		// The rest of the current word needs no search.
		target := it.doc + 1
		if low := target - it.block; low > 0 && low&63 != 0 && low < blockDocs {
			if rest := it.load(low>>6) >> (low & 63); rest != 0 && low>>6 == it.word {
				doc := target + int32(bits.TrailingZeros64(rest))
				if doc < it.maxDoc {
					it.doc = doc
					it.index = it.first + it.ones + int32(bits.OnesCount64(it.load(low>>6)&(1<<(doc&63)-1)))
					return doc, nil
				}
			}
		}
	case full:
		if target := it.doc + 1; target >= it.block && target-it.block < blockDocs && target < it.maxDoc {
			it.doc = target
			it.index = it.first + target - it.block
			return target, nil
		}
	}
	if it.doc == lucene.NoMoreDocs {
		return it.doc, nil
	}
	return it.Advance(it.doc + 1)
}

func (it *Iterator) load(word int32) uint64 { return binary.LittleEndian.Uint64(it.b[word*8:]) }

// Advance implements lucene.DocIDSetIterator.
func (it *Iterator) Advance(target int32) (int32, error) {
	if target >= it.maxDoc {
		it.finish()
		return it.doc, nil
	}
	target = max(target, 0)
	if err := it.seek(target); err != nil {
		return 0, err
	}
	for {
		if it.kind == none {
			it.finish()
			return it.doc, nil
		}
		if it.within(max(target, it.block)) {
			if it.doc >= it.maxDoc {
				return 0, store.Corruptf(it.in.Name(), -1, "document %d of %d has a value", it.doc, it.maxDoc)
			}
			return it.doc, nil
		}
		if err := it.nextBlock(); err != nil {
			return 0, err
		}
	}
}

// AdvanceExact implements lucene.DocValuesIterator.
func (it *Iterator) AdvanceExact(target int32) (bool, error) {
	if target < 0 || target >= it.maxDoc {
		it.finish()
		return false, nil
	}
	if err := it.seek(target); err != nil {
		return false, err
	}
	found := false
	if it.kind != none && it.block == target&^(blockDocs-1) {
		found = it.exact(target)
	}
	it.doc = target
	return found, nil
}

func (it *Iterator) finish() {
	it.doc, it.kind, it.block = lucene.NoMoreDocs, none, lucene.NoMoreDocs&^(blockDocs-1)
}

// seek moves to the range of target, or the next one that there is.
func (it *Iterator) seek(target int32) error {
	want := target &^ (blockDocs - 1)
	if it.block >= want {
		return nil
	}
	if ahead := want>>16 - it.block>>16; it.jumps > 0 && ahead >= 2 {
		entry, err := store.Bytes(it.in, it.ranges+int64(min(want>>16, it.jumps-1))*8, 8)
		if err != nil {
			return err
		}
		index, off := int32(binary.LittleEndian.Uint32(entry)), int64(binary.LittleEndian.Uint32(entry[4:]))
		if index < 0 {
			return store.Corruptf(it.in.Name(), -1, "a jump to index %d of a set of documents", index)
		}
		it.first, it.count, it.end = index, 0, off
		if err := it.nextBlock(); err != nil {
			return err
		}
	}
	for it.block < want {
		if err := it.nextBlock(); err != nil {
			return err
		}
	}
	return nil
}

// nextBlock reads the range at end. The one of the sentinel has the kind none.
func (it *Iterator) nextBlock() error {
	if it.block>>16 == noMoreBlock {
		return nil
	}
	at := it.end
	if at > it.ranges-4 {
		return store.Corruptf(it.in.Name(), -1, "a set of documents ends without its last range")
	}
	head, err := it.in.Window(at, 4)
	if err != nil {
		return err
	}
	number, count := int32(binary.LittleEndian.Uint16(head)), int32(binary.LittleEndian.Uint16(head[2:]))+1
	if number > noMoreBlock || it.block >= 0 && number <= it.block>>16 || int64(it.first)+int64(it.count)+int64(count) > int64(lucene.NoMoreDocs) {
		return store.Corruptf(it.in.Name(), -1, "range %d of %d documents follows range %d in a set of documents", number, count, it.block>>16)
	}
	it.first += it.count
	it.block, it.count = number<<16, count
	size, ranks := 0, 0
	switch {
	case number == noMoreBlock:
		it.kind = none
	case count <= maxSparse:
		it.kind, size, it.at = sparse, int(count)*2, 0
	case count == blockDocs:
		it.kind = full
	default:
		it.kind, size, it.word, it.ones = dense, bitmapBytes, 0, 0
		if it.power >= 0 {
			ranks = blockDocs >> it.power * 2
			size += ranks
		}
	}
	it.end = at + 4 + int64(size)
	if it.end > it.ranges {
		return store.Corruptf(it.in.Name(), -1, "range %d of a set of documents runs beyond its end", number)
	}
	if size > 0 {
		if len(head) < 4+size {
			if head, err = it.in.Window(at, 4+size); err != nil {
				return err
			}
		}
		b := head[4 : 4+size]
		it.ranks, it.b = b[:ranks], b[ranks:]
	}
	return nil
}

func (it *Iterator) value(i int32) int32 { return int32(binary.LittleEndian.Uint16(it.b[2*i:])) }

// search moves at to the first document at or after low.
func (it *Iterator) search(low int32) {
	// The target is mostly near: double the step until it is passed, then halve.
	lo, step := it.at, int32(1)
	hi := lo
	for hi < it.count && it.value(hi) < low {
		lo = hi + 1
		hi += step
		step *= 2
	}
	hi = min(hi, it.count)
	for lo < hi {
		mid := (lo + hi) / 2
		if it.value(mid) < low {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	it.at = lo
}

// move makes word current.
func (it *Iterator) move(word int32) {
	if it.power >= 0 {
		if per := int32(1) << (it.power - 6); word-it.word >= per {
			rank := word >> (it.power - 6)
			it.ones = int32(it.ranks[2*rank])<<8 | int32(it.ranks[2*rank+1])
			it.word = rank << (it.power - 6)
		}
	}
	for ; it.word < word; it.word++ {
		it.ones += int32(bits.OnesCount64(it.load(it.word)))
	}
}

// within moves to the first document at or after target in the current range, if there is one.
func (it *Iterator) within(target int32) bool {
	low := target & (blockDocs - 1)
	switch it.kind {
	case sparse:
		it.search(low)
		if it.at >= it.count {
			return false
		}
		doc := it.block | it.value(it.at)
		if doc < target { // they do not ascend
			return false
		}
		it.doc, it.index = doc, it.first+it.at
	case dense:
		word := low >> 6
		rest := it.load(word) >> (low & 63) << (low & 63)
		for rest == 0 {
			if word++; word == bitmapBytes/8 {
				return false
			}
			rest = it.load(word)
		}
		it.move(word)
		bit := int32(bits.TrailingZeros64(rest))
		it.doc = it.block | word<<6 | bit
		it.index = it.first + it.ones + int32(bits.OnesCount64(it.load(word)&(1<<bit-1)))
	case full:
		it.doc, it.index = target, it.first+low
	}
	return true
}

// exact tells whether target, which lies in the current range, is in the set.
func (it *Iterator) exact(target int32) bool {
	low := target & (blockDocs - 1)
	switch it.kind {
	case sparse:
		it.search(low)
		if it.at >= it.count || it.value(it.at) != low {
			return false
		}
		it.index = it.first + it.at
	case dense:
		word := low >> 6
		v := it.load(word)
		if v>>(low&63)&1 == 0 {
			return false
		}
		it.move(word)
		it.index = it.first + it.ones + int32(bits.OnesCount64(v&(1<<(low&63)-1)))
	case full:
		it.index = it.first + low
	}
	return true
}
