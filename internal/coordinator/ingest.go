package coordinator

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/ingest"
	"github.com/varve-search/varve/internal/javavalue"
	"github.com/varve-search/varve/internal/shard"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/wildcard"
	"github.com/varve-search/varve/internal/xcontent"
)

// noPipeline is the name that stands for none.
const noPipeline = "_none"

// droppedID is the id of a document without one that a pipeline dropped.
const droppedID = "auto-generated"

// route is the pipelines that an index asks for; "" is none.
type route struct{ standard, final string }

func pipelineName(s string) string {
	if s == noPipeline {
		return ""
	}
	return s
}

// ingestItems runs the documents of a bulk through the pipelines that they or their indices ask for. What a pipeline did ends in the
// item, what it refused or dropped in the result. Items without a pipeline cost a look at their index.
func (s *Service) ingestItems(ctx context.Context, items []Item, results []ItemResult) {
	routes := map[string]route{}
	var lastName string
	var last route
	v := s.store.View()
	for i := range items {
		it := &items[i]
		if it.Type == OpDelete || it.Type == OpUpdate && it.Update.inserted() == nil {
			continue
		}
		if it.Index != lastName || i == 0 {
			r, ok := routes[it.Index]
			if !ok {
				r = pipelinesOf(v, it.Index)
				routes[it.Index] = r
			}
			lastName, last = it.Index, r
		}
		r := last
		if it.Pipeline != "" {
			r.standard = pipelineName(it.Pipeline)
		}
		if r.standard == "" && r.final == "" {
			continue
		}
		results[i].Type, results[i].Index, results[i].ID = it.Type, it.Index, it.ID
		if results[i].Err = ctx.Err(); results[i].Err != nil {
			continue
		}
		start := time.Now()
		keep, err := s.ingestItem(it, r)
		results[i].Ingested, results[i].IngestTook = true, time.Since(start)
		switch {
		case err != nil:
			results[i].Err = err
		case !keep:
			results[i].drop(it)
		}
	}
}

// drop makes the result that of a document that a pipeline threw away.
func (r *ItemResult) drop(it *Item) {
	r.Dropped, r.Result, r.Version, r.SeqNo = true, "noop", it.shownVersion(), -2
	if r.ID == "" {
		r.ID = droppedID
	}
}

// matchDeleted is the version that OpenSearch gives documents that must be new.
const matchDeleted = -4

// shownVersion is the version that pipelines see.
func (it *Item) shownVersion() int64 {
	if it.Type == OpCreate && it.Version == shard.MatchAny {
		return matchDeleted
	}
	return it.Version
}

// inserted is the document of an update that pipelines work on.
func (u *Update) inserted() *xcontent.Object {
	if u.DocAsUpsert {
		return u.Doc
	}
	return u.Upsert
}

// pipelinesOf returns the pipelines of the index that takes writes to a name, or of the one that templates would make for it.
func pipelinesOf(v *state.View, name string) route {
	if name == "" {
		return route{}
	}
	ix := v.Index(name)
	if ix == nil && (v.Names().HasAlias(name) || v.Names().HasStream(name)) {
		if concrete, err := v.Names().WriteIndex(wildcard.SingleIndex, name); err == nil {
			ix = v.Index(concrete)
		}
	}
	get := func(get func(key, def string) string) route {
		return route{pipelineName(get("index.default_pipeline", "")), pipelineName(get("index.final_pipeline", ""))}
	}
	if ix != nil {
		return get(ix.Settings.GetOr)
	}
	if t, err := cluster.ResolveTemplates(v, name, false); err == nil {
		return get(t.Settings.GetOr)
	}
	return route{} // making the index will fail, and say why
}

