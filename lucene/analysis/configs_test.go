package analysis_test

func builtinNames() []string {
	return []string{"standard", "simple", "whitespace", "keyword", "stop", "pattern", "fingerprint", "english", "french", "german", "spanish", "italian",
		"portuguese", "danish", "dutch", "finnish", "hungarian", "norwegian", "romanian", "russian", "swedish", "irish", "turkish", "cjk", "chinese", "snowball"}
}

// testAnalysis is an index's analysis settings with an analyzer for every component and switch.
func testAnalysis() m {
	filters := m{
		"lower_greek": m{"type": "lowercase", "language": "greek"}, "lower_irish": m{"type": "lowercase", "language": "irish"},
		"lower_turkish": m{"type": "lowercase", "language": "turkish"},
		"fold_keep":     m{"type": "asciifolding", "preserve_original": true},
		"stop_case":     m{"type": "stop", "ignore_case": true, "stopwords": []string{"THE", "_german_", "was"}},
		"stop_trail":    m{"type": "stop", "remove_trailing": false}, "stop_none": m{"type": "stop", "stopwords": "_none_"},
		"len": m{"type": "length", "min": 2, "max": 5}, "trunc": m{"type": "truncate", "length": 3},
		"uniq_pos": m{"type": "unique", "only_on_same_position": true}, "lim": m{"type": "limit", "max_token_count": 3, "consume_all_tokens": true},
		"elis":    m{"type": "elision", "articles": []string{"L", "qu"}, "articles_case": true},
		"mark":    m{"type": "keyword_marker", "keywords": []string{"jumping", "Häuser"}, "ignore_case": true},
		"mark_re": m{"type": "keyword_marker", "keywords_pattern": "j.*|[0-9]+"},
		"over":    m{"type": "stemmer_override", "rules": []string{"jumping, backs => jump", "times=>time x"}},
		"prep":    m{"type": "pattern_replace", "pattern": "([a-z])(\\d)", "replacement": "$2-$1"},
		"prep1":   m{"type": "pattern_replace", "pattern": "[aeiou]", "replacement": "", "all": false},
		"pcap":    m{"type": "pattern_capture", "patterns": []string{"(\\p{Ll}+|\\p{Lu}\\p{Ll}+|\\p{Lu}+)", "(\\d+)"}},
		"pcap_no": m{"type": "pattern_capture", "preserve_original": false, "patterns": []string{"([a-z]+)(\\d*)"}},
		"cjk_uni": m{"type": "cjk_bigram", "output_unigrams": true}, "cjk_no": m{"type": "cjk_bigram", "ignored_scripts": []string{"han", "hangul"}},
		"keepw": m{"type": "keep", "keep_words": []string{"The", "fox", "times"}, "keep_words_case": true},
		"keept": m{"type": "keep_types", "types": []string{"<NUM>", "<IDEOGRAPHIC>"}}, "keept_x": m{"type": "keep_types", "mode": "exclude", "types": []string{"<NUM>"}},
		"fp": m{"type": "fingerprint", "max_output_size": 60, "separator": "+"},
		"ng": m{"type": "ngram", "min_gram": 2, "max_gram": 3}, "ng_keep": m{"type": "ngram", "min_gram": 3, "max_gram": 4, "preserve_original": true},
		"eng": m{"type": "edge_ngram", "min_gram": 1, "max_gram": 4}, "eng_keep": m{"type": "edge_ngram", "min_gram": 2, "max_gram": 3, "preserve_original": true},
		"eng_back": m{"type": "edge_ngram", "min_gram": 1, "max_gram": 3, "side": "back"},
		"sh3":      m{"type": "shingle", "min_shingle_size": 2, "max_shingle_size": 4}, "sh_no": m{"type": "shingle", "output_unigrams": false, "max_shingle_size": 3},
		"sh_if":    m{"type": "shingle", "output_unigrams": false, "output_unigrams_if_no_shingles": true, "min_shingle_size": 3, "max_shingle_size": 3, "token_separator": "", "filler_token": "*"},
		"wd_cat":   m{"type": "word_delimiter", "catenate_all": true, "catenate_words": true, "catenate_numbers": true},
		"wd_keep":  m{"type": "word_delimiter", "preserve_original": true, "split_on_numerics": false, "split_on_case_change": false},
		"wd_none":  m{"type": "word_delimiter", "generate_word_parts": false, "generate_number_parts": false, "catenate_words": true, "stem_english_possessive": false},
		"wd_tab":   m{"type": "word_delimiter", "type_table": []string{"_ => ALPHA", "- => ALPHANUM", "\\u002E => DIGIT"}, "protected_words": []string{"Wi-Fi", "O'Neil's"}},
		"wdg_cat":  m{"type": "word_delimiter_graph", "catenate_all": true, "catenate_words": true, "catenate_numbers": true},
		"wdg_keep": m{"type": "word_delimiter_graph", "preserve_original": true, "catenate_all": true}, "wdg_off": m{"type": "word_delimiter_graph", "adjust_offsets": false, "split_on_numerics": false},
		"wdg_none": m{"type": "word_delimiter_graph", "generate_word_parts": false, "generate_number_parts": false, "catenate_all": true, "preserve_original": true},
		"mux":      m{"type": "multiplexer", "filters": []string{"lowercase", "lowercase, porter_stem", "uppercase"}}, "mux_no": m{"type": "multiplexer", "preserve_original": false, "filters": []string{"reverse", "lowercase, eng"}},
		"syn": m{"type": "synonym", "synonyms": synonyms}, "syng": m{"type": "synonym_graph", "synonyms": synonyms},
		"syn_no": m{"type": "synonym", "synonyms": synonyms, "expand": false}, "syng_no": m{"type": "synonym_graph", "synonyms": synonyms, "expand": false},
		"syn_len": m{"type": "synonym_graph", "lenient": true, "synonyms": []string{"the, quick => fast", "fox, the", "big apple, new york city => nyc"}},
		"syn_wn":  m{"type": "synonym_graph", "format": "wordnet", "synonyms": []string{"s(100000001,1,'quick',v,1,0).", "s(100000001,2,'fast',v,1,0).", "s(100000002,1,'big apple',n,1,0).", "s(100000002,2,'new york',n,1,0)."}},
		"snow_fr": m{"type": "snowball", "language": "French"},
	}
	for _, lang := range stemmers {
		filters["stem_"+lang] = m{"type": "stemmer", "language": lang}
	}
	tokenizers := m{
		"std5": m{"type": "standard", "max_token_length": 5}, "std1": m{"type": "standard", "max_token_length": 1}, "ws5": m{"type": "whitespace", "max_token_length": 5}, "cls10": m{"type": "classic", "max_token_length": 10},
		"ng23": m{"type": "ngram", "min_gram": 2, "max_gram": 3, "token_chars": []string{"letter", "digit"}}, "ng_all": m{"type": "ngram", "min_gram": 1, "max_gram": 2},
		"ng_pun": m{"type": "ngram", "min_gram": 1, "max_gram": 3, "token_chars": []string{"punctuation", "symbol", "whitespace", "custom"}, "custom_token_chars": "+abc"},
		"en24":   m{"type": "edge_ngram", "min_gram": 2, "max_gram": 4, "token_chars": []string{"letter"}}, "en_all": m{"type": "edge_ngram", "min_gram": 1, "max_gram": 5},
		"cg": m{"type": "char_group", "tokenize_on_chars": []string{"whitespace", "-", "\\n", "punctuation"}}, "cg2": m{"type": "char_group", "tokenize_on_chars": []string{"letter", "symbol", "digit"}, "max_token_length": 4},
		"path_r": m{"type": "path_hierarchy", "reverse": true}, "path_s": m{"type": "path_hierarchy", "skip": 1, "delimiter": "-", "replacement": "|"},
		"path_rs": m{"type": "path_hierarchy", "skip": 1, "reverse": true, "delimiter": " ", "replacement": "_"},
		"pat":     m{"type": "pattern", "pattern": ",|\\s+"}, "pat_g": m{"type": "pattern", "pattern": "([a-z]+)'(\\w+)", "group": 1, "flags": "CASE_INSENSITIVE"}, "pat_0": m{"type": "pattern", "pattern": "\\d+", "group": 0},
		"sp": m{"type": "simple_pattern", "pattern": "[0123456789]{1,3}|[a-z]+x?"}, "sps": m{"type": "simple_pattern_split", "pattern": "[_ ]+|a"},
	}
	charFilters := m{
		"map":  m{"type": "mapping", "mappings": []string{"ß => ss", ":) => _happy_", "th => z", "the => T", "& => \\u0020and\\u0020", "ä=>", "👍 => up"}},
		"prc2": m{"type": "pattern_replace", "pattern": "([aeiou])", "replacement": "<$1$1>"}, "prc3": m{"type": "pattern_replace", "pattern": "\\s+\\w", "replacement": ""},
	}
	charFilters["prc"] = m{"type": "pattern_replace", "pattern": "(\\d+)[-.]", "replacement": "$1_"}
	analyzers := m{}
	for name := range filters {
		analyzers["f_"+name] = m{"tokenizer": "standard", "filter": []string{name}}
		analyzers["w_"+name] = m{"tokenizer": "whitespace", "filter": []string{name}}
	}
	for _, name := range []string{"syn", "syng", "syn_no", "syng_no", "syn_wn"} {
		analyzers["l_"+name] = m{"tokenizer": "standard", "filter": []string{"lowercase", name}}
		analyzers["lf_"+name] = m{"tokenizer": "standard", "filter": []string{"lowercase", name, "flatten_graph"}}
		analyzers["ls_"+name] = m{"tokenizer": "standard", "filter": []string{"lowercase", name, "stop", "porter_stem"}}
	}
	for _, name := range []string{"lowercase", "uppercase", "asciifolding", "stop", "trim", "reverse", "unique", "porter_stem", "stemmer", "snowball", "apostrophe", "decimal_digit",
		"cjk_width", "cjk_bigram", "german_normalization", "elision", "truncate", "length", "limit", "keyword_repeat", "remove_duplicates", "flatten_graph", "fingerprint", "shingle",
		"ngram", "edge_ngram", "word_delimiter", "word_delimiter_graph", "classic", "dutch_stem", "french_stem", "russian_stem"} {
		analyzers["p_"+name] = m{"tokenizer": "standard", "filter": []string{name}}
		analyzers["k_"+name] = m{"tokenizer": "keyword", "filter": []string{name}}
		analyzers["pw_"+name] = m{"tokenizer": "whitespace", "filter": []string{"lowercase", "stop", name}}
	}
	for name := range tokenizers {
		analyzers["t_"+name] = m{"tokenizer": name}
		analyzers["tc_"+name] = m{"tokenizer": name, "char_filter": []string{"map", "prc2"}}
	}
	for _, name := range []string{"standard", "whitespace", "keyword", "letter", "lowercase", "classic", "ngram", "edge_ngram", "path_hierarchy", "pattern"} {
		analyzers["b_"+name] = m{"tokenizer": name}
		analyzers["bc_"+name] = m{"tokenizer": name, "char_filter": []string{"map"}}
	}
	for name := range charFilters {
		analyzers["c_"+name] = m{"tokenizer": "standard", "char_filter": []string{name}}
		analyzers["ck_"+name] = m{"tokenizer": "keyword", "char_filter": []string{name}}
	}
	for k, v := range (m{
		"x_english":    m{"type": "english", "stopwords": []string{"fox", "dogs"}, "stem_exclusion": []string{"jumping"}},
		"x_standard":   m{"type": "standard", "stopwords": "_english_", "max_token_length": 6},
		"x_pattern":    m{"type": "pattern", "pattern": "[^a-z]+", "lowercase": false, "stopwords": []string{"the"}},
		"x_finger":     m{"type": "fingerprint", "separator": "|", "stopwords": "_english_", "max_output_size": 100},
		"x_gap":        m{"tokenizer": "standard", "position_increment_gap": 7, "offset_gap": 3},
		"x_repeat":     m{"tokenizer": "standard", "filter": []string{"lowercase", "keyword_repeat", "porter_stem", "remove_duplicates"}},
		"x_wdgflat":    m{"tokenizer": "whitespace", "filter": []string{"wdg_keep", "flatten_graph", "lowercase"}},
		"x_wdgcatflat": m{"tokenizer": "whitespace", "filter": []string{"wdg_cat", "stop", "flatten_graph"}},
		"x_chain":      m{"tokenizer": "standard", "char_filter": []string{"map", "prc", "prc2"}, "filter": []string{"lowercase", "asciifolding", "stop", "sh3"}},
		"x_gram":       m{"tokenizer": "standard", "filter": []string{"lowercase", "stop", "eng", "len"}},
		"x_markstem":   m{"tokenizer": "standard", "filter": []string{"mark", "over", "porter_stem", "stem_german"}},
		"x_snow":       m{"type": "snowball", "language": "German"},
	}) {
		analyzers[k] = v
	}
	return m{"filter": filters, "tokenizer": tokenizers, "char_filter": charFilters, "analyzer": analyzers}
}

var synonyms = []string{"# comment", "", "quick, fast, speedy", "new york city, big apple => nyc", "usa, united states, united states of america", "dns => domain name system",
	"fox => wolf, big bad wolf", "wi fi, wireless network", "lazy\\, dogs, couch potato", "age of wisdom, best of times", "times, time, times"}

var stemmers = []string{"english", "porter2", "minimal_english", "possessive_english", "light_german", "minimal_german", "german", "french", "light_french", "minimal_french",
	"spanish", "light_spanish", "italian", "light_italian", "portuguese", "light_portuguese", "danish", "dutch", "finnish", "hungarian", "norwegian", "romanian",
	"russian", "swedish", "irish", "turkish"}
