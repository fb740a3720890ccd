package analysis

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode"

	"github.com/varve-search/varve/lucene/analysis/stem"
)

// simple makes a filter without special behaviour.
func simple(name string, create func(tokenStream) tokenStream) *tokenFilter {
	return &tokenFilter{name: name, create: create}
}

// normalizing makes a filter that applies to single terms too.
func normalizing(name string, create func(tokenStream) tokenStream) *tokenFilter {
	return &tokenFilter{name: name, create: create, normal: create}
}

func termwise(f func([]byte) []byte) func(tokenStream) tokenStream {
	return func(in tokenStream) tokenStream { return &termFilter{filter: newFilter(in), f: f} }
}

func charwise(f func(rune) rune, ascii bool) func(tokenStream) tokenStream {
	return func(in tokenStream) tokenStream { return &mapFilter{filter: newFilter(in), f: f, ascii: ascii} }
}

func lowercase(in tokenStream) tokenStream { return &lowercaseFilter{newFilter(in)} }

func asciiFold(in tokenStream) tokenStream { return newASCIIFoldFilter(in, false) }

func stopper(words *wordSet) func(tokenStream) tokenStream {
	return func(in tokenStream) tokenStream { return newStopFilter(in, words) }
}

// mustFilter returns a built-in filter that needs no settings.
func mustFilter(name string) *tokenFilter {
	b := &builder{settings: Settings{}}
	f, err := b.builtinFilter(name, name, Settings{}, true)
	if err != nil {
		panic(err) // a name that this package itself misspells
	}
	return f
}

var frenchArticles = []string{"l", "m", "t", "qu", "n", "s", "j", "d", "c", "jusqu", "quoiqu", "lorsqu", "puisqu"}

// notPredefined are the filters that exist only with settings.
var notPredefined = map[string]bool{
	"keep": true, "keep_types": true, "keyword_marker": true, "pattern_capture": true, "pattern_replace": true, "stemmer_override": true,
	"synonym": true, "synonym_graph": true, "hunspell": true, "condition": true, "predicate_token_filter": true,
	"dictionary_decompounder": true, "hyphenation_decompounder": true,
}

