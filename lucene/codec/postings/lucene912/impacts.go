package lucene912

import (
	"slices"

	"github.com/varve-search/varve/lucene"
)

// accumulator collects the competitive pairs of frequency and norm: those for which no other pair has at
// least the frequency and at most the norm (as unsigned).
type accumulator struct {
	maxFreq [256]int32      // by norms of one byte, the common case
	used    bool            // maxFreq is not empty
	others  []lucene.Impact // other norms, competitive among themselves, both ascending
}

func (a *accumulator) clear() {
	if a.used {
		clear(a.maxFreq[:])
		a.used = false
	}
	a.others = a.others[:0]
}

func (a *accumulator) add(freq int32, norm int64) {
	if norm == int64(int8(norm)) {
		a.used = true
		if m := &a.maxFreq[uint8(norm)]; freq > *m {
			*m = freq
		}
		return
	}
	a.others = addImpact(a.others, lucene.Impact{Freq: freq, Norm: norm})
}

func (a *accumulator) addAll(b *accumulator) {
	if b.used {
		a.used = true
		for i, f := range b.maxFreq {
			if f > a.maxFreq[i] {
				a.maxFreq[i] = f
			}
		}
	}
	for _, im := range b.others {
		a.others = addImpact(a.others, im)
	}
}

// appendTo appends the competitive pairs, both parts ascending, to list.
func (a *accumulator) appendTo(list []lucene.Impact) []lucene.Impact {
	var most int32
	for i, f := range a.maxFreq {
		if f > most {
			list = append(list, lucene.Impact{Freq: f, Norm: int64(int8(i))})
			most = f
		}
	}
	for _, im := range a.others {
		list = addImpact(list, im)
	}
	return list
}

// addImpact adds a pair to a list of competitive pairs, and drops those that it beats.
func addImpact(list []lucene.Impact, im lucene.Impact) []lucene.Impact {
	i, _ := slices.BinarySearchFunc(list, im.Freq, func(x lucene.Impact, f int32) int { return int(int64(x.Freq) - int64(f)) })
	if i < len(list) && uint64(list[i].Norm) <= uint64(im.Norm) {
		return list // one of at least the frequency has as good a norm
	}
	j := i
	if j < len(list) && list[j].Freq == im.Freq {
		j++
	}
	for i > 0 && uint64(list[i-1].Norm) >= uint64(im.Norm) {
		i--
	}
	return slices.Replace(list, i, j, im)
}
