package blocktree

// See docs/formats/blocktree.md.

import (
	"bytes"
	"errors"
	"fmt"
	"math/bits"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/postings"
	"github.com/varve-search/varve/lucene/fst"
	"github.com/varve-search/varve/lucene/lz4"
	"github.com/varve-search/varve/lucene/store"
)

// The sizes of blocks, in entries.
const (
	minEntries  = 25 // so many terms with a prefix in common become a block
	maxPerBlock = 48 // a block with more is split
)

// Writer writes the terms of the fields of one postings format. It holds the terms that are not yet in a
// block, and for each block of the current field its address.
type Writer struct {
	state    *codec.WriteState
	postings postings.Writer
	terms    *store.Output
	index    *store.Output
	meta     *store.Output
	fields   *store.Output // metadata of the fields so far
	count    int32         // fields so far
	docsSeen *lucene.FixedBits
	lz4      *lz4.High
	buffers
}

// buffers of a block.
type buffers struct {
	suffixes, packed       []byte
	lengths, stats, encode *store.Output
	spare                  *store.Output
}

// NewWriter creates the files; it owns pw from then on, also when it fails.
func NewWriter(state *codec.WriteState, pw postings.Writer) (w *Writer, err error) {
	w = &Writer{state: state, postings: pw, fields: store.NewBuffer()}
	w.lengths, w.stats, w.encode, w.spare = store.NewBuffer(), store.NewBuffer(), store.NewBuffer(), store.NewBuffer()
	create := func(ext, name string) *store.Output {
		if err != nil {
			return nil
		}
		var out *store.Output
		if out, err = state.Dir.Create(state.FileName(ext)); err != nil {
			return nil
		}
		codec.WriteIndexHeader(out, name, versionCurrent, state.Info.ID, state.Suffix)
		return out
	}
	w.terms = create(termsExt, termsCodec)
	w.index = create(indexExt, indexCodec)
	w.meta = create(metaExt, metaCodec)
	if err != nil {
		return nil, errors.Join(err, w.closeFiles(), pw.Close())
	}
	pw.WriteTermsHeader(w.meta)
	return w, nil
}

// Write implements codec.FieldsConsumer. It may be called more than once, with fields in ascending order.
func (w *Writer) Write(fields lucene.Fields, norms lucene.NormsProducer) error {
	for _, name := range fields.FieldNames() {
		terms, err := fields.Terms(name)
		if err != nil {
			return fmt.Errorf("terms of field %q: %w", name, err)
		}
		if terms == nil {
			continue
		}
		info := w.state.Fields.ByName(name)
		if info == nil || info.IndexOptions == lucene.IndexNone {
			return fmt.Errorf("terms of field %q, which the segment does not index", name)
		}
		if err := w.writeField(info, terms, norms); err != nil {
			return fmt.Errorf("write the terms of field %q: %w", name, err)
		}
	}
	return errors.Join(w.terms.Err(), w.index.Err())
}

func (w *Writer) writeField(info *lucene.FieldInfo, terms lucene.Terms, norms lucene.NormsProducer) error {
	if err := w.postings.SetField(info, norms); err != nil {
		return err
	}
	te, err := terms.Iterator()
	if err != nil {
		return err
	}
	if w.docsSeen == nil {
		w.docsSeen = lucene.NewFixedBits(w.state.Info.MaxDoc)
	}
	clear(w.docsSeen.Words)
	f := fieldWriter{w: w, traits: postings.TraitsOf(info)}
	for {
		term, err := te.Next()
		if err != nil {
			return err
		}
		if term == nil {
			break
		}
		if f.numTerms > 0 && bytes.Compare(term, f.lastTerm) <= 0 {
			return fmt.Errorf("term %.40x comes after %.40x", term, f.lastTerm)
		}
		if len(term) > maxTermLength {
			return fmt.Errorf("a term of %d bytes", len(term))
		}
		s, err := w.postings.WriteTerm(te, w.docsSeen)
		if err != nil {
			return err
		}
		if s.DocFreq > 0 {
			if err := f.add(term, s); err != nil {
				return err
			}
		}
	}
	if f.numTerms == 0 {
		return nil
	}
	return f.finish(info)
}

// Close implements codec.FieldsConsumer.
func (w *Writer) Close() error {
	w.meta.PutVInt(w.count)
	w.meta.PutBytes(w.fields.Data())
	codec.WriteFooter(w.index)
	w.meta.PutInt64(w.index.FilePointer())
	codec.WriteFooter(w.terms)
	w.meta.PutInt64(w.terms.FilePointer())
	codec.WriteFooter(w.meta)
	return errors.Join(w.closeFiles(), w.postings.Close())
}

func (w *Writer) closeFiles() error {
	var errs []error
	for _, out := range []*store.Output{w.terms, w.index, w.meta} {
		if out != nil {
			errs = append(errs, out.Close())
		}
	}
	return errors.Join(errs...)
}

// entry is a term, or a block that stands for all terms with its prefix.
type entry struct {
	key   []byte // the term or the prefix
	state postings.TermState
	block *block // nil for a term
}

