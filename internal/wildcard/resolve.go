package wildcard

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/varve-search/varve/internal/settings"
)

// Options tell how an expression is resolved.
type Options struct {
	IgnoreUnavailable bool // skip names that do not exist, or are closed
	AllowNoIndices    bool // nothing found is no error
	ExpandOpen        bool // wildcards match open indices
	ExpandClosed      bool // wildcards match closed indices
	ExpandHidden      bool // wildcards match hidden indices too

	ForbidClosed            bool // a closed index is an error
	ForbidMultiIndexAliases bool // an alias of several indices is an error
	IgnoreAliases           bool // an alias does not count as a name
	ExcludeStreams          bool // a data stream does not count as a name
}

// The options that OpenSearch's APIs start from.
var (
	StrictExpandOpen             = Options{AllowNoIndices: true, ExpandOpen: true}
	StrictExpandOpenForbidClosed = Options{AllowNoIndices: true, ExpandOpen: true, ForbidClosed: true}
	StrictExpandOpenClosed       = Options{AllowNoIndices: true, ExpandOpen: true, ExpandClosed: true}
	LenientExpandOpen            = Options{AllowNoIndices: true, IgnoreUnavailable: true, ExpandOpen: true}
	LenientExpandOpenClosed      = Options{AllowNoIndices: true, IgnoreUnavailable: true, ExpandOpen: true, ExpandClosed: true}
	LenientExpandHidden          = Options{AllowNoIndices: true, IgnoreUnavailable: true, ExpandOpen: true, ExpandClosed: true, ExpandHidden: true}
	SingleIndex                  = Options{ForbidMultiIndexAliases: true, ForbidClosed: true}
)

// WithoutStreams returns the options changed so that a data stream does not count as a name.
func (o Options) WithoutStreams() Options {
	o.ExcludeStreams = true
	return o
}

// WithExpandWildcards returns the options changed by a value of the parameter expand_wildcards:
// comma-separated open, closed, hidden, none, all.
func (o Options) WithExpandWildcards(v string) (Options, error) {
	o.ExpandOpen, o.ExpandClosed, o.ExpandHidden = false, false, false
	for _, s := range strings.Split(v, ",") {
		switch s {
		case "open":
			o.ExpandOpen = true
		case "closed":
			o.ExpandClosed = true
		case "hidden":
			o.ExpandHidden = true
		case "none":
			o.ExpandOpen, o.ExpandClosed, o.ExpandHidden = false, false, false
		case "all":
			o.ExpandOpen, o.ExpandClosed, o.ExpandHidden = true, true, true
		default:
			return o, &IllegalError{Reason: fmt.Sprintf("No valid expand wildcard value [%s]", s)}
		}
	}
	return o, nil
}

// NotFoundError is OpenSearch's index_not_found_exception.
type NotFoundError struct {
	Index       string   // "" where no single name is missing
	Expressions []string // what was asked for
	NoneExist   bool     // "no indices exist"
	// ExcludedStream says that a data stream was named where none may be.
	ExcludedStream bool
}

func (e *NotFoundError) Error() string {
	name := e.Index
	if name == "" {
		name = "null"
	}
	if e.NoneExist {
		return fmt.Sprintf("no such index [%s] and no indices exist", name)
	}
	return fmt.Sprintf("no such index [%s]", name)
}

// ClosedError is OpenSearch's index_closed_exception.
type ClosedError struct{ Index string }

func (e *ClosedError) Error() string { return "closed" }

// InvalidNameError is OpenSearch's invalid_index_name_exception.
type InvalidNameError struct{ Index, Reason string }

func (e *InvalidNameError) Error() string {
	return fmt.Sprintf("Invalid index name [%s], %s", e.Index, e.Reason)
}

// IllegalError is OpenSearch's illegal_argument_exception.
type IllegalError struct{ Reason string }

func (e *IllegalError) Error() string { return e.Reason }

func isAll(e string) bool { return e == "_all" || e == "*" }

// Split splits a comma-separated expression as it stands in a URL; "" is none.
func Split(expr string) []string {
	if expr == "" {
		return nil
	}
	return strings.Split(expr, ",")
}

// Indices resolves expressions to names of indices, in order, each once. No expressions are all
// indices. Errors: *NotFoundError, *ClosedError, *InvalidNameError, *IllegalError.
func (l *Lookup) Indices(o Options, expressions ...string) ([]string, error) {
	return l.resolve(o, false, expressions)
}

