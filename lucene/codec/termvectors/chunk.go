package termvectors

import (
	"math"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec/chunkindex"
	"github.com/varve-search/varve/lucene/lz4"
	"github.com/varve-search/varve/lucene/packed"
	"github.com/varve-search/varve/lucene/store"
)

// chunk is a decoded chunk. Fields are numbered through all of its documents, terms through all fields, and
// occurrences through the terms of those fields that have positions, offsets or payloads, each by itself.
type chunk struct {
	chunkindex.Chunk
	docFields []int32 // the first field of each document, and the end

	numbers   []int32 // of all fields in the chunk, each once
	info      []*lucene.FieldInfo
	flags     []byte
	fieldTerm []int32 // the first term of each field, and the end
	posAt     []int32 // where the occurrences of each field begin in positions
	offAt     []int32 // in starts and lengths
	payAt     []int32 // in payEnds

	prefix, suffix, freqs    []int32
	textAt                   []int32 // where the suffix of each term lies in text
	positions                []int32
	starts, lengths, payEnds []int32
	payStart                 []int32 // where each payload lies in text
	text                     []byte
}

func (c *chunk) read(r *store.Reader, infos *lucene.FieldInfos) error {
	base := r.VInt()
	docs := int64(uint32(r.VInt()) >> 1)
	if r.Err() == nil && (base != c.FirstDoc || docs != int64(c.Docs) || docs > maxDocsRead) {
		r.Corruptf("the chunk has %d documents from %d on, its index says %d from %d", docs, base, c.Docs, c.FirstDoc)
	}
	if err := r.Err(); err != nil {
		return err
	}
	counts := []int32{0}
	var err error
	if docs == 1 {
		counts[0] = r.VInt()
	} else if counts, err = readBlocks(r, counts[:0], int(docs)); err != nil {
		return err
	}
	if c.docFields, err = sums(r, counts, "fields"); err != nil {
		return err
	}
	total := int(c.docFields[docs])
	if total == 0 {
		c.fieldTerm = []int32{0}
		return atEnd(r)
	}
	for _, step := range []func(*store.Reader, int) error{
		func(r *store.Reader, n int) error { return c.readFields(r, n, infos) },
		c.readTerms, c.readOccurrences, c.readText,
	} {
		if err := step(r, total); err != nil {
			return err
		}
	}
	return atEnd(r)
}

func atEnd(r *store.Reader) error {
	if r.Err() == nil && r.Remaining() != 0 {
		r.Corruptf("the chunk has %d bytes more than its documents", r.Remaining())
	}
	return r.Err()
}

// sums returns where each of things of the given sizes begins, and the end of the last.
func sums(r *store.Reader, sizes []int32, what string) ([]int32, error) {
	at := make([]int32, 1, len(sizes)+1)
	var sum int64
	for _, n := range sizes {
		if sum += int64(n); n < 0 || sum > math.MaxInt32 {
			return nil, r.Corruptf("%d %s, %d in all", n, what, sum)
		}
		at = append(at, int32(sum))
	}
	return at, r.Err()
}

