package search

import (
	"bytes"
	"math/rand"
	"slices"
	"sort"
	"testing"

	"go.uber.org/goleak"

	"github.com/varve-search/varve/internal/testseed"
	"github.com/varve-search/varve/lucene"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newRand(t testing.TB) *rand.Rand {
	return rand.New(rand.NewSource(testseed.Of(t)))
}

// fakeDoc is a document of the in-memory reader.
type fakeDoc struct {
	text    map[string][]string // indexed with positions and norms
	keyword map[string][]string // indexed without freqs and norms, and a sorted set column
	num     map[string][]int64  // sorted numeric column and an 8-byte point
	geo     map[string][][2]int32
}

type fakePosting struct {
	doc  int32
	pos  []int32
	freq int32
}

type fakeField struct {
	terms    []string
	postings map[string][]fakePosting
	opts     lucene.IndexOptions
	docCount int32
	sumTTF   int64
	sumDF    int64
}

// fakeReader is a small segment in memory.
type fakeReader struct {
	docs   []fakeDoc
	live   *lucene.FixedBits
	fields map[string]*fakeField
	norms  map[string][]int64 // -1: none
	infos  *lucene.FieldInfos
	seg    *lucene.SegmentCommitInfo
	ords   map[string][]string // dictionary of keyword columns
}

const fakeBlock = 8

func newFakeReader(docs []fakeDoc, deleted map[int32]bool) *fakeReader {
	r := &fakeReader{docs: docs, fields: map[string]*fakeField{}, norms: map[string][]int64{}, ords: map[string][]string{},
		seg: lucene.NewSegmentCommitInfo(&lucene.SegmentInfo{Name: "_0", ID: lucene.NewID(), MaxDoc: int32(len(docs))})}
	infos := map[string]*lucene.FieldInfo{}
	info := func(name string) *lucene.FieldInfo {
		if infos[name] == nil {
			infos[name] = &lucene.FieldInfo{Name: name, Number: int32(len(infos)), DocValuesGen: -1}
		}
		return infos[name]
	}
	field := func(name string, opts lucene.IndexOptions) *fakeField {
		if r.fields[name] == nil {
			r.fields[name] = &fakeField{postings: map[string][]fakePosting{}, opts: opts}
		}
		return r.fields[name]
	}
	if len(deleted) > 0 {
		r.live = lucene.NewFixedBits(int32(len(docs)))
		for i := range docs {
			if !deleted[int32(i)] {
				r.live.Set(int32(i))
			}
		}
	}
	for i, d := range docs {
		for name, words := range d.text {
			f := field(name, lucene.IndexDocsFreqsPositions)
			info(name).IndexOptions = f.opts
			if r.norms[name] == nil {
				r.norms[name] = make([]int64, len(docs))
				for j := range r.norms[name] {
					r.norms[name][j] = -1
				}
			}
			r.norms[name][i] = int64(EncodeNorm(int32(len(words))))
			at := map[string][]int32{}
			for p, w := range words {
				at[w] = append(at[w], int32(p))
			}
			for w, pos := range at {
				f.postings[w] = append(f.postings[w], fakePosting{int32(i), pos, int32(len(pos))})
			}
			f.docCount++
			f.sumTTF += int64(len(words))
			f.sumDF += int64(len(at))
		}
		for name, words := range d.keyword {
			f := field(name, lucene.IndexDocs)
			fi := info(name)
			fi.IndexOptions, fi.OmitNorms, fi.DocValuesType = f.opts, true, lucene.DocValuesSortedSet
			ws := slices.Compact(slices.Sorted(slices.Values(words)))
			for _, w := range ws {
				f.postings[w] = append(f.postings[w], fakePosting{int32(i), nil, 1})
				r.ords[name] = append(r.ords[name], w)
			}
			f.docCount++
			f.sumTTF += int64(len(ws))
			f.sumDF += int64(len(ws))
		}
		for name := range d.num {
			fi := info(name)
			fi.DocValuesType, fi.PointDims, fi.PointIndexDims, fi.PointBytes = lucene.DocValuesSortedNumeric, 1, 1, 8
		}
		for name := range d.geo {
			fi := info(name)
			fi.DocValuesType, fi.PointDims, fi.PointIndexDims, fi.PointBytes = lucene.DocValuesSortedNumeric, 2, 2, 4
		}
	}
	for _, f := range r.fields {
		for w := range f.postings {
			f.terms = append(f.terms, w)
		}
		sort.Strings(f.terms)
	}
	for name, ws := range r.ords {
		r.ords[name] = slices.Compact(slices.Sorted(slices.Values(ws)))
	}
	var all []*lucene.FieldInfo
	for _, fi := range infos {
		all = append(all, fi)
	}
	r.infos, _ = lucene.NewFieldInfos(all)
	return r
}

func (r *fakeReader) MaxDoc() int32 { return int32(len(r.docs)) }
func (r *fakeReader) NumDocs() int32 {
	if r.live == nil {
		return r.MaxDoc()
	}
	return int32(cardinality(r.live))
}
func (r *fakeReader) LiveDocs() lucene.Bits {
	if r.live == nil {
		return nil
	}
	return r.live
}
func (r *fakeReader) FieldInfos() *lucene.FieldInfos      { return r.infos }
func (r *fakeReader) Segment() *lucene.SegmentCommitInfo  { return r.seg }
func (r *fakeReader) DocValues() lucene.DocValuesProducer { return fakeDV{r} }
func (r *fakeReader) StoredFields() lucene.StoredFields   { return nil }
func (r *fakeReader) TermVectors() lucene.TermVectors     { return nil }
func (r *fakeReader) Unsupported(string) error            { return nil }
func (r *fakeReader) Terms(name string) (lucene.Terms, error) {
	if f := r.fields[name]; f != nil {
		return &fakeTerms{f, r.norms[name]}, nil
	}
	return nil, nil
}
func (r *fakeReader) Norms(name string) (lucene.NumericDocValues, error) {
	if r.norms[name] == nil {
		return nil, nil
	}
	return &fakeNumeric{fakeColumn{has: func(d int32) bool { return r.norms[name][d] >= 0 }, max: r.MaxDoc(), doc: -1}, func(d int32) int64 { return r.norms[name][d] }}, nil
}

type fakeTerms struct {
	f     *fakeField
	norms []int64
}

func (t *fakeTerms) Iterator() (lucene.TermsEnum, error) { return &fakeEnum{t: t, i: -1}, nil }
func (t *fakeTerms) Intersect(a lucene.Automaton, start []byte) (lucene.TermsEnum, error) {
	f := &fakeField{postings: t.f.postings, opts: t.f.opts}
	for _, w := range t.f.terms {
		if start != nil && w <= string(start) {
			continue
		}
		s := a.Start()
		for i := 0; i < len(w) && s >= 0; i++ {
			s = a.Step(s, w[i])
		}
		if s >= 0 && a.Accepts(s) {
			f.terms = append(f.terms, w)
		}
	}
	return &fakeEnum{t: &fakeTerms{f, t.norms}, i: -1}, nil
}
func (t *fakeTerms) Size() int64                       { return int64(len(t.f.terms)) }
func (t *fakeTerms) SumTotalTermFreq() int64           { return t.f.sumTTF }
func (t *fakeTerms) SumDocFreq() int64                 { return t.f.sumDF }
func (t *fakeTerms) DocCount() int32                   { return t.f.docCount }
func (t *fakeTerms) IndexOptions() lucene.IndexOptions { return t.f.opts }
func (t *fakeTerms) HasPayloads() bool                 { return false }
func (t *fakeTerms) Min() ([]byte, error)              { return []byte(t.f.terms[0]), nil }
func (t *fakeTerms) Max() ([]byte, error)              { return []byte(t.f.terms[len(t.f.terms)-1]), nil }

type fakeState int

func (fakeState) IsTermState() {}

type fakeEnum struct {
	t *fakeTerms
	i int
}

func (e *fakeEnum) Next() ([]byte, error) {
	if e.i++; e.i >= len(e.t.f.terms) {
		return nil, nil
	}
	return e.Term(), nil
}
func (e *fakeEnum) SeekCeil(term []byte) (lucene.SeekStatus, error) {
	i, ok := slices.BinarySearch(e.t.f.terms, string(term))
	e.i = i
	switch {
	case ok:
		return lucene.SeekFound, nil
	case i == len(e.t.f.terms):
		return lucene.SeekEnd, nil
	}
	return lucene.SeekNotFound, nil
}
func (e *fakeEnum) SeekExact(term []byte) (bool, error) {
	s, err := e.SeekCeil(term)
	return s == lucene.SeekFound, err
}
func (e *fakeEnum) SeekState(term []byte, _ lucene.TermState) error {
	_, err := e.SeekExact(term)
	return err
}
func (e *fakeEnum) Term() []byte                     { return []byte(e.t.f.terms[e.i]) }
func (e *fakeEnum) list() []fakePosting              { return e.t.f.postings[e.t.f.terms[e.i]] }
func (e *fakeEnum) DocFreq() (int32, error)          { return int32(len(e.list())), nil }
func (e *fakeEnum) State() (lucene.TermState, error) { return fakeState(e.i), nil }
func (e *fakeEnum) TotalTermFreq() (int64, error) {
	var n int64
	for _, p := range e.list() {
		n += int64(p.freq)
	}
	return n, nil
}
func (e *fakeEnum) Postings(lucene.PostingsEnum, int) (lucene.PostingsEnum, error) {
	return &fakePostings{list: e.list(), i: -1, norms: e.t.norms}, nil
}
func (e *fakeEnum) Impacts(int) (lucene.ImpactsEnum, error) {
	return &fakePostings{list: e.list(), i: -1, norms: e.t.norms, shallow: -1}, nil
}

type fakePostings struct {
	list    []fakePosting
	norms   []int64
	i, p    int
	shallow int32 // target of AdvanceShallow
}

func (p *fakePostings) DocID() int32 {
	switch {
	case p.i < 0:
		return -1
	case p.i >= len(p.list):
		return lucene.NoMoreDocs
	}
	return p.list[p.i].doc
}
func (p *fakePostings) Next() (int32, error) {
	if p.i < len(p.list) {
		p.i++
	}
	p.p = 0
	return p.DocID(), nil
}
func (p *fakePostings) Advance(target int32) (int32, error) {
	if target <= p.DocID() && target != lucene.NoMoreDocs {
		panic("Advance to a document that is not beyond the current one")
	}
	for p.i < len(p.list) && (p.i < 0 || p.list[p.i].doc < target) {
		p.i++
	}
	p.p = 0
	return p.DocID(), nil
}
func (p *fakePostings) Cost() int64          { return int64(len(p.list)) }
func (p *fakePostings) Freq() (int32, error) { return p.list[p.i].freq, nil }
func (p *fakePostings) NextPosition() (int32, error) {
	l := p.list[p.i].pos
	if p.p >= len(l) {
		return -1, nil
	}
	p.p++
	return l[p.p-1], nil
}
func (p *fakePostings) StartOffset() int32 { return -1 }
func (p *fakePostings) EndOffset() int32   { return -1 }
func (p *fakePostings) Payload() []byte    { return nil }
func (p *fakePostings) AdvanceShallow(target int32) error {
	if target < p.shallow {
		panic("AdvanceShallow went back")
	}
	p.shallow = target
	return nil
}

// block returns the index of the first posting at or after the shallow target.
func (p *fakePostings) block() int {
	return sort.Search(len(p.list), func(i int) bool { return p.list[i].doc >= p.shallow }) / fakeBlock * fakeBlock
}
func (p *fakePostings) NumLevels() int { return 2 }
func (p *fakePostings) span(level int) (int, int) {
	b := p.block()
	n := fakeBlock
	if level == 1 {
		n *= 4
		b = b / n * n
	}
	return b, min(b+n, len(p.list))
}
func (p *fakePostings) DocIDUpTo(level int) int32 {
	_, e := p.span(level)
	if e >= len(p.list) {
		return lucene.NoMoreDocs
	}
	return p.list[e-1].doc
}
func (p *fakePostings) Impacts(level int) ([]lucene.Impact, error) {
	b, e := p.span(level)
	var all []lucene.Impact
	for _, x := range p.list[b:e] {
		n := int64(1)
		if p.norms != nil {
			n = p.norms[x.doc]
		}
		all = append(all, lucene.Impact{Freq: x.freq, Norm: n})
	}
	// keep the competitive ones: by norm, strictly growing freq
	sort.Slice(all, func(i, j int) bool {
		if all[i].Norm != all[j].Norm {
			return all[i].Norm < all[j].Norm
		}
		return all[i].Freq > all[j].Freq
	})
	var out []lucene.Impact
	for _, i := range all {
		if len(out) == 0 || i.Freq > out[len(out)-1].Freq {
			out = append(out, i)
		}
	}
	if len(out) == 0 {
		out = []lucene.Impact{{Freq: 1, Norm: 1}}
	}
	return out, nil
}

type fakeColumn struct {
	has func(int32) bool
	max int32
	doc int32
}

func (c *fakeColumn) DocID() int32         { return c.doc }
func (c *fakeColumn) Next() (int32, error) { return c.Advance(c.doc + 1) }
func (c *fakeColumn) Cost() int64          { return int64(c.max) }
func (c *fakeColumn) Advance(t int32) (int32, error) {
	for ; t < c.max; t++ {
		if c.has(t) {
			c.doc = t
			return t, nil
		}
	}
	c.doc = lucene.NoMoreDocs
	return c.doc, nil
}
func (c *fakeColumn) AdvanceExact(t int32) (bool, error) {
	if t < c.doc {
		panic("AdvanceExact went back")
	}
	c.doc = t
	return c.has(t), nil
}

type fakeNumeric struct {
	fakeColumn
	value func(int32) int64
}

func (n *fakeNumeric) Value() (int64, error) { return n.value(n.doc), nil }

type fakeDV struct{ r *fakeReader }

func (d fakeDV) Numeric(*lucene.FieldInfo) (lucene.NumericDocValues, error) { return nil, nil }
func (d fakeDV) Binary(*lucene.FieldInfo) (lucene.BinaryDocValues, error)   { return nil, nil }
func (d fakeDV) Sorted(*lucene.FieldInfo) (lucene.SortedDocValues, error)   { return nil, nil }
func (d fakeDV) SortedNumeric(f *lucene.FieldInfo) (lucene.SortedNumericDocValues, error) {
	get := func(doc int32) []int64 {
		if g := d.r.docs[doc].geo[f.Name]; g != nil {
			var out []int64
			for _, p := range g {
				out = append(out, int64(p[0])<<32|int64(uint32(p[1])))
			}
			slices.Sort(out)
			return out
		}
		return slices.Sorted(slices.Values(d.r.docs[doc].num[f.Name]))
	}
	return &fakeSortedNumeric{fakeColumn: fakeColumn{has: func(i int32) bool { return len(get(i)) > 0 }, max: d.r.MaxDoc(), doc: -1}, get: get}, nil
}
func (d fakeDV) SortedSet(f *lucene.FieldInfo) (lucene.SortedSetDocValues, error) {
	dict := d.r.ords[f.Name]
	if dict == nil {
		return nil, nil
	}
	get := func(doc int32) []int64 {
		var out []int64
		for _, w := range slices.Compact(slices.Sorted(slices.Values(d.r.docs[doc].keyword[f.Name]))) {
			i, _ := slices.BinarySearch(dict, w)
			out = append(out, int64(i))
		}
		return out
	}
	return &fakeSortedSet{fakeSortedNumeric{fakeColumn: fakeColumn{has: func(i int32) bool { return len(get(i)) > 0 }, max: d.r.MaxDoc(), doc: -1}, get: get}, dict}, nil
}

type fakeSortedNumeric struct {
	fakeColumn
	get  func(int32) []int64
	at   int32
	next int
}

func (s *fakeSortedNumeric) Count() int32 { return int32(len(s.get(s.doc))) }
func (s *fakeSortedNumeric) NextValue() (int64, error) {
	if s.at != s.doc+1 {
		s.at, s.next = s.doc+1, 0
	}
	s.next++
	return s.get(s.doc)[s.next-1], nil
}

type fakeSortedSet struct {
	fakeSortedNumeric
	dict []string
}

func (s *fakeSortedSet) NextOrd() (int64, error)              { return s.NextValue() }
func (s *fakeSortedSet) ValueCount() int64                    { return int64(len(s.dict)) }
func (s *fakeSortedSet) LookupOrd(o int64) ([]byte, error)    { return []byte(s.dict[o]), nil }
func (s *fakeSortedSet) TermsEnum() (lucene.TermsEnum, error) { return nil, nil }
func (s *fakeSortedSet) LookupTerm(t []byte) (int64, error) {
	i, ok := slices.BinarySearch(s.dict, string(t))
	if !ok {
		return int64(-i - 1), nil
	}
	return int64(i), nil
}

// Points is one flat list: a leaf of the tree.
func (r *fakeReader) Points(name string) (lucene.PointValues, error) {
	p := &fakePoints{}
	for i, d := range r.docs {
		for _, v := range d.num[name] {
			p.add(int32(i), sortableLong(v))
			p.dims, p.bytes = 1, 8
		}
		for _, v := range d.geo[name] {
			p.add(int32(i), append(sortableInt(v[0]), sortableInt(v[1])...))
			p.dims, p.bytes = 2, 4
		}
	}
	if len(p.docs) == 0 {
		return nil, nil
	}
	seen := map[int32]bool{}
	for _, d := range p.docs {
		seen[d] = true
	}
	p.docCount = int32(len(seen))
	return p, nil
}

type fakePoints struct {
	docs        []int32
	values      [][]byte
	dims, bytes int
	docCount    int32
}

func (p *fakePoints) add(doc int32, v []byte) {
	p.docs = append(p.docs, doc)
	p.values = append(p.values, v)
}
func (p *fakePoints) Intersect(v lucene.PointVisitor) error {
	switch v.Compare(p.MinPacked(), p.MaxPacked()) {
	case lucene.CellInside:
		v.Grow(len(p.docs))
		return v.VisitAll(p.docs)
	case lucene.CellCrosses:
		v.Grow(len(p.docs))
		for i := range p.docs {
			if err := v.VisitValue(p.docs[i], p.values[i]); err != nil {
				return err
			}
		}
	}
	return nil
}
func (p *fakePoints) EstimatePointCount(v lucene.PointVisitor) (int64, error) {
	n := int64(0)
	for _, x := range p.values {
		if v.Compare(x, x) != lucene.CellOutside {
			n++
		}
	}
	return n, nil
}
func (p *fakePoints) bound(pick int) []byte {
	out := slices.Clone(p.values[0])
	for _, v := range p.values {
		for d := range p.dims {
			lo, hi := d*p.bytes, (d+1)*p.bytes
			if bytes.Compare(v[lo:hi], out[lo:hi]) == pick {
				copy(out[lo:hi], v[lo:hi])
			}
		}
	}
	return out
}
func (p *fakePoints) MinPacked() []byte { return p.bound(-1) }
func (p *fakePoints) MaxPacked() []byte { return p.bound(1) }
func (p *fakePoints) NumDims() int      { return p.dims }
func (p *fakePoints) NumIndexDims() int { return p.dims }
func (p *fakePoints) BytesPerDim() int  { return p.bytes }
func (p *fakePoints) Size() int64       { return int64(len(p.docs)) }
func (p *fakePoints) DocCount() int32   { return p.docCount }

// fakeIndex splits documents into segments.
func fakeIndex(docs []fakeDoc, sizes []int, deleted func(i int) bool) []lucene.LeafContext {
	var out []lucene.LeafContext
	base := 0
	for _, n := range sizes {
		n = min(n, len(docs)-base)
		dead := map[int32]bool{}
		for i := range n {
			if deleted != nil && deleted(base+i) {
				dead[int32(i)] = true
			}
		}
		out = append(out, lucene.LeafContext{Reader: newFakeReader(docs[base:base+n], dead), Ord: len(out), DocBase: int32(base)})
		base += n
	}
	return out
}
