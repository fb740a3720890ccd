package smile

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"unicode/utf8"
)

// Format: docs/formats/smile.md

// header is what OpenSearch writes: version 0, shared names, raw binary, no shared values.
var header = [4]byte{':', ')', '\n', 0x05}

// Encode writes a tree as a document. Besides the types of the tree it takes int and int32.
func Encode(v any) ([]byte, error) { return AppendEncoded(nil, v) }

// AppendEncoded is Encode behind the bytes of b.
func AppendEncoded(b []byte, v any) ([]byte, error) {
	e := NewEncoder(b)
	if err := e.value(v, 0); err != nil {
		return nil, err
	}
	return e.b, nil
}

// Encoder writes a document piece by piece, for what is too large for a tree. The caller sees to it that there is one value, that
// each member of an object is a name and a value, and that each start has its end.
type Encoder struct {
	b     []byte
	names map[string]int
	// count is the number of names in the reader's table, those included that must not be
	// referred to.
	count  int
	tables int // how often the table was begun anew
}

// NewEncoder begins a document behind the bytes of b.
func NewEncoder(b []byte) *Encoder {
	return &Encoder{b: append(b, header[:]...), names: map[string]int{}}
}

// Grow makes room for n more bytes.
func (e *Encoder) Grow(n int) { e.b = slices.Grow(e.b, n) }

// Bytes returns what was given to NewEncoder and what was written since.
func (e *Encoder) Bytes() []byte { return e.b }

// Value writes a value whole, as Encode does.
func (e *Encoder) Value(v any) error { return e.value(v, 0) }

// StartObject begins an object: names and their values follow.
func (e *Encoder) StartObject() { e.b = append(e.b, 0xfa) }

// EndObject ends an object.
func (e *Encoder) EndObject() { e.b = append(e.b, 0xfb) }

// StartArray begins an array: values follow.
func (e *Encoder) StartArray() { e.b = append(e.b, 0xf8) }

// EndArray ends an array.
func (e *Encoder) EndArray() { e.b = append(e.b, 0xf9) }

func (e *Encoder) value(v any, depth int) error {
	if depth > 1000 {
		return fmt.Errorf("encode SMILE: nested more than 1000 deep: %w", ErrLimit)
	}
	switch v := v.(type) {
	case nil:
		e.b = append(e.b, 0x21)
	case bool:
		if v {
			e.b = append(e.b, 0x23)
		} else {
			e.b = append(e.b, 0x22)
		}
	case int:
		e.Int(int64(v))
	case int32:
		e.Int(int64(v))
	case int64:
		e.Int(v)
	case *big.Int:
		e.b = append(e.b, 0x26)
		e.binary7(twosComplement(v))
	case Decimal:
		e.b = append(e.b, 0x2a)
		e.vint(zigzag(int64(v.Scale)))
		e.binary7(twosComplement(v.Unscaled))
	case float32:
		e.b = append(e.b, 0x28)
		e.fixed(uint64(math.Float32bits(v)), 5)
	case float64:
		e.b = append(e.b, 0x29)
		e.fixed(math.Float64bits(v), 10)
	case string:
		return e.Text(v)
	case []byte:
		e.Binary(v)
	case []any:
		e.b = append(e.b, 0xf8)
		for _, x := range v {
			if err := e.value(x, depth+1); err != nil {
				return err
			}
		}
		e.b = append(e.b, 0xf9)
	case *Object:
		e.b = append(e.b, 0xfa)
		if v != nil {
			for _, m := range v.Members {
				if err := e.Name(m.Name); err != nil {
					return err
				}
				if err := e.value(m.Value, depth+1); err != nil {
					return fmt.Errorf("%s: %w", m.Name, err)
				}
			}
		}
		e.b = append(e.b, 0xfb)
	default:
		return fmt.Errorf("encode SMILE: no form for a value of type %T", v)
	}
	return nil
}

// Name writes the name of a member.
func (e *Encoder) Name(s string) error {
	if s == "" {
		e.b = append(e.b, 0x20)
		return nil
	}
	if i, seen := e.names[s]; seen {
		if i < 64 {
			e.b = append(e.b, 0x40|byte(i))
		} else {
			e.b = append(e.b, 0x30|byte(i>>8), byte(i))
		}
		return nil
	}
	if err := e.NewName(s); err != nil {
		return err
	}
	// The low byte of a reference must not be 0xFE or 0xFF, which mark ends in a stream.
	if at := e.count - 1; at&0xff < 0xfe {
		e.names[s] = at
	}
	return nil
}

