package ingest

import (
	"bytes"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
)

// keyKind is what a key of a dissect pattern does with its text.
type keyKind int

const (
	keyPlain     keyKind = iota
	keySkip              // ?
	keyAppend            // +
	keyOrdered           // + with /n
	keyFieldName         // *
	keyFieldText         // &
)

type dissectKey struct {
	kind    keyKind
	name    string
	order   int
	skip    bool // its text is thrown away
	padding bool // -> : delimiters to the right are skipped
	delim   []byte
}

// dissector is a compiled dissect pattern.
type dissector struct {
	pattern, leading, separator string
	keys                        []dissectKey
	results                     int
}

var (
	dissectLeading = regexp.MustCompile(`^(.*?)%`)
	dissectParts   = regexp.MustCompile(`(?s)%\{([^}]*?)\}([^%]*)`)
	dissectOrder   = regexp.MustCompile(`(?s)[+](.*?)/([0-9]+)(->)?$`)
	dissectSign    = regexp.MustCompile(`(?s)[+*&?](.*?)(->)?$`)
	dissectPlain   = regexp.MustCompile(`(?s)^(.*?)(->)?$`)
)

func newDissector(pattern, separator string) (*dissector, error) {
	d := &dissector{pattern: pattern, separator: separator}
	fault := func(why string) error {
		return apierr.New(http.StatusInternalServerError, "pattern_parse", "Unable to parse pattern: %s Reason: %s", pattern, why)
	}
	if m := dissectLeading.FindStringSubmatch(pattern); m != nil {
		d.leading = m[1]
	}
	appended, references := map[string]bool{}, map[string]int{}
	names := map[string]bool{}
	for _, m := range dissectParts.FindAllStringSubmatch(pattern[len(d.leading):], -1) {
		k, err := newDissectKey(m[1])
		if err != nil {
			return nil, err
		}
		k.delim = []byte(m[2])
		d.keys = append(d.keys, k)
		if !k.skip {
			names[k.name] = true
		}
		switch k.kind {
		case keyAppend, keyOrdered:
			appended[k.name] = true
		case keyFieldName, keyFieldText:
			references[k.name]++
		}
	}
	d.results = len(names)
	if len(d.keys) == 0 || d.results == 0 {
		return nil, fault("Unable to find any keys or delimiters.")
	}
	for i := range d.keys {
		if d.keys[i].kind == keyPlain && appended[d.keys[i].name] {
			d.keys[i].kind = keyAppend
		}
	}
	for name, n := range references {
		if n != 2 {
			list := strings.TrimSuffix(strings.Repeat(name+",", n), ",")
			return nil, fault("Found invalid key/reference associations: '" + list + "' Please ensure each '*<key>' is matched with a matching '&<key>")
		}
	}
	return d, nil
}

func newDissectKey(s string) (dissectKey, error) {
	k := dissectKey{skip: s == ""}
	fault := func(why string) error {
		return apierr.New(http.StatusInternalServerError, "key_parse", "Unable to parse key: %s Reason: %s", s, why)
	}
	var sign byte
	for i, n := 0, 0; i < len(s); i++ {
		if strings.IndexByte("/+*&?", s[i]) < 0 {
			continue
		}
		if n++; n > 1 && (sign != '+' || s[i] != '/') {
			return k, fault("multiple modifiers are not allowed.")
		}
		sign = s[i]
	}
	var m []string
	switch sign {
	case 0:
		m = dissectPlain.FindStringSubmatch(s)
	case '/':
		k.kind = keyOrdered
		if o := dissectOrder.FindStringSubmatch(s); o != nil {
			n, err := strconv.ParseInt(o[2], 10, 16)
			if err != nil {
				return k, apierr.New(http.StatusBadRequest, "number_format_exception", "Value out of range. Value:\"%s\" Radix:10", o[2])
			}
			k.order = int(n)
			m = []string{o[0], o[1], o[3]}
		}
	default:
		k.kind = map[byte]keyKind{'+': keyAppend, '*': keyFieldName, '&': keyFieldText, '?': keySkip}[sign]
		m = dissectSign.FindStringSubmatch(s)
	}
	if m == nil {
		return k, fault("The key name could be determined")
	}
	k.name, k.padding = m[1], m[2] != ""
	k.skip = k.skip || k.kind == keySkip || sign == 0 && k.name == ""
	if k.name == "" && !k.skip {
		return k, fault("The key name could be determined")
	}
	return k, nil
}

