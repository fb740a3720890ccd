package analysis

// rolling is a list whose front can be dropped; positions stay.
type rolling[T any] struct {
	base  int
	items []*T
}

func (r *rolling[T]) get(pos int, fresh func() *T) *T {
	if pos < r.base {
		return fresh() // a graph that refers to what is gone: it gets a node of no effect
	}
	for pos-r.base >= len(r.items) {
		r.items = append(r.items, fresh())
	}
	return r.items[pos-r.base]
}

func (r *rolling[T]) end() int { return r.base + len(r.items) - 1 }

func (r *rolling[T]) freeBefore(pos int) {
	if n := pos - r.base; n > 0 {
		n = min(n, len(r.items))
		r.items = append(r.items[:0], r.items[n:]...)
		r.base += n
	}
}

func (r *rolling[T]) reset() { r.base, r.items = 0, r.items[:0] }

type flatInput struct {
	tokens       []savedToken
	node         int
	maxTo, minTo int
	outputNode   int
	next         int
}

type flatOutput struct {
	inputs     []int
	node       int
	next       int
	start, end int
}

// flattenGraphFilter turns a token graph into one that an index can hold: every token starts where
// the one before it ends, and side paths are squeezed onto the main one.
type flattenGraphFilter struct {
	filter
	ins       rolling[flatInput]
	outs      rolling[flatOutput]
	inFrom    int
	outFrom   int
	lastOut   int
	lastStart int
	done      bool
	final     savedToken
}

const noNode = int(^uint(0) >> 1)

func (f *flattenGraphFilter) input(i int) *flatInput {
	return f.ins.get(i, func() *flatInput { return &flatInput{node: -1, maxTo: -1, minTo: noNode, outputNode: -1} })
}

func (f *flattenGraphFilter) output(i int) *flatOutput {
	return f.outs.get(i, func() *flatOutput { return &flatOutput{node: -1, start: -1, end: -1} })
}

func (f *flattenGraphFilter) Reset() {
	f.in.Reset()
	f.ins.reset()
	f.outs.reset()
	f.inFrom, f.outFrom, f.lastOut, f.lastStart, f.done = -1, 0, -1, 0, false
	in := f.input(0)
	in.node, in.outputNode = 0, 0
	out := f.output(0)
	out.node, out.start = 0, 0
	out.inputs = append(out.inputs, 0)
}

func (f *flattenGraphFilter) release() bool {
	for f.outFrom < f.outs.end() {
		out := f.output(f.outFrom)
		if len(out.inputs) == 0 {
			f.outFrom++
			continue
		}
		maxTo := -1
		for _, id := range out.inputs {
			maxTo = max(maxTo, f.input(id).maxTo)
		}
		if maxTo > f.inFrom && !f.done {
			return false
		}
		in := f.input(out.inputs[out.next])
		if len(in.tokens) == 0 {
			if len(out.inputs) > 1 {
				out.next++
				if out.next < len(out.inputs) {
					continue
				}
			}
			f.free(out)
			continue
		}
		t := f.t
		t.restore(&in.tokens[in.next])
		t.PosInc = f.outFrom - f.lastOut
		to := f.input(in.node + t.PosLen)
		t.PosLen = to.outputNode - f.outFrom
		f.lastOut = f.outFrom
		in.next++
		endNode := f.output(to.outputNode)
		t.Start = max(f.lastStart, out.start)
		t.End = max(t.Start, endNode.end)
		f.lastStart = t.Start
		if in.next == len(in.tokens) {
			out.next++
			if out.next == len(out.inputs) {
				f.free(out)
			}
		}
		return true
	}
	return false
}

func (f *flattenGraphFilter) free(out *flatOutput) {
	f.outFrom++
	before := noNode
	for _, id := range out.inputs {
		before = min(before, id)
	}
	f.ins.freeBefore(before)
	f.outs.freeBefore(f.outFrom)
}

