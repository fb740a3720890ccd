package coordinator

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/query"
	"github.com/varve-search/varve/internal/uid"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene"
)

// fetch renders the hits that are shown, reading each shard's documents in their order.
func (s *Service) fetch(ctx context.Context, p *searchPlan, shards []*searchShard, results []shardHits, hits []globalHit, res *SearchResult) error {
	res.Hits = make([]*xcontent.Object, len(hits))
	byShard := make([][]int, len(shards))
	for i, h := range hits {
		byShard[h.shard] = append(byShard[h.shard], i)
	}
	errs := make([]error, len(shards))
	s.eachShard(shards, func(si int) {
		at := byShard[si]
		if len(at) == 0 {
			return
		}
		errs[si] = guard(func() error {
			b, err := s.bind(p, shards[si].ix)
			if err != nil {
				return err
			}
			slices.SortFunc(at, func(x, y int) int { return cmp.Compare(hits[x].Doc, hits[y].Doc) })
			f := b.fetch.open(shards[si].view.Leaves())
			for _, i := range at {
				if err := ctx.Err(); err != nil {
					return context.Cause(ctx)
				}
				h := &hits[i]
				if res.Hits[i], err = f.hit(h.Doc, scoreOf(&results[si], &h.Hit)); err != nil {
					return err
				}
				if sort := results[si].sort; sort != nil {
					res.Hits[i].Add("sort", sort.Render(h.Sort))
				}
			}
			return nil
		})
	})
	for si, err := range errs {
		if err == nil {
			continue
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if wholeRequest(err) {
			return err
		}
		res.Shards.Successful--
		res.Shards.Failures = append(res.Shards.Failures, ShardFailure{shards[si].ix.meta.Name, shards[si].id, s.store.NodeID(), err})
		for _, i := range byShard[si] {
			res.Hits[i] = nil
		}
		if res.Shards.Successful == 0 {
			return &PhaseError{Phase: "fetch", Reason: "all shards failed", Failures: res.Shards.Failures}
		}
	}
	res.Hits = slices.DeleteFunc(res.Hits, func(o *xcontent.Object) bool { return o == nil })
	return nil
}

// fetcher says what is shown of the hits of an index. It is safe for concurrent use.
type fetcher struct {
	src     *FetchSource
	ctx     *query.Context
	source  *query.SourceFilter
	named   []string // stored fields other than _source
	columns []columnField
}

func newFetcher(src *FetchSource, c *query.Context, limit int) (*fetcher, error) {
	f := &fetcher{src: src, ctx: c}
	var err error
	if f.source, err = query.ParseSource(src.Source); err != nil {
		return nil, err
	}
	if src.StoredNone && src.Source != nil && f.source.Wanted() {
		return nil, apierr.New(http.StatusInternalServerError, "search_exception", "[stored_fields] cannot be disabled if [_source] is requested")
	}
	asked := false
	for _, n := range src.StoredFields {
		if n == "_source" {
			asked = true
		} else {
			f.named = append(f.named, n)
		}
	}
	if src.StoredGiven && !asked && src.Source == nil {
		f.source = query.NoSource()
	}
	if len(src.Fields) > 0 {
		return nil, apierr.NotImplemented("[fields] of a search is not built in this server")
	}
	if len(f.named) > 0 && src.ReadStored == nil {
		return nil, apierr.NotImplemented("[stored_fields] is not built in this API")
	}
	f.columns, err = bindColumns(src, c, limit)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// fetchReader reads the documents of one shard, ascending.
type fetchReader struct {
	*fetcher
	leaves []lucene.LeafContext
	at     int
	stored lucene.StoredFields // of leaf at: it keeps the chunk that it read last; nil: not opened yet
	doc    fetchedDoc
}

func (f *fetcher) open(leaves []lucene.LeafContext) *fetchReader {
	r := &fetchReader{fetcher: f, leaves: leaves}
	r.doc.wantSource = f.source.Wanted()
	return r
}

// fetchedDoc takes metadata and source from the stored fields.
type fetchedDoc struct {
	wantSource  bool
	id, routing string
	source      []byte
	ignored     []any
}

// Needs implements lucene.StoredFieldVisitor.
func (d *fetchedDoc) Needs(f *lucene.FieldInfo) (lucene.VisitStatus, error) {
	switch f.Name {
	case "_id", "_routing", "_ignored":
		return lucene.VisitYes, nil
	case "_source":
		if d.wantSource {
			return lucene.VisitYes, nil
		}
	}
	return lucene.VisitNo, nil
}

// Field implements lucene.StoredFieldVisitor.
func (d *fetchedDoc) Field(f *lucene.FieldInfo, v lucene.StoredValue) error {
	var err error
	switch f.Name {
	case "_id":
		if v.Kind == lucene.StoredString {
			d.id = string(v.Bytes)
		} else {
			d.id, err = uid.Decode(v.Bytes)
		}
	case "_routing":
		d.routing = string(v.Bytes)
	case "_ignored":
		d.ignored = append(d.ignored, string(v.Bytes))
	case "_source":
		var source []byte
		source, err = xcontent.Source(v.Bytes)
		d.source = bytes.Clone(source)
	}
	return err
}

// hit renders a document.
func (r *fetchReader) hit(doc int32, score float32) (*xcontent.Object, error) {
	for r.at+1 < len(r.leaves) && r.leaves[r.at+1].DocBase <= doc {
		r.at++
		r.stored = nil
	}
	leaf := &r.leaves[r.at]
	doc -= leaf.DocBase
	d := &r.doc
	*d = fetchedDoc{wantSource: d.wantSource}
	o := xcontent.Obj("_index", r.ctx.Index)
	if !r.src.StoredNone {
		if r.stored == nil {
			r.stored = leaf.Reader.StoredFields()
		}
		if err := r.stored.Document(doc, d); err != nil {
			return nil, fmt.Errorf("read document %d of segment %d: %w", doc, leaf.Ord, err)
		}
		o.Add("_id", d.id)
	}
	if r.src.Version {
		v, _, err := number(leaf, "_version", doc)
		if err != nil {
			return nil, err
		}
		o.Add("_version", v)
	}
	if r.src.SeqNoAndPrimaryTerm {
		seq, ok, err := number(leaf, "_seq_no", doc)
		if err != nil {
			return nil, err
		}
		term, _, err := number(leaf, "_primary_term", doc)
		if err != nil {
			return nil, err
		}
		if ok {
			o.Add("_seq_no", seq).Add("_primary_term", term)
		}
	}
	o.Add("_score", Score(score))
	if d.routing != "" {
		o.Add("_routing", d.routing)
	}
	if len(d.ignored) > 0 {
		o.Add("_ignored", d.ignored)
	}
	if d.source != nil {
		src, err := r.source.Apply(d.source)
		if err != nil {
			return nil, fmt.Errorf("filter the source of document [%s]: %w", d.id, err)
		}
		o.Add("_source", json.RawMessage(src))
	}
	fields, err := r.fields(leaf, doc)
	if err != nil {
		return nil, err
	}
	if fields.Len() > 0 {
		o.Add("fields", fields)
	}
	return o, nil
}

// fields reads stored fields and columns that the request names.
func (r *fetchReader) fields(leaf *lucene.LeafContext, doc int32) (*xcontent.Object, error) {
	out := &xcontent.Object{}
	if len(r.named) > 0 {
		v, err := r.src.ReadStored(r.ctx.Mapping, leaf, doc, r.named)
		if err != nil {
			return nil, err
		}
		if v != nil {
			out.Members = append(out.Members, v.Members...)
		}
	}
	for _, f := range r.columns {
		values, err := columnValues(leaf, f, doc)
		if err != nil {
			return nil, err
		}
		if len(values) > 0 {
			out.Set(f.name, values)
		}
	}
	return out, nil
}

// number reads a column of one number.
func number(leaf *lucene.LeafContext, field string, doc int32) (int64, bool, error) {
	fi := leaf.Reader.FieldInfos().ByName(field)
	if fi == nil {
		return 0, false, nil
	}
	dv, err := leaf.Reader.DocValues().Numeric(fi)
	if dv == nil || err != nil {
		return 0, false, err
	}
	ok, err := dv.AdvanceExact(doc)
	if !ok || err != nil {
		return 0, false, err
	}
	n, err := dv.Value()
	return n, true, err
}

// Score renders a score: null where there is none, and always as a number that is no integer.
func Score(f float32) any {
	if math.IsNaN(float64(f)) || math.IsInf(float64(f), 0) {
		return nil
	}
	text := strconv.FormatFloat(float64(f), 'g', -1, 32)
	if a := math.Abs(float64(f)); a >= 1e-3 && a < 1e7 || f == 0 {
		text = strconv.FormatFloat(float64(f), 'f', -1, 32)
		if !strings.Contains(text, ".") {
			text += ".0"
		}
	}
	return json.RawMessage(text)
}