// block is a block, or a part of one, that was written.
type block struct {
	fp    int64
	terms bool // it has terms of its own
	lead  int  // first byte of its suffixes, or -1 for the first part
	index []byte
}

// fieldWriter writes the terms of a field.
//
// Terms are collected on a stack. When a term comes that does not share the prefix of the ones before it,
// and there are at least 25 with that prefix, they become a block, and one entry stands for them.
type fieldWriter struct {
	w        *Writer
	traits   postings.Traits
	pending  []entry
	starts   []int // by length of prefix: the first pending entry that has the last term's prefix
	lastTerm []byte
	first    []byte
	numTerms int64
	sumDF    int64
	sumTTF   int64
}

func (f *fieldWriter) add(term []byte, s postings.TermState) error {
	if err := f.push(term); err != nil {
		return err
	}
	f.pending = append(f.pending, entry{key: bytes.Clone(term), state: s})
	if f.numTerms == 0 {
		f.first = bytes.Clone(term)
	}
	f.numTerms++
	f.sumDF += int64(s.DocFreq)
	f.sumTTF += s.TotalTermFreq
	return nil
}

// push writes the blocks that end before the term.
func (f *fieldWriter) push(term []byte) error {
	p := 0
	for p < len(term) && p < len(f.lastTerm) && term[p] == f.lastTerm[p] {
		p++
	}
	for i := len(f.lastTerm) - 1; i >= p; i-- {
		if n := len(f.pending) - f.starts[i]; n >= minEntries {
			if err := f.writeBlocks(i+1, n); err != nil {
				return err
			}
			f.starts[i] -= n - 1
		}
	}
	for len(f.starts) < len(term) {
		f.starts = append(f.starts, 0)
	}
	for i := p; i < len(term); i++ {
		f.starts[i] = len(f.pending)
	}
	f.lastTerm = append(f.lastTerm[:0], term...)
	return nil
}

// writeBlocks turns the last count entries, which share a prefix, into a block, in parts if there are many.
func (f *fieldWriter) writeBlocks(prefix, count int) error {
	entries := f.pending[len(f.pending)-count:]
	var parts []block
	lead, start := -1, 0
	lastLabel := -1
	for i, e := range entries {
		label := -1
		if len(e.key) > prefix {
			label = int(e.key[prefix])
		}
		if label == lastLabel {
			continue
		}
		lastLabel = label
		if i-start >= minEntries && count-start > maxPerBlock {
			parts = append(parts, f.writePart(entries[start:i], prefix, lead, false))
			lead, start = label, i
		}
	}
	parts = append(parts, f.writePart(entries[start:], prefix, lead, true))
	if err := f.w.terms.Err(); err != nil {
		return err
	}
	key := bytes.Clone(f.lastTerm[:prefix])
	b := parts[0]
	b.index = indexBlock(key, parts)
	f.pending = append(f.pending[:len(f.pending)-count], entry{key: key, block: &b})
	return nil
}

// indexBlock returns the index of a block and of those below it: keys and outputs, each with its length.
func indexBlock(key []byte, parts []block) []byte {
	size := 0
	for i := range parts {
		size += len(parts[i].index)
	}
	code := parts[0].fp << codeBits
	if parts[0].terms {
		code |= codeHasTerms
	}
	if len(parts) > 1 {
		code |= codeFloor
	}
	out := appendMSB(nil, uint64(code))
	if len(parts) > 1 {
		out = appendVarint(out, uint64(len(parts)-1))
		for _, p := range parts[1:] {
			out = append(out, byte(p.lead))
			c := uint64(p.fp-parts[0].fp) << 1
			if p.terms {
				c |= 1
			}
			out = appendVarint(out, c)
		}
	}
	index := make([]byte, 0, size+len(key)+len(out)+6)
	index = append(appendVarint(index, uint64(len(key))), key...)
	index = append(appendVarint(index, uint64(len(out))), out...)
	for i := range parts {
		index = append(index, parts[i].index...)
	}
	return index
}

func appendVarint(dst []byte, v uint64) []byte {
	for ; v >= 0x80; v >>= 7 {
		dst = append(dst, byte(v)|0x80)
	}
	return append(dst, byte(v))
}

// appendMSB appends a variable-length number with its high bits first: addresses that are near each other
// then begin alike, and the index shares that.
func appendMSB(dst []byte, v uint64) []byte {
	for i := (max(bits.Len64(v), 1) - 1) / 7; i > 0; i-- {
		dst = append(dst, byte(v>>(7*i))|0x80)
	}
	return append(dst, byte(v)&0x7f)
}

// statsWriter writes statistics; runs of terms that occur once are a number.
type statsWriter struct {
	out   *store.Output
	freqs bool
	run   int32
}

func (s *statsWriter) add(st *postings.TermState) {
	if st.DocFreq == 1 && (!s.freqs || st.TotalTermFreq == 1) {
		s.run++
		return
	}
	s.finish()
	s.out.PutVInt(st.DocFreq << 1)
	if s.freqs {
		s.out.PutVLong(st.TotalTermFreq - int64(st.DocFreq))
	}
}

