package analysis

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/varve-search/varve/lucene/analysis/stem"
)

// analyzer builds an analyzer that the settings define.
func (b *builder) analyzer(name string, s Settings) (*Analyzer, error) {
	typ := s.str("type", "")
	if typ == "" && !s.has("tokenizer") {
		return nil, fmt.Errorf("analyzer [%s] must specify either an analyzer type, or a tokenizer", name)
	}
	if typ == "" || typ == "custom" {
		return b.customAnalyzer(name, s)
	}
	a, err := b.builtinAnalyzer(name, typ, s)
	if err == nil && a == nil {
		err = fmt.Errorf("Unknown analyzer type [%s] for [%s]", typ, name)
	}
	return a, err
}

func (b *builder) customAnalyzer(name string, s Settings) (*Analyzer, error) {
	r := &reader{s: s}
	a := newAnalyzer(name, nil, nil, nil)
	a.custom = true
	a.posIncGap = r.int("position_increment_gap", DefaultPositionIncrementGap)
	a.offsetGap = r.int("offset_gap", 1)
	if r.err != nil {
		return nil, r.err
	}
	tz := s.str("tokenizer", "")
	if tz == "" {
		return nil, fmt.Errorf("Custom Analyzer [%s] must be configured with a tokenizer", name)
	}
	var err error
	a.tokenizer, err = b.tokenizer(tz)
	if errors.As(err, new(errNoSuch)) {
		return nil, fmt.Errorf("Custom Analyzer [%s] failed to find tokenizer under name [%s]", name, tz)
	}
	if err != nil {
		return nil, err
	}
	for _, n := range s.list("char_filter") {
		f, err := b.charFilter(n)
		if errors.As(err, new(errNoSuch)) {
			return nil, fmt.Errorf("Custom Analyzer [%s] failed to find char_filter under name [%s]", name, n)
		}
		if err != nil {
			return nil, err
		}
		a.charFilters = append(a.charFilters, f)
		if f.normalizing {
			a.normalCharFilters = append(a.normalCharFilters, f)
		}
	}
	for _, n := range s.list("filter") {
		f, err := b.filter(n)
		if errors.As(err, new(errNoSuch)) {
			return nil, fmt.Errorf("Custom Analyzer [%s] failed to find filter under name [%s]", name, n)
		}
		if err == nil {
			f, err = b.link(f, a)
		}
		if err != nil {
			return nil, err
		}
		a.addFilter(f)
	}
	return a, nil
}

// normalizer builds a normalizer that the settings define.
func (b *builder) normalizer(name string, s Settings) (*Analyzer, error) {
	switch typ := s.str("type", "custom"); typ {
	case "custom":
	case "lowercase":
		a := newAnalyzer(name, nil, newKeywordTokenizer, nil)
		a.addFilter(mustFilter("lowercase"))
		return a, nil
	default:
		return nil, fmt.Errorf("Unknown normalizer type [%s] for [%s]", typ, name)
	}
	if s.has("tokenizer") {
		return nil, fmt.Errorf("Custom normalizer [%s] cannot configure a tokenizer", name)
	}
	a := newAnalyzer(name, nil, newKeywordTokenizer, nil)
	for _, n := range s.list("char_filter") {
		f, err := b.charFilter(n)
		if errors.As(err, new(errNoSuch)) {
			return nil, fmt.Errorf("Custom normalizer [%s] failed to find char_filter under name [%s]", name, n)
		}
		if err != nil && n != "html_strip" {
			return nil, err
		}
		if f == nil || !f.normalizing {
			return nil, fmt.Errorf("Custom normalizer [%s] may not use char filter [%s]", name, n)
		}
		a.charFilters = append(a.charFilters, f)
		a.normalCharFilters = append(a.normalCharFilters, f)
	}
	for _, n := range s.list("filter") {
		f, err := b.filter(n)
		if errors.As(err, new(errNoSuch)) {
			return nil, fmt.Errorf("Custom Analyzer [%s] failed to find filter under name [%s]", name, n)
		}
		if err != nil {
			return nil, err
		}
		if f.normal == nil {
			return nil, fmt.Errorf("Custom normalizer [%s] may not use filter [%s]", name, n)
		}
		a.addFilter(f)
	}
	return a, nil
}

// language describes an analyzer of the usual shape: standard tokenizer, lower case, stop words, stemmer.
type language struct {
	before    []*tokenFilter // in front of lower case
	lower     *tokenFilter   // nil: plain lower case
	after     []*tokenFilter // behind the stop words
	overrides map[string]string
	stemmer   func(tokenStream) tokenStream
}