// ingestItem runs one document through its pipelines.
func (s *Service) ingestItem(it *Item, r route) (keep bool, err error) {
	done := s.Pipelines.CountDocument()
	defer func() { done(err) }()
	for r.standard != "" || r.final != "" {
		id, final := r.standard, false
		if id == "" {
			id, final = r.final, true
		}
		p := s.Pipelines.Get(id)
		if p == nil {
			return false, apierr.IllegalArgument("pipeline with id [%s] does not exist", id)
		}
		before := it.Index
		if keep, err := s.runPipeline(p, it); err != nil || !keep {
			return keep, err
		}
		if final {
			r.final = ""
		}
		r.standard = ""
		if it.Index == before {
			continue
		}
		if final {
			return false, apierr.New(http.StatusInternalServerError, "illegal_state_exception", "final pipeline [%s] can't change the target index", id)
		}
		r = route{final: pipelinesOf(s.store.View(), it.Index).final}
	}
	return true, nil
}

// runPipeline runs a pipeline on the document of an item.
func (s *Service) runPipeline(p *ingest.Pipeline, it *Item) (bool, error) {
	var source any
	var err error
	if it.Type == OpUpdate {
		source, err = javavalue.Wrap(it.Update.inserted())
	} else {
		source, err = javavalue.DecodeObject(it.Source)
	}
	if err != nil {
		return false, ingest.BadJSON(err)
	}
	version := it.shownVersion()
	d := ingest.NewDocument(source.(*javavalue.Object), it.Index, it.ID, it.Routing, &version, versionTypes[it.VersionType])
	keep, err := p.Run(d, s.Pipelines.Get)
	if err != nil || !keep {
		return keep, err
	}
	if err := it.take(d); err != nil {
		return false, err
	}
	var b bytes.Buffer
	if err := javavalue.Append(&b, d.Source()); err != nil {
		return false, err
	}
	if it.Type != OpUpdate {
		it.Source = b.Bytes()
		return true, nil
	}
	o, err := xcontent.Decode(b.Bytes())
	if err != nil {
		return false, err
	}
	u := *it.Update
	if u.DocAsUpsert {
		u.Doc = o.(*xcontent.Object)
	} else {
		u.Upsert = o.(*xcontent.Object)
	}
	it.Update = &u
	return true, nil
}

var versionTypes = map[shard.VersionType]string{shard.Internal: "internal", shard.External: "external", shard.ExternalGTE: "external_gte"}

// take takes on what a pipeline made of a document's metadata. Of an update only the document may change.
func (it *Item) take(d *ingest.Document) error {
	if it.Type == OpUpdate {
		return nil
	}
	for key, to := range map[string]*string{"_index": &it.Index, "_id": &it.ID, "_routing": &it.Routing} {
		v, _ := d.Fields.Get(key)
		switch v := v.(type) {
		case nil:
			*to = ""
		case string:
			*to = v
		default:
			return badMetadata(v, "java.lang.String")
		}
	}
	for key, to := range map[string]*int64{"_version": &it.Version, "_if_seq_no": &it.IfSeqNo, "_if_primary_term": &it.IfPrimaryTerm} {
		v, ok := d.Fields.Get(key)
		if v == nil && (!ok || key != "_version") {
			continue
		}
		n, err := json.Number(javavalue.String(v)).Int64()
		if _, text := v.(string); err != nil || text {
			return badMetadata(v, "java.lang.Number")
		}
		*to = n
	}
	if it.Version == matchDeleted {
		it.Version = shard.MatchAny
	}
	if v, _ := d.Fields.Get("_version_type"); v != nil {
		found := false
		for t, name := range versionTypes {
			if name == v {
				it.VersionType, found = t, true
			}
		}
		if !found {
			return apierr.IllegalArgument("No version type match [%s]", javavalue.String(v))
		}
	}
	return nil
}

func badMetadata(v any, class string) error {
	is := javavalue.TypeName(v)
	return apierr.New(http.StatusInternalServerError, "class_cast_exception", "class %s cannot be cast to class %s (%s and %s are in module java.base of loader 'bootstrap')", is, class, is, class)
}
