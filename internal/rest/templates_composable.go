package rest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/wildcard"
	"github.com/varve-search/varve/internal/xcontent"
)

// templateKind is index templates or component templates: their APIs are alike.
type templateKind struct {
	path, word, list, item string
	all                    func(v *state.View) []stored
	record                 func(name string, body json.RawMessage) state.Record
	fields                 []string
}

var indexTemplates = templateKind{
	path: "index_template", word: "index", list: "index_templates", item: "index_template",
	all: func(v *state.View) (out []stored) {
		for _, t := range v.IndexTemplates() {
			out = append(out, stored{t.Name, t.Body})
		}
		return out
	},
	record: func(name string, body json.RawMessage) state.Record {
		return &state.IndexTemplate{Stored: state.Stored{Name: name, Body: body}}
	},
	fields: []string{"index_patterns", "template", "composed_of", "priority", "version", "_meta", "data_stream", "context"},
}

var componentTemplates = templateKind{
	path: "component_template", word: "component", list: "component_templates", item: "component_template",
	all: func(v *state.View) (out []stored) {
		for _, t := range v.ComponentTemplates() {
			out = append(out, stored{t.Name, t.Body})
		}
		return out
	},
	record: func(name string, body json.RawMessage) state.Record {
		return &state.ComponentTemplate{Stored: state.Stored{Name: name, Body: body}}
	},
	fields: []string{"template", "version", "_meta"},
}

func (k templateKind) find(v *state.View, patterns []string) []stored {
	all := k.all(v)
	have := make([]string, len(all))
	for i := range all {
		have[i] = all[i].name
	}
	chosen := wildcard.MatchNames(have, patterns...)
	var out []stored
	for _, s := range all {
		if slices.Contains(chosen, s.name) {
			out = append(out, s)
		}
	}
	return out
}

func (k templateKind) get(a *API) Handler {
	return func(r *Request) (*Response, error) {
		r.Ignore("local")
		if _, err := a.timeouts(r); err != nil {
			return nil, err
		}
		flat, err := r.Bool("flat_settings", false)
		if err != nil {
			return nil, err
		}
		name := r.Param("name")
		list := k.find(a.view(), r.List("name"))
		if len(list) == 0 && name != "" && !strings.Contains(name, "*") {
			return nil, apierr.New(http.StatusNotFound, "resource_not_found_exception", "%s template matching [%s] not found", k.word, name)
		}
		items := []any{}
		for _, s := range list {
			o, err := readTemplate(s)
			if err != nil {
				return nil, err
			}
			if t, _ := o.Get("template"); t != nil {
				if to, ok := t.(*xcontent.Object); ok {
					if err := shownContent(to, flat); err != nil {
						return nil, err
					}
				}
			}
			items = append(items, xcontent.Obj("name", s.name, k.item, o))
		}
		return OK(xcontent.Obj(k.list, items))
	}
}

func (k templateKind) exists(a *API) Handler {
	return func(r *Request) (*Response, error) {
		r.Ignore("local", "flat_settings")
		if _, err := a.timeouts(r); err != nil {
			return nil, err
		}
		return Exists(len(k.find(a.view(), r.List("name"))) > 0)
	}
}

// read checks the body of a template and returns it as it is kept.
func (k templateKind) read(body *xcontent.Object) (*xcontent.Object, error) {
	if body == nil {
		body = &xcontent.Object{}
	}
	given := map[string]any{}
	for _, m := range body.Members {
		if !slices.Contains(k.fields, m.Key) {
			return nil, apierr.XContentParse("[%s] unknown field [%s]", k.item, m.Key)
		}
		given[m.Key] = m.Value
	}
	out := &xcontent.Object{}
	if k.path == "index_template" {
		v, ok := given["index_patterns"]
		if !ok || v == nil {
			return nil, apierr.IllegalArgument("Required [index_patterns]")
		}
		patterns, err := stringsOf("index_patterns", v)
		if err != nil {
			return nil, err
		}
		out.Add("index_patterns", patterns)
	}
	tpl, ok := given["template"]
	if to, isObject := tpl.(*xcontent.Object); isObject {
		for _, m := range to.Members {
			if m.Key != "settings" && m.Key != "mappings" && m.Key != "aliases" {
				return nil, apierr.XContentParse("[template] unknown field [%s]", m.Key)
			}
		}
		content, err := contentObject(to, false)
		if err != nil {
			return nil, err
		}
		out.Add("template", content)
	} else if k.path == "component_template" {
		return nil, apierr.IllegalArgument("Required [template]")
	} else if ok && tpl != nil {
		return nil, apierr.XContentParse("[index_template] template doesn't support values of type: VALUE_STRING")
	}
	if k.path == "index_template" && (given["composed_of"] != nil || given["template"] != nil) {
		composed := []string{}
		if v := given["composed_of"]; v != nil {
			var err error
			if composed, err = stringsOf("composed_of", v); err != nil {
				return nil, err
			}
		}
		out.Add("composed_of", composed)
	}
	for _, key := range []string{"priority", "version"} {
		if v, ok := given[key]; ok && v != nil {
			n, err := toInt64(key, v)
			if err != nil {
				return nil, err
			}
			if key == "priority" && n < 0 {
				return nil, apierr.Validation("index template priority must be >= 0")
			}
			out.Add(key, n)
		}
	}
	for _, key := range []string{"_meta", "data_stream", "context"} {
		v, ok := given[key]
		if !ok || v == nil {
			continue
		}
		if key == "data_stream" {
			var err error
			if v, err = streamTemplate(v); err != nil {
				return nil, err
			}
		}
		out.Add(key, v)
	}
	return out, nil
}

