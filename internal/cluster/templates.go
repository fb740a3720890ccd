package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/mapping"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/state"
)

// Template is what a template of any kind gives to a new index. It reads both forms that are stored: the
// flat one of old-style templates and the one under "template" of composable ones.
type Template struct {
	Order         int64                `json:"order"`    // of old-style ones
	Priority      *int64               `json:"priority"` // of composable ones
	Version       *int64               `json:"version"`
	IndexPatterns []string             `json:"index_patterns"`
	ComposedOf    []string             `json:"composed_of"`
	DataStream    json.RawMessage      `json:"data_stream"`
	Meta          json.RawMessage      `json:"_meta"`
	Settings      settings.Settings    `json:"settings"`
	Mappings      json.RawMessage      `json:"mappings"`
	Aliases       map[string]AliasJSON `json:"aliases"`
	Template      *Template            `json:"template"`
}

// AliasJSON is an alias as requests and templates write it.
type AliasJSON struct {
	Filter        json.RawMessage `json:"filter"`
	Routing       string          `json:"routing"`
	IndexRouting  string          `json:"index_routing"`
	SearchRouting string          `json:"search_routing"`
	IsWriteIndex  *bool           `json:"is_write_index"`
	IsHidden      *bool           `json:"is_hidden"`
}

// Alias returns the alias as it is kept.
func (j AliasJSON) Alias() state.Alias {
	a := state.Alias{Filter: j.Filter, IndexRouting: j.IndexRouting, SearchRouting: j.SearchRouting, IsWriteIndex: j.IsWriteIndex, IsHidden: j.IsHidden}
	if a.IndexRouting == "" {
		a.IndexRouting = j.Routing
	}
	if a.SearchRouting == "" {
		a.SearchRouting = j.Routing
	}
	if string(a.Filter) == "null" {
		a.Filter = nil
	}
	return a
}

// ParseTemplate reads a stored template.
func ParseTemplate(body json.RawMessage) (*Template, error) {
	t := &Template{}
	if err := json.Unmarshal(body, t); err != nil {
		return nil, fmt.Errorf("parse a template: %w", err)
	}
	return t, nil
}

// content is the part with settings, mappings and aliases.
func (t *Template) content() *Template {
	if t.Template != nil {
		return t.Template
	}
	return t
}

// Matches tells whether a name fits one of the template's patterns.
func (t *Template) Matches(name string) bool {
	return slices.ContainsFunc(t.IndexPatterns, func(p string) bool { return settings.Match(p, name) })
}

// TemplateResult is what the templates together give to a new index.
type TemplateResult struct {
	Settings settings.Settings
	Mappings []json.RawMessage // the least important first
	Aliases  map[string]state.Alias
	Names    []string // of the templates, for messages
	// Timestamp is the field that orders the data streams that the template makes; "" where it makes plain indices.
	Timestamp string
}

// ResolveTemplates finds the templates for a new index and joins them: the composable one of the highest
// priority with its components, or else all old-style ones by order.
func ResolveTemplates(v *state.View, index string, hidden bool) (*TemplateResult, error) {
	name, t, err := FindIndexTemplate(v, index, hidden)
	if err != nil {
		return nil, err
	}
	if t != nil {
		return ComposeTemplate(v, name, t)
	}
	return legacyTemplates(v, index, hidden)
}

// FindIndexTemplate returns the composable template for an index, or nil.
func FindIndexTemplate(v *state.View, index string, hidden bool) (name string, best *Template, err error) {
	for _, rec := range v.IndexTemplates() {
		t, err := ParseTemplate(rec.Body)
		if err != nil {
			return "", nil, fmt.Errorf("index template [%s]: %w", rec.Name, err)
		}
		if !t.Matches(index) || hidden && slices.Contains(t.IndexPatterns, "*") {
			continue
		}
		if best == nil || priority(t) > priority(best) {
			name, best = rec.Name, t
		}
	}
	return name, best, nil
}

func priority(t *Template) int64 {
	if t.Priority == nil {
		return 0
	}
	return *t.Priority
}

// ComposeTemplate joins a composable template with its components: later ones win, the template itself last.
func ComposeTemplate(v *state.View, name string, t *Template) (*TemplateResult, error) {
	res := newTemplateResult()
	res.Names = []string{name}
	res.Timestamp, _ = t.TimestampField()
	for _, c := range t.ComposedOf {
		rec := v.ComponentTemplate(c)
		if rec == nil {
			continue // checked when the template was stored; a restore may have brought one without
		}
		ct, err := ParseTemplate(rec.Body)
		if err != nil {
			return nil, fmt.Errorf("component template [%s]: %w", c, err)
		}
		res.add(ct.content(), true)
	}
	if t.Template != nil {
		res.add(t.Template, true)
	}
	return res, nil
}

func newTemplateResult() *TemplateResult {
	return &TemplateResult{Settings: settings.Settings{}, Aliases: map[string]state.Alias{}}
}

// add puts a template over what is there.
func (res *TemplateResult) add(t *Template, replaceAliases bool) {
	maps.Copy(res.Settings, Normalize(t.Settings))
	if len(t.Mappings) > 0 && string(t.Mappings) != "null" {
		res.Mappings = append(res.Mappings, t.Mappings)
	}
	for name, a := range t.Aliases {
		if _, there := res.Aliases[name]; !there || replaceAliases {
			res.Aliases[name] = a.Alias()
		}
	}
}

// namedTemplate is a template with its name.
type namedTemplate struct {
	name string
	t    *Template
}

