package index

import (
	"cmp"
	"math"
	"slices"
)

// MergePolicy chooses segments to merge, in tiers of similar size (Lucene's TieredMergePolicy, with OpenSearch's
// settings). It does not look at neighbours: any segments may be merged together.
type MergePolicy struct {
	MaxMergeAtOnce        int     // segments of one merge
	SegmentsPerTier       float64 // segments of similar size that are left alone
	MaxMergedBytes        int64   // a merge is not to become larger
	FloorBytes            int64   // smaller segments count as this large
	DeletesPctAllowed     float64 // deleted documents of the index, in percent, that are left alone
	ExpungeDeletesPct     float64 // ForceMergeDeletes takes segments with more deleted documents
	CompoundRatio         float64 // a merged segment is a compound file if it is at most this part of the index; 0: never
	MaxCompoundBytes      int64   // and not larger than this
	MaxForceMergeSegments int     // segments of one merge of ForceMerge
}

// DefaultMergePolicy returns OpenSearch's defaults.
func DefaultMergePolicy() *MergePolicy {
	return &MergePolicy{
		MaxMergeAtOnce: 10, SegmentsPerTier: 10, MaxMergedBytes: 5 << 30, FloorBytes: 2 << 20,
		DeletesPctAllowed: 20, ExpungeDeletesPct: 10, CompoundRatio: 0.1, MaxCompoundBytes: math.MaxInt64,
		MaxForceMergeSegments: 30,
	}
}

// candidate is a segment as the policy sees it. Bytes are those of its live documents, roughly.
type candidate struct {
	seg     *segment
	bytes   int64
	all     int64
	maxDoc  int64
	deleted int64
}

func newCandidate(s *segment) candidate {
	c := candidate{seg: s, all: s.bytes, maxDoc: int64(s.maxDoc()), deleted: int64(s.maxDoc() - s.alive)}
	c.bytes = c.all
	if c.maxDoc > 0 {
		c.bytes = int64(float64(c.all) * float64(c.maxDoc-c.deleted) / float64(c.maxDoc))
	}
	return c
}

func bySize(cs []candidate) {
	slices.SortFunc(cs, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.bytes, a.bytes), cmp.Compare(a.seg.name, b.seg.name))
	})
}

func (p *MergePolicy) floor(n int64) float64 { return float64(max(n, p.FloorBytes)) }

// find returns merges that bring the index within its tiers. free segments may be merged, busy ones are being merged.
func (p *MergePolicy) find(free, busy []candidate) [][]*segment {
	eligible := slices.Clone(free)
	bySize(eligible)
	var total, busyBytes, maxDocs, deleted int64
	least := int64(math.MaxInt64)
	for _, c := range busy {
		busyBytes += c.bytes
		maxDocs += c.maxDoc - c.deleted
		total += c.bytes
		least = min(least, c.bytes)
	}
	for _, c := range eligible {
		deleted += c.deleted
		maxDocs += c.maxDoc
		total += c.bytes
		least = min(least, c.bytes)
	}
	if len(eligible) == 0 || maxDocs == 0 {
		return nil
	}
	pctDeleted := 100 * float64(deleted) / float64(maxDocs)
	allowedDeleted := int64(p.DeletesPctAllowed * float64(maxDocs) / 100)
	// large segments are left alone, unless they are what the deleted documents sit in
	eligible = slices.DeleteFunc(eligible, func(c candidate) bool {
		large := c.bytes > p.MaxMergedBytes/2
		if large && (pctDeleted <= p.DeletesPctAllowed || 100*float64(c.deleted) <= p.DeletesPctAllowed*float64(c.maxDoc)) {
			total -= c.bytes
			allowedDeleted -= c.deleted
			return true
		}
		return false
	})
	factor := min(float64(p.MaxMergeAtOnce), p.SegmentsPerTier)
	level := max(least, p.FloorBytes)
	allowed, left := 0.0, float64(total)
	for {
		n := left / float64(level)
		if n < p.SegmentsPerTier || level == p.MaxMergedBytes {
			allowed += math.Ceil(n)
			break
		}
		allowed += p.SegmentsPerTier
		left -= p.SegmentsPerTier * float64(level)
		level = min(p.MaxMergedBytes, int64(float64(level)*factor))
	}
	allowed = max(allowed, p.SegmentsPerTier)
	return p.choose(eligible, int(allowed), max(allowedDeleted, 0), int(factor), busyBytes >= p.MaxMergedBytes)
}

