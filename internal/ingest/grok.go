package ingest

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/dlclark/regexp2/v2"

	"github.com/varve-search/varve/internal/javavalue"
)

// The limits of an expression of grok patterns.
const (
	maxGrokSteps  = 100_000
	maxGrokLength = 1 << 20
	maxGrokDepth  = 500
)

var grokReference = regexp.MustCompile(`%\{([A-z0-9]+)(:[\pL\pM\p{Nd}@\[\]_:.-]+)?(?:=(?:[^{}]+|\.+)+)?\}`)

// grok is a compiled expression of named patterns.
type grok struct {
	p        *pattern
	captures []capture
}

// capture is a named group: a field and the type of its value.
type capture struct {
	field, typ string
	groups     []string
}

// newGrok compiles an expression over a set of named patterns.
func newGrok(bank map[string]string, expression string) (*grok, error) {
	source, err := grokRegex(bank, expression)
	if err != nil {
		return nil, err
	}
	p, err := compileRegex(source, onigRegex)
	if err != nil {
		return nil, err
	}
	g := &grok{p: p}
	at := map[string]int{}
	for i, name := range p.names {
		group := "g" + strconv.Itoa(i)
		if n, ok := at[name]; ok {
			g.captures[n].groups = append(g.captures[n].groups, group)
			continue
		}
		at[name] = len(g.captures)
		c := capture{field: name, groups: []string{group}}
		if parts := strings.Split(name, ":"); len(parts) > 1 {
			c.field = parts[1]
			if len(parts) == 3 {
				c.typ = parts[2]
			}
		}
		g.captures = append(g.captures, c)
	}
	return g, nil
}

// grokRegex replaces the references to named patterns by their expressions.
func grokRegex(bank map[string]string, s string) (string, error) {
	var out strings.Builder
	for range maxGrokSteps {
		at := grokReference.FindStringSubmatchIndex(s)
		if at == nil {
			out.WriteString(s)
			return out.String(), nil
		}
		name := s[at[2]:at[3]]
		def, ok := bank[name]
		if !ok {
			return "", fmt.Errorf("Unable to find pattern [%s] in Grok's pattern dictionary", name)
		}
		if strings.Contains(def, "%{"+name+"}") || strings.Contains(def, "%{"+name+":") {
			return "", fmt.Errorf("circular reference in pattern back [%s]", name)
		}
		open := "(?:"
		if at[4] >= 0 {
			open = "(?<" + name + s[at[4]:at[5]] + ">"
		}
		out.WriteString(s[:at[0]])
		s = open + def + ")" + s[at[1]:]
		if out.Len()+len(s) > maxGrokLength {
			return "", fmt.Errorf("the patterns make an expression of more than %d bytes", maxGrokLength)
		}
	}
	return "", fmt.Errorf("Can not convert grok patterns to regular expression")
}

// checkBank refuses patterns that need themselves.
func checkBank(bank map[string]string) error {
	done := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(bank)) {
		if err := checkPattern(bank, name, nil, done); err != nil {
			return err
		}
	}
	return nil
}

func checkPattern(bank map[string]string, name string, path []string, done map[string]bool) error {
	if done[name] {
		return nil
	}
	if len(path) > maxGrokDepth {
		return fmt.Errorf("Pattern references exceeded maximum depth of %d", maxGrokDepth)
	}
	def := bank[name]
	for i := 0; i < len(def); i++ {
		if !strings.HasPrefix(def[i:], "%{") {
			continue
		}
		inner, _, ok := strings.Cut(def[i+2:], "}")
		if !ok {
			return fmt.Errorf("Malformed pattern [%s][%s]", name, def)
		}
		needs, _, _ := strings.Cut(inner, ":")
		if needs == name {
			return fmt.Errorf("circular reference in pattern [%s][%s]", name, def)
		}
		for n, p := range path {
			if p == needs {
				s := fmt.Sprintf("circular reference in pattern [%s][%s] back to pattern [%s]", name, def, needs)
				if n == 0 && len(path) > 1 {
					s += " via patterns [" + strings.Join(path, "=>") + "]"
				}
				return fmt.Errorf("%s", s)
			}
		}
		if err := checkPattern(bank, needs, append(path[:len(path):len(path)], name), done); err != nil {
			return err
		}
	}
	done[name] = true
	return nil
}

