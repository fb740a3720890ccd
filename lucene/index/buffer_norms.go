package index

import (
	"math/bits"
	"slices"
	"sort"

	"github.com/varve-search/varve/lucene"
)

// normBuffer keeps the norms of a field: a byte per document that has it.
type normBuffer struct {
	docs   docList
	values stream
}

func newNorms(ram *int64) *normBuffer {
	n := &normBuffer{}
	n.docs.rest.ram, n.values.ram = ram, ram
	return n
}

func (n *normBuffer) add(doc int32, norm int64) {
	n.docs.add(doc)
	n.values.byte(byte(norm))
}

// flatNorms is the norms of a finished buffer, laid out so that each document can be asked: the postings writer asks
// for every document of every term.
type flatNorms struct {
	values []byte
	docs   []int32           // of a sparse field: the document of each value
	has    *lucene.FixedBits // of a dense one, whose values are by document; nil: all have one
	n      int32
}

// flat lays the norms out; newDoc is the permutation of an index sort, or nil.
func (n *normBuffer) flat(maxDoc int32, newDoc []int32) *flatNorms {
	f := &flatNorms{n: n.docs.n}
	docs, values := n.docs.reader(), n.values.reader()
	if f.n < maxDoc/16 {
		type norm struct {
			doc   int32
			value byte
		}
		all := make([]norm, 0, f.n)
		for doc := docs.next(); doc >= 0; doc = docs.next() {
			if newDoc != nil {
				doc = newDoc[doc]
			}
			all = append(all, norm{doc, values.byte()})
		}
		slices.SortFunc(all, func(a, b norm) int { return int(a.doc - b.doc) })
		for _, x := range all {
			f.docs = append(f.docs, x.doc)
			f.values = append(f.values, x.value)
		}
		return f
	}
	f.values = make([]byte, maxDoc)
	if f.n < maxDoc {
		f.has = lucene.NewFixedBits(maxDoc)
	}
	for old := docs.next(); old >= 0; old = docs.next() {
		doc := old
		if newDoc != nil {
			doc = newDoc[old]
		}
		f.values[doc] = values.byte()
		if f.has != nil {
			f.has.Set(doc)
		}
	}
	return f
}

// normsIter is an iterator over flat norms.
type normsIter struct {
	f   *flatNorms
	doc int32
	at  int // of a sparse field: place of doc in docs
}

func (f *flatNorms) iterator() *normsIter { return &normsIter{f: f, doc: -1, at: -1} }

func (it *normsIter) DocID() int32 { return it.doc }
func (it *normsIter) Cost() int64  { return int64(it.f.n) }

func (it *normsIter) Value() (int64, error) {
	if it.f.docs != nil {
		return int64(int8(it.f.values[it.at])), nil
	}
	return int64(int8(it.f.values[it.doc])), nil
}

func (it *normsIter) Next() (int32, error) { return it.Advance(it.doc + 1) }

func (it *normsIter) Advance(target int32) (int32, error) {
	it.doc = it.find(target)
	return it.doc, nil
}

func (it *normsIter) find(target int32) int32 {
	f := it.f
	if f.docs != nil || f.n == 0 {
		rest := f.docs[it.at+1:]
		if it.at >= 0 && f.docs[it.at] >= target {
			return f.docs[it.at]
		}
		it.at += 1 + sort.Search(len(rest), func(i int) bool { return rest[i] >= target })
		if it.at >= len(f.docs) {
			it.at = len(f.docs) - 1
			return lucene.NoMoreDocs
		}
		return f.docs[it.at]
	}
	if int(target) >= len(f.values) {
		return lucene.NoMoreDocs
	}
	if f.has == nil {
		return target
	}
	w := int(target >> 6)
	word := f.has.Words[w] >> (target & 63) << (target & 63)
	for word == 0 {
		if w++; w == len(f.has.Words) {
			return lucene.NoMoreDocs
		}
		word = f.has.Words[w]
	}
	return int32(w<<6 + bits.TrailingZeros64(word))
}

func (it *normsIter) AdvanceExact(target int32) (bool, error) {
	f := it.f
	if f.docs == nil && f.n > 0 {
		if f.has == nil || f.has.Get(target) {
			it.doc = target
			return true, nil
		}
		it.doc = target // Next goes on behind it
		return false, nil
	}
	doc, err := it.Advance(target)
	return doc == target, err
}

// lengthNorm encodes a number of tokens in a byte as BM25's norm: exact below 40, then with three significant bits after
// the leading one (SmallFloat's "byte4" encoding).
func lengthNorm(tokens int32) int64 {
	const free = 255 - 231 // 231 is the encoding of the largest int32
	if tokens < free {
		return int64(int8(tokens))
	}
	return int64(int8(free + fourBits(uint32(tokens-free))))
}

// fourBits keeps the leading four bits of v and its exponent.
func fourBits(v uint32) int32 {
	bits := int32(0)
	for x := v; x != 0; x >>= 1 {
		bits++
	}
	if bits < 4 {
		return int32(v)
	}
	shift := bits - 4
	return int32(v>>shift)&7 | (shift+1)<<3
}