func (s *statsWriter) finish() {
	if s.run > 0 {
		s.out.PutVInt((s.run-1)<<1 | 1)
		s.run = 0
	}
}

// writePart writes a block or a part of one.
func (f *fieldWriter) writePart(entries []entry, prefix, lead int, last bool) block {
	w := f.w
	b := block{fp: w.terms.FilePointer(), lead: lead}
	leaf := true
	for i := range entries {
		leaf = leaf && entries[i].block == nil
	}
	w.suffixes = w.suffixes[:0]
	w.lengths.Reset()
	w.stats.Reset()
	w.encode.Reset()
	stats := statsWriter{out: w.stats, freqs: f.traits.Freqs}
	for i := range entries {
		e := &entries[i]
		n := int32(len(e.key) - prefix)
		w.suffixes = append(w.suffixes, e.key[prefix:]...)
		if e.block != nil {
			w.lengths.PutVInt(n<<1 | 1)
			w.lengths.PutVLong(b.fp - e.block.fp)
			b.index = append(b.index, e.block.index...)
			continue
		}
		if leaf {
			w.lengths.PutVInt(n)
		} else {
			w.lengths.PutVInt(n << 1)
		}
		stats.add(&e.state)
		w.postings.EncodeTerm(w.encode, &e.state, !b.terms)
		b.terms = true
	}
	stats.finish()

	code := int32(len(entries) << 1)
	if last {
		code |= 1
	}
	w.terms.PutVInt(code)
	algorithm := w.compress(prefix, len(entries))
	token := int64(len(w.suffixes))<<3 | int64(algorithm)
	if leaf {
		token |= 4
	}
	w.terms.PutVLong(token)
	if algorithm == compressNone {
		w.terms.PutBytes(w.suffixes)
	} else {
		w.terms.PutBytes(w.packed)
	}
	lengths := w.lengths.Data()
	if allEqual(lengths) {
		w.terms.PutVInt(int32(len(lengths)<<1 | 1))
		w.terms.PutByte(lengths[0])
	} else {
		w.terms.PutVInt(int32(len(lengths) << 1))
		w.terms.PutBytes(lengths)
	}
	for _, part := range [][]byte{w.stats.Data(), w.encode.Data()} {
		w.terms.PutVInt(int32(len(part)))
		w.terms.PutBytes(part)
	}
	return b
}

func allEqual(b []byte) bool {
	for _, v := range b[1:] {
		if v != b[0] {
			return false
		}
	}
	return true
}

// compress packs the suffixes of n entries if that saves a quarter, as Lucene decides it. Short prefixes are those
// of blocks that are read often; they stay as they are.
func (w *Writer) compress(prefix, n int) int {
	size := len(w.suffixes)
	if size <= 2*n || prefix <= 2 {
		return compressNone
	}
	if size > 6*n {
		if w.lz4 == nil {
			w.lz4 = lz4.NewHigh()
		}
		w.packed = w.lz4.Append(w.packed[:0], w.suffixes, 0)
		if len(w.packed) < size-size/4 {
			return compressLZ4
		}
	}
	w.spare.Reset()
	if compressLowercaseTo(w.spare, w.suffixes) {
		w.packed = append(w.packed[:0], w.spare.Data()...)
		return compressLowercase
	}
	return compressNone
}

// finish writes the root block, the index and the metadata of the field.
func (f *fieldWriter) finish(info *lucene.FieldInfo) error {
	last := bytes.Clone(f.lastTerm)
	if err := f.push(nil); err != nil {
		return err
	}
	if err := f.writeBlocks(0, len(f.pending)); err != nil {
		return err
	}
	index := f.pending[0].block.index
	start := f.w.index.FilePointer()
	fstMeta := store.NewBuffer()
	b := fst.NewBuilder(f.w.index)
	var root []byte
	for c := (postings.Cursor{B: index}); c.P < len(index); {
		key := take(&c)
		out := take(&c)
		if len(key) == 0 {
			root = out
		}
		if err := b.Add(key, out); err != nil {
			return err
		}
	}
	if err := b.Finish(fstMeta); err != nil {
		return err
	}
	m := f.w.fields
	putBytes := func(b []byte) {
		m.PutVInt(int32(len(b)))
		m.PutBytes(b)
	}
	m.PutVInt(info.Number)
	m.PutVLong(f.numTerms)
	putBytes(root)
	if f.traits.Freqs {
		m.PutVLong(f.sumTTF)
	}
	m.PutVLong(f.sumDF)
	docs := 0
	for _, word := range f.w.docsSeen.Words {
		docs += bits.OnesCount64(word)
	}
	m.PutVInt(int32(docs))
	putBytes(f.first)
	putBytes(last)
	m.PutVLong(start)
	m.PutBytes(fstMeta.Data())
	f.w.count++
	return m.Err()
}

func take(c *postings.Cursor) []byte {
	n := int(c.VLong())
	b := c.B[c.P : c.P+n]
	c.P += n
	return b
}
