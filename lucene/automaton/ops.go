package automaton

import "fmt"

// Complement accepts the strings of characters that d does not. limit is the determinize work limit (0: default).
func Complement(d *DFA, limit int) (*DFA, error) {
	n := NewNfa(limit)
	any, err := n.Determinize(n.AnyString())
	if err != nil {
		return nil, err
	}
	return product(any, d, limit, func(a, b bool) bool { return a && !b })
}

// Intersect accepts what both do.
func Intersect(a, b *DFA, limit int) (*DFA, error) {
	return product(a, b, limit, func(a, b bool) bool { return a && b })
}

// Union accepts what any of them does.
func Union(limit int, ds ...*DFA) (*DFA, error) {
	n := NewNfa(limit)
	fs := make([]Fragment, len(ds))
	for i, d := range ds {
		fs[i] = n.DFA(d)
	}
	return n.Determinize(n.Union(fs...))
}

// product runs both at once; a pair accepts as accept says. Where a cannot go on the pair is dead.
func product(a, b *DFA, limit int, accept func(a, b bool) bool) (*DFA, error) {
	budget := NewNfa(limit).work()
	t := byteTable()
	type pair struct{ a, b int32 }
	ids := map[pair]int32{}
	var queue []pair
	visit := func(p pair) int32 {
		if id, ok := ids[p]; ok {
			return id
		}
		id := t.add(accept(a.accept[p.a], p.b >= 0 && b.accept[p.b]))
		ids[p] = id
		queue = append(queue, p)
		return id
	}
	t.start = visit(pair{a.start, b.start})
	for i := 0; i < len(queue); i++ {
		if i > budget {
			return nil, fmt.Errorf("%w of %d", ErrTooComplex, budget/4)
		}
		p := queue[i]
		for c := range 256 {
			to := pair{a.Step(p.a, byte(c)), -1}
			if to.a < 0 {
				continue
			}
			if p.b >= 0 {
				to.b = b.Step(p.b, byte(c))
			}
			t.set(int32(i), uint8(c), visit(to))
		}
	}
	// Fewer classes make minimizing cheaper.
	return minimize(t.finish().table()).finish(), nil
}

func (d *DFA) table() *table {
	return &table{start: d.start, class: d.class, k: d.classes, trans: d.trans, accept: d.accept}
}
