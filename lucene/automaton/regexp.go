package automaton

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Flags choose the optional syntax of a regular expression. Their values are Lucene's.
type Flags int

// The optional operators.
const (
	Intersection Flags = 1 << iota // &
	ComplementOp                   // ~
	EmptyOp                        // #, nothing
	AnyStringOp                    // @
	AutomatonOp                    // <name>, which is always an error: there are no named automata
	Interval                       // <n-m>

	// FoldASCII makes ASCII letters match in either case.
	FoldASCII Flags = 0x100
	// All is every optional operator, the default of OpenSearch.
	All Flags = 0xff
	// None is none of them.
	None Flags = 0
)

// maxDepth bounds how deep expressions nest.
const maxDepth = 1000

type kind uint8

const (
	kUnion kind = iota
	kConcat
	kIntersect
	kRepeat // min to max times, max -1: unbounded
	kComplement
	kRange
	kAnyChar
	kNothing
	kString
	kAnyString
	kInterval
)

type node struct {
	kind     kind
	a, b     *node
	min, max int
	digits   int
	lo, hi   rune
	s        string
}

// RegExp accepts what a regular expression in Lucene's syntax matches as a whole. limit is the determinize work limit
// (0: default).
func RegExp(expr string, flags Flags, limit int) (*DFA, error) {
	p := &parser{s: expr, flags: flags}
	root := &node{kind: kString}
	if expr != "" {
		var err error
		if root, err = p.union(); err == nil && p.more() {
			err = p.errorf("the end is expected")
		}
		if err != nil {
			return nil, err
		}
	}
	n := NewNfa(limit)
	c := &compiler{fold: flags&FoldASCII != 0, limit: limit}
	f, err := c.compile(n, root)
	if err == nil {
		var d *DFA
		if d, err = n.Determinize(f); err == nil {
			return d, nil
		}
	}
	return nil, fmt.Errorf("regular expression %.200q: %w", expr, err)
}

type parser struct {
	s     string
	pos   int
	depth int
	flags Flags
}

func (p *parser) errorf(format string, args ...any) error {
	return fmt.Errorf("regular expression %.200q: %s at position %d", p.s, fmt.Sprintf(format, args...), p.pos)
}

func (p *parser) more() bool { return p.pos < len(p.s) }

func (p *parser) peek(set string) bool { return p.more() && strings.IndexByte(set, p.s[p.pos]) >= 0 }

func (p *parser) match(c byte) bool {
	if p.more() && p.s[p.pos] == c {
		p.pos++
		return true
	}
	return false
}

func (p *parser) has(f Flags) bool { return p.flags&f != 0 }

func (p *parser) next() (rune, error) {
	if !p.more() {
		return 0, p.errorf("unexpected end")
	}
	r, w := utf8.DecodeRuneInString(p.s[p.pos:])
	p.pos += w
	return r, nil
}

func (p *parser) union() (*node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.errorf("it nests deeper than %d", maxDepth)
	}
	defer func() { p.depth-- }()
	n, err := p.intersection()
	for err == nil && p.match('|') {
		n, err = p.binary(kUnion, n, p.intersection)
	}
	return n, err
}

func (p *parser) binary(k kind, left *node, right func() (*node, error)) (*node, error) {
	r, err := right()
	return &node{kind: k, a: left, b: r}, err
}

func (p *parser) intersection() (*node, error) {
	n, err := p.concat()
	for err == nil && p.has(Intersection) && p.match('&') {
		n, err = p.binary(kIntersect, n, p.concat)
	}
	return n, err
}

func (p *parser) concat() (*node, error) {
	n, err := p.repeat()
	for err == nil && p.more() && !p.peek(")|") && !(p.has(Intersection) && p.peek("&")) {
		n, err = p.binary(kConcat, n, p.repeat)
	}
	return n, err
}

func (p *parser) repeat() (*node, error) {
	n, err := p.complement()
	for depth := 0; err == nil && p.peek("?*+{"); depth++ {
		if depth > maxDepth {
			return nil, p.errorf("it nests deeper than %d", maxDepth)
		}
		r := &node{kind: kRepeat, a: n, max: -1}
		switch {
		case p.match('?'):
			r.max = 1
		case p.match('*'):
		case p.match('+'):
			r.min = 1
		case p.match('{'):
			if r.min, err = p.number(); err != nil {
				return nil, err
			}
			r.max = r.min
			if p.match(',') {
				r.max = -1
				if p.peek("0123456789") {
					if r.max, err = p.number(); err != nil {
						return nil, err
					}
					if r.max < r.min {
						return nil, p.errorf("invalid repetition range %d,%d", r.min, r.max)
					}
				}
			}
			if !p.match('}') {
				return nil, p.errorf("expected '}'")
			}
		}
		n = r
	}
	return n, err
}

func (p *parser) number() (int, error) {
	start := p.pos
	for p.peek("0123456789") {
		p.pos++
	}
	if start == p.pos {
		return 0, p.errorf("an integer is expected")
	}
	v, err := strconv.ParseInt(p.s[start:p.pos], 10, 32)
	if err != nil {
		return 0, p.errorf("the integer %.20s is too large", p.s[start:p.pos])
	}
	return int(v), nil
}

