package mapping

import (
	"encoding/json"
	"fmt"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene"
)

// prefixConfig is the parameter index_prefixes.
type prefixConfig struct{ min, max int }

func (p prefixConfig) String() string {
	return fmt.Sprintf("{ min_chars=%d, max_chars=%d }", p.min, p.max)
}

// frequencyFilter is the parameter fielddata_frequency_filter.
type frequencyFilter struct {
	min, max    javaNumber
	segmentSize int
}

func (f frequencyFilter) String() string {
	return fmt.Sprintf("{ min=%s, max=%s, min_segment_size=%d }", f.min, f.max, f.segmentSize)
}

var defaultFrequencyFilter = frequencyFilter{min: javaNumber{0, 64}, max: javaNumber{2147483647, 64}}

func parsePrefixes(c *parseContext, f *Field, v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	o, ok := v.(*xcontent.Object)
	if !ok {
		return nil, apierr.MapperParsing("[index_prefixes] must be an object, got [%s]", javaValue(v))
	}
	p := prefixConfig{2, 5}
	for _, m := range o.Members {
		n, err := nodeInt(m.Value)
		switch {
		case m.Key != "min_chars" && m.Key != "max_chars":
			return nil, apierr.MapperParsing("Mapping definition for [%s] has unsupported parameters:  [%s : %s]", f.simple, m.Key, javaValue(m.Value))
		case err != nil:
			return nil, err
		case m.Key == "min_chars":
			p.min = n
		default:
			p.max = n
		}
	}
	switch {
	case p.min > p.max:
		return nil, apierr.IllegalArgument("min_chars [%d] must be less than max_chars [%d]", p.min, p.max)
	case p.min < 1:
		return nil, apierr.IllegalArgument("min_chars [%d] must be greater than zero", p.min)
	case p.max >= 20:
		return nil, apierr.IllegalArgument("max_chars [%d] must be less than 20", p.max)
	}
	return p, nil
}

