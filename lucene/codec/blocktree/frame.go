package blocktree

import (
	"bytes"

	"github.com/varve-search/varve/lucene/codec/postings"
	"github.com/varve-search/varve/lucene/store"
)

// maxEntries bounds the entries of a block; Lucene writes fewer than a hundred.
const maxEntries = 1 << 16

// frame is a place on the way from the root to a term: a block, or the part of a block that was split
// ("floor blocks") in which the way goes on.
type frame struct {
	prefix  int   // bytes that all terms of the block share
	first   int64 // offset in .tim of the first part of the block
	fp      int64 // offset of the part that is loaded, or is to be
	loaded  bool
	indexed bool   // floor and hasTerms are known from the index
	floor   []byte // begins with how the block is split, as the index has it; empty if it is not
	own     []byte // buffer for floor, where the index gives it for the moment only
	any     bool   // the first part has terms
	terms   bool   // the part at fp has terms

	// Of the loaded part:
	end     int64 // offset behind it
	last    bool  // no part of the block follows
	n       int   // entries
	ent     int   // the current one, -1 before the first
	buf     []byte
	suffix  []byte
	size    int     // length of each suffix if all have the same and ends is empty
	ends    []int32 // where the suffix of an entry ends
	subs    []int64 // offset of the block that an entry stands for, or -1 for a term; empty if all are terms
	ords    []int32 // terms up to and including an entry, where subs is not empty
	stats   []byte
	meta    []byte
	lengths []byte // buffer

	// Decoding of the terms' metadata, one after another:
	statsC postings.Cursor
	metaC  postings.Cursor
	upto   int // terms decoded
	run    int // of the terms that follow, so many are in one document, once
	state  postings.TermState
}

// setAddress makes the frame point to a block, by what the index says of it.
func (f *frame) setAddress(fr *fieldReader, prefix int, a address) {
	if f.indexed && f.first == a.fp && f.prefix == prefix {
		return
	}
	if f.first != a.fp || f.prefix != prefix {
		f.loaded = false
	}
	f.prefix, f.first, f.indexed = prefix, a.fp, true
	f.any = a.terms
	f.setFloor(fr, a.floor)
}

// setFloor sets floor: bytes of a trie stay, those that an FST gives are overwritten.
func (f *frame) setFloor(fr *fieldReader, floor []byte) {
	if fr.trie == nil {
		f.own = append(f.own[:0], floor...)
		floor = f.own
	}
	f.floor = floor
}

// setSub makes the frame point to a block, by the offset that another block has for it.
func (f *frame) setSub(prefix int, fp int64) {
	f.prefix, f.first, f.fp, f.indexed, f.loaded = prefix, fp, fp, false, false
	f.floor = nil
}

// chooseFloor sets fp and terms to the part of the block where terms go on with label, or to its first
// part if label is -1.
func (f *frame) chooseFloor(fr *fieldReader, label int) error {
	fp, terms := f.first, f.any
	if label >= 0 && len(f.floor) > 0 {
		c := postings.Cursor{B: f.floor}
		for range c.VInt() {
			if int(c.Byte()) > label {
				break
			}
			code := c.VLong()
			if c.Bad {
				break
			}
			fp, terms = f.first+code>>1, code&1 != 0
		}
		if c.Bad {
			return store.Corruptf(fr.rd.index.Name(), -1, "the parts of a block of field %q are % x", fr.info.Name, f.floor[:min(len(f.floor), 40)])
		}
	}
	if fp != f.fp {
		f.fp, f.loaded = fp, false
	}
	f.terms = terms
	return nil
}

// load reads the part of the block at fp and stands before its first entry. After an error the frame has
// no entries.
func (f *frame) load(r *store.Reader) error {
	if f.loaded {
		return nil
	}
	f.n, f.last = 0, true
	f.ends, f.subs, f.ords = f.ends[:0], f.subs[:0], f.ords[:0]
	r.SeekTo(f.fp)
	code := r.VInt()
	n := int(code >> 1)
	if r.Err() == nil && (n <= 0 || n > maxEntries) {
		r.Corruptf("a block of %d entries", n)
	}
	token := r.VLong()
	leaf := token&4 != 0
	size := token >> 3
	if size > int64(n)*maxTermLength {
		r.Corruptf("%d bytes of suffixes of %d entries", size, n)
	}
	suffix := readSuffixes(r, int(token&3), size, f.buf)
	if token&3 != compressNone && r.Err() == nil {
		f.buf = suffix
	}
	f.suffix = suffix
	lengths, fixed := f.readLengths(r, n, leaf)
	f.stats = r.Bytes(int(r.VInt()))
	f.meta = r.Bytes(int(r.VInt()))
	f.end = r.Offset()
	if err := r.Err(); err != nil {
		return err
	}
	ok := int64(n)*int64(f.size) <= size && f.prefix+f.size <= maxTermLength
	if !fixed {
		ok = f.readEnds(lengths, n, leaf)
	}
	if !ok {
		return store.Corruptf(r.Input().Name(), f.fp, "the suffixes of a block pass their %d bytes", size)
	}
	f.n, f.last = n, code&1 != 0
	f.loaded, f.ent = true, -1
	f.rewindMeta()
	return nil
}

