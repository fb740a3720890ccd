package analysis

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// synonymMap is a trie over words: sequences of input words lead to sequences of output words.
type synonymMap struct {
	root   *synonymNode
	maxLen int // the longest input or output, in words
}

type synonymNode struct {
	children map[string]*synonymNode
	outputs  [][]string // nil: no rule ends here
	keep     bool       // the input itself stays
}

func newSynonymMap() *synonymMap { return &synonymMap{root: &synonymNode{}} }

func (m *synonymMap) add(input, output []string, keep bool) {
	n := m.root
	for _, w := range input {
		next := n.children[w]
		if next == nil {
			if n.children == nil {
				n.children = map[string]*synonymNode{}
			}
			next = &synonymNode{}
			n.children[w] = next
		}
		n = next
	}
	m.maxLen = max(m.maxLen, len(input), len(output))
	n.keep = n.keep || keep
	for _, have := range n.outputs {
		if strings.Join(have, "\x00") == strings.Join(output, "\x00") {
			return
		}
	}
	n.outputs = append(n.outputs, output)
}

// synonymParser reads rules; analyze turns one side of a rule into words.
type synonymParser struct {
	m       *synonymMap
	expand  bool
	lenient bool
	analyze func(string) ([]string, error)
}

// analyzeRule makes the function that a parser uses from the analyzer of what stands before the filter.
func analyzeRule(a *Analyzer) func(string) ([]string, error) {
	return func(text string) ([]string, error) {
		s := a.StreamString(text)
		defer s.Close()
		var words []string
		for s.next() {
			t := s.tok
			if len(t.Term) == 0 {
				return nil, fmt.Errorf("term: %s analyzed to a zero-length token", text)
			}
			if t.PosInc != 1 {
				return nil, fmt.Errorf("term: %s analyzed to a token (%s) with position increment != 1 (got: %d)", text, t.Term, t.PosInc)
			}
			words = append(words, string(t.Term))
		}
		if s.tok.err != nil {
			return nil, s.tok.err
		}
		if len(words) == 0 {
			return nil, fmt.Errorf("term: %s was completely eliminated by analyzer", text)
		}
		return words, nil
	}
}

// words analyzes each of the texts; a lenient parser leaves out those that fail.
func (p *synonymParser) words(texts []string) ([][]string, error) {
	var out [][]string
	for _, text := range texts {
		w, err := p.analyze(trimJava(unescapeSolr(text)))
		if err != nil {
			if p.lenient {
				continue
			}
			return nil, err
		}
		out = append(out, w)
	}
	return out, nil
}

