package smile

import (
	"errors"
	"fmt"
	"math/big"
)

// Member is a name with its value in an Object.
type Member struct {
	Name  string
	Value any
}

// Object is a JSON object that keeps the order of its members. A name that occurs twice keeps its
// first place and its last value.
type Object struct {
	Members []Member
	index   map[string]int
}

// NewObject returns an object of the members given.
func NewObject(members ...Member) *Object {
	o := &Object{}
	for _, m := range members {
		o.Set(m.Name, m.Value)
	}
	return o
}

// indexFrom is the number of members from which a map pays.
const indexFrom = 16

func (o *Object) find(name string) int {
	if o.index != nil {
		if i, ok := o.index[name]; ok {
			return i
		}
		return -1
	}
	for i := range o.Members {
		if o.Members[i].Name == name {
			return i
		}
	}
	return -1
}

// Get returns the value of a name. It works on a nil Object.
func (o *Object) Get(name string) (any, bool) {
	if o == nil {
		return nil, false
	}
	if i := o.find(name); i >= 0 {
		return o.Members[i].Value, true
	}
	return nil, false
}

// Set replaces the value of a name, or appends it. Members must not be changed directly once Set
// was called.
func (o *Object) Set(name string, value any) {
	if i := o.find(name); i >= 0 {
		o.Members[i].Value = value
		return
	}
	o.Members = append(o.Members, Member{name, value})
	if o.index != nil {
		o.index[name] = len(o.Members) - 1
	} else if len(o.Members) >= indexFrom {
		o.index = make(map[string]int, 2*len(o.Members))
		for i := range o.Members {
			o.index[o.Members[i].Name] = i
		}
	}
}

// Len is the number of members. It works on a nil Object.
func (o *Object) Len() int {
	if o == nil {
		return 0
	}
	return len(o.Members)
}

// Decimal is a decimal number: Unscaled × 10^−Scale.
type Decimal struct {
	Unscaled *big.Int
	Scale    int32
}

func (d Decimal) String() string {
	if d.Scale == 0 {
		return d.Unscaled.String()
	}
	return fmt.Sprintf("%sE%d", d.Unscaled, -int64(d.Scale))
}

// Limits bound what untrusted input may ask for. A zero field takes the default.
type Limits struct {
	// Depth of nested objects and arrays; default 1,000 as Jackson has it.
	Depth int
	// Values is the number of values and names together; default 16 Mi.
	Values int
	// String is the length in bytes of one string, name or binary value; default 64 MiB.
	String int
}

func (l Limits) withDefaults() Limits {
	if l.Depth == 0 {
		l.Depth = 1000
	}
	if l.Values == 0 {
		l.Values = 16 << 20
	}
	if l.String == 0 {
		l.String = 64 << 20
	}
	return l
}

// ErrLimit is wrapped by the error for input that exceeds the limits.
var ErrLimit = errors.New("limit exceeded")

// SyntaxError says where input is wrong.
type SyntaxError struct {
	Offset int64
	Err    error
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("at byte %d: %v", e.Offset, e.Err) }

func (e *SyntaxError) Unwrap() error { return e.Err }
