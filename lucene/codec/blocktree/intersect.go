package blocktree

import (
	"bytes"
	"errors"

	"github.com/varve-search/varve/lucene"
)

// intersectEnum walks over the terms that an automaton accepts, and enters only blocks in which there may
// be some.
type intersectEnum struct {
	termsEnum
	a     lucene.Automaton
	start []byte // terms up to it are left out; nil: none
	marks []mark // one for each frame
}

// mark is what the walk knows at the start of a block.
type mark struct {
	state   int32
	all     bool // every continuation is accepted
	onStart bool // the block's prefix is a prefix of start, so some of its entries may be before it
}

func newIntersect(fr *fieldReader, a lucene.Automaton, startTerm []byte) *intersectEnum {
	e := &intersectEnum{termsEnum: *newEnum(fr), a: a}
	if startTerm != nil {
		e.start = bytes.Clone(startTerm)
	}
	return e
}

var errNoSeek = errors.New("an iterator over the terms of an automaton cannot seek")

// SeekCeil implements lucene.TermsEnum; it always fails.
func (e *intersectEnum) SeekCeil([]byte) (lucene.SeekStatus, error) { return lucene.SeekEnd, errNoSeek }

// SeekExact implements lucene.TermsEnum; it always fails.
func (e *intersectEnum) SeekExact([]byte) (bool, error) { return false, errNoSeek }

// SeekState implements lucene.TermsEnum; it always fails.
func (e *intersectEnum) SeekState([]byte, lucene.TermState) error { return errNoSeek }

// Next implements lucene.TermsEnum. It ends with the first error.
func (e *intersectEnum) Next() ([]byte, error) {
	term, err := e.next()
	e.eof = e.eof || err != nil
	return term, err
}

func (e *intersectEnum) next() ([]byte, error) {
	e.on = false
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
		s := e.a.Start()
		e.marks = append(e.marks[:0], mark{state: s, all: e.a.All(s), onStart: e.start != nil})
		if err := e.enter(f, 0); err != nil {
			return nil, err
		}
	}
	for e.depth > 0 {
		f := e.top()
		m := &e.marks[e.depth-1]
		f.ent++
		if f.ent >= f.n {
			if f.last {
				e.depth--
				e.marks = e.marks[:e.depth]
				continue
			}
			if err := e.nextPart(f, m); err != nil {
				return nil, err
			}
			continue
		}
		suffix := f.suffixOf(f.ent)
		sub := f.subOf(f.ent)
		onStart := false
		if m.onStart {
			rest := e.start[f.prefix:]
			if c := bytes.Compare(suffix, rest); c <= 0 {
				// A block whose prefix start begins with may hold terms after start.
				if sub < 0 || !bytes.HasPrefix(rest, suffix) {
					continue
				}
				onStart = true
			}
		}
		state, all := m.state, m.all
		dead := 0
		if !all {
			state, dead = e.run(state, suffix)
			if state < 0 {
				if dead == 0 {
					e.jump(f, m, suffix)
				}
				continue
			}
			all = e.a.All(state)
		}
		if sub < 0 {
			if !e.a.Accepts(state) {
				continue
			}
			e.setTerm(f)
			e.on = true
			return e.term, nil
		}
		e.setTerm(f)
		if !all && !onStart && e.a.NextByte(state, 0) < 0 && !e.a.Accepts(state) {
			continue
		}
		child := e.push()
		child.setSub(len(e.term), sub)
		e.marks = append(e.marks, mark{state: state, all: all, onStart: onStart})
		if err := e.load(child); err != nil {
			return nil, err
		}
	}
	e.eof = true
	return nil, nil
}

// run steps over a suffix; if it comes to nothing, the state is -1 and at tells by which byte.
func (e *intersectEnum) run(state int32, suffix []byte) (end int32, at int) {
	for i, b := range suffix {
		if state = e.a.Step(state, b); state < 0 {
			return -1, i
		}
		if e.a.All(state) {
			return state, i
		}
	}
	return state, len(suffix)
}

// lowest returns the lowest label from which on terms of a block can matter, or -1 if there is none.
func (e *intersectEnum) lowest(m *mark, prefix, from int) int {
	if m.onStart && prefix < len(e.start) {
		from = max(from, int(e.start[prefix]))
	}
	if m.all {
		return from
	}
	return e.a.NextByte(m.state, from)
}

// enter loads the first part of a block that can matter.
func (e *intersectEnum) enter(f *frame, from int) error {
	label := -1
	if !e.a.Accepts(e.marks[e.depth-1].state) || from > 0 || e.marks[e.depth-1].onStart {
		label = e.lowest(&e.marks[e.depth-1], f.prefix, from)
	}
	if err := f.chooseFloor(e.fr, label); err != nil {
		return err
	}
	if err := e.load(f); err != nil {
		return err
	}
	f.ent = -1
	return nil
}

// nextPart goes on to the next part of a block that can matter, or to the block's end.
func (e *intersectEnum) nextPart(f *frame, m *mark) error {
	last := f.suffixOf(f.n - 1)
	if len(last) > 0 {
		label := e.lowest(m, f.prefix, int(last[0])+1)
		if label < 0 || label > 255 {
			f.ent, f.last = f.n, true
			return nil
		}
		if label > int(last[0])+1 {
			if err := e.index(f); err != nil {
				return err
			}
			at := f.fp
			if err := f.chooseFloor(e.fr, label); err != nil {
				return err
			}
			if f.fp > at {
				if err := e.load(f); err != nil {
					return err
				}
				f.ent = -1
				return nil
			}
		}
	}
	f.fp, f.loaded = f.end, false
	if err := e.load(f); err != nil {
		return err
	}
	f.ent = -1
	return nil
}

// index looks up how the block is split, if that is not yet known. The term begins with its prefix.
func (e *intersectEnum) index(f *frame) error {
	if f.indexed {
		return nil
	}
	if _, err := e.walk.start(e.fr); err != nil {
		return err
	}
	for _, b := range e.term[:f.prefix] {
		if ok, err := e.walk.step(b); err != nil || !ok {
			return err
		}
	}
	a, ok, err := e.walk.block()
	if err != nil || !ok {
		return err
	}
	f.indexed = true
	f.setFloor(e.fr, a.floor)
	return nil
}

// jump goes to the entry before the first one that the automaton does not refuse by its first byte.
func (e *intersectEnum) jump(f *frame, m *mark, suffix []byte) {
	label := e.lowest(m, f.prefix, int(suffix[0])+1)
	if label < 0 || label > 255 {
		f.ent, f.last = f.n, true
		return
	}
	i, _ := f.search([]byte{byte(label)})
	f.ent = max(f.ent, i-1)
}
