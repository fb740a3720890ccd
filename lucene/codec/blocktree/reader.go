package blocktree

// See docs/formats/blocktree.md.

import (
	"bytes"
	"errors"
	"slices"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/postings"
	"github.com/varve-search/varve/lucene/fst"
	"github.com/varve-search/varve/lucene/store"
)

const (
	termsExt = "tim"
	indexExt = "tip"
	metaExt  = "tmd"

	termsCodec = "BlockTreeTermsDict"
	indexCodec = "BlockTreeTermsIndex"
	metaCodec  = "BlockTreeTermsMeta"

	versionStart   = 0 // Lucene 9.0: block addresses in the index low byte first
	versionMSB     = 1 // Lucene 9.8: high byte first
	versionCurrent = 2 // Lucene 9.9: FSTs with nodes of continuous labels
	versionTrie    = 0 // Lucene 10.3 counts anew
)

// Bits of a block's address in the index, whose rest is the offset in .tim.
const (
	codeFloor    = 1 // the block is split; what follows the address tells where
	codeHasTerms = 2
	codeBits     = 2
)

// maxTermLength is the longest term that Lucene indexes.
const maxTermLength = 32766

// Reader reads the terms of the fields of one postings format of a segment.
type Reader struct {
	postings           postings.Reader
	terms, index, meta store.Input
	version            int32
	tries              bool
	fields             map[string]*fieldReader
	names              []string
}

// NewReader opens the dictionary; it owns pr from then on, also when it fails.
func NewReader(state *codec.ReadState, pr postings.Reader) (*Reader, error) {
	return newReader(state, pr, false)
}

// NewTrieReader is NewReader for the dictionaries since Lucene 10.3, whose index is a trie.
func NewTrieReader(state *codec.ReadState, pr postings.Reader) (*Reader, error) {
	return newReader(state, pr, true)
}

func newReader(state *codec.ReadState, pr postings.Reader, tries bool) (rd *Reader, err error) {
	rd = &Reader{postings: pr, tries: tries, fields: map[string]*fieldReader{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, rd.Close())
			rd = nil
		}
	}()
	openFile := func(ext, name string, minVersion, maxVersion int32) (store.Input, int32, error) {
		in, err := state.Dir.Open(state.FileName(ext), state.Access)
		if err != nil {
			return nil, 0, err
		}
		v, err := codec.ReadIndexHeader(store.NewReader(in), name, minVersion, maxVersion, state.Info.ID, state.Suffix)
		if err == nil {
			_, err = codec.ReadFooter(in)
		}
		return in, v, err
	}
	newest := int32(versionCurrent)
	if tries {
		newest = versionTrie
	}
	if rd.terms, rd.version, err = openFile(termsExt, termsCodec, versionStart, newest); err != nil {
		return rd, err
	}
	if rd.index, _, err = openFile(indexExt, indexCodec, rd.version, rd.version); err != nil {
		return rd, err
	}
	if rd.meta, err = state.Dir.Open(state.FileName(metaExt), state.Access); err != nil {
		return rd, err
	}
	r := store.NewReader(rd.meta)
	if err = codec.Finish(r, rd.readMeta(state, r)); err != nil {
		return rd, err
	}
	for name := range rd.fields {
		rd.names = append(rd.names, name)
	}
	slices.Sort(rd.names)
	return rd, nil
}

func (rd *Reader) readMeta(state *codec.ReadState, r *store.Reader) error {
	if _, err := codec.ReadIndexHeader(r, metaCodec, rd.version, rd.version, state.Info.ID, state.Suffix); err != nil {
		return err
	}
	if err := rd.postings.ReadTermsHeader(r); err != nil {
		return err
	}
	for range r.Count("fields", 10) {
		f, err := rd.readField(state, r)
		if err != nil {
			return err
		}
		if rd.fields[f.info.Name] != nil {
			return r.Corruptf("field %q appears twice", f.info.Name)
		}
		rd.fields[f.info.Name] = f
	}
	indexLength, termsLength := r.Int64(), r.Int64()
	if err := r.Err(); err != nil {
		return err
	}
	if indexLength != rd.index.Length() || termsLength != rd.terms.Length() {
		return r.Corruptf("lengths of .tip and .tim are given as %d and %d and are %d and %d",
			indexLength, termsLength, rd.index.Length(), rd.terms.Length())
	}
	return nil
}