func (f *flattenGraphFilter) Next() bool {
	for {
		if f.release() {
			return true
		}
		if f.done {
			return false
		}
		if !f.in.Next() {
			f.in.End()
			f.t.save(&f.final)
			f.done = true
			continue
		}
		t := f.t
		f.inFrom += t.PosInc
		to := f.inFrom + t.PosLen
		src := f.input(f.inFrom)
		if src.node == -1 {
			f.bridge(src, t.Start, t.PosInc)
		} else {
			out := f.output(src.outputNode)
			prev := f.inFrom - t.PosInc
			if t.PosInc > 1 && src.outputNode-f.input(prev).outputNode <= 1 && f.input(prev).minTo != f.inFrom {
				// A hole: the node was placed as if it followed directly.
				out.inputs = without(out.inputs, f.inFrom)
				src.outputNode = -1
				end := out.end
				out = f.bridge(src, t.Start, t.PosInc)
				out.end = end
			}
			if out.start == -1 || t.Start > out.start {
				out.start = max(t.Start, out.start)
			}
		}
		var saved savedToken
		t.save(&saved)
		src.tokens = append(src.tokens, saved)
		src.maxTo = max(src.maxTo, to)
		src.minTo = min(src.minTo, to)
		dest := f.input(to)
		if dest.node == -1 {
			dest.node = to
		}
		if end := src.outputNode + 1; end > dest.outputNode {
			if dest.outputNode != -1 {
				o := f.output(dest.outputNode)
				o.inputs = without(o.inputs, to)
			}
			o := f.output(end)
			o.inputs = append(o.inputs, to)
			dest.outputNode = end
		}
		if o := f.output(dest.outputNode); o.end == -1 || t.End < o.end {
			o.end = t.End
		}
	}
}

// bridge places an input node that no token led to.
func (f *flattenGraphFilter) bridge(src *flatInput, start, posInc int) *flatOutput {
	src.node = f.inFrom
	at := f.outs.end() + 1
	if prev := f.inFrom - posInc; prev >= 0 {
		if from := f.input(prev); from.minTo < f.inFrom {
			at = f.input(from.minTo).outputNode + 1
		} else {
			at = f.outs.end()
		}
	}
	out := f.output(at)
	src.outputNode = at
	if out.node == -1 {
		out.node = at
		out.start = start
	} else {
		out.start = max(start, out.start)
	}
	out.inputs = append(out.inputs, f.inFrom)
	return out
}

func without(list []int, x int) []int {
	for i, v := range list {
		if v == x {
			return append(list[:i], list[i+1:]...)
		}
	}
	return list
}

func (f *flattenGraphFilter) End() {
	if !f.done {
		f.in.End()
	}
	inc, end := f.final.PosInc, f.final.End
	f.t.clear()
	f.t.PosInc, f.t.Start, f.t.End = inc, end, end
}

// multiplexFilter puts every token through several chains of filters side by side.
type multiplexFilter struct {
	filter
	chains []multiplexChain
	saved  savedToken
	next   int
	active bool
}

type multiplexChain struct {
	src *singleToken
	top tokenStream
}

// singleToken is a stream of just one token, the one that its owner put into the shared Token.
type singleToken struct {
	t     *token
	ready bool
	end   int
}

func (s *singleToken) Next() bool {
	ok := s.ready
	s.ready = false
	return ok
}

func (s *singleToken) End() {
	s.t.clear()
	s.t.PosInc, s.t.Start, s.t.End = 0, s.end, s.end
}
func (s *singleToken) Reset()        {}
func (s *singleToken) Token() *token { return s.t }

func newMultiplexFilter(in tokenStream, chains [][]*tokenFilter) tokenStream {
	f := &multiplexFilter{filter: newFilter(in)}
	for _, chain := range chains {
		src := &singleToken{t: f.t}
		var top tokenStream = src
		for _, step := range chain {
			top = step.create(top)
		}
		f.chains = append(f.chains, multiplexChain{src: src, top: top})
	}
	return newRemoveDuplicates(f)
}

func (f *multiplexFilter) Reset() {
	f.next, f.active = 0, false
	f.in.Reset()
}

func (f *multiplexFilter) Next() bool {
	for {
		if f.active {
			// The current chain may hold more tokens.
			if f.chains[f.next-1].top.Next() {
				return true
			}
			f.active = false
		}
		if f.next == 0 || f.next == len(f.chains) {
			if !f.in.Next() {
				return false
			}
			f.t.save(&f.saved)
			f.next = 0
		}
		c := &f.chains[f.next]
		f.t.restore(&f.saved)
		if f.next > 0 {
			f.t.PosInc = 0
		}
		f.next++
		c.src.end = f.saved.End
		c.top.Reset()
		c.src.ready = true
		f.active = true
	}
}

// removeDuplicates drops terms that stood at the same position before.
type removeDuplicates struct {
	filter
	seen map[string]struct{}
}

func newRemoveDuplicates(in tokenStream) tokenStream {
	return &removeDuplicates{filter: newFilter(in), seen: map[string]struct{}{}}
}

func (f *removeDuplicates) Reset() {
	clear(f.seen)
	f.in.Reset()
}

func (f *removeDuplicates) Next() bool {
	for f.in.Next() {
		if f.t.PosInc > 0 {
			clear(f.seen)
		}
		if _, dup := f.seen[string(f.t.Term)]; dup && f.t.PosInc == 0 {
			continue
		}
		f.seen[string(f.t.Term)] = struct{}{}
		return true
	}
	return false
}
