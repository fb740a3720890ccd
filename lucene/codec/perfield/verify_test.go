package perfield_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/automaton"
)

// readField reads a field by plain iteration.
func readField(info *lucene.FieldInfo, terms lucene.Terms) (*memField, error) {
	f := &memField{info: info}
	te, err := terms.Iterator()
	if err != nil {
		return nil, err
	}
	var pe lucene.PostingsEnum
	for {
		term, err := te.Next()
		if err != nil {
			return nil, err
		}
		if term == nil {
			return f, nil
		}
		if pe, err = te.Postings(pe, lucene.PostingsAll); err != nil {
			return nil, err
		}
		mt := memTerm{term: bytes.Clone(term)}
		for {
			doc, err := pe.Next()
			if err != nil {
				return nil, err
			}
			if doc == lucene.NoMoreDocs {
				break
			}
			d := memDoc{doc: doc}
			if d.freq, err = pe.Freq(); err != nil {
				return nil, err
			}
			if f.has(lucene.IndexDocsFreqsPositions) {
				for range d.freq {
					p, err := pe.NextPosition()
					if err != nil {
						return nil, err
					}
					d.pos = append(d.pos, memPos{p, pe.StartOffset(), pe.EndOffset(), bytes.Clone(pe.Payload())})
				}
			}
			mt.docs = append(mt.docs, d)
		}
		f.terms = append(f.terms, mt)
	}
}

// verifier checks every way of reading a field against the plain values.
type verifier struct {
	t     testing.TB
	rnd   *rand.Rand
	f     *memField
	terms lucene.Terms
	pe    lucene.PostingsEnum
}

func (v *verifier) fatalf(format string, args ...any) {
	v.t.Helper()
	v.t.Fatalf("field %s: %s", v.f.info.Name, fmt.Sprintf(format, args...))
}

func (v *verifier) must(err error) {
	v.t.Helper()
	if err != nil {
		v.fatalf("%v", err)
	}
}

func (v *verifier) iterator() lucene.TermsEnum {
	te, err := v.terms.Iterator()
	v.must(err)
	return te
}

// all checks everything, with a number of samples of each kind.
func (v *verifier) all(samples int) {
	v.t.Helper()
	v.statistics()
	te := v.iterator()
	for range samples {
		v.seeks(te)
	}
	for range samples / 4 {
		v.automaton()
	}
	// The longest postings, and some others.
	order := make([]int, len(v.f.terms))
	for i := range order {
		order[i] = i
	}
	sort.Slice(order, func(i, j int) bool { return len(v.f.terms[order[i]].docs) > len(v.f.terms[order[j]].docs) })
	for k := range min(samples, len(order)) {
		i := order[k]
		if k > 10 {
			i = v.rnd.IntN(len(order))
		}
		ok, err := te.SeekExact(v.f.terms[i].term)
		v.must(err)
		if !ok {
			v.fatalf("term %x is not found", v.f.terms[i].term)
		}
		for range 3 {
			v.walk(te, &v.f.terms[i])
		}
		v.impacts(te, &v.f.terms[i])
	}
}

func (v *verifier) statistics() {
	v.t.Helper()
	ttf, df, docs := v.f.stats()
	if v.terms.Size() != int64(len(v.f.terms)) || v.terms.SumTotalTermFreq() != ttf || v.terms.SumDocFreq() != df || v.terms.DocCount() != docs {
		v.fatalf("statistics %d %d %d %d, want %d %d %d %d", v.terms.Size(), v.terms.SumTotalTermFreq(), v.terms.SumDocFreq(), v.terms.DocCount(), len(v.f.terms), ttf, df, docs)
	}
	lo, _ := v.terms.Min()
	hi, _ := v.terms.Max()
	if !bytes.Equal(lo, v.f.terms[0].term) || !bytes.Equal(hi, v.f.terms[len(v.f.terms)-1].term) {
		v.fatalf("min and max are %x and %x", lo, hi)
	}
}

