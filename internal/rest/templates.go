package rest

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/wildcard"
	"github.com/varve-search/varve/internal/xcontent"
)

func (a *API) routeTemplates(rt *Router) {
	rt.Handle("GET", "/_template", a.getLegacyTemplates)
	rt.Handle("GET", "/_template/{name}", a.getLegacyTemplates)
	rt.Handle("HEAD", "/_template/{name}", a.legacyTemplateExists)
	rt.Handle("PUT|POST", "/_template/{name}", a.putLegacyTemplate)
	rt.Handle("DELETE", "/_template/{name}", a.deleteLegacyTemplate)
	for _, k := range []templateKind{indexTemplates, componentTemplates} {
		base := "/_" + k.path
		rt.Handle("GET", base, k.get(a))
		rt.Handle("GET", base+"/{name}", k.get(a))
		rt.Handle("HEAD", base+"/{name}", k.exists(a))
		rt.Handle("PUT|POST", base+"/{name}", k.put(a))
		rt.Handle("DELETE", base+"/{name}", k.delete(a))
	}
	rt.Handle("POST", "/_index_template/_simulate_index/{name}", a.simulateIndex)
	rt.Handle("POST", "/_index_template/_simulate", a.simulateTemplate)
	rt.Handle("POST", "/_index_template/_simulate/{name}", a.simulateTemplate)
}

// stored is a template of any kind.
type stored struct {
	name string
	body json.RawMessage
}

// checkTemplateName refuses names that no template may have.
func checkTemplateName(name string) error {
	var faults []string
	switch {
	case strings.Contains(name, " "):
		faults = append(faults, "name must not contain a space")
	case strings.Contains(name, ","):
		faults = append(faults, "name must not contain a ','")
	case strings.Contains(name, "#"):
		faults = append(faults, "name must not contain a '#'")
	case strings.Contains(name, "*"):
		faults = append(faults, "name must not contain a '*'")
	case strings.HasPrefix(name, "_"):
		faults = append(faults, "name must not start with '_'")
	case strings.ToLower(name) != name:
		faults = append(faults, "name must be lower cased")
	}
	if len(faults) > 0 {
		return apierr.New(http.StatusBadRequest, "invalid_index_template_exception", "index_template [%s] invalid, cause [%s]", name, apierr.Validation(faults...).Reason)
	}
	return nil
}

// contentObject reads settings, mappings and aliases of a template and returns them as they are kept: settings with "index." and
// nested (or flat), mappings without a type.
func contentObject(o *xcontent.Object, flat bool) (*xcontent.Object, error) {
	out := &xcontent.Object{}
	for _, key := range []string{"settings", "mappings", "aliases"} {
		v, given := o.Get(key)
		if !given || v == nil {
			continue
		}
		switch key {
		case "settings":
			s, err := settingsOf(v, key)
			if err != nil {
				return nil, err
			}
			s = cluster.Normalize(s)
			if err := settings.Index.Validate(s); err != nil {
				return nil, apierr.IllegalArgument("%v", err)
			}
			out.Add(key, renderSettings(s, flat))
		case "mappings":
			m, ok := v.(*xcontent.Object)
			if text, isText := v.(string); isText {
				d, err := xcontent.Decode([]byte(text))
				if err != nil {
					return nil, apierr.MapperParsing("failed to parse mapping definition").Because(err)
				}
				m, ok = d.(*xcontent.Object)
			}
			if !ok {
				return nil, apierr.New(http.StatusBadRequest, "parse_exception", "key [mappings] must be an object")
			}
			if inner, typed := m.Get("_doc"); typed && m.Len() == 1 {
				if m, ok = inner.(*xcontent.Object); !ok {
					return nil, apierr.MapperParsing("failed to parse mapping definition")
				}
			}
			out.Add(key, m)
		case "aliases":
			aliases, err := aliasesOf(v)
			if err != nil {
				return nil, err
			}
			ao := &xcontent.Object{}
			for _, name := range sortedKeys(aliases) {
				ao.Add(name, aliasObject(aliases[name]))
			}
			out.Add(key, ao)
		}
	}
	return out, nil
}

func stringsOf(key string, v any) ([]string, error) {
	if s, ok := v.(string); ok {
		return []string{s}, nil
	}
	return names(key, v)
}

func toInt64(key string, v any) (int64, error) {
	n, ok := v.(json.Number)
	if !ok {
		if s, isText := v.(string); isText {
			n, ok = json.Number(s), true
		}
	}
	i, err := n.Int64()
	if !ok || err != nil {
		return 0, apierr.IllegalArgument("Malformed [%s] value, should be an integer", key)
	}
	return i, nil
}

