package rest

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/settings"
)

// Request is one call of the API: path and query parameters, and the body.
type Request struct {
	HTTP     *http.Request
	Body     []byte
	params   map[string]string
	used     map[string]bool
	warnings []string
}

// Context is cancelled when the client goes away or the server stops.
func (r *Request) Context() context.Context { return r.HTTP.Context() }

// Warn adds a Warning header to the answer.
func (r *Request) Warn(text string) {
	if !slices.Contains(r.warnings, text) {
		r.warnings = append(r.warnings, text)
	}
}

// Has tells whether a parameter was given, and counts it as known.
func (r *Request) Has(name string) bool {
	r.used[name] = true
	_, ok := r.params[name]
	return ok
}

// Param returns a parameter or "".
func (r *Request) Param(name string) string {
	r.used[name] = true
	return r.params[name]
}

// ParamOr returns a parameter or a default.
func (r *Request) ParamOr(name, def string) string {
	if r.Has(name) {
		return r.params[name]
	}
	return def
}

// Ignore counts parameters as known that change nothing here, such as those for a cluster of many nodes.
func (r *Request) Ignore(names ...string) {
	for _, n := range names {
		r.used[n] = true
	}
}

// List returns a parameter split at commas, without empty parts.
func (r *Request) List(name string) []string {
	var list []string
	for s := range strings.SplitSeq(r.Param(name), ",") {
		if s = strings.TrimSpace(s); s != "" {
			list = append(list, s)
		}
	}
	return list
}

// Names returns the names of a parameter as OpenSearch's snapshot API splits them: blanks belong to names, and what is empty is one,
// but at the end. So a name that a script left blank chooses nothing.
func (r *Request) Names(name string) []string { return splitNames(r.Param(name)) }

func splitNames(list string) []string {
	if list = strings.TrimRight(list, ","); list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

// Bool returns a boolean parameter: present without a value is true.
func (r *Request) Bool(name string, def bool) (bool, error) {
	if !r.Has(name) {
		return def, nil
	}
	switch v := r.params[name]; v {
	case "", "true":
		return true, nil
	case "false":
		return false, nil
	default:
		return false, apierr.IllegalArgument("Failed to parse value [%s] as only [true] or [false] are allowed.", v)
	}
}

// Int returns an integer parameter.
func (r *Request) Int(name string, def int) (int, error) {
	if !r.Has(name) {
		return def, nil
	}
	n, err := strconv.ParseInt(r.params[name], 10, 32)
	if err != nil {
		return 0, apierr.IllegalArgument("Failed to parse int parameter [%s] with value [%s]", name, r.params[name]).
			Because(apierr.New(http.StatusBadRequest, "number_format_exception", "For input string: \"%s\"", r.params[name]))
	}
	return int(n), nil
}

// Int64 returns a long parameter.
func (r *Request) Int64(name string, def int64) (int64, error) {
	if !r.Has(name) {
		return def, nil
	}
	n, err := strconv.ParseInt(r.params[name], 10, 64)
	if err != nil {
		return 0, apierr.IllegalArgument("Failed to parse long parameter [%s] with value [%s]", name, r.params[name]).
			Because(apierr.New(http.StatusBadRequest, "number_format_exception", "For input string: \"%s\"", r.params[name]))
	}
	return n, nil
}

// Time returns a duration parameter such as 30s.
func (r *Request) Time(name string, def time.Duration) (time.Duration, error) {
	if !r.Has(name) {
		return def, nil
	}
	d, err := settings.ParseDuration(r.params[name], name)
	if err != nil {
		return 0, apierr.IllegalArgument("%v", err)
	}
	return d, nil
}

// commonParams are known everywhere.
var commonParams = []string{"pretty", "human", "error_trace", "filter_path", "format", "source", "source_content_type"}

// unknownParams returns an error that names the parameters nobody asked for, or nil.
func (r *Request) unknownParams() error {
	var unknown []string
	for name := range r.params {
		if !r.used[name] && !slices.Contains(commonParams, name) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	slices.Sort(unknown)
	known := append(slices.Collect(mapKeys(r.used)), commonParams...)
	s := "request [" + r.HTTP.URL.Path + "] contains unrecognized parameter"
	if len(unknown) > 1 {
		s += "s"
	}
	s += ": "
	for i, name := range unknown {
		if i > 0 {
			s += ", "
		}
		s += "[" + name + "]"
		if near := nearest(name, known); len(near) == 1 {
			s += " -> did you mean [" + near[0] + "]?"
		} else if len(near) > 1 {
			s += " -> did you mean any of [" + strings.Join(near, ", ") + "]?"
		}
	}
	return apierr.IllegalArgument("%s", s)
}

func mapKeys(m map[string]bool) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// nearest returns the names that are so like name that it may be a slip of the pen, best first.
func nearest(name string, known []string) []string {
	type match struct {
		name string
		sim  float64
	}
	var found []match
	for _, k := range known {
		d := editDistance(name, k)
		if sim := 1 - float64(d)/float64(max(len(name), len(k))); sim > 0.5 {
			found = append(found, match{k, sim})
		}
	}
	slices.SortFunc(found, func(a, b match) int {
		if a.sim != b.sim {
			if a.sim > b.sim {
				return -1
			}
			return 1
		}
		return strings.Compare(a.name, b.name)
	})
	names := make([]string, 0, len(found))
	for _, m := range found {
		if !slices.Contains(names, m.name) {
			names = append(names, m.name)
		}
	}
	return names
}

func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diag := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			diag, row[j] = row[j], min(row[j]+1, row[j-1]+1, diag+cost)
		}
	}
	return row[len(b)]
}