func (k templateKind) put(a *API) Handler {
	return func(r *Request) (*Response, error) {
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
		out, err := k.read(body)
		if err != nil {
			return nil, err
		}
		if err := checkTemplateName(name); err != nil {
			return nil, err
		}
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
		var legacy []overlapping
		var patterns []string
		err = a.Store.Update(r.Context(), func(tx *state.Tx) error {
			if create && len(k.find(tx.View, []string{name})) > 0 {
				return apierr.IllegalArgument("%s template [%s] already exists", k.word, name)
			}
			if k.path == "index_template" {
				t, err := cluster.ParseTemplate(raw)
				if err != nil {
					return err
				}
				if err := checkIndexTemplate(tx.View, name, t); err != nil {
					return err
				}
				if err := streamsKeepTemplates(tx, name, t, k.record(name, raw)); err != nil {
					return err
				}
				patterns, legacy = t.IndexPatterns, overlapsLegacy(tx.View, t.IndexPatterns)
			}
			tx.Put(k.record(name, raw))
			return nil
		})
		if err != nil {
			return nil, err
		}
		if len(legacy) > 0 {
			r.Warn("index template [" + name + "] has index patterns " + javaList(patterns) + " matching patterns from existing older templates [" + overlapNames(legacy) +
				"] with patterns (" + overlapList(legacy) + "); this template [" + name + "] will take precedence during new index creation")
		}
		return Acknowledged()
	}
}

// checkIndexTemplate refuses an index template whose components are missing, whose priority another one has for the same names, or
// that does not fit together.
func checkIndexTemplate(v *state.View, name string, t *cluster.Template) error {
	var missing []string
	for _, c := range t.ComposedOf {
		if v.ComponentTemplate(c) == nil {
			missing = append(missing, c)
		}
	}
	if len(missing) > 0 {
		return apierr.New(http.StatusBadRequest, "invalid_index_template_exception",
			"index_template [%s] invalid, cause [index template [%s] specifies component templates %s that do not exist]", name, name, javaList(missing))
	}
	priority := int64(0)
	if t.Priority != nil {
		priority = *t.Priority
	}
	var same []overlapping
	for _, o := range overlapsIndexTemplates(v, name, t.IndexPatterns) {
		if o.priority == priority {
			same = append(same, o)
		}
	}
	if len(same) > 0 {
		return apierr.IllegalArgument("index template [%s] has index patterns %s matching patterns from existing templates [%s] with patterns (%s) that have the same priority [%d], multiple index templates may not match during index creation, please use a different priority",
			name, javaList(t.IndexPatterns), overlapNames(same), overlapList(same), priority)
	}
	res, err := cluster.ComposeTemplate(v, name, t)
	if err != nil {
		return err
	}
	mappings := res.Mappings
	if res.Timestamp != "" {
		if mappings, err = cluster.StreamMappings(res.Timestamp, mappings); err != nil {
			return err
		}
	}
	if _, err := cluster.MergeTemplateMappings(res.Settings, mappings); err != nil {
		return apierr.IllegalArgument("composable template [%s] template after composition with component templates %s is invalid", name, javaList(t.ComposedOf)).Because(err)
	}
	return nil
}