func (b *builder) builtinFilter(name, typ string, s Settings, predefined bool) (*tokenFilter, error) {
	if predefined && notPredefined[typ] {
		return nil, errNoSuch{name}
	}
	r := &reader{s: s}
	f, err := b.filterOf(name, typ, r, predefined)
	if err == nil {
		err = r.err
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (b *builder) filterOf(name, typ string, r *reader, predefined bool) (*tokenFilter, error) {
	s := r.s
	switch typ {
	case "lowercase":
		switch lang := s.str("language", ""); strings.ToLower(lang) {
		case "":
			return normalizing(name, lowercase), nil
		case "greek":
			return normalizing(name, charwise(greekLower, true)), nil
		case "irish":
			return normalizing(name, termwise(irishLower)), nil
		case "turkish":
			return normalizing(name, termwise(turkishLower)), nil
		default:
			return nil, fmt.Errorf("language [%s] not support for lower case", lang)
		}
	case "uppercase":
		return normalizing(name, charwise(unicode.ToUpper, true)), nil
	case "asciifolding":
		preserve := r.bool("preserve_original", false)
		f := &tokenFilter{name: name, create: func(in tokenStream) tokenStream { return newASCIIFoldFilter(in, preserve) }, normal: asciiFold}
		if preserve {
			f.forSynonyms = normalizing(name, asciiFold)
		}
		return f, nil
	case "trim":
		return normalizing(name, termwise(trimTerm)), nil
	case "decimal_digit":
		return normalizing(name, charwise(decimalDigit, false)), nil
	case "cjk_width":
		return normalizing(name, termwise(cjkWidthTerm)), nil
	case "german_normalization":
		return normalizing(name, termwise(germanNormalize)), nil
	case "elision":
		if !predefined && !s.has("articles") && !s.has("articles_path") {
			return nil, fmt.Errorf("elision filter requires [articles] or [articles_path] setting")
		}
		ignoreCase := r.bool("articles_case", predefined)
		articles := newWordSet(frenchArticles, true)
		if !predefined {
			articles = newWordSet(s.list("articles"), ignoreCase)
			if s.has("articles_path") {
				return nil, fmt.Errorf("[articles_path] is not supported by Varve: give the words with [articles]")
			}
		}
		return normalizing(name, termwise(elisionTerm(articles))), nil
	case "pattern_replace":
		return patternReplaceOf(name, r)
	case "apostrophe":
		return simple(name, termwise(apostropheTerm)), nil
	case "reverse":
		return simple(name, termwise(reverseTerm)), nil
	case "classic":
		return simple(name, func(in tokenStream) tokenStream { return &classicFilter{newFilter(in)} }), nil
	case "truncate":
		n := r.int("length", -1)
		if predefined {
			n = 10
		}
		if n <= 0 {
			return nil, fmt.Errorf("length parameter must be provided")
		}
		return simple(name, termwise(truncateTerm(n))), nil
	case "length":
		lo, hi := r.int("min", 0), r.int("max", math.MaxInt32)
		return simple(name, func(in tokenStream) tokenStream {
			return newDropFilter(in, func(t *token) bool { n := utf16Len(t.Term); return n >= lo && n <= hi })
		}), nil
	case "stop":
		return stopOf(name, r)
	case "unique":
		same := r.bool("only_on_same_position", false)
		return &tokenFilter{name: name, create: func(in tokenStream) tokenStream { return newUniqueFilter(in, same) }, notForSynonyms: !predefined}, nil
	case "remove_duplicates":
		return simple(name, newRemoveDuplicates), nil
	case "limit":
		n, all := r.int("max_token_count", 1), r.bool("consume_all_tokens", false)
		if n < 1 {
			return nil, fmt.Errorf("maxTokenCount must be greater than zero")
		}
		return simple(name, func(in tokenStream) tokenStream { return &limitFilter{filter: newFilter(in), n: n, consumeAll: all} }), nil
	case "keyword_repeat":
		if !predefined {
			return nil, errNoSuch{name}
		}
		return &tokenFilter{name: name, create: func(in tokenStream) tokenStream { return &keywordRepeat{filter: newFilter(in)} }, notForSynonyms: true}, nil
	case "keyword_marker":
		return keywordMarkerOf(name, r)
	case "stemmer_override":
		return stemmerOverrideOf(name, r)
	case "keep":
		if !s.has("keep_words") {
			return nil, fmt.Errorf("keep requires either `keep_words` or `keep_words_path` to be configured")
		}
		words := newWordSet(s.list("keep_words"), r.bool("keep_words_case", false))
		return simple(name, func(in tokenStream) tokenStream {
			return newDropFilter(in, func(t *token) bool { return words.contains(t.Term) })
		}), nil
	case "keep_types":
		return keepTypesOf(name, r)
	case "fingerprint":
		n, sep := r.int("max_output_size", 255), s.str("separator", " ")
		if utf16Len([]byte(sep)) != 1 {
			return nil, fmt.Errorf("Setting [separator] must be a single, non-null character. [%s] was provided.", sep)
		}
		return &tokenFilter{name: name, create: func(in tokenStream) tokenStream {
			return &fingerprintFilter{filter: newFilter(in), max: n, separator: sep}
		}, notForSynonyms: !predefined}, nil
	case "flatten_graph":
		return simple(name, func(in tokenStream) tokenStream { return &flattenGraphFilter{filter: newFilter(in)} }), nil
	case "ngram", "edge_ngram", "nGram", "edgeNGram":
		return b.ngramFilterOf(name, typ, r, predefined)
	case "shingle":
		return b.shingleOf(name, r)
	case "cjk_bigram":
		return cjkBigramOf(name, r, predefined)
	case "word_delimiter", "word_delimiter_graph":
		return wordDelimiterOf(name, typ, r)
	case "pattern_capture":
		return patternCaptureOf(name, r)
	case "multiplexer":
		return multiplexerOf(name, r), nil
	case "synonym", "synonym_graph":
		return synonymOf(name, typ, r)
	case "porter_stem":
		return simple(name, newRuneStem(stem.Porter)), nil
	case "stemmer":
		return stemmerOf(name, s.str("language", s.str("name", "porter")))
	case "snowball":
		lang := s.str("language", s.str("name", "English"))
		return snowballOf(name, lang)
	case "dutch_stem", "french_stem", "russian_stem":
		return snowballOf(name, strings.TrimSuffix(typ, "_stem"))
	case "arabic_normalization", "arabic_stem", "bengali_normalization", "brazilian_stem", "common_grams", "condition", "czech_stem",
		"delimited_payload", "delimited_term_freq", "dictionary_decompounder", "german_stem", "hindi_normalization", "hunspell",
		"hyphenation_decompounder", "indic_normalization", "kstem", "min_hash", "persian_normalization", "predicate_token_filter",
		"scandinavian_folding", "scandinavian_normalization", "serbian_normalization", "sorani_normalization", "concatenate_graph":
		return nil, unsupported("token filter", typ)
	case "standard":
		return nil, fmt.Errorf("The [standard] token filter has been removed.")
	}
	return nil, errNoSuch{name}
}

func stopOf(name string, r *reader) (*tokenFilter, error) {
	ignoreCase, trailing := r.bool("ignore_case", false), r.bool("remove_trailing", true)
	if r.s.has("enable_position_increments") {
		return nil, fmt.Errorf("enable_position_increments is not supported anymore. Please fix your analysis chain")
	}
	words := r.words("stopwords", []string{"_english_"}, ignoreCase)
	if !trailing {
		return simple(name, func(in tokenStream) tokenStream { return &suggestStopFilter{filter: newFilter(in), stop: words} }), nil
	}
	return simple(name, stopper(words)), nil
}

func patternReplaceOf(name string, r *reader) (*tokenFilter, error) {
	if !r.s.has("pattern") {
		return nil, fmt.Errorf("pattern is missing for [%s] token filter of type 'pattern_replace'", name)
	}
	re, err := compileJavaRegex(r.s.str("pattern", ""), r.s.str("flags", ""))
	if err != nil {
		return nil, err
	}
	rep, err := parseReplacement(r.s.str("replacement", ""), re)
	if err != nil {
		return nil, err
	}
	all := r.bool("all", true)
	return normalizing(name, func(in tokenStream) tokenStream {
		return &patternReplaceFilter{filter: newFilter(in), re: re, rep: rep, all: all}
	}), nil
}

func keywordMarkerOf(name string, r *reader) (*tokenFilter, error) {
	ignoreCase := r.bool("ignore_case", false)
	if pattern := r.s.str("keywords_pattern", ""); pattern != "" {
		if r.s.has("keywords") || r.s.has("keywords_path") {
			return nil, fmt.Errorf("cannot specify both `keywords_pattern` and `keywords` or `keywords_path`")
		}
		re, err := compileJavaRegex(`\A(?:`+pattern+`)\z`, "")
		if err != nil {
			return nil, err
		}
		return simple(name, func(in tokenStream) tokenStream { return &keywordMarker{filter: newFilter(in), pattern: re} }), nil
	}
	if !r.s.has("keywords") {
		return nil, fmt.Errorf("keyword filter requires either `keywords`, `keywords_path`, or `keywords_pattern` to be configured")
	}
	words := newWordSet(r.s.list("keywords"), ignoreCase)
	return simple(name, func(in tokenStream) tokenStream { return &keywordMarker{filter: newFilter(in), words: words} }), nil
}

func stemmerOverrideOf(name string, r *reader) (*tokenFilter, error) {
	if !r.s.has("rules") {
		return nil, fmt.Errorf("stemmer override filter requires either `rules` or `rules_path` to be configured")
	}
	rules := map[string]string{}
	list, ok := r.s["rules"].([]string)
	if !ok {
		list = r.s.list("rules")
	}
	for i, rule := range list {
		sides := strings.Split(rule, "=>")
		if len(sides) != 2 || strings.TrimSpace(sides[1]) == "" || strings.Contains(sides[1], ",") {
			return nil, fmt.Errorf("Line [%d]: Invalid keyword override rule: %s", i+1, rule)
		}
		for _, key := range strings.Split(sides[0], ",") {
			if key = strings.TrimSpace(key); key == "" {
				return nil, fmt.Errorf("Line [%d]: Invalid keyword override rule: %s", i+1, rule)
			}
			if _, dup := rules[key]; !dup {
				rules[key] = strings.TrimSpace(sides[1])
			}
		}
	}
	return simple(name, func(in tokenStream) tokenStream { return &stemmerOverride{filter: newFilter(in), rules: rules} }), nil
}

func keepTypesOf(name string, r *reader) (*tokenFilter, error) {
	types := r.s.list("types")
	if len(types) == 0 {
		return nil, fmt.Errorf("keep_types requires `types` to be configured")
	}
	include := true
	switch mode := r.s.str("mode", "include"); mode {
	case "include":
	case "exclude":
		include = false
	default:
		return nil, fmt.Errorf("`keep_types` tokenfilter mode can only be [include] or [exclude] but was [%s].", mode)
	}
	set := map[string]bool{}
	for _, t := range types {
		set[t] = true
	}
	return simple(name, func(in tokenStream) tokenStream {
		return newDropFilter(in, func(t *token) bool { return set[t.Type] == include })
	}), nil
}

func (b *builder) ngramFilterOf(name, typ string, r *reader, predefined bool) (*tokenFilter, error) {
	edge := strings.HasPrefix(typ, "edge")
	if strings.Contains(typ, "NG") {
		return nil, fmt.Errorf("The [%s] token filter name was deprecated in 6.4 and cannot be used in new indices. Please change the filter name to [%s] instead.",
			typ, map[bool]string{true: "edge_ngram", false: "ngram"}[edge])
	}
	lo, hi := r.int("min_gram", 1), r.int("max_gram", 2)
	if predefined && edge {
		hi = 1
	}
	preserve := r.bool("preserve_original", false)
	if err := checkGrams(lo, hi); err != nil {
		return nil, err
	}
	f := &tokenFilter{name: name, notForSynonyms: true}
	if !edge {
		if err := b.checkNGramDiff(lo, hi); err != nil {
			return nil, err
		}
		f.create = func(in tokenStream) tokenStream { return newNGramFilter(in, lo, hi, false, preserve) }
		return f, nil
	}
	back := false
	switch side := strings.ToLower(r.s.str("side", "front")); side {
	case "front":
	case "back":
		back = true
	default:
		return nil, fmt.Errorf("invalid side: %s", side)
	}
	f.create = func(in tokenStream) tokenStream {
		if back {
			in = termwise(reverseTerm)(in)
		}
		in = newNGramFilter(in, lo, hi, true, preserve)
		if back {
			in = termwise(reverseTerm)(in)
		}
		return in
	}
	return f, nil
}

func (b *builder) shingleOf(name string, r *reader) (*tokenFilter, error) {
	hi, lo := r.int("max_shingle_size", 2), r.int("min_shingle_size", 2)
	unigrams, ifNone := r.bool("output_unigrams", true), r.bool("output_unigrams_if_no_shingles", false)
	sep, filler := r.s.str("token_separator", " "), r.s.str("filler_token", "_")
	limit, err := b.settings.integer("max_shingle_diff", 3)
	if err != nil {
		return nil, err
	}
	diff := hi - lo
	if unigrams {
		diff++
	}
	if diff > limit {
		return nil, fmt.Errorf("In Shingle TokenFilter the difference between max_shingle_size and min_shingle_size (and +1 if outputting unigrams)"+
			" must be less than or equal to: [%d] but was [%d]. This limit can be set by changing the [index.max_shingle_diff] index level setting.", limit, diff)
	}
	switch {
	case hi < 2:
		return nil, fmt.Errorf("Max shingle size must be >= 2")
	case lo < 2:
		return nil, fmt.Errorf("Min shingle size must be >= 2")
	case lo > hi:
		return nil, fmt.Errorf("Min shingle size must be <= max shingle size")
	}
	return &tokenFilter{name: name, notForSynonyms: true, create: func(in tokenStream) tokenStream {
		return newShingleFilter(in, lo, hi, unigrams, ifNone, sep, filler)
	}}, nil
}

func cjkBigramOf(name string, r *reader, predefined bool) (*tokenFilter, error) {
	types := map[string]bool{TypeIdeographic: true, TypeHiragana: true, TypeKatakana: true, TypeHangul: true}
	for _, script := range r.s.list("ignored_scripts") {
		typ, ok := map[string]string{"han": TypeIdeographic, "hiragana": TypeHiragana, "katakana": TypeKatakana, "hangul": TypeHangul}[script]
		if ok {
			delete(types, typ)
		}
	}
	unigrams := r.bool("output_unigrams", false)
	return &tokenFilter{name: name, notForSynonyms: unigrams && !predefined, create: func(in tokenStream) tokenStream {
		return &cjkBigramFilter{filter: newFilter(in), types: types, unigrams: unigrams}
	}}, nil
}

func wordDelimiterOf(name, typ string, r *reader) (*tokenFilter, error) {
	cfg := &wordDelimiterConfig{
		generateWords: r.bool("generate_word_parts", true), generateNumbers: r.bool("generate_number_parts", true),
		catenateWords: r.bool("catenate_words", false), catenateNumbers: r.bool("catenate_numbers", false),
		catenateAll: r.bool("catenate_all", false), splitOnCase: r.bool("split_on_case_change", true),
		preserve: r.bool("preserve_original", false), splitOnNumerics: r.bool("split_on_numerics", true),
		stemPossessive: r.bool("stem_english_possessive", true),
	}
	if r.s.has("protected_words") {
		cfg.protected = newWordSet(r.s.list("protected_words"), r.bool("protected_words_case", false))
	}
	if r.s.has("type_table") {
		table, err := parseTypeTable(r.s.list("type_table"))
		if err != nil {
			return nil, err
		}
		cfg.types = table
	}
	f := &tokenFilter{name: name, notForSynonyms: true}
	if typ == "word_delimiter" {
		f.create = func(in tokenStream) tokenStream { return newWordDelimiterFilter(in, cfg) }
		return f, nil
	}
	cfg.adjustOffsets = r.bool("adjust_offsets", true)
	cfg.ignoreKeywords = r.bool("ignore_keywords", false)
	f.create = func(in tokenStream) tokenStream { return newWordDelimiterGraphFilter(in, cfg) }
	return f, nil
}

func parseTypeTable(rules []string) (map[uint16]uint8, error) {
	table := map[uint16]uint8{}
	for i, rule := range rules {
		if strings.HasPrefix(rule, "#") && !hashRule(rule) {
			continue
		}
		at := strings.LastIndex(rule, "=>")
		if at < 0 {
			return nil, fmt.Errorf("Line [%d]: Invalid mapping rule : [%s]", i+1, rule)
		}
		from, err := unescapeMapping(strings.TrimSpace(rule[:at]))
		if err != nil {
			return nil, err
		}
		var typ uint8
		switch to := strings.TrimSpace(rule[at+2:]); to {
		case "LOWER":
			typ = wdLower
		case "UPPER":
			typ = wdUpper
		case "ALPHA":
			typ = wdAlpha
		case "DIGIT":
			typ = wdDigit
		case "ALPHANUM":
			typ = wdAlpha | wdDigit
		case "SUBWORD_DELIM":
			typ = wdDelimiter
		default:
			return nil, fmt.Errorf("Line [%d]: Invalid mapping rule: [%s]. Illegal type.", i+1, rule)
		}
		units := appendUTF16(nil, []byte(from))
		if len(units) != 1 {
			return nil, fmt.Errorf("Line [%d]: Invalid mapping rule: [%s]. Only a single character is allowed.", i+1, rule)
		}
		table[units[0]] = typ
	}
	return table, nil
}

func multiplexerOf(name string, r *reader) *tokenFilter {
	names, preserve := r.s.list("filters"), r.bool("preserve_original", true)
	f := &tokenFilter{name: name}
	if v, ok := r.s["filters"].([]string); ok {
		names = v
	}
	f.chain = func(b *builder, a *Analyzer) (*tokenFilter, error) {
		out := &tokenFilter{name: name, notForSynonyms: !preserve}
		if preserve {
			out.forSynonyms = identity
		}
		var chains [][]*tokenFilter
		if preserve {
			chains = append(chains, nil)
		}
		for _, spec := range names {
			var chain []*tokenFilter
			for _, part := range strings.Split(spec, ",") {
				part = strings.TrimSpace(part)
				if part == "" {
					continue
				}
				step, err := b.filter(part)
				if errors.As(err, new(errNoSuch)) {
					return nil, fmt.Errorf("Multiplexing filter [%s] refers to undefined tokenfilter [%s]", name, part)
				}
				if err == nil {
					step, err = b.link(step, a)
				}
				if err != nil {
					return nil, err
				}
				chain = append(chain, step)
			}
			chains = append(chains, chain)
		}
		out.create = func(in tokenStream) tokenStream { return newMultiplexFilter(in, chains) }
		return out, nil
	}
	return f
}

func synonymOf(name, typ string, r *reader) (*tokenFilter, error) {
	expand, lenient := r.bool("expand", true), r.bool("lenient", false)
	if r.s.has("synonyms_path") || r.s.has("synonyms_set") {
		return nil, fmt.Errorf("[synonyms_path] is not supported by Varve: give the rules with [synonyms]")
	}
	if !r.s.has("synonyms") {
		return nil, fmt.Errorf("synonym requires either `synonyms` or `synonyms_path` to be configured")
	}
	rules, ok := r.s["synonyms"].([]string)
	if !ok {
		rules = []string{r.s.str("synonyms", "")}
	}
	wordnet := r.s.str("format", "") == "wordnet"
	special := r.s.str("synonym_analyzer", "")
	f := &tokenFilter{name: name}
	f.chain = func(b *builder, a *Analyzer) (*tokenFilter, error) {
		var parsing *Analyzer
		if special != "" {
			var err error
			if parsing, err = b.builtinAnalyzer(special, special, Settings{}); err != nil {
				return nil, err
			}
			if def, ok := b.settings.groups("analysis.analyzer")[special]; ok {
				if parsing, err = b.analyzer(special, def); err != nil {
					return nil, err
				}
			}
			if parsing == nil {
				return nil, fmt.Errorf("analyzer [%s] has not been configured in mappings", special)
			}
		} else {
			parsing = newAnalyzer("synonyms", a.charFilters, a.tokenizer, nil)
			for _, before := range a.filters {
				switch {
				case before.notForSynonyms:
					return nil, fmt.Errorf("Token filter [%s] cannot be used to parse synonyms", before.name)
				case before.forSynonyms != nil:
					before = before.forSynonyms
				}
				parsing.filters = append(parsing.filters, before)
			}
		}
		p := &synonymParser{m: newSynonymMap(), expand: expand, lenient: lenient, analyze: analyzeRule(parsing)}
		line, err := p.read(rules, wordnet)
		if err != nil {
			return nil, fmt.Errorf("failed to build synonyms: Invalid synonym rule at line %d: %w", line, err)
		}
		out := &tokenFilter{name: name, forSynonyms: identity}
		out.create = func(in tokenStream) tokenStream {
			switch {
			case p.m.root.children == nil:
				return in
			case typ == "synonym_graph":
				return newSynonymGraphFilter(in, p.m)
			}
			return newSynonymFilter(in, p.m)
		}
		return out, nil
	}
	return f, nil
}

// read parses all rules; on an error it names the line.
func (p *synonymParser) read(rules []string, wordnet bool) (int, error) {
	var lines []string
	for _, r := range rules {
		lines = append(lines, strings.Split(r, "\n")...)
	}
	if wordnet {
		return p.wordnet(lines)
	}
	for i, line := range lines {
		if err := p.solr(strings.TrimSuffix(line, "\r")); err != nil {
			return i + 1, err
		}
	}
	return len(lines), nil
}

func snowballOf(name, lang string) (*tokenFilter, error) {
	key := strings.ToLower(lang)
	if key == "porter" {
		return simple(name, newRuneStem(stem.Porter)), nil
	}
	f, ok := stem.Snowball(key)
	if !ok {
		switch key {
		case "armenian", "basque", "catalan", "german2", "kp", "lithuanian", "lovins", "estonian", "greek", "hindi", "indonesian", "nepali", "serbian", "yiddish":
			return nil, fmt.Errorf("the Snowball stemmer [%s] is not supported by Varve", lang)
		}
		return nil, fmt.Errorf("Invalid stemmer class specified: %s", lang)
	}
	return simple(name, newSnowball(f)), nil
}

func stemmerOf(name, lang string) (*tokenFilter, error) {
	key := strings.ToLower(strings.ReplaceAll(lang, "_", ""))
	runes := map[string]stem.Func{
		"english": stem.Porter, "porter": stem.Porter, "minimalenglish": stem.MinimalEnglish,
		"lightgerman": stem.LightGerman, "minimalgerman": stem.MinimalGerman, "lightfrench": stem.LightFrench, "minimalfrench": stem.MinimalFrench,
		"lightspanish": stem.LightSpanish, "lightitalian": stem.LightItalian, "lightportuguese": stem.LightPortuguese,
	}
	switch f, ok := runes[key]; {
	case ok:
		return simple(name, newRuneStem(f)), nil
	case key == "possessiveenglish":
		return simple(name, possessive), nil
	case key == "porter2":
		return snowballOf(name, "english")
	case key == "arabic", key == "bengali", key == "brazilian", key == "bulgarian", key == "czech", key == "galician", key == "greek", key == "hindi",
		key == "indonesian", key == "latvian", key == "sorani", key == "kstem", strings.HasPrefix(key, "light"), strings.HasPrefix(key, "minimal"),
		key == "portugueserslp", key == "dutchkp", key == "kp":
		return nil, fmt.Errorf("the stemmer [%s] is not supported by Varve", lang)
	}
	return snowballOf(name, lang)
}

func possessive(in tokenStream) tokenStream {
	return &runeStemFilter{filter: newFilter(in), f: stem.PossessiveEnglish, always: true}
}
