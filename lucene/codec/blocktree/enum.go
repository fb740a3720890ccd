package blocktree

import (
	"bytes"
	"fmt"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec/postings"
	"github.com/varve-search/varve/lucene/store"
)

// termsEnum is the lucene.TermsEnum of a field.
//
// The frames are the way from the root to the current term. A seek finds it in the index, without loading
// any block but the last; Next loads the others when it comes back to them.
type termsEnum struct {
	fr     *fieldReader
	in     store.Reader // of .tim
	frames []*frame
	depth  int // frames in use
	term   []byte
	walk   walker
	loads  int64 // blocks loaded since the last seek
	on     bool  // the top frame's entry is the current term
	eof    bool
	static *postings.TermState // of SeekState; the frames do not count then
}

func newEnum(fr *fieldReader) *termsEnum {
	e := &termsEnum{fr: fr, term: make([]byte, 0, 32)} // the empty term is not nil
	e.in.Reset(fr.rd.terms, 0)
	return e
}

func (e *termsEnum) top() *frame { return e.frames[e.depth-1] }

// push returns the next frame, with what it held before.
func (e *termsEnum) push() *frame {
	if e.depth == len(e.frames) {
		e.frames = append(e.frames, &frame{first: -1, fp: -1})
	}
	e.depth++
	return e.top()
}

func (e *termsEnum) load(f *frame) error {
	if f.loaded {
		return nil
	}
	if e.loads++; e.loads > e.fr.maxLoads() {
		return store.Corruptf(e.fr.rd.terms.Name(), f.fp, "more blocks of field %q than the file can hold", e.fr.info.Name)
	}
	if err := e.in.Err(); err != nil {
		e.in.Reset(e.fr.rd.terms, 0)
	}
	return f.load(&e.in)
}

// pushSub enters the block that the current entry of f stands for, whose prefix is the term.
func (e *termsEnum) pushSub(fp int64) error {
	f := e.push()
	f.setSub(len(e.term), fp)
	return e.load(f)
}

// Next implements lucene.TermsEnum.
func (e *termsEnum) Next() ([]byte, error) {
	if e.static != nil {
		found, err := e.SeekExact(bytes.Clone(e.term))
		if err != nil {
			return nil, err
		}
		if !found {
			return nil, fmt.Errorf("the term of a TermState is not in field %q", e.fr.info.Name)
		}
	}
	if e.eof {
		return nil, nil
	}
	if e.depth == 0 {
		root, err := e.walk.start(e.fr)
		if err != nil {
			return nil, err
		}
		f := e.push()
		f.setAddress(e.fr, 0, root)
		if err := f.chooseFloor(e.fr, -1); err != nil {
			return nil, err
		}
		if err := e.load(f); err != nil {
			return nil, err
		}
		f.ent = -1
	}
	e.on = false
	f := e.top()
	if !f.loaded {
		if err := e.load(f); err != nil {
			return nil, err
		}
	}
	f.ent++
	for {
		if f.ent >= f.n {
			if !f.last {
				f.fp, f.loaded = f.end, false
				if err := e.load(f); err != nil {
					return nil, err
				}
				f.ent = 0
				continue
			}
			if e.depth == 1 {
				e.eof = true
				return nil, nil
			}
			e.depth--
			child := f.first
			f = e.top()
			if err := e.findChild(f, child); err != nil {
				return nil, err
			}
			f.ent++
			continue
		}
		e.setTerm(f)
		sub := f.subOf(f.ent)
		if sub < 0 {
			e.on = true
			return e.term, nil
		}
		if err := e.pushSub(sub); err != nil {
			return nil, err
		}
		f = e.top()
		f.ent = 0
	}
}

func (e *termsEnum) setTerm(f *frame) {
	e.term = append(e.term[:f.prefix], f.suffixOf(f.ent)...)
}

// findChild makes the entry that stands for the block at fp the current one of f. The term begins with
// the prefix of that block.
func (e *termsEnum) findChild(f *frame, fp int64) error {
	if f.loaded && f.ent >= 0 && f.ent < f.n && f.subOf(f.ent) == fp {
		return nil
	}
	if f.indexed && f.prefix < len(e.term) {
		if err := f.chooseFloor(e.fr, int(e.term[f.prefix])); err != nil {
			return err
		}
	}
	if err := e.load(f); err != nil {
		return err
	}
	if f.ent = f.findSub(fp); f.ent < 0 {
		return store.Corruptf(e.fr.rd.terms.Name(), f.fp, "the block does not lead to the one at %d, which the index has", fp)
	}
	return nil
}

