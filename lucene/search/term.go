package search

import (
	"fmt"
	"math"

	"github.com/varve-search/varve/lucene"
)

// Term matches the documents with a term and scores them by the field's similarity.
type Term struct {
	Field string
	Bytes []byte
	// Stats replace those of the index if not nil, as queries that blend the statistics of several terms need it.
	Stats *TermStatistics
	// FieldStats replace those of the field if not nil.
	FieldStats *CollectionStatistics
}

// NewTerm returns a query for a term.
func NewTerm(field, text string) *Term { return &Term{Field: field, Bytes: []byte(text)} }

func (q *Term) String() string {
	s := fmt.Sprintf("term(%q:%q", q.Field, q.Bytes)
	if q.Stats != nil {
		s += fmt.Sprintf(",df=%d,ttf=%d", q.Stats.DocFreq, q.Stats.TotalTermFreq)
	}
	if q.FieldStats != nil {
		s += fmt.Sprintf(",field=%v", *q.FieldStats)
	}
	return s + ")"
}

// Rewrite implements Query.
func (q *Term) Rewrite(*Searcher) (Query, error) { return q, nil }

// Weight implements Query.
func (q *Term) Weight(s *Searcher, mode ScoreMode, boost float32) (Weight, error) {
	w := &termWeight{q: q, mode: mode}
	if !mode.NeedsScores() {
		w.sim = constantSim(boost)
		return w, nil
	}
	var err error
	if w.states, err = s.termStates(q.Field, q.Bytes); err != nil {
		return nil, err
	}
	field := q.FieldStats
	if field == nil {
		if field, err = s.CollectionStatistics(q.Field); err != nil {
			return nil, err
		}
	}
	if field == nil {
		w.sim = constantSim(0) // no segment has the field: nothing will be scored
		return w, nil
	}
	st := s.termStatistics(lucene.Term{Field: q.Field, Bytes: q.Bytes}, w.states.sum)
	if q.Stats != nil {
		st = *q.Stats
	}
	if st.DocFreq == 0 {
		w.sim = constantSim(0)
		return w, nil
	}
	w.sim = s.similarity(q.Field).Scorer(boost, field, st)
	return w, nil
}

// termStates are where a term's postings lie in each segment.
type termStates struct {
	leaf []termLeafState
	sum  TermStatistics
}

type termLeafState struct {
	state   lucene.TermState // nil: the segment lacks it
	docFreq int32
}

// termStates looks a term up in all segments.
func (s *Searcher) termStates(field string, term []byte) (*termStates, error) {
	ts := &termStates{leaf: make([]termLeafState, len(s.leaves))}
	for i := range s.leaves {
		terms, err := s.leaves[i].Reader.Terms(field)
		if err != nil {
			return nil, err
		}
		if terms == nil {
			continue
		}
		te, err := terms.Iterator()
		if err != nil {
			return nil, err
		}
		found, err := te.SeekExact(term)
		if err != nil {
			return nil, err
		}
		if !found {
			continue
		}
		if err := ts.register(i, te); err != nil {
			return nil, err
		}
	}
	return ts, nil
}

func (ts *termStates) register(leaf int, te lucene.TermsEnum) error {
	df, err := te.DocFreq()
	if err != nil {
		return err
	}
	ttf, err := te.TotalTermFreq()
	if err != nil {
		return err
	}
	st, err := te.State()
	if err != nil {
		return err
	}
	ts.leaf[leaf] = termLeafState{st, df}
	ts.sum.DocFreq += int64(df)
	ts.sum.TotalTermFreq += ttf
	return nil
}

type termWeight struct {
	q      *Term
	mode   ScoreMode
	states *termStates // nil: to be looked up in each segment
	sim    SimScorer
}

func (w *termWeight) Query() Query { return w.q }

// seek returns an iterator at the term, or nil.
func (w *termWeight) seek(leaf *lucene.LeafContext) (lucene.TermsEnum, lucene.Terms, error) {
	if w.states != nil && w.states.leaf[leaf.Ord].state == nil {
		return nil, nil, nil
	}
	terms, err := leaf.Reader.Terms(w.q.Field)
	if terms == nil || err != nil {
		return nil, nil, err
	}
	te, err := terms.Iterator()
	if err != nil {
		return nil, nil, err
	}
	if w.states != nil {
		return te, terms, te.SeekState(w.q.Bytes, w.states.leaf[leaf.Ord].state)
	}
	found, err := te.SeekExact(w.q.Bytes)
	if !found || err != nil {
		return nil, nil, err
	}
	return te, terms, nil
}