// trimJava cuts everything up to and including the blank, as String.trim does.
func trimJava(s string) string { return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' }) }

// solr reads one line of Solr's format: "a, b => c" or "a, b, c".
func (p *synonymParser) solr(line string) error {
	if line == "" || line[0] == '#' {
		return nil
	}
	sides := splitSolr(line, "=>")
	if len(sides) > 1 {
		if len(sides) != 2 {
			return fmt.Errorf("more than one explicit mapping specified on the same line")
		}
		inputs, err := p.words(splitSolr(sides[0], ","))
		if err != nil {
			return err
		}
		outputs, err := p.words(splitSolr(sides[1], ","))
		if err != nil {
			return err
		}
		for _, in := range inputs {
			for _, out := range outputs {
				p.m.add(in, out, false)
			}
		}
		return nil
	}
	inputs, err := p.words(splitSolr(line, ","))
	if err != nil {
		return err
	}
	p.group(inputs)
	return nil
}

// group makes the members synonyms of each other or, without expand, of the first.
func (p *synonymParser) group(words [][]string) {
	for i, in := range words {
		if !p.expand {
			p.m.add(in, words[0], false)
			continue
		}
		for j, out := range words {
			if i != j {
				p.m.add(in, out, true)
			}
		}
	}
}

// splitSolr splits at the separator where no backslash stands before it; empty parts vanish.
func splitSolr(s, sep string) []string {
	var parts []string
	var b strings.Builder
	flush := func() {
		if b.Len() > 0 {
			parts = append(parts, b.String())
			b.Reset()
		}
	}
	for i := 0; i < len(s); {
		if strings.HasPrefix(s[i:], sep) {
			flush()
			i += len(sep)
			continue
		}
		if s[i] == '\\' {
			b.WriteByte('\\')
			if i++; i == len(s) {
				break
			}
		}
		_, w := utf8.DecodeRuneInString(s[i:])
		b.WriteString(s[i : i+w])
		i += w
	}
	flush()
	return parts
}

func unescapeSolr(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i < len(s)-1 {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// wordnet reads the prolog format of WordNet: s(100000001,1,'abstain',v,1,0).
func (p *synonymParser) wordnet(lines []string) (line int, err error) {
	var synset []string
	last := ""
	flush := func() error {
		if len(synset) > 1 {
			var words [][]string
			for _, text := range synset {
				w, err := p.analyze(text)
				if err != nil {
					if p.lenient {
						continue
					}
					return err
				}
				words = append(words, w)
			}
			p.group(words)
		}
		synset = synset[:0]
		return nil
	}
	for i, l := range lines {
		if len(l) < 11 {
			return i + 1, fmt.Errorf("line [%s] is too short for a WordNet rule", l)
		}
		start, end := strings.IndexByte(l, '\'')+1, strings.LastIndexByte(l, '\'')
		if start > end {
			return i + 1, fmt.Errorf("line [%s] has no quoted word", l)
		}
		if l[2:11] != last {
			if err := flush(); err != nil {
				return i + 1, err
			}
		}
		last = l[2:11]
		synset = append(synset, strings.ReplaceAll(l[start:end], "''", "'"))
	}
	return len(lines), flush()
}

// synonymGraphFilter puts out synonyms as a graph of correct position lengths.
type synonymGraphFilter struct {
	filter
	m        *synonymMap
	ahead    []savedToken // tokens read but not put out, from index head
	head     int
	finished bool
	lastOut  int
	nextOut  int
	out      []synonymOutput
	outHead  int
	start    int
	end      int
}

type synonymOutput struct {
	input    *savedToken // nil for a synonym
	term     string
	from, to int
}

func newSynonymGraphFilter(in tokenStream, m *synonymMap) tokenStream {
	return &synonymGraphFilter{filter: newFilter(in), m: m}
}

func (f *synonymGraphFilter) Reset() {
	f.in.Reset()
	f.ahead, f.head = f.ahead[:0], 0
	f.finished = false
	f.lastOut, f.nextOut = -1, 0
	f.out, f.outHead = f.out[:0], 0
}

// drop forgets n tokens that were read ahead.
func (f *synonymGraphFilter) drop(n int) {
	f.head += n
	if f.head == len(f.ahead) {
		f.ahead, f.head = f.ahead[:0], 0
	} else if f.head > 64 {
		f.ahead = append(f.ahead[:0], f.ahead[f.head:]...)
		f.head = 0
	}
}

func (f *synonymGraphFilter) Next() bool {
	if f.outHead < len(f.out) {
		f.release()
		return true
	}
	f.out, f.outHead = f.out[:0], 0
	if f.head == len(f.ahead) {
		if f.finished {
			return false
		}
		if !f.in.Next() {
			f.finished = true
			return false
		}
		if f.m.root.children[string(f.t.Term)] == nil {
			f.advance()
			return true
		}
		f.push()
	}
	if n, node := f.match(); node != nil {
		f.buffer(n, node)
		f.release()
		return true
	}
	f.t.restore(&f.ahead[f.head])
	f.drop(1)
	f.advance()
	return true
}

func (f *synonymGraphFilter) advance() {
	f.lastOut += f.t.PosInc
	f.nextOut = f.lastOut + f.t.PosLen
}

func (f *synonymGraphFilter) push() {
	if len(f.ahead) < cap(f.ahead) {
		f.ahead = f.ahead[:len(f.ahead)+1]
	} else {
		f.ahead = append(f.ahead, savedToken{})
	}
	f.t.save(&f.ahead[len(f.ahead)-1])
}

// match finds the longest rule that starts at the first token read ahead.
func (f *synonymGraphFilter) match() (n int, found *synonymNode) {
	node := f.m.root
	for i := f.head; ; i++ {
		if i == len(f.ahead) {
			if f.finished || !f.in.Next() {
				f.finished = true
				return n, found
			}
			f.push()
		}
		tok := &f.ahead[i]
		node = node.children[string(tok.Term)]
		if node == nil {
			return n, found
		}
		if node.outputs != nil {
			n, found = i-f.head+1, node
			f.start, f.end = f.ahead[f.head].Start, tok.End
		}
		if node.children == nil {
			return n, found
		}
	}
}

// buffer lays the outputs of a rule beside the n tokens that it matched.
func (f *synonymGraphFilter) buffer(n int, node *synonymNode) {
	inner := 0
	if node.keep {
		inner = n - 1
	}
	for _, path := range node.outputs {
		inner += len(path) - 1
	}
	start := f.nextOut
	end := start + inner + 1
	fresh := 0
	branch := func(length int) int {
		if length == 1 {
			return end
		}
		to := start + fresh + 1
		fresh += length - 1
		return to
	}
	for _, path := range node.outputs {
		f.out = append(f.out, synonymOutput{term: path[0], from: start, to: branch(len(path))})
	}
	// The tokens are copied: reading ahead may move the queue before they are put out.
	inputs := make([]savedToken, 0, n)
	if node.keep {
		for i := 0; i < n; i++ {
			var c savedToken
			f.ahead[f.head+i].token.save(&c)
			inputs = append(inputs, c)
		}
		f.out = append(f.out, synonymOutput{input: &inputs[0], from: start, to: branch(n)})
	}
	f.nextOut = end
	chain := func(first, length int, item func(i int) synonymOutput) {
		last := f.out[first].to
		for i := 1; i < length; i++ {
			o := item(i)
			o.from, o.to = last, last+1
			if i == length-1 {
				o.to = end
			}
			last++
			f.out = append(f.out, o)
		}
	}
	for i, path := range node.outputs {
		chain(i, len(path), func(j int) synonymOutput { return synonymOutput{term: path[j]} })
	}
	if node.keep {
		chain(len(node.outputs), n, func(j int) synonymOutput { return synonymOutput{input: &inputs[j]} })
	}
	f.drop(n)
}

func (f *synonymGraphFilter) release() {
	o := &f.out[f.outHead]
	f.outHead++
	t := f.t
	if o.input != nil {
		t.restore(o.input)
	} else {
		t.clear()
		t.setString(o.term)
		t.Start, t.End = f.start, f.end
		t.Type = "SYNONYM"
	}
	t.PosInc = o.from - f.lastOut
	f.lastOut = o.from
	t.PosLen = o.to - o.from
}

// synonymFilter is the older filter, which lays the words of multi-word synonyms over the following
// positions instead of making a graph.
type synonymFilter struct {
	filter
	m         *synonymMap
	ring      []synonymSlot
	read      int
	write     int
	skip      int
	finished  bool
	lastStart int
	lastEnd   int
}

// synonymSlot is one position: an input token and the synonyms that belong there.
type synonymSlot struct {
	saved         savedToken
	hasSaved      bool
	term          []byte
	keep, matched bool
	consumed      bool
	start, end    int
	outputs       []slotOutput
	upto          int
	posInc        int
}

type slotOutput struct {
	term   string
	end    int // -1: that of the token at this position
	posLen int
}

func newSynonymFilter(in tokenStream, m *synonymMap) tokenStream {
	return &synonymFilter{filter: newFilter(in), m: m, ring: make([]synonymSlot, m.maxLen+1)}
}

func (s *synonymSlot) resetInput() {
	s.hasSaved, s.consumed, s.keep, s.matched = false, true, false, false
}

func (s *synonymSlot) resetOutputs() { s.outputs, s.upto, s.posInc = s.outputs[:0], 0, 1 }

func (s *synonymSlot) pull() slotOutput {
	o := s.outputs[s.upto]
	s.upto++
	s.posInc = 0
	if s.upto == len(s.outputs) {
		s.resetOutputs()
	}
	return o
}

func (f *synonymFilter) Reset() {
	f.in.Reset()
	f.finished = false
	f.skip, f.read, f.write = 0, 0, 0
	for i := range f.ring {
		f.ring[i].resetInput()
		f.ring[i].resetOutputs()
	}
}

func (f *synonymFilter) after(i int) int {
	if i++; i == len(f.ring) {
		return 0
	}
	return i
}

func (f *synonymFilter) capture() {
	s := &f.ring[f.write]
	f.t.save(&s.saved)
	s.hasSaved = true
	s.consumed = false
	s.term = append(s.term[:0], f.t.Term...)
	f.write = f.after(f.write)
}

func (f *synonymFilter) parse() {
	node := f.m.root
	var found *synonymNode
	n, foundEnd, count := 0, -1, 0
	for cur := f.read; ; cur = f.after(cur) {
		var term []byte
		var end int
		if cur == f.write {
			if f.finished || !f.in.Next() {
				f.finished = true
				break
			}
			s := &f.ring[f.write]
			s.start, s.end = f.t.Start, f.t.End
			f.lastStart, f.lastEnd = s.start, s.end
			term, end = f.t.Term, s.end
			if f.read != f.write {
				f.capture()
			} else {
				s.consumed = false
			}
		} else {
			term, end = f.ring[cur].term, f.ring[cur].end
		}
		count++
		if node = node.children[string(term)]; node == nil {
			break
		}
		if node.outputs != nil {
			found, n, foundEnd = node, count, end
		}
		if node.children == nil {
			break
		}
		if f.read == f.write {
			f.capture()
		}
	}
	if f.read == f.write && !f.finished {
		f.write = f.after(f.write)
	}
	if found != nil {
		f.skip = n
		f.add(found, n, foundEnd)
	} else if f.read != f.write {
		f.skip = 1
	}
}

func (f *synonymFilter) add(node *synonymNode, n, end int) {
	for _, words := range node.outputs {
		at := f.read
		for _, w := range words {
			o := slotOutput{term: w, end: -1, posLen: 1}
			if len(words) == 1 {
				o.end = end
				if node.keep {
					o.posLen = n
				}
			}
			f.ring[at].outputs = append(f.ring[at].outputs, o)
			at = f.after(at)
		}
	}
	at := f.read
	for i := 0; i < n; i++ {
		f.ring[at].keep = f.ring[at].keep || node.keep
		f.ring[at].matched = true
		at = f.after(at)
	}
}

func (f *synonymFilter) Next() bool {
	t := f.t
	for {
		for f.skip != 0 {
			s := &f.ring[f.read]
			switch {
			case !s.consumed && (s.keep || !s.matched):
				if s.hasSaved {
					t.restore(&s.saved)
				}
				s.resetInput()
				if len(s.outputs) > 0 {
					s.posInc = 0
				} else {
					f.read = f.after(f.read)
					f.skip--
				}
				return true
			case s.upto < len(s.outputs):
				s.resetInput()
				inc := s.posInc
				o := s.pull()
				t.clear()
				t.setString(o.term)
				t.Type = "SYNONYM"
				t.Start, t.End = s.start, o.end
				if o.end == -1 {
					t.End = s.end
				}
				t.PosInc, t.PosLen = inc, o.posLen
				if len(s.outputs) == 0 {
					f.read = f.after(f.read)
					f.skip--
				}
				return true
			default:
				s.resetInput()
				f.read = f.after(f.read)
				f.skip--
			}
		}
		if f.finished && f.read == f.write {
			s := &f.ring[f.read]
			if s.upto >= len(s.outputs) {
				return false
			}
			inc := s.posInc
			o := s.pull()
			s.resetInput()
			if len(s.outputs) == 0 {
				f.read = f.after(f.read)
				f.write = f.read
			}
			t.clear()
			t.Start, t.End = f.lastStart, f.lastEnd
			t.setString(o.term)
			t.Type = "SYNONYM"
			t.PosInc = inc
			return true
		}
		f.parse()
	}
}