// randomKey is a term, or near to one.
func (v *verifier) randomKey() []byte {
	k := bytes.Clone(v.f.terms[v.rnd.IntN(len(v.f.terms))].term)
	switch v.rnd.IntN(6) {
	case 0:
		k = append(k, byte(v.rnd.IntN(256)))
	case 1:
		k = k[:v.rnd.IntN(len(k)+1)]
	case 2:
		if len(k) > 0 {
			k[v.rnd.IntN(len(k))] += byte(v.rnd.IntN(3)) - 1
		}
	case 3:
		if v.rnd.IntN(4) == 0 {
			k = bytes.Repeat([]byte{0xff}, v.rnd.IntN(10))
		}
	}
	return k
}

func (v *verifier) find(k []byte) (int, bool) {
	return slices.BinarySearchFunc(v.f.terms, k, func(t memTerm, k []byte) int { return bytes.Compare(t.term, k) })
}

// standsOn checks that te stands on term number i, and sometimes how it goes on.
func (v *verifier) standsOn(te lucene.TermsEnum, i int) {
	v.t.Helper()
	for {
		want := &v.f.terms[i]
		if !bytes.Equal(te.Term(), want.term) {
			v.fatalf("on term %x instead of %x", te.Term(), want.term)
		}
		df, err := te.DocFreq()
		v.must(err)
		if int(df) != len(want.docs) {
			v.fatalf("term %x is in %d documents, want %d", want.term, df, len(want.docs))
		}
		switch v.rnd.IntN(4) {
		case 0:
			v.walk(te, want)
		case 1:
			s, err := te.State()
			v.must(err)
			other := v.iterator()
			v.must(other.SeekState(want.term, s))
			v.walk(other, want)
			if v.rnd.IntN(2) == 0 {
				next, err := other.Next()
				v.must(err)
				if i+1 < len(v.f.terms) && !bytes.Equal(next, v.f.terms[i+1].term) || i+1 == len(v.f.terms) && next != nil {
					v.fatalf("%x follows %x, after SeekState", next, want.term)
				}
			}
		}
		if v.rnd.IntN(3) == 0 {
			return
		}
		next, err := te.Next()
		v.must(err)
		if i++; i == len(v.f.terms) {
			if next != nil {
				v.fatalf("%x follows the last term", next)
			}
			return
		}
		if !bytes.Equal(next, v.f.terms[i].term) {
			v.fatalf("%x follows %x, want %x", next, v.f.terms[i-1].term, v.f.terms[i].term)
		}
	}
}

func (v *verifier) seeks(te lucene.TermsEnum) {
	v.t.Helper()
	k := v.randomKey()
	i, found := v.find(k)
	if v.rnd.IntN(2) == 0 {
		ok, err := te.SeekExact(k)
		v.must(err)
		if ok != found {
			v.fatalf("SeekExact(%x) is %v", k, ok)
		}
		if ok {
			v.standsOn(te, i)
		}
		return
	}
	status, err := te.SeekCeil(k)
	v.must(err)
	want := lucene.SeekNotFound
	if found {
		want = lucene.SeekFound
	} else if i == len(v.f.terms) {
		want = lucene.SeekEnd
	}
	if status != want {
		v.fatalf("SeekCeil(%x) is %d, want %d", k, status, want)
	}
	if status != lucene.SeekEnd {
		v.standsOn(te, i)
	}
}

