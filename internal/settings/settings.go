package settings

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Settings maps a dotted name to a string, a []string, or nil where a request asks to remove the
// setting. A value that is shared must not be changed: Clone it first.
type Settings map[string]any

// maxDepth limits how deep a settings object may nest.
const maxDepth = 64

// Parse reads a JSON object, flat, nested or mixed. Numbers and booleans keep the text they have.
func Parse(data []byte) (Settings, error) {
	s := Settings{}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	tok, err := dec.Token()
	if err != nil {
		return nil, fmt.Errorf("parse settings: %w", err)
	}
	if tok == nil {
		return s, trailing(dec)
	}
	if tok != json.Delim('{') {
		return nil, fmt.Errorf("parse settings: expected an object but found [%v]", tok)
	}
	if err := s.parseObject(dec, "", 0); err != nil {
		return nil, fmt.Errorf("parse settings: %w", err)
	}
	return s, trailing(dec)
}

func trailing(dec *json.Decoder) error {
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("malformed, expected end of settings but encountered additional content")
	}
	return nil
}

func (s Settings) parseObject(dec *json.Decoder, prefix string, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("[%.100s] nests deeper than %d levels", prefix, maxDepth)
	}
	for {
		tok, err := dec.Token()
		if err != nil {
			return err
		}
		if tok == json.Delim('}') {
			return nil
		}
		key := prefix + tok.(string)
		if tok, err = dec.Token(); err != nil {
			return err
		}
		switch v := tok.(type) {
		case json.Delim:
			if v == '{' {
				if err := s.parseObject(dec, key+".", depth+1); err != nil {
					return err
				}
				continue
			}
			list := []string{}
			for {
				if tok, err = dec.Token(); err != nil {
					return err
				}
				if tok == json.Delim(']') {
					break
				}
				text, ok := scalar(tok)
				if !ok {
					return errors.New("only value lists are allowed in serialized settings")
				}
				list = append(list, text)
			}
			s[key] = list
		case nil:
			s[key] = nil
		default:
			s[key], _ = scalar(tok)
		}
	}
}

// scalar returns the text of a string, number or boolean.
func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	case int:
		return strconv.Itoa(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case uint64:
		return strconv.FormatUint(v, 10), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	}
	return "", false
}

// FromMap makes settings of a decoded JSON or YAML object, nested or flat.
func FromMap(m map[string]any) (Settings, error) {
	s := Settings{}
	if err := s.addMap("", m, 0); err != nil {
		return nil, err
	}
	return s, nil
}

func (s Settings) addMap(prefix string, m map[string]any, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("settings: [%.100s] nests deeper than %d levels", prefix, maxDepth)
	}
	for k, v := range m {
		switch v := v.(type) {
		case nil:
			s[prefix+k] = nil
		case map[string]any:
			if err := s.addMap(prefix+k+".", v, depth+1); err != nil {
				return err
			}
		case []string:
			s[prefix+k] = slices.Clone(v)
		case []any:
			list := make([]string, len(v))
			for i, e := range v {
				text, ok := scalar(e)
				if !ok {
					return fmt.Errorf("settings: [%s] holds a list of something else than plain values", prefix+k)
				}
				list[i] = text
			}
			s[prefix+k] = list
		default:
			text, ok := scalar(v)
			if !ok {
				return fmt.Errorf("settings: [%s] has a value of unknown type %T", prefix+k, v)
			}
			s[prefix+k] = text
		}
	}
	return nil
}

// UnmarshalJSON reads what Parse reads.
func (s *Settings) UnmarshalJSON(data []byte) error {
	parsed, err := Parse(data)
	*s = parsed
	return err
}

// Keys returns the names in order.
func (s Settings) Keys() []string { return slices.Sorted(maps.Keys(s)) }

// Clone returns a copy.
func (s Settings) Clone() Settings {
	c := make(Settings, len(s))
	for k, v := range s {
		if l, ok := v.([]string); ok {
			v = slices.Clone(l)
		}
		c[k] = v
	}
	return c
}

// Equal tells whether both have the same settings with the same values.
func (s Settings) Equal(o Settings) bool {
	return maps.EqualFunc(s, o, func(a, b any) bool {
		la, aList := a.([]string)
		lb, bList := b.([]string)
		if aList || bList {
			return aList && bList && slices.Equal(la, lb)
		}
		return a == b
	})
}

// WithPrefix puts prefix (such as "index.") before each name that lacks it. Names that end with a
// wildcard or begin with "archived." stay.
func (s Settings) WithPrefix(prefix string) Settings {
	c := make(Settings, len(s))
	for k, v := range s {
		if !strings.HasPrefix(k, prefix) && !strings.HasSuffix(k, "*") && !strings.HasPrefix(k, archivedPrefix) {
			k = prefix + k
		}
		c[k] = v
	}
	return c
}

