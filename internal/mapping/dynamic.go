package mapping

import (
	"regexp"
	"sort"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/dateformat"
	"github.com/varve-search/varve/internal/xcontent"
)

// defaultDateFormats are the formats by which strings are recognized as dates.
var defaultDateFormats = []string{dateformat.Default, "yyyy/MM/dd HH:mm:ss||yyyy/MM/dd||epoch_millis"}

func parseDynamicFormats(v any) ([]string, error) {
	list, ok := v.([]any)
	if !ok {
		if s := javaValue(v); s == "none" {
			return []string{}, nil
		}
		list = []any{v}
	}
	formats := []string{}
	for _, e := range list {
		s := javaValue(e)
		if ok && strings.HasPrefix(s, "epoch_") {
			return nil, apierr.MapperParsing("Epoch [%s] is not supported as dynamic date format", s)
		}
		if _, err := dateformat.Parse(s); err != nil {
			return nil, err
		}
		formats = append(formats, s)
	}
	return formats, nil
}

// dynamicTemplate says how unknown fields of some name or type are mapped.
type dynamicTemplate struct {
	name                                string
	match, unmatch, pathMatch, pathOmit string
	hasMatch, hasUnmatch, hasPath       bool
	hasPathOmit                         bool
	jsonType                            string // "" for all
	regex                               bool
	mapping                             *xcontent.Object
}

// jsonTypes maps the types of match_mapping_type to the field types they become by default.
var jsonTypes = map[string]string{"object": "object", "string": "text", "long": "long", "double": "float", "boolean": "boolean", "date": "date", "binary": "binary"}

func parseTemplates(v any) ([]*dynamicTemplate, error) {
	list, ok := v.([]any)
	if !ok {
		return nil, apierr.MapperParsing("Dynamic template syntax error. An array of named objects is expected.")
	}
	templates := []*dynamicTemplate{}
	for _, e := range list {
		o, ok := e.(*xcontent.Object)
		if !ok || o.Len() != 1 {
			return nil, apierr.MapperParsing("A dynamic template must be defined with a name")
		}
		conf, ok := o.Members[0].Value.(*xcontent.Object)
		if !ok {
			return nil, apierr.MapperParsing("A dynamic template must be defined with a name")
		}
		t, err := parseTemplate(o.Members[0].Key, conf)
		if err != nil {
			return nil, err
		}
		templates = append(templates, t)
	}
	return templates, nil
}

func parseTemplate(name string, conf *xcontent.Object) (*dynamicTemplate, error) {
	t := &dynamicTemplate{name: name}
	typeGiven := false
	for _, m := range conf.Members {
		switch m.Key {
		case "match":
			t.match, t.hasMatch = javaValue(m.Value), true
		case "path_match":
			t.pathMatch, t.hasPath = javaValue(m.Value), true
		case "unmatch":
			t.unmatch, t.hasUnmatch = javaValue(m.Value), true
		case "path_unmatch":
			t.pathOmit, t.hasPathOmit = javaValue(m.Value), true
		case "match_mapping_type":
			typeGiven = true
			if s := javaValue(m.Value); s != "*" {
				if _, ok := jsonTypes[s]; !ok {
					return nil, apierr.IllegalArgument("No field type matched on [%s], possible values are [object, string, long, double, boolean, date, binary]", s)
				}
				t.jsonType = s
			}
		case "match_pattern":
			switch s := javaValue(m.Value); s {
			case "simple":
			case "regex":
				t.regex = true
			default:
				return nil, apierr.IllegalArgument("No matching pattern matched on [%s]", s)
			}
		case "mapping":
			o, ok := m.Value.(*xcontent.Object)
			if !ok {
				return nil, apierr.MapperParsing("template must have mapping set")
			}
			t.mapping = o
		default:
			return nil, apierr.IllegalArgument("Illegal dynamic template parameter: [%s]", m.Key)
		}
	}
	if !t.hasMatch && !t.hasPath && !typeGiven {
		return nil, apierr.MapperParsing("template must have match, path_match or match_mapping_type set %s", javaValue(conf))
	}
	if t.mapping == nil {
		return nil, apierr.MapperParsing("template must have mapping set")
	}
	if t.regex {
		for _, p := range []string{t.pathMatch, t.match, t.pathOmit, t.unmatch} {
			if _, err := regexp.Compile(p); err != nil {
				return nil, apierr.IllegalArgument("Pattern [%s] of type [regex] is invalid. Cannot create dynamic template [%s].", p, name).Because(err)
			}
		}
	}
	return t, nil
}