// walk mixes Next and Advance, and reads some of the positions.
func (v *verifier) walk(te lucene.TermsEnum, want *memTerm) {
	v.t.Helper()
	flags := []int{lucene.PostingsNone, lucene.PostingsFreqs, lucene.PostingsPositions, lucene.PostingsOffsets, lucene.PostingsPayloads, lucene.PostingsAll}[v.rnd.IntN(6)]
	reuse := v.pe
	if v.rnd.IntN(3) == 0 {
		reuse = nil
	}
	pe, err := te.Postings(reuse, flags)
	v.must(err)
	v.pe = pe
	if pe.DocID() != -1 || pe.Cost() < int64(len(want.docs)) {
		v.fatalf("postings start at %d with a cost of %d", pe.DocID(), pe.Cost())
	}
	stride := 1 + v.rnd.IntN(1<<v.rnd.IntN(14))
	for i := 0; ; i++ {
		var doc int32
		if v.rnd.IntN(3) > 0 {
			doc, err = pe.Next()
		} else {
			target := max(0, pe.DocID()+1+v.rnd.Int32N(int32(stride)))
			for i < len(want.docs) && want.docs[i].doc < target {
				i++
			}
			doc, err = pe.Advance(target)
		}
		v.must(err)
		if doc != pe.DocID() {
			v.fatalf("at %d, after a move to %d", pe.DocID(), doc)
		}
		if i >= len(want.docs) {
			if doc != lucene.NoMoreDocs {
				v.fatalf("term %x: document %d follows the last", want.term, doc)
			}
			if doc, err = pe.Next(); err != nil || doc != lucene.NoMoreDocs {
				v.fatalf("term %x: %d, %v follow the end", want.term, doc, err)
			}
			return
		}
		d := &want.docs[i]
		if doc != d.doc {
			v.fatalf("term %x: document %d, want %d", want.term, doc, d.doc)
		}
		if flags&lucene.PostingsFreqs != 0 && v.rnd.IntN(2) == 0 {
			f, err := pe.Freq()
			v.must(err)
			if f != d.freq {
				v.fatalf("term %x: frequency %d in %d, want %d", want.term, f, doc, d.freq)
			}
		}
		v.positions(pe, d, flags)
	}
}

func (v *verifier) positions(pe lucene.PostingsEnum, d *memDoc, flags int) {
	v.t.Helper()
	if flags&lucene.PostingsPositions != lucene.PostingsPositions || v.rnd.IntN(2) == 0 {
		return
	}
	if !v.f.has(lucene.IndexDocsFreqsPositions) {
		if p, err := pe.NextPosition(); p != -1 || err != nil {
			v.fatalf("position %d, %v of a field without", p, err)
		}
		return
	}
	n := len(d.pos)
	if v.rnd.IntN(2) == 0 {
		n = v.rnd.IntN(n + 1)
	}
	for _, want := range d.pos[:n] {
		p, err := pe.NextPosition()
		v.must(err)
		if p != want.pos {
			v.fatalf("position %d in %d, want %d", p, d.doc, want.pos)
		}
		if flags&lucene.PostingsOffsets == lucene.PostingsOffsets && (pe.StartOffset() != want.start || pe.EndOffset() != want.end) {
			v.fatalf("offsets %d to %d in %d, want %d to %d", pe.StartOffset(), pe.EndOffset(), d.doc, want.start, want.end)
		}
		if flags&lucene.PostingsPayloads == lucene.PostingsPayloads && !bytes.Equal(pe.Payload(), want.payload) {
			v.fatalf("payload %x in %d, want %x", pe.Payload(), d.doc, want.payload)
		}
	}
}

// impacts checks that the impacts bound what they cover, while the documents are walked over.
func (v *verifier) impacts(te lucene.TermsEnum, want *memTerm) {
	v.t.Helper()
	flags := []int{lucene.PostingsFreqs, lucene.PostingsPositions, lucene.PostingsAll}[v.rnd.IntN(3)]
	ie, err := te.Impacts(flags)
	v.must(err)
	i := 0
	for i < len(want.docs) {
		target := want.docs[i].doc
		if v.rnd.IntN(2) == 0 {
			target += v.rnd.Int32N(1 << v.rnd.IntN(12))
		}
		for i < len(want.docs) && want.docs[i].doc < target {
			i++
		}
		v.must(ie.AdvanceShallow(target))
		last := int32(-1)
		for l := range ie.NumLevels() {
			upTo := ie.DocIDUpTo(l)
			if upTo < last || upTo < target {
				v.fatalf("level %d reaches to %d, the one below to %d, the target is %d", l, upTo, last, target)
			}
			last = upTo
			list, err := ie.Impacts(l)
			v.must(err)
			v.bounds(list, want.docs[i:], upTo)
		}
		if v.rnd.IntN(3) == 0 {
			continue
		}
		doc, err := ie.Advance(target)
		v.must(err)
		if i == len(want.docs) {
			if doc != lucene.NoMoreDocs {
				v.fatalf("document %d follows the last", doc)
			}
			return
		}
		if doc != want.docs[i].doc {
			v.fatalf("Advance(%d) goes to %d, want %d", target, doc, want.docs[i].doc)
		}
		f, err := ie.Freq()
		v.must(err)
		if f != want.docs[i].freq {
			v.fatalf("frequency %d in %d, want %d", f, doc, want.docs[i].freq)
		}
		v.positions(ie, &want.docs[i], flags)
		i++
	}
}

