package analysis

import (
	"bytes"
	"regexp"
	"slices"
	"unicode"
)

// dropFilter removes tokens and adds their positions to the next one kept.
type dropFilter struct {
	filter
	keep    func(*token) bool
	skipped int
}

func newDropFilter(in tokenStream, keep func(*token) bool) tokenStream {
	return &dropFilter{filter: newFilter(in), keep: keep}
}

func (f *dropFilter) Reset() {
	f.skipped = 0
	f.in.Reset()
}

func (f *dropFilter) Next() bool {
	f.skipped = 0
	for f.in.Next() {
		if f.keep(f.t) {
			f.t.PosInc += f.skipped
			return true
		}
		f.skipped += f.t.PosInc
	}
	return false
}

func (f *dropFilter) End() {
	f.in.End()
	f.t.PosInc += f.skipped
}

func newStopFilter(in tokenStream, stop *wordSet) tokenStream {
	if len(stop.words) == 0 {
		return in
	}
	return newDropFilter(in, func(t *token) bool { return !stop.contains(t.Term) })
}

// suggestStopFilter keeps a stop word with which the text ends: it may be the start of a longer word.
type suggestStopFilter struct {
	filter
	stop  *wordSet
	saved savedToken
	end   savedToken
	ended bool
}

func (f *suggestStopFilter) Reset() {
	f.ended = false
	f.in.Reset()
}

func (f *suggestStopFilter) Next() bool {
	if f.ended || !f.in.Next() {
		return false
	}
	skipped := 0
	for f.stop.contains(f.t.Term) {
		f.t.save(&f.saved)
		if f.in.Next() {
			skipped += f.saved.PosInc
			continue
		}
		f.in.End()
		f.t.save(&f.end)
		f.ended = true
		if f.t.End > f.saved.End {
			return false
		}
		f.t.restore(&f.saved)
		f.t.Keyword = true
		break
	}
	f.t.PosInc += skipped
	return true
}

func (f *suggestStopFilter) End() {
	if f.ended {
		f.t.restore(&f.end)
		return
	}
	f.in.End()
}

// uniqueFilter drops terms that were seen before in the text, or only at the same position.
type uniqueFilter struct {
	filter
	samePosition bool
	seen         map[string]struct{}
}

func newUniqueFilter(in tokenStream, samePosition bool) tokenStream {
	return &uniqueFilter{filter: newFilter(in), samePosition: samePosition, seen: map[string]struct{}{}}
}

func (f *uniqueFilter) Reset() {
	clear(f.seen)
	f.in.Reset()
}

func (f *uniqueFilter) Next() bool {
	for f.in.Next() {
		if f.samePosition && f.t.PosInc > 0 {
			clear(f.seen)
		}
		if _, dup := f.seen[string(f.t.Term)]; !dup {
			f.seen[string(f.t.Term)] = struct{}{}
			return true
		}
	}
	return false
}

// limitFilter ends the stream after n tokens.
type limitFilter struct {
	filter
	n, count   int
	consumeAll bool
	exhausted  bool
}

func (f *limitFilter) Reset() {
	f.count, f.exhausted = 0, false
	f.in.Reset()
}

func (f *limitFilter) Next() bool {
	if f.exhausted {
		return false
	}
	if f.count < f.n {
		if f.in.Next() {
			f.count++
			return true
		}
		f.exhausted = true
		return false
	}
	for f.consumeAll && f.in.Next() {
	}
	f.exhausted = true
	return false
}

// keywordMarker marks terms that stemmers leave alone.
type keywordMarker struct {
	filter
	words   *wordSet
	pattern *regexp.Regexp // matches the whole term
}

func (f *keywordMarker) Next() bool {
	if !f.in.Next() {
		return false
	}
	if f.words != nil && f.words.contains(f.t.Term) || f.pattern != nil && f.pattern.Match(f.t.Term) {
		f.t.Keyword = true
	}
	return true
}

// keywordRepeat gives every token twice: as a keyword, and at the same position as a normal token.
type keywordRepeat struct {
	filter
	saved   savedToken
	pending bool
}

func (f *keywordRepeat) Reset() {
	f.pending = false
	f.in.Reset()
}

func (f *keywordRepeat) Next() bool {
	if f.pending {
		f.pending = false
		f.t.restore(&f.saved)
		f.t.PosInc = 0
		f.t.Keyword = false
		return true
	}
	if !f.in.Next() {
		return false
	}
	f.t.save(&f.saved)
	f.pending = true
	f.t.Keyword = true
	return true
}

// stemmerOverride replaces terms by rules and protects the result from stemmers.
type stemmerOverride struct {
	filter
	rules      map[string]string
	ignoreCase bool
}

func (f *stemmerOverride) Next() bool {
	if !f.in.Next() {
		return false
	}
	if f.t.Keyword {
		return true
	}
	key := f.t.Term
	if f.ignoreCase {
		key = bytes.Map(unicode.ToLower, key)
	}
	if to, ok := f.rules[string(key)]; ok {
		f.t.setString(to)
		f.t.Keyword = true
	}
	return true
}

// fingerprintFilter joins the sorted distinct terms of a text into one token.
type fingerprintFilter struct {
	filter
	max       int
	separator string
	done      bool
	end       savedToken
}

func (f *fingerprintFilter) Reset() {
	f.done = false
	f.in.Reset()
}

func (f *fingerprintFilter) Next() bool {
	if f.done {
		return false
	}
	f.done = true
	seen := map[string]struct{}{}
	var terms []string
	size, tooLong := 0, false
	for f.in.Next() {
		if tooLong {
			continue
		}
		term := string(f.t.Term)
		if _, dup := seen[term]; dup {
			continue
		}
		seen[term] = struct{}{}
		if len(terms) > 0 {
			size += len(f.separator)
		}
		if size += utf16Len(f.t.Term); size > f.max {
			tooLong = true
			continue
		}
		terms = append(terms, term)
	}
	f.in.End()
	f.t.save(&f.end)
	if tooLong || len(terms) == 0 {
		return false
	}
	slices.SortFunc(terms, compareUTF16)
	end := f.t.End
	f.t.clear()
	for i, term := range terms {
		if i > 0 {
			f.t.Term = append(f.t.Term, f.separator...)
		}
		f.t.Term = append(f.t.Term, term...)
	}
	f.t.Start, f.t.End = 0, end
	f.t.Type = "fingerprint"
	return true
}

func (f *fingerprintFilter) End() {
	if f.done {
		f.t.restore(&f.end)
		return
	}
	f.in.End()
}
