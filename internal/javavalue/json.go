package javavalue

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"strconv"
	"time"

	"github.com/varve-search/varve/internal/xcontent"
)

// Decode reads one JSON value.
func Decode(data []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	v, err := decode(dec, 0)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("more follows after the JSON value, at byte %d", dec.InputOffset())
	}
	return v, nil
}

// DecodeFirst reads the first JSON value of a text and leaves the rest unread.
func DecodeFirst(data []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	return decode(dec, 0)
}

// DecodeObject reads a JSON object.
func DecodeObject(data []byte) (*Object, error) {
	v, err := Decode(data)
	if err != nil {
		return nil, err
	}
	o, ok := v.(*Object)
	if !ok {
		return nil, fmt.Errorf("not a JSON object but a %s", TypeName(v))
	}
	return o, nil
}

func decode(dec *json.Decoder, depth int) (any, error) {
	if depth > xcontent.MaxDepth {
		return nil, fmt.Errorf("nested more than %d deep, at byte %d", xcontent.MaxDepth, dec.InputOffset())
	}
	tok, err := dec.Token()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	switch tok := tok.(type) {
	case json.Number:
		return number(string(tok))
	case json.Delim:
		if tok == '[' {
			l := &List{Items: []any{}}
			for dec.More() {
				v, err := decode(dec, depth+1)
				if err != nil {
					return nil, err
				}
				l.Items = append(l.Items, v)
			}
			return l, closed(dec)
		}
		o := &Object{}
		for dec.More() {
			t, err := dec.Token()
			if err != nil {
				return nil, err
			}
			key, ok := t.(string)
			if !ok {
				return nil, fmt.Errorf("a key that is no text, at byte %d", dec.InputOffset())
			}
			v, err := decode(dec, depth+1)
			if err != nil {
				return nil, err
			}
			if o.Has(key) {
				return nil, fmt.Errorf("Duplicate field '%s', at byte %d", key, dec.InputOffset()) //nolint:staticcheck // OpenSearch's text
			}
			o.Put(key, v)
		}
		return o, closed(dec)
	}
	return tok, nil
}

// closed reads the end of an object or a list.
func closed(dec *json.Decoder) error {
	_, err := dec.Token()
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// number gives a number the class that Java's parser gives it.
func number(s string) (any, error) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		if n >= math.MinInt32 && n <= math.MaxInt32 {
			return int32(n), nil
		}
		return n, nil
	}
	if len(s) > 1000 {
		return nil, fmt.Errorf("a number of %d digits", len(s))
	}
	if n, ok := new(big.Int).SetString(s, 10); ok {
		return n, nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return nil, err
	}
	return f, nil
}

// Append writes a value as JSON.
func Append(b *bytes.Buffer, v any) error { return xcontent.Append(b, Plain(v)) }

// Plain returns a value as xcontent renders it.
func Plain(v any) any {
	switch v := v.(type) {
	case *Object:
		o := &xcontent.Object{Members: make([]xcontent.Member, 0, v.Len())}
		for _, m := range v.members {
			if !m.gone {
				o.Members = append(o.Members, xcontent.Member{Key: m.key, Value: Plain(m.value)})
			}
		}
		return o
	case *List:
		l := make([]any, len(v.Items))
		for i := range v.Items {
			l[i] = Plain(v.Items[i])
		}
		return l
	case float32:
		return plainFloat(float64(v), 32)
	case float64:
		return plainFloat(v, 64)
	case *big.Int:
		return json.RawMessage(v.String())
	case time.Time:
		return Time(v)
	}
	return v
}

// plainFloat writes a float as Java does; JSON has no NaN and no infinity, which Java writes as texts.
func plainFloat(f float64, bits int) any {
	s := Float(f, bits)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return s
	}
	return json.RawMessage(s)
}

// Wrap turns what xcontent decoded into values of this package.
func Wrap(v any) (any, error) {
	switch v := v.(type) {
	case *xcontent.Object:
		o := &Object{}
		for _, m := range v.Members {
			w, err := Wrap(m.Value)
			if err != nil {
				return nil, err
			}
			o.Put(m.Key, w)
		}
		return o, nil
	case []any:
		l := &List{Items: make([]any, len(v))}
		for i := range v {
			w, err := Wrap(v[i])
			if err != nil {
				return nil, err
			}
			l.Items[i] = w
		}
		return l, nil
	case json.Number:
		return number(string(v))
	}
	return v, nil
}
