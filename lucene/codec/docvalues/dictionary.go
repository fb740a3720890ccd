package docvalues

// Sorted dictionaries; see docs/formats/docvalues.md.

import (
	"bytes"
	"errors"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/lz4"
	"github.com/varve-search/varve/lucene/packed"
	"github.com/varve-search/varve/lucene/store"
)

// dictionary implements lucene.TermDictionary. Its own iterator serves the lookups.
type dictionary struct {
	in    store.Input
	entry *dictEntry
	terms *termsEnum
}

// ValueCount implements lucene.TermDictionary.
func (d *dictionary) ValueCount() int64 { return d.entry.size }

func (d *dictionary) lookup() (*termsEnum, error) {
	if d.terms == nil {
		t, err := newTermsEnum(d.in, d.entry)
		if err != nil {
			return nil, err
		}
		d.terms = t
	}
	return d.terms, nil
}

// LookupOrd implements lucene.TermDictionary.
func (d *dictionary) LookupOrd(ord int64) ([]byte, error) {
	t, err := d.lookup()
	if err != nil {
		return nil, err
	}
	if err := t.SeekOrd(ord); err != nil {
		return nil, err
	}
	return t.term, nil
}

// LookupTerm implements lucene.TermDictionary.
func (d *dictionary) LookupTerm(term []byte) (int64, error) {
	t, err := d.lookup()
	if err != nil {
		return 0, err
	}
	status, err := t.SeekCeil(term)
	switch {
	case err != nil:
		return 0, err
	case status == lucene.SeekFound:
		return t.ord, nil
	case status == lucene.SeekEnd:
		return -d.entry.size - 1, nil
	}
	return -t.ord - 1, nil
}

// TermsEnum implements lucene.TermDictionary. It returns a lucene.OrdTermsEnum.
func (d *dictionary) TermsEnum() (lucene.TermsEnum, error) {
	t, err := newTermsEnum(d.in, d.entry)
	if err != nil {
		return nil, err
	}
	return t, nil
}

// termsEnum implements lucene.OrdTermsEnum.
type termsEnum struct {
	in     store.Input
	entry  *dictEntry
	blocks *packed.Monotonic
	index  *packed.Monotonic
	r      store.Reader
	ord    int64
	term   []byte
	block  int64  // which buf holds, -1: none
	buf    []byte // first term of the block, then the others as they are coded
	first  int    // length of the first
	at     int    // next term in buf
	within int64  // ordinal within the block of the term that at follows

}

var _ lucene.OrdTermsEnum = (*termsEnum)(nil)

func newTermsEnum(in store.Input, e *dictEntry) (*termsEnum, error) {
	t := &termsEnum{in: in, entry: e, ord: -1, block: -1}
	if _, err := in.Slice(e.offset, e.length); err != nil {
		return nil, err
	}
	if _, err := in.Slice(e.indexOffset, e.indexLength); err != nil {
		return nil, err
	}
	var err error
	if t.blocks, err = e.blocks.Open(in, e.blocksOffset, e.blocksLength); err != nil {
		return nil, err
	}
	if t.index, err = e.index.Open(in, e.indexAddrOff, e.indexAddrLen); err != nil {
		return nil, err
	}
	t.r.Reset(in, e.offset)
	return t, nil
}

// seekBlock moves r to the start of a block of terms and reads its first term.
func (t *termsEnum) seekBlock(block int64) ([]byte, error) {
	at, err := t.blocks.Get(block)
	if err != nil {
		return nil, err
	}
	if at < 0 || at >= t.entry.length {
		return nil, store.Corruptf(t.in.Name(), t.entry.offset, "block %d of a dictionary at %d of %d bytes", block, at, t.entry.length)
	}
	if t.r.Err() != nil {
		t.r.Reset(t.in, 0)
	}
	t.r.SeekTo(t.entry.offset + at)
	n := t.r.VInt()
	if n < 0 || n > t.entry.maxTerm {
		return nil, t.r.Corruptf("a term of %d bytes where %d are the most", n, t.entry.maxTerm)
	}
	first := t.r.Bytes(int(n))
	return first, t.r.Err()
}

