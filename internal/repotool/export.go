package repotool

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/varve-search/varve/internal/mapping"
	"github.com/varve-search/varve/internal/query"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/wildcard"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/analysis"
	"github.com/varve-search/varve/lucene/search"
	"github.com/varve-search/varve/lucene/store"
	"github.com/varve-search/varve/repository"
	"github.com/varve-search/varve/repository/smile"
	"github.com/varve-search/varve/repository/snapshotdir"
)

// readCache is how many bytes of blocks are kept while documents are read.
const readCache = 32 << 20

// ExportOptions choose documents and how they are written.
type ExportOptions struct {
	Location, Snapshot string
	// Indices are names and patterns; none means all indices of the snapshot.
	Indices []string
	// Query is a query as the search API takes it, such as {"term":{"a":"b"}}; "" matches everything.
	Query string
	// Bulk writes what the _bulk API takes, instead of a line {"_id":…,"_routing":…,"_source":…} for each document.
	Bulk bool
	// Target is the name of the index in bulk lines; "" keeps each document's own.
	Target string
	// ShowIndex adds "_index" to the lines.
	ShowIndex bool
	// Includes and Excludes are patterns of the fields of _source to write, as in _source_includes.
	Includes, Excludes []string
	// Limit is the largest number of documents; 0: all.
	Limit int64
	// Shard is the only shard to read, -1 for all.
	Shard int
}

// Cat writes the live documents of an index in a snapshot, one {"_id":…,"_routing":…,"_source":…} a line: by shard, and within
// a shard in the order in which the index holds them. A document without _source has none on its line.
func Cat(ctx context.Context, p *Printer, location, snapshot, index string) error {
	_, err := Export(ctx, p, p.Out, ExportOptions{Location: location, Snapshot: snapshot, Indices: []string{index}, Shard: -1})
	return err
}

// errLimit ends an export that has written enough.
var errLimit = errors.New("limit")

// exporter writes documents.
type exporter struct {
	ctx     context.Context //nolint:containedctx // of one call of Export
	o       *ExportOptions
	p       *Printer
	w       *bufio.Writer
	raw     any // the query, or nil
	filter  *query.SourceFilter
	name    string // of the index that is being written
	written int64
	doc     docReader
	line    catLine
}

// Export writes documents of a snapshot and returns how many, in an order that is the same each time.
func Export(ctx context.Context, p *Printer, out io.Writer, o ExportOptions) (int64, error) {
	e := &exporter{ctx: ctx, o: &o, p: p, w: bufio.NewWriterSize(out, 64<<10), filter: query.NewSourceFilter(o.Includes, o.Excludes)}
	var err error
	if e.raw, err = parseQuery(o.Query); err != nil {
		return 0, err
	}
	r, err := Open(ctx, o.Location)
	if err != nil {
		return 0, err
	}
	entry, err := r.named(o.Snapshot)
	if err != nil {
		return 0, err
	}
	indices, err := r.chooseIndices(entry.SnapshotID, o.Indices)
	if err != nil {
		return 0, err
	}
	cache := snapshotdir.NewCache(readCache)
	p.Progress.start("read", 0, false)
	defer p.Progress.end()
	for _, ix := range indices {
		err := e.index(r, entry.SnapshotID, ix, cache)
		if errors.Is(err, errLimit) {
			break
		}
		if err != nil {
			return e.written, err
		}
	}
	return e.written, e.w.Flush()
}