func (p *parser) complement() (*node, error) {
	count := 0
	for p.has(ComplementOp) && p.match('~') {
		count++
	}
	n, err := p.charClassExpr()
	if err == nil && count%2 == 1 {
		n = &node{kind: kComplement, a: n}
	}
	return n, err
}

func (p *parser) charClassExpr() (*node, error) {
	if !p.match('[') {
		return p.simple()
	}
	negate := p.match('^')
	n, err := p.charClass()
	for err == nil && p.more() && !p.peek("]") {
		n, err = p.binary(kUnion, n, p.charClass)
	}
	if err != nil {
		return nil, err
	}
	if negate {
		n = notOneOf(n)
	}
	if !p.match(']') {
		return nil, p.errorf("expected ']'")
	}
	return n, nil
}

func notOneOf(n *node) *node {
	return &node{kind: kIntersect, a: &node{kind: kAnyChar}, b: &node{kind: kComplement, a: n}}
}

func (p *parser) charClass() (*node, error) {
	if n, err := p.predefined(); n != nil || err != nil {
		return n, err
	}
	lo, err := p.char()
	if err != nil {
		return nil, err
	}
	if !p.match('-') {
		return charNode(lo), nil
	}
	hi, err := p.char()
	if err == nil && hi < lo {
		err = p.errorf("invalid range: %q is above %q", lo, hi)
	}
	return &node{kind: kRange, lo: lo, hi: hi}, err
}

func charNode(r rune) *node { return &node{kind: kString, s: string(r)} }

// predefined reads a class such as \d or an escaped backslash; nil if neither is there.
func (p *parser) predefined() (*node, error) {
	if !p.match('\\') {
		return nil, nil
	}
	if !p.more() {
		return nil, nil
	}
	c := p.s[p.pos]
	switch {
	case c == '\\':
		p.pos++
		return charNode('\\'), nil
	case strings.IndexByte("dDsSwW", c) >= 0:
		p.pos++
		ranges := map[byte]string{'d': "09", 's': "  \t\t\n\n\r\r", 'w': "azAZ__09"}[c|0x20]
		var n *node
		for i := 0; i < len(ranges); i += 2 {
			r := &node{kind: kRange, lo: rune(ranges[i]), hi: rune(ranges[i+1])}
			if n == nil {
				n = r
			} else {
				n = &node{kind: kUnion, a: n, b: r}
			}
		}
		if c < 'a' {
			n = notOneOf(n)
		}
		return n, nil
	case swapCase(c) != c:
		return nil, p.errorf("invalid character class \\%c", c)
	}
	return nil, nil
}

// char reads one character, which a backslash may precede.
func (p *parser) char() (rune, error) {
	p.match('\\')
	return p.next()
}

func (p *parser) simple() (*node, error) {
	switch {
	case p.match('.'):
		return &node{kind: kAnyChar}, nil
	case p.has(EmptyOp) && p.match('#'):
		return &node{kind: kNothing}, nil
	case p.has(AnyStringOp) && p.match('@'):
		return &node{kind: kAnyString}, nil
	case p.match('"'):
		end := strings.IndexByte(p.s[p.pos:], '"')
		if end < 0 {
			return nil, p.errorf("expected '\"'")
		}
		n := &node{kind: kString, s: p.s[p.pos : p.pos+end]}
		p.pos += end + 1
		return n, nil
	case p.match('('):
		if p.match(')') {
			return &node{kind: kString}, nil
		}
		n, err := p.union()
		if err == nil && !p.match(')') {
			err = p.errorf("expected ')'")
		}
		return n, err
	case (p.has(AutomatonOp) || p.has(Interval)) && p.match('<'):
		return p.interval()
	}
	if n, err := p.predefined(); n != nil || err != nil {
		return n, err
	}
	r, err := p.char()
	return charNode(r), err
}

func (p *parser) interval() (*node, error) {
	end := strings.IndexByte(p.s[p.pos:], '>')
	if end < 0 {
		return nil, p.errorf("expected '>'")
	}
	s := p.s[p.pos : p.pos+end]
	p.pos += end + 1
	lo, hi, ok := strings.Cut(s, "-")
	switch {
	case !ok && p.has(AutomatonOp):
		return nil, p.errorf("there is no automaton named %.50q", s)
	case !ok:
		return nil, p.errorf("interval syntax error")
	case !p.has(Interval):
		return nil, p.errorf("illegal identifier")
	}
	min, err1 := strconv.ParseUint(lo, 10, 31)
	max, err2 := strconv.ParseUint(hi, 10, 31)
	if err1 != nil || err2 != nil {
		return nil, p.errorf("interval syntax error in <%.50s>", s)
	}
	n := &node{kind: kInterval, min: int(min), max: int(max)}
	if len(lo) == len(hi) {
		n.digits = len(lo)
	}
	if n.min > n.max {
		n.min, n.max = n.max, n.min
	}
	return n, nil
}