func articles(words ...string) []*tokenFilter {
	return []*tokenFilter{normalizing("elision", termwise(elisionTerm(newWordSet(words, true))))}
}

func snowballStemmer(lang string) func(tokenStream) tokenStream {
	f, _ := stem.Snowball(lang)
	return newSnowball(f)
}

var languages = map[string]func() language{
	"english": func() language {
		return language{before: []*tokenFilter{simple("possessive", possessive)}, stemmer: newRuneStem(stem.Porter)}
	},
	"french": func() language {
		return language{before: articles(frenchArticles...), stemmer: newRuneStem(stem.LightFrench)}
	},
	"german": func() language {
		return language{after: []*tokenFilter{normalizing("german_normalization", termwise(germanNormalize))}, stemmer: newRuneStem(stem.LightGerman)}
	},
	"spanish": func() language { return language{stemmer: newRuneStem(stem.LightSpanish)} },
	"italian": func() language {
		return language{before: articles("c", "l", "all", "dall", "dell", "nell", "sull", "coll", "pell", "gl", "agl", "dagl", "degl", "negl", "sugl", "un", "m", "t", "s", "v", "d"),
			stemmer: newRuneStem(stem.LightItalian)}
	},
	"portuguese": func() language { return language{stemmer: newRuneStem(stem.LightPortuguese)} },
	"danish":     func() language { return language{stemmer: snowballStemmer("danish")} },
	"dutch": func() language {
		return language{overrides: map[string]string{"fiets": "fiets", "bromfiets": "bromfiets", "ei": "eier", "kind": "kinder"}, stemmer: snowballStemmer("dutch")}
	},
	"finnish":   func() language { return language{stemmer: snowballStemmer("finnish")} },
	"hungarian": func() language { return language{stemmer: snowballStemmer("hungarian")} },
	"norwegian": func() language { return language{stemmer: snowballStemmer("norwegian")} },
	"romanian":  func() language { return language{stemmer: snowballStemmer("romanian")} },
	"russian":   func() language { return language{stemmer: snowballStemmer("russian")} },
	"swedish":   func() language { return language{stemmer: snowballStemmer("swedish")} },
	"irish": func() language {
		return language{before: append([]*tokenFilter{simple("hyphenations", stopper(newWordSet([]string{"h", "n", "t"}, true)))}, articles("d", "m", "b")...),
			lower: normalizing("lowercase", termwise(irishLower)), stemmer: snowballStemmer("irish")}
	},
	"turkish": func() language {
		return language{before: []*tokenFilter{simple("apostrophe", termwise(apostropheTerm))}, lower: normalizing("lowercase", termwise(turkishLower)),
			stemmer: snowballStemmer("turkish")}
	},
}

var unsupportedAnalyzers = map[string]bool{"arabic": true, "armenian": true, "basque": true, "bengali": true, "brazilian": true, "bulgarian": true,
	"catalan": true, "czech": true, "estonian": true, "galician": true, "greek": true, "hindi": true, "indonesian": true, "latvian": true,
	"lithuanian": true, "persian": true, "sorani": true, "thai": true, "standard_html_strip": true}

// builtinAnalyzer builds an analyzer of a built-in type; nil without an error where there is no such type.
func (b *builder) builtinAnalyzer(name, typ string, s Settings) (*Analyzer, error) {
	r := &reader{s: s}
	a := newAnalyzer(name, nil, nil, nil)
	if lang, ok := languages[typ]; ok {
		lang().build(a, typ, r)
		return a, r.err
	}
	if unsupportedAnalyzers[typ] {
		return nil, unsupported("analyzer", typ)
	}
	stop := func(def ...string) {
		a.addFilter(simple("stop", stopper(r.words("stopwords", def, r.bool("stopwords_case", false)))))
	}
	lower := func() { a.addFilter(mustFilter("lowercase")) }
	switch typ {
	case "standard", "default":
		n := r.int("max_token_length", DefaultMaxTokenLength)
		if n < 1 || n > 1<<20 {
			return nil, fmt.Errorf("maxTokenLength must be greater than zero and at most 1048576")
		}
		a.tokenizer = newStandardTokenizer(n)
		lower()
		stop()
	case "simple":
		a.tokenizer, _ = b.builtinTokenizer("lowercase", "lowercase", Settings{}, true)
		a.normalFilters = []*tokenFilter{mustFilter("lowercase")}
	case "stop":
		a.tokenizer, _ = b.builtinTokenizer("lowercase", "lowercase", Settings{}, true)
		a.normalFilters = []*tokenFilter{mustFilter("lowercase")}
		stop("_english_")
	case "whitespace":
		a.tokenizer, _ = b.builtinTokenizer("whitespace", "whitespace", Settings{}, true)
	case "keyword":
		a.tokenizer = newKeywordTokenizer
	case "chinese":
		a.tokenizer = newStandardTokenizer(DefaultMaxTokenLength)
		lower()
		stop("_english_")
	case "cjk":
		a.tokenizer = newStandardTokenizer(DefaultMaxTokenLength)
		a.addFilter(mustFilter("cjk_width"))
		lower()
		a.addFilter(mustFilter("cjk_bigram"))
		stop(namedStopWords()["_cjk_"]...)
	case "fingerprint":
		if err := fingerprintAnalyzer(a, r); err != nil {
			return nil, err
		}
	case "pattern":
		re, err := compileJavaRegex(s.str("pattern", `\W+`), s.str("flags", ""))
		if err != nil {
			return nil, err
		}
		patternAnalyzer(a, re, r)
	case "snowball":
		if err := snowballAnalyzer(a, r); err != nil {
			return nil, err
		}
	default:
		return nil, nil
	}
	return a, r.err
}

