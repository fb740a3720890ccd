package analysis

import (
	"slices"
	"unicode"
)

// Types of characters by which the word delimiter filters split, as bits.
const (
	wdLower     = 0x01
	wdUpper     = 0x02
	wdDigit     = 0x04
	wdDelimiter = 0x08
	wdAlpha     = wdLower | wdUpper
)

// wordDelimiterConfig holds the switches of word_delimiter and word_delimiter_graph.
type wordDelimiterConfig struct {
	generateWords, generateNumbers, catenateWords, catenateNumbers, catenateAll bool
	preserve, splitOnCase, splitOnNumerics, stemPossessive, ignoreKeywords      bool
	adjustOffsets                                                               bool
	protected                                                                   *wordSet
	types                                                                       map[uint16]uint8 // overrides
}

func (c *wordDelimiterConfig) typeOf(u uint16) uint8 {
	if t, ok := c.types[u]; ok {
		return t
	}
	switch {
	case u >= 'a' && u <= 'z':
		return wdLower
	case u >= 'A' && u <= 'Z':
		return wdUpper
	case u >= '0' && u <= '9':
		return wdDigit
	case u < 0x80:
		return wdDelimiter
	case u >= 0xD800 && u < 0xE000:
		return wdAlpha | wdDigit
	}
	r := rune(u)
	if u < 0x100 && c.types == nil {
		// Without a table of types the Latin-1 range is decided by case alone: ² and ½ delimit, ª is lower.
		switch {
		case unicode.IsLower(r) || r == 0xAA || r == 0xBA:
			return wdLower
		case unicode.IsUpper(r):
			return wdUpper
		}
		return wdDelimiter
	}
	switch {
	case unicode.Is(unicode.Lu, r):
		return wdUpper
	case unicode.Is(unicode.Ll, r):
		return wdLower
	case unicode.In(r, unicode.Lt, unicode.Lm, unicode.Lo, unicode.M):
		return wdAlpha
	case unicode.Is(unicode.N, r):
		return wdDigit
	}
	return wdDelimiter
}

// wordDelimiterIterator finds the parts of one term.
type wordDelimiterIterator struct {
	cfg             *wordDelimiterConfig
	text            []uint16
	lo, hi          int // bounds without delimiters at the ends
	start, end      int // the current part; end is -1 behind the last
	finalPossessive bool
	skipPossessive  bool
}

func (it *wordDelimiterIterator) set(text []uint16) {
	it.text = text
	it.lo, it.hi = 0, len(text)
	it.finalPossessive, it.skipPossessive = false, false
	for it.lo < it.hi && it.cfg.typeOf(text[it.lo])&wdDelimiter != 0 {
		it.lo++
	}
	for it.hi > it.lo && it.cfg.typeOf(text[it.hi-1])&wdDelimiter != 0 {
		it.hi--
	}
	it.finalPossessive = it.possessiveAt(it.hi)
	it.start, it.end = it.lo, 0
	it.end = it.start
}

// possessiveAt reports whether 's ends at pos.
func (it *wordDelimiterIterator) possessiveAt(pos int) bool {
	return it.cfg.stemPossessive && pos > 2 && it.text[pos-2] == '\'' && it.text[pos-1]|0x20 == 's' &&
		it.cfg.typeOf(it.text[pos-3])&wdAlpha != 0 && (pos == it.hi || it.cfg.typeOf(it.text[pos])&wdDelimiter != 0)
}

func (it *wordDelimiterIterator) breaks(last, typ uint8) bool {
	switch {
	case typ&last != 0:
		return false
	case !it.cfg.splitOnCase && last&wdAlpha != 0 && typ&wdAlpha != 0:
		return false
	case last&wdUpper != 0 && typ&wdAlpha != 0:
		return false
	case !it.cfg.splitOnNumerics && (last&wdAlpha != 0 && typ&wdDigit != 0 || last&wdDigit != 0 && typ&wdAlpha != 0):
		return false
	}
	return true
}

