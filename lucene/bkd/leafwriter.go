package bkd

// Writing of leaves; see docs/formats/points.md. Points in memory are records: the value, then the
// document in four bytes, big-endian, so that records compare by value and then by document.

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/store"
)

const docBytes = 4

// leafWriter writes leaves to data.
type leafWriter struct {
	cfg     Config
	packed  int
	width   int // of a record
	data    *store.Output
	docs    []int32
	b       []byte
	prefix  [lucene.MaxPointDims]int
	keys    []leafKey
	scratch []byte
}

func newLeafWriter(cfg Config, data *store.Output) *leafWriter {
	return &leafWriter{cfg: cfg, packed: cfg.packed(), width: cfg.packed() + docBytes, data: data}
}

func (l *leafWriter) value(recs []byte, i int) []byte {
	return recs[i*l.width : i*l.width+l.packed]
}

func (l *leafWriter) doc(recs []byte, i int) int32 {
	return int32(binary.BigEndian.Uint32(recs[i*l.width+l.packed:]))
}

func commonPrefix(a, b []byte) int {
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return len(a)
}

// prefixes finds how many bytes all values have in common in each dimension.
func (l *leafWriter) prefixes(recs []byte, count int) {
	size := l.cfg.Bytes
	first := l.value(recs, 0)
	for d := range l.cfg.Dims {
		l.prefix[d] = size
	}
	for i := 1; i < count; i++ {
		v := l.value(recs, i)
		for d := range l.cfg.Dims {
			at := d * size
			l.prefix[d] = commonPrefix(first[at:at+l.prefix[d]], v[at:at+l.prefix[d]])
		}
	}
}

type leafKey struct {
	key   uint64
	index int32
}

// order sorts the points of a leaf by the dimension whose first byte behind the prefix has the fewest values, and by the
// whole record within it, and returns the dimension.
func (l *leafWriter) order(recs []byte, count int) int {
	dim, fewest := 0, 257
	for d := range l.cfg.Dims {
		if l.prefix[d] == l.cfg.Bytes {
			continue
		}
		var used [256]bool
		n, at := 0, d*l.cfg.Bytes+l.prefix[d]
		for i := range count {
			if c := recs[i*l.width+at]; !used[c] {
				used[c] = true
				n++
			}
		}
		if n < fewest {
			dim, fewest = d, n
		}
	}
	if fewest == 257 {
		return 0 // all points are equal
	}
	from, to := dim*l.cfg.Bytes+l.prefix[dim], (dim+1)*l.cfg.Bytes
	l.keys = l.keys[:0]
	for i := range count {
		l.keys = append(l.keys, leafKey{prefixKey(recs[i*l.width+from : i*l.width+to]), int32(i)})
	}
	slices.SortFunc(l.keys, func(x, y leafKey) int {
		switch {
		case x.key < y.key:
			return -1
		case x.key > y.key:
			return 1
		}
		a, b := recs[int(x.index)*l.width:][:l.width], recs[int(y.index)*l.width:][:l.width]
		if c := bytes.Compare(a[from:to], b[from:to]); c != 0 {
			return c
		}
		return bytes.Compare(a, b)
	})
	l.scratch = append(l.scratch[:0], recs[:count*l.width]...)
	for i, k := range l.keys {
		copy(recs[i*l.width:(i+1)*l.width], l.scratch[int(k.index)*l.width:])
	}
	return dim
}

// prefixKey returns the first eight bytes as a number.
func prefixKey(b []byte) uint64 {
	if len(b) >= 8 {
		return binary.BigEndian.Uint64(b)
	}
	v := uint64(0)
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	return v << (8 * (8 - len(b)))
}

// write writes a leaf of count records, which are sorted by dim; prefixes was called for them.
func (l *leafWriter) write(recs []byte, count, dim int) {
	l.docs = l.docs[:0]
	for i := range count {
		l.docs = append(l.docs, l.doc(recs, i))
	}
	b := binary.AppendUvarint(l.b[:0], uint64(count))
	b = appendDocs(b, l.docs)
	size, suffix := l.cfg.Bytes, l.packed
	for d := range l.cfg.Dims {
		b = binary.AppendUvarint(b, uint64(l.prefix[d]))
		b = append(b, l.value(recs, 0)[d*size:d*size+l.prefix[d]]...)
		suffix -= l.prefix[d]
	}
	if suffix == 0 {
		b = append(b, valuesEqual)
		l.flush(b)
		return
	}
	at := dim*size + l.prefix[dim]
	cardinality, runs := 1, 1
	run := 1
	for i := 1; i < count; i++ {
		v, last := l.value(recs, i), l.value(recs, i-1)
		if !bytes.Equal(v, last) {
			cardinality++
		}
		if v[at] != last[at] || run == 255 {
			runs++
			run = 0
		}
		run++
	}
	// What is smaller: each distinct value with a count, or all values without the sorted dimension's first byte.
	byRuns := cardinality*(suffix+1) <= count*(suffix-1)+2*runs && cardinality < count
	if byRuns {
		b = append(b, valuesRuns)
	} else {
		b = append(b, byte(dim))
	}
	if l.cfg.IndexDims != 1 {
		b = l.appendBounds(b, recs, count)
	}
	if byRuns {
		b = l.appendRuns(b, recs, count)
	} else {
		b = l.appendSorted(b, recs, count, dim, at)
	}
	l.flush(b)
}