func (k templateKind) delete(a *API) Handler {
	return func(r *Request) (*Response, error) {
		if _, err := a.timeouts(r); err != nil {
			return nil, err
		}
		name := r.Param("name")
		if err := r.unknownParams(); err != nil {
			return nil, err
		}
		return a.updateState(r.Context(), func(tx *state.Tx) error {
			found := k.find(tx.View, []string{name})
			if len(found) == 0 && !strings.Contains(name, "*") {
				return templateMissing(name)
			}
			if k.path == "component_template" {
				if err := componentsInUse(tx.View, found); err != nil {
					return err
				}
			} else if err := streamsInUse(tx.View, found); err != nil {
				return err
			}
			for _, s := range found {
				tx.Delete(k.record(s.name, nil))
			}
			return nil
		})
	}
}

func componentsInUse(v *state.View, found []stored) error {
	var components, users []string
	for _, rec := range v.IndexTemplates() {
		t, err := cluster.ParseTemplate(rec.Body)
		if err != nil {
			continue
		}
		used := false
		for _, s := range found {
			if slices.Contains(t.ComposedOf, s.name) {
				used = true
				if !slices.Contains(components, s.name) {
					components = append(components, s.name)
				}
			}
		}
		if used {
			users = append(users, rec.Name)
		}
	}
	if len(users) == 0 {
		return nil
	}
	return apierr.IllegalArgument("component templates %s cannot be removed as they are still in use by index templates %s", javaList(components), javaList(users))
}

// simulated renders what templates come to.
func simulated(res *cluster.TemplateResult, overlap []overlapping) (*Response, error) {
	mapping, err := cluster.MergeTemplateMappings(res.Settings, res.Mappings)
	if err != nil {
		return nil, err
	}
	aliases := &xcontent.Object{}
	for _, name := range sortedKeys(res.Aliases) {
		aliases.Add(name, aliasObject(res.Aliases[name]))
	}
	list := []any{}
	for _, o := range overlap {
		list = append(list, xcontent.Obj("name", o.name, "index_patterns", o.patterns))
	}
	return OK(xcontent.Obj("template", xcontent.Obj("settings", renderSettings(res.Settings, false), "mappings", mappingObject(mapping), "aliases", aliases), "overlapping", list))
}

func (a *API) simulateIndex(r *Request) (*Response, error) {
	r.Ignore("create", "cause")
	if _, err := a.timeouts(r); err != nil {
		return nil, err
	}
	body, err := r.object()
	if err != nil {
		return nil, err
	}
	v := a.view()
	index := r.Param("name")
	name, t, err := cluster.FindIndexTemplate(v, index, false)
	if err != nil {
		return nil, err
	}
	if body != nil {
		if name, t, err = templateOf(v, "simulate_index_template_"+index, body); err != nil {
			return nil, err
		}
	}
	if t == nil {
		return OK(xcontent.Obj())
	}
	res, err := cluster.ComposeTemplate(v, name, t)
	if err != nil {
		return nil, err
	}
	one := []string{index}
	overlap := append(overlapsIndexTemplates(v, name, one), overlapsLegacy(v, one)...)
	return simulated(res, overlap)
}

func templateOf(v *state.View, name string, body *xcontent.Object) (string, *cluster.Template, error) {
	out, err := indexTemplates.read(body)
	if err != nil {
		return "", nil, err
	}
	raw, err := json.Marshal(out)
	if err != nil {
		return "", nil, err
	}
	t, err := cluster.ParseTemplate(raw)
	if err != nil {
		return "", nil, err
	}
	return name, t, checkIndexTemplate(v, name, t)
}

func (a *API) simulateTemplate(r *Request) (*Response, error) {
	r.Ignore("create", "cause")
	if _, err := a.timeouts(r); err != nil {
		return nil, err
	}
	body, err := r.object()
	if err != nil {
		return nil, err
	}
	v := a.view()
	name := r.Param("name")
	var t *cluster.Template
	if body != nil {
		if name == "" {
			name = "simulate_template"
		}
		if name, t, err = templateOf(v, name, body); err != nil {
			return nil, err
		}
	} else {
		rec := v.IndexTemplate(name)
		if rec == nil {
			return nil, apierr.IllegalArgument("unable to simulate template [%s] that does not exist", name)
		}
		if t, err = cluster.ParseTemplate(rec.Body); err != nil {
			return nil, err
		}
	}
	res, err := cluster.ComposeTemplate(v, name, t)
	if err != nil {
		return nil, err
	}
	return simulated(res, append(overlapsIndexTemplates(v, name, t.IndexPatterns), overlapsLegacy(v, t.IndexPatterns)...))
}
