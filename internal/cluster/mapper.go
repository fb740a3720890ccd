package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/mapping"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/shard"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/analysis"
)

// mapper is the mapping of an index, as its shards and its searches use it.
type mapper struct {
	ix  *Index // nil: of no cluster
	cur atomic.Pointer[current]
	mu  sync.Mutex // one update at a time
}

type current struct {
	m        *mapping.Mapping
	raw      json.RawMessage
	analysis settings.Settings
}

func newMapper(ix *Index) *mapper { return &mapper{ix: ix} }

// update takes over the mapping of new metadata, if it changed.
func (mp *mapper) update(meta *state.Index) error {
	mp.mu.Lock()
	defer mp.mu.Unlock()
	old := mp.cur.Load()
	set := mappingSettings(meta.Settings)
	if old != nil && bytes.Equal(old.raw, meta.Mapping) && old.analysis.Equal(set) {
		return nil
	}
	m, err := parseMapping(meta, meta.Mapping, true)
	if err != nil {
		return err
	}
	mp.cur.Store(&current{m: m, raw: meta.Mapping, analysis: set})
	return nil
}

// Mapping returns the mapping of the index.
func (ix *Index) Mapping() *mapping.Mapping {
	if c := ix.mapper.cur.Load(); c != nil {
		return c.m
	}
	return nil
}

// mappingSettings are the settings that a mapping depends on.
func mappingSettings(s settings.Settings) settings.Settings {
	return s.Filter("index.analysis.*", "index.mapping.*", "index.similarity.*", "analysis.*")
}

func mappingIndex(s settings.Settings, lenient bool) (*mapping.Index, error) {
	raw := map[string]any{}
	flat := map[string]string{}
	for k, v := range s {
		raw[k] = v
		if list, ok := v.([]string); ok {
			any := make([]any, len(list))
			for i := range list {
				any[i] = list[i]
			}
			raw[k] = any
		}
		if text, ok := v.(string); ok {
			flat[k] = text
		}
	}
	var reg *analysis.Registry
	var err error
	if lenient {
		reg = analysis.NewLenientRegistry(raw)
	} else if reg, err = analysis.NewRegistry(raw); err != nil {
		if apierr.As(err) == nil {
			err = apierr.IllegalArgument("%v", err)
		}
		return nil, err
	}
	ix, err := mapping.NewIndex(flat, reg)
	if err != nil && apierr.As(err) == nil {
		err = apierr.IllegalArgument("%v", err)
	}
	return ix, err
}

// parseMapping reads a mapping with the analyzers of its index. Lenient keeps what another server could do and this one cannot.
func parseMapping(meta *state.Index, raw json.RawMessage, lenient bool) (*mapping.Mapping, error) {
	ix, err := mappingIndex(meta.Settings, lenient)
	if err != nil {
		return nil, err
	}
	return mapping.ParseJSON(ix, raw, mapping.ParseOptions{Lenient: lenient})
}

// checkMapping refuses a mapping (or analyzers) that a new index cannot have, and returns it as it is kept.
func checkMapping(meta *state.Index, raw json.RawMessage) (json.RawMessage, error) {
	m, err := parseMapping(meta, raw, false)
	if err != nil {
		return nil, err
	}
	if m, err = mapping.Merge(nil, m); err != nil {
		return nil, err
	}
	holder := &mapper{}
	holder.cur.Store(&current{m: m})
	if _, err := indexSort(meta.Settings, holder); err != nil {
		return nil, err
	}
	return render(m)
}

func render(m *mapping.Mapping) (json.RawMessage, error) {
	var b bytes.Buffer
	if err := xcontent.Append(&b, m.Render()); err != nil {
		return nil, fmt.Errorf("print a mapping: %w", err)
	}
	return b.Bytes(), nil
}

// CheckRestored refuses an index of a snapshot whose mapping cannot be read at all. What only cannot be used is kept.
func CheckRestored(meta *state.Index) error {
	_, err := parseMapping(meta, meta.Mapping, true)
	return err
}

// mergeMapping joins an update into the index's mapping.
func mergeMapping(meta *state.Index, update json.RawMessage) (json.RawMessage, error) {
	old, err := parseMapping(meta, meta.Mapping, true)
	if err != nil {
		return nil, err
	}
	add, err := mapping.ParseJSON(old.Index(), update, mapping.ParseOptions{})
	if err != nil {
		return nil, err
	}
	merged, err := mapping.Merge(old, add)
	if err != nil {
		return nil, err
	}
	return render(merged)
}

