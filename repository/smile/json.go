package smile

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ParseJSON reads JSON text as a tree: whole numbers become int64 or *big.Int, others float64.
func ParseJSON(b []byte, limits Limits) (any, error) {
	limits = limits.withDefaults()
	if !utf8.Valid(b) {
		return nil, &SyntaxError{Err: fmt.Errorf("the JSON is not UTF-8")}
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	p := &jsonParser{d: d, limits: limits}
	v, err := p.value(0)
	if err != nil {
		return nil, &SyntaxError{Offset: d.InputOffset(), Err: err}
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, &SyntaxError{Offset: d.InputOffset(), Err: fmt.Errorf("something follows the JSON value")}
	}
	return v, nil
}

type jsonParser struct {
	d      *json.Decoder
	limits Limits
	count  int
}

func (p *jsonParser) value(depth int) (any, error) {
	t, err := p.d.Token()
	if err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	if p.count++; p.count > p.limits.Values {
		return nil, fmt.Errorf("more than %d values: %w", p.limits.Values, ErrLimit)
	}
	if depth > p.limits.Depth {
		return nil, fmt.Errorf("nested more than %d deep: %w", p.limits.Depth, ErrLimit)
	}
	switch t := t.(type) {
	case json.Number:
		return number(string(t))
	case json.Delim:
		if t == '[' {
			list := []any{}
			for p.d.More() {
				v, err := p.value(depth + 1)
				if err != nil {
					return nil, err
				}
				list = append(list, v)
			}
			_, err := p.d.Token()
			return list, err
		}
		o := &Object{}
		for p.d.More() {
			name, err := p.d.Token()
			if err != nil {
				return nil, err
			}
			v, err := p.value(depth + 1)
			if err != nil {
				return nil, err
			}
			o.Set(name.(string), v)
		}
		_, err := p.d.Token()
		return o, err
	}
	return t, nil // nil, bool, string
}

func number(s string) (any, error) {
	if !strings.ContainsAny(s, ".eE") {
		if v, err := strconv.ParseInt(s, 10, 64); err == nil {
			return v, nil
		}
		if len(s) > 1000 {
			return nil, fmt.Errorf("a number of %d digits: %w", len(s), ErrLimit)
		}
		n, _ := new(big.Int).SetString(s, 10)
		return n, nil
	}
	return strconv.ParseFloat(s, 64)
}

// AppendJSON appends a tree as JSON without white space. Binary values become base64, as Jackson
// writes them.
func AppendJSON(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case int:
		return strconv.AppendInt(b, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(b, v, 10), nil
	case *big.Int:
		return v.Append(b, 10), nil
	case Decimal:
		return append(b, v.String()...), nil
	case float32:
		return appendFloat(b, float64(v), 32), nil
	case float64:
		return appendFloat(b, v, 64), nil
	case string:
		return AppendJSONText(b, v), nil
	case []byte:
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, v)
		return append(b, '"'), nil
	case []any:
		b = append(b, '[')
		for i, x := range v {
			if i > 0 {
				b = append(b, ',')
			}
			var err error
			if b, err = AppendJSON(b, x); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	case *Object:
		b = append(b, '{')
		if v != nil {
			for i, m := range v.Members {
				if i > 0 {
					b = append(b, ',')
				}
				b = append(AppendJSONText(b, m.Name), ':')
				var err error
				if b, err = AppendJSON(b, m.Value); err != nil {
					return nil, err
				}
			}
		}
		return append(b, '}'), nil
	}
	return nil, fmt.Errorf("write JSON: no form for a value of type %T", v)
}

// appendFloat writes a number that stays a decimal fraction when it is read back. Values that JSON
// lacks become strings, as Jackson writes them.
func appendFloat(b []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(b, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(b, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(b, `"-Infinity"`...)
	}
	start := len(b)
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	b = strconv.AppendFloat(b, f, format, -1, bits)
	if !bytes.ContainsAny(b[start:], ".e") {
		b = append(b, ".0"...)
	}
	return b
}

// AppendJSONText is AppendJSON of a string. It escapes only what JSON requires.
func AppendJSONText(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(append(b, s[start:]...), '"')
}

// MarshalJSON implements json.Marshaler.
func (o *Object) MarshalJSON() ([]byte, error) { return AppendJSON(nil, o) }