func (t *dynamicTemplate) render() *xcontent.Object {
	o := xcontent.Obj()
	add := func(has bool, key, v string) {
		if has {
			o.Add(key, v)
		}
	}
	add(t.hasMatch, "match", t.match)
	add(t.hasPath, "path_match", t.pathMatch)
	add(t.hasUnmatch, "unmatch", t.unmatch)
	add(t.hasPathOmit, "path_unmatch", t.pathOmit)
	if t.jsonType != "" {
		o.Add("match_mapping_type", t.jsonType)
	} else if !t.hasMatch && !t.hasPath {
		o.Add("match_mapping_type", "*")
	}
	add(t.regex, "match_pattern", "regex")
	sorted := &xcontent.Object{Members: append([]xcontent.Member(nil), t.mapping.Members...)}
	sort.SliceStable(sorted.Members, func(i, j int) bool { return sorted.Members[i].Key < sorted.Members[j].Key })
	return o.Add("mapping", sorted)
}

func mergeTemplates(old, update []*dynamicTemplate) []*dynamicTemplate {
	out := append([]*dynamicTemplate(nil), old...)
next:
	for _, u := range update {
		for i, o := range out {
			if o.name == u.name {
				out[i] = u
				continue next
			}
		}
		out = append(out, u)
	}
	return out
}

func (t *dynamicTemplate) matchOne(pattern, s string) bool {
	if t.regex {
		re, err := regexp.Compile(`\A(?:` + pattern + `)\z`)
		return err == nil && re.MatchString(s)
	}
	return simpleMatch(pattern, s)
}

// simpleMatch matches a pattern in which * stands for anything.
func simpleMatch(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == s
	}
	if !strings.HasPrefix(s, parts[0]) {
		return false
	}
	s = s[len(parts[0]):]
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(s, p)
		if i < 0 {
			return false
		}
		s = s[i+len(p):]
	}
	return strings.HasSuffix(s, parts[len(parts)-1])
}

func (t *dynamicTemplate) matches(path, name, jsonType string) bool {
	switch {
	case t.hasPath && !t.matchOne(t.pathMatch, path),
		t.hasMatch && !t.matchOne(t.match, name),
		t.hasPathOmit && t.matchOne(t.pathOmit, path),
		t.hasUnmatch && t.matchOne(t.unmatch, name),
		t.jsonType != "" && t.jsonType != jsonType:
		return false
	}
	return true
}

// findTemplate returns the type and the definition that the first fitting template gives a new field.
func (m *Mapping) findTemplate(path, name, jsonType string) (typ string, def *xcontent.Object, ok bool) {
	for _, t := range m.templates {
		if !t.matches(path, name, jsonType) {
			continue
		}
		dynamicType := jsonTypes[jsonType]
		fill := strings.NewReplacer("{name}", name, "{dynamic_type}", dynamicType, "{dynamicType}", dynamicType)
		def = fillTemplate(t.mapping, fill).(*xcontent.Object)
		typ = dynamicType
		if v, has := t.mapping.Get("type"); has {
			typ = strings.NewReplacer("{dynamic_type}", dynamicType, "{dynamicType}", dynamicType).Replace(javaValue(v))
		}
		return typ, def, true
	}
	return "", nil, false
}

func fillTemplate(v any, fill *strings.Replacer) any {
	switch x := v.(type) {
	case *xcontent.Object:
		o := xcontent.Obj()
		for _, m := range x.Members {
			o.Add(fill.Replace(m.Key), fillTemplate(m.Value, fill))
		}
		return o
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = fillTemplate(e, fill)
		}
		return out
	case string:
		return fill.Replace(x)
	}
	return v
}

// dateFormatters returns the formats by which new strings are tried as dates.
func (m *Mapping) dateFormatters() []string {
	if m.dateFormatsGiven {
		return m.dateFormats
	}
	return defaultDateFormats
}