// Abstractions returns the names of the indices, aliases and data streams that expressions choose, in order, none of them replaced by
// what it stands for. Names without wildcards that do not exist are left out. No expressions are all.
func (l *Lookup) Abstractions(o Options, expressions []string) ([]string, error) {
	if len(expressions) == 0 || len(expressions) == 1 && expressions[0] == "_all" {
		expressions = []string{"*"}
	}
	found := map[string]bool{}
	wildcardSeen := false
	for _, e := range expressions {
		add := true
		if rest, ok := strings.CutPrefix(e, "-"); ok && wildcardSeen {
			add, e = false, rest
		}
		if !strings.Contains(e, "*") || !o.ExpandOpen && !o.ExpandClosed {
			if l.byName[e] != nil {
				set(found, e, add)
			}
			continue
		}
		wildcardSeen = true
		some := false
		for _, name := range l.matching(e) {
			if l.visible(o, e, name) {
				some = true
				set(found, name, add)
			}
		}
		if !some && !o.AllowNoIndices {
			return nil, &NotFoundError{Index: e, Expressions: expressions}
		}
	}
	return slices.Sorted(maps.Keys(found)), nil
}

// visible tells whether a wildcard expression that matches a name chooses it.
func (l *Lookup) visible(o Options, expression, name string) bool {
	abs := l.byName[name]
	shown := !abs.hidden || o.ExpandHidden || name[0] == '.' && expression[0] == '.'
	switch {
	case abs.stream:
		return !o.ExcludeStreams
	case abs.alias:
		return !o.IgnoreAliases && shown
	}
	return shown && l.wanted(o, abs.indices[0])
}

// WriteIndex resolves one name to the index that takes its writes.
func (l *Lookup) WriteIndex(o Options, name string) (string, error) {
	names, err := l.resolve(o, true, []string{name})
	if err != nil {
		return "", err
	}
	if len(names) != 1 {
		return "", &IllegalError{fmt.Sprintf("The index expression [%s] and options provided did not point to a single write-index", name)}
	}
	return names[0], nil
}

func (l *Lookup) resolve(o Options, toWrite bool, asked []string) ([]string, error) {
	if len(asked) == 0 {
		asked = []string{"_all"}
	}
	// Whether a missing name fails depends on another option when it is the only one.
	failMissing := !o.IgnoreUnavailable
	if len(asked) == 1 {
		failMissing = !o.AllowNoIndices
	}
	expressions, err := l.expand(o, false, false, asked)
	if err != nil {
		return nil, err
	}
	if len(expressions) == 0 {
		if o.AllowNoIndices {
			return nil, nil
		}
		return nil, &NotFoundError{Expressions: asked, NoneExist: len(asked) == 1 && asked[0] == "_all"}
	}
	found := map[string]bool{}
	excluded := false
	for _, e := range expressions {
		abs := l.byName[e]
		switch {
		case abs == nil && failMissing:
			return nil, &NotFoundError{Index: e, Expressions: asked, NoneExist: e == "_all"}
		case abs == nil:
			continue
		case abs.alias && o.IgnoreAliases && failMissing:
			return nil, aliasError(e)
		case abs.alias && o.IgnoreAliases:
			continue
		case abs.stream && o.ExcludeStreams:
			excluded = true
			continue
		case abs.alias && toWrite && abs.write == nil:
			return nil, &IllegalError{fmt.Sprintf("no write index is defined for alias [%s]. The write index may be explicitly disabled using is_write_index=false or the alias points to multiple indices without one being designated as a write index", e)}
		case (abs.alias || abs.stream && abs.write != nil) && toWrite:
			found[abs.write.Name] = true
			continue
		case len(abs.indices) > 1 && o.ForbidMultiIndexAliases:
			return nil, &IllegalError{fmt.Sprintf("%s [%s] has more than one index associated with it [%s], can't execute a single index op", abs.kind(), e, strings.Join(abs.names(), ", "))}
		}
		for _, ix := range abs.indices {
			if !ix.Closed {
				found[ix.Name] = true
				continue
			}
			if o.ForbidClosed && !o.IgnoreUnavailable {
				if o.ExpandClosed && !o.ExpandOpen && !o.ExpandHidden {
					return nil, &IllegalError{"To expand [CLOSE] wildcard, please set forbid_closed_indices to `false`"}
				}
				return nil, &ClosedError{ix.Name}
			}
			if !o.ForbidClosed {
				found[ix.Name] = true
			}
		}
	}
	if len(found) == 0 && !o.AllowNoIndices {
		return nil, &NotFoundError{Expressions: asked, ExcludedStream: excluded}
	}
	return slices.Sorted(maps.Keys(found)), nil
}

// Expressions expands the wildcards and keeps names of aliases: what alias filters and routings are
// looked up with.
func (l *Lookup) Expressions(o Options, expressions ...string) ([]string, error) {
	return l.expand(o, true, false, expressions)
}

// Streams returns the names of the data streams that expressions choose, in order. No expressions are all.
func (l *Lookup) Streams(o Options, expressions ...string) ([]string, error) {
	names, err := l.expand(o, false, true, expressions)
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for _, n := range names {
		if l.HasStream(n) {
			found[n] = true
		}
	}
	return slices.Sorted(maps.Keys(found)), nil
}

