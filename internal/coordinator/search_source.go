package coordinator

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/mapping"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene"
)

// How far hits are counted, where a number does not say it.
const (
	TrackAll          = math.MaxInt64
	TrackNone         = -1
	DefaultTrackTotal = 10000
)

// IndexBoost multiplies the scores of an index.
type IndexBoost struct {
	Name  string // of an index, an alias, or a pattern
	Boost float32
}

// SearchSource is what the body of a search says, with what parameters changed of it. JSON that is bound
// to an index later is kept as it came.
type SearchSource struct {
	Query, PostFilter any
	Sort              any
	SearchAfter       []any
	From, Size        int   // -1: not given
	TrackTotal        int64 // TrackAll, TrackNone, or up to how many hits
	TrackTotalGiven   bool
	TrackScores       bool
	MinScore          *float32
	Aggs              any
	Fetch             FetchSource
	TerminateAfter    int
	Timeout           time.Duration // 0: none
	IndicesBoost      []IndexBoost
	Collapse          string
	// Rescore and ScriptFields are refused once their limits were looked at: the window, nil without, and how many.
	Rescore      *int
	ScriptFields int
	Slice        *Slice
	PIT          string
	PITKeepAlive time.Duration
}

// FetchSource is what a search shows of its hits.
type FetchSource struct {
	Source any // of _source, as it came; nil: not given
	// ReadStored reads stored fields of a document, by name.
	ReadStored                   func(m *mapping.Mapping, leaf *lucene.LeafContext, doc int32, names []string) (*xcontent.Object, error)
	StoredFields                 []string
	StoredNone                   bool // stored_fields: _none_
	StoredGiven                  bool
	DocValueFields, Fields       []any
	Version, SeqNoAndPrimaryTerm bool
}

// Slice is a part of a scroll or of a point in time.
type Slice struct {
	Field   string
	ID, Max int
}

// NewSearchSource returns the search that an empty body means.
func NewSearchSource() *SearchSource {
	return &SearchSource{From: -1, Size: -1, TrackTotal: DefaultTrackTotal}
}

func (s *SearchSource) from() int { return max(s.From, 0) }

func (s *SearchSource) size() int {
	if s.Size < 0 {
		return 10
	}
	return s.Size
}

// unbuilt are parts of a body that OpenSearch has and this server has not.
var unbuilt = map[string]string{
	"suggest": "[suggest]", "highlight": "[highlight]", "derived": "[derived] fields", "ext": "[ext]",
}

