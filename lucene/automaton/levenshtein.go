package automaton

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// MaxEdits is the largest edit distance that Levenshtein supports.
const MaxEdits = 2

// Levenshtein accepts the terms that begin with the first prefix characters of term and whose rest is within edits
// insertions, deletions, substitutions and, with transpositions, swaps of two neighbours (each
// character swapped at most once) of term's rest.
func Levenshtein(term string, edits, prefix int, transpositions bool) (*DFA, error) {
	if edits < 0 || edits > MaxEdits {
		return nil, fmt.Errorf("an edit distance of %d is not between 0 and %d", edits, MaxEdits)
	}
	if len(term) > 1<<15 {
		return nil, fmt.Errorf("%w: a fuzzy term of %d bytes", ErrTooComplex, len(term))
	}
	word := []rune(term)
	prefix = min(max(prefix, 0), len(word))
	l := &levenshtein{word: word[prefix:], edits: edits, swap: transpositions, ids: map[string]int32{}}
	l.alphabet = slices.Compact(slices.Sorted(slices.Values(l.word)))
	l.build()
	return l.bytes(string(word[:prefix])), nil
}

// levenshtein builds the automaton over characters: one symbol for each of the word and one for all others.
// A state is a set of positions: word characters consumed, edits made, and whether a swap is half done.
type levenshtein struct {
	word     []rune
	alphabet []rune
	edits    int
	swap     bool
	ids      map[string]int32
	sets     [][]levPos
	next     [][]int32 // by state and symbol, the last symbol being "another character"; -1: none
	accept   []bool
}

type levPos struct {
	at    int32
	edits uint8
	half  bool
}

func (l *levenshtein) intern(set []levPos) int32 {
	all := slices.Clone(set)
	set = slices.DeleteFunc(set, func(p levPos) bool {
		return slices.ContainsFunc(all, func(q levPos) bool { return q.covers(p) })
	})
	slices.SortFunc(set, func(a, b levPos) int { return int(a.key()) - int(b.key()) })
	set = slices.Compact(set)
	if len(set) == 0 {
		return -1
	}
	key := make([]byte, 0, 4*len(set))
	accept := false
	for _, p := range set {
		k := p.key()
		key = append(key, byte(k), byte(k>>8), byte(k>>16), byte(k>>24))
		accept = accept || !p.half && len(l.word)-int(p.at) <= l.edits-int(p.edits)
	}
	if id, ok := l.ids[string(key)]; ok {
		return id
	}
	id := int32(len(l.sets))
	l.ids[string(key)] = id
	l.sets = append(l.sets, set)
	l.accept = append(l.accept, accept)
	return id
}

func (p levPos) key() int32 {
	k := p.at<<3 | int32(p.edits)<<1
	if p.half {
		k |= 1
	}
	return k
}

// covers tells that whatever p accepts q does too: it is nearer to the word by more edits than positions.
func (q levPos) covers(p levPos) bool {
	if q.half || p.half || q.edits >= p.edits {
		return false
	}
	d := p.at - q.at
	if d < 0 {
		d = -d
	}
	return d <= int32(p.edits-q.edits)
}

func (l *levenshtein) build() {
	l.intern([]levPos{{}})
	for s := 0; s < len(l.sets); s++ {
		row := make([]int32, len(l.alphabet)+1)
		for sym := range row {
			c := rune(-1)
			if sym < len(l.alphabet) {
				c = l.alphabet[sym]
			}
			var to []levPos
			for _, p := range l.sets[s] {
				to = l.step(to, p, c)
				for !p.half && int(p.edits) < l.edits && int(p.at) < len(l.word) { // word characters deleted before c
					p = levPos{p.at + 1, p.edits + 1, false}
					to = l.step(to, p, c)
				}
			}
			row[sym] = l.intern(to)
		}
		l.next = append(l.next, row)
	}
}

func (l *levenshtein) step(to []levPos, p levPos, c rune) []levPos {
	at := int(p.at)
	if p.half {
		if l.word[at] == c {
			to = append(to, levPos{p.at + 2, p.edits, false})
		}
		return to
	}
	if at < len(l.word) && l.word[at] == c {
		to = append(to, levPos{p.at + 1, p.edits, false})
	}
	if int(p.edits) < l.edits {
		to = append(to, levPos{p.at, p.edits + 1, false})
		if at < len(l.word) {
			to = append(to, levPos{p.at + 1, p.edits + 1, false})
		}
		if l.swap && at+1 < len(l.word) && l.word[at+1] == c {
			to = append(to, levPos{p.at, p.edits + 1, true})
		}
	}
	return to
}

// trieNode is a proper prefix of the UTF-8 of symbols.
type trieNode struct {
	child map[byte]int // node
	leaf  map[byte]int // symbol
	rest  int          // continuation bytes still to come
}

// bytes turns the automaton into one over UTF-8, behind a literal prefix. A byte state is a character state and a node
// of the trie of the symbols' encodings, or the target of "another character" with bytes still to come.
func (l *levenshtein) bytes(prefix string) *DFA {
	nodes := []trieNode{{child: map[byte]int{}, leaf: map[byte]int{}}}
	for sym, r := range l.alphabet {
		enc := utf8.AppendRune(nil, r)
		at := 0
		for i, b := range enc[:len(enc)-1] {
			to, ok := nodes[at].child[b]
			if !ok {
				to = len(nodes)
				nodes = append(nodes, trieNode{child: map[byte]int{}, leaf: map[byte]int{}, rest: len(enc) - 1 - i})
				nodes[at].child[b] = to
			}
			at = to
		}
		nodes[at].leaf[enc[len(enc)-1]] = sym
	}
	special := []byte(prefix + string(l.alphabet))
	t := utf8Table(special)
	inTrie := map[[2]int32]int32{} // character state, node
	other := map[[2]int32]int32{}  // character state, bytes to come
	var get func(state, node int32) int32
	var wait func(state, rest int32) int32
	get = func(state, node int32) int32 {
		if state < 0 {
			return -1
		}
		k := [2]int32{state, node}
		if id, ok := inTrie[k]; ok {
			return id
		}
		id := t.add(node == 0 && l.accept[state])
		inTrie[k] = id
		return id
	}
	wait = func(state, rest int32) int32 {
		if state < 0 || rest == 0 {
			return get(state, 0)
		}
		k := [2]int32{state, rest}
		if id, ok := other[k]; ok {
			return id
		}
		id := t.add(false)
		other[k] = id
		t.setRange(id, 0x80, 0xbf, wait(state, rest-1))
		return id
	}
	for s := range int32(len(l.sets)) {
		rest := l.next[s][len(l.alphabet)]
		for ni, node := range nodes {
			id := get(s, int32(ni))
			if ni == 0 {
				t.setRange(id, 0, 0x7f, get(rest, 0))
				t.setRange(id, 0xc0, 0xdf, wait(rest, 1))
				t.setRange(id, 0xe0, 0xef, wait(rest, 2))
				t.setRange(id, 0xf0, 0xf7, wait(rest, 3))
			} else {
				t.setRange(id, 0x80, 0xbf, wait(rest, int32(node.rest-1)))
			}
			for b, to := range node.child {
				t.set(id, t.class[b], get(s, int32(to)))
			}
			for b, sym := range node.leaf {
				t.set(id, t.class[b], get(l.next[s][sym], 0))
			}
		}
	}
	t.start = get(0, 0)
	if prefix != "" {
		first := t.chain(prefix[:len(prefix)-1], false)
		t.set(int32(len(t.accept)-1), t.class[prefix[len(prefix)-1]], t.start)
		t.start = first
	}
	return t.finish()
}
