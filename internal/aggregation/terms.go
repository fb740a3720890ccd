package aggregation

import (
	"math"
	"slices"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene"
)

// termsKind is the aggregation terms.
type termsKind struct {
	n           *node
	src         *source
	size        int64
	shardSize   int64
	minDocCount int64
	orders      []order
	pick        *includeExclude
	showError   bool
}

func parseTerms(n *node, p *params, r Resolver) (kind, error) {
	k := &termsKind{n: n}
	var err error
	if k.src, err = p.source(r, ""); err != nil {
		return nil, err
	}
	if k.src.col != nil && k.src.col.Class == ClassOther {
		return nil, apierr.IllegalArgument("Field [%s] of type [%s] is not supported for aggregation [terms]", k.src.field, k.src.col.Type)
	}
	if k.size, err = p.integer("size", 10); err != nil {
		return nil, err
	}
	if k.size <= 0 {
		return nil, apierr.IllegalArgument("[size] must be greater than 0. Found [%d] in [%s]", k.size, p.agg)
	}
	if k.shardSize, err = p.integer("shard_size", k.size*3/2+10); err != nil {
		return nil, err
	}
	k.shardSize = max(k.shardSize, k.size)
	if k.minDocCount, err = p.integer("min_doc_count", 1); err != nil {
		return nil, err
	}
	if k.minDocCount < 0 {
		return nil, apierr.IllegalArgument("[min_doc_count] must be greater than or equal to 0. Found [%d] in [%s]", k.minDocCount, p.agg)
	}
	if k.showError, err = p.boolean("show_term_doc_count_error", false); err != nil {
		return nil, err
	}
	for _, name := range []string{"shard_min_doc_count", "execution_hint", "collect_mode"} {
		if _, err := p.text(name); err != nil {
			return nil, err
		}
	}
	if k.orders, err = parseOrder(p, []order{{path: "_count", desc: true}, {path: "_key"}}); err != nil {
		return nil, err
	}
	if err := checkOrder(k.orders, n.subs); err != nil {
		return nil, err
	}
	k.pick, err = parseIncludeExclude(p, r, k.src.col)
	return k, err
}

func (k *termsKind) typedName() string {
	switch {
	case k.src.col == nil:
		return "umterms"
	case k.src.col.Class == ClassBytes:
		return "sterms"
	case k.src.col.Class == ClassDouble:
		return "dterms"
	case k.src.col.Unsigned:
		return "ulterms"
	}
	return "lterms"
}

func (k *termsKind) collector(subs []collector) collector {
	if k.src.col != nil && k.src.col.Class == ClassBytes || k.src.col == nil {
		byCount := k.pick == nil && k.src.missing == nil && !k.zeroBucket()
		for _, o := range k.orders {
			byCount = byCount && (o.path == "_count" || o.path == "_key")
		}
		return &stringTerms{k: k, counts: counts{subs: subs}, index: map[stringKey]int64{}, byCount: byCount}
	}
	return &numberTerms{k: k, counts: counts{subs: subs}, index: map[numberKey]int64{}}
}

// zeroBucket tells whether terms of the index that no document of the query has are wanted too.
func (k *termsKind) zeroBucket() bool { return k.minDocCount == 0 }

type stringKey struct {
	parent int64
	term   string
}

// stringTerms collects terms of a dictionary. Within a leaf it goes by ordinal, and looks the term up once.
type stringTerms struct {
	k *termsKind
	counts
	index  map[stringKey]int64 // to bucket
	keys   []stringKey
	ords   *ordinals
	byOrd  []int64 // bucket of each ordinal for parent 0; -1 unknown, -2 excluded
	others map[numberKey]int64
	seen   map[string]bool // all terms, where those without documents are wanted
	// byCount tells that the documents of parent 0 are only counted, by ordinal, and terms looked up when the leaf ends.
	byCount bool
	ordDocs []int64 // of the current leaf; nil where they are not counted by ordinal
	reader  lucene.LeafReader
	counted []*ordinalCounts // of the leaves before
}