// match returns the fields that the expression finds in a text, nil if it does not match.
func (g *grok) match(s string) (*object, error) {
	m, err := g.p.find(s)
	if err != nil || m == nil {
		return nil, err
	}
	out := &object{}
	for _, c := range g.captures {
		for _, name := range c.groups {
			group := m.GroupByName(name)
			if group == nil || len(group.Captures) == 0 {
				continue
			}
			v, err := c.value(group)
			if err != nil {
				return nil, err
			}
			out.Put(c.field, v)
			break
		}
	}
	return out, nil
}

func (c *capture) value(g *regexp2.Group) (any, error) {
	s := g.String()
	switch c.typ {
	case "int":
		return parseInt(s, 32)
	case "long":
		return parseInt(s, 64)
	case "float":
		return parseFloat(s, 32)
	case "double":
		return parseFloat(s, 64)
	case "boolean":
		return strings.EqualFold(s, "true"), nil
	}
	return s, nil
}

const matchIndex = "_ingest._grok_match_index"

func buildGrok(c *config, s *step) error {
	field, err := c.text("field")
	if err != nil {
		return err
	}
	patterns, err := c.requiredTexts("patterns")
	if err != nil {
		return err
	}
	trace, err := c.flag("trace_match", false)
	if err != nil {
		return err
	}
	ignoreMissing, err := c.flag("ignore_missing", false)
	if err != nil {
		return err
	}
	if len(patterns) == 0 {
		return c.fault("patterns", "List of patterns must not be empty")
	}
	bank := Patterns()
	if v := c.o.Remove("pattern_definitions"); v != nil {
		o, ok := v.(*object)
		if !ok {
			return c.wrongType("pattern_definitions", "a map", v)
		}
		for _, k := range o.Keys() {
			def, _ := o.Get(k)
			text, ok := def.(string)
			if !ok {
				return c.fault("pattern_definitions", "the pattern [%s] isn't a string, but of type [%s]", k, javavalue.TypeName(def))
			}
			bank[k] = text
		}
	}
	var g *grok
	if err = checkBank(bank); err == nil {
		g, err = newGrok(bank, combine(patterns, trace))
	}
	if err != nil {
		return c.fault("patterns", "Invalid regex pattern found in: %s. %v", javaList(patterns), err)
	}
	s.run = func(_ *run, d *Document) (bool, error) {
		text, there, err := d.textFor("process it.", field, ignoreMissing)
		if err != nil || !there {
			return err == nil, err
		}
		found, err := g.match(text)
		if err != nil {
			return false, err
		}
		if found == nil {
			return false, illegalArgument("Provided Grok expressions do not match field value: [%s]", text)
		}
		for _, k := range found.Keys() {
			v, _ := found.Get(k)
			if err := d.set(k, v); err != nil {
				return false, err
			}
		}
		if trace {
			return true, traceMatch(d, len(patterns))
		}
		return true, nil
	}
	return nil
}

// traceMatch replaces the captures that say which pattern matched by its number.
func traceMatch(d *Document, patterns int) error {
	if patterns == 1 {
		return d.set(matchIndex, "0")
	}
	v, err := d.get(matchIndex)
	if err != nil {
		return err
	}
	if o, ok := v.(*object); ok {
		if keys := o.HashedKeys(); len(keys) > 0 {
			return d.set(matchIndex, keys[0])
		}
	}
	return nil
}

// combine makes one expression of several.
func combine(patterns []string, trace bool) string {
	if len(patterns) == 1 {
		return patterns[0]
	}
	parts := make([]string, len(patterns))
	for i, p := range patterns {
		if trace {
			parts[i] = "(?<" + matchIndex + "." + strconv.Itoa(i) + ">" + p + ")"
		} else {
			parts[i] = "(?:" + p + ")"
		}
	}
	return strings.Join(parts, "|")
}

// Patterns returns the named patterns that are built in.
func Patterns() map[string]string { return maps.Clone(grokPatterns) }
