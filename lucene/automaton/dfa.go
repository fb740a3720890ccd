package automaton

import (
	"math/bits"

	"github.com/varve-search/varve/lucene"
)

// DFA is a deterministic automaton over bytes. Every state is reachable and leads to an accepting one.
// It is immutable.
type DFA struct {
	n       int32
	start   int32
	class   [256]uint8 // bytes that no state tells apart share a class
	classes int
	trans   []int32 // state*classes+class, -1 for none
	accept  []bool
	all     []bool
	out     [][4]uint64 // bytes with a transition
}

var _ lucene.Automaton = (*DFA)(nil)

// Start implements lucene.Automaton; it is 0 also where nothing is accepted, and then leads nowhere.
func (d *DFA) Start() int32 { return d.start }

// Step implements lucene.Automaton.
func (d *DFA) Step(state int32, b byte) int32 {
	return d.trans[int(state)*d.classes+int(d.class[b])]
}

// Accepts implements lucene.Automaton.
func (d *DFA) Accepts(state int32) bool { return d.accept[state] }

// NumStates implements lucene.Automaton.
func (d *DFA) NumStates() int32 { return d.n }

// All implements lucene.Automaton: every continuation that is UTF-8 is accepted.
func (d *DFA) All(state int32) bool { return d.all[state] }

// NextByte implements lucene.Automaton.
func (d *DFA) NextByte(state int32, from int) int {
	if from > 255 {
		return -1
	}
	from = max(from, 0)
	o := &d.out[state]
	w := from >> 6
	if x := o[w] >> (uint(from) & 63); x != 0 {
		return from + bits.TrailingZeros64(x)
	}
	for w++; w < 4; w++ {
		if o[w] != 0 {
			return w<<6 + bits.TrailingZeros64(o[w])
		}
	}
	return -1
}

// Match tells whether the automaton accepts term.
func (d *DFA) Match(term []byte) bool {
	s := d.start
	for _, b := range term {
		if s = d.Step(s, b); s < 0 {
			return false
		}
	}
	return d.accept[s]
}

// IsEmpty tells whether nothing is accepted.
func (d *DFA) IsEmpty() bool { return d.n == 1 && !d.accept[0] && d.NextByte(0, 0) < 0 }

// table is a DFA while it is made: a full transition table, -1 for none, with possibly dead states.
type table struct {
	start  int32
	class  [256]uint8
	k      int
	trans  []int32
	accept []bool
}

func (t *table) add(accept bool) int32 {
	s := int32(len(t.accept))
	t.accept = append(t.accept, accept)
	for range t.k {
		t.trans = append(t.trans, -1)
	}
	return s
}

func (t *table) set(from int32, c uint8, to int32) { t.trans[int(from)*t.k+int(c)] = to }

// byteTable returns a table in which every byte is its own class.
func byteTable() *table {
	t := &table{k: 256}
	for i := range t.class {
		t.class[i] = uint8(i)
	}
	return t
}

// utf8Table returns a table in which bytes that play one part in UTF-8 share a class, but for those of special.
func utf8Table(special []byte) *table {
	var bound [257]bool
	for _, b := range []int{0x80, 0xc0, 0xe0, 0xf0, 0xf8} {
		bound[b] = true
	}
	for _, b := range special {
		bound[b], bound[int(b)+1] = true, true
	}
	t := &table{}
	c := 0
	for b := range 256 {
		if b > 0 && bound[b] {
			c++
		}
		t.class[b] = uint8(c)
	}
	t.k = c + 1
	return t
}

func (t *table) setRange(from int32, lo, hi int, to int32) {
	for b := lo; b <= hi; b++ {
		t.set(from, t.class[b], to)
	}
}