// NewName is Name for one that does not occur again: it is not remembered.
func (e *Encoder) NewName(s string) error {
	if s == "" {
		return e.Name(s)
	}
	ascii, err := check(s)
	if err != nil {
		return err
	}
	switch {
	case ascii && len(s) <= 64:
		e.b = append(e.b, 0x80+byte(len(s)-1))
		e.b = append(e.b, s...)
	case !ascii && len(s) <= 56:
		e.b = append(e.b, 0xc0+byte(len(s)-2))
		e.b = append(e.b, s...)
	default:
		e.b = append(e.b, 0x34)
		e.b = append(e.b, s...)
		e.b = append(e.b, 0xfc)
	}
	if e.count == maxShared {
		e.count = 0
		e.tables++
		clear(e.names)
	}
	e.count++
	return nil
}

func check(s string) (ascii bool, err error) {
	ascii = true
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			ascii = false
			break
		}
	}
	if !ascii && !utf8.ValidString(s) {
		return false, fmt.Errorf("encode SMILE: %.40q is not UTF-8", s)
	}
	return ascii, nil
}

// Text writes a string as a value.
func (e *Encoder) Text(s string) error {
	ascii, err := check(s)
	if err != nil {
		return err
	}
	switch n := len(s); {
	case n == 0:
		e.b = append(e.b, 0x20)
		return nil
	case ascii && n <= 64: // tiny and small ASCII follow each other
		e.b = append(e.b, 0x40+byte(n-1))
	case !ascii && n <= 64:
		e.b = append(e.b, 0x80+byte(n-2))
	default:
		kind := byte(0xe4)
		if ascii {
			kind = 0xe0
		}
		e.b = append(e.b, kind)
		e.b = append(e.b, s...)
		e.b = append(e.b, 0xfc)
		return nil
	}
	e.b = append(e.b, s...)
	return nil
}

// Binary writes bytes.
func (e *Encoder) Binary(v []byte) {
	e.b = append(e.b, 0xfd)
	e.vint(uint64(len(v)))
	e.b = append(e.b, v...)
}

// Int writes a whole number.
func (e *Encoder) Int(v int64) {
	switch {
	case v >= -16 && v <= 15:
		e.b = append(e.b, 0xc0+byte(zigzag(v)))
	case v >= math.MinInt32 && v <= math.MaxInt32:
		e.b = append(e.b, 0x24)
		e.vint(zigzag(v))
	default:
		e.b = append(e.b, 0x25)
		e.vint(zigzag(v))
	}
}

func zigzag(v int64) uint64 { return uint64(v)<<1 ^ uint64(v>>63) }

func (e *Encoder) vint(v uint64) {
	var tmp [11]byte
	i := len(tmp) - 1
	tmp[i] = 0x80 | byte(v&0x3f)
	for v >>= 6; v != 0; v >>= 7 {
		i--
		tmp[i] = byte(v & 0x7f)
	}
	e.b = append(e.b, tmp[i:]...)
}

func (e *Encoder) fixed(v uint64, n int) {
	for i := n - 1; i >= 0; i-- {
		e.b = append(e.b, byte(v>>(7*i))&0x7f)
	}
}

func (e *Encoder) binary7(b []byte) {
	e.vint(uint64(len(b)))
	var acc uint32
	bits := 0
	for _, c := range b {
		acc = acc<<8 | uint32(c)
		for bits += 8; bits >= 7; {
			bits -= 7
			e.b = append(e.b, byte(acc>>bits)&0x7f)
		}
	}
	if bits > 0 {
		e.b = append(e.b, byte(acc)&(1<<bits-1))
	}
}

// twosComplement is the shortest big-endian form with a sign bit, as Java's BigInteger gives it.
func twosComplement(n *big.Int) []byte {
	if n.Sign() >= 0 {
		b := n.Bytes()
		if len(b) == 0 || b[0]&0x80 != 0 {
			b = append([]byte{0}, b...)
		}
		return b
	}
	size := new(big.Int).Not(n).BitLen()/8 + 1
	b := new(big.Int).Add(n, new(big.Int).Lsh(big.NewInt(1), uint(8*size))).Bytes()
	return b
}
