package skiplist

import (
	"math"

	"github.com/varve-search/varve/lucene/codec/postings"
	"github.com/varve-search/varve/lucene/store"
)

const (
	maxLevels      = 10
	skipMultiplier = 8 // entries of a level for one of the next
)

// entry is a skip point: the end of a block of documents, and so the start of the next.
type entry struct {
	doc   int32 // last document of the block
	at    int64 // offset in .doc of the next block
	pos   postings.PosPoint
	child int64 // offset in .doc of the entry of the level below
}

// level is one level of the list.
type level struct {
	r       store.Reader
	start   int64 // offset in .doc
	every   int64 // documents between two entries
	skipped int64 // documents up to the current entry
	entry
	impacts []byte
	seen    int // counts the entries that were read, so that a decoded list of impacts can be told stale
}

// skipper walks over the skip data of a term.
type skipper struct {
	levels [maxLevels]level
	num    int   // levels that are not exhausted
	docs   int64 // documents that skip points may cover
	last   entry // the skip point passed last
	t      postings.Traits
}

// init goes to the start of the list of a term with more than 128 documents.
func (s *skipper) init(files *postings.Files, t postings.Traits, st *postings.TermState) error {
	s.t = t
	// No skip point stands at the end of the last block.
	s.docs = int64(st.DocFreq)
	if s.docs%blockSize == 0 {
		s.docs--
	}
	s.num = 1
	for n := s.docs / blockSize; n >= skipMultiplier && s.num < maxLevels; n /= skipMultiplier {
		s.num++
	}
	first := entry{at: st.DocStart, pos: postings.PosPoint{Pos: st.PosStart, Pay: st.PayStart}}
	s.last = first
	var r store.Reader
	r.Reset(files.Doc, st.DocStart+st.SkipOffset)
	every := int64(blockSize)
	for i := range s.num {
		l := &s.levels[i]
		l.every, l.skipped, l.entry, l.impacts = every, 0, first, nil
		every *= skipMultiplier
	}
	for i := s.num - 1; i > 0; i-- {
		n := r.VLong()
		s.levels[i].start = r.Offset()
		s.levels[i].r = r
		r.Skip(n)
		if r.Err() == nil && n > r.Input().Length() {
			r.Corruptf("a level of skip data of %d bytes", n)
		}
	}
	s.levels[0].start = r.Offset()
	s.levels[0].r = r
	return r.Err()
}

// to moves on to the first skip point at or after target, and returns how many documents come before the
// block that follows s.last.
func (s *skipper) to(target int32) (int64, error) {
	i := 0
	for i < s.num-1 && target > s.levels[i+1].doc {
		i++
	}
	for i >= 0 {
		l := &s.levels[i]
		if target > l.doc {
			if err := s.next(i); err != nil {
				return 0, err
			}
			continue
		}
		if i > 0 && s.last.child > s.levels[i-1].r.Offset() {
			if err := s.seekChild(i - 1); err != nil {
				return 0, err
			}
		}
		i--
	}
	return s.levels[0].skipped - blockSize, nil
}

// next reads the next entry of a level.
func (s *skipper) next(i int) error {
	l := &s.levels[i]
	s.last = l.entry
	l.skipped += l.every
	if l.skipped > s.docs {
		l.doc = math.MaxInt32
		s.num = min(s.num, i)
		return nil
	}
	r := &l.r
	delta := r.VInt()
	if delta <= 0 || delta >= math.MaxInt32-l.doc {
		// The first document of a term may have number 0, but no block ends with it.
		r.Corruptf("skip data of %d documents after %d", delta, l.doc)
	}
	l.doc += delta
	l.at += r.VLong()
	if s.t.Positions {
		l.pos.Pos += r.VLong()
		l.pos.Upto = r.VInt()
		if s.t.Payloads {
			l.pos.PayUpto = r.VInt()
		}
		if s.t.Pay() {
			l.pos.Pay += r.VLong()
		}
	}
	l.impacts = r.Bytes(int(r.VInt()))
	l.seen++
	if i > 0 {
		l.child = r.VLong() + s.levels[i-1].start
	}
	return r.Err()
}

// seekChild moves a level to where the entry passed last of the level above points.
func (s *skipper) seekChild(i int) error {
	l, up := &s.levels[i], &s.levels[i+1]
	l.r.SeekTo(s.last.child)
	l.skipped = up.skipped - up.every
	l.entry = s.last
	if i > 0 {
		l.child = l.r.VLong() + s.levels[i-1].start
	}
	return l.r.Err()
}