// finish drops unreachable and dead states and computes what a DFA knows of its states.
func (t *table) finish() *DFA {
	live := t.live()
	number := make([]int32, len(t.accept))
	for i := range number {
		number[i] = -1
	}
	d := &DFA{class: t.class, classes: t.k}
	var queue []int32
	visit := func(s int32) int32 {
		if s < 0 || !live[s] {
			return -1
		}
		if number[s] < 0 {
			number[s] = int32(len(queue))
			queue = append(queue, s)
		}
		return number[s]
	}
	if visit(t.start) < 0 { // nothing is accepted: one state that leads nowhere
		queue = append(queue, t.start)
		number[t.start] = 0
	}
	for i := 0; i < len(queue); i++ {
		s := queue[i]
		d.accept = append(d.accept, t.accept[s])
		for c := range t.k {
			d.trans = append(d.trans, visit(t.trans[int(s)*t.k+c]))
		}
	}
	d.n = int32(len(queue))
	d.shrinkClasses()
	var masks [256][4]uint64 // by class
	for b, c := range d.class {
		masks[c][b>>6] |= 1 << (uint(b) & 63)
	}
	d.out = make([][4]uint64, d.n)
	for s := range d.n {
		for c := range d.classes {
			if d.trans[int(s)*d.classes+c] >= 0 {
				for w := range masks[c] {
					d.out[s][w] |= masks[c][w]
				}
			}
		}
	}
	d.findAll()
	return d
}

// live finds the states from which an accepting one can be reached.
func (t *table) live() []bool {
	n := len(t.accept)
	// predecessor lists in one array
	count := make([]int32, n+1)
	for _, to := range t.trans {
		if to >= 0 {
			count[to+1]++
		}
	}
	for i := range n {
		count[i+1] += count[i]
	}
	pred := make([]int32, count[n])
	fill := append([]int32(nil), count[:n]...)
	for i, to := range t.trans {
		if to >= 0 {
			pred[fill[to]] = int32(i / t.k)
			fill[to]++
		}
	}
	live := make([]bool, n)
	var stack []int32
	for s, a := range t.accept {
		if a {
			live[s] = true
			stack = append(stack, int32(s))
		}
	}
	for len(stack) > 0 {
		s := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for _, p := range pred[count[s]:count[s+1]] {
			if !live[p] {
				live[p] = true
				stack = append(stack, p)
			}
		}
	}
	return live
}

// shrinkClasses merges the byte classes that no state tells apart.
func (d *DFA) shrinkClasses() {
	seen := map[string]uint8{}
	remap := make([]uint8, d.classes)
	var keep []int
	col := make([]byte, 0, 4*d.n)
	for c := range d.classes {
		col = col[:0]
		for s := range d.n {
			v := d.trans[int(s)*d.classes+c]
			col = append(col, byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
		}
		id, ok := seen[string(col)]
		if !ok {
			id = uint8(len(keep))
			seen[string(col)] = id
			keep = append(keep, c)
		}
		remap[c] = id
	}
	trans := make([]int32, 0, int(d.n)*len(keep))
	for s := range d.n {
		for _, c := range keep {
			trans = append(trans, d.trans[int(s)*d.classes+c])
		}
	}
	for b := range d.class {
		d.class[b] = remap[d.class[b]]
	}
	d.trans, d.classes = trans, len(keep)
}

// findAll finds the states below which everything is accepted: the greatest set such that each member accepts, and
// every character leads to a member. in[k] are the candidates with k continuation bytes to come.
func (d *DFA) findAll() {
	var in [4][]bool
	for k := range in {
		in[k] = make([]bool, d.n)
		for s := range d.n {
			in[k][s] = k > 0 || d.accept[s]
		}
	}
	leads := func(s int32, lo, hi, k int) bool {
		for b := lo; b <= hi; b++ {
			if to := d.Step(s, byte(b)); to < 0 || !in[k][to] {
				return false
			}
		}
		return true
	}
	for changed := true; changed; {
		changed = false
		for s := range d.n {
			for k := 3; k >= 0; k-- {
				if !in[k][s] {
					continue
				}
				var ok bool
				if k > 0 {
					ok = leads(s, 0x80, 0xbf, k-1)
				} else {
					// F8 and above, and a few lower bytes, never lead a character.
					ok = leads(s, 0, 0x7f, 0) && leads(s, 0xc2, 0xdf, 1) && leads(s, 0xe1, 0xec, 2) && leads(s, 0xee, 0xef, 2) && leads(s, 0xf1, 0xf3, 3)
				}
				if !ok {
					in[k][s] = false
					changed = true
				}
			}
		}
	}
	d.all = in[0]
}