func (c *stringTerms) leaf(ctx *lucene.LeafContext) (err error) {
	c.endLeaf()
	c.ords, c.byOrd, c.others = nil, nil, nil
	if err := c.counts.leaf(ctx); err != nil {
		return err
	}
	if c.k.src.col != nil {
		if c.ords, err = openOrdinals(ctx.Reader, c.k.src.col.Field); err != nil {
			return err
		}
	}
	if c.ords != nil {
		n := c.ords.dict.ValueCount()
		c.others = map[numberKey]int64{}
		switch {
		case n > maxByOrd:
		case c.byCount && c.plain():
			c.ordDocs, c.reader = make([]int64, n), ctx.Reader
		default:
			c.byOrd = make([]int64, n)
			for i := range c.byOrd {
				c.byOrd[i] = -1
			}
		}
		if c.k.zeroBucket() {
			return c.addAll(n)
		}
	}
	return nil
}

// maxByOrd is the largest dictionary for which an array by ordinal is made.
const maxByOrd = 1 << 22

// endLeaf sets aside what was counted by ordinal.
func (c *stringTerms) endLeaf() {
	if c.ordDocs != nil {
		c.counted = append(c.counted, &ordinalCounts{leaf: c.reader, dict: c.ords.dict, docs: c.ordDocs})
		c.ordDocs = nil
	}
}

// addAll notes every term of the leaf.
func (c *stringTerms) addAll(n int64) error {
	if c.seen == nil {
		c.seen = map[string]bool{}
	}
	for ord := range n {
		term, err := c.ords.dict.LookupOrd(ord)
		if err != nil {
			return err
		}
		if c.k.pick.acceptBytes(term) {
			c.seen[string(term)] = true
		}
	}
	return nil
}

func (c *stringTerms) bucketOf(parent int64, term string) int64 {
	key := stringKey{parent, term}
	b, ok := c.index[key]
	if !ok {
		b = int64(len(c.keys))
		c.index[key] = b
		c.keys = append(c.keys, key)
	}
	return b
}

func (c *stringTerms) bucketOfOrd(parent, ord int64) (int64, error) {
	if parent == 0 && c.byOrd != nil {
		if b := c.byOrd[ord]; b != -1 {
			return b, nil
		}
	} else if b, ok := c.others[numberKey{parent, ord}]; ok {
		return b, nil
	}
	term, err := c.ords.dict.LookupOrd(ord)
	if err != nil {
		return 0, err
	}
	b := int64(-2)
	if c.k.pick.acceptBytes(term) {
		b = c.bucketOf(parent, string(term))
	}
	if parent == 0 && c.byOrd != nil {
		c.byOrd[ord] = b
	} else {
		c.others[numberKey{parent, ord}] = b
	}
	return b, nil
}