func (w *termWeight) Count(leaf *lucene.LeafContext) (int, error) {
	if leaf.Reader.LiveDocs() != nil {
		return -1, nil
	}
	te, _, err := w.seek(leaf)
	if te == nil || err != nil {
		return 0, err
	}
	df, err := te.DocFreq()
	return int(df), err
}

func (w *termWeight) Supplier(leaf *lucene.LeafContext) (ScorerSupplier, error) {
	te, terms, err := w.seek(leaf)
	if te == nil || err != nil {
		return nil, err
	}
	df, err := te.DocFreq()
	if err != nil {
		return nil, err
	}
	return supplierFunc{int64(df), func(int64) (Scorer, error) {
		var norms lucene.NumericDocValues
		if w.mode.NeedsScores() {
			if norms, err = leaf.Reader.Norms(w.q.Field); err != nil {
				return nil, err
			}
		}
		return newTermScorer(te, terms, w.mode, w.sim, norms)
	}}, nil
}

func newTermScorer(te lucene.TermsEnum, terms lucene.Terms, mode ScoreMode, sim SimScorer, norms lucene.NumericDocValues) (*termScorer, error) {
	sc := &termScorer{sim: sim, norms: norms, hasFreqs: terms.IndexOptions() >= lucene.IndexDocsAndFreqs}
	sc.bm25, _ = sim.(*bm25Scorer)
	sc.normBatch, _ = norms.(lucene.NumericBatch)
	if mode == TopScores {
		imp, err := te.Impacts(lucene.PostingsFreqs)
		if err != nil {
			return nil, err
		}
		sc.postings = imp
		sc.bounds = newBounds(imp, sim)
	} else {
		flags := lucene.PostingsNone
		if mode == Complete {
			flags = lucene.PostingsFreqs
		}
		p, err := te.Postings(nil, flags)
		if err != nil {
			return nil, err
		}
		sc.postings = p
	}
	sc.batch, _ = sc.postings.(PostingsBatch)
	return sc, nil
}

// termScorer scores the postings of a term.
type termScorer struct {
	postings  lucene.PostingsEnum
	batch     PostingsBatch // nil if the postings have none
	bounds    *bounds       // nil unless mode is TopScores
	sim       SimScorer
	bm25      *bm25Scorer // sim, if it is one
	norms     lucene.NumericDocValues
	normBatch lucene.NumericBatch
	hasFreqs  bool
	min       float32
	freqs     []int32
	normBuf   []int64
}

func (t *termScorer) Iterator() lucene.DocIDSetIterator {
	if t.bounds != nil {
		return &skippingIterator{PostingsEnum: t.postings, t: t, upTo: -1}
	}
	return t.postings
}
func (t *termScorer) TwoPhase() TwoPhase { return nil }
func (t *termScorer) DocID() int32       { return t.postings.DocID() }

func (t *termScorer) Score() (float32, error) {
	freq, err := t.postings.Freq()
	if err != nil {
		return 0, err
	}
	norm := int64(1)
	if t.norms != nil {
		ok, err := t.norms.AdvanceExact(t.postings.DocID())
		if err != nil {
			return 0, err
		}
		if ok {
			if norm, err = t.norms.Value(); err != nil {
				return 0, err
			}
		}
	}
	return t.sim.Score(float32(freq), norm), nil
}

func (t *termScorer) AdvanceShallow(target int32) (int32, error) {
	if t.bounds == nil {
		return lucene.NoMoreDocs, nil
	}
	return t.bounds.advanceShallow(target)
}

func (t *termScorer) MaxScore(upTo int32) (float32, error) {
	if t.bounds == nil {
		return t.sim.Score(math.MaxFloat32, 1), nil
	}
	return t.bounds.maxScore(upTo)
}

func (t *termScorer) SetMinCompetitive(min float32) error {
	t.min = min
	return nil
}

// nextScores copies the current document and those after it below upTo with their scores, as many as
// fit, and moves to the first that was not copied.
func (t *termScorer) nextScores(upTo int32, docs []int32, scores []float32) (int, error) {
	if len(t.freqs) < len(docs) {
		t.freqs = make([]int32, len(docs))
		t.normBuf = make([]int64, len(docs))
	}
	n := 0
	if t.batch != nil {
		var err error
		if n, err = t.batch.NextBatch(upTo, docs, t.freqs); err != nil {
			return 0, err
		}
	} else {
		doc := t.postings.DocID()
		for doc < upTo && n < len(docs) {
			f, err := t.postings.Freq()
			if err != nil {
				return 0, err
			}
			docs[n], t.freqs[n] = doc, f
			n++
			if doc, err = t.postings.Next(); err != nil {
				return 0, err
			}
		}
	}
	if err := t.readNorms(docs[:n]); err != nil {
		return 0, err
	}
	if b := t.bm25; b != nil {
		w := b.weight
		for i := range docs[:n] {
			x := float32(float32(t.freqs[i]) * b.cache[byte(t.normBuf[i])])
			scores[i] = w - float32(w/float32(1+x))
		}
		return n, nil
	}
	for i := range docs[:n] {
		scores[i] = t.sim.Score(float32(t.freqs[i]), t.normBuf[i])
	}
	return n, nil
}

