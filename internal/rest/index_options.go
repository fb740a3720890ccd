package rest

import (
	"strconv"
	"strings"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/wildcard"
)

// strictExpandHidden are the options of APIs that show aliases.
var strictExpandHidden = wildcard.Options{AllowNoIndices: true, ExpandOpen: true, ExpandClosed: true, ExpandHidden: true}

// indicesOptions reads ignore_unavailable, allow_no_indices and expand_wildcards over an API's own defaults.
func indicesOptions(r *Request, def wildcard.Options) (wildcard.Options, error) {
	o := def
	r.Ignore("ignore_throttled")
	var err error
	if r.Has("expand_wildcards") {
		if o, err = o.WithExpandWildcards(r.Param("expand_wildcards")); err != nil {
			return o, apierr.IllegalArgument("%v", err)
		}
	}
	if o.IgnoreUnavailable, err = r.Bool("ignore_unavailable", def.IgnoreUnavailable); err != nil {
		return o, err
	}
	o.AllowNoIndices, err = r.Bool("allow_no_indices", def.AllowNoIndices)
	return o, err
}

// concrete resolves an expression as it stands in the path (with commas; "" is all indices) to indices.
func (a *API) concrete(o wildcard.Options, expr string) ([]*state.Index, error) {
	return concreteIn(a.view(), o, expr)
}

func concreteIn(v *state.View, o wildcard.Options, expr string) ([]*state.Index, error) {
	var list []string
	for _, s := range wildcard.Split(expr) {
		if s = strings.TrimSpace(s); s != "" {
			list = append(list, s)
		}
	}
	names, err := v.Names().Indices(o, list...)
	if err != nil {
		return nil, err
	}
	out := make([]*state.Index, 0, len(names))
	for _, n := range names {
		if ix := v.Index(n); ix != nil {
			out = append(out, ix)
		}
	}
	return out, nil
}

// indices reads the common options and resolves the path's {index}.
func (a *API) indices(r *Request, def wildcard.Options) ([]*state.Index, error) {
	o, err := indicesOptions(r, def)
	if err != nil {
		return nil, err
	}
	return a.concrete(o, r.Param("index"))
}

func indexNames(list []*state.Index) []string {
	out := make([]string, len(list))
	for i, ix := range list {
		out[i] = ix.Name
	}
	return out
}

// waitForActive reads wait_for_active_shards: a number of copies, or all. def is the number without the parameter.
func waitForActive(r *Request, def int) (int, error) {
	if !r.Has("wait_for_active_shards") {
		return def, nil
	}
	return parseActive(r.Param("wait_for_active_shards"), def)
}

// allCopies asks for every copy of a shard.
const allCopies = 1 << 30

func parseActive(v string, def int) (int, error) {
	switch v {
	case "", "index-setting":
		return def, nil
	case "all", "-1":
		return allCopies, nil
	}
	n := 0
	for _, c := range v {
		if c < '0' || c > '9' || n > 1<<20 {
			return 0, apierr.IllegalArgument("cannot parse ActiveShardCount[%s]", v)
		}
		n = n*10 + int(c-'0')
	}
	return n, nil
}

// timeouts reads the times to wait for the manager and for acknowledgements.
func (a *API) timeouts(r *Request) (time.Duration, error) {
	if err := a.waitTimes(r); err != nil {
		return 0, err
	}
	return r.Time("timeout", 30*time.Second)
}

// renderSettings renders settings flat or nested.
func renderSettings(s settings.Settings, flat bool) any {
	if flat {
		return map[string]any(s)
	}
	return s.Nested()
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