func (c *stringTerms) collect(doc int32, parent int64) error {
	var ords []int64
	if c.ords != nil {
		var err error
		if ords, err = c.ords.read(doc); err != nil {
			return err
		}
	}
	if len(ords) == 0 {
		if c.k.src.missing == nil {
			return nil
		}
		term := []byte(*c.k.src.missing)
		if c.k.src.col != nil {
			var err error
			if term, err = c.k.src.col.Format.ParseBytes(*c.k.src.missing); err != nil {
				return err
			}
		}
		if !c.k.pick.acceptBytes(term) {
			return nil
		}
		return c.add(doc, c.bucketOf(parent, string(term)))
	}
	if parent == 0 && c.ordDocs != nil {
		for _, ord := range ords {
			c.ordDocs[ord]++
		}
		return nil
	}
	for _, ord := range ords {
		b, err := c.bucketOfOrd(parent, ord)
		if err != nil {
			return err
		}
		if b >= 0 {
			if err := c.add(doc, b); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *stringTerms) collectBatch(docs []int32, buckets []int64) error {
	if c.ords == nil || c.weight != nil || c.k.src.missing != nil {
		return collectEach(c, docs, buckets)
	}
	found, ords, ok, err := c.ords.many(c.ords.single, docs)
	if err != nil {
		return err
	}
	if !ok {
		return collectEach(c, docs, buckets)
	}
	if buckets == nil && c.ordDocs != nil {
		for _, ord := range ords {
			c.ordDocs[ord]++
		}
		return nil
	}
	of := parents{docs: docs, buckets: buckets}
	c.batch.reset()
	for i, ord := range ords {
		b, err := c.bucketOfOrd(of.of(found[i]), ord)
		if err != nil {
			return err
		}
		if b >= 0 {
			c.batch.add(found[i], b)
		}
	}
	return c.flushBatch(len(c.keys))
}

func (c *stringTerms) result(parent int64) (result, error) {
	r := &termsResult{k: c.k}
	if parent == 0 {
		c.endLeaf()
		r.byOrd = c.counted
	}
	for i, key := range c.keys {
		if key.parent != parent {
			continue
		}
		subs, err := resultsAll(c.subs, int64(i))
		if err != nil {
			return nil, err
		}
		r.buckets = append(r.buckets, &bucket{bytes: key.term, docs: c.count(int64(i)), subs: subs})
	}
	for term := range c.seen {
		if _, ok := c.index[stringKey{parent, term}]; !ok {
			subs, err := resultsAll(c.subs, noBucket)
			if err != nil {
				return nil, err
			}
			r.buckets = append(r.buckets, &bucket{bytes: term, subs: subs})
		}
	}
	return r, nil
}

type numberKey struct{ parent, raw int64 }

// numberTerms collects raw numbers.
type numberTerms struct {
	k *termsKind
	counts
	index map[numberKey]int64
	keys  []numberKey
	nums  *numbers
	seen  map[int64]bool
	// last is the bucket that was found last: sorted and repetitive data find it again.
	last    numberKey
	lastB   int64
	hasLast bool
}

func (c *numberTerms) leaf(ctx *lucene.LeafContext) (err error) {
	if c.nums, err = openNumbers(ctx.Reader, c.k.src.col.Field); err != nil {
		return err
	}
	if c.nums != nil && c.k.zeroBucket() {
		if err := c.addAll(ctx); err != nil {
			return err
		}
	}
	return c.counts.leaf(ctx)
}

// addAll notes every value of the leaf's live documents.
func (c *numberTerms) addAll(ctx *lucene.LeafContext) error {
	all, err := openNumbers(ctx.Reader, c.k.src.col.Field)
	if err != nil || all == nil {
		return err
	}
	if c.seen == nil {
		c.seen = map[int64]bool{}
	}
	live := ctx.Reader.LiveDocs()
	for doc := range ctx.Reader.MaxDoc() {
		if live != nil && !live.Get(doc) {
			continue
		}
		vals, err := all.read(doc)
		if err != nil {
			return err
		}
		for _, v := range vals {
			c.seen[v] = true
		}
	}
	return nil
}

func (c *numberTerms) collectBatch(docs []int32, buckets []int64) error {
	if c.nums == nil || c.weight != nil || c.k.src.missing != nil || c.k.src.col.Class == ClassDouble {
		return collectEach(c, docs, buckets)
	}
	found, vals, ok, err := c.nums.many(c.nums.single, docs)
	if err != nil {
		return err
	}
	if !ok {
		return collectEach(c, docs, buckets)
	}
	of := parents{docs: docs, buckets: buckets}
	c.batch.reset()
	for i, v := range vals {
		if b := c.bucketOf(of.of(found[i]), v); b >= 0 {
			c.batch.add(found[i], b)
		}
	}
	return c.flushBatch(len(c.keys))
}

func (c *numberTerms) collect(doc int32, parent int64) error {
	var vals []int64
	if c.nums != nil {
		var err error
		if vals, err = c.nums.read(doc); err != nil {
			return err
		}
	}
	if len(vals) == 0 && c.k.src.missing != nil {
		raw, f, ok, err := c.k.src.missingRaw()
		if err != nil {
			return err
		}
		if ok {
			if c.k.src.col.Class == ClassDouble {
				raw = int64(math.Float64bits(f))
				return c.addRaw(doc, parent, raw)
			}
			vals = []int64{raw}
		}
	}
	for i, v := range vals {
		if i > 0 && v == vals[i-1] {
			continue // a document counts once a term
		}
		if c.k.src.col.Class == ClassDouble {
			v = int64(math.Float64bits(c.k.src.col.Double(v)))
		}
		if err := c.addRaw(doc, parent, v); err != nil {
			return err
		}
	}
	return nil
}

func (c *numberTerms) addRaw(doc int32, parent, raw int64) error {
	if b := c.bucketOf(parent, raw); b >= 0 {
		return c.add(doc, b)
	}
	return nil
}

// bucketOf returns the bucket of a number, or -1 where it is not counted.
func (c *numberTerms) bucketOf(parent, raw int64) int64 {
	key := numberKey{parent, raw}
	if c.hasLast && key == c.last {
		return c.lastB
	}
	if !c.accept(raw) {
		return -1
	}
	b, ok := c.index[key]
	if !ok {
		b = int64(len(c.keys))
		c.index[key] = b
		c.keys = append(c.keys, key)
	}
	c.last, c.lastB, c.hasLast = key, b, true
	return b
}

func (c *numberTerms) accept(raw int64) bool {
	if c.k.src.col.Class == ClassDouble {
		return c.k.pick.acceptFloat(math.Float64frombits(uint64(raw)))
	}
	return c.k.pick.acceptInt(raw)
}

func (c *numberTerms) result(parent int64) (result, error) {
	r := &termsResult{k: c.k}
	make := func(raw, at, docs int64) error {
		b := &bucket{num: raw, docs: docs}
		if c.k.src.col.Class == ClassDouble {
			b.float = math.Float64frombits(uint64(raw))
		}
		var err error
		b.subs, err = resultsAll(c.subs, at)
		r.buckets = append(r.buckets, b)
		return err
	}
	for i, key := range c.keys {
		if key.parent == parent {
			if err := make(key.raw, int64(i), c.count(int64(i))); err != nil {
				return nil, err
			}
		}
	}
	for v := range c.seen {
		if c.k.src.col.Class == ClassDouble {
			v = int64(math.Float64bits(c.k.src.col.Double(v)))
		}
		if _, ok := c.index[numberKey{parent, v}]; !ok && c.accept(v) {
			if err := make(v, noBucket, 0); err != nil {
				return nil, err
			}
		}
	}
	return r, nil
}

// termsResult is the result of terms.
type termsResult struct {
	k       *termsKind
	buckets []*bucket
	other   int64 // documents in buckets that were cut off
	errs    int64 // what cut-off buckets of shards may hold at most; -1 unknown
	shards  int   // how many shards were merged; 0 is one that is not finished
	typed   bool
	byOrd   []*ordinalCounts // instead of buckets, until the shard is done
}

func (r *termsResult) less() func(a, b *bucket) int {
	k := r.k
	return sorter(k.orders, k.n.subs, func(a, b *bucket) int {
		switch {
		case k.src.col == nil || k.src.col.Class == ClassBytes:
			return strings.Compare(a.bytes, b.bytes)
		case k.src.col.Class == ClassDouble:
			return compareFloat(a.float, b.float)
		case k.src.col.Unsigned:
			return compareInt(a.num^math.MinInt64, b.num^math.MinInt64)
		}
		return compareInt(a.num, b.num)
	})
}

func (r *termsResult) cutShard() error {
	r.shards = 1
	if len(r.buckets) > 0 {
		if err := r.resolve(); err != nil {
			return err
		}
	}
	if r.byOrd != nil {
		total, cut, err := r.best()
		if err != nil || !cut {
			return err
		}
		r.other = total
	} else {
		slices.SortFunc(r.buckets, r.less())
		if int64(len(r.buckets)) <= r.k.shardSize {
			return nil
		}
		for _, b := range r.buckets[r.k.shardSize:] {
			r.other += b.docs
		}
		r.buckets = r.buckets[:r.k.shardSize]
	}
	switch first := r.k.orders[0]; {
	case first.path == "_key":
	case first.path == "_count" && first.desc:
		r.errs = r.buckets[len(r.buckets)-1].docs
	default:
		r.errs = -1
	}
	return nil
}

func (r *termsResult) merge(others []result) (result, error) {
	if r.onlyByOrd(others) {
		for _, o := range others {
			r.byOrd = addOrdinals(r.byOrd, o.(*termsResult).byOrd)
		}
		return r, nil
	}
	for _, t := range append([]result{r}, others...) {
		if err := t.(*termsResult).resolve(); err != nil {
			return nil, err
		}
	}
	lists := [][]*bucket{r.buckets}
	all := []*termsResult{r}
	for _, o := range others {
		all = append(all, o.(*termsResult))
		lists = append(lists, o.(*termsResult).buckets)
	}
	var errs, other int64
	shards := 0
	for _, t := range all {
		for _, b := range t.buckets {
			b.errs -= t.errs // a term that a shard sent was not missed there
		}
		if errs == -1 || t.errs == -1 {
			errs = -1
		} else {
			errs += t.errs
		}
		other += t.other
		shards += t.shards
	}
	var err error
	if r.k.src.col == nil || r.k.src.col.Class == ClassBytes {
		r.buckets, err = mergeBuckets(lists, func(b *bucket) string { return b.bytes })
	} else {
		r.buckets, err = mergeBuckets(lists, func(b *bucket) int64 { return b.num })
	}
	r.errs, r.other, r.shards = errs, other, shards
	return r, err
}

// onlyByOrd tells whether all there is was counted by ordinal.
func (r *termsResult) onlyByOrd(others []result) bool {
	for _, t := range append([]result{r}, others...) {
		if t := t.(*termsResult); len(t.buckets) > 0 || t.shards > 0 {
			return false
		}
	}
	return true
}

func (r *termsResult) finish() error {
	if err := r.resolve(); err != nil {
		return err
	}
	if r.shards <= 1 {
		r.errs = 0
	}
	for _, b := range r.buckets {
		if err := finishAll(b.subs); err != nil {
			return err
		}
		if r.errs == -1 {
			b.errs = -1
		} else if r.shards > 1 {
			b.errs += r.errs
		} else {
			b.errs = 0
		}
	}
	kept := r.buckets[:0]
	for _, b := range r.buckets {
		if b.docs >= r.k.minDocCount {
			kept = append(kept, b)
		}
	}
	slices.SortFunc(kept, r.less())
	if int64(len(kept)) > r.k.size {
		for _, b := range kept[r.k.size:] {
			r.other += b.docs
		}
		kept = kept[:r.k.size]
	}
	r.buckets = kept
	return tooManyBuckets(len(kept))
}

func (r *termsResult) setTyped(b bool) { r.typed = b }

func (r *termsResult) render(o *xcontent.Object) error {
	list := make([]any, 0, len(r.buckets))
	for _, b := range r.buckets {
		one := &xcontent.Object{}
		r.renderKey(b, one)
		one.Add("doc_count", b.docs)
		if r.k.showError {
			one.Add("doc_count_error_upper_bound", b.errs)
		}
		if err := renderAll(one, r.k.n.subs, b.subs, r.typed); err != nil {
			return err
		}
		list = append(list, one)
	}
	o.Add("doc_count_error_upper_bound", r.errs)
	o.Add("sum_other_doc_count", r.other)
	o.Add("buckets", list)
	return nil
}

func (r *termsResult) renderKey(b *bucket, o *xcontent.Object) {
	col := r.k.src.col
	switch {
	case col == nil:
		o.Add("key", b.bytes)
	case col.Class == ClassBytes:
		o.Add("key", col.Format.Bytes([]byte(b.bytes)))
	case col.Class == ClassDouble:
		o.Add("key", Double(b.float))
		if col.ShowFormatted {
			o.Add("key_as_string", col.Format.Double(b.float))
		}
	default:
		if col.Unsigned {
			o.Add("key", uint64(b.num))
		} else {
			o.Add("key", b.num)
		}
		if col.ShowFormatted {
			o.Add("key_as_string", col.Format.Long(b.num))
		}
	}
}

func (r *termsResult) value(string) (float64, bool) { return 0, false }