// readLengths returns the lengths of the suffixes of n terms or entries; fixed tells that instead f.size is the
// length of each.
func (f *frame) readLengths(r *store.Reader, n int, leaf bool) (lengths []byte, fixed bool) {
	v := uint32(r.VInt())
	count := int(v >> 1)
	if v&1 == 0 {
		return r.Bytes(count), false
	}
	b := r.Byte()
	if leaf && count == n && b < 0x80 {
		f.size = int(b)
		return nil, true
	}
	if count > 16*n {
		r.Corruptf("%d bytes of suffix lengths of %d entries", count, n)
		return nil, false
	}
	f.lengths = f.lengths[:0]
	for range count {
		f.lengths = append(f.lengths, b)
	}
	return f.lengths, false
}

// readEnds reads the lengths of n suffixes, and the addresses of blocks among them. It returns false if they do not
// fit the suffixes.
func (f *frame) readEnds(lengths []byte, n int, leaf bool) bool {
	c := postings.Cursor{B: lengths}
	at, size := int64(0), int64(len(f.suffix))
	terms := int32(0)
	for range n {
		v := uint32(c.VInt())
		if !leaf {
			sub := int64(-1)
			if v&1 != 0 {
				sub = f.fp - c.VLong()
				if sub < 0 || sub >= f.fp || v>>1 == 0 {
					return false
				}
			} else {
				terms++
			}
			v >>= 1
			f.subs = append(f.subs, sub)
			f.ords = append(f.ords, terms)
		}
		at += int64(v)
		if c.Bad || at > size || int64(f.prefix)+int64(v) > maxTermLength {
			return false
		}
		f.ends = append(f.ends, int32(at))
	}
	return true
}

func (f *frame) rewindMeta() {
	f.statsC.Set(f.stats)
	f.metaC.Set(f.meta)
	f.upto, f.run = 0, 0
}

// suffixOf returns the suffix of entry i.
func (f *frame) suffixOf(i int) []byte {
	if len(f.ends) == 0 {
		return f.suffix[i*f.size : (i+1)*f.size]
	}
	start := int32(0)
	if i > 0 {
		start = f.ends[i-1]
	}
	return f.suffix[start:f.ends[i]]
}

// subOf returns the offset of the block that entry i stands for, or -1 if it is a term.
func (f *frame) subOf(i int) int64 {
	if len(f.subs) == 0 {
		return -1
	}
	return f.subs[i]
}

// search returns the first entry at or after a suffix, and whether it is that suffix.
func (f *frame) search(suffix []byte) (int, bool) {
	lo, hi := 0, f.n
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		switch c := bytes.Compare(f.suffixOf(mid), suffix); {
		case c < 0:
			lo = mid + 1
		case c > 0:
			hi = mid
		default:
			return mid, true
		}
	}
	return lo, false
}

// findSub returns the entry that stands for the block at fp, or -1.
func (f *frame) findSub(fp int64) int {
	for i, s := range f.subs {
		if s == fp {
			return i
		}
	}
	return -1
}

// decode brings state to the current entry, which is a term.
func (f *frame) decode(fr *fieldReader) error {
	want := f.ent + 1
	if len(f.subs) > 0 {
		want = int(f.ords[f.ent])
	}
	if f.upto > want {
		f.rewindMeta()
	}
	s := &f.state
	for f.upto < want {
		if f.run > 0 {
			f.run--
			s.DocFreq, s.TotalTermFreq = 1, 1
		} else if token := uint32(f.statsC.VInt()); token&1 != 0 {
			f.run = int(token >> 1)
			s.DocFreq, s.TotalTermFreq = 1, 1
		} else {
			s.DocFreq = int32(token >> 1)
			s.TotalTermFreq = int64(s.DocFreq)
			if fr.traits.Freqs {
				s.TotalTermFreq += f.statsC.VLong()
			}
		}
		fr.rd.postings.DecodeTerm(&f.metaC, fr.traits, s, f.upto == 0)
		f.upto++
		if f.statsC.Bad || f.metaC.Bad || s.DocFreq <= 0 || s.DocFreq > fr.maxDoc || s.TotalTermFreq < int64(s.DocFreq) {
			f.upto = maxEntries + 1 // decode again if asked again
			return store.Corruptf(fr.rd.terms.Name(), f.fp, "the metadata of a term: %d documents, %d times", s.DocFreq, s.TotalTermFreq)
		}
	}
	return nil
}
