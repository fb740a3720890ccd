package mapping

import (
	"fmt"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/dateformat"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/analysis"
)

// typeDef is a field type.
type typeDef struct {
	name   string
	kind   Kind
	params []*param
	legacy bool // merges and prints as the types do that OpenSearch did not move to parameters
	opaque bool // known, not built: the definition is kept verbatim
	// render prints the definition behind its type; nil prints the parameters in order.
	render func(f *Field, o *xcontent.Object)
	// resolve checks the parameters and fills the field's schema.
	resolve func(f *Field) error
	// parse adds the current value of the document to it.
	parse func(d *docParser, f *Field) error
	// arrays says that parse takes whole arrays.
	arrays bool
}

// Kind groups field types by how their values are encoded.
type Kind uint8

// The kinds of fields.
const (
	KindOpaque  Kind = iota // known but not built: no queries, no writes
	KindText                // analyzed text
	KindKeyword             // one term per value
	KindInteger             // byte, short, integer, token_count: 4-byte points
	KindLong                // 8-byte points
	KindUnsignedLong
	KindHalfFloat
	KindFloat
	KindDouble
	KindScaledFloat
	KindDate // milliseconds, or nanoseconds for date_nanos
	KindBoolean
	KindIP
	KindGeoPoint
	KindBinary
	KindRange
	KindFlatObject
	KindConstant
	KindMetadata
)

// Field is a field of a mapping: its definition, and how its values are indexed. It is immutable.
type Field struct {
	name   string // full path
	simple string
	def    *typeDef
	index  *Index
	set    map[string]any // parameters that were given
	multi  []*Field
	copyTo []string

	verbatim *xcontent.Object // of an opaque type
	broken   error            // why the field can be neither written nor searched

	// What follows from the parameters.
	schema      *lucene.FieldType
	searchable  bool
	docValues   bool
	stored      bool
	indexName   string // analyzers
	searchName  string
	quoteName   string
	indexer     *analysis.Analyzer
	searcher    *analysis.Analyzer
	quoter      *analysis.Analyzer
	normalizer  *analysis.Analyzer
	ignoreAbove int
	nullValue   any // decoded; nil without
	format      *dateformat.Formatter
	scaling     float64
	rangeOf     *rangeType
	prefixes    *Field // name._index_prefix
	phrases     *Field // name._index_phrase
	values      *Field // flat_object: name._value
	paths       *Field // flat_object: name._valueAndPath
	prefix      prefixConfig
}

// Name returns the full path of the field.
func (f *Field) Name() string { return f.name }

// Type returns the name of the type, such as "keyword".
func (f *Field) Type() string { return f.def.name }

// Kind returns the group of the type.
func (f *Field) Kind() Kind { return f.def.kind }

// Searchable tells whether the field is indexed: as terms or as points.
func (f *Field) Searchable() bool { return f.searchable }

// HasDocValues tells whether the field has a column.
func (f *Field) HasDocValues() bool { return f.docValues }

// Stored tells whether values are stored apart from _source.
func (f *Field) Stored() bool { return f.stored }

// Schema returns how the field is indexed; nil where nothing is. It must not be changed.
func (f *Field) Schema() *lucene.FieldType { return f.schema }

// Broken returns why the field can be neither written nor searched, or nil.
func (f *Field) Broken() error { return f.broken }

// Analyzer returns the analyzer of the field's text, nil for other types.
func (f *Field) Analyzer() *analysis.Analyzer { return f.indexer }

// SearchAnalyzer returns the analyzer of query text.
func (f *Field) SearchAnalyzer() *analysis.Analyzer { return f.searcher }

// SearchQuoteAnalyzer returns the analyzer of phrases in query text.
func (f *Field) SearchQuoteAnalyzer() *analysis.Analyzer { return f.quoter }

// Normalizer returns the normalizer of a keyword, or nil.
func (f *Field) Normalizer() *analysis.Analyzer { return f.normalizer }

// HasPositions tells whether phrases can be searched.
func (f *Field) HasPositions() bool {
	return f.schema != nil && f.schema.IndexOptions >= lucene.IndexDocsFreqsPositions
}

// HasNorms tells whether the field has norms.
func (f *Field) HasNorms() bool {
	return f.schema != nil && f.schema.IndexOptions != lucene.IndexNone && !f.schema.OmitNorms
}

// Similarity returns the name of the field's similarity, "" for the index's default.
func (f *Field) Similarity() string {
	s, _ := f.get("similarity").(string)
	return s
}

// Boost returns the field's boost, 1 by default.
func (f *Field) Boost() float64 {
	if n, ok := f.get("boost").(javaNumber); ok {
		return n.v
	}
	return 1
}

// PrefixField returns the sub-field of index_prefixes with its bounds, or nil.
func (f *Field) PrefixField() (sub *Field, minChars, maxChars int) {
	return f.prefixes, f.prefix.min, f.prefix.max
}

// PhraseField returns the sub-field of index_phrases, or nil.
func (f *Field) PhraseField() *Field { return f.phrases }

// FlatFields returns the fields of a flat_object that hold values, and values with their paths.
func (f *Field) FlatFields() (values, valuesAndPaths *Field) { return f.values, f.paths }

