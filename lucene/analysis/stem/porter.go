package stem

// Porter is M. F. Porter's algorithm of 1980, as Lucene's PorterStemFilter applies it: words of one or
// two characters stay as they are.
func Porter(word []rune) []rune {
	if len(word) <= 2 {
		return word
	}
	p := porter{b: word}
	p.step1()
	p.yToI()
	p.step2()
	p.step3()
	p.step4()
	p.step5()
	return p.b
}

type porter struct {
	b []rune
	j int // length of the stem in front of the suffix that ends matched
}

func (p *porter) consonant(i int) bool {
	switch p.b[i] {
	case 'a', 'e', 'i', 'o', 'u':
		return false
	case 'y':
		return i == 0 || !p.consonant(i-1)
	}
	return true
}

// measure counts the vowel-consonant sequences of the first j characters.
func (p *porter) measure() int {
	n, i := 0, 0
	for i < p.j && p.consonant(i) {
		i++
	}
	for {
		for i < p.j && !p.consonant(i) {
			i++
		}
		if i >= p.j {
			return n
		}
		n++
		for i < p.j && p.consonant(i) {
			i++
		}
		if i >= p.j {
			return n
		}
	}
}

func (p *porter) vowelInStem() bool {
	for i := 0; i < p.j; i++ {
		if !p.consonant(i) {
			return true
		}
	}
	return false
}

func (p *porter) doubleConsonant(end int) bool {
	return end >= 2 && p.b[end-1] == p.b[end-2] && p.consonant(end-1)
}

// cvc reports consonant, vowel, consonant at the end, the last one not w, x or y.
func (p *porter) cvc(end int) bool {
	if end < 3 || !p.consonant(end-1) || p.consonant(end-2) || !p.consonant(end-3) {
		return false
	}
	switch p.b[end-1] {
	case 'w', 'x', 'y':
		return false
	}
	return true
}

func (p *porter) ends(suffix string) bool {
	n := len(p.b) - len(suffix)
	if n < 0 {
		return false
	}
	for i := range len(suffix) {
		if p.b[n+i] != rune(suffix[i]) {
			return false
		}
	}
	p.j = n
	return true
}

func (p *porter) setTo(s string) {
	p.b = p.b[:p.j]
	for _, r := range s {
		p.b = append(p.b, r)
	}
}

func (p *porter) step1() {
	if p.b[len(p.b)-1] == 's' {
		switch {
		case p.ends("sses"):
			p.b = p.b[:len(p.b)-2]
		case p.ends("ies"):
			p.setTo("i")
		case p.b[len(p.b)-2] != 's':
			p.b = p.b[:len(p.b)-1]
		}
	}
	if p.ends("eed") {
		if p.measure() > 0 {
			p.b = p.b[:len(p.b)-1]
		}
		return
	}
	if !(p.ends("ed") && p.vowelInStem()) && !(p.ends("ing") && p.vowelInStem()) {
		return
	}
	p.b = p.b[:p.j]
	switch {
	case p.ends("at"):
		p.setTo("ate")
	case p.ends("bl"):
		p.setTo("ble")
	case p.ends("iz"):
		p.setTo("ize")
	case p.doubleConsonant(len(p.b)):
		switch p.b[len(p.b)-1] {
		case 'l', 's', 'z':
		default:
			p.b = p.b[:len(p.b)-1]
		}
	default:
		p.j = len(p.b)
		if p.measure() == 1 && p.cvc(len(p.b)) {
			p.b = append(p.b, 'e')
		}
	}
}

func (p *porter) yToI() {
	if p.ends("y") && p.vowelInStem() {
		p.b[len(p.b)-1] = 'i'
	}
}

type porterRule struct{ from, to string }

var porterStep2 = []porterRule{{"ational", "ate"}, {"tional", "tion"}, {"enci", "ence"}, {"anci", "ance"}, {"izer", "ize"}, {"bli", "ble"},
	{"alli", "al"}, {"entli", "ent"}, {"eli", "e"}, {"ousli", "ous"}, {"ization", "ize"}, {"ation", "ate"}, {"ator", "ate"}, {"alism", "al"},
	{"iveness", "ive"}, {"fulness", "ful"}, {"ousness", "ous"}, {"aliti", "al"}, {"iviti", "ive"}, {"biliti", "ble"}, {"logi", "log"}}

var porterStep3 = []porterRule{{"icate", "ic"}, {"ative", ""}, {"alize", "al"}, {"iciti", "ic"}, {"ical", "ic"}, {"ful", ""}, {"ness", ""}}

var porterStep4 = []string{"al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou", "ism", "ate", "iti", "ous", "ive", "ize"}

func (p *porter) replace(rules []porterRule) {
	for _, r := range rules {
		if p.ends(r.from) {
			if p.measure() > 0 {
				p.setTo(r.to)
			}
			return
		}
	}
}

func (p *porter) step2() { p.replace(porterStep2) }
func (p *porter) step3() { p.replace(porterStep3) }

func (p *porter) step4() {
	for _, s := range porterStep4 {
		if !p.ends(s) {
			continue
		}
		if s == "ion" && !(p.j > 0 && (p.b[p.j-1] == 's' || p.b[p.j-1] == 't')) {
			continue
		}
		if p.measure() > 1 {
			p.b = p.b[:p.j]
		}
		return
	}
}

func (p *porter) step5() {
	n := len(p.b)
	p.j = n
	if p.b[n-1] == 'e' {
		p.j = n - 1
		m := p.measure()
		if m > 1 || m == 1 && !p.cvc(n-1) {
			p.b = p.b[:n-1]
		}
	}
	n = len(p.b)
	p.j = n
	if p.b[n-1] == 'l' && p.doubleConsonant(n) && p.measure() > 1 {
		p.b = p.b[:n-1]
	}
}
