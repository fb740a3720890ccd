package query

import (
	"strconv"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/mapping"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/lucene/search"
)

// Limits of OpenSearch where neither index nor cluster says otherwise.
const (
	DefaultMaxTerms       = 65536 // index.max_terms_count
	DefaultMaxRegexLength = 1000  // index.max_regex_length
)

// Context is the index that a query is bound to, for one request. It must not be changed once it is used.
type Context struct {
	Mapping *mapping.Mapping
	// Index is the name of the index, and Aliases are its other names; the field _index matches any of them.
	Index   string
	UUID    string
	Aliases []string
	// Now is the time of the request; nil: time.Now.
	Now func() time.Time
	// ForbidExpensive is the opposite of search.allow_expensive_queries.
	ForbidExpensive bool
	MaxClauses      int // indices.query.bool.max_clause_count; 0: 1024
	MaxTerms        int // index.max_terms_count; 0: DefaultMaxTerms
	MaxRegexLength  int // index.max_regex_length; 0: DefaultMaxRegexLength
	// DefaultFields is index.query.default_field; nil: all fields.
	DefaultFields []string
	// Lenient is index.query_string.lenient.
	Lenient bool
	// ForbidLeadingWildcard is the opposite of indices.query.query_string.allowLeadingWildcard.
	ForbidLeadingWildcard bool
	// Similarities are those that the index defines by name; "default" replaces BM25.
	Similarities map[string]search.Similarity
	// WideSort is set for indices from before OpenSearch 2.7: small integers sort as longs there, which shows where
	// documents lack a value.
	WideSort bool
	// From3 is set for indices that OpenSearch 3 created: they are scored as it does, keywords with a constant and text by
	// BM25 without the factor that 2.x has.
	From3 bool
	// TermsLookup fetches the values of a field of a document for a terms query; nil: such queries are refused.
	TermsLookup func(l TermsLookup) ([]any, error)

	// Searcher returns the searcher that the request runs on; needed by sorts on nested documents only.
	Searcher func() *search.Searcher

	parents *search.ParentFilter
	scope   string // the nested object whose documents are sought; "" for roots
}

// TermsLookup says where the values of a terms query are.
type TermsLookup struct {
	Index, ID, Path, Routing string
}

// NewContext returns the Context of an index with its flat settings.
func NewContext(m *mapping.Mapping, index, uuid string, aliases []string, s settings.Settings) (*Context, error) {
	c := &Context{Mapping: m, Index: index, UUID: uuid, Aliases: aliases, parents: search.NewParentFilter(rootDocuments)}
	var err error
	if c.MaxTerms, err = s.Int("index.max_terms_count", DefaultMaxTerms); err != nil {
		return nil, err
	}
	if c.MaxRegexLength, err = s.Int("index.max_regex_length", DefaultMaxRegexLength); err != nil {
		return nil, err
	}
	if c.Lenient, err = s.Bool("index.query_string.lenient", false); err != nil {
		return nil, err
	}
	c.DefaultFields = s.List("index.query.default_field")
	created := s.GetOr("index.version.created", "")
	c.WideSort, c.From3 = before27(created), since3(created)
	c.Similarities, err = ParseSimilarities(s)
	return c, err
}

// since3 tells whether the id of a version is that of OpenSearch 3 or newer.
func since3(id string) bool {
	n, err := strconv.Atoi(id)
	const mask, v3 = 1 << 27, 3000000
	return err == nil && n&mask != 0 && n&^mask >= v3
}

// before27 tells whether the id of a version is that of Elasticsearch, or of OpenSearch before 2.7.
func before27(id string) bool {
	n, err := strconv.Atoi(id)
	const mask, v27 = 1 << 27, 2070000
	return err == nil && (n&mask == 0 || n&^mask < v27)
}

func (c *Context) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

func (c *Context) maxClauses() int {
	if c.MaxClauses > 0 {
		return c.MaxClauses
	}
	return search.DefaultMaxClauses
}

// Similarity returns that of a field, for search.Options.
func (c *Context) Similarity(field string) search.Similarity {
	name := ""
	if f := c.Mapping.Field(field); f != nil {
		name = f.Similarity()
		if c.From3 && (f.Kind() == mapping.KindKeyword || f.Kind() == mapping.KindFlatObject) {
			name = "boolean"
		}
	}
	switch name {
	case "":
		name = "default"
	case "boolean":
		return search.BooleanSimilarity{}
	}
	s := c.Similarities[name]
	if s == nil {
		s = search.DefaultSimilarity
	}
	if bm25, ok := s.(search.BM25); ok && c.From3 {
		bm25.Legacy = false
		return bm25
	}
	return s
}

// Filtered restricts a query to root documents, where the mapping has nested ones, and to what filters match (nil ones
// are ignored).
func (c *Context) Filtered(q search.Query, filters ...search.Query) search.Query {
	clauses := []search.Clause{{Query: q, Occur: search.Must}}
	hide := c.Mapping.HasNested() && c.mayMatchNested(q)
	for _, f := range filters {
		if f != nil {
			clauses = append(clauses, search.Clause{Query: f, Occur: search.Filter})
		}
	}
	if hide {
		clauses = append(clauses, search.Clause{Query: rootDocuments, Occur: search.Filter})
	}
	if len(clauses) == 1 {
		return q
	}
	return &search.Boolean{Clauses: clauses}
}

// rootDocuments matches what is no nested document: only roots have a primary term.
var rootDocuments search.Query = &search.Exists{Field: "_primary_term"}

// shardError is an error of a query on this index.
func (c *Context) shardError(format string, args ...any) *apierr.Error {
	return apierr.New(400, "query_shard_exception", format, args...).With("index", c.Index).With("index_uuid", c.UUID)
}

// ParseSimilarities reads index.similarity.NAME.* of flat settings.
func ParseSimilarities(s settings.Settings) (map[string]search.Similarity, error) {
	out := map[string]search.Similarity{}
	for name, group := range s.Groups("index.similarity.") {
		switch typ := group.GetOr("type", "BM25"); typ {
		case "boolean":
			out[name] = search.BooleanSimilarity{}
		case "BM25":
			k1, err := group.Float("k1", 1.2)
			if err != nil {
				return nil, err
			}
			b, err := group.Float("b", 0.75)
			if err != nil {
				return nil, err
			}
			out[name] = search.BM25{K1: float32(k1), B: float32(b), Legacy: true}
		default:
			return nil, apierr.NotImplemented("the similarity [%s] is of type [%s], which this server does not have", name, typ)
		}
	}
	return out, nil
}

// checkRegex refuses a regular expression that is longer than the index allows. where is what the error calls the request.
func (c *Context) checkRegex(expr, where string) error {
	limit := c.MaxRegexLength
	if limit <= 0 {
		limit = DefaultMaxRegexLength
	}
	if n := utf16Length(expr); n > limit {
		return apierr.IllegalArgument("The length of regex [%d] used in the %s has exceeded the allowed maximum of [%d]. This maximum can be set by changing the [index.max_regex_length] index level setting.",
			n, where, limit)
	}
	return nil
}
