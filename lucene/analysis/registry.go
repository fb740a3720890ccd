package analysis

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
)

// tokenFilter makes streams and says how the filter behaves in special places.
type tokenFilter struct {
	name   string
	create func(tokenStream) tokenStream
	// normal makes the form of the filter that applies to single terms of queries; nil: none.
	normal func(tokenStream) tokenStream
	// forSynonyms is what stands in for the filter when synonym rules are analyzed; nil: itself.
	forSynonyms *tokenFilter
	// notForSynonyms says that the filter cannot be used there.
	notForSynonyms bool
	// chain builds the filter from what stands before it (synonyms, multiplexer); nil: create is set.
	chain func(b *builder, a *Analyzer) (*tokenFilter, error)
}

// identity leaves the stream as it is.
var identity = &tokenFilter{name: "identity", create: func(in tokenStream) tokenStream { return in }}

// namedCharFilter is a charFilter with its name.
type namedCharFilter struct {
	charFilter
	normalizing bool
}

// Registry holds the analyzers and normalizers of one index: the built-in ones and those that its
// settings define. It is immutable after NewRegistry.
type Registry struct {
	b           *builder
	analyzers   map[string]*Analyzer
	normalizers map[string]*Analyzer
	broken      map[string]error // analyzers and normalizers that could not be built, "analyzer x"
}

// NewRegistry builds the components of index settings (keys such as "index.analysis.analyzer.x.type" or
// nested objects; "index." may be missing). An error says in OpenSearch's words what is wrong.
func NewRegistry(settings map[string]any) (*Registry, error) {
	r := newRegistry(settings, false)
	if err := r.define(); err != nil {
		return nil, err
	}
	return r, nil
}

// NewLenientRegistry is NewRegistry for an index that exists already, perhaps made by a server with
// more components: what cannot be built is an error only where it is asked for.
func NewLenientRegistry(settings map[string]any) *Registry {
	r := newRegistry(settings, true)
	_ = r.define() // a lenient registry keeps each error with the name it belongs to
	return r
}

func newRegistry(settings map[string]any, lenient bool) *Registry {
	flat := toSettings(settings)
	s := make(Settings, len(flat))
	for k, v := range flat {
		s[strings.TrimPrefix(k, "index.")] = v
	}
	return &Registry{
		b: &builder{settings: s, lenient: lenient, tokenizers: map[string]built[func() tokenizer]{},
			charFilters: map[string]built[*namedCharFilter]{}, filters: map[string]built[*tokenFilter]{}},
		analyzers:   map[string]*Analyzer{},
		normalizers: map[string]*Analyzer{},
		broken:      map[string]error{},
	}
}

// Default returns the analyzer of fields that name none.
func (r *Registry) Default() *Analyzer { return r.analyzers["default"] }

// Has reports whether an analyzer of that name is defined, built-in or broken.
func (r *Registry) Has(name string) bool {
	_, err := r.Analyzer(name)
	return err == nil || r.broken["analyzer "+name] != nil
}

// Analyzer returns the analyzer of a name.
func (r *Registry) Analyzer(name string) (*Analyzer, error) {
	if a := r.analyzers[name]; a != nil {
		return a, nil
	}
	if err := r.broken["analyzer "+name]; err != nil {
		return nil, err
	}
	a, err := r.b.builtinAnalyzer(name, name, Settings{})
	if err != nil {
		return nil, err
	}
	if a == nil {
		return nil, fmt.Errorf("analyzer [%s] has not been configured in mappings", name)
	}
	return a, nil
}

// HasNormalizer reports whether a normalizer of that name is defined.
func (r *Registry) HasNormalizer(name string) bool {
	return r.normalizers[name] != nil || r.broken["normalizer "+name] != nil
}

// Normalizer returns the normalizer of a name.
func (r *Registry) Normalizer(name string) (*Analyzer, error) {
	if a := r.normalizers[name]; a != nil {
		return a, nil
	}
	if err := r.broken["normalizer "+name]; err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("normalizer [%s] not found", name)
}

