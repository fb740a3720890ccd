package analysis

import (
	"sync"
	"unsafe"

	"github.com/varve-search/varve/lucene"
)

// DefaultPositionIncrementGap is the gap that an analyzer leaves between two values of one field
// when neither it nor the field says otherwise.
const DefaultPositionIncrementGap = 100

// Analyzer makes token streams. It is immutable and safe for concurrent use.
type Analyzer struct {
	name        string
	charFilters []*namedCharFilter
	tokenizer   func() tokenizer
	filters     []*tokenFilter
	posIncGap   int
	offsetGap   int
	custom      bool // of index settings
	pool        sync.Pool

	// normalFilters and normalCharFilters are the parts that apply to a single term too.
	normalFilters     []*tokenFilter
	normalCharFilters []*namedCharFilter
	normalOnce        sync.Once
	normal            *Analyzer
}

func newAnalyzer(name string, charFilters []*namedCharFilter, tz func() tokenizer, filters []*tokenFilter) *Analyzer {
	return &Analyzer{name: name, charFilters: charFilters, tokenizer: tz, filters: filters,
		posIncGap: DefaultPositionIncrementGap, offsetGap: 1}
}

// Name returns the name under which the analyzer is registered.
func (a *Analyzer) Name() string { return a.name }

// PositionIncrementGap returns the positions left between two values of a field.
func (a *Analyzer) PositionIncrementGap() int { return a.posIncGap }

// OwnPositionIncrementGap is the gap of an analyzer that index settings compose, 0 for built-in ones:
// what Lucene's analyzer itself says, without what OpenSearch adds.
func (a *Analyzer) OwnPositionIncrementGap() int {
	if a.custom {
		return a.posIncGap
	}
	return 0
}

// OffsetGap returns the offsets left between two values of a field.
func (a *Analyzer) OffsetGap() int { return a.offsetGap }

// Stream analyzes one text at a time; it is a lucene.TokenStream. It belongs to one goroutine until Close.
type Stream struct {
	a    *Analyzer
	tz   tokenizer
	top  tokenStream
	tok  *token
	out  lucene.Token
	corr corrections
	bufs [2][]byte
	text []byte
}

// Stream returns a stream over text, which must be valid UTF-8 and stay unchanged until Close.
func (a *Analyzer) Stream(text []byte) *Stream {
	s, _ := a.pool.Get().(*Stream)
	if s == nil {
		s = &Stream{a: a, tz: a.tokenizer()}
		s.top = s.tz
		for _, f := range a.filters {
			s.top = f.create(s.top)
		}
		s.tok = s.top.Token()
		s.corr.maps = make([]offsetMap, len(a.charFilters))
	}
	s.SetText(text)
	return s
}

// StreamString is Stream for a string.
func (a *Analyzer) StreamString(text string) *Stream {
	return a.Stream(unsafe.Slice(unsafe.StringData(text), len(text)))
}

// SetText starts the stream anew over another text.
func (s *Stream) SetText(text []byte) {
	s.text = text
	var corr *corrections
	for i, f := range s.a.charFilters {
		m := &s.corr.maps[i]
		m.reset()
		s.bufs[i&1] = f.filter(s.bufs[i&1][:0], text, m)
		text = s.bufs[i&1]
		corr = &s.corr
	}
	s.tz.setInput(text, corr)
	s.top.Reset()
}

// Next moves to the next token and tells whether there is one.
func (s *Stream) Next() (bool, error) {
	if !s.next() {
		return false, s.tok.err
	}
	t := s.tok
	s.out.Term = t.Term
	s.out.StartOffset, s.out.EndOffset = int32(t.Start), int32(t.End)
	s.out.PositionIncrement, s.out.PositionLength = int32(t.PosInc), int32(t.PosLen)
	s.out.Type, s.out.Payload, s.out.Keyword = t.Type, t.Payload, t.Keyword
	return true, nil
}

// Token returns the token that the stream reuses.
func (s *Stream) Token() *lucene.Token { return &s.out }

// End returns the final offset and the positions that were skipped at the end of the text. Call it
// once Next returned false.
func (s *Stream) End() (finalOffset, positionIncrement int32) {
	s.top.End()
	return int32(s.tok.End), int32(s.tok.PosInc)
}

// next moves the inner token.
func (s *Stream) next() bool { return s.tok.err == nil && s.top.Next() && s.tok.err == nil }

// Close gives the stream back for reuse.
func (s *Stream) Close() {
	s.text = nil
	s.tz.setInput(nil, nil)
	for i := range s.bufs {
		if cap(s.bufs[i]) > 1<<20 {
			s.bufs[i] = nil
		}
	}
	if cap(s.tok.Term) > 1<<20 {
		s.tok.Term = nil
	}
	s.a.pool.Put(s)
}

// Normalize applies only those parts of the analyzer that change single characters, as query parsers
// do with the text of prefix, wildcard and range queries.
func (a *Analyzer) Normalize(text string) (string, error) {
	a.normalOnce.Do(func() {
		a.normal = newAnalyzer(a.name, a.normalCharFilters, newKeywordTokenizer, a.normalFilters)
	})
	s := a.normal.StreamString(text)
	defer s.Close()
	if !s.next() {
		return "", s.tok.err
	}
	return string(s.tok.Term), nil
}

// derive makes an analyzer like a with a further filter.
func (a *Analyzer) derive(f *tokenFilter) *Analyzer {
	d := newAnalyzer(a.name, a.charFilters, a.tokenizer, append(a.filters[:len(a.filters):len(a.filters)], f))
	d.posIncGap, d.offsetGap = a.posIncGap, a.offsetGap
	return d
}

// WithEdgeNGrams returns the analyzer that replaces each token by its prefixes of min to max
// characters, as the parameter index_prefixes of a field asks for.
func (a *Analyzer) WithEdgeNGrams(min, max int) *Analyzer {
	return a.derive(simple("edge_ngram", func(in tokenStream) tokenStream { return newNGramFilter(in, min, max, true, false) }))
}

// WithShingles returns the analyzer that joins each two neighbouring tokens, as the parameter
// index_phrases of a field asks for.
func (a *Analyzer) WithShingles() *Analyzer {
	return a.derive(simple("shingle", func(in tokenStream) tokenStream { return newShingleFilter(in, 2, 2, false, false, " ", "_") }))
}

// WithWhitespaceTokenizer returns a normalizer's filters behind a tokenizer that splits at white space.
func (a *Analyzer) WithWhitespaceTokenizer() *Analyzer {
	d := newAnalyzer(a.name, a.charFilters, newCharTokenizer(func(c rune) bool { return !isJavaWhitespace(c) }, false, maxTokenLengthDefault), a.filters)
	d.posIncGap, d.offsetGap = a.posIncGap, a.offsetGap
	d.normalFilters, d.normalCharFilters = a.normalFilters, a.normalCharFilters
	return d
}

// Again returns another stream of the same analyzer over the same text, from its start.
func (s *Stream) Again() *Stream { return s.a.Stream(s.text) }