// readDirect reads n numbers in a byte array that its length precedes.
func readDirect(r *store.Reader, n, width int) ([]int64, error) {
	length := r.VLong()
	at := r.Offset()
	r.Skip(length)
	if r.Err() == nil && r.Remaining() < 0 {
		r.Corruptf("an array of %d bytes passes the end of the chunk", length)
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	if !packed.Supported(width) || int64(n)*int64(width) > 8*length {
		return nil, r.Corruptf("%d numbers of %d bits in %d bytes", n, width, length)
	}
	in, err := r.Input().Slice(at, length)
	if err != nil {
		return nil, err
	}
	d, err := packed.NewDirect(in, 0, width, int64(n))
	if err != nil {
		return nil, err
	}
	v := make([]int64, n)
	return v, d.Fill(v, 0)
}

func (c *chunk) readFields(r *store.Reader, total int, infos *lucene.FieldInfos) error {
	token := r.Byte()
	width, distinct := int(token&0x1f), int64(token>>5)
	if distinct == 7 {
		distinct += int64(r.VInt())
	}
	distinct++
	if r.Err() == nil && (distinct < 1 || width == 0 || (distinct*int64(width)+7)/8 > r.Remaining()) {
		r.Corruptf("%d fields in %d bits each", distinct, width)
	}
	src := r.Bytes(int((distinct*int64(width) + 7) / 8))
	if err := r.Err(); err != nil {
		return err
	}
	numbers := make([]int32, distinct)
	unpack(numbers, src, width, 0)
	c.numbers = numbers
	known := make([]*lucene.FieldInfo, distinct)
	for i, n := range numbers {
		if known[i] = infos.ByNumber(n); known[i] == nil {
			return r.Corruptf("field number %d, which the segment does not have", n)
		}
	}
	which, err := readDirect(r, total, packed.BitsRequired(uint64(distinct-1)))
	if err != nil {
		return err
	}
	var flags []int64
	perField := r.VInt()
	switch perField {
	case 0:
		flags, err = readDirect(r, int(distinct), flagBits)
	case 1:
		flags, err = readDirect(r, total, flagBits)
	default:
		return r.Corruptf("flags of kind %d", perField)
	}
	if err != nil {
		return err
	}
	c.info, c.flags = make([]*lucene.FieldInfo, total), make([]byte, total)
	for i, w := range which {
		if w < 0 || w >= distinct {
			return r.Corruptf("field %d of %d", w, distinct)
		}
		c.info[i] = known[w]
		f := i
		if perField == 0 {
			f = int(w)
		}
		if c.flags[i] = byte(flags[f]); c.flags[i] > flagPositions|flagOffsets|flagPayloads {
			return r.Corruptf("field %s has the flags %#x", known[w].Name, c.flags[i])
		}
	}
	return nil
}

func (c *chunk) readTerms(r *store.Reader, total int) error {
	width := int(r.VInt())
	counts, err := readDirect(r, total, width)
	if err != nil {
		return err
	}
	sizes := make([]int32, total)
	for i, n := range counts {
		if n < 0 || n > math.MaxInt32 {
			return r.Corruptf("a field of %d terms", n)
		}
		sizes[i] = int32(n)
	}
	if c.fieldTerm, err = sums(r, sizes, "terms"); err != nil {
		return err
	}
	terms := int(c.fieldTerm[total])
	for _, dst := range []*[]int32{&c.prefix, &c.suffix, &c.freqs} {
		if *dst, err = readBlocks(r, nil, terms); err != nil {
			return err
		}
	}
	for f := range total {
		last := int64(0)
		for t := c.fieldTerm[f]; t < c.fieldTerm[f+1]; t++ {
			p, s := int64(c.prefix[t]), int64(c.suffix[t])
			if p < 0 || s < 0 || p > last || p+s > math.MaxInt32 {
				return r.Corruptf("a term of field %s shares %d bytes with one of %d and has %d more", c.info[f].Name, p, last, s)
			}
			last = p + s
			if c.freqs[t]++; c.freqs[t] < 1 {
				return r.Corruptf("a term of field %s occurs %d times", c.info[f].Name, c.freqs[t])
			}
		}
	}
	return nil
}

// occurrences returns where the occurrences of each field with a flag begin, and their number.
func (c *chunk) occurrences(r *store.Reader, flag byte) ([]int32, error) {
	sizes := make([]int32, len(c.info))
	for f := range sizes {
		if c.flags[f]&flag == 0 {
			continue
		}
		var sum int64
		for t := c.fieldTerm[f]; t < c.fieldTerm[f+1]; t++ {
			sum += int64(c.freqs[t])
		}
		if sum > math.MaxInt32 {
			return nil, r.Corruptf("field %s has %d tokens in a document", c.info[f].Name, sum)
		}
		sizes[f] = int32(sum)
	}
	return sums(r, sizes, "occurrences")
}

func (c *chunk) readOccurrences(r *store.Reader, total int) (err error) {
	if c.posAt, err = c.occurrences(r, flagPositions); err != nil {
		return err
	}
	if c.offAt, err = c.occurrences(r, flagOffsets); err != nil {
		return err
	}
	if c.payAt, err = c.occurrences(r, flagPayloads); err != nil {
		return err
	}
	if c.positions, err = readBlocks(r, nil, int(c.posAt[total])); err != nil {
		return err
	}
	if n := int(c.offAt[total]); n > 0 {
		if err := c.readOffsets(r, n); err != nil {
			return err
		}
	}
	// The positions were kept as differences until here, because the offsets are based on them.
	for f := range total {
		if c.flags[f]&flagPositions != 0 {
			c.accumulate(f, c.positions[c.posAt[f]:])
		}
	}
	c.payEnds, err = readBlocks(r, nil, int(c.payAt[total]))
	return err
}

// accumulate turns the differences between the occurrences of each term of a field into their sums.
func (c *chunk) accumulate(f int, v []int32) {
	at := 0
	for t := c.fieldTerm[f]; t < c.fieldTerm[f+1]; t++ {
		for i := 1; i < int(c.freqs[t]); i++ {
			v[at+i] += v[at+i-1]
		}
		at += int(c.freqs[t])
	}
}

func (c *chunk) readOffsets(r *store.Reader, n int) (err error) {
	averages := make(map[int32]float32, len(c.numbers))
	for _, number := range c.numbers {
		averages[number] = r.Float32()
	}
	if c.starts, err = readBlocks(r, nil, n); err != nil {
		return err
	}
	if c.lengths, err = readBlocks(r, nil, n); err != nil {
		return err
	}
	for f, info := range c.info {
		if c.flags[f]&flagOffsets == 0 {
			continue
		}
		starts, lengths := c.starts[c.offAt[f]:c.offAt[f+1]], c.lengths[c.offAt[f]:c.offAt[f+1]]
		if c.flags[f]&flagPositions != 0 {
			average := averages[info.Number]
			for i, p := range c.positions[c.posAt[f]:c.posAt[f+1]] {
				starts[i] += int32(average * float32(p))
			}
		}
		c.accumulate(f, starts)
		at := 0
		for t := c.fieldTerm[f]; t < c.fieldTerm[f+1]; t++ {
			for range c.freqs[t] {
				lengths[at] += c.prefix[t] + c.suffix[t]
				at++
			}
		}
	}
	return r.Err()
}

// readText decompresses the suffixes of all terms and the payloads: for each document first the ones, then
// the others.
func (c *chunk) readText(r *store.Reader, _ int) error {
	c.textAt = make([]int32, len(c.suffix))
	c.payStart = make([]int32, len(c.payEnds))
	var at int64
	for d := range int(c.Docs) {
		from, to := c.docFields[d], c.docFields[d+1]
		for t := c.fieldTerm[from]; t < c.fieldTerm[to]; t++ {
			c.textAt[t] = int32(at)
			at += int64(c.suffix[t])
		}
		for p := c.payAt[from]; p < c.payAt[to]; p++ {
			c.payStart[p] = int32(at)
			if c.payEnds[p] < 0 {
				return r.Corruptf("a payload of %d bytes", c.payEnds[p])
			}
			at += int64(c.payEnds[p])
			c.payEnds[p] = int32(at)
		}
		if at > math.MaxInt32 || at > r.Remaining()*maxLZ4Ratio {
			return r.Corruptf("terms of more than %d bytes in %d compressed ones", at, r.Remaining())
		}
	}
	c.text = make([]byte, at)
	if n, err := lz4.Decompress(r, c.text, 0, int(at)); err != nil {
		return err
	} else if int64(n) != at {
		return r.Corruptf("the terms have %d bytes where %d are expected", n, at)
	}
	return nil
}
