package xcontent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// DuplicateError is a key that stands twice in one object. Line and Column are those behind the second one, from 1, in bytes.
type DuplicateError struct {
	Key          string
	Line, Column int
}

func (e *DuplicateError) Error() string {
	return fmt.Sprintf("Duplicate field '%s' at line %d, column %d", e.Key, e.Line, e.Column)
}

// Decode decodes JSON into Objects, []any, json.Number, string, bool and nil.
func Decode(data []byte) (any, error) { return decode(data, false) }

// DecodeStrict is Decode for what a user sent: a *DuplicateError where a key stands twice, of which only one could count.
func DecodeStrict(data []byte) (any, error) { return decode(data, true) }

// MaxDepth is how deeply JSON may be nested, as in OpenSearch. The decoder calls itself, and what reads its values does.
const MaxDepth = 1000

type decoder struct {
	*json.Decoder
	data   []byte
	strict bool
	depth  int
}

func decode(data []byte, strict bool) (any, error) {
	dec := decoder{Decoder: json.NewDecoder(bytes.NewReader(data)), data: data, strict: strict}
	dec.UseNumber()
	v, err := dec.value()
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("more follows after the JSON value, at byte %d", dec.InputOffset())
	}
	return v, nil
}

func (dec *decoder) value() (any, error) {
	tok, err := dec.Token()
	if err != nil {
		return nil, err
	}
	d, ok := tok.(json.Delim)
	if !ok {
		return tok, nil
	}
	if dec.depth++; dec.depth > MaxDepth {
		return nil, fmt.Errorf("nested more than %d deep, at byte %d", MaxDepth, dec.InputOffset())
	}
	defer func() { dec.depth-- }()
	if d == '[' {
		list := []any{}
		for dec.More() {
			v, err := dec.value()
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := dec.Token()
		return list, err
	}
	o := &Object{}
	seen := keys{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, err
		}
		k := key.(string)
		if dec.strict && seen.add(o, k) {
			before := dec.data[:dec.InputOffset()]
			return nil, &DuplicateError{k, bytes.Count(before, []byte("\n")) + 1, len(before) - bytes.LastIndexByte(before, '\n')}
		}
		v, err := dec.value()
		if err != nil {
			return nil, err
		}
		o.Members = append(o.Members, Member{k, v})
	}
	_, err = dec.Token()
	return o, err
}

// keys finds what stands twice: in the few members that most objects have by looking at each, else by a table.
type keys struct{ table map[string]bool }

// add says whether a key is one of those before it, which are the members of o.
func (k *keys) add(o *Object, key string) bool {
	const few = 16
	if len(o.Members) < few {
		_, twice := o.Get(key)
		return twice
	}
	if k.table == nil {
		k.table = make(map[string]bool, 2*few)
		for _, m := range o.Members {
			k.table[m.Key] = true
		}
	}
	twice := k.table[key]
	k.table[key] = true
	return twice
}
