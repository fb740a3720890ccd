package smile

import (
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"unicode/utf8"
)

// Format: docs/formats/smile.md

// Kind is the kind of a token.
type Kind uint8

const (
	KindNull Kind = iota
	KindBool
	KindInt     // Token.Int
	KindBigInt  // Token.Big
	KindFloat   // Token.Float, from 32 bits
	KindDouble  // Token.Float
	KindDecimal // Token.Big and Token.Int as its scale
	KindString  // Token.Text
	KindBinary  // Token.Bytes
	KindName    // Token.Text
	KindStartObject
	KindEndObject
	KindStartArray
	KindEndArray
)

// Token is one token. Only the fields that Kind names are set.
type Token struct {
	Kind  Kind
	Bool  bool
	Int   int64
	Float float64
	Big   *big.Int
	Text  string
	Bytes []byte
}

const (
	flagSharedNames  = 1
	flagSharedValues = 2

	maxShared      = 1024
	maxSharedValue = 64
)

// Decoder reads tokens from a document in memory.
type Decoder struct {
	b      []byte
	pos    int
	limits Limits
	count  int

	shareNames, shareValues bool
	names, values           []string
	tables                  int    // how often the table of names was begun anew
	doc                     string // all of b, where texts are to be parts of it

	// stack holds true for each open object, false for each open array.
	stack    []bool
	wantName bool
	done     bool
}

// NewDecoder checks the header of a document.
func NewDecoder(b []byte, limits Limits) (*Decoder, error) {
	d := &Decoder{b: b, limits: limits.withDefaults(), stack: make([]bool, 0, 8), names: make([]string, 0, 24)}
	if len(b) < 4 || b[0] != ':' || b[1] != ')' || b[2] != '\n' {
		return nil, d.errorf("no SMILE header")
	}
	if v := b[3] >> 4; v != 0 {
		return nil, d.errorf("SMILE version %d is not known", v)
	}
	d.shareNames, d.shareValues = b[3]&flagSharedNames != 0, b[3]&flagSharedValues != 0
	d.pos = 4
	return d, nil
}

// KeepDocument makes the texts of tokens parts of one copy of the document, which stays in memory as long as any of them. That is for
// whoever keeps most of many texts, or none.
func (d *Decoder) KeepDocument() { d.doc = string(d.b) }

func (d *Decoder) fail(err error) error { return &SyntaxError{Offset: int64(d.pos), Err: err} }

func (d *Decoder) errorf(format string, args ...any) error {
	return d.fail(fmt.Errorf(format, args...))
}

var errTruncated = errors.New("the document ends too early")

func (d *Decoder) byte() (byte, error) {
	if d.pos >= len(d.b) {
		return 0, d.fail(errTruncated)
	}
	d.pos++
	return d.b[d.pos-1], nil
}

func (d *Decoder) take(n int) ([]byte, error) {
	if n > d.limits.String {
		return nil, d.errorf("a value of %d bytes: %w", n, ErrLimit)
	}
	if n > len(d.b)-d.pos {
		return nil, d.fail(errTruncated)
	}
	d.pos += n
	return d.b[d.pos-n : d.pos], nil
}

// Next returns the next token; io.EOF after the document's one value.
func (d *Decoder) Next() (Token, error) {
	if d.done {
		return Token{}, d.end()
	}
	if d.count++; d.count > d.limits.Values {
		return Token{}, d.errorf("more than %d values: %w", d.limits.Values, ErrLimit)
	}
	c, err := d.byte()
	if err != nil {
		return Token{}, err
	}
	var t Token
	if d.wantName {
		t, err = d.name(c)
	} else {
		t, err = d.value(c)
	}
	if err != nil {
		return Token{}, err
	}
	return t, d.track(t.Kind)
}

// end accepts an end-of-content marker behind the value, and nothing else.
func (d *Decoder) end() error {
	if d.pos < len(d.b) && d.b[d.pos] == 0xff {
		d.pos++
	}
	if d.pos < len(d.b) {
		return d.errorf("%d bytes follow the document", len(d.b)-d.pos)
	}
	return io.EOF
}

// track keeps the nesting.
func (d *Decoder) track(k Kind) error {
	switch k {
	case KindName:
		d.wantName = false
		return nil
	case KindStartObject, KindStartArray:
		if len(d.stack) >= d.limits.Depth {
			return d.errorf("nested more than %d deep: %w", d.limits.Depth, ErrLimit)
		}
		d.stack = append(d.stack, k == KindStartObject)
	case KindEndObject, KindEndArray:
		if len(d.stack) == 0 || d.stack[len(d.stack)-1] != (k == KindEndObject) {
			return d.errorf("an end without its start")
		}
		d.stack = d.stack[:len(d.stack)-1]
	}
	if len(d.stack) == 0 {
		d.done = true
	} else {
		d.wantName = d.stack[len(d.stack)-1]
	}
	return nil
}

