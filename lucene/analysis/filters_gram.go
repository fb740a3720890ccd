package analysis

import (
	"unicode/utf8"
)

// ngramFilter replaces each token by its runs of min to max characters; with edge, only those from
// its start.
type ngramFilter struct {
	filter
	min, max int
	edge     bool
	preserve bool

	saved  savedToken
	active bool
	at     []int // byte positions of the characters, one more than there are
	pos    int
	size   int
	posInc int
}

func newNGramFilter(in tokenStream, min, max int, edge, preserve bool) tokenStream {
	return &ngramFilter{filter: newFilter(in), min: min, max: max, edge: edge, preserve: preserve}
}

func (f *ngramFilter) Reset() {
	f.active, f.posInc = false, 0
	f.in.Reset()
}

func (f *ngramFilter) gram(from, to int) {
	f.t.restore(&f.saved)
	f.t.setTerm(f.saved.Term[from:to])
}

func (f *ngramFilter) Next() bool {
	for {
		if !f.active {
			if !f.in.Next() {
				return false
			}
			f.t.save(&f.saved)
			f.at = f.at[:0]
			for p := range string(f.saved.Term) {
				f.at = append(f.at, p)
			}
			f.at = append(f.at, len(f.saved.Term))
			f.posInc += f.t.PosInc
			if f.preserve && len(f.at)-1 < f.min {
				f.t.PosInc = f.posInc
				f.posInc = 0
				return true
			}
			f.active = true
			f.pos, f.size = 0, f.min
		}
		n := len(f.at) - 1
		if !f.edge && (f.size > f.max || f.pos+f.size > n) {
			f.pos++
			f.size = f.min
		}
		if f.size <= f.max && f.pos+f.size <= n {
			f.gram(f.at[f.pos], f.at[f.pos+f.size])
			f.t.PosInc = f.posInc
			f.posInc = 0
			f.size++
			return true
		}
		f.active = false
		if f.preserve && n > f.max {
			f.gram(0, len(f.saved.Term))
			f.t.PosInc = 0
			return true
		}
	}
}

func (f *ngramFilter) End() {
	f.in.End()
	f.t.PosInc = f.posInc
}

// cjkBigramFilter makes bigrams of neighbouring CJK characters that the standard tokenizer separated.
type cjkBigramFilter struct {
	filter
	types    map[string]bool
	unigrams bool

	chars     []rune
	starts    []int
	ends      []int
	index     int
	lastEnd   int
	lone      savedToken
	hasLone   bool
	exhausted bool
	bigram    bool
}

func (f *cjkBigramFilter) Reset() {
	f.chars, f.starts, f.ends = f.chars[:0], f.starts[:0], f.ends[:0]
	f.index, f.lastEnd = 0, 0
	f.hasLone, f.exhausted, f.bigram = false, false, false
	f.in.Reset()
}

func (f *cjkBigramFilter) pull() bool {
	if f.hasLone {
		f.t.restore(&f.lone)
		f.hasLone = false
		return true
	}
	if f.exhausted {
		return false
	}
	f.exhausted = !f.in.Next()
	return !f.exhausted
}

func (f *cjkBigramFilter) pendingUnigram() bool {
	if f.unigrams {
		return len(f.chars)-f.index == 1
	}
	return len(f.chars) == 1 && f.index == 0
}

func (f *cjkBigramFilter) flush(n int, typ string) {
	t := f.t
	t.clear()
	for _, r := range f.chars[f.index : f.index+n] {
		t.Term = utf8.AppendRune(t.Term, r)
	}
	t.Start, t.End, t.Type = f.starts[f.index], f.ends[f.index+n-1], typ
	f.index++
}

func (f *cjkBigramFilter) Next() bool {
	for {
		if len(f.chars)-f.index > 1 {
			if f.unigrams && !f.bigram {
				f.flush(1, "<SINGLE>")
				f.index--
				f.bigram = true
				return true
			}
			f.flush(2, "<DOUBLE>")
			if f.unigrams {
				f.t.PosInc, f.t.PosLen = 0, 2
				f.bigram = false
			}
			return true
		}
		if !f.pull() {
			if f.pendingUnigram() {
				f.flush(1, "<SINGLE>")
				return true
			}
			return false
		}
		isCJK := f.types[f.t.Type]
		if isCJK && f.t.Start == f.lastEnd {
			f.refill()
			continue
		}
		if f.pendingUnigram() {
			f.t.save(&f.lone)
			f.hasLone = true
			f.flush(1, "<SINGLE>")
			return true
		}
		if !isCJK {
			return true
		}
		f.index = 0
		f.chars, f.starts, f.ends = f.chars[:0], f.starts[:0], f.ends[:0]
		f.refill()
	}
}

func (f *cjkBigramFilter) refill() {
	if n := len(f.chars); n > 64 {
		last := n - 1
		f.chars[0], f.starts[0], f.ends[0] = f.chars[last], f.starts[last], f.ends[last]
		f.chars, f.starts, f.ends = f.chars[:1], f.starts[:1], f.ends[:1]
		f.index -= last
	}
	t := f.t
	f.lastEnd = t.End
	exact := t.End-t.Start == utf16Len(t.Term)
	start := t.Start
	for _, r := range string(t.Term) {
		f.chars = append(f.chars, r)
		f.starts = append(f.starts, start)
		if exact {
			start += unitsOf(r)
			f.ends = append(f.ends, start)
		} else {
			f.ends = append(f.ends, t.End)
		}
	}
}