// MergeTemplateMappings joins the mappings of templates, the least important first, and of the request.
func MergeTemplateMappings(s settings.Settings, raws []json.RawMessage) (json.RawMessage, error) {
	ix, err := mappingIndex(s, false)
	if err != nil {
		return nil, err
	}
	var m *mapping.Mapping
	for _, raw := range raws {
		if len(raw) == 0 {
			continue
		}
		next, err := mapping.ParseJSON(ix, raw, mapping.ParseOptions{})
		if err != nil {
			return nil, err
		}
		if m, err = mapping.MergeTemplate(m, next); err != nil {
			return nil, err
		}
	}
	if m == nil {
		return nil, nil
	}
	return render(m)
}

// errNoMapping says that the index's mapping could not be read.
var errNoMapping = errors.New("the index's mapping could not be read, so nothing can be written")

// parsed is a document for the engine.
type parsed struct{ *mapping.ParsedDocument }

// Documents implements shard.Parsed.
func (p parsed) Documents() []*lucene.Document { return p.Docs }

// Parse implements shard.Parser. New fields go into the mapping of the cluster state first.
func (mp *mapper) Parse(ctx context.Context, id, routing string, source []byte) (shard.Parsed, error) {
	for {
		c := mp.cur.Load()
		if c == nil {
			return nil, errNoMapping
		}
		doc, err := c.m.ParseDocument(mapping.Source{ID: id, Routing: routing, JSON: source})
		if err != nil {
			return nil, err
		}
		if doc.Update == nil {
			return parsed{doc}, nil
		}
		if mp.ix == nil {
			merged, err := mapping.Merge(c.m, doc.Update)
			doc.Release()
			if err != nil {
				return nil, err
			}
			mp.cur.CompareAndSwap(c, &current{m: merged, raw: c.raw, analysis: c.analysis})
			continue
		}
		update, err := render(doc.Update)
		doc.Release()
		if err != nil {
			return nil, err
		}
		meta := mp.ix.Meta()
		if err := mp.ix.node.PutMapping(ctx, []string{meta.Name}, update); err != nil {
			return nil, err
		}
		// The view of this node has it; the mapping is taken over here, before the applier comes to it.
		fresh := mp.ix.node.store.View().IndexByUUID(meta.UUID)
		if fresh == nil {
			return nil, apierr.IndexNotFound(meta.Name)
		}
		if err := mp.update(fresh); err != nil {
			return nil, err
		}
	}
}

// sortField reads one field of an index sort.
func (mp *mapper) sortField(name string, desc bool, mode, missing string) (lucene.SortField, error) {
	sf := lucene.SortField{Field: name, Reverse: desc, Selector: lucene.SelectMin}
	c := mp.cur.Load()
	if c == nil {
		return sf, errNoMapping
	}
	f := c.m.Field(name)
	if f == nil {
		return sf, apierr.IllegalArgument("unknown index sort field:[%s]", name)
	}
	if !f.HasDocValues() || f.Schema() == nil {
		return sf, apierr.IllegalArgument("docvalues not found for index sort field:[%s]", name)
	}
	if desc {
		sf.Selector = lucene.SelectMax
	}
	switch mode {
	case "min":
		sf.Selector = lucene.SelectMin
	case "max":
		sf.Selector = lucene.SelectMax
	}
	first := missing == "_first"
	switch f.Type() {
	case "keyword", "ip":
		sf.Type = lucene.SortString
		if first {
			sf.Missing = lucene.StringFirst
		} else {
			sf.Missing = lucene.StringLast
		}
	case "float", "half_float":
		sf.Type = lucene.SortFloat
		sf.Missing = extreme(first != desc, float32(negInf), float32(posInf))
	case "double", "scaled_float":
		sf.Type = lucene.SortDouble
		if f.Type() == "scaled_float" {
			sf.Type, sf.Missing = lucene.SortLong, extreme[int64](first != desc, minLong, maxLong)
			break
		}
		sf.Missing = extreme(first != desc, negInf, posInf)
	case "integer", "short", "byte":
		sf.Type = lucene.SortInt
		sf.Missing = extreme[int32](first != desc, minInt, maxInt)
	case "long", "date", "date_nanos", "boolean":
		sf.Type = lucene.SortLong
		sf.Missing = extreme[int64](first != desc, minLong, maxLong)
	default:
		return sf, apierr.IllegalArgument("invalid index sort field:[%s]", name)
	}
	return sf, nil
}

const (
	minLong, maxLong = -1 << 63, 1<<63 - 1
	minInt, maxInt   = -1 << 31, 1<<31 - 1
)

var negInf, posInf = math.Inf(-1), math.Inf(1)

// extreme is the value of documents without one: it puts them before or after all others.
func extreme[T any](low bool, lo, hi T) any {
	if low {
		return lo
	}
	return hi
}