// load makes a block current and stands at its first term.
func (t *termsEnum) load(block int64) error {
	if t.block != block {
		t.block = -1
		first, err := t.seekBlock(block)
		if err != nil {
			return err
		}
		t.first = len(first)
		t.buf = append(t.buf[:0], first...)
		if block<<dictShift+1 < t.entry.size {
			n := t.r.VInt()
			if n < 0 || n > t.entry.maxBlock {
				return t.r.Corruptf("a block of %d bytes of terms where %d are the most", n, t.entry.maxBlock)
			}
			t.buf = append(t.buf, make([]byte, n)...)
			if _, err := lz4.Decompress(&t.r, t.buf, t.first, int(n)); err != nil {
				return err
			}
		}
		t.block = block
	}
	t.term = append(t.term[:0], t.buf[:t.first]...)
	t.at, t.within = t.first, 0
	return nil
}

func (t *termsEnum) damaged() error {
	at, block := t.entry.offset, t.block
	t.block = -1
	return store.Corruptf(t.in.Name(), at, "block %d of a dictionary is damaged at term %d", block, t.within)
}

// step moves to the next term of the block.
func (t *termsEnum) step() error {
	if t.at >= len(t.buf) {
		return t.damaged()
	}
	token := int(t.buf[t.at])
	at := t.at + 1
	prefix, suffix := token&15, token>>4+1
	if prefix == 15 {
		n, k := vint(t.buf[at:])
		prefix, at = prefix+n, at+k
		if k == 0 {
			return t.damaged()
		}
	}
	if suffix == 16 {
		n, k := vint(t.buf[at:])
		suffix, at = suffix+n, at+k
		if k == 0 {
			return t.damaged()
		}
	}
	if prefix > len(t.term) || suffix > len(t.buf)-at {
		return t.damaged()
	}
	t.term = append(t.term[:prefix], t.buf[at:at+suffix]...)
	t.at = at + suffix
	t.within++
	return nil
}

// vint decodes a length and returns it with the number of bytes it takes, 0 if it is damaged.
func vint(b []byte) (v, n int) {
	for shift := 0; n < len(b) && shift <= 28; shift += 7 {
		c := b[n]
		n++
		v |= int(c&0x7f) << shift
		if c < 0x80 {
			return v, n
		}
	}
	return 0, 0
}

// SeekOrd implements lucene.OrdTermsEnum.
func (t *termsEnum) SeekOrd(ord int64) error {
	if ord < 0 || ord >= t.entry.size {
		return store.Corruptf(t.in.Name(), t.entry.offset, "ordinal %d of a dictionary of %d terms", ord, t.entry.size)
	}
	if block, within := ord>>dictShift, ord&(dictBlock-1); block != t.block || within < t.within {
		if err := t.load(block); err != nil {
			return err
		}
	}
	for t.within < ord&(dictBlock-1) {
		if err := t.step(); err != nil {
			return err
		}
	}
	t.ord = ord
	return nil
}

// Next implements lucene.TermsEnum.
func (t *termsEnum) Next() ([]byte, error) {
	if t.ord >= t.entry.size-1 {
		t.ord = t.entry.size
		return nil, nil
	}
	if err := t.SeekOrd(t.ord + 1); err != nil {
		return nil, err
	}
	return t.term, nil
}

