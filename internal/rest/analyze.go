package rest

import (
	"fmt"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/wildcard"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene/analysis"
)

func (a *API) routeAnalyze(rt *Router) {
	rt.Handle("GET|POST", "/_analyze", a.analyze)
	rt.Handle("GET|POST", "/{index}/_analyze", a.analyze)
}

// analyzeRequest is the body of the API _analyze.
type analyzeRequest struct {
	text                         []string
	analyzer, field, normalizer  string
	tokenizer                    any
	filters, charFilters         []any
	explain                      bool
	filtersGiven, charFiltersGot bool
}

// maxAnalyzeTokens is index.analyze.max_token_count.
const maxAnalyzeTokens = 10000

func readAnalyzeRequest(body map[string]any) (*analyzeRequest, error) {
	q := &analyzeRequest{}
	list := func(v any) []any {
		if l, ok := v.([]any); ok {
			return l
		}
		return []any{v}
	}
	for key, v := range body {
		var err error
		ok := true
		switch key {
		case "text":
			for _, e := range list(v) {
				s, isText := plainText(e)
				if !isText {
					return nil, apierr.IllegalArgument("text array element should only contain text")
				}
				q.text = append(q.text, s)
			}
		case "analyzer":
			q.analyzer, ok = v.(string)
		case "field":
			q.field, ok = v.(string)
		case "normalizer":
			q.normalizer, ok = v.(string)
		case "tokenizer":
			q.tokenizer = v
		case "filter":
			q.filters, q.filtersGiven = list(v), true
		case "char_filter":
			q.charFilters, q.charFiltersGot = list(v), true
		case "explain":
			q.explain, err = boolean(key, v)
		case "attributes":
		default:
			return nil, apierr.XContentParse("[analyze_request] unknown field [%s]", key)
		}
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, apierr.XContentParse("[analyze_request] %s doesn't support values of this type", key)
		}
	}
	if len(q.text) == 0 {
		return nil, apierr.Validation("text is missing")
	}
	if q.analyzer != "" && (q.tokenizer != nil || q.filtersGiven || q.charFiltersGot) {
		return nil, apierr.Validation("tokenizer/filters/char_filters should be null if analyzer is specified") //nolint:staticcheck // OpenSearch's text
	}
	return q, nil
}

func (a *API) analyze(r *Request) (*Response, error) {
	body, err := r.BodyObject()
	if err != nil {
		return nil, err
	}
	if body == nil {
		return nil, apierr.New(400, "parse_exception", "request body or source parameter is required")
	}
	q, err := readAnalyzeRequest(body)
	if err != nil {
		return nil, err
	}
	reg, err := analysis.NewRegistry(map[string]any{})
	if err != nil {
		return nil, err
	}
	var ofField *analysis.Analyzer
	if r.Param("index") != "" {
		list, err := a.concrete(wildcard.SingleIndex.WithoutStreams(), r.Param("index"))
		if err != nil {
			return nil, err
		}
		if len(list) != 1 || a.Node.Index(list[0].Name) == nil || a.Node.Index(list[0].Name).Mapping() == nil {
			return nil, apierr.IllegalArgument("the analyzers of [%s] cannot be read", r.Param("index"))
		}
		m := a.Node.Index(list[0].Name).Mapping()
		reg = m.Index().Analysis
		if q.field != "" {
			if f := m.Field(q.field); f != nil {
				if f.Type() != "text" && f.Normalizer() == nil && f.Analyzer() == nil {
					return nil, apierr.IllegalArgument("Can't process field [%s], Analysis requests are only supported on tokenized fields", q.field)
				}
				if ofField = f.Analyzer(); ofField == nil {
					ofField = f.Normalizer()
				}
			}
		}
	} else if q.normalizer != "" {
		return nil, apierr.IllegalArgument("analysis based on a normalizer requires an index")
	} else if q.field != "" {
		return nil, apierr.IllegalArgument("analysis based on a specific field requires an index")
	}
	return q.answer(reg, ofField)
}