func (t *termScorer) readNorms(docs []int32) error {
	if t.norms == nil {
		for i := range docs {
			t.normBuf[i] = 1
		}
		return nil
	}
	if t.normBatch != nil && len(docs) > 0 {
		if ok, err := t.normBatch.Values(docs, t.normBuf[:len(docs)]); ok || err != nil {
			return err
		}
		t.normBatch = nil
	}
	for i, d := range docs {
		ok, err := t.norms.AdvanceExact(d)
		if err != nil {
			return err
		}
		t.normBuf[i] = 1
		if ok {
			if t.normBuf[i], err = t.norms.Value(); err != nil {
				return err
			}
		}
	}
	return nil
}

// skippingIterator leaves out blocks of postings that cannot compete.
type skippingIterator struct {
	lucene.PostingsEnum
	t        *termScorer
	upTo     int32 // the bound below holds up to here
	blockMax float32
}

func (s *skippingIterator) Next() (int32, error) {
	if s.t.min <= 0 {
		return s.PostingsEnum.Next()
	}
	return s.Advance(s.PostingsEnum.DocID() + 1)
}

func (s *skippingIterator) Advance(target int32) (int32, error) {
	if s.t.min > 0 {
		var err error
		if target, s.upTo, s.blockMax, err = s.t.bounds.skip(target, s.t.min, s.upTo, s.blockMax); err != nil {
			return 0, err
		}
	}
	if target == lucene.NoMoreDocs {
		return s.PostingsEnum.Advance(target)
	}
	return s.PostingsEnum.Advance(target)
}

// termBulk feeds a term's documents to a collector, a batch at a time.
type termBulk struct {
	sc     *termScorer
	mode   ScoreMode
	cur    current
	docs   [256]int32
	scores [256]float32
	upTo   int32
	max    float32
	begun  bool
}

func (b *termBulk) score(c LeafCollector, live lucene.Bits, from, to int32) (int32, error) {
	if err := c.SetScorer(&b.cur); err != nil {
		return 0, err
	}
	p := b.sc.postings
	doc := p.DocID()
	var err error
	if !b.begun {
		b.begun, b.upTo = true, -1
	}
	if doc < from {
		if doc, err = p.Advance(from); err != nil {
			return 0, err
		}
	}
	if b.mode == CompleteNoScores {
		return b.noScores(c, live, to)
	}
	for doc < to {
		end := to
		if b.sc.bounds != nil && b.cur.min > 0 {
			var target int32
			if target, b.upTo, b.max, err = b.sc.bounds.skip(doc, b.cur.min, b.upTo, b.max); err != nil {
				return 0, err
			}
			if target > doc {
				if target >= to {
					return target, nil
				}
				if doc, err = p.Advance(target); err != nil {
					return 0, err
				}
				continue
			}
			if b.upTo < end-1 {
				end = b.upTo + 1
			}
		}
		n, err := b.sc.nextScores(end, b.docs[:], b.scores[:])
		if err != nil {
			return 0, err
		}
		docs, scores := liveOnly(live, b.docs[:n], b.scores[:n])
		if err := collectScored(c, &b.cur, docs, scores); err != nil {
			return 0, err
		}
		doc = p.DocID()
	}
	return doc, nil
}

func (b *termBulk) noScores(c LeafCollector, live lucene.Bits, to int32) (int32, error) {
	p := b.sc.postings
	doc := p.DocID()
	for doc < to {
		n := 0
		var err error
		if b.sc.batch != nil {
			if n, err = b.sc.batch.NextBatch(to, b.docs[:], nil); err != nil {
				return 0, err
			}
			doc = p.DocID()
		} else {
			for doc < to && n < len(b.docs) {
				b.docs[n] = doc
				n++
				if doc, err = p.Next(); err != nil {
					return 0, err
				}
			}
		}
		docs, _ := liveOnly(live, b.docs[:n], nil)
		if err := collectBatch(c, docs); err != nil {
			return 0, err
		}
	}
	return doc, nil
}
