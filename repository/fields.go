package repository

import (
	"fmt"
	"math"

	"github.com/varve-search/varve/repository/smile"
)

// fields reads typed members of an untrusted object and keeps the first error. Members that nobody
// asked for are returned by rest.
type fields struct {
	o    *smile.Object
	seen map[string]bool
	err  error
}

func newFields(v any, what string) *fields {
	f := &fields{seen: map[string]bool{}}
	o, ok := v.(*smile.Object)
	if !ok {
		f.err = fmt.Errorf("%s is no object", what)
		return f
	}
	f.o = o
	return f
}

func (f *fields) get(name string) (any, bool) {
	f.seen[name] = true
	v, ok := f.o.Get(name)
	return v, ok && v != nil
}

func (f *fields) wrong(name, want string, v any) {
	if f.err == nil {
		f.err = fmt.Errorf("[%s] is not %s but %.60v", name, want, v)
	}
}

func (f *fields) text(name string) string {
	v, ok := f.get(name)
	if !ok {
		return ""
	}
	s, ok := v.(string)
	if !ok {
		f.wrong(name, "a string", v)
	}
	return s
}

func (f *fields) required(name string) string {
	s := f.text(name)
	if s == "" && f.err == nil {
		f.err = fmt.Errorf("[%s] is missing", name)
	}
	return s
}

// number reads a whole number of at least lowest.
func (f *fields) number(name string, lowest int64) int64 {
	v, ok := f.get(name)
	if !ok {
		return 0
	}
	n, ok := v.(int64)
	if !ok || n < lowest {
		f.wrong(name, fmt.Sprintf("a number of at least %d", lowest), v)
		return 0
	}
	return n
}

func (f *fields) int32(name string, lowest int64) int {
	n := f.number(name, lowest)
	if n > math.MaxInt32 {
		f.wrong(name, "a number of 32 bits", n)
		return 0
	}
	return int(n)
}

func (f *fields) boolean(name string) *bool {
	v, ok := f.get(name)
	if !ok {
		return nil
	}
	b, ok := v.(bool)
	if !ok {
		f.wrong(name, "a boolean", v)
		return nil
	}
	return &b
}

func (f *fields) list(name string) []any {
	v, ok := f.get(name)
	if !ok {
		return nil
	}
	l, ok := v.([]any)
	if !ok {
		f.wrong(name, "an array", v)
	}
	return l
}

func (f *fields) texts(name string) []string {
	list := f.list(name)
	if list == nil {
		return nil
	}
	out := make([]string, 0, len(list))
	for _, v := range list {
		s, ok := v.(string)
		if !ok {
			f.wrong(name, "an array of strings", v)
			return nil
		}
		out = append(out, s)
	}
	return out
}

func (f *fields) object(name string) *smile.Object {
	v, ok := f.get(name)
	if !ok {
		return nil
	}
	o, ok := v.(*smile.Object)
	if !ok {
		f.wrong(name, "an object", v)
	}
	return o
}

func (f *fields) bytes(name string) []byte {
	v, ok := f.get(name)
	if !ok {
		return nil
	}
	b, ok := v.([]byte)
	if !ok {
		f.wrong(name, "binary", v)
	}
	return b
}

// rest returns the members that were not asked for, in their order.
func (f *fields) rest() []smile.Member {
	var out []smile.Member
	if f.o != nil {
		for _, m := range f.o.Members {
			if !f.seen[m.Name] {
				out = append(out, m)
			}
		}
	}
	return out
}

func anyList[T any](in []T) []any {
	out := make([]any, len(in))
	for i, v := range in {
		out[i] = v
	}
	return out
}
