package aggregation

import (
	"cmp"
	"slices"

	"github.com/varve-search/varve/lucene"
)

// ShardDone cuts the results of a shard, when its slices are merged, to what it sends to the coordinator:
// shard_size terms and a bound of the rest.
func (r Results) ShardDone() error {
	return shardDoneAll(r.rs)
}

func shardDoneAll(rs []result) error {
	for _, r := range rs {
		if err := shardDone(r); err != nil {
			return err
		}
	}
	return nil
}

func shardDoneBuckets(bs []*bucket) error {
	for _, b := range bs {
		if err := shardDoneAll(b.subs); err != nil {
			return err
		}
	}
	return nil
}

func shardDone(one result) error {
	switch one := one.(type) {
	case *termsResult:
		if err := one.cutShard(); err != nil {
			return err
		}
		return shardDoneBuckets(one.buckets)
	case *single:
		return shardDoneAll(one.subs)
	case *fixedBuckets:
		return shardDoneBuckets(one.buckets)
	case *histogramResult:
		return shardDoneBuckets(one.buckets)
	}
	return nil
}

// ordinalCounts are the documents of each term of a dictionary. As long as they are those of one leaf, only the terms that
// are kept need be looked up.
type ordinalCounts struct {
	dict lucene.TermDictionary
	docs []int64
}

// bucket looks a term up.
func (o *ordinalCounts) bucket(ord int64) (*bucket, error) {
	term, err := o.dict.LookupOrd(ord)
	if err != nil {
		return nil, err
	}
	return &bucket{bytes: string(term), docs: o.docs[ord]}, nil
}

// resolve turns what is counted by ordinal into buckets.
func (r *termsResult) resolve() error {
	o := r.byOrd
	r.byOrd = nil
	if o == nil {
		return nil
	}
	for ord, n := range o.docs {
		if n > 0 {
			b, err := o.bucket(int64(ord))
			if err != nil {
				return err
			}
			r.buckets = append(r.buckets, b)
		}
	}
	return nil
}

// best puts the shard_size first terms into the result's buckets, in order. It returns the documents of the others, and
// whether there are any.
func (o *ordinalCounts) best(r *termsResult) (rest int64, cut bool, err error) {
	r.byOrd = nil
	compare := func(a, b int64) int {
		for _, by := range r.k.orders {
			c := 0
			if by.path == "_count" {
				c = cmp.Compare(o.docs[a], o.docs[b])
			} else { // terms are in the order of their ordinals
				c = cmp.Compare(a, b)
			}
			if by.desc {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	}
	size := int(min(r.k.shardSize, int64(len(o.docs))))
	kept := make([]int64, 0, 2*size)
	floor := int64(-1) // the worst that was kept when there were enough
	for ord, n := range o.docs {
		if n == 0 {
			continue
		}
		rest += n
		if floor >= 0 && compare(int64(ord), floor) >= 0 {
			cut = true
			continue
		}
		kept = append(kept, int64(ord))
		if len(kept) == 2*size {
			slices.SortFunc(kept, compare)
			kept, floor, cut = kept[:size], kept[size-1], true
		}
	}
	slices.SortFunc(kept, compare)
	if len(kept) > size {
		kept, cut = kept[:size], true
	}
	r.buckets = make([]*bucket, len(kept))
	for i, ord := range kept {
		if r.buckets[i], err = o.bucket(ord); err != nil {
			return 0, false, err
		}
		rest -= r.buckets[i].docs
	}
	return rest, cut, nil
}