func aliasError(e string) error {
	return &IllegalError{fmt.Sprintf("The provided expression [%s] matches an alias, specify the corresponding concrete indices instead.", e)}
}

// expand replaces wildcards by names: those of indices, and those of aliases and data streams where they are kept.
func (l *Lookup) expand(o Options, keepAliases, keepStreams bool, asked []string) ([]string, error) {
	if !o.ExpandOpen && !o.ExpandClosed {
		return asked, nil
	}
	if len(asked) == 0 || len(asked) == 1 && isAll(asked[0]) {
		var names []string
		for _, ix := range l.all {
			behind := l.streamOf[ix.Name] != "" && !o.ExcludeStreams // a hidden index behind a stream that is not
			if l.wanted(o, ix) && (o.ExpandHidden || !ix.Hidden || behind) {
				names = append(names, ix.Name)
			}
		}
		if keepStreams {
			for _, n := range l.names {
				if l.HasStream(n) {
					names = append(names, n)
				}
			}
		}
		return names, nil
	}
	var result map[string]bool // nil as long as every expression is a name that exists
	wildcardSeen := false
	for i, e := range asked {
		if e == "" {
			return nil, &NotFoundError{Index: e, Expressions: asked}
		}
		if e[0] == '_' {
			return nil, &InvalidNameError{e, "must not start with '_'."}
		}
		if abs := l.byName[e]; abs != nil && !(abs.alias && o.IgnoreAliases) && !(abs.stream && o.ExcludeStreams) {
			if result != nil {
				result[e] = true
			}
			continue
		}
		add := true
		if e[0] == '-' && wildcardSeen {
			add, e = false, e[1:]
		}
		if result == nil {
			result = map[string]bool{}
			for _, before := range asked[:i] {
				result[before] = true
			}
		}
		if !strings.Contains(e, "*") {
			if !o.IgnoreUnavailable {
				abs := l.byName[e]
				if abs == nil || abs.stream && o.ExcludeStreams {
					return nil, &NotFoundError{Index: e, Expressions: asked}
				}
				if abs.alias && o.IgnoreAliases {
					return nil, aliasError(e)
				}
			}
			if add {
				result[e] = true
			} else {
				delete(result, e)
			}
			continue
		}
		matched := false
		for _, name := range l.matching(e) {
			abs := l.byName[name]
			if abs.alias && o.IgnoreAliases || abs.stream && o.ExcludeStreams {
				continue
			}
			matched = true
			if abs.hidden && !o.ExpandHidden && !(name[0] == '.' && e[0] == '.') {
				continue
			}
			if abs.alias && keepAliases {
				set(result, name, add)
				continue
			}
			for _, ix := range abs.indices {
				if l.wanted(o, ix) {
					set(result, ix.Name, add)
				}
			}
			if abs.stream && keepStreams {
				set(result, name, add)
			}
		}
		if !matched && !o.AllowNoIndices {
			return nil, &NotFoundError{Index: e, Expressions: asked}
		}
		wildcardSeen = true
	}
	if result == nil {
		return asked, nil
	}
	if len(result) == 0 && !o.AllowNoIndices {
		return nil, &NotFoundError{Expressions: asked}
	}
	return slices.Sorted(maps.Keys(result)), nil
}

func set(m map[string]bool, name string, add bool) {
	if add {
		m[name] = true
	} else {
		delete(m, name)
	}
}

func (l *Lookup) wanted(o Options, ix *Index) bool {
	if ix.Closed {
		return o.ExpandClosed
	}
	return o.ExpandOpen
}

// matching returns the names that match a pattern; the text before its first * narrows the search.
func (l *Lookup) matching(pattern string) []string {
	prefix, _, _ := strings.Cut(pattern, "*")
	from, _ := slices.BinarySearch(l.names, prefix)
	var out []string
	for _, name := range l.names[from:] {
		if !strings.HasPrefix(name, prefix) {
			break
		}
		if settings.Match(pattern, name) {
			out = append(out, name)
		}
	}
	return out
}

// MatchNames returns those of names that match one of the patterns, for lists that are not indices:
// templates, repositories, snapshots, aliases. No patterns, "_all" and "*" are all of them. A leading
// "-" after a wildcard excludes.
func MatchNames(names []string, patterns ...string) []string {
	if len(patterns) == 0 || len(patterns) == 1 && isAll(patterns[0]) {
		return slices.Clone(names)
	}
	keep := make([]bool, len(names))
	wild := false
	for _, p := range patterns {
		value := true
		if wild && strings.HasPrefix(p, "-") {
			value, p = false, p[1:]
		}
		for i, n := range names {
			if p == "_all" || settings.Match(p, n) {
				keep[i] = value
			}
		}
		wild = wild || strings.Contains(p, "*")
	}
	var out []string
	for i, n := range names {
		if keep[i] {
			out = append(out, n)
		}
	}
	return out
}
