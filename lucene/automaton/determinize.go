package automaton

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// Determinize returns the minimal DFA of f, or ErrTooComplex.
func (n *Nfa) Determinize(f Fragment) (*DFA, error) {
	t, err := n.subsets(f)
	if err != nil {
		return nil, err
	}
	return minimize(t).finish(), nil
}

// subsets is the subset construction.
func (n *Nfa) subsets(f Fragment) (*table, error) {
	if n.err != nil {
		return nil, n.err
	}
	t := &table{}
	n.classify(t)
	var (
		ids   = map[string]int32{}
		sets  [][]int32
		mark  = make([]int32, len(n.edges)) // generation in which a state was put into the set
		gen   int32
		work  int
		key   []byte
		limit = n.work()
	)
	closure := func(set []int32) []int32 {
		for i := 0; i < len(set); i++ {
			for _, to := range n.eps[set[i]] {
				if mark[to] != gen {
					mark[to] = gen
					set = append(set, to)
				}
			}
		}
		return set
	}
	// Only states with edges, and the exit, tell two sets apart.
	intern := func(set []int32) (int32, error) {
		set = slices.DeleteFunc(closure(set), func(s int32) bool { return len(n.edges[s]) == 0 && s != f.out })
		slices.Sort(set)
		key = key[:0]
		for _, s := range set {
			key = binary.LittleEndian.AppendUint32(key, uint32(s))
		}
		if id, ok := ids[string(key)]; ok {
			return id, nil
		}
		if work += len(set) + 1; work > limit {
			return 0, fmt.Errorf("%w of %d", ErrTooComplex, limit/4)
		}
		id := t.add(slices.Contains(set, f.out))
		ids[string(key)] = id
		sets = append(sets, slices.Clone(set))
		return id, nil
	}
	gen++
	mark[f.in] = gen
	start, err := intern([]int32{f.in})
	if err != nil {
		return nil, err
	}
	t.start = start
	byClass := make([][]int32, t.k)
	for id := int32(0); int(id) < len(sets); id++ {
		for c := range byClass {
			byClass[c] = byClass[c][:0]
		}
		for _, s := range sets[id] {
			for _, e := range n.edges[s] {
				for c := t.class[e.lo]; ; c++ { // classes ascend with the bytes
					byClass[c] = append(byClass[c], e.to)
					if c == t.class[e.hi] {
						break
					}
				}
			}
		}
		for c, targets := range byClass {
			if len(targets) == 0 {
				continue
			}
			gen++
			set := targets[:0:0]
			for _, s := range targets {
				if mark[s] != gen {
					mark[s] = gen
					set = append(set, s)
				}
			}
			to, err := intern(set)
			if err != nil {
				return nil, err
			}
			t.set(id, uint8(c), to)
		}
	}
	return t, nil
}

// classify gives each run of bytes between two edge bounds a class.
func (n *Nfa) classify(t *table) {
	var bound [257]bool
	for _, es := range n.edges {
		for _, e := range es {
			bound[e.lo] = true
			bound[int(e.hi)+1] = true
		}
	}
	c := 0
	for b := range 256 {
		if b > 0 && bound[b] {
			c++
		}
		t.class[b] = uint8(c)
	}
	t.k = c + 1
}

// minimize merges the states that accept the same continuations (Hopcroft's algorithm). A missing transition counts as
// one to an extra dead state.
func minimize(t *table) *table {
	n := len(t.accept) + 1
	dead := int32(n - 1)
	at := func(s int32, c int) int32 {
		if s == dead {
			return dead
		}
		if to := t.trans[int(s)*t.k+c]; to >= 0 {
			return to
		}
		return dead
	}
	// predecessors by class
	pos := make([]int32, t.k*n+1)
	for s := range int32(n) {
		for c := range t.k {
			pos[c*n+int(at(s, c))+1]++
		}
	}
	for i := 1; i < len(pos); i++ {
		pos[i] += pos[i-1]
	}
	pred := make([]int32, pos[len(pos)-1])
	fill := slices.Clone(pos[:len(pos)-1])
	for s := range int32(n) {
		for c := range t.k {
			i := c*n + int(at(s, c))
			pred[fill[i]] = s
			fill[i]++
		}
	}
	// The states in one array, each block a run of it.
	p := newPartition(n)
	var accepting []int32
	for s, a := range t.accept {
		if a {
			accepting = append(accepting, int32(s))
		}
	}
	var queue [][2]int32 // block and class
	queued := map[[2]int32]bool{}
	push := func(block int32) {
		for c := range t.k {
			k := [2]int32{block, int32(c)}
			if !queued[k] {
				queued[k] = true
				queue = append(queue, k)
			}
		}
	}
	p.mark(accepting)
	p.split(func(old, added int32) {})
	for b := range int32(len(p.first)) {
		push(b)
	}
	var from []int32
	for len(queue) > 0 {
		k := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		delete(queued, k)
		from = from[:0]
		c := int(k[1])
		for _, s := range p.members(k[0]) {
			i := c*n + int(s)
			from = append(from, pred[pos[i]:pos[i+1]]...)
		}
		p.mark(from)
		p.split(func(old, added int32) {
			for c := range t.k {
				o, a := [2]int32{old, int32(c)}, [2]int32{added, int32(c)}
				put := a
				if !queued[o] && len(p.members(old)) < len(p.members(added)) {
					put = o
				}
				if !queued[put] {
					queued[put] = true
					queue = append(queue, put)
				}
			}
		})
	}
	out := &table{class: t.class, k: t.k}
	for range p.first {
		out.add(false)
	}
	for s := range int32(n) {
		b := p.block[s]
		if s != dead {
			out.accept[b] = t.accept[s]
		}
		for c := range t.k {
			out.trans[int(b)*t.k+c] = p.block[at(s, c)]
		}
	}
	out.start = p.block[t.start]
	return out
}

// partition is a division of states into blocks that can be split.
type partition struct {
	elems   []int32 // the states, block by block
	where   []int32 // index of a state in elems
	block   []int32 // block of a state
	first   []int32 // of each block
	last    []int32 // one beyond
	marked  []int32 // how many at the front of each block are marked
	touched []int32
}

func newPartition(n int) *partition {
	p := &partition{elems: make([]int32, n), where: make([]int32, n), block: make([]int32, n),
		first: []int32{0}, last: []int32{int32(n)}, marked: []int32{0}}
	for i := range p.elems {
		p.elems[i], p.where[i] = int32(i), int32(i)
	}
	return p
}

func (p *partition) members(b int32) []int32 { return p.elems[p.first[b]:p.last[b]] }

func (p *partition) mark(states []int32) {
	for _, s := range states {
		b := p.block[s]
		i, j := p.where[s], p.first[b]+p.marked[b]
		if i < j {
			continue // marked before
		}
		if p.marked[b] == 0 {
			p.touched = append(p.touched, b)
		}
		o := p.elems[j]
		p.elems[i], p.elems[j] = o, s
		p.where[o], p.where[s] = i, j
		p.marked[b]++
	}
}

// split makes the marked part of each block a block of its own, where something else remains.
func (p *partition) split(done func(old, added int32)) {
	for _, b := range p.touched {
		m := p.marked[b]
		p.marked[b] = 0
		if p.first[b]+m == p.last[b] {
			continue
		}
		nb := int32(len(p.first))
		p.first = append(p.first, p.first[b])
		p.last = append(p.last, p.first[b]+m)
		p.marked = append(p.marked, 0)
		p.first[b] += m
		for _, s := range p.members(nb) {
			p.block[s] = nb
		}
		done(b, nb)
	}
	p.touched = p.touched[:0]
}
