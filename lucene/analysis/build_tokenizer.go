package analysis

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

func unsupported(component, name string) error {
	return fmt.Errorf("[%s] is a %s that Varve does not support", name, component)
}

// maxTokenLengthDefault is how long the tokens of whitespace, letter and similar tokenizers become.
const maxTokenLengthDefault = 255

func (b *builder) builtinTokenizer(name, typ string, s Settings, predefined bool) (func() tokenizer, error) {
	r := &reader{s: s}
	var z func() tokenizer
	switch typ {
	case "standard":
		n := r.int("max_token_length", DefaultMaxTokenLength)
		if n < 1 || n > 1<<20 {
			return nil, fmt.Errorf("maxTokenLength must be greater than zero and at most 1048576")
		}
		z = newStandardTokenizer(n)
	case "keyword":
		r.int("buffer_size", 256)
		z = newKeywordTokenizer
	case "whitespace":
		n := r.int("max_token_length", maxTokenLengthDefault)
		if n < 1 || n > 1<<20 {
			return nil, fmt.Errorf("maxTokenLen must be greater than 0 and less than 1048576 passed: %d", n)
		}
		z = newCharTokenizer(func(c rune) bool { return !isJavaWhitespace(c) }, false, n)
	case "letter":
		z = newCharTokenizer(unicode.IsLetter, false, maxTokenLengthDefault)
	case "lowercase":
		z = newCharTokenizer(unicode.IsLetter, true, maxTokenLengthDefault)
	case "classic":
		z = newClassicTokenizer(r.int("max_token_length", DefaultMaxTokenLength))
	case "ngram", "nGram", "edge_ngram", "edgeNGram":
		return b.ngramTokenizer(typ, r)
	case "char_group":
		return charGroupTokenizer(r)
	case "path_hierarchy", "PathHierarchy":
		return pathTokenizerOf(r)
	case "pattern":
		re, err := compileJavaRegex(s.str("pattern", `\W+`), s.str("flags", ""))
		if err != nil {
			return nil, err
		}
		group := r.int("group", -1)
		if group >= 0 && group > re.NumSubexp() {
			return nil, fmt.Errorf("invalid group specified: pattern only has: %d capturing groups", re.NumSubexp())
		}
		z = newPatternTokenizer(re, group)
	case "simple_pattern", "simple_pattern_split":
		if predefined {
			return nil, errNoSuch{name}
		}
		re, err := compileLuceneRegex(s.str("pattern", ""))
		if err != nil {
			return nil, err
		}
		z = newSimplePatternTokenizer(re, typ == "simple_pattern_split")
	case "uax_url_email", "thai":
		return nil, unsupported("tokenizer", typ)
	default:
		return nil, errNoSuch{name}
	}
	if r.err != nil {
		return nil, r.err
	}
	return z, nil
}

func (b *builder) ngramTokenizer(typ string, r *reader) (func() tokenizer, error) {
	edges := strings.HasPrefix(typ, "edge")
	lo, hi := r.int("min_gram", 1), r.int("max_gram", 2)
	keep, err := tokenChars(r.s)
	if err == nil {
		err = r.err
	}
	if err != nil {
		return nil, err
	}
	if !edges {
		if err := b.checkNGramDiff(lo, hi); err != nil {
			return nil, err
		}
	}
	if err := checkGrams(lo, hi); err != nil {
		return nil, err
	}
	return newNGramTokenizer(lo, hi, edges, keep), nil
}

func checkGrams(lo, hi int) error {
	if lo < 1 {
		return fmt.Errorf("minGram must be greater than zero")
	}
	if lo > hi {
		return fmt.Errorf("minGram must not be greater than maxGram")
	}
	return nil
}

func (b *builder) checkNGramDiff(lo, hi int) error {
	limit, err := b.settings.integer("max_ngram_diff", 1)
	if err != nil {
		return err
	}
	if hi-lo > limit {
		return fmt.Errorf("The difference between max_gram and min_gram in NGram Tokenizer must be less than or equal to: [%d] but was [%d]. "+
			"This limit can be set by changing the [index.max_ngram_diff] index level setting.", limit, hi-lo)
	}
	return nil
}

var charKinds = map[string]func(rune) bool{
	"letter": unicode.IsLetter, "digit": isDigit, "whitespace": isJavaWhitespace, "punctuation": isPunctuation, "symbol": isJavaSymbol,
}

