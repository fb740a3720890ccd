package search

import (
	"math"
	"math/bits"
)

// CollectionStatistics are those of a field over all segments, deleted documents included.
type CollectionStatistics struct {
	Field            string
	MaxDoc           int64
	DocCount         int64 // documents that have the field
	SumTotalTermFreq int64
	SumDocFreq       int64
}

// TermStatistics are those of a term over all segments, deleted documents included.
type TermStatistics struct {
	DocFreq       int64
	TotalTermFreq int64
}

// Similarity decides how terms are scored.
type Similarity interface {
	// Scorer returns the scorer of a term, or of a phrase of several.
	Scorer(boost float32, field *CollectionStatistics, terms ...TermStatistics) SimScorer
	// String names it with its parameters.
	String() string
}

// SimScorer scores one term or phrase. Scores must not fall when freq grows, nor grow when the norm does
// (as an unsigned number).
type SimScorer interface {
	Score(freq float32, norm int64) float32
}

// BM25 is Lucene's similarity of that name. Legacy multiplies scores by K1+1, as OpenSearch before 3.0 does.
type BM25 struct {
	K1, B  float32
	Legacy bool
}

// DefaultSimilarity is that of OpenSearch 2.x.
var DefaultSimilarity Similarity = BM25{K1: 1.2, B: 0.75, Legacy: true}

func (s BM25) String() string {
	name := "BM25"
	if s.Legacy {
		name = "LegacyBM25"
	}
	return name + "(k1=" + formatFloat(s.K1) + ",b=" + formatFloat(s.B) + ")"
}

// lengthTable holds the field length that each norm byte stands for.
var lengthTable = func() (t [256]float32) {
	for i := range t {
		t[i] = float32(DecodeNorm(byte(i)))
	}
	return t
}()

// idf returns the inverse document frequency, rounded to float32 as Lucene does.
func idf(docFreq, docCount int64) float32 {
	return float32(math.Log(1 + (float64(docCount-docFreq)+0.5)/(float64(docFreq)+0.5)))
}

// Scorer implements Similarity.
func (s BM25) Scorer(boost float32, field *CollectionStatistics, terms ...TermStatistics) SimScorer {
	if s.Legacy {
		boost *= 1 + s.K1
	}
	var w float32
	if len(terms) == 1 {
		w = idf(terms[0].DocFreq, field.DocCount)
	} else {
		var sum float64
		for _, t := range terms {
			sum += float64(idf(t.DocFreq, field.DocCount))
		}
		w = float32(sum)
	}
	avg := float32(float64(field.SumTotalTermFreq) / float64(field.DocCount))
	sc := &bm25Scorer{weight: boost * w}
	for i := range sc.cache {
		// Each step is rounded to float32: the conversions keep the compiler from fusing them.
		length := float32(float32(s.B*lengthTable[i]) / avg)
		sc.cache[i] = 1 / float32(s.K1*float32(float32(1-s.B)+length))
	}
	return sc
}

type bm25Scorer struct {
	weight float32
	cache  [256]float32
}

// Score implements SimScorer.
func (s *bm25Scorer) Score(freq float32, norm int64) float32 {
	x := float32(freq * s.cache[byte(norm)])
	return s.weight - float32(s.weight/float32(1+x))
}

// BooleanSimilarity gives each match the score of its boost.
type BooleanSimilarity struct{}

func (BooleanSimilarity) String() string { return "boolean" }

// Scorer implements Similarity.
func (BooleanSimilarity) Scorer(boost float32, _ *CollectionStatistics, _ ...TermStatistics) SimScorer {
	return constantSim(boost)
}

type constantSim float32

func (c constantSim) Score(float32, int64) float32 { return float32(c) }

// Norm bytes hold a field length as a floating-point number with four bits of mantissa, lengths below
// 40 exactly.
const normExact = 24 // 255 less the largest code of a 31-bit number

// EncodeNorm returns the norm byte of a field of so many tokens.
func EncodeNorm(length int32) byte {
	if length < normExact {
		return byte(max(length, 0))
	}
	return byte(normExact + longToInt4(int64(length-normExact)))
}

// DecodeNorm returns the field length that a norm byte stands for.
func DecodeNorm(b byte) int32 {
	if b < normExact {
		return int32(b)
	}
	return int32(normExact + int4ToLong(int(b)-normExact))
}

func longToInt4(v int64) int {
	n := bits.Len64(uint64(v))
	if n < 4 {
		return int(v)
	}
	shift := n - 4
	return int(v>>shift)&7 | (shift+1)<<3
}

func int4ToLong(i int) int64 {
	b := int64(i & 7)
	shift := i>>3 - 1
	if shift < 0 {
		return b
	}
	return (b | 8) << shift
}