// answer runs the chain that the request names, and each of its stages where it asks for an explanation.
func (q *analyzeRequest) answer(reg *analysis.Registry, ofField *analysis.Analyzer) (*Response, error) {
	chain, err := q.chain(reg, ofField)
	if err != nil {
		return nil, apierr.IllegalArgument("%v", err)
	}
	custom := q.analyzer == "" && (q.tokenizer != nil || q.filtersGiven || q.charFiltersGot)
	if !q.explain {
		tokens, err := q.run(chain, false)
		if err != nil {
			return nil, err
		}
		return OK(xcontent.Obj("tokens", tokens))
	}
	if !custom {
		tokens, err := q.run(chain, true)
		if err != nil {
			return nil, err
		}
		return OK(xcontent.Obj("detail", xcontent.Obj("custom_analyzer", false, "analyzer", xcontent.Obj("name", chain.Name(), "tokens", tokens))))
	}
	if len(q.charFilters) > 0 {
		return nil, apierr.NotImplemented("explain of an analysis with char_filter is not supported by this server")
	}
	detail := xcontent.Obj("custom_analyzer", true)
	var filters []any
	for i := 0; i <= len(q.filters); i++ {
		stage, err := reg.Custom(q.tokenizer, nil, q.filters[:i])
		if err != nil {
			return nil, apierr.IllegalArgument("%v", err)
		}
		tokens, err := q.run(stage, true)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			name := componentName(q.tokenizer)
			if q.tokenizer == nil {
				name = "keyword_for_normalizer"
			}
			detail.Add("tokenizer", xcontent.Obj("name", name, "tokens", tokens))
		} else {
			filters = append(filters, xcontent.Obj("name", componentName(q.filters[i-1]), "tokens", tokens))
		}
	}
	if filters != nil {
		detail.Add("tokenfilters", filters)
	}
	return OK(xcontent.Obj("detail", detail))
}

func componentName(def any) string {
	switch def := def.(type) {
	case string:
		return def
	case map[string]any:
		if t, ok := def["type"].(string); ok {
			return "__anonymous__" + t
		}
	}
	return "__anonymous__"
}

func (q *analyzeRequest) chain(reg *analysis.Registry, ofField *analysis.Analyzer) (*analysis.Analyzer, error) {
	switch {
	case q.analyzer != "":
		an, err := reg.Analyzer(q.analyzer)
		if err != nil && strings.Contains(err.Error(), "has not been configured") {
			err = fmt.Errorf("failed to find global analyzer [%s]", q.analyzer)
		}
		return an, err
	case q.normalizer != "":
		return reg.Normalizer(q.normalizer)
	case q.tokenizer != nil || q.filtersGiven || q.charFiltersGot:
		return reg.Custom(q.tokenizer, q.charFilters, q.filters)
	case ofField != nil:
		return ofField, nil
	}
	return reg.Default(), nil
}

// run renders the tokens of all texts, one after the other with the analyzer's gap between them.
func (q *analyzeRequest) run(chain *analysis.Analyzer, detailed bool) ([]any, error) {
	tokens := []any{}
	position, offset := int32(-1), int32(0)
	for _, text := range q.text {
		s := chain.StreamString(text)
		for {
			ok, err := s.Next()
			if err != nil {
				s.Close()
				return nil, apierr.IllegalArgument("%v", err)
			}
			if !ok {
				break
			}
			t := s.Token()
			position += t.PositionIncrement
			o := xcontent.Obj("token", string(t.Term), "start_offset", offset+t.StartOffset, "end_offset", offset+t.EndOffset, "type", t.Type, "position", position)
			if t.PositionLength > 1 && !detailed {
				o.Add("positionLength", t.PositionLength)
			}
			if detailed {
				o.Add("bytes", fmt.Sprintf("[% x]", t.Term)).Add("positionLength", t.PositionLength).Add("termFrequency", 1)
				if t.Keyword {
					o.Add("keyword", true)
				}
			}
			if tokens = append(tokens, o); len(tokens) > maxAnalyzeTokens {
				s.Close()
				return nil, apierr.New(500, "illegal_state_exception", "The number of tokens produced by calling _analyze has exceeded the allowed maximum of [%d]. This limit can be set by changing the [index.analyze.max_token_count] index level setting.", maxAnalyzeTokens)
			}
		}
		end, skipped := s.End()
		s.Close()
		position += skipped + int32(chain.PositionIncrementGap())
		offset += end + int32(chain.OffsetGap())
	}
	return tokens, nil
}