// categoryNames are Java's names of Unicode's general categories.
var categoryNames = map[string]*unicode.RangeTable{
	"uppercase_letter": unicode.Lu, "lowercase_letter": unicode.Ll, "titlecase_letter": unicode.Lt, "modifier_letter": unicode.Lm, "other_letter": unicode.Lo,
	"non_spacing_mark": unicode.Mn, "enclosing_mark": unicode.Me, "combining_spacing_mark": unicode.Mc, "decimal_digit_number": unicode.Nd,
	"letter_number": unicode.Nl, "other_number": unicode.No, "space_separator": unicode.Zs, "line_separator": unicode.Zl, "paragraph_separator": unicode.Zp,
	"control": unicode.Cc, "format": unicode.Cf, "private_use": unicode.Co, "surrogate": unicode.Cs, "dash_punctuation": unicode.Pd,
	"start_punctuation": unicode.Ps, "end_punctuation": unicode.Pe, "connector_punctuation": unicode.Pc, "other_punctuation": unicode.Po,
	"math_symbol": unicode.Sm, "currency_symbol": unicode.Sc, "modifier_symbol": unicode.Sk, "other_symbol": unicode.So,
	"initial_quote_punctuation": unicode.Pi, "final_quote_punctuation": unicode.Pf,
}

// charKindNames lists what token_chars may name, as OpenSearch's message does.
const charKindNames = "[symbol, private_use, paragraph_separator, start_punctuation, unassigned, enclosing_mark, connector_punctuation, letter_number, " +
	"other_number, math_symbol, lowercase_letter, space_separator, surrogate, initial_quote_punctuation, decimal_digit_number, digit, other_punctuation, " +
	"dash_punctuation, currency_symbol, non_spacing_mark, custom, format, modifier_letter, control, uppercase_letter, other_symbol, end_punctuation, " +
	"modifier_symbol, other_letter, line_separator, titlecase_letter, letter, punctuation, combining_spacing_mark, final_quote_punctuation, whitespace]"

// tokenChars reads the kinds of characters that n-grams may hold; nil is all.
func tokenChars(s Settings) (func(rune) bool, error) {
	names := s.list("token_chars")
	if len(names) == 0 {
		return nil, nil
	}
	var kinds []func(rune) bool
	for _, name := range names {
		name = strings.TrimSpace(strings.ToLower(name))
		if name == "custom" {
			custom := s.str("custom_token_chars", "")
			if custom == "" {
				return nil, fmt.Errorf("Token type: 'custom' requires setting `custom_token_chars`")
			}
			kinds = append(kinds, func(r rune) bool { return strings.ContainsRune(custom, r) })
			continue
		}
		kind, ok := charKinds[name]
		if table := categoryNames[name]; table != nil {
			kind, ok = func(r rune) bool { return unicode.Is(table, r) }, true
		}
		if !ok {
			return nil, fmt.Errorf("Unknown token type: '%s', must be one of %s", name, charKindNames)
		}
		kinds = append(kinds, kind)
	}
	return func(r rune) bool {
		for _, k := range kinds {
			if k(r) {
				return true
			}
		}
		return false
	}, nil
}

func charGroupTokenizer(r *reader) (func() tokenizer, error) {
	chars := map[rune]bool{}
	var kinds []func(rune) bool
	for _, c := range r.s.list("tokenize_on_chars") {
		switch {
		case c == "":
			return nil, fmt.Errorf("[tokenize_on_chars] cannot contain empty characters")
		case utf16Len([]byte(c)) == 1:
			first, _ := utf8.DecodeRuneInString(c)
			chars[first] = true
		case c[0] == '\\':
			e, err := parseEscapedChar(c)
			if err != nil {
				return nil, err
			}
			chars[e] = true
		default:
			kind, ok := charKinds[c]
			if !ok {
				return nil, fmt.Errorf("Invalid escaped char in [%s]", c)
			}
			kinds = append(kinds, kind)
		}
	}
	n := r.int("max_token_length", maxTokenLengthDefault)
	if r.err != nil {
		return nil, r.err
	}
	return newCharTokenizer(func(c rune) bool {
		for _, k := range kinds {
			if k(c) {
				return false
			}
		}
		return !chars[c]
	}, false, n), nil
}

