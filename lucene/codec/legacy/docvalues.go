package legacy

import (
	"encoding/binary"
	"math/bits"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/store"
)

// Types of columns, as the metadata of doc values names them.
const (
	columnNumeric = iota
	columnBinary
	columnSorted
	columnSortedSet
	columnSortedNumeric
)

// Where a column's documents are, instead of an offset.
const (
	presentNone = -2
	presentAll  = -1
)

const (
	versionBinaryCompressed = 1 // of Lucene80's doc values
	versionChosen           = 2 // each field says whether it is compressed
	compressionMode         = "Lucene80DocValuesFormat.mode"
	termsLZ4                = termsLZ4Shift<<16 | 1 // the block code of a compressed terms dictionary
	termsLZ4Shift           = 6
)

// presence tells which documents have a value in a column.
type presence struct {
	offset, length int64
	ranks          int8 // 2^ranks documents share a rank within a dense block; -1: there are none
}

// columns reads the metadata of doc values up to one field.
type columns struct {
	r       *store.Reader
	is80    bool
	version int32
	fields  *lucene.FieldInfos
}

// withValue returns the documents that have a value of a numeric field. suffix is the files', such as Lucene80_0 or 2_Lucene80_0.
func withValue(dir store.Directory, si *lucene.SegmentInfo, fields *lucene.FieldInfos, f *lucene.FieldInfo, suffix string) (*lucene.FixedBits, error) {
	format := f.Attributes[lucene.AttrDocValuesFormat]
	if format != "Lucene70" && format != "Lucene80" {
		return nil, &codec.UnsupportedError{Format: clip(format), Where: "doc values of field " + f.Name + " of segment " + si.Name,
			Reason: "which documents are soft-deleted cannot be read from it"}
	}
	in, err := dir.Open(lucene.SegmentFileName(si.Name, suffix, "dvm"), store.Sequential)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	p, err := parsePresence(in, si.ID, suffix, format, fields, f)
	if err != nil {
		return nil, err
	}
	switch p.offset {
	case presentNone:
		return lucene.NewFixedBits(si.MaxDoc), nil
	case presentAll:
		return allBits(si.MaxDoc), nil
	}
	data, err := dir.Open(lucene.SegmentFileName(si.Name, suffix, "dvd"), store.Sequential)
	if err != nil {
		return nil, err
	}
	defer data.Close()
	if err := codec.VerifyChecksum(data); err != nil {
		return nil, err
	}
	r := store.NewReader(data)
	if _, err := codec.ReadIndexHeader(r, format+"DocValuesData", 0, versionChosen, si.ID, suffix); err != nil {
		return nil, err
	}
	return parseDocs(data, p, si.MaxDoc)
}

func parsePresence(in store.Input, id lucene.ID, suffix, format string, fields *lucene.FieldInfos, f *lucene.FieldInfo) (presence, error) {
	if err := codec.VerifyChecksum(in); err != nil {
		return presence{}, err
	}
	c := &columns{r: store.NewReader(in), is80: format == "Lucene80", fields: fields}
	last := int32(0)
	if c.is80 {
		last = versionChosen
	}
	var err error
	if c.version, err = codec.ReadIndexHeader(c.r, format+"DocValuesMetadata", 0, last, id, suffix); err != nil {
		return presence{}, err
	}
	for {
		number := c.int()
		if c.r.Err() != nil {
			return presence{}, c.r.Err()
		}
		if number == -1 {
			return presence{}, c.r.Corruptf("there is no column of field %s", f.Name)
		}
		kind := c.r.Byte()
		if number == f.Number {
			if kind != columnNumeric {
				return presence{}, c.r.Corruptf("the column of field %s is of type %d, not numeric", f.Name, kind)
			}
			return c.docs(), c.r.Err()
		}
		c.skip(number, kind)
	}
}

func (c *columns) int() int32 { return int32(c.r.BEUint32()) }

func (c *columns) longs(n int64) {
	if c.r.CheckCount("longs", n, 8) == int(n) {
		c.r.Skip(8 * n)
	}
}

func (c *columns) docs() presence {
	p := presence{offset: c.r.BEInt64(), length: c.r.BEInt64(), ranks: -1}
	if c.is80 {
		c.r.Bytes(2) // entries of the jump table, which lies behind the last block
		p.ranks = int8(c.r.Byte())
	}
	return p
}

// skip passes the metadata of another field's column.
func (c *columns) skip(number int32, kind byte) {
	switch kind {
	case columnNumeric:
		c.numeric()
	case columnBinary:
		c.binary(number)
	case columnSorted:
		c.sorted()
	case columnSortedSet:
		switch multi := c.r.Byte(); multi {
		case 0:
			c.sorted()
		case 1:
			c.docs()
			c.r.Byte()
			c.longs(2)
			n := int64(c.int())
			c.longs(1)
			c.monotonic(n+1, c.r.VInt())
			c.longs(1)
			c.terms()
		default:
			c.r.Corruptf("the flag of several values is %d", multi)
		}
	case columnSortedNumeric:
		values := c.numeric()
		if docs := int64(c.int()); docs != values {
			c.longs(1)
			c.monotonic(docs+1, c.r.VInt())
			c.longs(1)
		}
	default:
		c.r.Corruptf("a column of type %d", kind)
	}
}

