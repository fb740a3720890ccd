package xcontent

import (
	"bytes"
	"testing"
)

func TestFilterSource(t *testing.T) {
	const doc = `{"a":1,"b":{"c":2,"d":{"e":3}},"l":[{"x":1,"y":2},{"y":3}],"bc":null}`
	for _, c := range []struct {
		in, ex []string
		want   string
	}{
		{nil, nil, doc},
		{[]string{"a"}, nil, `{"a":1}`},
		{[]string{"b"}, nil, `{"b":{"c":2,"d":{"e":3}}}`},
		{[]string{"b.d"}, nil, `{"b":{"d":{"e":3}}}`},
		{[]string{"b.*"}, nil, `{"b":{"c":2,"d":{"e":3}}}`},
		{[]string{"*.e"}, nil, `{"b":{"d":{"e":3}}}`},
		{[]string{"b*"}, nil, `{"b":{"c":2,"d":{"e":3}},"bc":null}`},
		{[]string{"l.x"}, nil, `{"l":[{"x":1}]}`},
		{nil, []string{"b", "l.y"}, `{"a":1,"l":[{"x":1},{}],"bc":null}`},
		{[]string{"b"}, []string{"b.d"}, `{"b":{"c":2}}`},
		{[]string{"nothing"}, nil, `{}`},
	} {
		v, err := FilterSource([]byte(doc), c.in, c.ex)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := Append(&b, v); err != nil {
			t.Fatal(err)
		}
		if b.String() != c.want {
			t.Errorf("%v -%v: %s, want %s", c.in, c.ex, b.String(), c.want)
		}
	}
}