func (rd *Reader) readField(state *codec.ReadState, r *store.Reader) (*fieldReader, error) {
	number := r.VInt()
	f := &fieldReader{rd: rd, numTerms: r.VLong()}
	if !rd.tries {
		f.root = bytes.Clone(r.Bytes(int(r.VInt())))
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	f.info = state.Fields.ByNumber(number)
	if f.info == nil || f.info.IndexOptions == lucene.IndexNone {
		return nil, r.Corruptf("terms of field number %d, which has none", number)
	}
	f.traits = postings.TraitsOf(f.info)
	f.sumTotalTermFreq = r.VLong()
	f.sumDocFreq = f.sumTotalTermFreq
	if f.traits.Freqs {
		f.sumDocFreq = r.VLong()
	}
	f.docCount = r.VInt()
	f.min = bytes.Clone(r.Bytes(int(r.VInt())))
	f.max = bytes.Clone(r.Bytes(int(r.VInt())))
	if err := r.Err(); err != nil {
		return nil, err
	}
	f.maxDoc = state.Info.MaxDoc
	switch {
	case f.numTerms <= 0:
		return nil, r.Corruptf("%d terms of field %q", f.numTerms, f.info.Name)
	case f.docCount < 0 || f.docCount > state.Info.MaxDoc:
		return nil, r.Corruptf("%d documents have field %q where the segment has %d", f.docCount, f.info.Name, state.Info.MaxDoc)
	case f.sumDocFreq < int64(f.docCount) || f.sumTotalTermFreq < f.sumDocFreq:
		return nil, r.Corruptf("field %q has %d tokens, %d postings and %d documents", f.info.Name, f.sumTotalTermFreq, f.sumDocFreq, f.docCount)
	case len(f.min) > maxTermLength || len(f.max) > maxTermLength:
		return nil, r.Corruptf("terms of %d and %d bytes", len(f.min), len(f.max))
	}
	if f.min == nil {
		f.min = []byte{}
	}
	if f.max == nil {
		f.max = []byte{}
	}
	return f, f.readIndex(r)
}

// readIndex reads where the index of the field lies.
func (f *fieldReader) readIndex(r *store.Reader) (err error) {
	in := f.rd.index
	start := r.VLong()
	if !f.rd.tries {
		if f.index, err = fst.Read(r, in, start); err == nil && !f.sameRoot() {
			err = r.Corruptf("the root of field %q is % .40x here and otherwise in the index", f.info.Name, f.root)
		}
		return err
	}
	root, end := r.VLong(), r.VLong()
	if r.Err() == nil && (start > end || end > in.Length() || root >= end-start) {
		r.Corruptf("the index of field %q is at %d to %d of %d bytes, its root at %d", f.info.Name, start, end, in.Length(), root)
	}
	if r.Err() != nil {
		return r.Err()
	}
	f.trie = &trie{root: root}
	f.trie.in, err = in.Slice(start, end-start)
	return err
}

// FieldNames implements lucene.Fields.
func (rd *Reader) FieldNames() []string { return rd.names }

// Terms implements lucene.Fields.
func (rd *Reader) Terms(field string) (lucene.Terms, error) {
	if f := rd.fields[field]; f != nil {
		return f, nil
	}
	return nil, nil
}

func (rd *Reader) inputs() []store.Input { return []store.Input{rd.terms, rd.index, rd.meta} }

// CheckIntegrity implements codec.Checker.
func (rd *Reader) CheckIntegrity() error {
	errs := []error{rd.postings.CheckIntegrity()}
	for _, in := range rd.inputs() {
		errs = append(errs, codec.VerifyChecksum(in))
	}
	return errors.Join(errs...)
}

// Close implements codec.Checker.
func (rd *Reader) Close() error {
	errs := []error{rd.postings.Close()}
	for _, in := range rd.inputs() {
		if in != nil {
			errs = append(errs, in.Close())
		}
	}
	return errors.Join(errs...)
}

// fieldReader is the lucene.Terms of a field.
type fieldReader struct {
	rd               *Reader
	info             *lucene.FieldInfo
	traits           postings.Traits
	index            *fst.FST
	root             []byte // address of the root block as the FST has it
	trie             *trie  // instead of an FST
	numTerms         int64
	sumTotalTermFreq int64
	sumDocFreq       int64
	docCount         int32
	maxDoc           int32
	min, max         []byte
}

func (f *fieldReader) Iterator() (lucene.TermsEnum, error) { return newEnum(f), nil }

func (f *fieldReader) Intersect(a lucene.Automaton, startTerm []byte) (lucene.TermsEnum, error) {
	return newIntersect(f, a, startTerm), nil
}

func (f *fieldReader) Size() int64                       { return f.numTerms }
func (f *fieldReader) SumTotalTermFreq() int64           { return f.sumTotalTermFreq }
func (f *fieldReader) SumDocFreq() int64                 { return f.sumDocFreq }
func (f *fieldReader) DocCount() int32                   { return f.docCount }
func (f *fieldReader) IndexOptions() lucene.IndexOptions { return f.info.IndexOptions }
func (f *fieldReader) HasPayloads() bool                 { return f.traits.Payloads }
func (f *fieldReader) Min() ([]byte, error)              { return f.min, nil }
func (f *fieldReader) Max() ([]byte, error)              { return f.max, nil }

// maxLoads bounds how many blocks a walk may load: no two of them overlap, and none is smaller than this.
func (f *fieldReader) maxLoads() int64 { return f.rd.terms.Length()/7 + 1 }

// readCode reads the address of a block from the start of an output of the index, and returns the rest.
func (f *fieldReader) readCode(out []byte) (code int64, rest []byte, err error) {
	var v uint64
	for i, b := range out {
		if i > 8 {
			break
		}
		if f.rd.version >= versionMSB {
			v = v<<7 | uint64(b&0x7f)
		} else {
			v |= uint64(b&0x7f) << (7 * i)
		}
		if b < 0x80 {
			return int64(v), out[i+1:], nil
		}
	}
	return 0, nil, store.Corruptf(f.rd.index.Name(), -1, "the address of a block of field %q is % .40x", f.info.Name, out)
}