func (it *wordDelimiterIterator) next() {
	it.start = it.end
	if it.start < 0 {
		return
	}
	if it.skipPossessive {
		it.start += 2
		it.skipPossessive = false
	}
	var last uint8
	for it.start < it.hi {
		if last = it.cfg.typeOf(it.text[it.start]); last&wdDelimiter == 0 {
			break
		}
		it.start++
	}
	if it.start >= it.hi {
		it.end = -1
		return
	}
	for it.end = it.start + 1; it.end < it.hi; it.end++ {
		typ := it.cfg.typeOf(it.text[it.end])
		if it.breaks(last, typ) {
			break
		}
		last = typ
	}
	if it.end < it.hi-1 && it.possessiveAt(it.end+2) {
		it.skipPossessive = true
	}
}

func (it *wordDelimiterIterator) done() bool { return it.end < 0 }

func (it *wordDelimiterIterator) typ() uint8 {
	if it.end < 0 {
		return 0
	}
	if t := it.cfg.typeOf(it.text[it.start]); t != wdLower && t != wdUpper {
		return t
	}
	return wdAlpha
}

func (it *wordDelimiterIterator) singleWord() bool {
	if it.finalPossessive {
		return it.start == it.lo && it.end == it.hi-2
	}
	return it.start == it.lo && it.end == it.hi
}

func (c *wordDelimiterConfig) generates(typ uint8) bool {
	return c.generateWords && typ&wdAlpha != 0 || c.generateNumbers && typ&wdDigit != 0
}

func (c *wordDelimiterConfig) concatenates(typ uint8) bool {
	return c.catenateWords && typ&wdAlpha != 0 || c.catenateNumbers && typ&wdDigit != 0
}

// wdPart is a piece of a term that is waiting to be put out.
type wdPart struct {
	text             []uint16
	posFrom, posTo   int // graph positions (graph filter), or the increment in posFrom
	startOff, endOff int
}

// wdConcat collects neighbouring parts.
type wdConcat struct {
	text     []uint16
	start    int
	end      int
	startPos int
	typ      uint8
	count    int
}

func (c *wdConcat) clear() { *c = wdConcat{text: c.text[:0]} }

// wordDelimiterGraphFilter splits terms into parts and keeps track of the graph that results.
type wordDelimiterGraphFilter struct {
	filter
	cfg       *wordDelimiterConfig
	it        wordDelimiterIterator
	units     []uint16
	saved     savedToken
	active    bool
	parts     []wdPart
	pos       int
	wordPos   int
	posInc    int
	lastStart int
	adjusting bool
	lastCount int
	concat    wdConcat
	all       wdConcat
}

func newWordDelimiterGraphFilter(in tokenStream, cfg *wordDelimiterConfig) tokenStream {
	f := &wordDelimiterGraphFilter{filter: newFilter(in), cfg: cfg}
	f.it.cfg = cfg
	return f
}

func (f *wordDelimiterGraphFilter) Reset() {
	f.in.Reset()
	f.posInc, f.lastStart = 0, 0
	f.active = false
	f.concat.clear()
	f.all.clear()
}

func (f *wordDelimiterGraphFilter) add(text []uint16, posFrom, posTo, start, end int) {
	f.parts = append(f.parts, wdPart{text: text, posFrom: posFrom, posTo: posTo, startOff: start, endOff: end})
}

func (f *wordDelimiterGraphFilter) concatenate(c *wdConcat) {
	if len(c.text) == 0 {
		c.typ = f.it.typ()
		c.start = f.it.start
		c.startPos = f.wordPos
	}
	c.text = append(c.text, f.units[f.it.start:f.it.end]...)
	c.end = f.it.end
	c.count++
}

func (f *wordDelimiterGraphFilter) flush(c *wdConcat) {
	if f.wordPos == c.startPos {
		f.wordPos++
	}
	f.lastCount = c.count
	if c.count != 1 || !f.cfg.generates(c.typ) {
		f.add(slices.Clone(c.text), c.startPos, f.wordPos, c.start, c.end)
	}
	c.clear()
}