// choose picks the best merges one after another, as long as there are too many segments or deletes.
func (p *MergePolicy) choose(eligible []candidate, allowed int, allowedDeleted int64, factor int, maxRuns bool) [][]*segment {
	var out [][]*segment
	oneLarge := false
	for len(eligible) > 0 {
		var deleted int64
		for _, c := range eligible {
			deleted += c.deleted
		}
		if len(eligible) <= allowed && deleted <= allowedDeleted {
			return out
		}
		best, large := p.best(eligible, factor, maxRuns)
		if best == nil {
			return out
		}
		if !oneLarge || !large { // one large merge at a time
			oneLarge = oneLarge || large
			out = append(out, segmentsOf(best))
		}
		eligible = slices.DeleteFunc(eligible, func(c candidate) bool {
			return slices.ContainsFunc(best, func(b candidate) bool { return b.seg == c.seg })
		})
	}
	return out
}

func segmentsOf(cs []candidate) []*segment {
	out := make([]*segment, len(cs))
	for i, c := range cs {
		out[i] = c.seg
	}
	return out
}

// best returns the merge with the lowest score among those that begin at each segment and take smaller ones.
func (p *MergePolicy) best(eligible []candidate, factor int, maxRuns bool) (best []candidate, large bool) {
	bestScore := math.Inf(1)
	for start := range eligible {
		var picked []candidate
		var bytes int64
		tooLarge := false
		for _, c := range eligible[start:] {
			if len(picked) >= factor || bytes >= p.MaxMergedBytes {
				break
			}
			if bytes+c.bytes > p.MaxMergedBytes {
				tooLarge = true
				if len(picked) == 0 { // alone, to get rid of its deleted documents
					picked = append(picked, c)
					bytes += c.bytes
				}
				continue // smaller ones may still fit
			}
			picked = append(picked, c)
			bytes += c.bytes
		}
		first := picked[0]
		few := 100*float64(first.deleted) < p.DeletesPctAllowed*float64(first.maxDoc)
		if !tooLarge && float64(bytes) < 1.5*float64(first.bytes) && few {
			continue // would rewrite a segment to make it barely larger
		}
		if len(picked) == 1 && first.deleted == 0 {
			continue
		}
		if best != nil && !tooLarge && len(picked) < factor {
			break // from here on merges only get smaller
		}
		if score := p.score(picked, tooLarge); score < bestScore && (!tooLarge || !maxRuns) {
			best, bestScore, large = picked, score, tooLarge
		}
	}
	return best, large
}

// score is low for merges of segments of similar size, of small ones, and of those with many deleted documents.
func (p *MergePolicy) score(picked []candidate, tooLarge bool) float64 {
	var before, after int64
	floored := 0.0
	for _, c := range picked {
		before += c.all
		after += c.bytes
		floored += p.floor(c.bytes)
	}
	skew := 1 / min(float64(p.MaxMergeAtOnce), p.SegmentsPerTier)
	if !tooLarge {
		skew = p.floor(picked[0].bytes) / floored
	}
	kept := float64(after) / float64(max(before, 1))
	return skew * math.Pow(float64(max(after, 1)), 0.05) * kept * kept
}

// force returns merges that lead to at most n segments; call it again when they are done, until it returns none. With
// n = 1 the size is not limited.
func (p *MergePolicy) force(free []candidate, n int) [][]*segment {
	cs := slices.Clone(free)
	bySize(cs)
	if len(cs) <= n {
		if n == 1 && len(cs) == 1 && cs[0].deleted > 0 {
			return [][]*segment{segmentsOf(cs)}
		}
		return nil
	}
	// the smallest ones are merged, as many as must go
	k := min(len(cs)-n+1, max(p.MaxForceMergeSegments, 2))
	return [][]*segment{segmentsOf(cs[len(cs)-k:])}
}

// expunge returns merges that rewrite the segments with more deleted documents than allowed.
func (p *MergePolicy) expunge(free []candidate) [][]*segment {
	var out [][]*segment
	for _, c := range free {
		if c.maxDoc > 0 && 100*float64(c.deleted) > p.ExpungeDeletesPct*float64(c.maxDoc) {
			out = append(out, []*segment{c.seg})
		}
	}
	return out
}

// compound tells whether a merged segment becomes a compound file.
func (p *MergePolicy) compound(merged, index int64) bool {
	if p.CompoundRatio <= 0 || merged > p.MaxCompoundBytes {
		return false
	}
	return p.CompoundRatio >= 1 || float64(merged) <= p.CompoundRatio*float64(index)
}