func parseEscapedChar(s string) (rune, error) {
	if len(s) < 2 {
		return 0, fmt.Errorf("Invalid escaped char in [%s]", s)
	}
	switch s[1] {
	case '\\':
		return '\\', nil
	case 'n':
		return '\n', nil
	case 't':
		return '\t', nil
	case 'r':
		return '\r', nil
	case 'b':
		return '\b', nil
	case 'f':
		return '\f', nil
	case 'u':
		if len(s) >= 6 {
			if n, err := strconv.ParseUint(s[2:], 16, 32); err == nil {
				return rune(n), nil
			}
		}
	}
	return 0, fmt.Errorf("Invalid escaped char in [%s]", s)
}

func pathTokenizerOf(r *reader) (func() tokenizer, error) {
	one := func(key, def string) (rune, error) {
		v := r.s.str(key, "")
		if v == "" {
			v = def
		}
		if utf16Len([]byte(v)) > 1 {
			return 0, fmt.Errorf("%s must be a one char value", key)
		}
		c, _ := utf8.DecodeRuneInString(v)
		return c, nil
	}
	delimiter, err := one("delimiter", "/")
	if err != nil {
		return nil, err
	}
	replacement, err := one("replacement", string(delimiter))
	if err != nil {
		return nil, err
	}
	r.int("buffer_size", 1024)
	skip, reverse := r.int("skip", 0), r.bool("reverse", false)
	if r.err != nil {
		return nil, r.err
	}
	if skip < 0 {
		return nil, fmt.Errorf("skip cannot be negative")
	}
	if reverse {
		return newReversePathTokenizer(delimiter, replacement, skip), nil
	}
	return newPathTokenizer(delimiter, replacement, skip), nil
}

func (b *builder) builtinCharFilter(name, typ string, s Settings, predefined bool) (*namedCharFilter, error) {
	if predefined && typ != "html_strip" {
		return nil, errNoSuch{name}
	}
	switch typ {
	case "html_strip":
		return nil, unsupported("character filter", typ)
	case "pattern_replace":
		if s.str("pattern", "") == "" {
			return nil, fmt.Errorf("pattern is missing for [%s] char filter of type 'pattern_replace'", name)
		}
		re, err := compileJavaRegex(s.str("pattern", ""), s.str("flags", ""))
		if err != nil {
			return nil, err
		}
		rep, err := parseReplacement(s.str("replacement", ""), re)
		if err != nil {
			return nil, err
		}
		return &namedCharFilter{charFilter: &patternCharFilter{re: re, rep: rep}, normalizing: true}, nil
	case "mapping":
		return mappingFilter(name, s)
	}
	return nil, errNoSuch{name}
}

func mappingFilter(name string, s Settings) (*namedCharFilter, error) {
	if s.has("mappings_path") {
		return nil, fmt.Errorf("[mappings_path] is not supported by Varve: give the rules with [mappings]")
	}
	if !s.has("mappings") {
		return nil, fmt.Errorf("mapping requires either `mappings` or `mappings_path` to be configured")
	}
	f := &mappingCharFilter{root: &mappingNode{}}
	var rules []string
	if v, ok := s["mappings"].(string); ok {
		rules = strings.Split(v, ",")
	} else {
		rules = s.list("mappings")
	}
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
		to, err := unescapeMapping(strings.TrimSpace(rule[at+2:]))
		if err != nil {
			return nil, err
		}
		if from == "" {
			return nil, fmt.Errorf("cannot match the empty string")
		}
		if !f.add(from, to) {
			return nil, fmt.Errorf("match \"%s\" was already added", from)
		}
	}
	return &namedCharFilter{charFilter: f, normalizing: true}, nil
}

// hashRule reports whether the rule maps the number sign, rather than being a comment.
func hashRule(rule string) bool {
	return strings.HasPrefix(strings.TrimLeft(strings.TrimPrefix(rule, "#"), " \t"), "=>")
}

func unescapeMapping(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		if i++; i >= len(s) {
			return "", fmt.Errorf("Invalid escaped char in [%s]", s)
		}
		switch s[i] {
		case '\\':
			b.WriteByte('\\')
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 'r':
			b.WriteByte('\r')
		case 'b':
			b.WriteByte('\b')
		case 'f':
			b.WriteByte('\f')
		case 'u':
			if i+4 >= len(s) {
				return "", fmt.Errorf("Invalid escaped char in [%s]", s)
			}
			n, err := strconv.ParseUint(s[i+1:i+5], 16, 32)
			if err != nil {
				return "", fmt.Errorf("Invalid escaped char in [%s]", s)
			}
			b.WriteRune(rune(n))
			i += 4
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), nil
}