func (f *wordDelimiterGraphFilter) split() {
	f.t.save(&f.saved)
	f.active = true
	// Offsets of parts are only known where the token covers exactly its own text.
	f.adjusting = f.cfg.adjustOffsets && f.t.End-f.t.Start == len(f.units)
	f.parts = f.parts[:0]
	f.pos, f.lastCount, f.wordPos = 0, 0, 0
	it := &f.it
	if it.singleWord() {
		f.add(f.units[it.start:it.end], 0, 1, it.start, it.end)
		it.next()
		f.wordPos = 1
	} else {
		for !it.done() {
			typ := it.typ()
			if len(f.concat.text) > 0 && f.concat.typ&typ == 0 {
				f.flush(&f.concat)
			}
			if f.cfg.concatenates(typ) {
				f.concatenate(&f.concat)
			}
			if f.cfg.catenateAll {
				f.concatenate(&f.all)
			}
			if f.cfg.generates(typ) {
				f.add(f.units[it.start:it.end], f.wordPos, f.wordPos+1, it.start, it.end)
				f.wordPos++
			}
			it.next()
		}
		if len(f.concat.text) > 0 {
			f.flush(&f.concat)
		}
		if len(f.all.text) > 0 {
			if f.all.count > f.lastCount {
				if f.wordPos == f.all.startPos {
					f.wordPos++
				}
				f.add(slices.Clone(f.all.text), f.all.startPos, f.wordPos, f.all.start, f.all.end)
			}
			f.all.clear()
		}
	}
	slices.SortStableFunc(f.parts, func(a, b wdPart) int {
		if a.startOff != b.startOff {
			return a.startOff - b.startOff
		}
		return b.endOff - a.endOff
	})
	if f.cfg.preserve {
		// The original comes first, whatever the order of the parts, and spans them all.
		f.parts = slices.Insert(f.parts, 0, wdPart{text: f.units, posTo: max(f.wordPos, 1), endOff: len(f.units)})
	}
	f.wordPos = 0
}

func (f *wordDelimiterGraphFilter) Next() bool {
	for {
		if !f.active {
			if !f.in.Next() {
				return false
			}
			t := f.t
			if f.cfg.ignoreKeywords && t.Keyword {
				return true
			}
			f.units = appendUTF16(f.units[:0], t.Term)
			f.posInc += t.PosInc
			f.it.set(f.units)
			f.it.next()
			if f.it.start == 0 && f.it.end == len(f.units) || f.cfg.protected != nil && f.cfg.protected.contains(t.Term) {
				t.PosInc = f.posInc
				f.posInc = 0
				return true
			}
			if f.it.done() {
				if !f.cfg.preserve {
					continue
				}
				f.posInc = 0
				return true
			}
			f.split()
		}
		if f.pos < len(f.parts) {
			p := &f.parts[f.pos]
			f.pos++
			t := f.t
			t.restore(&f.saved)
			start, end := f.saved.Start, f.saved.End
			if f.adjusting {
				start, end = f.saved.Start+p.startOff, f.saved.Start+p.endOff
			}
			t.Start = max(start, f.lastStart)
			t.End = max(end, f.lastStart)
			f.lastStart = t.Start
			t.Term = appendUTF8(t.Term[:0], p.text)
			t.PosInc = f.posInc + p.posFrom - f.wordPos
			f.posInc = 0
			t.PosLen = p.posTo - p.posFrom
			f.wordPos = p.posFrom
			return true
		}
		f.active = false
	}
}

// wordDelimiterFilter is the older filter: its parts follow each other, and what is concatenated
// stands at the position of its last part.
type wordDelimiterFilter struct {
	filter
	cfg            *wordDelimiterConfig
	it             wordDelimiterIterator
	units          []uint16
	saved          savedToken
	active         bool
	first          bool
	posInc         int
	hasOutput      bool
	afterOriginal  bool
	illegalOffsets bool
	lastCount      int
	concat         wdConcat
	all            wdConcat
	parts          []wdPart
	pos            int
}

func newWordDelimiterFilter(in tokenStream, cfg *wordDelimiterConfig) tokenStream {
	f := &wordDelimiterFilter{filter: newFilter(in), cfg: cfg}
	f.it.cfg = cfg
	return f
}

func (f *wordDelimiterFilter) Reset() {
	f.in.Reset()
	f.active = false
	f.concat.clear()
	f.all.clear()
	f.posInc = 0
	f.parts, f.pos = f.parts[:0], 0
	f.first = true
}

func (f *wordDelimiterFilter) increment(inject bool) int {
	inc := f.posInc
	if f.hasOutput {
		f.posInc = 0
		if inject {
			return 0
		}
		return max(1, inc)
	}
	f.hasOutput = true
	if !f.afterOriginal {
		f.afterOriginal = true
		return 0
	}
	f.posInc = 0
	return max(1, inc)
}