// readTemplate decodes a stored template.
func readTemplate(s stored) (*xcontent.Object, error) {
	v, err := xcontent.Decode(s.body)
	if err != nil {
		return nil, err
	}
	o, _ := v.(*xcontent.Object)
	if o == nil {
		o = &xcontent.Object{}
	}
	return o, nil
}

// shownContent shows settings nested or flat, as the request asks.
func shownContent(o *xcontent.Object, flat bool) error {
	v, ok := o.Get("settings")
	if !ok {
		return nil
	}
	s, err := settingsOf(v, "settings")
	if err != nil {
		return err
	}
	o.Set("settings", renderSettings(s, flat))
	return nil
}

// Old-style templates.

func (a *API) legacyTemplates(r *Request) []stored {
	var all []stored
	var have []string
	for _, t := range a.view().LegacyTemplates() {
		all, have = append(all, stored{t.Name, t.Body}), append(have, t.Name)
	}
	chosen := wildcard.MatchNames(have, r.List("name")...)
	var out []stored
	for _, s := range all {
		if slices.Contains(chosen, s.name) {
			out = append(out, s)
		}
	}
	return out
}

func (a *API) getLegacyTemplates(r *Request) (*Response, error) {
	r.Ignore("local")
	if _, err := a.timeouts(r); err != nil {
		return nil, err
	}
	flat, err := r.Bool("flat_settings", false)
	if err != nil {
		return nil, err
	}
	list := a.legacyTemplates(r)
	out := &xcontent.Object{}
	for _, s := range list {
		o, err := readTemplate(s)
		if err != nil {
			return nil, err
		}
		if err := shownContent(o, flat); err != nil {
			return nil, err
		}
		out.Add(s.name, o)
	}
	status := http.StatusOK
	if len(list) == 0 && r.Has("name") && !slices.ContainsFunc(r.List("name"), func(n string) bool { return strings.Contains(n, "*") }) {
		status = http.StatusNotFound
	}
	return &Response{Status: status, Body: out}, nil
}

func (a *API) legacyTemplateExists(r *Request) (*Response, error) {
	r.Ignore("local", "flat_settings")
	if _, err := a.timeouts(r); err != nil {
		return nil, err
	}
	list := a.legacyTemplates(r)
	return Exists(len(list) > 0)
}