// shingleFilter joins neighbouring tokens into shingles of min to max tokens.
type shingleFilter struct {
	filter
	min, max          int
	unigrams          bool
	unigramsIfNone    bool
	separator, filler string
	lowest            int // smallest size put out now: 1 with unigrams
	window            []shingleToken
	free              []shingleToken
	size              int
	atStart           bool // nothing came from this window position yet
	noShingle         bool
	fillers           int
	next              savedToken
	hasNext           bool
	exhausted         bool
	end               savedToken
	windowFresh       bool
}

type shingleToken struct {
	savedToken
	isFiller bool
}

func newShingleFilter(in tokenStream, min, max int, unigrams, unigramsIfNone bool, separator, filler string) tokenStream {
	return &shingleFilter{filter: newFilter(in), min: min, max: max, unigrams: unigrams, unigramsIfNone: unigramsIfNone,
		separator: separator, filler: filler}
}

func (f *shingleFilter) Reset() {
	f.in.Reset()
	f.lowest = f.min
	if f.unigrams {
		f.lowest = 1
	}
	f.window = f.window[:0]
	f.size = f.lowest
	f.fillers = 0
	f.hasNext, f.exhausted, f.windowFresh = false, false, false
	f.noShingle = true
}

// pull returns the next token of the input, with fillers where positions are missing.
func (f *shingleFilter) pull(into *shingleToken) bool {
	makeFiller := func() {
		into.Term = append(into.Term[:0], f.filler...)
		into.End = into.Start
		into.isFiller = true
		f.fillers--
	}
	switch {
	case f.fillers > 0:
		f.next.token.save(&into.savedToken)
		makeFiller()
		return true
	case f.hasNext:
		f.next.token.save(&into.savedToken)
		into.isFiller = false
		f.hasNext = false
		return true
	case f.exhausted:
		return false
	case f.in.Next():
		f.t.save(&into.savedToken)
		into.isFiller = false
		if f.t.PosInc > 1 {
			f.fillers = min(f.t.PosInc-1, f.max-1)
			f.t.save(&f.next)
			f.hasNext = true
			makeFiller()
		}
		return true
	}
	f.exhausted = true
	f.in.End()
	f.t.save(&f.end)
	f.fillers = min(f.t.PosInc, f.max-1)
	if f.fillers == 0 {
		return false
	}
	f.next.token = token{Term: f.next.Term[:0], Start: f.t.End, End: f.t.End, PosInc: 1, PosLen: 1, Type: "word"}
	f.hasNext = false
	return f.pull(into)
}

// shift moves the window on by one token.
func (f *shingleFilter) shift() {
	if len(f.window) > 0 {
		f.free = append(f.free, f.window[0])
		copy(f.window, f.window[1:])
		f.window = f.window[:len(f.window)-1]
	}
	for len(f.window) < f.max {
		var tok shingleToken
		if n := len(f.free); n > 0 {
			tok = f.free[n-1]
			f.free = f.free[:n-1]
		}
		if !f.pull(&tok) {
			f.free = append(f.free, tok)
			break
		}
		f.window = append(f.window, tok)
	}
	if f.unigramsIfNone && f.noShingle && f.lowest > 1 && len(f.window) < f.min {
		f.lowest = 1
	}
	f.size = f.lowest
	f.atStart = true
}

// advance goes to the next size; after the largest the window moves on.
func (f *shingleFilter) advance() {
	switch {
	case f.size == 1:
		f.size = f.min
	case f.size == f.max:
		f.size = f.lowest
		f.windowFresh = false
	default:
		f.size++
	}
}

func (f *shingleFilter) Next() bool {
	if !f.windowFresh || len(f.window) < f.size {
		f.shift()
		f.windowFresh = true
	}
	for len(f.window) >= f.size {
		allFiller := true
		for i := 0; i < f.size; i++ {
			allFiller = allFiller && f.window[i].isFiller
		}
		if allFiller {
			f.advance()
			if !f.windowFresh {
				f.shift()
				f.windowFresh = true
				if len(f.window) == 0 {
					return false
				}
			}
			continue
		}
		first, last := &f.window[0], &f.window[f.size-1]
		t := f.t
		t.restore(&first.savedToken)
		for i := 1; i < f.size; i++ {
			t.Term = append(t.Term, f.separator...)
			t.Term = append(t.Term, f.window[i].Term...)
		}
		t.PosInc = 0
		if f.atStart {
			t.PosInc = 1
		}
		f.atStart = false
		t.End = last.End
		t.PosLen = f.size
		if !f.unigrams {
			t.PosLen = max(1, f.size-f.min+1)
		}
		if f.size > 1 {
			t.Type = "shingle"
			f.noShingle = false
		}
		f.advance()
		return true
	}
	return false
}

func (f *shingleFilter) End() {
	if f.exhausted {
		f.t.restore(&f.end)
		return
	}
	f.in.End()
}