// part makes the current piece of the term a token.
func (f *wordDelimiterFilter) part(single bool) wdPart {
	start, end := f.saved.Start+f.it.start, f.saved.Start+f.it.end
	if f.illegalOffsets {
		if !single || start > f.saved.End {
			start = f.saved.Start
		}
		end = f.saved.End
	}
	return wdPart{text: f.units[f.it.start:f.it.end], startOff: start, endOff: end, posFrom: f.increment(false)}
}

// write buffers what c collected.
func (f *wordDelimiterFilter) write(c *wdConcat) {
	start, end := c.start, c.end
	if f.illegalOffsets {
		start, end = f.saved.Start, f.saved.End
	}
	p := wdPart{text: slices.Clone(c.text), startOff: start, endOff: end, posFrom: f.increment(true)}
	f.posInc = 0
	f.parts = append(f.parts, p)
	c.clear()
}

func (f *wordDelimiterFilter) flush(c *wdConcat) bool {
	f.lastCount = c.count
	if c.count != 1 || !f.cfg.generates(c.typ) {
		f.write(c)
		return true
	}
	c.clear()
	return false
}

func (f *wordDelimiterFilter) concatenate(c *wdConcat) {
	if len(c.text) == 0 {
		c.start = f.saved.Start + f.it.start
	}
	c.text = append(c.text, f.units[f.it.start:f.it.end]...)
	c.end = f.saved.Start + f.it.end
	c.count++
}

func (f *wordDelimiterFilter) output(p wdPart) {
	t := f.t
	typ := f.saved.Type
	t.clear()
	t.Term = appendUTF8(t.Term, p.text)
	t.Start, t.End, t.PosInc, t.Type = p.startOff, p.endOff, p.posFrom, typ
}

func (f *wordDelimiterFilter) Next() bool {
	for {
		if !f.active {
			if !f.in.Next() {
				return false
			}
			t := f.t
			if f.cfg.ignoreKeywords && t.Keyword {
				return true
			}
			f.units = appendUTF16(f.units[:0], t.Term)
			f.posInc += t.PosInc
			f.it.set(f.units)
			f.it.next()
			if f.it.start == 0 && f.it.end == len(f.units) || f.cfg.protected != nil && f.cfg.protected.contains(t.Term) {
				t.PosInc = f.posInc
				f.posInc = 0
				f.first = false
				return true
			}
			if f.it.done() && !f.cfg.preserve {
				if t.PosInc == 1 && !f.first {
					f.posInc--
				}
				continue
			}
			t.save(&f.saved)
			f.illegalOffsets = t.End-t.Start != len(f.units)
			f.active = true
			f.hasOutput = false
			f.afterOriginal = !f.cfg.preserve
			f.lastCount = 0
			if f.cfg.preserve {
				t.PosInc = f.posInc
				f.posInc = 0
				f.first = false
				return true
			}
		}
		if f.it.done() {
			if len(f.concat.text) > 0 && f.flush(&f.concat) {
				continue
			}
			if len(f.all.text) > 0 {
				if f.all.count > f.lastCount {
					f.write(&f.all)
					continue
				}
				f.all.clear()
			}
			if f.pos < len(f.parts) {
				if f.pos == 0 {
					slices.SortStableFunc(f.parts, func(a, b wdPart) int {
						if a.startOff != b.startOff {
							return a.startOff - b.startOff
						}
						return b.posFrom - a.posFrom
					})
				}
				f.output(f.parts[f.pos])
				f.pos++
				if f.first && f.t.PosInc == 0 {
					f.t.PosInc = 1
				}
				f.first = false
				return true
			}
			f.parts, f.pos = f.parts[:0], 0
			f.active = false
			continue
		}
		if f.it.singleWord() {
			f.output(f.part(true))
			f.it.next()
			f.first = false
			return true
		}
		typ := f.it.typ()
		if len(f.concat.text) > 0 && f.concat.typ&typ == 0 {
			flushed := f.flush(&f.concat)
			f.hasOutput = false
			if flushed {
				continue
			}
		}
		if f.cfg.concatenates(typ) {
			if len(f.concat.text) == 0 {
				f.concat.typ = typ
			}
			f.concatenate(&f.concat)
		}
		if f.cfg.catenateAll {
			f.concatenate(&f.all)
		}
		if f.cfg.generates(typ) {
			f.parts = append(f.parts, f.part(false))
		}
		f.it.next()
	}
}
