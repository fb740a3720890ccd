package mapping

import (
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/varve-search/varve/internal/apierr"
)

// tokenKind is the kind of a JSON token.
type tokenKind uint8

const (
	tokNone tokenKind = iota // behind the end
	tokObjectStart
	tokObjectEnd
	tokArrayStart
	tokArrayEnd
	tokName
	tokString
	tokNumber
	tokTrue
	tokFalse
	tokNull
)

var tokenNames = [...]string{"null", "START_OBJECT", "END_OBJECT", "START_ARRAY", "END_ARRAY", "FIELD_NAME", "VALUE_STRING", "VALUE_NUMBER",
	"VALUE_BOOLEAN", "VALUE_BOOLEAN", "VALUE_NULL"}

func (k tokenKind) String() string { return tokenNames[k] }

// tokenName is Jackson's name of the current token.
func (p *jsonParser) tokenName() string {
	switch p.kind {
	case tokTrue:
		return "VALUE_TRUE"
	case tokFalse:
		return "VALUE_FALSE"
	case tokNumber:
		if p.isFloat() {
			return "VALUE_NUMBER_FLOAT"
		}
		return "VALUE_NUMBER_INT"
	}
	return p.kind.String()
}

func (k tokenKind) isValue() bool { return k >= tokString }

// maxJSONDepth bounds the nesting of a document, as OpenSearch's parser does.
const maxJSONDepth = 1000

// jsonParser is a pull parser over a document in memory. Names and strings are slices of the input, or
// of a scratch buffer where they had escapes.
type jsonParser struct {
	in    []byte
	pos   int
	kind  tokenKind
	start int    // where the current token starts
	text  []byte // of names, strings and numbers
	// One entry per open object or array: whether it is an object, and whether a value came already.
	stack []jsonLevel
	seen  []nameSpan // names of the open objects, for finding duplicates
	buf   []byte     // unescaped strings, never moved while the document is read
}

type jsonLevel struct {
	object bool
	comma  bool
	seen   int // length of parser.seen when the object began
	start  int // of the opening bracket
	many   map[string]struct{}
}

type nameSpan struct{ name []byte }

func (p *jsonParser) reset(in []byte) {
	*p = jsonParser{in: in, stack: p.stack[:0], seen: p.seen[:0], buf: nil}
}

func (p *jsonParser) fail(format string, args ...any) error {
	return apierr.New(400, "json_parse_exception", "%s\n at [Source: %s; %s]", fmt.Sprintf(format, args...), redacted, p.lineAndColumn(p.pos))
}

// redacted stands for the source in messages.
const redacted = "REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled)"

func (p *jsonParser) lineAndColumn(pos int) string {
	line, col := p.place(pos)
	return fmt.Sprintf("line: %d, column: %d", line, col)
}

func (p *jsonParser) place(pos int) (line, col int) {
	line, col = 1, 1
	for _, c := range p.in[:min(pos, len(p.in))] {
		if c == '\n' {
			line++
			col = 1
		} else {
			col++
		}
	}
	return line, col
}

func (l *jsonLevel) kind() string {
	if l.object {
		return "Object"
	}
	return "Array"
}

