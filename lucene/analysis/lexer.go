package analysis

import "fmt"

// A lexer finds the longest match of several rules at a position, the first rule winning a tie. Rules
// are regular expressions over classes of characters (at most 64), compiled into one automaton.
type lexer struct {
	classes int
	next    []int16 // state*classes + class → state, or -1
	accept  []int8  // state → rule, or -1
}

type classSet uint64

func set(classes ...int) classSet {
	var s classSet
	for _, c := range classes {
		s |= 1 << c
	}
	return s
}

type exprKind uint8

const (
	exprClass exprKind = iota
	exprSeq
	exprAlt
	exprStar
)

type expr struct {
	kind exprKind
	set  classSet
	subs []*expr
}

func one(s classSet) *expr       { return &expr{kind: exprClass, set: s} }
func seq(subs ...*expr) *expr    { return &expr{kind: exprSeq, subs: subs} }
func alt(subs ...*expr) *expr    { return &expr{kind: exprAlt, subs: subs} }
func star(e *expr) *expr         { return &expr{kind: exprStar, subs: []*expr{e}} }
func plus(e *expr) *expr         { return seq(e, star(e)) }
func optional(e *expr) *expr     { return alt(seq(), e) }
func times(e *expr, n int) *expr { return repeat(e, n, n) }

func repeat(e *expr, lo, hi int) *expr {
	s := seq()
	for i := 0; i < hi; i++ {
		if i < lo {
			s.subs = append(s.subs, e)
		} else {
			s.subs = append(s.subs, optional(e))
		}
	}
	return s
}

type nfaState struct {
	set  classSet
	to   int   // target of set, -1 without
	eps  []int // empty moves
	rule int   // accepting rule, -1 without
}

type nfa struct{ states []nfaState }

func (n *nfa) add() int {
	n.states = append(n.states, nfaState{to: -1, rule: -1})
	return len(n.states) - 1
}

// build adds e between a fresh start and end state.
func (n *nfa) build(e *expr) (start, end int) {
	start = n.add()
	switch e.kind {
	case exprClass:
		end = n.add()
		n.states[start].set, n.states[start].to = e.set, end
	case exprSeq:
		end = start
		for _, sub := range e.subs {
			s, t := n.build(sub)
			n.states[end].eps = append(n.states[end].eps, s)
			end = t
		}
	case exprAlt:
		end = n.add()
		for _, sub := range e.subs {
			s, t := n.build(sub)
			n.states[start].eps = append(n.states[start].eps, s)
			n.states[t].eps = append(n.states[t].eps, end)
		}
	case exprStar:
		end = n.add()
		s, t := n.build(e.subs[0])
		n.states[start].eps = append(n.states[start].eps, s, end)
		n.states[t].eps = append(n.states[t].eps, s, end)
	}
	return start, end
}

// newLexer compiles the rules. Every rule must match at least one character.
func newLexer(classes int, rules ...*expr) *lexer {
	n := &nfa{}
	root := n.add()
	for i, r := range rules {
		s, t := n.build(r)
		n.states[root].eps = append(n.states[root].eps, s)
		n.states[t].rule = i
	}
	l := &lexer{classes: classes}
	mark := make([]int, len(n.states))
	gen := 0
	closure := func(in []int) []int {
		gen++
		out := in[:0:0]
		var visit func(int)
		visit = func(s int) {
			if mark[s] == gen {
				return
			}
			mark[s] = gen
			if n.states[s].to >= 0 || n.states[s].rule >= 0 {
				out = append(out, s)
			}
			for _, t := range n.states[s].eps {
				visit(t)
			}
		}
		for _, s := range in {
			visit(s)
		}
		sortInts(out)
		return out
	}
	ids := map[string]int{}
	var queue [][]int
	intern := func(states []int) int {
		key := fmt.Sprint(states)
		if id, ok := ids[key]; ok {
			return id
		}
		id := len(queue)
		ids[key] = id
		queue = append(queue, states)
		rule := int8(-1)
		for _, s := range states {
			if r := n.states[s].rule; r >= 0 && (rule < 0 || int8(r) < rule) {
				rule = int8(r)
			}
		}
		l.accept = append(l.accept, rule)
		return id
	}
	intern(closure([]int{root}))
	for id := 0; id < len(queue); id++ {
		for c := 0; c < classes; c++ {
			var to []int
			for _, s := range queue[id] {
				if n.states[s].to >= 0 && n.states[s].set&(1<<c) != 0 {
					to = append(to, n.states[s].to)
				}
			}
			next := int16(-1)
			if len(to) > 0 {
				next = int16(intern(closure(to)))
			}
			l.next = append(l.next, next)
		}
	}
	return l
}

func sortInts(a []int) {
	for i := 1; i < len(a); i++ {
		for j := i; j > 0 && a[j] < a[j-1]; j-- {
			a[j], a[j-1] = a[j-1], a[j]
		}
	}
}
