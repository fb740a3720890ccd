package javavalue

import (
	"cmp"
	"slices"
	"unicode/utf16"
)

// indexFrom is the number of members from which an Object keeps an index of its keys.
const indexFrom = 16

// Object is a map that keeps the order in which its keys came.
type Object struct {
	members []member
	at      map[string]int // from indexFrom members on
	removed int            // members that are gone, but still have their place
}

type member struct {
	key   string
	value any
	gone  bool
}

// List is a list that several places may share.
type List struct{ Items []any }

// NewObject returns an object of keys and values in turn.
func NewObject(kv ...any) *Object {
	o := &Object{}
	for i := 0; i+1 < len(kv); i += 2 {
		o.Put(kv[i].(string), kv[i+1])
	}
	return o
}

func (o *Object) find(key string) int {
	if o.at != nil {
		if i, ok := o.at[key]; ok {
			return i
		}
		return -1
	}
	for i := range o.members {
		if o.members[i].key == key && !o.members[i].gone {
			return i
		}
	}
	return -1
}

// Get returns the value of a key, and whether the key is there.
func (o *Object) Get(key string) (any, bool) {
	if i := o.find(key); i >= 0 {
		return o.members[i].value, true
	}
	return nil, false
}

// Has tells whether a key is there, be its value null.
func (o *Object) Has(key string) bool { return o.find(key) >= 0 }

// Put sets a key and returns the value before, nil if there was none.
func (o *Object) Put(key string, value any) any {
	if i := o.find(key); i >= 0 {
		old := o.members[i].value
		o.members[i].value = value
		return old
	}
	o.members = append(o.members, member{key: key, value: value})
	if o.at != nil {
		o.at[key] = len(o.members) - 1
	} else if len(o.members) > indexFrom {
		o.reindex()
	}
	return nil
}

// Remove takes a key away and returns its value, nil if there was none.
func (o *Object) Remove(key string) any {
	i := o.find(key)
	if i < 0 {
		return nil
	}
	old := o.members[i].value
	o.members[i] = member{gone: true}
	o.removed++
	if o.at != nil {
		delete(o.at, key)
	}
	if o.removed > indexFrom && o.removed > len(o.members)/2 {
		o.members = slices.DeleteFunc(o.members, func(m member) bool { return m.gone })
		o.removed = 0
		if o.at != nil {
			o.reindex()
		}
	}
	return old
}

func (o *Object) reindex() {
	o.at = make(map[string]int, len(o.members))
	for i := range o.members {
		if !o.members[i].gone {
			o.at[o.members[i].key] = i
		}
	}
}

// Len returns the number of keys.
func (o *Object) Len() int { return len(o.members) - o.removed }

// Keys returns the keys in their order; the object may change while they are used.
func (o *Object) Keys() []string {
	keys := make([]string, 0, o.Len())
	for i := range o.members {
		if !o.members[i].gone {
			keys = append(keys, o.members[i].key)
		}
	}
	return keys
}

// HashedKeys returns the keys in the order in which a Java HashMap gives them.
func (o *Object) HashedKeys() []string {
	keys := o.Keys()
	size := uint32(16)
	for len(keys)*4 > int(size)*3 {
		size <<= 1
	}
	bucket := func(key string) uint32 {
		var h uint32
		for _, u := range utf16.Encode([]rune(key)) {
			h = 31*h + uint32(u)
		}
		return (h ^ h>>16) & (size - 1)
	}
	slices.SortStableFunc(keys, func(a, b string) int { return cmp.Compare(bucket(a), bucket(b)) })
	return keys
}

// Copy returns a deep copy of a value.
func Copy(v any) any {
	switch v := v.(type) {
	case *Object:
		c := &Object{members: make([]member, 0, v.Len())}
		for _, m := range v.members {
			if !m.gone {
				c.members = append(c.members, member{key: m.key, value: Copy(m.value)})
			}
		}
		if len(c.members) > indexFrom {
			c.reindex()
		}
		return c
	case *List:
		c := &List{Items: make([]any, len(v.Items))}
		for i := range v.Items {
			c.Items[i] = Copy(v.Items[i])
		}
		return c
	}
	return v
}

// Equal is Java's equals: an Integer is never equal to a Long.
func Equal(a, b any) bool {
	switch a := a.(type) {
	case *Object:
		b, ok := b.(*Object)
		if !ok || a.Len() != b.Len() {
			return false
		}
		for _, m := range a.members {
			if m.gone {
				continue
			}
			if v, ok := b.Get(m.key); !ok || !Equal(m.value, v) {
				return false
			}
		}
		return true
	case *List:
		b, ok := b.(*List)
		return ok && slices.EqualFunc(a.Items, b.Items, Equal)
	}
	switch b.(type) {
	case *Object, *List:
		return false
	}
	if x, ok := a.(bigInt); ok {
		y, ok := b.(bigInt)
		return ok && x.Cmp(y) == 0
	}
	return a == b
}