// parseQuery reads a query, or a search request's body that holds nothing else.
func parseQuery(text string) (any, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	v, err := xcontent.Decode([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("the query is not JSON: %w", err)
	}
	if o, ok := v.(*xcontent.Object); ok && o.Len() == 1 && o.Members[0].Key == "query" {
		v = o.Members[0].Value
	}
	if _, err := query.Compile(v); err != nil {
		return nil, fmt.Errorf("the query: %w", err)
	}
	return v, nil
}

// chooseIndices returns the indices of a snapshot that names and patterns choose.
func (r *Repo) chooseIndices(id repository.SnapshotID, patterns []string) ([]repository.IndexEntry, error) {
	all := r.Data.SnapshotIndices(id)
	names := make([]string, len(all))
	for i := range all {
		names[i] = all[i].Name
	}
	for _, p := range patterns {
		if len(wildcard.MatchNames(names, p)) == 0 && !strings.HasPrefix(p, "-") {
			return nil, fmt.Errorf("%w: %s", &repository.MissingSnapshotError{Snapshot: id.Name, Index: p}, suggest(p, names, "index", "indices"))
		}
	}
	chosen := map[string]bool{}
	for _, n := range wildcard.MatchNames(names, patterns...) {
		chosen[n] = true
	}
	var out []repository.IndexEntry
	for _, ix := range all {
		if chosen[ix.Name] {
			out = append(out, ix)
		}
	}
	return out, nil
}

func (e *exporter) index(r *Repo, id repository.SnapshotID, ix repository.IndexEntry, cache *snapshotdir.Cache) error {
	meta, err := r.IndexMetadata(e.ctx, r.Data, id, ix.Name)
	if err != nil {
		return err
	}
	var qc *query.Context
	var q search.Query
	if e.raw != nil {
		if qc, err = queryContext(meta); err != nil {
			return err
		}
		if q, err = query.Parse(e.raw, qc); err != nil {
			return err
		}
		q = qc.Filtered(q)
	}
	if e.o.Shard >= meta.Shards() {
		return fmt.Errorf("index [%s] has %s; there is no shard %d", ix.Name, plural(meta.Shards(), "shard", "shards"), e.o.Shard)
	}
	e.name = ix.Name
	for n := range meta.Shards() {
		if e.o.Shard >= 0 && n != e.o.Shard {
			continue
		}
		if done, err := e.oldShard(r, id, ix.IndexID, meta, n, cache); done || err != nil {
			if err != nil {
				return err
			}
			continue
		}
		if err := e.shard(r, id, ix, n, q, qc, cache); err != nil {
			return err
		}
	}
	return nil
}

// queryContext binds queries to an index as its metadata describes it.
func queryContext(meta *repository.IndexMetadata) (*query.Context, error) {
	fail := func(err error) (*query.Context, error) {
		return nil, fmt.Errorf("the metadata of index [%s]: %w", meta.Name, err)
	}
	v, _ := meta.Body.Get("settings")
	text, err := smile.AppendJSON(nil, v)
	if err != nil {
		return fail(err)
	}
	set, err := settings.Parse(text)
	if err != nil {
		return fail(err)
	}
	raw, flat := map[string]any{}, map[string]string{}
	for k, v := range set {
		switch v := v.(type) {
		case string:
			raw[k], flat[k] = v, v
		case []string:
			list := make([]any, len(v))
			for i := range v {
				list[i] = v[i]
			}
			raw[k] = list
		}
	}
	ix, err := mapping.NewIndex(flat, analysis.NewLenientRegistry(raw))
	if err != nil {
		return fail(err)
	}
	mappings, err := meta.Mappings()
	if err != nil {
		return fail(err)
	}
	body := []byte("{}")
	switch mappings.Len() {
	case 0:
	case 1:
		if body, err = smile.AppendJSON(nil, mappings.Members[0].Value); err != nil {
			return fail(err)
		}
	default:
		return fail(fmt.Errorf("it has %d mapping types; an index with more than one cannot be queried", mappings.Len()))
	}
	m, err := mapping.ParseJSON(ix, body, mapping.ParseOptions{Lenient: true})
	if err != nil {
		return fail(err)
	}
	return query.NewContext(m, meta.Name, meta.UUID(), nil, set)
}

func (e *exporter) shard(r *Repo, id repository.SnapshotID, ix repository.IndexEntry, n int, q search.Query, qc *query.Context, cache *snapshotdir.Cache) error {
	rd, err := r.openShard(e.ctx, id, ix.IndexID, n, cache)
	if err != nil {
		return err
	}
	err = store.Guard(func() error {
		if q == nil {
			for i := range rd.Leaves() {
				if err := e.leaf(rd.Leaves()[i].Reader, nil); err != nil {
					return err
				}
			}
			return nil
		}
		s := search.NewSearcher(rd.Leaves(), search.Options{Similarity: qc.Similarity, Workers: 1})
		rq, err := s.Rewrite(&search.ConstantScore{Query: q})
		if err != nil {
			return err
		}
		w, err := s.Weight(rq, search.CompleteNoScores, 1)
		if err != nil {
			return err
		}
		for i := range rd.Leaves() {
			if err := e.matches(&rd.Leaves()[i], w); err != nil {
				return err
			}
		}
		return nil
	})
	if cerr := rd.Close(); err == nil {
		err = cerr
	}
	if err != nil && !errors.Is(err, errLimit) {
		return fmt.Errorf("read shard %d of index [%s] in snapshot [%s]: %w", n, ix.Name, id.Name, err)
	}
	return err
}

// matches writes the documents of a segment that a query matches.
func (e *exporter) matches(leaf *lucene.LeafContext, w search.Weight) error {
	sup, err := w.Supplier(leaf)
	if err != nil || sup == nil {
		return err
	}
	sc, err := sup.Scorer(math.MaxInt64)
	if err != nil || sc == nil {
		return err
	}
	return e.leaf(leaf.Reader, sc.Iterator())
}

// leaf writes the live documents of a segment that it names; nil names all.
func (e *exporter) leaf(leaf lucene.LeafReader, it lucene.DocIDSetIterator) error {
	live, stored := leaf.LiveDocs(), leaf.StoredFields()
	next := int32(-1)
	for n := 0; ; n++ {
		if n%1024 == 0 {
			if err := e.ctx.Err(); err != nil {
				return err
			}
		}
		next++
		if it != nil {
			var err error
			if next, err = it.Next(); err != nil {
				return err
			}
		}
		if next >= leaf.MaxDoc() {
			return nil
		}
		if live != nil && !live.Get(next) {
			continue
		}
		if err := e.doc.read(stored, next); err != nil {
			return err
		}
		if !e.doc.hasID {
			continue // a nested document: it is part of its root's source
		}
		if err := e.write(); err != nil {
			if errors.Is(err, errLimit) {
				return err
			}
			return fmt.Errorf("document %d of segment %s: %w", next, leaf.Segment().Info.Name, err)
		}
	}
}

func (e *exporter) write() error {
	if e.o.Limit > 0 && e.written >= e.o.Limit {
		return errLimit
	}
	source, err := e.line.compact(&e.doc)
	if err != nil {
		return err
	}
	if source != nil && e.filter != nil {
		if source, err = e.filter.Apply(source); err != nil {
			return err
		}
	}
	e.written++
	e.p.Progress.add(1)
	switch {
	case e.o.Bulk:
		return e.bulk(source)
	case e.o.ShowIndex:
		return e.line.write(e.w, e.name, &e.doc, source)
	}
	return e.line.write(e.w, "", &e.doc, source)
}

// bulk writes the two lines that the _bulk API takes.
func (e *exporter) bulk(source []byte) error {
	id, err := decodeID(e.doc.id)
	if err != nil {
		return err
	}
	if source == nil {
		return fmt.Errorf("[%s] has no _source, so it cannot be indexed again", id)
	}
	action := map[string]string{"_index": e.name, "_id": id}
	if e.o.Target != "" {
		action["_index"] = e.o.Target
	}
	if e.doc.hasRouting {
		action["routing"] = string(e.doc.routing)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(map[string]any{"index": action}); err != nil {
		return err
	}
	b.Write(source)
	b.WriteByte('\n')
	_, err = e.w.Write(b.Bytes())
	return err
}
