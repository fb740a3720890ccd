package stem

import (
	"strings"
	"unicode"
)

// suffixRule replaces a suffix of words longer than over characters: cut characters go, tail comes.
type suffixRule struct {
	suffix string
	over   int
	cut    int
	tail   string
}

func hasSuffix(w []rune, suffix string) bool {
	s := []rune(suffix)
	if len(w) < len(s) {
		return false
	}
	for i, r := range s {
		if w[len(w)-len(s)+i] != r {
			return false
		}
	}
	return true
}

// apply uses the first rule that fits and reports whether one did.
func apply(w []rune, rules []suffixRule) ([]rune, bool) {
	for _, r := range rules {
		if len(w) > r.over && hasSuffix(w, r.suffix) {
			return append(w[:len(w)-r.cut], []rune(r.tail)...), true
		}
	}
	return w, false
}

// plain maps accented letters to plain ones in place: pairs lists from and to alternately.
func plain(w []rune, from, to string) {
	t := []rune(to)
	for i, r := range w {
		if r < 0x80 {
			continue
		}
		n := 0
		for _, f := range from {
			if f == r {
				w[i] = t[n]
				break
			}
			n++
		}
	}
}

func in(r rune, set string) bool { return strings.ContainsRune(set, r) }

func last(w []rune) rune { return w[len(w)-1] }

// MinimalEnglish is D. Harman's S-stemmer.
func MinimalEnglish(w []rune) []rune {
	n := len(w)
	if n < 3 || w[n-1] != 's' || w[n-2] == 'u' || w[n-2] == 's' {
		return w
	}
	if w[n-2] == 'e' {
		if n > 3 && w[n-3] == 'i' && w[n-4] != 'a' && w[n-4] != 'e' {
			w[n-3] = 'y'
			return w[:n-2]
		}
		if in(w[n-3], "iaoe") {
			return w
		}
	}
	return w[:n-1]
}

// PossessiveEnglish removes 's, with any of three apostrophes.
func PossessiveEnglish(w []rune) []rune {
	n := len(w)
	if n >= 2 && in(w[n-2], "'\u2019\uFF07") && (w[n-1] == 's' || w[n-1] == 'S') {
		return w[:n-2]
	}
	return w
}

const germanST = "bdfghklmnt"

// LightGerman is J. Savoy's light stemmer for German.
func LightGerman(w []rune) []rune {
	plain(w, "äàáâöòóôïìíîüùúû", "aaaaooooiiiiuuuu")
	switch n := len(w); {
	case n > 5 && hasSuffix(w, "ern"):
		w = w[:n-3]
	case n > 4 && w[n-2] == 'e' && in(w[n-1], "mnrs"):
		w = w[:n-2]
	case n > 3 && w[n-1] == 'e':
		w = w[:n-1]
	case n > 3 && w[n-1] == 's' && in(w[n-2], germanST):
		w = w[:n-1]
	}
	switch n := len(w); {
	case n > 5 && hasSuffix(w, "est"):
		w = w[:n-3]
	case n > 4 && w[n-2] == 'e' && in(w[n-1], "rn"):
		w = w[:n-2]
	case n > 4 && hasSuffix(w, "st") && in(w[n-3], germanST):
		w = w[:n-2]
	}
	return w
}

// MinimalGerman removes plural endings only.
func MinimalGerman(w []rune) []rune {
	n := len(w)
	if n < 5 {
		return w
	}
	plain(w, "äöü", "aou")
	if n > 6 && hasSuffix(w, "nen") {
		return w[:n-3]
	}
	if n > 5 && (hasSuffix(w, "en") || hasSuffix(w, "se") || hasSuffix(w, "es") || hasSuffix(w, "er")) {
		return w[:n-2]
	}
	if in(w[n-1], "nesr") {
		return w[:n-1]
	}
	return w
}

const (
	romanceFrom = "àáâäòóôöèéêëùúûüìíîï"
	romanceTo   = "aaaaooooeeeeuuuuiiii"
)

// LightSpanish is J. Savoy's light stemmer for Spanish.
func LightSpanish(w []rune) []rune {
	n := len(w)
	if n < 5 {
		return w
	}
	plain(w, romanceFrom, romanceTo)
	switch w[n-1] {
	case 'o', 'a', 'e':
		return w[:n-1]
	case 's':
		switch {
		case hasSuffix(w, "eses"):
			return w[:n-2]
		case hasSuffix(w, "ces"):
			w[n-3] = 'z'
			return w[:n-2]
		case in(w[n-2], "oae"):
			return w[:n-2]
		}
	}
	return w
}

// LightItalian is J. Savoy's light stemmer for Italian.
func LightItalian(w []rune) []rune {
	n := len(w)
	if n < 6 {
		return w
	}
	plain(w, romanceFrom, romanceTo)
	switch w[n-1] {
	case 'e', 'i':
		if in(w[n-2], "ih") {
			return w[:n-2]
		}
		return w[:n-1]
	case 'a', 'o':
		if w[n-2] == 'i' {
			return w[:n-2]
		}
		return w[:n-1]
	}
	return w
}

var portugueseSuffixes = []suffixRule{
	{"res", 4, 2, ""}, {"ses", 4, 2, ""}, {"les", 4, 2, ""}, {"zes", 4, 2, ""}, {"ns", 3, 2, "m"}, {"eis", 4, 3, "el"}, {"éis", 4, 3, "el"},
	{"ais", 4, 2, "l"}, {"óis", 4, 3, "ol"}, {"is", 4, 1, "l"}, {"ões", 3, 3, "ão"}, {"ães", 3, 3, "ão"}, {"mente", 6, 5, ""}, {"s", 3, 1, ""},
}

