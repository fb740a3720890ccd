package analysis

import (
	"fmt"
	"regexp"
)

// captureFilter puts out what the groups of patterns capture, in order of where they start, and the
// original term first where asked.
type captureFilter struct {
	filter
	res      []*regexp.Regexp
	preserve bool

	saved   savedToken
	matches [][][]int
	at      []int // the match that each pattern is at
	group   []int // the next group of that match
	active  bool
}

func patternCaptureOf(name string, r *reader) (*tokenFilter, error) {
	patterns := r.s.list("patterns")
	if v, ok := r.s["patterns"].(string); ok {
		patterns = []string{v}
	}
	if len(patterns) == 0 {
		return nil, fmt.Errorf("required setting 'patterns' is missing for token filter [%s]", name)
	}
	var res []*regexp.Regexp
	for _, p := range patterns {
		re, err := compileJavaRegex(p, "")
		if err != nil {
			return nil, err
		}
		res = append(res, re)
	}
	preserve := r.bool("preserve_original", true)
	return &tokenFilter{name: name, notForSynonyms: true, create: func(in tokenStream) tokenStream {
		return &captureFilter{filter: newFilter(in), res: res, preserve: preserve}
	}}, nil
}

func (f *captureFilter) Reset() {
	f.active = false
	f.in.Reset()
}

// next finds the leftmost capture that was not put out.
func (f *captureFilter) next() (start, end int, ok bool) {
	best := -1
	for i := range f.res {
		for f.at[i] < len(f.matches[i]) {
			m := f.matches[i][f.at[i]]
			if f.group[i] > f.res[i].NumSubexp() {
				f.at[i]++
				f.group[i] = 1
				continue
			}
			s, e := m[2*f.group[i]], m[2*f.group[i]+1]
			if s == e || f.preserve && s == 0 && e == len(f.saved.Term) {
				f.group[i]++
				continue
			}
			if best < 0 || s < start {
				best, start, end = i, s, e
			}
			break
		}
	}
	if best < 0 {
		return 0, 0, false
	}
	f.group[best]++
	return start, end, true
}

func (f *captureFilter) Next() bool {
	if f.active {
		if start, end, ok := f.next(); ok {
			f.t.restore(&f.saved)
			f.t.setTerm(f.saved.Term[start:end])
			f.t.PosInc = 0
			return true
		}
		f.active = false
	}
	if !f.in.Next() {
		return false
	}
	f.t.save(&f.saved)
	f.matches, f.at, f.group = f.matches[:0], f.at[:0], f.group[:0]
	for _, re := range f.res {
		f.matches = append(f.matches, re.FindAllSubmatchIndex(f.saved.Term, -1))
		f.at = append(f.at, 0)
		f.group = append(f.group, 1)
	}
	f.active = true
	if !f.preserve {
		if start, end, ok := f.next(); ok {
			f.t.setTerm(f.saved.Term[start:end])
		} else {
			f.active = false
		}
	}
	return true
}
