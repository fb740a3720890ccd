package ingest

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/varve-search/varve/internal/javavalue"
)

// What is put into a document is a copy if it may be in it already: two places may not share an object, or one could come to lie
// within itself.

type (
	object = javavalue.Object
	list   = javavalue.List
)

// The keys of a document's metadata, in the order in which answers show them.
var metadataKeys = []string{"_index", "_id", "_routing", "_version", "_version_type", "_if_seq_no", "_if_primary_term"}

func isMetadata(key string) bool { return slices.Contains(metadataKeys, key) }

// Document is a document on its way through pipelines: its source and, beside it, the metadata keys such as _index.
type Document struct {
	Fields    *object // source and metadata
	Ingest    *object // _ingest
	pipelines []string
}

// NewDocument returns a document. An empty id or routing is none; the version is -3 if the request names none.
func NewDocument(source *object, index, id, routing string, version *int64, versionType string) *Document {
	d := &Document{Fields: source, Ingest: javavalue.NewObject("timestamp", time.Now().UTC())}
	source.Put("_index", index)
	source.Put("_id", orNil(id))
	if routing != "" {
		source.Put("_routing", routing)
	}
	if version != nil {
		source.Put("_version", *version)
	}
	if versionType != "" {
		source.Put("_version_type", versionType)
	}
	return d
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func (d *Document) copy() *Document {
	return &Document{Fields: javavalue.Copy(d.Fields).(*object), Ingest: javavalue.Copy(d.Ingest).(*object), pipelines: slices.Clone(d.pipelines)}
}

// Source returns the document without metadata.
func (d *Document) Source() *object {
	src := &object{}
	for _, k := range d.Fields.Keys() {
		if !isMetadata(k) {
			v, _ := d.Fields.Get(k)
			src.Put(k, v)
		}
	}
	return src
}

// maxPath is how many parts a field path may have, and so how deep it may make a document.
const maxPath = 1000

// path splits a field path and returns the value that it starts from.
func (d *Document) path(path string) (start any, parts []string, err error) {
	if path == "" {
		return nil, nil, illegalArgument("path cannot be null nor empty")
	}
	start, rest := any(d.Fields), path
	if r, ok := strings.CutPrefix(path, "_ingest."); ok {
		start, rest = d.Ingest, r
	} else if r, ok := strings.CutPrefix(path, "_source."); ok {
		rest = r
	}
	parts = strings.Split(rest, ".")
	if rest != "" {
		for len(parts) > 0 && parts[len(parts)-1] == "" {
			parts = parts[:len(parts)-1] // as Java's split does
		}
	}
	if len(parts) == 0 {
		return nil, nil, arrayBounds()
	}
	if len(parts) > maxPath {
		return nil, nil, illegalArgument("path [%.100s…] has [%d] parts, more than [%d]", path, len(parts), maxPath)
	}
	if len(parts) == 1 && parts[0] == "" {
		return nil, nil, illegalArgument("path [%s] is not valid", path)
	}
	return start, parts, nil
}

// listAt reads a part of a path as a place in a list.
func listAt(l *list, part, path string) (int, error) {
	i, err := strconv.ParseInt(part, 10, 32)
	if err != nil {
		return 0, illegalArgumentBecause(numberFormat(part), "[%s] is not an integer, cannot be used as an index as part of path [%s]", part, path)
	}
	if i < 0 || int(i) >= len(l.Items) {
		return 0, outOfBounds(int(i), l, path)
	}
	return int(i), nil
}

func outOfBounds(i int, l *list, path string) error {
	return illegalArgument("[%d] is out of bounds for array with length [%d] as part of path [%s]", i, len(l.Items), path)
}

func resolve(part, path string, in any) (any, error) {
	switch in := in.(type) {
	case nil:
		return nil, illegalArgument("cannot resolve [%s] from null as part of path [%s]", part, path)
	case *object:
		v, ok := in.Get(part)
		if !ok {
			return nil, illegalArgument("field [%s] not present as part of path [%s]", part, path)
		}
		return v, nil
	case *list:
		i, err := listAt(in, part, path)
		if err != nil {
			return nil, err
		}
		return in.Items[i], nil
	}
	return nil, illegalArgument("cannot resolve [%s] from object of type [%s] as part of path [%s]", part, javavalue.TypeName(in), path)
}

// get returns the value at a path.
func (d *Document) get(path string) (any, error) {
	v, parts, err := d.path(path)
	if err != nil {
		return nil, err
	}
	for _, p := range parts {
		if v, err = resolve(p, path, v); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// getOr is get; with ignoreMissing a field that is not there is null.
func (d *Document) getOr(path string, ignoreMissing bool) (any, error) {
	v, err := d.get(path)
	if err != nil && ignoreMissing {
		if there, herr := d.has(path, false); herr == nil && !there {
			return nil, nil
		}
	}
	return v, err
}

// getAs is getOr for a field that must be of type T, or null; the Java class stands in the error.
func getAs[T any](d *Document, path, class string, ignoreMissing bool) (v T, null bool, err error) {
	raw, err := d.getOr(path, ignoreMissing)
	if err != nil {
		return v, false, err
	}
	if raw == nil {
		return v, true, nil
	}
	v, ok := raw.(T)
	if !ok {
		return v, false, illegalArgument("field [%s] of type [%s] cannot be cast to [%s]", path, javavalue.TypeName(raw), class)
	}
	return v, false, nil
}

// textFor returns the text at a path for a processor that works on it. It is not there where it is null and that is ignored; else
// the error says what cannot be done with null.
func (d *Document) textFor(doing, path string, ignoreMissing bool) (text string, there bool, err error) {
	text, null, err := getAs[string](d, path, "java.lang.String", ignoreMissing)
	if null && !ignoreMissing {
		err = illegalArgument("field [%s] is null, cannot %s", path, doing)
	}
	return text, !null && err == nil, err
}

func (d *Document) getList(path string, ignoreMissing bool) (*list, error) {
	l, _, err := getAs[*list](d, path, "java.util.List", ignoreMissing)
	return l, err
}

// has tells whether a path leads to a value, be it null. With strict a place beyond the end of a list is an error.
func (d *Document) has(path string, strict bool) (bool, error) {
	v, parts, err := d.path(path)
	if err != nil {
		return false, err
	}
	for n, p := range parts {
		last := n == len(parts)-1
		switch in := v.(type) {
		case *object:
			var ok bool
			if v, ok = in.Get(p); last {
				return ok, nil
			}
		case *list:
			i, err := strconv.ParseInt(p, 10, 32)
			if err != nil {
				return false, nil
			}
			if i < 0 || int(i) >= len(in.Items) {
				if strict {
					return false, outOfBounds(int(i), in, path)
				}
				return false, nil
			}
			if last {
				return true, nil
			}
			v = in.Items[i]
		default:
			return false, nil
		}
	}
	return false, nil
}

// remove takes the value at a path away.
func (d *Document) remove(path string) error {
	v, parts, err := d.path(path)
	if err != nil {
		return err
	}
	for _, p := range parts[:len(parts)-1] {
		if v, err = resolve(p, path, v); err != nil {
			return err
		}
	}
	leaf := parts[len(parts)-1]
	switch in := v.(type) {
	case nil:
		return illegalArgument("cannot remove [%s] from null as part of path [%s]", leaf, path)
	case *object:
		if !in.Has(leaf) {
			return illegalArgument("field [%s] not present as part of path [%s]", leaf, path)
		}
		in.Remove(leaf)
		return nil
	case *list:
		i, err := listAt(in, leaf, path)
		if err != nil {
			return err
		}
		in.Items = slices.Delete(in.Items, i, i+1)
		return nil
	}
	return illegalArgument("cannot remove [%s] from object of type [%s] as part of path [%s]", leaf, javavalue.TypeName(v), path)
}

// parent returns what holds the last part of a path, making the objects that are not there.
func (d *Document) parent(path string) (in any, leaf string, err error) {
	in, parts, err := d.path(path)
	if err != nil {
		return nil, "", err
	}
	for _, p := range parts[:len(parts)-1] {
		if o, ok := in.(*object); ok && !o.Has(p) {
			fresh := &object{}
			o.Put(p, fresh)
			in = fresh
			continue
		}
		if in, err = resolve(p, path, in); err != nil {
			return nil, "", err
		}
	}
	return in, parts[len(parts)-1], nil
}

// change puts what fn makes of the old value at a path.
func (d *Document) change(path string, fn func(old any, there bool) any) error {
	in, leaf, err := d.parent(path)
	if err != nil {
		return err
	}
	switch in := in.(type) {
	case nil:
		return illegalArgument("cannot set [%s] with null parent as part of path [%s]", leaf, path)
	case *object:
		old, ok := in.Get(leaf)
		in.Put(leaf, fn(old, ok))
		return nil
	case *list:
		i, err := listAt(in, leaf, path)
		if err != nil {
			return err
		}
		in.Items[i] = fn(in.Items[i], true)
		return nil
	}
	return illegalArgument("cannot set [%s] with parent object of type [%s] as part of path [%s]", leaf, javavalue.TypeName(in), path)
}

// set puts a value at a path.
func (d *Document) set(path string, value any) error {
	return d.change(path, func(any, bool) any { return value })
}

// add appends a value, or the members of a list, to the list at a path; what is no list becomes one.
func (d *Document) add(path string, value any, duplicates bool) error {
	return d.change(path, func(old any, there bool) any {
		l, ok := old.(*list)
		switch {
		case !there:
			l = &list{}
		case !ok:
			l = &list{Items: []any{old}}
		}
		more := []any{value}
		if v, ok := value.(*list); ok {
			more = slices.Clone(v.Items)
		}
		n := len(l.Items)
		for _, v := range more {
			if !duplicates && there && slices.ContainsFunc(l.Items, func(e any) bool { return javavalue.Equal(e, v) }) {
				continue
			}
			l.Items = append(l.Items, v)
		}
		if there && !ok && len(l.Items) == n && !duplicates {
			return old // nothing came to a single value
		}
		return l
	})
}
