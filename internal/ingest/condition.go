package ingest

import (
	"math/big"
	"net/http"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/javavalue"
)

// condition is the "if" of a processor: a part of Painless, namely
//   - ctx and its members: ctx.a.b, ctx?.a?.b, ctx['a'], ctx.list[0];
//   - texts, numbers, true, false, null;
//   - == != < <= > >= && || ! ( ) instanceof;
//   - the methods contains, startsWith, endsWith, equals, equalsIgnoreCase, containsKey, isEmpty, length, size, toLowerCase,
//     toUpperCase, trim, toString.
//
// Everything else is refused when the pipeline is stored.
type condition struct {
	source string
	expr   expr
}

// expr is a part of a condition.
type expr func(ctx *object) (any, error)

func readCondition(v any) (*condition, error) {
	source, ok := v.(string)
	if o, isObject := v.(*object); isObject {
		if lang, _ := o.Get("lang"); lang != nil && lang != "painless" {
			return nil, apierr.NotImplemented("conditions in the language [%s] are not run in this server", javavalue.String(lang))
		}
		if id, _ := o.Get("id"); id != nil {
			return nil, apierr.NotImplemented("the condition is the stored script [%s]: scripts are not run in this server", javavalue.String(id))
		}
		s, _ := o.Get("source")
		if source, ok = s.(string); !ok {
			s, _ = o.Get("inline")
			source, ok = s.(string)
		}
	}
	if !ok {
		return nil, configError("conditional", "", "script", "property isn't a map or string, but of type [%s]", javavalue.TypeName(v))
	}
	p := &condParser{s: source}
	e, err := p.parse()
	if err != nil {
		return nil, apierr.NotImplemented("the condition [%s] is beyond the part of Painless that this server understands: %v; "+
			"it understands ctx, members, texts, numbers, comparisons, && || ! and a few methods (docs/ingest.md)", source, err)
	}
	return &condition{source: source, expr: e}, nil
}

// holds tells whether the condition is true for a document.
func (c *condition) holds(d *Document) (bool, error) {
	v, err := c.expr(d.Fields)
	if err == nil {
		if b, ok := v.(bool); ok {
			return b, nil
		}
		err = classCast("Cannot cast from [%s] to [boolean].", javavalue.TypeName(v))
	}
	return false, apierr.New(http.StatusBadRequest, "script_exception", "runtime error").With("script_stack", []string{}).
		With("script", c.source).With("lang", "painless").Because(err)
}

func nullPointer(what string) error {
	return apierr.New(http.StatusInternalServerError, "null_pointer_exception", "cannot access method/field [%s] from a null def reference", what)
}

// member is v.name or v['name'] or v[0]; safe is v?.name.
func member(in expr, name any, safe bool) expr {
	return func(ctx *object) (any, error) {
		v, err := in(ctx)
		if err != nil {
			return nil, err
		}
		switch v := v.(type) {
		case nil:
			if safe {
				return nil, nil
			}
			return nil, nullPointer(javavalue.String(name))
		case *object:
			e, _ := v.Get(javavalue.String(name))
			return e, nil
		case *list:
			i, ok := number(name)
			if !ok {
				if name == "length" || name == "size" {
					return int32(len(v.Items)), nil
				}
				return nil, illegalArgument("Illegal list shortcut value [%s].", javavalue.String(name))
			}
			n, _ := i.Int64()
			if n < 0 || n >= int64(len(v.Items)) {
				return nil, apierr.New(http.StatusInternalServerError, "index_out_of_bounds_exception", "Index %d out of bounds for length %d", n, len(v.Items))
			}
			return v.Items[n], nil
		}
		return nil, illegalArgument("dynamic getter [%s, %s] not found", javavalue.TypeName(v), javavalue.String(name))
	}
}

// number returns a number's value, for comparisons between types.
func number(v any) (*big.Float, bool) {
	switch v := v.(type) {
	case int32:
		return new(big.Float).SetInt64(int64(v)), true
	case int64:
		return new(big.Float).SetInt64(v), true
	case float32:
		return floatOf(float64(v))
	case float64:
		return floatOf(v)
	case *big.Int:
		return new(big.Float).SetInt(v), true
	}
	return nil, false
}

