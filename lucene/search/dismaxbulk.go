package search

import (
	"math/bits"

	"github.com/varve-search/varve/lucene"
)

// disMaxBulk scores a DisMax a window of documents at a time: each part puts its documents into the window by its own
// fastest way, the best score wins. Without a tie breaker a document competes only if one of its parts does alone, so that every
// part may leave out what is below the minimum competitive score.
type disMaxBulk struct {
	parts  []bulkScorer
	tie    float64
	mode   ScoreMode
	cur    current
	win    disMaxWindow
	docs   [256]int32
	scores [256]float32
}

// disMaxWindow is the collector of the parts.
type disMaxWindow struct {
	b      *disMaxBulk
	base   int32
	sc     Scorable
	words  [windowSize / 64]uint64
	best   [windowSize]float32
	others []float64 // sums of the scores that are not the best; nil without a tie breaker
}

// bulk implements bulkWeight. With a tie breaker, parts below the minimum still count, so that what prunes is the scorer's bounds.
func (w *disMaxWeight) bulk(leaf *lucene.LeafContext, mode ScoreMode) (bulkScorer, error) {
	if mode == TopScores && w.q.TieBreaker > 0 {
		return nil, nil
	}
	b := &disMaxBulk{tie: float64(w.q.TieBreaker), mode: mode}
	for _, sub := range w.subs {
		part, err := bulkFor(sub, leaf, mode)
		if err != nil {
			return nil, err
		}
		if part != nil {
			b.parts = append(b.parts, part)
		}
	}
	switch len(b.parts) {
	case 0:
		return emptyBulk{}, nil
	case 1:
		return b.parts[0], nil
	}
	b.win.b = b
	if b.tie > 0 && mode.NeedsScores() {
		b.win.others = make([]float64, windowSize)
	}
	return b, nil
}

func (b *disMaxBulk) score(c LeafCollector, live lucene.Bits, from, to int32) (int32, error) {
	if err := c.SetScorer(&b.cur); err != nil {
		return 0, err
	}
	for from < to {
		b.win.base = from &^ 63
		end := int32(min(int64(to), int64(b.win.base)+windowSize))
		next := lucene.NoMoreDocs
		for _, part := range b.parts {
			n, err := part.score(&b.win, nil, from, end)
			if err != nil {
				return 0, err
			}
			next = min(next, n)
		}
		if err := b.flush(c, live); err != nil {
			return 0, err
		}
		from = max(end, next)
	}
	return from, nil
}

// flush collects what the window holds and clears it.
func (b *disMaxBulk) flush(c LeafCollector, live lucene.Bits) error {
	w, n := &b.win, 0
	emit := func() error {
		var err error
		if b.mode.NeedsScores() {
			err = collectScored(c, &b.cur, b.docs[:n], b.scores[:n])
		} else {
			err = collectBatch(c, b.docs[:n])
		}
		n = 0
		return err
	}
	for wi, word := range w.words {
		if word == 0 {
			continue
		}
		w.words[wi] = 0
		for ; word != 0; word &= word - 1 {
			k := int32(wi<<6 + bits.TrailingZeros64(word))
			s := w.best[k]
			if w.others != nil {
				s = float32(float64(s) + float64(w.others[k]*b.tie))
			}
			if doc := w.base + k; live == nil || live.Get(doc) {
				b.docs[n], b.scores[n] = doc, s
				if n++; n == len(b.docs) {
					if err := emit(); err != nil {
						return err
					}
				}
			}
		}
	}
	return emit()
}

// SetScorer implements LeafCollector.
func (w *disMaxWindow) SetScorer(sc Scorable) error {
	w.sc = sc
	if w.b.mode == TopScores && w.b.cur.min > 0 {
		return sc.SetMinCompetitive(w.b.cur.min)
	}
	return nil
}

// Collect implements LeafCollector.
func (w *disMaxWindow) Collect(doc int32) error {
	var s float32
	if w.b.mode.NeedsScores() {
		var err error
		if s, err = w.sc.Score(); err != nil {
			return err
		}
	}
	w.add(doc, s)
	return nil
}

// CollectScored implements ScoredBatchCollector.
func (w *disMaxWindow) CollectScored(docs []int32, scores []float32) error {
	for i, d := range docs {
		w.add(d, scores[i])
	}
	return nil
}

// CollectBatch implements BatchCollector; it is called only where no scores are needed.
func (w *disMaxWindow) CollectBatch(docs []int32) error {
	for _, d := range docs {
		k := uint32(d - w.base)
		w.words[k>>6] |= 1 << (k & 63)
	}
	return nil
}

func (w *disMaxWindow) add(doc int32, s float32) {
	k := uint32(doc-w.base) % windowSize
	word, bit := k>>6, uint64(1)<<(k&63)
	if w.words[word]&bit == 0 {
		w.words[word] |= bit
		w.best[k] = s
		if w.others != nil {
			w.others[k] = 0
		}
		return
	}
	if w.others != nil {
		w.others[k] += float64(min(s, w.best[k]))
	}
	w.best[k] = max(s, w.best[k])
}