func (l *leafWriter) flush(b []byte) {
	l.data.PutBytes(b)
	l.b = b
}

func (l *leafWriter) appendBounds(b, recs []byte, count int) []byte {
	size := l.cfg.Bytes
	for d := range l.cfg.IndexDims {
		from, to := d*size+l.prefix[d], (d+1)*size
		lo, hi := l.value(recs, 0)[from:to], l.value(recs, 0)[from:to]
		for i := 1; i < count; i++ {
			v := l.value(recs, i)[from:to]
			if bytes.Compare(v, lo) < 0 {
				lo = v
			} else if bytes.Compare(v, hi) > 0 {
				hi = v
			}
		}
		b = append(append(b, lo...), hi...)
	}
	return b
}

func (l *leafWriter) appendSuffixes(b, value []byte) []byte {
	size := l.cfg.Bytes
	for d := range l.cfg.Dims {
		b = append(b, value[d*size+l.prefix[d]:(d+1)*size]...)
	}
	return b
}

func (l *leafWriter) appendRuns(b, recs []byte, count int) []byte {
	for i := 0; i < count; {
		n := 1
		for i+n < count && bytes.Equal(l.value(recs, i), l.value(recs, i+n)) {
			n++
		}
		b = binary.AppendUvarint(b, uint64(n))
		b = l.appendSuffixes(b, l.value(recs, i))
		i += n
	}
	return b
}

func (l *leafWriter) appendSorted(b, recs []byte, count, dim, at int) []byte {
	l.prefix[dim]++
	for i := 0; i < count; {
		first, n := l.value(recs, i)[at], 1
		for i+n < count && n < 255 && l.value(recs, i+n)[at] == first {
			n++
		}
		b = append(b, first, byte(n))
		for range n {
			b = l.appendSuffixes(b, l.value(recs, i))
			i++
		}
	}
	l.prefix[dim]--
	return b
}

// appendDocs appends the documents of a leaf in the form that fits them.
func appendDocs(b []byte, docs []int32) []byte {
	ascending := true
	lo, hi := docs[0], docs[0]
	for i := 1; i < len(docs); i++ {
		ascending = ascending && docs[i-1] < docs[i]
		lo, hi = min(lo, docs[i]), max(hi, docs[i])
	}
	span := int64(hi) - int64(lo) + 1
	switch {
	case ascending && span == int64(len(docs)):
		return binary.AppendUvarint(append(b, docsContinuous), uint64(lo))
	case ascending && span <= int64(len(docs))*16:
		return appendBitmap(append(b, docsBitmap), docs)
	case span <= 0xffff:
		b = binary.AppendUvarint(append(b, docs16), uint64(lo))
		half := len(docs) / 2
		for i := range half {
			b = binary.LittleEndian.AppendUint32(b, uint32(docs[i]-lo)<<16|uint32(docs[half+i]-lo))
		}
		if len(docs)&1 == 1 {
			b = binary.LittleEndian.AppendUint16(b, uint16(docs[len(docs)-1]-lo))
		}
	case hi <= 0xffffff:
		b = append(b, docs24)
		for ; len(docs) >= 8; docs = docs[8:] {
			d := func(i int) uint64 { return uint64(docs[i]) }
			b = binary.LittleEndian.AppendUint64(b, d(0)<<40|d(1)<<16|d(2)>>8)
			b = binary.LittleEndian.AppendUint64(b, d(2)<<56|d(3)<<32|d(4)<<8|d(5)>>16)
			b = binary.LittleEndian.AppendUint64(b, d(5)<<48|d(6)<<24|d(7))
		}
		for _, doc := range docs {
			b = append(binary.LittleEndian.AppendUint16(b, uint16(doc>>8)), byte(doc))
		}
	default:
		b = append(b, docs32)
		for _, doc := range docs {
			b = binary.LittleEndian.AppendUint32(b, uint32(doc))
		}
	}
	return b
}

func appendBitmap(b []byte, docs []int32) []byte {
	first := docs[0] >> 6
	words := docs[len(docs)-1]>>6 - first + 1
	b = binary.AppendUvarint(b, uint64(first))
	b = binary.AppendUvarint(b, uint64(words))
	at := len(b)
	b = append(b, make([]byte, 8*words)...)
	for _, doc := range docs {
		i := doc - first<<6
		b[at+int(i>>3)] |= 1 << (i & 7)
	}
	return b
}
