package ingest

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/varve-search/varve/internal/javavalue"
)

// condParser reads a condition by recursive descent.
type condParser struct {
	s     string
	i     int
	depth int
}

func (p *condParser) parse() (expr, error) {
	if p.word("return") {
		p.space()
	}
	e, err := p.or()
	if err != nil {
		return nil, err
	}
	p.take(";")
	if p.space(); p.i < len(p.s) {
		return nil, p.unexpected()
	}
	return e, nil
}

func (p *condParser) unexpected() error {
	if p.i >= len(p.s) {
		return fmt.Errorf("it ends too early")
	}
	rest := p.s[p.i:]
	if len(rest) > 20 {
		rest = strings.ToValidUTF8(rest[:20], "") + "…"
	}
	return fmt.Errorf("unexpected [%s] at character %d", rest, p.i)
}

func (p *condParser) space() {
	for p.i < len(p.s) && strings.IndexByte(" \t\r\n", p.s[p.i]) >= 0 {
		p.i++
	}
}

func (p *condParser) take(tok string) bool {
	p.space()
	if strings.HasPrefix(p.s[p.i:], tok) {
		p.i += len(tok)
		return true
	}
	return false
}

func letterOrDigit(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// word takes a whole word.
func (p *condParser) word(w string) bool {
	p.space()
	end := p.i + len(w)
	if !strings.HasPrefix(p.s[p.i:], w) || end < len(p.s) && letterOrDigit(p.s[end]) {
		return false
	}
	p.i = end
	return true
}

func (p *condParser) name() string {
	p.space()
	start := p.i
	for p.i < len(p.s) && letterOrDigit(p.s[p.i]) {
		p.i++
	}
	return p.s[start:p.i]
}

func (p *condParser) or() (expr, error) {
	return p.logic("||", true, p.and)
}

func (p *condParser) and() (expr, error) {
	return p.logic("&&", false, p.equality)
}

// logic reads operands of an operator that stops at the first operand that is stop.
func (p *condParser) logic(op string, stop bool, operand func() (expr, error)) (expr, error) {
	left, err := operand()
	if err != nil {
		return nil, err
	}
	for p.take(op) {
		right, err := operand()
		if err != nil {
			return nil, err
		}
		a := left
		left = func(ctx *object) (any, error) {
			x, err := boolOf(a, ctx)
			if err != nil || x == stop {
				return x, err
			}
			return boolOf(right, ctx)
		}
	}
	return left, nil
}

func boolOf(e expr, ctx *object) (bool, error) {
	v, err := e(ctx)
	if err != nil {
		return false, err
	}
	b, ok := v.(bool)
	if !ok {
		return false, classCast("Cannot cast from [%s] to [boolean].", javavalue.TypeName(v))
	}
	return b, nil
}

func (p *condParser) equality() (expr, error) {
	left, err := p.comparison()
	if err != nil {
		return nil, err
	}
	for {
		var not bool
		switch {
		case p.take("==="), p.take("!=="):
			return nil, fmt.Errorf("=== is not supported")
		case p.take("=="):
		case p.take("!="):
			not = true
		default:
			return left, nil
		}
		right, err := p.comparison()
		if err != nil {
			return nil, err
		}
		a := left
		left = both(a, right, func(x, y any) (any, error) { return equal(x, y) != not, nil })
	}
}

func both(a, b expr, fn func(x, y any) (any, error)) expr {
	return func(ctx *object) (any, error) {
		x, err := a(ctx)
		if err != nil {
			return nil, err
		}
		y, err := b(ctx)
		if err != nil {
			return nil, err
		}
		return fn(x, y)
	}
}

func (p *condParser) comparison() (expr, error) {
	left, err := p.unary()
	if err != nil {
		return nil, err
	}
	if p.word("instanceof") {
		class := p.name()
		is, ok := classes[class]
		if !ok {
			return nil, fmt.Errorf("instanceof [%s]", class)
		}
		return func(ctx *object) (any, error) {
			v, err := left(ctx)
			return is(v), err
		}, nil
	}
	for _, op := range []string{"<=", ">=", "<", ">"} {
		if !p.take(op) {
			continue
		}
		right, err := p.unary()
		if err != nil {
			return nil, err
		}
		return both(left, right, func(x, y any) (any, error) { return compare(op, x, y) }), nil
	}
	return left, nil
}

func (p *condParser) unary() (expr, error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxNesting {
		return nil, fmt.Errorf("it is nested more than %d deep", maxNesting)
	}
	if p.space(); strings.HasPrefix(p.s[p.i:], "!") && !strings.HasPrefix(p.s[p.i:], "!=") {
		p.i++
		e, err := p.unary()
		if err != nil {
			return nil, err
		}
		return func(ctx *object) (any, error) {
			b, err := boolOf(e, ctx)
			return !b, err
		}, nil
	}
	return p.postfix()
}

// postfix reads a value with the members and methods after it.
func (p *condParser) postfix() (expr, error) {
	e, err := p.primary()
	if err != nil {
		return nil, err
	}
	for {
		safe := false
		switch {
		case p.take("?."):
			safe = true
		case p.take("."):
		case p.take("["):
			key, err := p.primary()
			if err != nil {
				return nil, err
			}
			if !p.take("]") {
				return nil, p.unexpected()
			}
			in := e
			e = func(ctx *object) (any, error) {
				k, err := key(ctx)
				if err != nil {
					return nil, err
				}
				return member(in, k, false)(ctx)
			}
			continue
		default:
			return e, nil
		}
		name := p.name()
		if name == "" {
			return nil, p.unexpected()
		}
		if !p.take("(") {
			e = member(e, name, safe)
			continue
		}
		if e, err = p.method(e, name, safe); err != nil {
			return nil, err
		}
	}
}

func (p *condParser) method(in expr, name string, safe bool) (expr, error) {
	m, ok := methods[name]
	if !ok {
		return nil, fmt.Errorf("the method [%s]", name)
	}
	arg := expr(func(*object) (any, error) { return nil, nil })
	if m.args == 1 {
		var err error
		if arg, err = p.or(); err != nil {
			return nil, err
		}
	}
	if !p.take(")") {
		return nil, p.unexpected()
	}
	return func(ctx *object) (any, error) {
		v, err := in(ctx)
		if err != nil {
			return nil, err
		}
		if v == nil {
			if safe {
				return nil, nil
			}
			return nil, nullPointer(name)
		}
		a, err := arg(ctx)
		if err != nil {
			return nil, err
		}
		out, ok := m.call(v, a)
		if !ok {
			return nil, illegalArgument("dynamic method [%s, %s/%d] not found", javavalue.TypeName(v), name, m.args)
		}
		return out, nil
	}, nil
}

func (p *condParser) primary() (expr, error) {
	p.space()
	if p.i >= len(p.s) {
		return nil, p.unexpected()
	}
	constant := func(v any) (expr, error) { return func(*object) (any, error) { return v, nil }, nil }
	switch c := p.s[p.i]; {
	case c == '(':
		p.i++
		e, err := p.or()
		if err != nil {
			return nil, err
		}
		if !p.take(")") {
			return nil, p.unexpected()
		}
		return e, nil
	case c == '\'' || c == '"':
		s, err := p.quoted(c)
		if err != nil {
			return nil, err
		}
		return constant(s)
	case c >= '0' && c <= '9' || c == '-':
		v, err := p.number()
		if err != nil {
			return nil, err
		}
		return constant(v)
	case p.word("true"):
		return constant(true)
	case p.word("false"):
		return constant(false)
	case p.word("null"):
		return constant(nil)
	case p.word("ctx"):
		return func(ctx *object) (any, error) { return ctx, nil }, nil
	}
	return nil, p.unexpected()
}

func (p *condParser) quoted(quote byte) (string, error) {
	var b strings.Builder
	for p.i++; p.i < len(p.s); p.i++ {
		switch c := p.s[p.i]; {
		case c == quote:
			p.i++
			return b.String(), nil
		case c == '\\' && p.i+1 < len(p.s) && (p.s[p.i+1] == '\\' || p.s[p.i+1] == quote):
			p.i++
			b.WriteByte(p.s[p.i])
		case c == '\\':
			return "", fmt.Errorf("an escape that Painless does not know, at character %d", p.i)
		default:
			b.WriteByte(c)
		}
	}
	return "", fmt.Errorf("a text without its end")
}

func (p *condParser) number() (any, error) {
	start := p.i
	if p.s[p.i] == '-' {
		p.i++
	}
	for p.i < len(p.s) && (letterOrDigit(p.s[p.i]) || p.s[p.i] == '.' && p.i+1 < len(p.s) && p.s[p.i+1] >= '0' && p.s[p.i+1] <= '9') {
		p.i++
	}
	s := p.s[start:p.i]
	if n, err := strconv.ParseInt(strings.TrimRight(s, "Ll"), 10, 64); err == nil {
		if n >= math.MinInt32 && n <= math.MaxInt32 && !strings.ContainsAny(s, "Ll") {
			return int32(n), nil
		}
		return n, nil
	}
	f, err := strconv.ParseFloat(strings.TrimRight(s, "dDfF"), 64)
	if err != nil || strings.ContainsAny(s, "xXpP_") {
		return nil, fmt.Errorf("the number [%s]", s)
	}
	return f, nil
}
