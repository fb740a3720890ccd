package search

import (
	"container/list"
	"sync"

	"github.com/varve-search/varve/lucene"
)

// QueryCache keeps the matches of filters.
type QueryCache interface {
	// Wrap returns a weight of the same matches that may come from the cache. It does not score.
	Wrap(w Weight) Weight
}

// LRUCache is a QueryCache that keeps sets of documents of queries that were used several times, the least recently
// used leave first. Sets hold deleted documents too, so that they stay valid as long as the segment's
// files and doc-values updates do.
type LRUCache struct {
	// MinDocs is the size of segments below which nothing is cached.
	MinDocs int32
	// MinUses is how often a query is used before it is cached.
	MinUses int

	mu       sync.Mutex
	maxBytes int64
	bytes    int64
	lru      *list.List // of *cacheEntry, most recently used first
	entries  map[cacheKey]*list.Element
	uses     map[string]int
	recent   []string // ring of the last uses
	at       int
	hits     int64
	misses   int64
}

type cacheKey struct {
	segment       lucene.ID
	dvGen, fisGen int64
	query         string
}

type cacheEntry struct {
	key   cacheKey
	set   *DocIDSet
	bytes int64
}

// NewLRUCache returns a cache of at most maxBytes.
func NewLRUCache(maxBytes int64) *LRUCache {
	return &LRUCache{MinDocs: 10000, MinUses: 3, maxBytes: maxBytes, lru: list.New(), entries: map[cacheKey]*list.Element{},
		uses: map[string]int{}, recent: make([]string, 256)}
}

// CacheStats are the counts of a cache.
type CacheStats struct {
	Hits, Misses, Bytes int64
	Entries             int
}

// Stats returns the cache's counts.
func (c *LRUCache) Stats() CacheStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return CacheStats{c.hits, c.misses, c.bytes, len(c.entries)}
}

// Clear empties the cache.
func (c *LRUCache) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lru.Init()
	clear(c.entries)
	c.bytes = 0
}

// Wrap implements QueryCache. Queries that are as cheap as a cached set are left alone.
func (c *LRUCache) Wrap(w Weight) Weight {
	switch w.(type) {
	case *termWeight, *cachedWeight:
		return w
	}
	switch q := w.Query().(type) {
	case MatchAll, MatchNone:
		return w
	case interface{ Uncacheable() bool }:
		if q.Uncacheable() {
			return w
		}
	}
	return &cachedWeight{Weight: w, c: c, key: w.Query().String()}
}

// used notes a use and tells whether the query was used often enough of late.
func (c *LRUCache) used(key string) bool {
	if old := c.recent[c.at]; old != "" {
		if c.uses[old]--; c.uses[old] == 0 {
			delete(c.uses, old)
		}
	}
	c.recent[c.at] = key
	c.at = (c.at + 1) % len(c.recent)
	c.uses[key]++
	return c.uses[key] >= c.MinUses
}

func (c *LRUCache) get(k cacheKey) (set *DocIDSet, worth bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	worth = c.used(k.query)
	if e := c.entries[k]; e != nil {
		c.hits++
		c.lru.MoveToFront(e)
		return e.Value.(*cacheEntry).set, true
	}
	c.misses++
	return nil, worth
}

func (c *LRUCache) put(k cacheKey, set *DocIDSet) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries[k] != nil {
		return
	}
	e := &cacheEntry{k, set, set.Bytes() + int64(len(k.query)) + 200}
	c.bytes += e.bytes
	c.entries[k] = c.lru.PushFront(e)
	for c.bytes > c.maxBytes {
		last := c.lru.Back()
		old := last.Value.(*cacheEntry)
		c.lru.Remove(last)
		delete(c.entries, old.key)
		c.bytes -= old.bytes
	}
}

type cachedWeight struct {
	Weight
	c   *LRUCache
	key string
}