func (v *verifier) bounds(list []lucene.Impact, docs []memDoc, upTo int32) {
	v.t.Helper()
	for i := 1; i < len(list); i++ {
		if list[i].Freq <= list[i-1].Freq || uint64(list[i].Norm) <= uint64(list[i-1].Norm) {
			v.fatalf("impacts %v do not grow", list)
		}
	}
	for _, d := range docs {
		if d.doc > upTo {
			return
		}
		norm := uint64(1)
		if v.f.info.HasNorms() && v.f.norms != nil && v.f.norms[d.doc] != 0 {
			norm = uint64(v.f.norms[d.doc])
		}
		ok := false
		for _, im := range list {
			ok = ok || im.Freq >= d.freq && (v.f.norms == nil || uint64(im.Norm) <= norm)
		}
		if !ok {
			v.fatalf("document %d, of frequency %d and norm %d, is better than the impacts %v", d.doc, d.freq, norm, list)
		}
	}
}

// accepts tells whether the automaton accepts a term. A state where all continuations are accepted ends the
// question, also if what follows is not UTF-8.
func accepts(a lucene.Automaton, term []byte) bool {
	s := a.Start()
	for _, b := range term {
		if a.All(s) {
			return true
		}
		if s = a.Step(s, b); s < 0 {
			return false
		}
	}
	return a.Accepts(s)
}

func (v *verifier) automaton() {
	v.t.Helper()
	k := v.randomKey()
	var a lucene.Automaton
	var err error
	switch v.rnd.IntN(6) {
	case 0:
		a = automaton.Prefix(string(k[:min(len(k), v.rnd.IntN(4))]), false)
	case 1:
		a, err = automaton.Wildcard("*"+string(k[min(len(k), v.rnd.IntN(5)):]), false, 10000)
	case 2:
		at := v.rnd.IntN(len(k) + 1)
		a, err = automaton.Wildcard(string(k[:at])+"?*", false, 10000)
	case 3:
		o := v.randomKey()
		if bytes.Compare(k, o) > 0 {
			k, o = o, k
		}
		a = automaton.Range(k, o, v.rnd.IntN(2) == 0, v.rnd.IntN(2) == 0)
	case 4:
		a, err = automaton.Levenshtein(string(k), 1+v.rnd.IntN(2), v.rnd.IntN(2), true)
	default:
		a = automaton.String(string(k), false)
	}
	if err != nil {
		return // the term is no pattern
	}
	var start []byte
	if v.rnd.IntN(2) == 0 {
		start = v.randomKey()
	}
	te, err := v.terms.Intersect(a, start)
	v.must(err)
	for i := range v.f.terms {
		want := v.f.terms[i].term
		if !accepts(a, want) || start != nil && bytes.Compare(want, start) <= 0 {
			continue
		}
		got, err := te.Next()
		v.must(err)
		if !bytes.Equal(got, want) || got == nil {
			v.fatalf("the automaton's next term is %x, want %x (from %x)", got, want, start)
		}
		if v.rnd.IntN(20) == 0 {
			v.walk(te, &v.f.terms[i])
		}
	}
	if got, err := te.Next(); err != nil || got != nil {
		v.fatalf("%x, %v follow the last term of the automaton (from %x)", got, err, start)
	}
}