var portugueseFeminine = []suffixRule{
	{"inha", 7, 1, "o"}, {"iaca", 7, 1, "o"}, {"eira", 7, 1, "o"}, {"osa", 6, 1, "o"}, {"ica", 6, 1, "o"}, {"ida", 6, 1, "o"}, {"ada", 6, 1, "o"},
	{"iva", 6, 1, "o"}, {"ama", 6, 1, "o"}, {"ona", 6, 3, "ão"}, {"ora", 6, 1, ""}, {"esa", 6, 3, "ês"}, {"na", 6, 1, "o"},
}

// LightPortuguese is J. Savoy's light stemmer for Portuguese.
func LightPortuguese(w []rune) []rune {
	if len(w) < 4 {
		return w
	}
	w, _ = apply(w, portugueseSuffixes)
	if len(w) > 3 && last(w) == 'a' {
		w, _ = apply(w, portugueseFeminine)
	}
	if len(w) > 4 && in(last(w), "eao") {
		w = w[:len(w)-1]
	}
	plain(w, romanceFrom+"ãõç", romanceTo+"aoc")
	return w
}

// frenchSuffixes end the search at the first that fits; what comes after them is in LightFrench.
var frenchSuffixes1 = []suffixRule{{"issement", 9, 7, "r"}, {"issant", 8, 5, "r"}}

var frenchSuffixes2 = []suffixRule{
	{"ficatrice", 11, 7, "er"}, {"ficateur", 10, 6, "er"}, {"catrice", 9, 7, "quer"}, {"cateur", 8, 6, "quer"}, {"atrice", 8, 6, "er"}, {"ateur", 7, 5, "er"},
}

var frenchSuffixes3 = []suffixRule{
	{"ième", 5, 4, ""}, {"teuse", 7, 3, "r"}, {"teur", 6, 2, "r"}, {"euse", 5, 2, ""}, {"ère", 8, 3, "er"}, {"ive", 7, 2, "f"},
	{"folle", 4, 3, "u"}, {"molle", 4, 3, "u"}, {"nnelle", 9, 5, ""}, {"nnel", 9, 3, ""},
}

var frenchSuffixes4 = []suffixRule{{"esse", 8, 3, ""}, {"inage", 7, 3, ""}}

var frenchSuffixes5 = []suffixRule{{"isateur", 9, 7, ""}, {"ation", 8, 5, ""}, {"ition", 8, 5, ""}}

// LightFrench is J. Savoy's light stemmer for French.
func LightFrench(w []rune) []rune {
	if n := len(w); n > 5 && w[n-1] == 'x' {
		if w[n-3] == 'a' && w[n-2] == 'u' && w[n-4] != 'e' {
			w[n-2] = 'l'
		}
		w = w[:n-1]
	}
	if len(w) > 3 && last(w) == 'x' {
		w = w[:len(w)-1]
	}
	if len(w) > 3 && last(w) == 's' {
		w = w[:len(w)-1]
	}
	var done bool
	if w, done = apply(w, frenchSuffixes1); done {
		return frenchNorm(w)
	}
	if len(w) > 6 && hasSuffix(w, "ement") {
		w = w[:len(w)-4]
		if len(w) > 3 && hasSuffix(w, "ive") {
			w = append(w[:len(w)-2], 'f')
		}
		return frenchNorm(w)
	}
	if w, done = apply(w, frenchSuffixes2); done {
		return frenchNorm(w)
	}
	w, _ = apply(w, []suffixRule{{"trice", 6, 4, "eur"}})
	if w, done = apply(w, frenchSuffixes3); done {
		return frenchNorm(w)
	}
	w, _ = apply(w, []suffixRule{{"ète", 4, 3, "et"}})
	if len(w) > 8 && hasSuffix(w, "ique") {
		w = w[:len(w)-4]
	}
	if w, done = apply(w, frenchSuffixes4); done {
		return frenchNorm(w)
	}
	if len(w) > 9 && hasSuffix(w, "isation") {
		w = w[:len(w)-7]
		if len(w) > 5 && hasSuffix(w, "ual") {
			w[len(w)-2] = 'e'
		}
		return frenchNorm(w)
	}
	w, _ = apply(w, frenchSuffixes5)
	return frenchNorm(w)
}

func frenchNorm(w []rune) []rune {
	if len(w) > 4 {
		plain(w, "àáâôèéêùûîç", "aaaoeeeuuic")
		out := w[:1]
		for _, r := range w[1:] {
			if r != last(out) || !unicode.IsLetter(r) {
				out = append(out, r)
			}
		}
		w = out
	}
	if len(w) > 4 && hasSuffix(w, "ie") {
		w = w[:len(w)-2]
	}
	if len(w) > 4 {
		for _, r := range "ree" {
			if last(w) == r {
				w = w[:len(w)-1]
			}
		}
		if n := len(w); w[n-1] == w[n-2] && unicode.IsLetter(w[n-1]) {
			w = w[:n-1]
		}
	}
	return w
}

// MinimalFrench removes plural and feminine endings only.
func MinimalFrench(w []rune) []rune {
	n := len(w)
	if n < 6 {
		return w
	}
	if w[n-1] == 'x' {
		if w[n-3] == 'a' && w[n-2] == 'u' {
			w[n-2] = 'l'
		}
		return w[:n-1]
	}
	for _, r := range "sreé" {
		if last(w) == r {
			w = w[:len(w)-1]
		}
	}
	if n := len(w); w[n-1] == w[n-2] && unicode.IsLetter(w[n-1]) {
		w = w[:n-1]
	}
	return w
}