// look returns the cached set of a segment, or else whether it is worth making, and its key.
func (w *cachedWeight) look(leaf *lucene.LeafContext) (set *DocIDSet, worth bool, k cacheKey) {
	k, ok := w.keyOf(leaf)
	if !ok {
		return nil, false, k
	}
	set, worth = w.c.get(k)
	return set, worth, k
}

// Count implements Weight: the matches of a cached set are counted at once.
func (w *cachedWeight) Count(leaf *lucene.LeafContext) (int, error) {
	if n, err := w.Weight.Count(leaf); n >= 0 || err != nil {
		return n, err
	}
	if set := w.peek(leaf); set != nil {
		return set.live(leaf.Reader.LiveDocs()), nil
	}
	return -1, nil
}

// peek returns the cached set of a segment, or nil. It is no use of the query.
func (w *cachedWeight) peek(leaf *lucene.LeafContext) *DocIDSet {
	k, ok := w.keyOf(leaf)
	if !ok {
		return nil
	}
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	if e := w.c.entries[k]; e != nil {
		return e.Value.(*cacheEntry).set
	}
	return nil
}

func (w *cachedWeight) keyOf(leaf *lucene.LeafContext) (cacheKey, bool) {
	seg := leaf.Reader.Segment()
	if seg == nil || leaf.Reader.MaxDoc() < w.c.MinDocs || seg.Info.ID == (lucene.ID{}) {
		return cacheKey{}, false
	}
	return cacheKey{seg.Info.ID, seg.DocValuesGen, seg.FieldInfosGen, w.key}, true
}

func (w *cachedWeight) Supplier(leaf *lucene.LeafContext) (ScorerSupplier, error) {
	set, worth, k := w.look(leaf)
	if set != nil {
		return setSupplier(set), nil
	}
	sup, err := w.Weight.Supplier(leaf)
	if err != nil || !worth {
		return sup, err
	}
	if sup == nil {
		w.c.put(k, &DocIDSet{})
		return nil, nil
	}
	return supplierFunc{sup.Cost(), func(leadCost int64) (Scorer, error) {
		if sup.Cost()/250 > leadCost {
			return sup.Scorer(leadCost) // much dearer than what the search needs
		}
		return w.fill(leaf, sup, k)
	}}, nil
}

// fill makes the set of a segment and keeps it.
func (w *cachedWeight) fill(leaf *lucene.LeafContext, sup ScorerSupplier, k cacheKey) (Scorer, error) {
	sc, err := sup.Scorer(sup.Cost())
	if err != nil {
		return nil, err
	}
	b := NewDocIDSetBuilder(leaf.Reader.MaxDoc())
	if err := b.AddIterator(plainIterator(sc)); err != nil {
		return nil, err
	}
	set := b.Build()
	w.c.put(k, set)
	return setScorer(set), nil
}

// bulk keeps the fast ways of the inner weight where nothing is cached.
func (w *cachedWeight) bulk(leaf *lucene.LeafContext, mode ScoreMode) (bulkScorer, error) {
	set, worth, k := w.look(leaf)
	if set != nil {
		return newDefaultBulk(setScorer(set), mode), nil
	}
	if !worth {
		return bulkFor(w.Weight, leaf, mode)
	}
	sup, err := w.Weight.Supplier(leaf)
	if err != nil {
		return nil, err
	}
	if sup == nil {
		w.c.put(k, &DocIDSet{})
		return emptyBulk{}, nil
	}
	sc, err := w.fill(leaf, sup, k)
	if err != nil {
		return nil, err
	}
	return newDefaultBulk(sc, mode), nil
}

func setSupplier(set *DocIDSet) ScorerSupplier {
	if set.Len() == 0 {
		return nil
	}
	return supplierFunc{int64(set.Len()), func(int64) (Scorer, error) { return setScorer(set), nil }}
}

func setScorer(set *DocIDSet) Scorer { return newConstantScorer(set.Iterator(), 1) }
