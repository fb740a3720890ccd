package xcontent

// Object is a JSON object that keeps the order of its keys.
type Object struct{ Members []Member }

// Member is a key with its value.
type Member struct {
	Key   string
	Value any
}

// Obj makes an object from keys and values in turn.
func Obj(kv ...any) *Object {
	o := &Object{Members: make([]Member, 0, len(kv)/2)}
	for i := 0; i+1 < len(kv); i += 2 {
		o.Members = append(o.Members, Member{kv[i].(string), kv[i+1]})
	}
	return o
}

// Set adds a key or replaces its value, and returns o.
func (o *Object) Set(key string, value any) *Object {
	for i := range o.Members {
		if o.Members[i].Key == key {
			o.Members[i].Value = value
			return o
		}
	}
	return o.Add(key, value)
}

// Add adds a key that is known not to be there yet, and returns o.
func (o *Object) Add(key string, value any) *Object {
	o.Members = append(o.Members, Member{key, value})
	return o
}

// Get returns the value of a key.
func (o *Object) Get(key string) (any, bool) {
	for _, m := range o.Members {
		if m.Key == key {
			return m.Value, true
		}
	}
	return nil, false
}

// Len returns the number of keys.
func (o *Object) Len() int { return len(o.Members) }