func (a *API) putLegacyTemplate(r *Request) (*Response, error) {
	if _, err := a.timeouts(r); err != nil {
		return nil, err
	}
	r.Ignore("cause")
	create, err := r.Bool("create", false)
	if err != nil {
		return nil, err
	}
	name := r.Param("name")
	body, err := r.object()
	if err != nil {
		return nil, err
	}
	if body == nil {
		body = &xcontent.Object{}
	}
	out := xcontent.Obj("order", int64(0))
	if r.Has("order") {
		n, err := r.Int("order", 0)
		if err != nil {
			return nil, err
		}
		out.Set("order", int64(n))
	}
	var patterns []string
	if p := r.Param("template"); p != "" {
		patterns = []string{p}
	}
	if p := r.List("index_patterns"); len(p) > 0 {
		patterns = p
	}
	for _, m := range body.Members {
		switch m.Key {
		case "order":
			n, err := toInt64(m.Key, m.Value)
			if err != nil {
				return nil, err
			}
			out.Set("order", n)
		case "version":
			n, ok := m.Value.(json.Number)
			if !ok {
				return nil, apierr.IllegalArgument("Malformed [version] value, should be an integer")
			}
			out.Set("version", n)
		case "index_patterns", "template":
			if patterns, err = stringsOf(m.Key, m.Value); err != nil {
				return nil, err
			}
		case "settings", "mappings", "aliases":
		default:
			return nil, apierr.New(http.StatusBadRequest, "parse_exception", "unknown key [%s] in the template ", m.Key)
		}
	}
	if len(patterns) == 0 {
		return nil, apierr.Validation("index patterns are missing")
	}
	if err := checkTemplateName(name); err != nil {
		return nil, err
	}
	content, err := contentObject(body, true)
	if err != nil {
		return nil, err
	}
	for _, key := range []string{"settings", "mappings", "aliases"} {
		if _, ok := content.Get(key); !ok {
			content.Set(key, &xcontent.Object{})
		}
	}
	out.Set("index_patterns", patterns)
	out.Members = append(out.Members, content.Members...)
	raw, err := json.Marshal(out)
	if err != nil {
		return nil, err
	}
	if err := cluster.CheckTemplateContent(raw); err != nil {
		return nil, err
	}
	if err := r.unknownParams(); err != nil {
		return nil, err
	}
	var overlap []overlapping
	err = a.Store.Update(r.Context(), func(tx *state.Tx) error {
		if create && tx.LegacyTemplate(name) != nil {
			return apierr.IllegalArgument("index_template [%s] already exists", name)
		}
		overlap = overlapsIndexTemplates(tx.View, "", patterns)
		tx.Put(&state.LegacyTemplate{Stored: state.Stored{Name: name, Body: raw}})
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(overlap) > 0 {
		r.Warn("legacy template [" + name + "] has index patterns " + javaList(patterns) + " matching patterns from existing composable templates [" + overlapNames(overlap) +
			"] with patterns (" + overlapList(overlap) + "); this template [" + name + "] may be ignored in favor of a composable template at index creation time")
	}
	return Acknowledged()
}

func (a *API) deleteLegacyTemplate(r *Request) (*Response, error) {
	if _, err := a.timeouts(r); err != nil {
		return nil, err
	}
	name := r.Param("name")
	if err := r.unknownParams(); err != nil {
		return nil, err
	}
	err := a.Store.Update(r.Context(), func(tx *state.Tx) error {
		var have []string
		for _, t := range tx.LegacyTemplates() {
			have = append(have, t.Name)
		}
		found := wildcard.MatchNames(have, name)
		if len(found) == 0 && !strings.Contains(name, "*") {
			return templateMissing(name)
		}
		for _, n := range found {
			tx.Delete(&state.LegacyTemplate{Stored: state.Stored{Name: n}})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return Acknowledged()
}

func templateMissing(name string) error {
	return apierr.New(http.StatusNotFound, "index_template_missing_exception", "index_template [%s] missing", name)
}

func javaList(l []string) string { return "[" + strings.Join(l, ", ") + "]" }

// overlapping is a template whose patterns may match the same names as another's.
type overlapping struct {
	name     string
	patterns []string
	priority int64
}

func overlapNames(l []overlapping) string {
	var out []string
	for _, o := range l {
		out = append(out, o.name)
	}
	return strings.Join(out, ",")
}

func overlapList(l []overlapping) string {
	var out []string
	for _, o := range l {
		out = append(out, o.name+" => "+javaList(o.patterns))
	}
	return strings.Join(out, ",")
}

// patternsOverlap tells whether one name may match both patterns, as OpenSearch decides: by comparing how they begin and end.
func patternsOverlap(a, b []string) bool {
	for _, p := range a {
		for _, q := range b {
			if globsOverlap(p, q) {
				return true
			}
		}
	}
	return false
}

// globsOverlap tells whether some text matches both patterns.
func globsOverlap(p, q string) bool {
	type place struct{ i, j int }
	seen := map[place]bool{}
	var walk func(i, j int) bool
	walk = func(i, j int) bool {
		if seen[place{i, j}] {
			return false
		}
		seen[place{i, j}] = true
		switch {
		case i == len(p) && j == len(q):
			return true
		case i < len(p) && p[i] == '*':
			return walk(i+1, j) || j < len(q) && walk(i, j+1)
		case j < len(q) && q[j] == '*':
			return walk(i, j+1) || i < len(p) && walk(i+1, j)
		}
		return i < len(p) && j < len(q) && p[i] == q[j] && walk(i+1, j+1)
	}
	return walk(0, 0)
}

// overlapsIndexTemplates returns the composable templates that may match what patterns match.
func overlapsIndexTemplates(v *state.View, except string, patterns []string) []overlapping {
	var out []overlapping
	for _, rec := range v.IndexTemplates() {
		t, err := cluster.ParseTemplate(rec.Body)
		if err != nil || rec.Name == except || !patternsOverlap(patterns, t.IndexPatterns) {
			continue
		}
		o := overlapping{name: rec.Name, patterns: t.IndexPatterns}
		if t.Priority != nil {
			o.priority = *t.Priority
		}
		out = append(out, o)
	}
	return out
}

func overlapsLegacy(v *state.View, patterns []string) []overlapping {
	var out []overlapping
	for _, rec := range v.LegacyTemplates() {
		if t, err := cluster.ParseTemplate(rec.Body); err == nil && patternsOverlap(patterns, t.IndexPatterns) {
			out = append(out, overlapping{name: rec.Name, patterns: t.IndexPatterns})
		}
	}
	return out
}

func (a *API) updateState(ctx context.Context, fn func(tx *state.Tx) error) (*Response, error) {
	if err := a.Store.Update(ctx, fn); err != nil {
		return nil, err
	}
	return Acknowledged()
}