func parseFrequencyFilter(c *parseContext, f *Field, v any) (any, error) {
	o, ok := v.(*xcontent.Object)
	if !ok {
		return nil, apierr.MapperParsing("[fielddata_frequency_filter] must be an object, got [%s]", javaValue(v))
	}
	out := defaultFrequencyFilter
	for _, m := range o.Members {
		var err error
		switch m.Key {
		case "min":
			out.min.v, err = nodeFloat(m.Value)
		case "max":
			out.max.v, err = nodeFloat(m.Value)
		case "min_segment_size":
			out.segmentSize, err = nodeInt(m.Value)
		default:
			err = apierr.MapperParsing("Mapping definition for [%s] has unsupported parameters:  [%s : %s]", f.simple, m.Key, javaValue(m.Value))
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func textType(name string) *typeDef {
	options := oneOf("index_options", "positions", "docs", "freqs", "offsets")
	norms := normsParam(true)
	phrases := boolParam("index_phrases", false, false)
	prefixes := &param{name: "index_prefixes", nullable: true, def: constant(nil), parse: parsePrefixes, show: func(v any) any {
		p, ok := v.(prefixConfig)
		if !ok {
			return nil
		}
		return xcontent.Obj("min_chars", p.min, "max_chars", p.max)
	}, text: func(v any) string { return fmt.Sprint(javaString(v)) }}
	if name == "match_only_text" {
		options = oneOf("index_options", "docs")
		norms = normsParam(false)
		norms.valid = func(_ *Field, v any) error {
			if v == true {
				return apierr.MapperParsing("Norms cannot be enabled on for match_only_text field")
			}
			return nil
		}
		phrases.valid = func(_ *Field, v any) error {
			if v == true {
				return apierr.MapperParsing("Index phrases cannot be enabled on for match_only_text field. Use text field instead")
			}
			return nil
		}
		prefixes.valid = func(_ *Field, v any) error {
			if v != nil {
				return apierr.MapperParsing("Index prefixes cannot be enabled on for match_only_text field. Use text field instead")
			}
			return nil
		}
	}
	analyzer := analyzerParam("analyzer", false, constant("default"))
	search := analyzerParam("search_analyzer", true, func(f *Field) any {
		if n := f.index.searchDefault("default_search"); n != "" {
			return n
		}
		return f.get("analyzer")
	})
	quote := analyzerParam("search_quote_analyzer", true, func(f *Field) any {
		if n := f.index.searchDefault("default_search_quoted"); n != "" {
			return n
		}
		return f.get("search_analyzer")
	})
	analyzer.printed = func(f *Field, v any) bool {
		return f.configured(analyzer) || v != f.get("search_analyzer") || v != f.get("search_quote_analyzer")
	}
	search.printed = func(f *Field, v any) bool {
		return f.configured(search) || v != f.get("search_quote_analyzer")
	}
	return &typeDef{
		name: name, kind: KindText,
		params: []*param{
			boolParam("index", false, true), boolParam("store", false, false), options, norms,
			oneOf("term_vector", "no", "yes", "with_positions", "with_offsets", "with_positions_offsets", "with_positions_payloads", "with_positions_offsets_payloads"),
			analyzer, search, quote, similarityParam(), intParam("position_increment_gap", false, -1), boolParam("fielddata", true, false),
			{name: "fielddata_frequency_filter", updateable: true, def: constant(defaultFrequencyFilter), parse: parseFrequencyFilter, show: func(v any) any {
				f := v.(frequencyFilter)
				return xcontent.Obj("min", f.min, "max", f.max, "min_segment_size", f.segmentSize)
			}},
			boolParam("eager_global_ordinals", true, false), phrases, prefixes, boostParam(), metaParam(),
		},
		render:  renderText,
		resolve: resolveText,
		parse:   parseText,
	}
}

func renderText(f *Field, o *xcontent.Object) {
	f.renderNamed(o, "boost", "index", "store")
	f.renderMulti(o)
	f.renderCopyTo(o)
	f.renderNamed(o, "meta", "index_options", "term_vector", "norms", "analyzer", "search_analyzer", "search_quote_analyzer", "similarity",
		"eager_global_ordinals", "position_increment_gap", "fielddata", "fielddata_frequency_filter", "index_prefixes", "index_phrases")
}

var indexOptions = map[string]lucene.IndexOptions{"docs": lucene.IndexDocs, "freqs": lucene.IndexDocsAndFreqs,
	"positions": lucene.IndexDocsFreqsPositions, "offsets": lucene.IndexDocsFreqsPositionsOffsets}

func resolveText(f *Field) error {
	ft := &lucene.FieldType{OmitNorms: !f.bool("norms")}
	if f.searchable {
		ft.IndexOptions = indexOptions[f.str("index_options")]
	}
	switch tv := f.str("term_vector"); tv {
	case "no":
	default:
		ft.TermVectors = true
		ft.VectorPositions = tv == "with_positions" || tv == "with_positions_offsets" || tv == "with_positions_payloads" || tv == "with_positions_offsets_payloads"
		ft.VectorOffsets = tv == "with_offsets" || tv == "with_positions_offsets" || tv == "with_positions_offsets_payloads"
		ft.VectorPayloads = tv == "with_positions_payloads" || tv == "with_positions_offsets_payloads"
	}
	f.broken = nil
	f.indexName, f.searchName, f.quoteName = f.str("analyzer"), f.str("search_analyzer"), f.str("search_quote_analyzer")
	var err error
	if f.indexer, err = f.index.analyzer(f.indexName); err == nil {
		if f.searcher, err = f.index.analyzer(f.searchName); err == nil {
			f.quoter, err = f.index.analyzer(f.quoteName)
		}
	}
	if err != nil {
		f.broken = err
	}
	gap, _ := f.get("position_increment_gap").(int)
	if gap >= 0 {
		if f.def.name == "text" && ft.IndexOptions < lucene.IndexDocsFreqsPositions {
			return apierr.IllegalArgument("Cannot set position_increment_gap on field [%s] without positions enabled", f.simple)
		}
		ft.PositionGap = int32(gap)
	} else if f.indexer != nil {
		ft.PositionGap = int32(f.indexer.PositionIncrementGap())
	}
	if !f.searchable && f.bool("fielddata") {
		return apierr.IllegalArgument("Cannot enable fielddata on a [text] field that is not indexed: [%s]", f.name)
	}
	f.schema = ft
	if cfg, ok := f.get("index_prefixes").(prefixConfig); ok {
		if !f.searchable {
			return apierr.IllegalArgument("Cannot set index_prefixes on unindexed field [%s]", f.simple)
		}
		sub := *ft
		sub.OmitNorms = true
		if sub.IndexOptions == lucene.IndexDocsAndFreqs {
			sub.IndexOptions = lucene.IndexDocs
		}
		f.prefix = cfg
		f.prefixes = &Field{name: f.name + "._index_prefix", simple: f.simple + "._index_prefix", def: prefixDef, index: f.index, schema: &sub,
			searchable: true, searcher: f.searcher, quoter: f.quoter}
		if f.indexer != nil {
			f.prefixes.indexer = f.indexer.WithEdgeNGrams(cfg.min, cfg.max)
		}
	}
	if f.bool("index_phrases") {
		if !f.searchable {
			return apierr.IllegalArgument("Cannot set index_phrases on unindexed field [%s]", f.simple)
		}
		if ft.IndexOptions < lucene.IndexDocsFreqsPositions {
			return apierr.IllegalArgument("Cannot set index_phrases on field [%s] if positions are not enabled", f.simple)
		}
		sub := *ft
		if f.indexer != nil {
			sub.PositionGap = int32(f.indexer.OwnPositionIncrementGap())
		}
		f.phrases = &Field{name: f.name + "._index_phrase", simple: f.simple + "._index_phrase", def: phraseDef, index: f.index, schema: &sub,
			searchable: true, searcher: f.searcher, quoter: f.quoter}
		if f.indexer != nil {
			f.phrases.indexer = f.indexer.WithShingles()
		}
	}
	return nil
}

var (
	prefixDef = &typeDef{name: "prefix", kind: KindText}
	phraseDef = &typeDef{name: "phrase", kind: KindText}
)

func parseText(d *docParser, f *Field) error {
	value, ok, err := d.textOrNull()
	if err != nil || !ok {
		return err
	}
	if f.schema.IndexOptions == lucene.IndexNone && !f.stored {
		return nil
	}
	lf := lucene.Field{Name: f.name, Type: f.schema}
	if f.schema.IndexOptions != lucene.IndexNone {
		lf.Tokens = d.stream(f.indexer, value)
	}
	if f.stored {
		lf.Stored = lucene.StoredValue{Kind: lucene.StoredString, Bytes: value}
	}
	d.add(lf)
	if f.schema.OmitNorms {
		d.fieldName(f)
	}
	if f.prefixes != nil {
		d.add(lucene.Field{Name: f.prefixes.name, Type: f.prefixes.schema, Tokens: d.stream(f.prefixes.indexer, value)})
	}
	if f.phrases != nil {
		d.add(lucene.Field{Name: f.phrases.name, Type: f.phrases.schema, Tokens: d.stream(f.phrases.indexer, value)})
	}
	return nil
}

func keywordType() *typeDef {
	normalizer := stringParam("normalizer", false, "default")
	options := oneOf("index_options", "docs", "freqs")
	return &typeDef{
		name: "keyword", kind: KindKeyword,
		params: []*param{boolParam("index", false, true), boolParam("doc_values", false, true), boolParam("store", false, false), nullString("null_value"),
			boolParam("eager_global_ordinals", true, false), intParam("ignore_above", true, 2147483647), options, normsParam(false), similarityParam(),
			normalizer, boolParam("split_queries_on_whitespace", true, false), boostParam(), metaParam()},
		resolve: resolveKeyword,
		parse:   parseKeyword,
	}
}

func resolveKeyword(f *Field) error {
	ft := &lucene.FieldType{OmitNorms: !f.bool("norms")}
	if f.searchable {
		ft.IndexOptions = indexOptions[f.str("index_options")]
	}
	if f.docValues {
		ft.DocValuesType = lucene.DocValuesSortedSet
	}
	f.schema = ft
	f.ignoreAbove, _ = f.get("ignore_above").(int)
	f.nullValue = f.get("null_value")
	keyword, err := f.index.Analysis.Analyzer("keyword")
	if err != nil {
		return err
	}
	f.indexer, f.searcher, f.quoter = keyword, keyword, keyword
	f.broken = nil
	split := f.bool("split_queries_on_whitespace")
	if split {
		if f.searcher, err = f.index.Analysis.Analyzer("whitespace"); err != nil {
			return err
		}
	}
	if name := f.str("normalizer"); name != "default" {
		if !f.index.Analysis.HasNormalizer(name) {
			return apierr.MapperParsing("normalizer [%s] not found for field [%s]", name, f.simple)
		}
		f.normalizer, err = f.index.Analysis.Normalizer(name)
		if err != nil {
			f.broken = err
			return nil
		}
		f.indexer, f.searcher = f.normalizer, f.normalizer
		if split {
			f.searcher = f.normalizer.WithWhitespaceTokenizer()
		}
	}
	f.quoter = f.searcher
	return nil
}

func parseKeyword(d *docParser, f *Field) error {
	value, ok, err := d.textOrNull()
	if err != nil {
		return err
	}
	if !ok {
		s, is := f.nullValue.(string)
		if !is {
			return nil
		}
		value = []byte(s)
	}
	if len(value) > f.ignoreAbove && utf16Length(value) > f.ignoreAbove {
		return nil
	}
	if f.normalizer != nil {
		if value, err = f.NormalizeTerm(value); err != nil {
			return err
		}
	}
	if f.stillEmpty() {
		return nil
	}
	lf := lucene.Field{Name: f.name, Type: f.schema, Term: value, Bytes: value}
	if f.stored {
		lf.Stored = lucene.StoredValue{Kind: lucene.StoredBytes, Bytes: value}
	}
	d.add(lf)
	if (f.searchable || f.stored) && !f.docValues && f.schema.OmitNorms {
		d.fieldName(f)
	}
	return nil
}

// NormalizeTerm applies the normalizer of a keyword to a value.
func (f *Field) NormalizeTerm(value []byte) ([]byte, error) {
	if f.normalizer == nil {
		return value, nil
	}
	s := f.normalizer.Stream(value)
	defer s.Close()
	ok, err := s.Next()
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, apierr.New(400, "illegal_state_exception", "The normalization token stream is expected to produce exactly 1 token, but got 0 for analyzer %s and input \"%s\"",
			f.str("normalizer"), value)
	}
	out := append([]byte(nil), s.Token().Term...)
	if ok, err = s.Next(); err != nil || ok {
		return nil, apierr.New(400, "illegal_state_exception", "The normalization token stream is expected to produce exactly 1 token, but got 2+ for analyzer %s and input \"%s\"",
			f.str("normalizer"), value)
	}
	return out, nil
}

// utf16Length counts UTF-16 units.
func utf16Length(b []byte) int {
	n := 0
	for _, c := range b {
		switch {
		case c < 0x80 || c >= 0xC0 && c < 0xF0:
			n++
		case c >= 0xF0:
			n += 2
		}
	}
	return n
}

func constantKeywordType() *typeDef {
	value := stringParam("value", false, nil)
	return &typeDef{name: "constant_keyword", kind: KindConstant, params: []*param{value},
		resolve: func(f *Field) error {
			v, ok := f.set["value"]
			if !ok {
				return apierr.New(400, "parse_exception", "Field [%s] is missing required parameter [value]", f.simple)
			}
			f.nullValue = v
			f.searchable = true
			return nil
		},
		parse: func(d *docParser, f *Field) error {
			v, ok, err := d.textOrNull()
			if err != nil {
				return err
			}
			if !ok {
				return apierr.IllegalArgument("constant keyword field [%s] must have a value", f.name)
			}
			if string(v) != f.nullValue {
				return apierr.IllegalArgument("constant keyword field [%s] must have a value of [%s]", f.name, f.nullValue)
			}
			return nil
		}}
}

// ConstantValue returns the value of a constant_keyword.
func (f *Field) ConstantValue() string {
	s, _ := f.nullValue.(string)
	return s
}

func tokenCountType() *typeDef {
	analyzer := analyzerParam("analyzer", true, constant(nil))
	nullValue := &param{name: "null_value", nullable: true, def: constant(nil), parse: func(_ *parseContext, _ *Field, v any) (any, error) {
		if v == nil {
			return nil, nil
		}
		n, err := nodeInt(v)
		return json.Number(fmt.Sprint(n)), err
	}}
	return &typeDef{name: "token_count", kind: KindInteger,
		params: []*param{boolParam("index", false, true), boolParam("doc_values", false, true), boolParam("store", false, false), analyzer, nullValue,
			boolParam("enable_position_increments", false, true), metaParam()},
		resolve: func(f *Field) error {
			name, ok := f.get("analyzer").(string)
			if !ok {
				return apierr.MapperParsing("Analyzer must be set for field [%s] but wasn't.", f.simple)
			}
			f.broken = nil
			var err error
			if f.indexer, err = f.index.analyzer(name); err != nil {
				f.broken = err
			}
			f.schema = numberSchema(f, 4)
			return nil
		},
		parse: func(d *docParser, f *Field) error {
			value, ok, err := d.textOrNull()
			if err != nil {
				return err
			}
			n := int64(0)
			if ok {
				if n, err = countTokens(f, value); err != nil {
					return err
				}
			} else if num, is := f.get("null_value").(json.Number); is {
				n, _ = num.Int64()
			} else {
				return nil
			}
			d.number(f, n, intPoint(int32(n)), lucene.StoredValue{Kind: lucene.StoredInt, Num: n})
			return nil
		}}
}

func countTokens(f *Field, value []byte) (int64, error) {
	s := f.indexer.Stream(value)
	defer s.Close()
	n := int64(0)
	positions := f.bool("enable_position_increments")
	for {
		ok, err := s.Next()
		if err != nil {
			return 0, err
		}
		if !ok {
			break
		}
		if positions {
			n += int64(s.Token().PositionIncrement)
		} else {
			n += int64(min(1, s.Token().PositionIncrement))
		}
	}
	if _, inc := s.End(); positions {
		n += int64(inc)
	}
	return n, nil
}