// descend follows term in the index as far as it goes, and points the frames to the blocks on the way. The last
// frame's part of its block is chosen, and not loaded.
func (e *termsEnum) descend(term []byte) (*frame, error) {
	e.static, e.eof, e.on, e.loads = nil, false, false, 0
	e.depth = 0
	root, err := e.walk.start(e.fr)
	if err != nil {
		return nil, err
	}
	e.push().setAddress(e.fr, 0, root)
	for i, b := range term {
		ok, err := e.walk.step(b)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		a, ok, err := e.walk.block()
		if err != nil {
			return nil, err
		}
		if ok {
			e.push().setAddress(e.fr, i+1, a)
		}
	}
	f := e.top()
	label := -1
	if len(term) > f.prefix {
		label = int(term[f.prefix])
	}
	return f, f.chooseFloor(e.fr, label)
}

// SeekExact implements lucene.TermsEnum.
func (e *termsEnum) SeekExact(term []byte) (bool, error) {
	if e.on && e.static == nil && bytes.Equal(e.term, term) {
		return true, nil
	}
	if bytes.Compare(term, e.fr.max) > 0 {
		return false, nil
	}
	f, err := e.descend(term)
	if err != nil || !f.terms {
		return false, err
	}
	if err := e.load(f); err != nil {
		return false, err
	}
	i, found := f.search(term[f.prefix:])
	if !found || f.subOf(i) >= 0 {
		return false, nil
	}
	f.ent = i
	e.term = append(e.term[:0], term...)
	e.on = true
	return true, nil
}

// SeekCeil implements lucene.TermsEnum.
func (e *termsEnum) SeekCeil(term []byte) (lucene.SeekStatus, error) {
	f, err := e.descend(term)
	if err != nil {
		return lucene.SeekEnd, err
	}
	if err := e.load(f); err != nil {
		return lucene.SeekEnd, err
	}
	i, found := f.search(term[f.prefix:])
	e.term = append(e.term[:0], term[:f.prefix]...)
	f.ent = i
	if found && f.subOf(i) < 0 {
		e.setTerm(f)
		e.on = true
		return lucene.SeekFound, nil
	}
	f.ent--
	next, err := e.Next()
	switch {
	case err != nil || next == nil:
		return lucene.SeekEnd, err
	case bytes.Equal(next, term):
		return lucene.SeekFound, nil
	}
	return lucene.SeekNotFound, nil
}

// SeekState implements lucene.TermsEnum.
func (e *termsEnum) SeekState(term []byte, s lucene.TermState) error {
	st, ok := s.(*postings.TermState)
	if !ok {
		return fmt.Errorf("a term state of type %T is not of a block-tree dictionary", s)
	}
	e.static, e.eof = st, false
	e.term = append(e.term[:0], term...)
	return nil
}

// Term implements lucene.TermsEnum.
func (e *termsEnum) Term() []byte { return e.term }

func (e *termsEnum) state() (*postings.TermState, error) {
	if e.static != nil {
		return e.static, nil
	}
	f := (*frame)(nil)
	if e.on {
		f = e.top()
	}
	if f == nil || !f.loaded || f.ent < 0 || f.ent >= f.n || f.subOf(f.ent) >= 0 {
		return nil, fmt.Errorf("the iterator over field %q is not on a term", e.fr.info.Name)
	}
	return &f.state, f.decode(e.fr)
}

// DocFreq implements lucene.TermsEnum.
func (e *termsEnum) DocFreq() (int32, error) {
	s, err := e.state()
	if err != nil {
		return 0, err
	}
	return s.DocFreq, nil
}

// TotalTermFreq implements lucene.TermsEnum.
func (e *termsEnum) TotalTermFreq() (int64, error) {
	s, err := e.state()
	if err != nil {
		return 0, err
	}
	return s.TotalTermFreq, nil
}

// Postings implements lucene.TermsEnum.
func (e *termsEnum) Postings(reuse lucene.PostingsEnum, flags int) (lucene.PostingsEnum, error) {
	s, err := e.state()
	if err != nil {
		return nil, err
	}
	return e.fr.rd.postings.Postings(e.fr.traits, s, reuse, flags)
}

// Impacts implements lucene.TermsEnum.
func (e *termsEnum) Impacts(flags int) (lucene.ImpactsEnum, error) {
	s, err := e.state()
	if err != nil {
		return nil, err
	}
	return e.fr.rd.postings.Impacts(e.fr.traits, s, flags)
}

// State implements lucene.TermsEnum.
func (e *termsEnum) State() (lucene.TermState, error) {
	s, err := e.state()
	if err != nil {
		return nil, err
	}
	if s == e.static {
		return s, nil
	}
	c := *s
	return &c, nil
}
