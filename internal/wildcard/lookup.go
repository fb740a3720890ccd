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

// Stream is a data stream: a name that stands for the indices behind it, the last of which takes writes.
type Stream struct {
	Name    string
	Indices []string // names, oldest first
}

// abstraction is an index, an alias or a data stream.
type abstraction struct {
	alias   bool
	stream  bool
	hidden  bool // an alias is hidden where all its indices say so
	indices []*Index
	write   *Index
}

// Lookup is an immutable table of all names.
type Lookup struct {
	names    []string // of indices, aliases and data streams, in order
	byName   map[string]*abstraction
	all      []*Index          // in order of their names
	streamOf map[string]string // data streams by the names of their indices
}

// NewLookup builds the table. The slices may be changed afterwards, the indices not. Of a data stream, indices that
// do not exist are left out.
func NewLookup(indices []*Index, streams ...Stream) *Lookup {
	l := &Lookup{byName: make(map[string]*abstraction, 2*len(indices)), all: slices.Clone(indices), streamOf: map[string]string{}}
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
	for _, s := range streams {
		l.addStream(s)
	}
	l.names = make([]string, 0, len(l.byName))
	for name := range l.byName {
		l.names = append(l.names, name)
	}
	slices.Sort(l.names)
	return l
}

func (l *Lookup) addStream(s Stream) {
	abs := &abstraction{stream: true}
	for _, name := range s.Indices {
		a := l.byName[name]
		if a == nil || a.alias || a.stream {
			continue
		}
		abs.indices, abs.write = append(abs.indices, a.write), a.write
		l.streamOf[name] = s.Name
	}
	if l.byName[s.Name] == nil { // names are unique; an index is never hidden by a stream
		l.byName[s.Name] = abs
	}
}

// HasIndex tells whether an index of this very name exists.
func (l *Lookup) HasIndex(name string) bool {
	a := l.byName[name]
	return a != nil && !a.alias && !a.stream
}

// HasStream tells whether a data stream of this very name exists.
func (l *Lookup) HasStream(name string) bool {
	a := l.byName[name]
	return a != nil && a.stream
}

// StreamOf returns the data stream that an index is behind, or "".
func (l *Lookup) StreamOf(index string) string { return l.streamOf[index] }

// StreamWriteIndex returns the index that takes the writes to a data stream, or "".
func (l *Lookup) StreamWriteIndex(stream string) string {
	a := l.byName[stream]
	if a == nil || !a.stream || a.write == nil {
		return ""
	}
	return a.write.Name
}

// AliasWriteIndex returns the index that takes the writes to an alias, or "".
func (l *Lookup) AliasWriteIndex(alias string) string {
	a := l.byName[alias]
	if a == nil || !a.alias || a.write == nil {
		return ""
	}
	return a.write.Name
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
	return a.names()
}

// Names returns all names of indices, aliases and data streams in order. It must not be changed.
func (l *Lookup) Names() []string { return l.names }

// kind is what an error calls the abstraction.
func (a *abstraction) kind() string {
	if a.stream {
		return "data_stream"
	}
	return "alias"
}

func (a *abstraction) names() []string {
	names := make([]string, len(a.indices))
	for i, ix := range a.indices {
		names[i] = ix.Name
	}
	return names
}
