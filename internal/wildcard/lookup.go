package wildcard

import (
	"slices"
	"strings"
)

// Index is what resolving needs to know of an index.
type Index struct {
	Name    string
	Closed  bool
	Hidden  bool
	System  bool
	Aliases []Alias
}

// Alias is a name that an index has beside its own.
type Alias struct {
	Name         string
	Hidden       bool
	IsWriteIndex *bool // nil where it was not said
}

// abstraction is an index or an alias.
type abstraction struct {
	alias   bool
	hidden  bool // an alias is hidden where all its indices say so
	indices []*Index
	write   *Index
}

// Lookup is an immutable table of all names.
type Lookup struct {
	names  []string // of indices and aliases, in order
	byName map[string]*abstraction
	all    []*Index // in order of their names
}

// NewLookup builds the table. The slice may be changed afterwards, the indices not.
func NewLookup(indices []*Index) *Lookup {
	l := &Lookup{byName: make(map[string]*abstraction, 2*len(indices)), all: slices.Clone(indices)}
	slices.SortFunc(l.all, func(a, b *Index) int { return strings.Compare(a.Name, b.Name) })
	for _, ix := range l.all {
		for _, a := range ix.Aliases {
			abs := l.byName[a.Name]
			if abs == nil {
				abs = &abstraction{alias: true, hidden: true}
				l.byName[a.Name] = abs
			}
			abs.indices = append(abs.indices, ix)
			abs.hidden = abs.hidden && a.Hidden
			if a.IsWriteIndex != nil && *a.IsWriteIndex {
				abs.write = ix
			}
		}
	}
	for name, abs := range l.byName {
		// The only index of an alias takes writes unless that was refused.
		if abs.write == nil && len(abs.indices) == 1 {
			for _, a := range abs.indices[0].Aliases {
				if a.Name == name && a.IsWriteIndex == nil {
					abs.write = abs.indices[0]
				}
			}
		}
	}
	for _, ix := range l.all {
		l.byName[ix.Name] = &abstraction{hidden: ix.Hidden, indices: []*Index{ix}, write: ix}
	}
	l.names = make([]string, 0, len(l.byName))
	for name := range l.byName {
		l.names = append(l.names, name)
	}
	slices.Sort(l.names)
	return l
}

// HasIndex tells whether an index of this very name exists.
func (l *Lookup) HasIndex(name string) bool {
	a := l.byName[name]
	return a != nil && !a.alias
}

// HasAlias tells whether an alias of this very name exists.
func (l *Lookup) HasAlias(name string) bool {
	a := l.byName[name]
	return a != nil && a.alias
}

// AliasIndices returns the names of the indices that have the alias, in order.
func (l *Lookup) AliasIndices(alias string) []string {
	a := l.byName[alias]
	if a == nil || !a.alias {
		return nil
	}
	names := make([]string, len(a.indices))
	for i, ix := range a.indices {
		names[i] = ix.Name
	}
	return names
}

// Names returns all names of indices and aliases in order. It must not be changed.
func (l *Lookup) Names() []string { return l.names }
