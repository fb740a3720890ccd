package search

import (
	"math"

	"github.com/varve-search/varve/lucene"
)

// bounds turns impacts into bounds of scores.
type bounds struct {
	imp    impactsSource
	sim    SimScorer
	global float32
	levels []levelBound
}

// impactsSource is the part of an ImpactsEnum that bounds need.
type impactsSource interface {
	AdvanceShallow(target int32) error
	NumLevels() int
	DocIDUpTo(level int) int32
	Impacts(level int) ([]lucene.Impact, error)
}

type levelBound struct {
	upTo int32 // last document for which max was computed, -1: none
	max  float32
}

func newBounds(imp impactsSource, sim SimScorer) *bounds {
	return &bounds{imp: imp, sim: sim, global: sim.Score(math.MaxFloat32, 1)}
}

// advanceShallow moves to the blocks with target and returns the last document of the smallest.
func (b *bounds) advanceShallow(target int32) (int32, error) {
	if err := b.imp.AdvanceShallow(target); err != nil {
		return 0, err
	}
	if b.imp.NumLevels() == 0 {
		return lucene.NoMoreDocs, nil
	}
	return b.imp.DocIDUpTo(0), nil
}

// maxScore bounds the scores from the shallow position to upTo.
func (b *bounds) maxScore(upTo int32) (float32, error) {
	for level := range b.imp.NumLevels() {
		if upTo <= b.imp.DocIDUpTo(level) {
			return b.level(level)
		}
	}
	return b.global, nil
}

func (b *bounds) level(level int) (float32, error) {
	for len(b.levels) <= level {
		b.levels = append(b.levels, levelBound{upTo: -1})
	}
	l := &b.levels[level]
	upTo := b.imp.DocIDUpTo(level)
	if l.upTo == upTo {
		return l.max, nil
	}
	imps, err := b.imp.Impacts(level)
	if err != nil {
		return 0, err
	}
	m := float32(0)
	if len(imps) == 0 {
		m = b.global
	}
	for _, i := range imps {
		m = max(m, b.sim.Score(float32(i.Freq), i.Norm))
	}
	l.upTo, l.max = upTo, m
	return m, nil
}

// skip returns the first document at or after target whose block may reach min, with the end and the bound of that
// block. upTo and blockMax are those that the last call returned.
func (b *bounds) skip(target int32, min float32, upTo int32, blockMax float32) (int32, int32, float32, error) {
	for {
		if target > upTo {
			var err error
			if upTo, err = b.advanceShallow(target); err != nil {
				return 0, 0, 0, err
			}
			if blockMax, err = b.maxScore(upTo); err != nil {
				return 0, 0, 0, err
			}
		}
		if blockMax >= min {
			return target, upTo, blockMax, nil
		}
		if upTo == lucene.NoMoreDocs {
			return lucene.NoMoreDocs, upTo, blockMax, nil
		}
		// A larger block that cannot compete either is skipped whole.
		for level := 1; level < b.imp.NumLevels(); level++ {
			m, err := b.level(level)
			if err != nil {
				return 0, 0, 0, err
			}
			if m >= min {
				break
			}
			upTo = b.imp.DocIDUpTo(level)
		}
		if upTo == lucene.NoMoreDocs {
			return lucene.NoMoreDocs, upTo, blockMax, nil
		}
		target = upTo + 1
	}
}
