package ingest

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"encoding/base64"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/varve-search/varve/internal/javavalue"
)

// hashes are the methods of fingerprint; each carries the version that fixed how it is computed.
var hashes = map[string]func([]byte) []byte{
	"MD5@2.16.0":      func(b []byte) []byte { h := md5.Sum(b); return h[:] },
	"SHA-1@2.16.0":    func(b []byte) []byte { h := sha1.Sum(b); return h[:] },
	"SHA-256@2.16.0":  func(b []byte) []byte { h := sha256.Sum256(b); return h[:] },
	"SHA3-256@2.16.0": func(b []byte) []byte { h := sha3.Sum256(b); return h[:] },
}

func buildFingerprint(c *config, s *step) error {
	fields, err := c.texts("fields")
	if err != nil {
		return err
	}
	exclude, err := c.texts("exclude_fields")
	if err != nil {
		return err
	}
	if slices.Contains(fields, "") {
		return c.fault("fields", "field name cannot be null nor empty")
	}
	if len(fields) > 0 && len(exclude) > 0 {
		return c.fault("fields", "either fields or exclude_fields can be set")
	}
	if slices.Contains(exclude, "") {
		return c.fault("exclude_fields", "field name cannot be null nor empty")
	}
	target, err := c.textOr("target_field", "fingerprint")
	if err != nil {
		return err
	}
	method, err := c.textOr("hash_method", "SHA-1@2.16.0")
	if err != nil {
		return err
	}
	hash := hashes[strings.ToUpper(method)]
	if hash == nil {
		return c.fault("hash_method", "hash method must be MD5@2.16.0, SHA-1@2.16.0, SHA-256@2.16.0 or SHA3-256@2.16.0")
	}
	ignoreMissing, err := c.flag("ignore_missing", false)
	if err != nil {
		return err
	}
	s.run = func(_ *run, d *Document) (bool, error) {
		names := fields
		if len(fields) == 0 {
			names = slices.DeleteFunc(d.Fields.Keys(), func(k string) bool { return slices.Contains(exclude, k) })
		}
		names = slices.DeleteFunc(slices.Clone(names), isMetadata)
		slices.Sort(names)
		var b strings.Builder
		for _, name := range slices.Compact(names) {
			there, err := d.has(name, false)
			if err != nil {
				return false, err
			}
			if !there {
				if ignoreMissing {
					continue
				}
				return false, illegalArgument("field [%s] doesn't exist", name)
			}
			v, err := d.get(name)
			if err != nil {
				return false, err
			}
			flatten(&b, name, v)
		}
		if b.Len() == 0 {
			return true, nil
		}
		b.WriteByte('|')
		return true, d.set(target, method+":"+base64.StdEncoding.EncodeToString(hash([]byte(b.String()))))
	}
	return nil
}

// flatten writes a field, or the fields of an object in the order of their paths.
func flatten(b *strings.Builder, name string, v any) {
	o, ok := v.(*object)
	if !ok {
		text := javavalue.String(v)
		b.WriteString("|" + name + "|" + strconv.Itoa(utf16Len(text)) + ":" + text)
		return
	}
	flat := map[string]any{}
	var walk func(prefix string, o *object)
	walk = func(prefix string, o *object) {
		for _, k := range o.Keys() {
			e, _ := o.Get(k)
			if sub, ok := e.(*object); ok {
				walk(prefix+k+".", sub)
			} else {
				flat[prefix+k] = e
			}
		}
	}
	walk("", o)
	for _, k := range slices.Sorted(maps.Keys(flat)) {
		flatten(b, name+"."+k, flat[k])
	}
}