// matchingLegacy returns the old-style templates for an index, by order.
func matchingLegacy(v *state.View, index string, hidden bool) ([]namedTemplate, error) {
	var list []namedTemplate
	for _, rec := range v.LegacyTemplates() {
		t, err := ParseTemplate(rec.Body)
		if err != nil {
			return nil, fmt.Errorf("template [%s]: %w", rec.Name, err)
		}
		if t.Matches(index) && !(hidden && slices.Contains(t.IndexPatterns, "*")) {
			list = append(list, namedTemplate{rec.Name, t})
		}
	}
	slices.SortStableFunc(list, func(a, b namedTemplate) int { return cmp.Compare(a.t.Order, b.t.Order) })
	return list, nil
}

func legacyTemplates(v *state.View, index string, hidden bool) (*TemplateResult, error) {
	list, err := matchingLegacy(v, index, hidden)
	if err != nil {
		return nil, err
	}
	res := newTemplateResult()
	for _, f := range list {
		res.Names = append(res.Names, f.name)
		res.add(f.t, true)
	}
	return res, nil
}

// WithTemplates completes a request for a new index by what the templates for its name say. What the request says
// wins; a null in its settings takes away what a template sets.
func WithTemplates(v *state.View, req CreateRequest) (CreateRequest, error) {
	name, hidden := req.Name, req.Settings.GetOr("index.hidden", "false") == "true"
	if req.Stream != "" {
		name, hidden = req.Stream, false
	}
	res, err := ResolveTemplates(v, name, hidden)
	if err != nil {
		return req, err
	}
	if req.Stream == "" && res.Timestamp != "" {
		return req, streamsOnly(req.Name, res.Names[0])
	}
	if req.Stream != "" {
		if res.Mappings, err = StreamMappings(res.Timestamp, res.Mappings); err != nil {
			return req, err
		}
	}
	req.Settings = res.Settings.Apply(req.Settings)
	raws := res.Mappings
	if len(req.Mapping) > 0 {
		raws = append(raws, req.Mapping)
	}
	if len(res.Mappings) > 0 {
		if req.Mapping, err = MergeTemplateMappings(req.Settings, raws); err != nil {
			return req, err
		}
	}
	aliases := map[string]state.Alias{}
	for name, a := range res.Aliases {
		aliases[strings.ReplaceAll(name, "{index}", req.Name)] = a
	}
	maps.Copy(aliases, req.Aliases)
	req.Aliases = aliases
	return req, nil
}

// AutoCreate makes the index that a write names and that is not there, if action.auto_create_index allows it. Where it
// is there by now, it is returned.
func (n *Node) AutoCreate(ctx context.Context, name string) (*CreateResult, error) {
	v := n.store.View()
	if ix := v.Index(name); ix != nil {
		return &CreateResult{Acknowledged: true, ShardsAcknowledged: true, Index: ix}, nil
	}
	if err := autoCreateAllowed(n.ClusterSetting("action.auto_create_index"), name); err != nil {
		return nil, err
	}
	if _, t, err := FindIndexTemplate(v, name, false); err != nil {
		return nil, err
	} else if t != nil {
		if _, stream := t.TimestampField(); stream {
			return n.CreateDataStream(ctx, name, 30*time.Second)
		}
	}
	req := CreateRequest{Name: name, Settings: settings.Settings{}, WaitFor: 1, Timeout: 30 * time.Second}
	res, err := n.CreateIndex(ctx, req)
	if apierr.Is(err, "resource_already_exists_exception") {
		if ix := n.store.View().Index(name); ix != nil {
			_, err := n.WaitFor(ctx, req.Timeout, func(v *state.View) bool { return activeCopies(v, ix.UUID, 1) })
			return &CreateResult{Acknowledged: true, ShardsAcknowledged: true, Index: ix}, err
		}
	}
	return res, err
}

// ClusterSetting returns a setting of the cluster: transient before persistent before this node's own; "" if none is set.
func (n *Node) ClusterSetting(name string) string {
	cs := n.store.View().Settings()
	for _, s := range []settings.Settings{cs.Transient, cs.Persistent, n.cfg.Settings} {
		if v, ok := s.Get(name); ok {
			return v
		}
	}
	return ""
}

// autoCreateAllowed reads a value of action.auto_create_index: true, false, or patterns, each with + or -.
func autoCreateAllowed(value, name string) error {
	refuse := func(why string, args ...any) error {
		e := apierr.IndexNotFound(name)
		e.Reason = fmt.Sprintf("no such index [%s] and [action.auto_create_index] ", name) + fmt.Sprintf(why, args...)
		return e
	}
	switch value {
	case "", "true":
		return nil
	case "false":
		return refuse("is [false]")
	}
	for p := range strings.SplitSeq(strings.Trim(value, "[]"), ",") {
		p = strings.TrimSpace(p)
		allow := true
		if rest, ok := strings.CutPrefix(p, "-"); ok {
			p, allow = rest, false
		} else {
			p = strings.TrimPrefix(p, "+")
		}
		if settings.Match(p, name) {
			if allow {
				return nil
			}
			return refuse("contains [-%s] which forbids automatic creation of the index", p)
		}
	}
	return refuse("([%s]) doesn't match", value)
}

// CheckTemplateContent refuses a template whose mapping cannot be read.
func CheckTemplateContent(body json.RawMessage) error {
	t, err := ParseTemplate(body)
	if err != nil {
		return apierr.IllegalArgument("%v", err)
	}
	c := t.content()
	if len(c.Mappings) == 0 || string(c.Mappings) == "null" {
		return nil
	}
	// Analyzers may come from another template: the mapping is read as leniently as that of an index that exists.
	ix, err := mappingIndex(Normalize(c.Settings), true)
	if err != nil {
		return err
	}
	_, err = mapping.ParseJSON(ix, c.Mappings, mapping.ParseOptions{Lenient: true})
	return err
}
