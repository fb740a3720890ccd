package stem

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/blevesearch/snowballstem"
	"github.com/blevesearch/snowballstem/arabic"
	"github.com/blevesearch/snowballstem/danish"
	"github.com/blevesearch/snowballstem/dutch"
	"github.com/blevesearch/snowballstem/english"
	"github.com/blevesearch/snowballstem/finnish"
	"github.com/blevesearch/snowballstem/french"
	"github.com/blevesearch/snowballstem/german"
	"github.com/blevesearch/snowballstem/hungarian"
	"github.com/blevesearch/snowballstem/irish"
	"github.com/blevesearch/snowballstem/italian"
	"github.com/blevesearch/snowballstem/norwegian"
	"github.com/blevesearch/snowballstem/portuguese"
	"github.com/blevesearch/snowballstem/romanian"
	"github.com/blevesearch/snowballstem/russian"
	"github.com/blevesearch/snowballstem/spanish"
	"github.com/blevesearch/snowballstem/swedish"
	"github.com/blevesearch/snowballstem/tamil"
	"github.com/blevesearch/snowballstem/turkish"
)

var snowball = map[string]func(*snowballstem.Env) bool{
	"arabic": arabic.Stem, "danish": danish.Stem, "dutch": dutch.Stem, "english": english.Stem, "finnish": finnish.Stem, "french": french.Stem,
	"german": german.Stem, "hungarian": hungarian.Stem, "irish": irish.Stem, "italian": italian.Stem, "norwegian": norwegian.Stem,
	"portuguese": portuguese.Stem, "romanian": romanian.Stem, "russian": russian.Stem, "spanish": spanish.Stem,
	"swedish": swedish.Stem, "tamil": tamil.Stem, "turkish": turkish.Stem,
}

// Snowball returns the Snowball stemmer of a language (a lower-case English name).
func Snowball(language string) (func(term string) string, bool) {
	run, ok := snowballOf(language)
	if !ok {
		return nil, false
	}
	return func(term string) string { return byUnits(term, run) }, true
}

// byUnits lets a stemmer see UTF-16 units, as in Lucene, where some rules count characters: those outside the basic plane are two.
func byUnits(term string, run func(string) string) string {
	if !strings.ContainsFunc(term, func(r rune) bool { return r > 0xFFFF }) {
		return run(term)
	}
	var in strings.Builder
	for _, u := range utf16.Encode([]rune(term)) {
		if r := rune(u); utf16.IsSurrogate(r) {
			in.WriteRune(unitBase + r)
		} else {
			in.WriteRune(r)
		}
	}
	var out []uint16
	for _, r := range run(in.String()) {
		out = append(out, uint16(r)) // unitBase goes
	}
	return string(utf16.Decode(out)) // a half that is alone becomes U+FFFD, as in Lucene
}

// unitBase makes private-use characters of surrogates, in a plane of which no others are left then.
const unitBase = 0x100000

func snowballOf(language string) (func(term string) string, bool) {
	f, ok := snowball[language]
	if !ok {
		return nil, false
	}
	run := func(term string) string {
		env := snowballstem.NewEnv(term)
		f(env)
		return env.Current()
	}
	switch language {
	case "danish":
		return func(term string) string { return masked(term, "aeiouyæåø", "", run) }, true
	case "finnish":
		return func(term string) string { return masked(term, "aeiouyäö", "aäei", run) }, true
	case "french":
		return func(term string) string { return frenchSnowball(term, run) }, true
	case "russian":
		return func(term string) string { return run(strings.ReplaceAll(term, "ё", "е")) }, true
	}
	return run, true
}

const consonants = "bcdfghjklmnpqrstvwxz"

// masked hides characters that are neither consonants nor vowels of a language (digits above all) from
// a stemmer that takes everything but vowels for consonants, as Snowball's rules do no longer: they are
// no double consonants, and the trailing vowels behind them stay.
func masked(term, vowels, trailing string, run func(string) string) string {
	var hidden []rune
	var b strings.Builder
	for _, r := range term {
		if strings.ContainsRune(consonants, r) || strings.ContainsRune(vowels, r) {
			b.WriteRune(r)
			continue
		}
		b.WriteRune(maskBase + rune(len(hidden)))
		hidden = append(hidden, r)
	}
	if len(hidden) == 0 || len(hidden) > maskSize {
		return run(term)
	}
	in := b.String()
	out := run(in)
	if last, _ := utf8.DecodeLastRuneInString(out); last >= maskBase && last < maskBase+maskSize && strings.HasPrefix(in, out) {
		if next, w := utf8.DecodeRuneInString(in[len(out):]); strings.ContainsRune(trailing, next) && w > 0 {
			out = in[:len(out)+w]
		}
	}
	return strings.Map(func(r rune) rune {
		if i := r - maskBase; i >= 0 && int(i) < len(hidden) {
			return hidden[i]
		}
		return r
	}, out)
}

// The private-use characters that stand for hidden ones.
const (
	maskBase = 0xE000
	maskSize = 0x1900
)

// frenchSnowball treats ë and ï as Snowball does since 2.0: as vowels that open a syllable of their own.
func frenchSnowball(term string, run func(string) string) string {
	if !strings.ContainsAny(term, "ëïH") {
		return run(term)
	}
	out := run(strings.NewReplacer("ë", "He", "ï", "Hi").Replace(term))
	return strings.NewReplacer("Hi", "ï", "He", "ë", "H", "").Replace(out)
}