// ParseSearchSource reads the body of a search; nil is an empty one.
func ParseSearchSource(o *xcontent.Object) (*SearchSource, error) {
	s := NewSearchSource()
	if o == nil {
		return s, nil
	}
	for _, m := range o.Members {
		if err := s.member(m.Key, m.Value); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func unknownKey(key string, v any) error {
	return apierr.Parsing("Unknown key for a %s in [%s].", tokenOf(v), key)
}

func tokenOf(v any) string {
	switch v.(type) {
	case nil:
		return "VALUE_NULL"
	case string:
		return "VALUE_STRING"
	case bool:
		return "VALUE_BOOLEAN"
	case []any:
		return "START_ARRAY"
	case *xcontent.Object:
		return "START_OBJECT"
	}
	return "VALUE_NUMBER"
}

func (s *SearchSource) member(key string, v any) (err error) {
	if what := unbuilt[key]; what != "" {
		if o, ok := v.(*xcontent.Object); ok && o.Len() == 0 {
			return nil
		}
		return apierr.NotImplemented("%s of a search is not built in this server", what)
	}
	_, object := v.(*xcontent.Object)
	list, array := v.([]any)
	scalar := !object && !array && v != nil
	switch {
	case key == "query" && object:
		s.Query = v
	case (key == "post_filter" || key == "filter") && object:
		s.PostFilter = v
	case (key == "aggs" || key == "aggregations") && object:
		s.Aggs = v
	case key == "sort" && v != nil:
		s.Sort = v
	case key == "search_after" && array:
		if len(list) == 0 {
			return apierr.IllegalArgument("Values must contains at least one value.")
		}
		s.SearchAfter = list
	case key == "from" && scalar:
		if s.From, err = intValue(key, v); err == nil && s.From < 0 {
			return apierr.IllegalArgument("[from] parameter cannot be negative, found [%d]", s.From)
		}
	case key == "size" && scalar:
		if s.Size, err = intValue(key, v); err == nil && s.Size < 0 {
			return apierr.IllegalArgument("[size] parameter cannot be negative, found [%d]", s.Size)
		}
	case key == "timeout" && scalar:
		s.Timeout, err = settings.ParseDuration(scalarText(v), key)
	case key == "terminate_after" && scalar:
		if s.TerminateAfter, err = intValue(key, v); err == nil && s.TerminateAfter < 0 {
			return apierr.IllegalArgument("terminateAfter must be > 0")
		}
	case key == "min_score" && scalar:
		var f float64
		if f, err = floatValue(key, v); err == nil {
			min := float32(f)
			s.MinScore = &min
		}
	case key == "version" && scalar:
		s.Fetch.Version, err = boolValue(key, v)
	case key == "seq_no_primary_term" && scalar:
		s.Fetch.SeqNoAndPrimaryTerm, err = boolValue(key, v)
	case key == "track_scores" && scalar:
		s.TrackScores, err = boolValue(key, v)
	case key == "track_total_hits" && scalar:
		return s.SetTrackTotal(scalarText(v))
	case (key == "explain" || key == "profile") && scalar:
		var on bool
		if on, err = boolValue(key, v); on {
			return apierr.NotImplemented("[%s] of a search is not built in this server", key)
		}
	case key == "include_named_queries_score" || key == "stats" || key == "verbose_pipeline":
	case key == "search_pipeline" && scalar:
		if scalarText(v) != "_none" {
			return apierr.NotImplemented("search pipelines are not built in this server")
		}
	case key == "_source" && v != nil:
		s.Fetch.Source = v
	case (key == "stored_fields" || key == "fields") && key == "stored_fields" && !object:
		return s.Fetch.setStored(v)
	case key == "docvalue_fields" && array:
		s.Fetch.DocValueFields = list
	case key == "fields" && array:
		s.Fetch.Fields = list
	case key == "indices_boost" && (object || array):
		return s.indicesBoost(v)
	case key == "script_fields" && object:
		s.ScriptFields = v.(*xcontent.Object).Len()
	case key == "rescore" && (object || array):
		if object {
			list = []any{v}
		}
		return s.rescore(list)
	case key == "collapse" && object:
		return s.collapse(v.(*xcontent.Object))
	case key == "slice" && object:
		return s.slice(v.(*xcontent.Object))
	case key == "pit" && object:
		return s.pit(v.(*xcontent.Object))
	default:
		return unknownKey(key, v)
	}
	return err
}

// SetTrackTotal reads track_total_hits: a boolean or a number.
func (s *SearchSource) SetTrackTotal(text string) error {
	s.TrackTotalGiven = true
	switch text {
	case "true":
		s.TrackTotal = TrackAll
	case "false":
		s.TrackTotal = TrackNone
	default:
		n, err := intValue("track_total_hits", json.Number(text))
		if err != nil {
			return err
		}
		if n < -1 {
			return apierr.IllegalArgument("[track_total_hits] parameter must be positive or equals to -1, got %d", n)
		}
		s.TrackTotal = int64(n)
	}
	return nil
}

// SetStored reads stored_fields.
func (f *FetchSource) setStored(v any) error {
	var names []string
	switch v := v.(type) {
	case string:
		names = []string{v}
	case []any:
		for _, e := range v {
			n, ok := e.(string)
			if !ok {
				return apierr.Parsing("Can't get text on a %s", tokenOf(e))
			}
			names = append(names, n)
		}
	default:
		return apierr.Parsing("Expected [VALUE_STRING] or [START_ARRAY] in [stored_fields] but found [%s]", tokenOf(v))
	}
	return f.SetStored(names)
}

// SetStored asks for stored fields; _none_ alone for none, not even metadata.
func (f *FetchSource) SetStored(names []string) error {
	f.StoredGiven, f.StoredFields, f.StoredNone = true, names, false
	if slices.Contains(names, "_none_") {
		if len(names) > 1 {
			return apierr.IllegalArgument("cannot combine _none_ with other fields")
		}
		f.StoredFields, f.StoredNone = nil, true
	}
	return nil
}

func (s *SearchSource) indicesBoost(v any) error {
	add := func(o *xcontent.Object) error {
		for _, m := range o.Members {
			f, err := floatValue("indices_boost", m.Value)
			if err != nil {
				return err
			}
			s.IndicesBoost = append(s.IndicesBoost, IndexBoost{m.Key, float32(f)})
		}
		return nil
	}
	if o, ok := v.(*xcontent.Object); ok {
		return add(o)
	}
	for _, e := range v.([]any) {
		o, ok := e.(*xcontent.Object)
		if !ok || o.Len() != 1 {
			return apierr.Parsing("Expected [END_OBJECT] in [indices_boost] but found [%s]", tokenOf(e))
		}
		if err := add(o); err != nil {
			return err
		}
	}
	return nil
}

// rescore notes the largest window.
func (s *SearchSource) rescore(list []any) error {
	for _, e := range list {
		o, ok := e.(*xcontent.Object)
		if !ok {
			return apierr.Parsing("unexpected token [%s] in [rescore]", tokenOf(e))
		}
		window := 10
		if v, ok := o.Get("window_size"); ok {
			n, err := intValue("window_size", v)
			if err != nil {
				return err
			}
			window = n
		}
		if s.Rescore == nil || *s.Rescore < window {
			s.Rescore = &window
		}
	}
	return nil
}

func (s *SearchSource) collapse(o *xcontent.Object) error {
	for _, m := range o.Members {
		switch m.Key {
		case "field":
			s.Collapse = scalarText(m.Value)
		case "max_concurrent_group_searches":
		case "inner_hits":
			return apierr.NotImplemented("[inner_hits] of [collapse] are not built in this server")
		default:
			return apierr.XContentParse("[collapse] unknown field [%s]", m.Key)
		}
	}
	return nil
}

func (s *SearchSource) slice(o *xcontent.Object) error {
	sl := &Slice{Field: "_id", ID: -1, Max: -1}
	var err error
	for _, m := range o.Members {
		switch m.Key {
		case "field":
			sl.Field = scalarText(m.Value)
		case "id":
			sl.ID, err = intValue(m.Key, m.Value)
		case "max":
			sl.Max, err = intValue(m.Key, m.Value)
		default:
			err = apierr.XContentParse("[slice] unknown field [%s]", m.Key)
		}
		if err != nil {
			return err
		}
	}
	switch {
	case sl.ID < 0:
		return apierr.IllegalArgument("id must be greater than or equal to 0")
	case sl.Max <= 1:
		return apierr.IllegalArgument("max must be greater than 1")
	case sl.ID >= sl.Max:
		return apierr.IllegalArgument("max must be greater than id")
	}
	s.Slice = sl
	return nil
}

func (s *SearchSource) pit(o *xcontent.Object) error {
	var err error
	for _, m := range o.Members {
		switch m.Key {
		case "id":
			s.PIT = scalarText(m.Value)
		case "keep_alive":
			s.PITKeepAlive, err = settings.ParseDuration(scalarText(m.Value), m.Key)
		default:
			err = apierr.XContentParse("[pit] unknown field [%s]", m.Key)
		}
		if err != nil {
			return err
		}
	}
	if s.PIT == "" {
		return apierr.IllegalArgument("Required [id]")
	}
	return nil
}

func scalarText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return fmt.Sprint(v)
}

func intValue(key string, v any) (int, error) {
	text := scalarText(v)
	f, err := json.Number(strings.TrimSpace(text)).Float64()
	if err != nil {
		return 0, apierr.IllegalArgument("For input string: \"%s\" in [%s]", text, key)
	}
	if math.Abs(f) > math.MaxInt32 {
		return 0, apierr.New(400, "input_coercion_exception", "Numeric value (%s) of [%s] out of range of int (-2147483648 - 2147483647)", text, key)
	}
	return int(f), nil
}

func floatValue(key string, v any) (float64, error) {
	f, err := json.Number(scalarText(v)).Float64()
	if err != nil {
		return 0, apierr.IllegalArgument("For input string: \"%s\" in [%s]", scalarText(v), key)
	}
	return f, nil
}

func boolValue(key string, v any) (bool, error) {
	switch scalarText(v) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, apierr.IllegalArgument("Failed to parse value [%s] of [%s] as only [true] or [false] are allowed.", scalarText(v), key)
}