func share(table *[]string, s string) {
	if len(*table) == maxShared {
		*table = (*table)[:0]
	}
	*table = append(*table, s)
}

func (d *Decoder) shared(table []string, i int) (string, error) {
	if i >= len(table) {
		return "", d.errorf("reference to shared string %d of %d", i, len(table))
	}
	return table[i], nil
}

func (d *Decoder) text(n int) (string, error) {
	b, err := d.take(n)
	if err != nil {
		return "", err
	}
	if !utf8.Valid(b) {
		return "", d.errorf("a string is not UTF-8")
	}
	if d.doc != "" {
		return d.doc[d.pos-n : d.pos], nil
	}
	return string(b), nil
}

// longText reads a string that ends with 0xFC.
func (d *Decoder) longText() (string, error) {
	end := d.pos
	for end < len(d.b) && d.b[end] != 0xfc {
		end++
	}
	if end == len(d.b) {
		return "", d.fail(errTruncated)
	}
	s, err := d.text(end - d.pos)
	d.pos++
	return s, err
}

func (d *Decoder) name(c byte) (Token, error) {
	var s string
	var err error
	switch {
	case c == 0x20:
		return Token{Kind: KindName}, nil
	case c >= 0x30 && c <= 0x33:
		var low byte
		if low, err = d.byte(); err == nil {
			s, err = d.shared(d.names, int(c&3)<<8|int(low))
		}
		return Token{Kind: KindName, Text: s}, err
	case c >= 0x40 && c <= 0x7f:
		s, err = d.shared(d.names, int(c&0x3f))
		return Token{Kind: KindName, Text: s}, err
	case c == 0xfb:
		return Token{Kind: KindEndObject}, nil
	case c == 0x34:
		s, err = d.longText()
	case c >= 0x80 && c <= 0xbf:
		s, err = d.text(int(c&0x3f) + 1)
	case c >= 0xc0 && c <= 0xf7:
		s, err = d.text(int(c&0x3f) + 2)
	default:
		return Token{}, d.errorf("byte 0x%02x is no name", c)
	}
	if err == nil && d.shareNames {
		if len(d.names) == maxShared {
			d.tables++
		}
		share(&d.names, s)
	}
	return Token{Kind: KindName, Text: s}, err
}

func (d *Decoder) value(c byte) (Token, error) {
	switch {
	case c >= 0x01 && c <= 0x1f:
		s, err := d.shared(d.values, int(c)-1)
		return Token{Kind: KindString, Text: s}, err
	case c >= 0x40 && c <= 0xbf:
		n := int(c&0x1f) + 1 // tiny ASCII, then small ASCII, tiny and short Unicode
		switch c >> 5 {
		case 3:
			n += 32
		case 4:
			n++
		case 5:
			n += 33
		}
		s, err := d.text(n)
		if err == nil && d.shareValues && n <= maxSharedValue+1 {
			share(&d.values, s)
		}
		return Token{Kind: KindString, Text: s}, err
	case c >= 0xc0 && c <= 0xdf:
		return Token{Kind: KindInt, Int: unzigzag(uint64(c & 0x1f))}, nil
	case c >= 0xec && c <= 0xef:
		low, err := d.byte()
		if err != nil {
			return Token{}, err
		}
		s, err := d.shared(d.values, int(c&3)<<8|int(low))
		return Token{Kind: KindString, Text: s}, err
	}
	switch c {
	case 0x20:
		return Token{Kind: KindString}, nil
	case 0x21:
		return Token{Kind: KindNull}, nil
	case 0x22, 0x23:
		return Token{Kind: KindBool, Bool: c == 0x23}, nil
	case 0x24, 0x25:
		bits := 32
		if c == 0x25 {
			bits = 64
		}
		v, err := d.vint(bits)
		return Token{Kind: KindInt, Int: unzigzag(v)}, err
	case 0x26:
		n, err := d.bigInt()
		return Token{Kind: KindBigInt, Big: n}, err
	case 0x28:
		v, err := d.fixed(5)
		return Token{Kind: KindFloat, Float: float64(math.Float32frombits(uint32(v)))}, err
	case 0x29:
		v, err := d.fixed(10)
		return Token{Kind: KindDouble, Float: math.Float64frombits(v)}, err
	case 0x2a:
		scale, err := d.vint(32)
		if err != nil {
			return Token{}, err
		}
		n, err := d.bigInt()
		return Token{Kind: KindDecimal, Int: unzigzag(scale), Big: n}, err
	case 0xe0, 0xe4:
		s, err := d.longText()
		return Token{Kind: KindString, Text: s}, err
	case 0xe8:
		b, err := d.binary7()
		return Token{Kind: KindBinary, Bytes: b}, err
	case 0xfd:
		n, err := d.length()
		if err != nil {
			return Token{}, err
		}
		b, err := d.take(n)
		return Token{Kind: KindBinary, Bytes: append([]byte{}, b...)}, err
	case 0xf8:
		return Token{Kind: KindStartArray}, nil
	case 0xf9:
		return Token{Kind: KindEndArray}, nil
	case 0xfa:
		return Token{Kind: KindStartObject}, nil
	}
	return Token{}, d.errorf("byte 0x%02x is no value", c)
}