// found collects what the keys take from a text.
type found struct {
	d       *dissector
	matches int
	fields  map[string]string
	appends map[string][]appended
	names   map[string]*reference
}

type appended struct {
	text  string
	order int
}

type reference struct{ key, text string }

func (f *found) add(k *dissectKey, text string) {
	f.matches++
	if k.skip {
		return
	}
	ref := func() *reference {
		if f.names[k.name] == nil {
			f.names[k.name] = &reference{}
		}
		return f.names[k.name]
	}
	switch k.kind {
	case keyPlain:
		f.fields[k.name] = text
	case keyAppend:
		f.appends[k.name] = append(f.appends[k.name], appended{text, -1000 + len(f.appends[k.name])})
	case keyOrdered:
		f.appends[k.name] = append(f.appends[k.name], appended{text, k.order})
	case keyFieldName:
		ref().key = text
	case keyFieldText:
		ref().text = text
	}
}

// dissect takes a text apart.
func (d *dissector) dissect(text string) (map[string]string, error) {
	f := &found{d: d, fields: map[string]string{}, appends: map[string][]appended{}, names: map[string]*reference{}}
	if rest, ok := strings.CutPrefix(text, d.leading); ok && rest != "" {
		f.walk([]byte(text)[utf16Len(d.leading):]) // OpenSearch counts characters where it means bytes
	}
	for _, r := range f.names {
		f.fields[r.key] = r.text
	}
	for name, parts := range f.appends {
		slices.SortStableFunc(parts, func(a, b appended) int { return a.order - b.order })
		texts := make([]string, len(parts))
		for i := range parts {
			texts[i] = parts[i].text
		}
		f.fields[name] = strings.Join(texts, d.separator)
	}
	if f.matches != len(d.keys) || len(f.fields) != d.results {
		return nil, apierr.New(http.StatusInternalServerError, "find_match", "Unable to find match for dissect pattern: %s against source: %s", d.pattern, text)
	}
	return f.fields, nil
}

// walk gives each key the text up to its delimiter. Delimiters in a row are empty texts, or skipped by a key with padding.
func (f *found) walk(in []byte) {
	keys := f.d.keys
	n, start := 0, 0
	delim := keys[0].delim
	for len(delim) > 0 {
		at := bytes.Index(in[start:], delim)
		if at < 0 {
			break
		}
		f.add(&keys[n], strings.ToValidUTF8(string(in[start:start+at]), "\uFFFD"))
		i := start + at + len(delim)
		for i < len(in) && bytes.HasPrefix(in[i:], delim) {
			i += len(delim)
			if keys[n].padding {
				continue
			}
			if n+1 == len(keys) {
				break
			}
			n++
			f.add(&keys[n], "")
		}
		if n+1 == len(keys) {
			break
		}
		n++
		start, delim = i, keys[n].delim
		if start >= len(in) {
			break
		}
	}
	if f.matches != len(keys) && len(delim) == 0 {
		f.add(&keys[n], strings.ToValidUTF8(string(in[start:]), "\uFFFD"))
	}
}

func buildDissect(c *config, s *step) error {
	field, err := c.text("field")
	if err != nil {
		return err
	}
	pattern, err := c.text("pattern")
	if err != nil {
		return err
	}
	separator, err := c.textOr("append_separator", "")
	if err != nil {
		return err
	}
	ignoreMissing, err := c.flag("ignore_missing", false)
	if err != nil {
		return err
	}
	d, err := newDissector(pattern, separator)
	if err != nil {
		return err
	}
	s.run = func(_ *run, doc *Document) (bool, error) {
		text, there, err := doc.textFor("process it.", field, ignoreMissing)
		if err != nil || !there {
			return err == nil, err
		}
		fields, err := d.dissect(text)
		if err != nil {
			return false, err
		}
		for _, k := range slices.Sorted(maps.Keys(fields)) {
			if err := doc.set(k, fields[k]); err != nil {
				return false, err
			}
		}
		return true, nil
	}
	return nil
}
