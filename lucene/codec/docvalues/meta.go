package docvalues

// The metadata file (.dvm); see docs/formats/docvalues.md.

import (
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec/disi"
	"github.com/varve-search/varve/lucene/packed"
	"github.com/varve-search/varve/lucene/store"
)

const (
	dataCodec     = "Lucene90DocValuesData"
	metaCodec     = "Lucene90DocValuesMetadata"
	dataExtension = "dvd"
	metaExtension = "dvm"
	skipCodec     = "Lucene90DocValuesSkipIndex"
	skipExtension = "dvs"

	version          = 0 // what we write
	versionSkipFile  = 1 // skip indexes stand in a file of their own, .dvs
	versionSkipCount = 2 // and tell the most values that a document has
	versionNewest    = versionSkipCount

	typeNumeric       = 0
	typeBinary        = 1
	typeSorted        = 2
	typeSortedSet     = 3
	typeSortedNumeric = 4

	addressShift = 16 // blocks of addresses
	numericShift = 14 // blocks of numbers, where each has its own width
	maxTable     = 256

	dictShift    = 6 // terms of a dictionary that are compressed together
	dictBlock    = 1 << dictShift
	reverseShift = 10 // terms between two entries of the index of a dictionary

	// maxTerm is above what Lucene lets a term have, 32,766 bytes.
	maxTerm = 1 << 16
	// maxTermEntry is a term with its two lengths.
	maxTermEntry = maxTerm + 11
)

type numericEntry struct {
	docs      disi.Meta
	count     int64
	table     []int64
	shift     int // log2 of values in a block, or -1: all values have one width
	width     int
	min, gcd  int64
	offset    int64
	length    int64
	jumpTable int64 // offset of the offsets of blocks, or -1
}

type sortedNumericEntry struct {
	numericEntry
	numDocs int32
	// Only where a document has several values:
	addresses       *packed.MonotonicMeta
	addressesOffset int64
	addressesLength int64
}

type binaryEntry struct {
	docs            disi.Meta
	offset, length  int64
	numDocs         int32
	minLen, maxLen  int32
	addresses       *packed.MonotonicMeta
	addressesOffset int64
	addressesLength int64
}

type dictEntry struct {
	size           int64
	maxTerm        int32
	maxBlock       int32
	blocks         *packed.MonotonicMeta // where blocks of terms start
	offset, length int64
	blocksOffset   int64
	blocksLength   int64
	indexShift     int
	index          *packed.MonotonicMeta // where the index's prefixes start
	indexOffset    int64
	indexLength    int64
	indexAddrOff   int64
	indexAddrLen   int64
}

type sortedEntry struct {
	ords numericEntry
	dict dictEntry
}

type sortedSetEntry struct {
	single *sortedEntry
	ords   sortedNumericEntry
	dict   dictEntry
}

// entries holds, for each field number, one of the pointers to entries.
type entries map[int32]any

func readEntries(r *store.Reader, version int32, fields *lucene.FieldInfos, maxDoc int32) (entries, error) {
	all := entries{}
	for {
		number := r.Int32()
		if number == -1 || r.Err() != nil {
			return all, r.Err()
		}
		f := fields.ByNumber(number)
		if f == nil {
			return nil, r.Corruptf("doc values of field number %d, which the segment does not have", number)
		}
		m := metaReader{r, maxDoc}
		kind := r.Byte()
		if f.DocValuesSkip != 0 {
			m.passSkipIndex(version)
		}
		switch kind {
		case typeNumeric:
			e := m.numeric()
			if e.docs.Offset == disi.All && e.count != int64(maxDoc) {
				r.Corruptf("%d values of %d documents", e.count, maxDoc)
			}
			all[number] = &e
		case typeBinary:
			all[number] = m.binary()
		case typeSorted:
			all[number] = m.sorted()
		case typeSortedSet:
			all[number] = m.sortedSet()
		case typeSortedNumeric:
			e := m.sortedNumeric()
			all[number] = &e
		default:
			r.Corruptf("doc values of the unknown type %d", kind)
		}
		if err := r.Err(); err != nil {
			return nil, err
		}
	}
}

type metaReader struct {
	*store.Reader
	maxDoc int32
}

// passSkipIndex reads over what is said of a field's skip index: offset, length, largest and smallest value, documents,
// last document and, later, the most values of a document. Searches of ours go without it.
func (r metaReader) passSkipIndex(version int32) {
	r.Skip(4 * 8)
	docs, last := r.Int32(), r.Int32()
	if version >= versionSkipCount {
		r.Int32()
	}
	r.checkDocs(docs)
	if last >= r.maxDoc {
		r.Corruptf("a skip index to document %d of %d", last, r.maxDoc)
	}
}

