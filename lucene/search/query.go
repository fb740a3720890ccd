package search

import (
	"math"

	"github.com/varve-search/varve/lucene"
)

// ScoreMode says what a search needs of its scorers.
type ScoreMode uint8

// The score modes.
const (
	// Complete visits all matches and scores them.
	Complete ScoreMode = iota
	// CompleteNoScores visits all matches and never asks for a score.
	CompleteNoScores
	// TopScores may skip what cannot compete with the minimum score that was set.
	TopScores
)

// NeedsScores tells whether scores are asked for.
func (m ScoreMode) NeedsScores() bool { return m != CompleteNoScores }

// Query is an immutable description of what is sought.
type Query interface {
	// Rewrite returns a simpler query of the same matches and scores, or the receiver if there is none.
	Rewrite(s *Searcher) (Query, error)
	// Weight prepares a rewritten query for the searcher's segments. Scores are multiplied by boost.
	Weight(s *Searcher, mode ScoreMode, boost float32) (Weight, error)
	// String describes the query completely: equal strings mean equal queries. Caches rely on it.
	String() string
}

// Weight is a query bound to a searcher.
type Weight interface {
	// Supplier returns what makes the scorer for a segment, or nil if nothing matches there.
	Supplier(leaf *lucene.LeafContext) (ScorerSupplier, error)
	// Count returns how many live documents match if that is known without visiting them, else -1.
	Count(leaf *lucene.LeafContext) (int, error)
	// Query returns the query that it was made of.
	Query() Query
}

// ScorerSupplier knows what a scorer will cost before it is made.
type ScorerSupplier interface {
	// Cost estimates how many documents match, at most.
	Cost() int64
	// Scorer makes the scorer; to be called once. leadCost is how many documents it will be asked for, at most.
	Scorer(leadCost int64) (Scorer, error)
}

// Scorer walks over the matches of a query in one segment.
type Scorer interface {
	// Iterator walks over the matches. Use it or TwoPhase, not both.
	Iterator() lucene.DocIDSetIterator
	// TwoPhase returns the cheap and the exact half of matching, or nil if matching is cheap.
	TwoPhase() TwoPhase
	// DocID returns the current document.
	DocID() int32
	// Score returns the score of the current document.
	Score() (float32, error)
	// AdvanceShallow prepares MaxScore from target on, which is at or beyond the current document, and returns the last
	// document up to which it pays to ask.
	AdvanceShallow(target int32) (int32, error)
	// MaxScore bounds the scores from the target of AdvanceShallow to upTo.
	MaxScore(upTo int32) (float32, error)
	// SetMinCompetitive says that documents of a lower score need not be visited any more.
	SetMinCompetitive(min float32) error
}

// TwoPhase splits matching into an approximation and a check of each of its documents.
type TwoPhase interface {
	// Approximation walks over a superset of the matches.
	Approximation() lucene.DocIDSetIterator
	// Matches tells whether the current document of the approximation matches. It is called at most once for each.
	Matches() (bool, error)
	// MatchCost estimates the cost of Matches, in simple operations.
	MatchCost() float32
}

// noImpacts is embedded by scorers that know no bounds of their scores.
type noImpacts struct{}

func (noImpacts) AdvanceShallow(int32) (int32, error) { return lucene.NoMoreDocs, nil }
func (noImpacts) MaxScore(int32) (float32, error)     { return float32(math.Inf(1)), nil }
func (noImpacts) SetMinCompetitive(float32) error     { return nil }

// supplierFunc is a ScorerSupplier of a known cost.
type supplierFunc struct {
	cost int64
	make func(leadCost int64) (Scorer, error)
}

func (s supplierFunc) Cost() int64                           { return s.cost }
func (s supplierFunc) Scorer(leadCost int64) (Scorer, error) { return s.make(leadCost) }

// uncounted is embedded by weights that know no counts.
type uncounted struct{}

func (uncounted) Count(*lucene.LeafContext) (int, error) { return -1, nil }

// scorerFor makes the scorer of a weight for one segment, or nil.
func scorerFor(w Weight, leaf *lucene.LeafContext) (Scorer, error) {
	sup, err := w.Supplier(leaf)
	if sup == nil || err != nil {
		return nil, err
	}
	return sup.Scorer(math.MaxInt64)
}

// PostingsBatch is implemented by postings that can hand out what they have decoded at once.
type PostingsBatch interface {
	// NextBatch copies the current document and those after it that are below upTo, with their frequencies (freqs may be
	// nil), as many as fit, and moves to the first one that was not copied.
	NextBatch(upTo int32, docs, freqs []int32) (int, error)
}