func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

// vint reads a variable-length number: seven bits a byte, the highest first, the last byte marked by
// its high bit and with six bits only.
func (d *Decoder) vint(bits int) (uint64, error) {
	var v uint64
	for range 11 {
		c, err := d.byte()
		if err != nil {
			return 0, err
		}
		width := 7
		if c&0x80 != 0 {
			width = 6
		}
		if v>>(bits-width) != 0 {
			return 0, d.errorf("a number of more than %d bits", bits)
		}
		if width == 6 {
			return v<<6 | uint64(c&0x3f), nil
		}
		v = v<<7 | uint64(c)
	}
	return 0, d.errorf("a number of more than 11 bytes")
}

func (d *Decoder) length() (int, error) {
	v, err := d.vint(32)
	if err == nil && v > uint64(d.limits.String) {
		err = d.errorf("a value of %d bytes: %w", v, ErrLimit)
	}
	return int(v), err
}

// fixed reads n bytes of seven bits each, the highest first.
func (d *Decoder) fixed(n int) (uint64, error) {
	b, err := d.take(n)
	if err != nil {
		return 0, err
	}
	var v uint64
	for _, c := range b {
		if c&0x80 != 0 {
			return 0, d.errorf("byte 0x%02x in a floating-point number", c)
		}
		v = v<<7 | uint64(c)
	}
	return v, nil
}

// binary7 reads bytes that are stored seven bits a byte; the last stored byte holds what is left
// over in its low bits.
func (d *Decoder) binary7() ([]byte, error) {
	n, err := d.length()
	if err != nil {
		return nil, err
	}
	stored, err := d.take((n*8 + 6) / 7)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, n)
	var acc uint32
	bits := 0
	for i, c := range stored {
		if c&0x80 != 0 {
			return nil, d.errorf("byte 0x%02x in a 7-bit value", c)
		}
		width := 7
		if i == len(stored)-1 {
			width = n*8 - 7*i
		}
		acc = acc<<width | uint32(c)&(1<<width-1)
		if bits += width; bits >= 8 {
			bits -= 8
			out = append(out, byte(acc>>bits))
		}
	}
	return out, nil
}

// bigInt reads a big-endian two's-complement number.
func (d *Decoder) bigInt() (*big.Int, error) {
	b, err := d.binary7()
	if err != nil {
		return nil, err
	}
	// Decimal conversion is quadratic: a number of a megabyte would take minutes to print.
	if len(b) > 4096 {
		return nil, d.errorf("a number of %d bytes: %w", len(b), ErrLimit)
	}
	n := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return n, nil
}

// Decode reads a whole document as a tree.
func Decode(b []byte, limits Limits) (any, error) {
	d, err := NewDecoder(b, limits)
	if err != nil {
		return nil, err
	}
	v, err := buildTree(d)
	if err != nil {
		return nil, err
	}
	if err := d.end(); !errors.Is(err, io.EOF) {
		return nil, err
	}
	return v, nil
}

// Value reads the next value whole, as Decode does. It is called where a value begins: in an array or behind a name.
func (d *Decoder) Value() (any, error) { return buildTree(d) }

// buildTree reads one value. Depth is limited by the decoder.
func buildTree(d *Decoder) (any, error) {
	t, err := d.Next()
	if err != nil {
		return nil, err
	}
	return treeFrom(d, t)
}

func treeFrom(d *Decoder, t Token) (any, error) {
	switch t.Kind {
	case KindBool:
		return t.Bool, nil
	case KindInt:
		return t.Int, nil
	case KindBigInt:
		return t.Big, nil
	case KindFloat:
		return float32(t.Float), nil
	case KindDouble:
		return t.Float, nil
	case KindDecimal:
		return Decimal{t.Big, int32(t.Int)}, nil
	case KindString:
		return t.Text, nil
	case KindBinary:
		return t.Bytes, nil
	case KindStartArray:
		list := []any{}
		for {
			t, err := d.Next()
			if err != nil {
				return nil, err
			}
			if t.Kind == KindEndArray {
				return list, nil
			}
			v, err := treeFrom(d, t)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
	case KindStartObject:
		o := &Object{}
		for {
			t, err := d.Next()
			if err != nil {
				return nil, err
			}
			if t.Kind == KindEndObject {
				return o, nil
			}
			v, err := buildTree(d)
			if err != nil {
				return nil, err
			}
			o.Set(t.Text, v)
		}
	}
	return nil, nil // KindNull; ends are caught by the decoder's nesting check
}