// DateFormat returns the format of dates, nil for other types.
func (f *Field) DateFormat() *dateformat.Formatter { return f.format }

// Nanos tells whether a date counts nanoseconds.
func (f *Field) Nanos() bool { return f.def.name == "date_nanos" }

// ScalingFactor returns the factor of a scaled_float.
func (f *Field) ScalingFactor() float64 { return f.scaling }

// Meta returns the parameter meta.
func (f *Field) Meta() map[string]string {
	m, _ := f.get("meta").(map[string]string)
	return m
}

// EagerGlobalOrdinals returns that switch.
func (f *Field) EagerGlobalOrdinals() bool { return f.bool("eager_global_ordinals") }

// Multi returns the multi-fields, sorted by name.
func (f *Field) Multi() []*Field { return f.multi }

// parseContext goes down the tree of a mapping that is read.
type parseContext struct {
	index   *Index
	path    string // of the object that fields are added to; "" at the root
	multi   bool   // within a multi-field
	lenient bool   // of an existing index: unknown types are kept
	format  string // format that a dynamic date was found by
}

func (c *parseContext) full(simple string) string {
	if c.path == "" {
		return simple
	}
	return c.path + "." + simple
}

// newField reads the definition of a field.
func newField(c *parseContext, def *typeDef, simple string, node *xcontent.Object) (*Field, error) {
	f := &Field{name: c.full(simple), simple: simple, def: def, index: c.index, set: map[string]any{}}
	if def.opaque {
		return newOpaque(f, node), nil
	}
	if c.format != "" && def.kind == KindDate {
		f.set["format"] = c.format
		f.set["print_format"], _, _ = strings.Cut(c.format, "||")
	}
	if err := f.parseParams(c, node); err != nil {
		return nil, err
	}
	if err := f.resolve(); err != nil {
		return nil, err
	}
	return f, nil
}

// resolve fills what follows from the parameters.
func (f *Field) resolve() error {
	f.searchable = f.bool("index")
	f.docValues = f.bool("doc_values")
	f.stored = f.bool("store")
	f.schema, f.prefixes, f.phrases = nil, nil, nil
	return f.def.resolve(f)
}

// stillEmpty reports whether the field leaves nothing in the index.
func (f *Field) stillEmpty() bool { return !f.searchable && !f.docValues && !f.stored }

// notBuilt is the error of whoever touches a field of an opaque type.
func (f *Field) notBuilt() error {
	return apierr.IllegalArgument("field [%s] is of type [%s], which Varve does not support: its mapping is kept, but it can be neither written nor searched", f.name, f.def.name)
}

// Usable returns an error where the field can be neither written nor searched.
func (f *Field) Usable() error {
	if f.def.opaque {
		return f.notBuilt()
	}
	if f.broken != nil {
		return apierr.IllegalArgument("field [%s] cannot be used: %v", f.name, f.broken).Because(f.broken)
	}
	return nil
}

// newOpaque keeps the definition of a type that is not built.
func newOpaque(f *Field, node *xcontent.Object) *Field {
	f.verbatim = node
	return f
}

func mergeOpaque(old, update *Field) (*Field, error) {
	a, err := old.verbatim.MarshalJSON()
	if err != nil {
		return nil, err
	}
	b, err := update.verbatim.MarshalJSON()
	if err != nil {
		return nil, err
	}
	if string(a) == string(b) {
		return old, nil
	}
	return nil, apierr.IllegalArgument("Mapper for [%s] conflicts with existing mapper:\n\tVarve does not support the type [%s] and cannot change its definition", old.name, old.def.name)
}

// opaqueTypes are the types of OpenSearch's own modules that are not built.
var opaqueTypes = []string{"wildcard", "join", "percolator", "completion", "rank_feature", "rank_features", "search_as_you_type", "geo_shape",
	"annotated_text", "murmur3", "derived", "star_tree", "semantic", "icu_collation_keyword"}

// pluginTypes exist in an index only if a plugin is installed: an existing index may have them.
func opaqueDef(name string) *typeDef {
	return &typeDef{name: name, kind: KindOpaque, opaque: true, resolve: func(*Field) error { return nil },
		parse: func(_ *docParser, f *Field) error { return f.notBuilt() }}
}

var typeDefs = map[string]*typeDef{}

func init() {
	for _, d := range []*typeDef{textType("text"), textType("match_only_text"), keywordType(), dateType("date"), dateType("date_nanos"), booleanType(),
		ipType(), binaryType(), geoPointType(), flatObjectType(), constantKeywordType(), tokenCountType()} {
		typeDefs[d.name] = d
	}
	for _, n := range numberTypes {
		typeDefs[n.name] = numberTypeDef(n)
	}
	for _, r := range rangeTypes {
		typeDefs[r.name] = rangeTypeDef(r)
	}
	for _, name := range opaqueTypes {
		typeDefs[name] = opaqueDef(name)
	}
}

// typeDef returns the definition of a type, nil if there is none. In an existing index every type exists.
func (ix *Index) typeDef(name string, lenient bool) *typeDef {
	if d := typeDefs[name]; d != nil {
		return d
	}
	if lenient {
		return opaqueDef(name)
	}
	return nil
}

func (f *Field) String() string { return fmt.Sprintf("%s[%s]", f.name, f.def.name) }