// before returns the first of n entries for which after is true, which none is before one for which it is false.
func before(lo, hi int64, after func(int64) (bool, error)) (int64, error) {
	for lo < hi {
		mid := lo + (hi-lo)/2
		past, err := after(mid)
		if err != nil {
			return 0, err
		}
		if past {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo, nil
}

// indexTerm returns entry i of the index: a prefix of a term that is larger than all terms before it.
func (t *termsEnum) indexTerm(i int64) ([]byte, error) {
	start, err := t.index.Get(i)
	if err != nil {
		return nil, err
	}
	end, err := t.index.Get(i + 1)
	if err != nil {
		return nil, err
	}
	if start < 0 || end < start || end > t.entry.indexLength || end-start > maxTerm {
		return nil, store.Corruptf(t.in.Name(), t.entry.indexOffset, "entry %d of the index of a dictionary at %d to %d of %d bytes", i, start, end, t.entry.indexLength)
	}
	if t.r.Err() != nil {
		t.r.Reset(t.in, 0)
	}
	t.r.SeekTo(t.entry.indexOffset + start)
	b := t.r.Bytes(int(end - start))
	return b, t.r.Err()
}

// SeekCeil implements lucene.TermsEnum.
func (t *termsEnum) SeekCeil(term []byte) (lucene.SeekStatus, error) {
	if t.entry.size == 0 {
		t.ord = 0
		return lucene.SeekEnd, nil
	}
	entries := (t.entry.size-1)>>t.entry.indexShift + 1
	i, err := before(0, entries, func(i int64) (bool, error) {
		b, err := t.indexTerm(i)
		return bytes.Compare(b, term) > 0, err
	})
	if err != nil {
		return 0, err
	}
	// The term lies in the part of the dictionary that the entry before leads to.
	ord := max(0, i-1) << t.entry.indexShift
	end := min(t.entry.size, ord+1<<t.entry.indexShift)
	block, err := before(ord>>dictShift, (end+dictBlock-1)>>dictShift, func(block int64) (bool, error) {
		if block == t.block {
			return bytes.Compare(t.buf[:t.first], term) > 0, nil
		}
		b, err := t.seekBlock(block)
		return bytes.Compare(b, term) > 0, err
	})
	if err != nil {
		return 0, err
	}
	ord = max(block-1, ord>>dictShift) << dictShift
	for {
		if err := t.SeekOrd(ord); err != nil {
			return 0, err
		}
		switch c := bytes.Compare(t.term, term); {
		case c == 0:
			return lucene.SeekFound, nil
		case c > 0:
			return lucene.SeekNotFound, nil
		}
		if ord++; ord == t.entry.size {
			t.ord = ord
			return lucene.SeekEnd, nil
		}
	}
}

// SeekExact implements lucene.TermsEnum.
func (t *termsEnum) SeekExact(term []byte) (bool, error) {
	status, err := t.SeekCeil(term)
	return status == lucene.SeekFound, err
}

// Term implements lucene.TermsEnum.
func (t *termsEnum) Term() []byte { return t.term }

// Ord implements lucene.OrdTermsEnum.
func (t *termsEnum) Ord() int64 { return t.ord }

// ordState is the place of a term in a dictionary.
type ordState int64

// IsTermState implements lucene.TermState.
func (ordState) IsTermState() {}

// State implements lucene.TermsEnum.
func (t *termsEnum) State() (lucene.TermState, error) { return ordState(t.ord), nil }

// SeekState implements lucene.TermsEnum.
func (t *termsEnum) SeekState(_ []byte, s lucene.TermState) error {
	ord, ok := s.(ordState)
	if !ok {
		return errors.New("the state is not that of a term of doc values")
	}
	return t.SeekOrd(int64(ord))
}

var errNoPostings = errors.New("a dictionary of doc values has no postings")

// DocFreq implements lucene.TermsEnum. Dictionaries have no postings.
func (t *termsEnum) DocFreq() (int32, error) { return 0, errNoPostings }

// TotalTermFreq implements lucene.TermsEnum. Dictionaries have no postings.
func (t *termsEnum) TotalTermFreq() (int64, error) { return 0, errNoPostings }

// Postings implements lucene.TermsEnum. Dictionaries have no postings.
func (t *termsEnum) Postings(lucene.PostingsEnum, int) (lucene.PostingsEnum, error) {
	return nil, errNoPostings
}

// Impacts implements lucene.TermsEnum. Dictionaries have no postings.
func (t *termsEnum) Impacts(int) (lucene.ImpactsEnum, error) { return nil, errNoPostings }