// Names returns the analyzers that the settings define, sorted.
func (r *Registry) Names() []string {
	var names []string
	for n := range r.b.settings.groups("analysis.analyzer") {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// Custom builds an analyzer for one request out of a tokenizer and filters, each a name or an object
// of settings. A nil tokenizer makes a normalizer-like chain on the whole text.
func (r *Registry) Custom(tokenizer any, charFilters, filters []any) (*Analyzer, error) {
	a := newAnalyzer("__custom__", nil, newKeywordTokenizer, nil)
	var err error
	if tokenizer != nil {
		if a.tokenizer, err = r.b.anyTokenizer(tokenizer); err != nil {
			return nil, err
		}
	}
	for _, def := range charFilters {
		f, err := r.b.anyCharFilter(def)
		if err != nil {
			return nil, err
		}
		a.charFilters = append(a.charFilters, f)
	}
	for _, def := range filters {
		f, err := r.b.anyFilter(def, a)
		if err != nil {
			return nil, err
		}
		a.addFilter(f)
	}
	return a, nil
}

func (a *Analyzer) addFilter(f *tokenFilter) {
	a.filters = append(a.filters, f)
	if f.normal != nil {
		a.normalFilters = append(a.normalFilters, &tokenFilter{name: f.name, create: f.normal})
	}
}

// define builds all that the settings name.
func (r *Registry) define() error {
	b := r.b
	fail := func(kind, name string, err error) error {
		if b.lenient {
			r.broken[kind+" "+name] = err
			return nil
		}
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(b.settings.groups("analysis.char_filter"))) {
		if _, err := b.charFilter(name); err != nil && !b.lenient {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b.settings.groups("analysis.tokenizer"))) {
		if _, err := b.tokenizer(name); err != nil && !b.lenient {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b.settings.groups("analysis.filter"))) {
		if _, err := b.filter(name); err != nil && !b.lenient {
			return err
		}
	}
	analyzers := b.settings.groups("analysis.analyzer")
	for _, name := range slices.Sorted(maps.Keys(analyzers)) {
		a, err := b.analyzer(name, analyzers[name])
		if err == nil && strings.HasPrefix(name, "_") {
			err = fmt.Errorf("analyzer name must not start with '_'. got \"%s\"", name)
		}
		if err == nil && name == "default_index" {
			err = fmt.Errorf("setting [index.analysis.analyzer.default_index] is not supported anymore, use [index.analysis.analyzer.default] instead")
		}
		if err != nil {
			if err := fail("analyzer", name, err); err != nil {
				return err
			}
			continue
		}
		r.analyzers[name] = a
	}
	normalizers := b.settings.groups("analysis.normalizer")
	for _, name := range slices.Sorted(maps.Keys(normalizers)) {
		n, err := b.normalizer(name, normalizers[name])
		if err != nil {
			if err := fail("normalizer", name, err); err != nil {
				return err
			}
			continue
		}
		r.normalizers[name] = n
	}
	if r.normalizers["lowercase"] == nil {
		n := newAnalyzer("lowercase", nil, newKeywordTokenizer, nil)
		n.addFilter(mustFilter("lowercase"))
		r.normalizers["lowercase"] = n
	}
	if r.analyzers["default"] == nil && r.broken["analyzer default"] == nil {
		a, err := b.builtinAnalyzer("default", "standard", Settings{})
		if err != nil {
			return err
		}
		r.analyzers["default"] = a
	}
	return nil
}

// built is a component or the reason why there is none.
type built[T any] struct {
	value T
	err   error
}

// builder makes components of settings, each once.
type builder struct {
	settings    Settings
	lenient     bool
	tokenizers  map[string]built[func() tokenizer]
	charFilters map[string]built[*namedCharFilter]
	filters     map[string]built[*tokenFilter]
}

// errNoSuch says that a name is neither defined nor built-in; its user words the message.
type errNoSuch struct{ name string }

func (e errNoSuch) Error() string { return "no component named [" + e.name + "]" }

func lookup[T any](cache map[string]built[T], defs map[string]Settings, name, component string,
	builtin func(name, typ string, s Settings, predefined bool) (T, error)) (T, error) {
	if c, ok := cache[name]; ok {
		return c.value, c.err
	}
	var c built[T]
	if s, ok := defs[name]; ok {
		typ := s.str("type", "")
		if typ == "" {
			c.err = fmt.Errorf("%s [%s] must specify either an analyzer type, or a tokenizer", component, name)
		} else {
			c.value, c.err = builtin(name, typ, s, false)
			if errors.As(c.err, new(errNoSuch)) {
				c.err = fmt.Errorf("Unknown %s type [%s] for [%s]", component, typ, name)
			}
		}
	} else {
		c.value, c.err = builtin(name, name, Settings{}, true)
	}
	cache[name] = c
	return c.value, c.err
}

func (b *builder) tokenizer(name string) (func() tokenizer, error) {
	return lookup(b.tokenizers, b.settings.groups("analysis.tokenizer"), name, "tokenizer", b.builtinTokenizer)
}

func (b *builder) charFilter(name string) (*namedCharFilter, error) {
	return lookup(b.charFilters, b.settings.groups("analysis.char_filter"), name, "char_filter", b.builtinCharFilter)
}

func (b *builder) filter(name string) (*tokenFilter, error) {
	return lookup(b.filters, b.settings.groups("analysis.filter"), name, "filter", b.builtinFilter)
}

// link finishes a filter that depends on what stands before it in an analyzer.
func (b *builder) link(f *tokenFilter, a *Analyzer) (*tokenFilter, error) {
	if f.chain == nil {
		return f, nil
	}
	return f.chain(b, a)
}

func (b *builder) anyTokenizer(def any) (func() tokenizer, error) {
	if name, ok := def.(string); ok {
		z, err := b.tokenizer(name)
		if errors.As(err, new(errNoSuch)) {
			return nil, fmt.Errorf("failed to find tokenizer under [%s]", name)
		}
		return z, err
	}
	s, typ, err := inline(def, "tokenizer")
	if err != nil {
		return nil, err
	}
	z, err := b.builtinTokenizer("_anonymous_tokenizer", typ, s, false)
	if errors.As(err, new(errNoSuch)) {
		return nil, fmt.Errorf("failed to find tokenizer under [%s]", typ)
	}
	return z, err
}

func (b *builder) anyCharFilter(def any) (*namedCharFilter, error) {
	if name, ok := def.(string); ok {
		f, err := b.charFilter(name)
		if errors.As(err, new(errNoSuch)) {
			return nil, fmt.Errorf("failed to find char_filter under [%s]", name)
		}
		return f, err
	}
	s, typ, err := inline(def, "char_filter")
	if err != nil {
		return nil, err
	}
	f, err := b.builtinCharFilter("_anonymous_charfilter", typ, s, false)
	if errors.As(err, new(errNoSuch)) {
		return nil, fmt.Errorf("failed to find char_filter under [%s]", typ)
	}
	return f, err
}

func (b *builder) anyFilter(def any, a *Analyzer) (*tokenFilter, error) {
	var f *tokenFilter
	if name, ok := def.(string); ok {
		var err error
		f, err = b.filter(name)
		if errors.As(err, new(errNoSuch)) {
			return nil, fmt.Errorf("failed to find filter under [%s]", name)
		}
		if err != nil {
			return nil, err
		}
	} else {
		s, typ, err := inline(def, "filter")
		if err != nil {
			return nil, err
		}
		f, err = b.builtinFilter("_anonymous_tokenfilter", typ, s, false)
		if errors.As(err, new(errNoSuch)) {
			return nil, fmt.Errorf("failed to find filter under [%s]", typ)
		}
		if err != nil {
			return nil, err
		}
	}
	return b.link(f, a)
}

func inline(def any, component string) (Settings, string, error) {
	m, ok := def.(map[string]any)
	if !ok {
		return nil, "", fmt.Errorf("a %s must be a name or an object", component)
	}
	s := toSettings(m)
	typ := s.str("type", "")
	if typ == "" {
		return nil, "", fmt.Errorf("Missing [type] setting for anonymous %s: %v", component, m)
	}
	return s, typ, nil
}