type compiler struct {
	fold  bool
	limit int
}

func (c *compiler) compile(n *Nfa, e *node) (Fragment, error) {
	if n.err != nil {
		return Fragment{}, n.err
	}
	switch e.kind {
	case kUnion, kConcat:
		// The left operand nests as deep as there are operands: walk it.
		var ops []*node
		for ; e.a != nil && (e.kind == kUnion || e.kind == kConcat); e = e.a {
			if len(ops) > 0 && ops[0].kind != e.kind {
				break
			}
			ops = append(ops, e)
		}
		f, err := c.compile(n, ops[len(ops)-1].a)
		for i := len(ops) - 1; i >= 0 && err == nil; i-- {
			var g Fragment
			if g, err = c.compile(n, ops[i].b); err != nil {
				break
			}
			if ops[i].kind == kUnion {
				f = n.Union(f, g)
			} else {
				f = n.Concat(f, g)
			}
		}
		return f, err
	case kIntersect:
		a, err := c.dfa(e.a)
		if err != nil {
			return Fragment{}, err
		}
		b, err := c.dfa(e.b)
		if err != nil {
			return Fragment{}, err
		}
		d, err := Intersect(a, b, c.limit)
		if err != nil {
			return Fragment{}, err
		}
		return n.DFA(d), nil
	case kComplement:
		a, err := c.dfa(e.a)
		if err == nil {
			a, err = Complement(a, c.limit)
		}
		if err != nil {
			return Fragment{}, err
		}
		return n.DFA(a), nil
	case kRepeat:
		return c.repeat(n, e)
	case kRange:
		return n.Range(e.lo, e.hi), nil
	case kAnyChar:
		return n.AnyChar(), nil
	case kNothing:
		return n.Nothing(), nil
	case kAnyString:
		return n.AnyString(), nil
	case kInterval:
		return n.decimal(e.min, e.max, e.digits), nil
	default:
		return n.String(e.s, c.fold), nil
	}
}

func (c *compiler) dfa(e *node) (*DFA, error) {
	n := NewNfa(c.limit)
	f, err := c.compile(n, e)
	if err != nil {
		return nil, err
	}
	return n.Determinize(f)
}

func (c *compiler) repeat(n *Nfa, e *node) (Fragment, error) {
	f := n.Empty()
	one := func() (Fragment, error) { return c.compile(n, e.a) }
	for i := 0; i < e.min; i++ {
		g, err := one()
		if err != nil {
			return f, err
		}
		f = n.Concat(f, g)
	}
	if e.max < 0 {
		g, err := one()
		if err != nil {
			return f, err
		}
		return n.Concat(f, n.Star(g)), nil
	}
	// each further one may be the last: all leave to one exit
	out := n.state()
	n.epsilon(f.out, out)
	for i := e.min; i < e.max; i++ {
		g, err := one()
		if err != nil {
			return f, err
		}
		f = n.Concat(f, g)
		n.epsilon(f.out, out)
	}
	return Fragment{f.in, out}, n.err
}

// decimal accepts the decimal numbers from min to max: of exactly so many digits, or with 0 digits, any number of
// leading zeros.
func (n *Nfa) decimal(min, max, digits int) Fragment {
	f := Fragment{n.state(), n.state()}
	width := digits
	if digits == 0 {
		width = len(strconv.Itoa(max))
		n.edge(f.in, '0', '0', f.in)
	}
	// Each width up to that of max, without leading zeros but for a lone 0.
	for w := width; w >= 1; w-- {
		lo, hi := min, max
		if digits == 0 {
			if floor := pow10(w - 1); w > 1 && lo < floor {
				lo = floor
			}
			if ceil := pow10(w) - 1; hi > ceil {
				hi = ceil
			}
		}
		if lo > hi {
			continue
		}
		n.digitsBetween(f.in, f.out, pad(lo, w), pad(hi, w))
		if digits > 0 {
			break
		}
	}
	return f
}

func pow10(n int) int {
	p := 1
	for range n {
		p *= 10
	}
	return p
}

func pad(v, w int) string { return fmt.Sprintf("%0*d", w, v) }

// digitsBetween adds the paths of the digit strings from lo to hi, of one length.
func (n *Nfa) digitsBetween(from, to int32, lo, hi string) {
	if len(lo) == 1 {
		n.edge(from, lo[0], hi[0], to)
		return
	}
	via := func(l, h byte, lo, hi string) {
		if l <= h {
			mid := n.state()
			n.edge(from, l, h, mid)
			n.digitsBetween(mid, to, lo, hi)
		}
	}
	zeros, nines := strings.Repeat("0", len(lo)-1), strings.Repeat("9", len(lo)-1)
	if lo[0] == hi[0] {
		via(lo[0], lo[0], lo[1:], hi[1:])
		return
	}
	via(lo[0], lo[0], lo[1:], nines)
	via(lo[0]+1, hi[0]-1, zeros, nines)
	via(hi[0], hi[0], zeros, hi[1:])
}