func floatOf(f float64) (*big.Float, bool) {
	if f != f {
		return nil, false
	}
	return big.NewFloat(f), true
}

func equal(a, b any) bool {
	if x, ok := number(a); ok {
		if y, ok := number(b); ok {
			return x.Cmp(y) == 0
		}
	}
	return javavalue.Equal(a, b)
}

// compare orders two values for an operator such as <.
func compare(op string, a, b any) (any, error) {
	x, okX := number(a)
	y, okY := number(b)
	if !okX || !okY {
		if a == nil || b == nil {
			return nil, nullPointer(op)
		}
		return nil, classCast("Cannot apply [%s] operation to types [%s] and [%s].", op, javavalue.TypeName(a), javavalue.TypeName(b))
	}
	c := x.Cmp(y)
	switch op {
	case "<":
		return c < 0, nil
	case "<=":
		return c <= 0, nil
	case ">":
		return c > 0, nil
	}
	return c >= 0, nil
}

// methods are the methods that conditions may call, by name; the number of arguments is fixed.
var methods = map[string]struct {
	args int
	call func(v any, arg any) (any, bool)
}{
	"contains": {1, func(v, a any) (any, bool) {
		switch v := v.(type) {
		case string:
			s, ok := a.(string)
			return strings.Contains(v, s), ok
		case *list:
			for _, e := range v.Items {
				if javavalue.Equal(e, a) {
					return true, true
				}
			}
			return false, true
		}
		return nil, false
	}},
	"containsKey": {1, func(v, a any) (any, bool) {
		o, ok := v.(*object)
		return ok && o.Has(javavalue.String(a)), ok
	}},
	"startsWith":       {1, onTexts(func(s, t string) any { return strings.HasPrefix(s, t) })},
	"endsWith":         {1, onTexts(func(s, t string) any { return strings.HasSuffix(s, t) })},
	"equalsIgnoreCase": {1, onTexts(func(s, t string) any { return strings.EqualFold(s, t) })},
	"equals":           {1, func(v, a any) (any, bool) { return javavalue.Equal(v, a), true }},
	"toLowerCase":      {0, onText(func(s string) any { return strings.ToLower(s) })},
	"toUpperCase":      {0, onText(func(s string) any { return strings.ToUpper(s) })},
	"trim":             {0, onText(func(s string) any { return javaTrim(s) })},
	"toString":         {0, func(v, _ any) (any, bool) { return javavalue.String(v), true }},
	"length":           {0, onText(func(s string) any { return int32(utf16Len(s)) })},
	"isEmpty":          {0, sized(func(n int) any { return n == 0 })},
	"size":             {0, sized(func(n int) any { return int32(n) })},
}

func onText(fn func(string) any) func(v, _ any) (any, bool) {
	return func(v, _ any) (any, bool) {
		s, ok := v.(string)
		if !ok {
			return nil, false
		}
		return fn(s), true
	}
}

func onTexts(fn func(s, t string) any) func(v, a any) (any, bool) {
	return func(v, a any) (any, bool) {
		s, ok := v.(string)
		t, okT := a.(string)
		if !ok || !okT {
			return nil, false
		}
		return fn(s, t), true
	}
}

func sized(fn func(int) any) func(v, _ any) (any, bool) {
	return func(v, _ any) (any, bool) {
		switch v := v.(type) {
		case string:
			return fn(utf16Len(v)), true
		case *list:
			return fn(len(v.Items)), true
		case *object:
			return fn(v.Len()), true
		}
		return nil, false
	}
}

// classes are those that instanceof may name.
var classes = map[string]func(any) bool{
	"String":  func(v any) bool { _, ok := v.(string); return ok },
	"Boolean": func(v any) bool { _, ok := v.(bool); return ok },
	"Map":     func(v any) bool { _, ok := v.(*object); return ok },
	"List":    func(v any) bool { _, ok := v.(*list); return ok },
	"Integer": func(v any) bool { _, ok := v.(int32); return ok },
	"Long":    func(v any) bool { _, ok := v.(int64); return ok },
	"Double":  func(v any) bool { _, ok := v.(float64); return ok },
	"Number":  isNumber,
}

func isNumber(v any) bool {
	switch v.(type) {
	case int32, int64, float32, float64, *big.Int:
		return true
	}
	return false
}