// ByPrefix returns the settings whose names begin with prefix, without it.
func (s Settings) ByPrefix(prefix string) Settings {
	c := Settings{}
	for k, v := range s {
		if rest, ok := strings.CutPrefix(k, prefix); ok && rest != "" {
			c[rest] = v
		}
	}
	return c
}

// Groups returns the settings below prefix (which ends with a dot) by the next part of their names:
// for "index.analysis.analyzer.", the analyzers. A setting without a further part is left out.
func (s Settings) Groups(prefix string) map[string]Settings {
	groups := map[string]Settings{}
	for k, v := range s {
		rest, ok := strings.CutPrefix(k, prefix)
		if !ok {
			continue
		}
		name, key, ok := strings.Cut(rest, ".")
		if !ok {
			continue
		}
		if groups[name] == nil {
			groups[name] = Settings{}
		}
		groups[name][key] = v
	}
	return groups
}

// Filter returns the settings whose names match one of the patterns, in which * stands for any text.
// Without patterns it returns all.
func (s Settings) Filter(patterns ...string) Settings {
	if len(patterns) == 0 {
		return s
	}
	c := Settings{}
	for k, v := range s {
		if slices.ContainsFunc(patterns, func(p string) bool { return Match(p, k) }) {
			c[k] = v
		}
	}
	return c
}

// Apply returns s changed by update: a nil value removes the setting, or all that match a name with
// wildcards.
func (s Settings) Apply(update Settings) Settings {
	c := s.Clone()
	for k, v := range update {
		if v == nil {
			for have := range c {
				if Match(k, have) {
					delete(c, have)
				}
			}
		}
	}
	for k, v := range update {
		if v != nil {
			c[k] = v
		}
	}
	return c
}

// Nested returns the settings as nested objects, the way OpenSearch shows them without
// flat_settings. A name that is both a value and a prefix keeps its longer names dotted.
func (s Settings) Nested() map[string]any {
	root := map[string]any{}
	for _, k := range s.Keys() {
		insert(root, "", k, s[k])
	}
	for k, v := range root {
		if m, ok := v.(map[string]any); ok {
			root[k] = arrays(m)
		}
	}
	return root
}

func insert(m map[string]any, prefix, name string, value any) {
	head, rest, dotted := strings.Cut(name, ".")
	key := prefix + head
	if !dotted {
		if inner, ok := m[key].(map[string]any); ok {
			for k, v := range inner {
				m[key+"."+k] = v
			}
		}
		m[key] = value
		return
	}
	existing, ok := m[key]
	if !ok || existing == nil {
		inner := map[string]any{}
		insert(inner, "", rest, value)
		m[key] = inner
		return
	}
	if inner, ok := existing.(map[string]any); ok {
		insert(inner, "", rest, value)
		return
	}
	insert(m, key+".", rest, value)
}

// arrays turns objects whose keys are 0, 1, 2 … into lists.
func arrays(m map[string]any) any {
	if len(m) == 0 {
		return m
	}
	list := make([]any, len(m))
	isList := true
	for k, v := range m {
		if inner, ok := v.(map[string]any); ok {
			v = arrays(inner)
			m[k] = v
		}
		i, err := strconv.Atoi(k)
		if err != nil || i < 0 || i >= len(m) || v == nil || strconv.Itoa(i) != k {
			isList = false
			continue
		}
		list[i] = v
	}
	if isList {
		return list
	}
	return m
}

const archivedPrefix = "archived."

// secretParts are the last parts of names whose values are secrets.
var secretParts = []string{
	"access_key", "secret_key", "session_token", "password", "passphrase", "secret", "secure_password", "api_key", "token",
	"private_key", "key_password", "keystore_password", "truststore_password", "credentials", "sas_token", "account_key",
	"access_key_id", "access_key_secret", "secret_access_key", "security_token", "client_secret",
}

// IsSecret tells whether the value of the setting with this name is a secret, which belongs into the
// node's key store or its own configuration and never into the cluster state or a repository.
func IsSecret(name string) bool {
	last := strings.ToLower(name[strings.LastIndexByte(name, '.')+1:])
	return slices.Contains(secretParts, last)
}

// Match tells whether text matches pattern, in which * stands for any text, the empty one too.
func Match(pattern, text string) bool {
	head, rest, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == text
	}
	if !strings.HasPrefix(text, head) {
		return false
	}
	text = text[len(head):]
	for {
		var part string
		part, rest, wild = strings.Cut(rest, "*")
		if !wild {
			return strings.HasSuffix(text, part)
		}
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
}