func (p *jsonParser) space() {
	for p.pos < len(p.in) {
		switch p.in[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}

// next moves to the next token.
func (p *jsonParser) next() error {
	p.space()
	p.start = p.pos
	if p.pos >= len(p.in) {
		if len(p.stack) > 0 {
			top := &p.stack[len(p.stack)-1]
			return apierr.New(400, "json_e_o_f_exception", "Unexpected end-of-input: expected close marker for %s (start marker at [Source: %s; %s])\n at [Source: %s; %s]",
				top.kind(), redacted, p.lineAndColumn(top.start), redacted, p.lineAndColumn(p.pos))
		}
		p.kind = tokNone
		return nil
	}
	if len(p.stack) == 0 {
		return p.value()
	}
	top := &p.stack[len(p.stack)-1]
	c := p.in[p.pos]
	if top.object && p.kind == tokName {
		return p.value()
	}
	if c == '}' && top.object || c == ']' && !top.object {
		p.pos++
		p.seen = p.seen[:top.seen]
		p.kind = tokArrayEnd
		if top.object {
			p.kind = tokObjectEnd
		}
		p.stack = p.stack[:len(p.stack)-1]
		return nil
	}
	if c == '}' || c == ']' {
		want := byte(']')
		if top.object {
			want = '}'
		}
		return p.fail("Unexpected close marker '%c': expected '%c' (for %s starting at [Source: %s; %s])", c, want, top.kind(), redacted, p.lineAndColumn(top.start))
	}
	if top.comma {
		if c != ',' {
			return p.fail("Unexpected character ('%s' (code %d)): was expecting comma to separate %s entries", printable(c), c,
				top.kind())
		}
		p.pos++
		p.space()
		p.start = p.pos
		if p.pos >= len(p.in) {
			return p.next()
		}
	}
	top.comma = true
	if !top.object {
		return p.value()
	}
	return p.name(top)
}

func printable(c byte) string {
	if c < ' ' || c >= 0x7F {
		return fmt.Sprintf("CTRL-CHAR, code %d", c)
	}
	return string(c)
}

func (p *jsonParser) name(top *jsonLevel) error {
	if p.in[p.pos] != '"' {
		return p.fail("Unexpected character ('%s' (code %d)): was expecting double-quote to start field name", printable(p.in[p.pos]), p.in[p.pos])
	}
	s, err := p.str()
	if err != nil {
		return err
	}
	if err := p.unique(top, s); err != nil {
		return err
	}
	p.space()
	if p.pos >= len(p.in) || p.in[p.pos] != ':' {
		if p.pos >= len(p.in) {
			return p.next()
		}
		return p.fail("Unexpected character ('%s' (code %d)): was expecting a colon to separate field name and value", printable(p.in[p.pos]), p.in[p.pos])
	}
	p.pos++
	p.kind, p.text = tokName, s
	return nil
}

// unique refuses a name that the object had before. Small objects are searched, large ones get a set.
func (p *jsonParser) unique(top *jsonLevel, name []byte) error {
	own := p.seen[top.seen:]
	dup := false
	if top.many != nil {
		_, dup = top.many[string(name)]
	} else {
		for i := range own {
			if string(own[i].name) == string(name) {
				dup = true
				break
			}
		}
	}
	if dup {
		return p.fail("Duplicate field '%s'", name)
	}
	p.seen = append(p.seen, nameSpan{name})
	if len(own) == 32 {
		top.many = make(map[string]struct{}, 64)
		for i := range own {
			top.many[string(own[i].name)] = struct{}{}
		}
	}
	if top.many != nil {
		top.many[string(name)] = struct{}{}
	}
	return nil
}

func (p *jsonParser) open(object bool) error {
	if len(p.stack) >= maxJSONDepth {
		return apierr.New(400, "stream_constraints_exception", "Document nesting depth (%d) exceeds the maximum allowed (%d, from `StreamReadConstraints.getMaxNestingDepth()`)",
			len(p.stack)+1, maxJSONDepth)
	}
	p.pos++
	p.stack = append(p.stack, jsonLevel{object: object, seen: len(p.seen), start: p.pos - 1})
	p.kind = tokArrayStart
	if object {
		p.kind = tokObjectStart
	}
	return nil
}

func (p *jsonParser) value() error {
	if p.pos >= len(p.in) {
		return p.next()
	}
	switch c := p.in[p.pos]; {
	case c == '{':
		return p.open(true)
	case c == '[':
		return p.open(false)
	case c == '"':
		s, err := p.str()
		if err != nil {
			return err
		}
		p.kind, p.text = tokString, s
		return nil
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	case c == 't':
		return p.literal("true", tokTrue)
	case c == 'f':
		return p.literal("false", tokFalse)
	case c == 'n':
		return p.literal("null", tokNull)
	default:
		return p.fail("Unexpected character ('%s' (code %d)): expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')", printable(c), c)
	}
}

func (p *jsonParser) literal(word string, kind tokenKind) error {
	end := p.pos + len(word)
	if end > len(p.in) || string(p.in[p.pos:end]) != word || end < len(p.in) && isWordByte(p.in[end]) {
		for end = p.pos; end < len(p.in) && isWordByte(p.in[end]); end++ {
		}
		return p.fail("Unrecognized token '%s': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')", p.in[p.pos:end])
	}
	p.text = p.in[p.pos:end]
	p.pos = end
	p.kind = kind
	return nil
}

func isWordByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '$' || c >= 0x80
}

func (p *jsonParser) number() error {
	in, i := p.in, p.pos
	digits := func() bool {
		from := i
		for i < len(in) && in[i] >= '0' && in[i] <= '9' {
			i++
		}
		return i > from
	}
	if in[i] == '-' {
		i++
	}
	first := i
	if !digits() {
		p.pos = i
		return p.fail("Unexpected character after the minus sign: expected digit (0-9) to follow it, for valid numeric value")
	}
	if in[first] == '0' && i > first+1 {
		return p.fail("Invalid numeric value: Leading zeroes not allowed")
	}
	if i < len(in) && in[i] == '.' {
		i++
		if !digits() {
			return p.fail("Unexpected character: Decimal point not followed by a digit")
		}
	}
	if i < len(in) && in[i]|0x20 == 'e' {
		i++
		if i < len(in) && (in[i] == '+' || in[i] == '-') {
			i++
		}
		if !digits() {
			return p.fail("Unexpected character: Exponent indicator not followed by a digit")
		}
	}
	if i < len(in) && isWordByte(in[i]) {
		p.pos = i
		return p.fail("Unexpected character ('%s' (code %d)): Expected space separating root-level values", printable(in[i]), in[i])
	}
	p.text = in[p.pos:i]
	p.pos = i
	p.kind = tokNumber
	return nil
}

// isFloat reports whether the current number has a fraction or an exponent.
func (p *jsonParser) isFloat() bool {
	for _, c := range p.text {
		if c == '.' || c == 'e' || c == 'E' {
			return true
		}
	}
	return false
}

// str reads the string at the current quote.
func (p *jsonParser) str() ([]byte, error) {
	in := p.in
	i := p.pos + 1
	from := i
	ascii := true
	for ; i < len(in); i++ {
		c := in[i]
		if c == '"' {
			p.pos = i + 1
			s := in[from:i]
			if !ascii && !utf8.Valid(s) {
				p.pos = from
				return nil, p.fail("Invalid UTF-8 within a string")
			}
			return s, nil
		}
		if c == '\\' {
			return p.escaped(from, i)
		}
		if c < ' ' {
			p.pos = i
			return nil, p.fail("Illegal unquoted character ((CTRL-CHAR, code %d)): has to be escaped using backslash to be included in string value", c)
		}
		if c >= utf8.RuneSelf {
			ascii = false
		}
	}
	p.pos = i
	return nil, apierr.New(400, "json_e_o_f_exception", "Unexpected end-of-input in VALUE_STRING")
}

// escaped goes on with a string at its first backslash.
func (p *jsonParser) escaped(from, i int) ([]byte, error) {
	in := p.in
	if p.buf == nil || cap(p.buf)-len(p.buf) < len(in)-from {
		// Unescaped text is never longer: a fresh buffer that holds the rest never moves.
		p.buf = make([]byte, 0, len(in)-from)
	}
	begin := len(p.buf)
	p.buf = append(p.buf, in[from:i]...)
	for i < len(in) {
		c := in[i]
		switch {
		case c == '"':
			p.pos = i + 1
			s := p.buf[begin:]
			if !utf8.Valid(s) {
				p.pos = from
				return nil, p.fail("Invalid UTF-8 within a string")
			}
			return s, nil
		case c < ' ':
			p.pos = i
			return nil, p.fail("Illegal unquoted character ((CTRL-CHAR, code %d)): has to be escaped using backslash to be included in string value", c)
		case c != '\\':
			p.buf = append(p.buf, c)
			i++
			continue
		}
		i++
		if i >= len(in) {
			break
		}
		i++
		switch in[i-1] {
		case '"', '\\', '/':
			p.buf = append(p.buf, in[i-1])
		case 'b':
			p.buf = append(p.buf, '\b')
		case 'f':
			p.buf = append(p.buf, '\f')
		case 'n':
			p.buf = append(p.buf, '\n')
		case 'r':
			p.buf = append(p.buf, '\r')
		case 't':
			p.buf = append(p.buf, '\t')
		case 'u':
			r, ok := hex4(in, i)
			if !ok {
				p.pos = i
				return nil, p.fail("Unexpected character: expected a hex-digit for character escape sequence")
			}
			i += 4
			if r >= 0xD800 && r < 0xDC00 && i+1 < len(in) && in[i] == '\\' && in[i+1] == 'u' {
				if lo, ok := hex4(in, i+2); ok && lo >= 0xDC00 && lo < 0xE000 {
					r = 0x10000 + (r-0xD800)<<10 + lo - 0xDC00
					i += 6
				}
			}
			p.buf = utf8.AppendRune(p.buf, r) // half a surrogate pair becomes U+FFFD, as in Lucene's terms
		default:
			p.pos = i - 1
			return nil, p.fail("Unrecognized character escape '%s' (code %d)", printable(in[i-1]), in[i-1])
		}
	}
	p.pos = len(in)
	return nil, apierr.New(400, "json_e_o_f_exception", "Unexpected end-of-input in VALUE_STRING")
}

func hex4(in []byte, i int) (rune, bool) {
	if i+4 > len(in) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(in[i:i+4]), 16, 32)
	return rune(n), err == nil
}

// skip moves to the end of the current object or array; other tokens stay.
func (p *jsonParser) skip() error {
	if p.kind != tokObjectStart && p.kind != tokArrayStart {
		return nil
	}
	depth := len(p.stack)
	for len(p.stack) >= depth {
		if err := p.next(); err != nil {
			return err
		}
	}
	return nil
}

// double returns the current number.
func (p *jsonParser) double() float64 {
	f, err := strconv.ParseFloat(string(p.text), 64)
	if err != nil && math.IsInf(f, 0) {
		return f
	}
	return f
}