func (l language) build(a *Analyzer, name string, r *reader) {
	a.tokenizer = newStandardTokenizer(DefaultMaxTokenLength)
	for _, f := range l.before {
		a.addFilter(f)
	}
	if l.lower == nil {
		l.lower = mustFilter("lowercase")
	}
	a.addFilter(l.lower)
	a.addFilter(simple("stop", stopper(r.words("stopwords", []string{"_" + name + "_"}, r.bool("stopwords_case", false)))))
	if r.s.has("stem_exclusion") && r.s.str("stem_exclusion", "") != "_none_" {
		words := newWordSet(r.s.list("stem_exclusion"), false)
		a.addFilter(simple("keyword_marker", func(in tokenStream) tokenStream { return &keywordMarker{filter: newFilter(in), words: words} }))
	}
	for _, f := range l.after {
		a.addFilter(f)
	}
	if l.overrides != nil {
		a.addFilter(simple("stemmer_override", func(in tokenStream) tokenStream { return &stemmerOverride{filter: newFilter(in), rules: l.overrides} }))
	}
	a.addFilter(simple("stemmer", l.stemmer))
}

func fingerprintAnalyzer(a *Analyzer, r *reader) error {
	n, sep := r.int("max_output_size", 255), r.s.str("separator", " ")
	if utf16Len([]byte(sep)) != 1 {
		return fmt.Errorf("Setting [separator] must be a single, non-null character. [%s] was provided.", sep)
	}
	a.tokenizer = newStandardTokenizer(DefaultMaxTokenLength)
	a.addFilter(mustFilter("lowercase"))
	a.addFilter(normalizing("asciifolding", asciiFold))
	a.addFilter(simple("stop", stopper(r.words("stopwords", nil, r.bool("stopwords_case", false)))))
	a.addFilter(simple("fingerprint", func(in tokenStream) tokenStream {
		return &fingerprintFilter{filter: newFilter(in), max: n, separator: sep}
	}))
	return nil
}

func patternAnalyzer(a *Analyzer, re *regexp.Regexp, r *reader) {
	a.tokenizer = newPatternTokenizer(re, -1)
	if r.bool("lowercase", true) {
		a.addFilter(mustFilter("lowercase"))
	}
	a.addFilter(simple("stop", stopper(r.words("stopwords", nil, r.bool("stopwords_case", false)))))
}

func snowballAnalyzer(a *Analyzer, r *reader) error {
	lang := r.s.str("language", r.s.str("name", "English"))
	defaults := map[string]string{"english": "_english_", "dutch": "_dutch_", "german": "_german_", "french": "_french_"}[strings.ToLower(lang)]
	stemmer, err := snowballOf("snowball", lang)
	if err != nil {
		return err
	}
	a.tokenizer = newStandardTokenizer(DefaultMaxTokenLength)
	if lang == "English" || lang == "Porter" || lang == "Lovins" {
		a.addFilter(simple("possessive", possessive))
	}
	a.addFilter(mustFilter("lowercase"))
	var def []string
	if defaults != "" {
		def = []string{defaults}
	}
	a.addFilter(simple("stop", stopper(r.words("stopwords", def, r.bool("stopwords_case", false)))))
	a.addFilter(stemmer)
	return nil
}
