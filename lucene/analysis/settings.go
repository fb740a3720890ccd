package analysis

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// Settings are the settings of one component: values are strings or lists of strings.
type Settings map[string]any

// toSettings reads settings as they come from JSON or from index metadata: nested objects and dotted
// keys mean the same, and lists may be spelled key.0, key.1.
func toSettings(in map[string]any) Settings {
	out := Settings{}
	flatten(out, "", in)
	lists := map[string][]int{}
	for k := range out {
		if i := strings.LastIndexByte(k, '.'); i > 0 {
			if n, err := strconv.Atoi(k[i+1:]); err == nil && n >= 0 {
				lists[k[:i]] = append(lists[k[:i]], n)
			}
		}
	}
	for k, idx := range lists {
		sort.Ints(idx)
		var list []string
		for _, n := range idx {
			key := k + "." + strconv.Itoa(n)
			if s, ok := out[key].(string); ok {
				list = append(list, s)
				delete(out, key)
			}
		}
		out[k] = list
	}
	return out
}

func flatten(out Settings, prefix string, v any) {
	switch x := v.(type) {
	case map[string]any:
		for k, e := range x {
			if prefix != "" {
				k = prefix + "." + k
			}
			flatten(out, k, e)
		}
	case Settings:
		flatten(out, prefix, map[string]any(x))
	case []any:
		list := make([]string, len(x))
		for i, e := range x {
			list[i] = text(e)
		}
		out[prefix] = list
	case []string:
		out[prefix] = x
	case nil:
	default:
		out[prefix] = text(x)
	}
}

func text(v any) string {
	switch x := v.(type) {
	case string:
		return x
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

// groups returns the settings under prefix, split by the next part of the key.
func (s Settings) groups(prefix string) map[string]Settings {
	out := map[string]Settings{}
	for k, v := range s {
		rest, ok := strings.CutPrefix(k, prefix+".")
		if !ok {
			continue
		}
		name, key, ok := strings.Cut(rest, ".")
		if !ok {
			continue
		}
		if out[name] == nil {
			out[name] = Settings{}
		}
		out[name][key] = v
	}
	return out
}

// str returns a value, or def. A list is joined as OpenSearch prints it.
func (s Settings) str(key, def string) string {
	switch v := s[key].(type) {
	case string:
		return v
	case []string:
		return "[" + strings.Join(v, ", ") + "]"
	}
	return def
}

func (s Settings) has(key string) bool { _, ok := s[key]; return ok }

// list returns a list; a single string is split at commas.
func (s Settings) list(key string) []string {
	switch v := s[key].(type) {
	case []string:
		return v
	case string:
		if v == "" {
			return nil
		}
		parts := strings.Split(v, ",")
		for i := range parts {
			parts[i] = strings.TrimSpace(parts[i])
		}
		return parts
	}
	return nil
}

// integer returns a whole number of 32 bits, or def.
func (s Settings) integer(key string, def int) (int, error) {
	v, ok := s[key]
	if !ok {
		return def, nil
	}
	n, err := strconv.ParseInt(text(v), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("Failed to parse int setting [%s] with value [%s]", key, text(v))
	}
	return int(n), nil
}

func (s Settings) boolean(key string, def bool) (bool, error) {
	v, ok := s[key]
	if !ok {
		return def, nil
	}
	switch text(v) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fmt.Errorf("Failed to parse value [%s] as only [true] or [false] are allowed.", text(v))
}

// reader reads several settings and keeps the first error.
type reader struct {
	s   Settings
	err error
}

func (r *reader) int(key string, def int) int {
	n, err := r.s.integer(key, def)
	if err != nil && r.err == nil {
		r.err = err
	}
	return n
}

func (r *reader) bool(key string, def bool) bool {
	b, err := r.s.boolean(key, def)
	if err != nil && r.err == nil {
		r.err = err
	}
	return b
}

// words reads a word list: "_none_" is empty, names of stop word lists stand for the lists.
func (r *reader) words(key string, def []string, ignoreCase bool) *wordSet {
	if r.s.has(key+"_path") && r.err == nil {
		r.err = fmt.Errorf("[%s_path] is not supported by Varve: give the words with [%s]", key, key)
	}
	if !r.s.has(key) {
		return resolveWords(def, ignoreCase)
	}
	if r.s.str(key, "") == "_none_" {
		return newWordSet(nil, ignoreCase)
	}
	return resolveWords(r.s.list(key), ignoreCase)
}
