package xcontent

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// MarshalJSON implements json.Marshaler.
func (o *Object) MarshalJSON() ([]byte, error) { return encode(nil, o) }

// Append writes v as JSON, without escaping HTML. A json.RawMessage stands as it is, as the _source of a document does in
// OpenSearch's answers: whoever makes one answers for what is in it.
func Append(b *bytes.Buffer, v any) error {
	out, err := encode(b.AvailableBuffer(), v)
	if err != nil {
		return err
	}
	b.Write(out)
	return nil
}

// encode appends v to b. What answers are mostly made of is written here: encoding/json reads the text of each
// json.Marshaler over again, once for every object around it.
func encode(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case string:
		return encodeString(b, v)
	case int:
		return strconv.AppendInt(b, int64(v), 10), nil
	case int32:
		return strconv.AppendInt(b, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(b, v, 10), nil
	case uint64:
		return strconv.AppendUint(b, v, 10), nil
	case json.RawMessage:
		if v == nil {
			return append(b, "null"...), nil
		}
		return append(b, v...), nil
	case *Object:
		if v == nil {
			return append(b, "null"...), nil
		}
		return encodeObject(b, v)
	case []any:
		return encodeList(b, v)
	case []*Object:
		return encodeList(b, v)
	case []string:
		return encodeList(b, v)
	case map[string]any:
		if v == nil {
			return append(b, "null"...), nil
		}
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		o := &Object{Members: make([]Member, len(keys))}
		for i, k := range keys {
			o.Members[i] = Member{k, v[k]}
		}
		return encodeObject(b, o)
	}
	return encodeOther(b, v)
}

func encodeObject(b []byte, o *Object) ([]byte, error) {
	b = append(b, '{')
	for i, m := range o.Members {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = encodeString(b, m.Key); err != nil {
			return nil, err
		}
		b = append(b, ':')
		if b, err = encode(b, m.Value); err != nil {
			return nil, fmt.Errorf("%s: %w", m.Key, err)
		}
	}
	return append(b, '}'), nil
}

func encodeList[T any](b []byte, list []T) ([]byte, error) {
	if list == nil {
		return append(b, "null"...), nil
	}
	b = append(b, '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = encode(b, v); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

func encodeString(b []byte, s string) ([]byte, error) {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			return encodeOther(b, s)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"'), nil
}

// encodeOther leaves v to encoding/json.
func encodeOther(b []byte, v any) ([]byte, error) {
	out := bytes.NewBuffer(b)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return out.Bytes()[:out.Len()-1], nil // without the newline that Encode ends with
}