// numeric passes a column of numbers and returns how many values it has.
func (c *columns) numeric() int64 {
	c.docs()
	values := c.r.BEInt64()
	if table := c.int(); table > 0 {
		c.longs(int64(table))
	}
	c.r.Byte()
	c.longs(4)
	if c.is80 {
		c.longs(1)
	}
	return values
}

func (c *columns) binary(number int32) {
	compressed := c.is80 && c.version >= versionBinaryCompressed
	if compressed && c.version >= versionChosen {
		f := c.fields.ByNumber(number)
		compressed = f != nil && f.Attributes[compressionMode] == "BEST_COMPRESSION"
	}
	c.longs(2)
	c.docs()
	docs, shortest, longest := int64(c.int()), c.int(), c.int()
	if shortest < longest || compressed && docs > 0 {
		c.longs(1)
		n := docs + 1
		if compressed {
			n = int64(c.r.VInt())
			c.r.VInt()
			c.r.VInt()
		}
		c.monotonic(n, c.r.VInt())
		c.longs(1)
	}
}

func (c *columns) sorted() {
	c.docs()
	c.int()
	c.r.Byte()
	c.longs(2)
	c.terms()
}

// terms passes a terms dictionary.
func (c *columns) terms() {
	size := c.r.VLong()
	shift := c.int()
	compressed := c.is80 && shift == termsLZ4
	if compressed {
		shift = termsLZ4Shift
	}
	block := c.int()
	c.monotonic(c.blocks(size, shift), block)
	c.int()
	if compressed {
		c.int()
	}
	c.longs(4)
	c.monotonic(c.blocks(size, c.int())+1, block)
	c.longs(4)
}

// blocks returns how many blocks of 2^shift hold n things.
func (c *columns) blocks(n int64, shift int32) int64 {
	if shift < 0 || shift > 30 || n < 0 {
		c.r.Corruptf("%d things in blocks of 2^%d", n, shift)
		return 0
	}
	return n>>shift + min(1, n&(1<<shift-1))
}

// monotonic passes the metadata of n ascending numbers.
func (c *columns) monotonic(n int64, shift int32) {
	if k := c.blocks(n, shift); c.r.CheckCount("blocks of addresses", k, 21) == int(k) {
		c.r.Skip(21 * k)
	}
}

// noMoreBlocks is the block of the document that stands behind the last.
const noMoreBlocks = 0x7fff

// maxSparse is how many documents of a block are listed; more are a bit set.
const maxSparse = 4095

// parseDocs reads a set of documents: blocks of 65,536, each listed, as bits, or full.
func parseDocs(in store.Input, p presence, maxDoc int32) (*lucene.FixedBits, error) {
	if p.ranks != -1 && (p.ranks < 7 || p.ranks > 15) {
		return nil, store.Corruptf(in.Name(), p.offset, "ranks of 2^%d documents", p.ranks)
	}
	part, err := in.Slice(p.offset, p.length)
	if err != nil {
		return nil, err
	}
	r := store.NewReader(part)
	docs := lucene.NewFixedBits(maxDoc)
	for last := -1; ; {
		head := r.BEUint32()
		block, n := int(head>>16), int(head&0xffff)+1
		if r.Err() != nil || block == noMoreBlocks {
			return docs, r.Err()
		}
		if block <= last || block<<16 >= int(maxDoc) {
			return nil, r.Corruptf("block %d of documents follows block %d, of %d documents", block, last, maxDoc)
		}
		last = block
		setBlock(r, docs, int32(block)<<16, n, p.ranks)
		if r.Err() != nil {
			return nil, r.Err()
		}
	}
}

func setBlock(r *store.Reader, docs *lucene.FixedBits, base int32, n int, ranks int8) {
	set := func(low int32) {
		if base+low >= docs.N {
			r.Corruptf("document %d of %d", base+low, docs.N)
			return
		}
		docs.Set(base + low)
	}
	switch {
	case n <= maxSparse:
		b := r.Bytes(2 * n)
		for ; len(b) > 0; b = b[2:] {
			set(int32(binary.BigEndian.Uint16(b)))
		}
	case n == 1<<16:
		for low := range int32(1 << 16) {
			set(low)
		}
	default:
		if ranks != -1 {
			r.Bytes(2 << (16 - ranks))
		}
		b := r.Bytes(1 << 13)
		for i := int32(0); len(b) > 0; b, i = b[8:], i+64 {
			for word := binary.BigEndian.Uint64(b); word != 0; word &= word - 1 {
				set(i + int32(bits.TrailingZeros64(word)))
			}
		}
	}
}