func (r metaReader) numeric() numericEntry {
	e := numericEntry{docs: disi.ReadMeta(r.Reader), count: r.Int64(), shift: -1}
	size := r.Int32()
	switch {
	case size > maxTable:
		r.Corruptf("a table of %d numbers", size)
	case size >= 0:
		e.table = make([]int64, size)
		for i := range e.table {
			e.table[i] = r.Int64()
		}
	case size < -1:
		if e.shift = int(-2 - int64(size)); e.shift > 30 {
			r.Corruptf("blocks of 2^%d numbers", e.shift)
		}
	}
	e.width = int(r.Byte())
	e.min, e.gcd = r.Int64(), r.Int64()
	e.offset, e.length, e.jumpTable = r.Int64(), r.Int64(), r.Int64()
	if e.count < 0 || e.offset < 0 || e.length < 0 {
		r.Corruptf("%d numbers at %d, length %d", e.count, e.offset, e.length)
	}
	return e
}

func (r metaReader) checkDocs(n int32) {
	if n < 0 || n > r.maxDoc {
		r.Corruptf("%d of %d documents have a value", n, r.maxDoc)
	}
}

func (r metaReader) sortedNumeric() sortedNumericEntry {
	e := sortedNumericEntry{numericEntry: r.numeric(), numDocs: r.Int32()}
	r.checkDocs(e.numDocs)
	if e.docs.Offset == disi.All && e.numDocs != r.maxDoc || e.count < int64(e.numDocs) {
		r.Corruptf("%d values in %d of %d documents", e.count, e.numDocs, r.maxDoc)
	}
	if int64(e.numDocs) != e.count {
		e.addressesOffset = r.Int64()
		e.addresses = r.monotonic(int64(e.numDocs)+1, r.VInt())
		e.addressesLength = r.Int64()
	}
	return e
}

func (r metaReader) monotonic(count int64, shift int32) *packed.MonotonicMeta {
	if r.Err() != nil {
		return nil
	}
	m, err := packed.ReadMonotonicMeta(r.Reader, count, int(shift))
	if err != nil {
		r.Fail(err)
	}
	return m
}

func (r metaReader) binary() *binaryEntry {
	e := &binaryEntry{offset: r.Int64(), length: r.Int64(), docs: disi.ReadMeta(r.Reader), numDocs: r.Int32(), minLen: r.Int32(), maxLen: r.Int32()}
	r.checkDocs(e.numDocs)
	if e.docs.Offset == disi.All && e.numDocs != r.maxDoc || e.docs.Offset != disi.Empty && e.minLen > e.maxLen || e.minLen < 0 {
		r.Corruptf("%d of %d documents have %d to %d bytes", e.numDocs, r.maxDoc, e.minLen, e.maxLen)
	}
	if e.minLen < e.maxLen {
		e.addressesOffset = r.Int64()
		e.addresses = r.monotonic(int64(e.numDocs)+1, r.VInt())
		e.addressesLength = r.Int64()
	}
	return e
}

func (r metaReader) sorted() *sortedEntry {
	e := &sortedEntry{ords: r.numeric()}
	if e.ords.docs.Offset == disi.All && e.ords.count != int64(r.maxDoc) {
		r.Corruptf("%d ordinals of %d documents", e.ords.count, r.maxDoc)
	}
	e.dict = r.dict()
	return e
}

func (r metaReader) sortedSet() *sortedSetEntry {
	e := &sortedSetEntry{}
	switch multi := r.Byte(); multi {
	case 0:
		e.single = r.sorted()
	case 1:
		e.ords = r.sortedNumeric()
		e.dict = r.dict()
	default:
		r.Corruptf("a set that is neither single- nor multi-valued: %d", multi)
	}
	return e
}

func (r metaReader) dict() dictEntry {
	e := dictEntry{size: r.VLong()}
	shift := r.Int32()
	if e.size > 1<<56 {
		r.Corruptf("a dictionary of %d terms", e.size)
	}
	e.blocks = r.monotonic((e.size+dictBlock-1)>>dictShift, shift)
	e.maxTerm, e.maxBlock = r.Int32(), r.Int32()
	if e.maxTerm < 0 || e.maxTerm > maxTerm || e.maxBlock < 0 || e.maxBlock > dictBlock*maxTermEntry {
		r.Corruptf("terms of up to %d bytes, blocks of up to %d", e.maxTerm, e.maxBlock)
	}
	e.offset, e.length = r.Int64(), r.Int64()
	e.blocksOffset, e.blocksLength = r.Int64(), r.Int64()
	e.indexShift = int(r.Int32())
	if e.indexShift < dictShift || e.indexShift > 30 {
		r.Corruptf("a dictionary with an index of every 2^%d terms", e.indexShift)
		return e
	}
	e.index = r.monotonic(1+(e.size+1<<e.indexShift-1)>>e.indexShift, shift)
	e.indexOffset, e.indexLength = r.Int64(), r.Int64()
	e.indexAddrOff, e.indexAddrLen = r.Int64(), r.Int64()
	return e
}
