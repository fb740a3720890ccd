package rest

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/coordinator"
	"github.com/varve-search/varve/internal/shard"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/xcontent"
)

func (a *API) routeDocuments(rt *Router) {
	rt.Handle("PUT|POST", "/{index}/_doc/{id}", a.indexDocument(coordinator.OpIndex))
	rt.Handle("POST", "/{index}/_doc", a.indexDocument(coordinator.OpIndex))
	rt.Handle("PUT|POST", "/{index}/_create/{id}", a.indexDocument(coordinator.OpCreate))
	rt.Handle("GET|HEAD", "/{index}/_doc/{id}", a.getDocument)
	rt.Handle("GET|HEAD", "/{index}/_source/{id}", a.getSource)
	rt.Handle("DELETE", "/{index}/_doc/{id}", a.deleteDocument)
	rt.Handle("POST", "/{index}/_update/{id}", a.updateDocument)
	rt.Handle("POST|PUT", "/_bulk", a.bulk)
	rt.Handle("POST|PUT", "/{index}/_bulk", a.bulk)
	rt.Handle("GET|POST", "/_mget", a.multiGet)
	rt.Handle("GET|POST", "/{index}/_mget", a.multiGet)
}

// writable refuses writes to an index that is blocked for them.
func (a *API) writable(ix *state.Index) error { return a.checkBlock(ix, cluster.BlockWrite) }

// refreshPolicy reads the parameter refresh.
func refreshPolicy(r *Request) (coordinator.Refresh, error) {
	if !r.Has("refresh") {
		return coordinator.RefreshNone, nil
	}
	switch v := r.Param("refresh"); v {
	case "", "true":
		return coordinator.RefreshNow, nil
	case "false":
		return coordinator.RefreshNone, nil
	case "wait_for":
		return coordinator.RefreshWait, nil
	default:
		return 0, apierr.IllegalArgument("Unknown value for refresh: [%s].", v)
	}
}

func versionType(s string) (shard.VersionType, error) {
	switch s {
	case "", "internal":
		return shard.Internal, nil
	case "external", "external_gt":
		return shard.External, nil
	case "external_gte":
		return shard.ExternalGTE, nil
	}
	return 0, apierr.IllegalArgument("No version type match [%s]", s)
}

// conditions reads version, version_type, if_seq_no and if_primary_term.
func conditions(r *Request, it *coordinator.Item) error {
	var err error
	if it.Version, err = r.Int64("version", shard.MatchAny); err != nil {
		return err
	}
	if it.VersionType, err = versionType(r.Param("version_type")); err != nil {
		return err
	}
	if it.IfSeqNo, err = r.Int64("if_seq_no", -2); err != nil {
		return err
	}
	if it.IfPrimaryTerm, err = r.Int64("if_primary_term", 0); err != nil {
		return err
	}
	it.Routing = r.Param("routing")
	it.RequireAlias, err = r.Bool("require_alias", false)
	if err != nil {
		return err
	}
	return checkConditions(it)
}

// checkConditions refuses conditions that contradict each other.
func checkConditions(it *coordinator.Item) error {
	var faults []string
	switch {
	case it.IfSeqNo != -2 && it.IfSeqNo < 0:
		return apierr.IllegalArgument("sequence numbers must be non negative. got [%d].", it.IfSeqNo)
	case it.IfPrimaryTerm < 0:
		return apierr.IllegalArgument("primary term must be non negative. got [%d]", it.IfPrimaryTerm)
	}
	if it.IfSeqNo != -2 && it.IfPrimaryTerm == 0 {
		faults = append(faults, "ifSeqNo is set, but primary term is [0]")
	}
	if it.IfSeqNo == -2 && it.IfPrimaryTerm != 0 {
		faults = append(faults, "ifSeqNo is unassigned, but primary term is ["+itoa64(it.IfPrimaryTerm)+"]")
	}
	if it.IfSeqNo != -2 && it.Version != shard.MatchAny {
		faults = append(faults, "compare and write operations can not use versioning")
	}
	if it.Version == shard.MatchAny && it.VersionType != shard.Internal {
		faults = append(faults, "illegal version value ["+itoa64(it.Version)+"] for version type ["+versionTypeName(it.VersionType)+"]")
	}
	if it.Version != shard.MatchAny && it.Version < 0 {
		faults = append(faults, "illegal version value ["+itoa64(it.Version)+"] for version type ["+versionTypeName(it.VersionType)+"]")
	}
	if it.Type == coordinator.OpCreate && (it.VersionType != shard.Internal || it.Version != shard.MatchAny) {
		faults = append(faults, "create operations only support internal versioning. use index instead")
	}
	if len(faults) > 0 {
		return apierr.Validation(faults...)
	}
	return nil
}

func versionTypeName(v shard.VersionType) string {
	return [...]string{"INTERNAL", "EXTERNAL", "EXTERNAL_GTE"}[v]
}

// writeOptions reads what all writes have in common.
func (a *API) writeOptions(r *Request) (coordinator.Refresh, error) {
	if _, err := r.Time("timeout", 0); err != nil {
		return 0, err
	}
	r.Ignore("wait_for_active_shards")
	return refreshPolicy(r)
}

func (a *API) indexDocument(typ coordinator.OpType) Handler {
	return func(r *Request) (*Response, error) {
		refresh, err := a.writeOptions(r)
		if err != nil {
			return nil, err
		}
		it := coordinator.NewItem(typ, r.Param("index"), r.Param("id"))
		switch op := r.Param("op_type"); strings.ToLower(op) {
		case "", "index":
			if op == "" && it.ID == "" {
				it.Type = coordinator.OpCreate
			}
		case "create":
			it.Type = coordinator.OpCreate
		default:
			return nil, apierr.IllegalArgument("opType must be 'create' or 'index', found: [%s]", op)
		}
		if it.Pipeline, err = pipelineParam(r); err != nil {
			return nil, err
		}
		if err := conditions(r, &it); err != nil {
			return nil, err
		}
		if len(r.Body) == 0 {
			return nil, apierr.New(http.StatusBadRequest, "parse_exception", "request body is required")
		}
		it.Source = r.Body
		return a.writeOne(r, it, refresh)
	}
}

func (a *API) deleteDocument(r *Request) (*Response, error) {
	refresh, err := a.writeOptions(r)
	if err != nil {
		return nil, err
	}
	it := coordinator.NewItem(coordinator.OpDelete, r.Param("index"), r.Param("id"))
	if err := conditions(r, &it); err != nil {
		return nil, err
	}
	return a.writeOne(r, it, refresh)
}

func (a *API) updateDocument(r *Request) (*Response, error) {
	refresh, err := a.writeOptions(r)
	if err != nil {
		return nil, err
	}
	it := coordinator.NewItem(coordinator.OpUpdate, r.Param("index"), r.Param("id"))
	if r.Has("version") || r.Has("version_type") {
		return nil, apierr.Validation("internal versioning can not be used for optimistic concurrency control. Please use `if_seq_no` and `if_primary_term` instead")
	}
	if err := conditions(r, &it); err != nil {
		return nil, err
	}
	o, err := r.object()
	if err != nil {
		return nil, err
	}
	if o == nil {
		return nil, apierr.New(http.StatusBadRequest, "parse_exception", "request body is required")
	}
	sel := sourceParams(r)
	body, err := readUpdate(o)
	if err != nil {
		return nil, err
	}
	it.Update = &body.Update
	if it.Update.RetryOnConflict, err = r.Int("retry_on_conflict", 0); err != nil {
		return nil, err
	}
	if body.source != nil {
		sel = body.source
	}
	it.Update.WantSource = sel.wanted()
	if body.ifSeqNo != nil {
		it.IfSeqNo = *body.ifSeqNo
	}
	if body.ifTerm != nil {
		it.IfPrimaryTerm = *body.ifTerm
	}
	if err := checkConditions(&it); err != nil {
		return nil, err
	}
	if it.IfSeqNo != -2 && it.Update.RetryOnConflict > 0 {
		return nil, apierr.Validation("compare and write operations can not be retried")
	}
	if err := r.unknownParams(); err != nil {
		return nil, err
	}
	it.Check = a.writable
	res := a.Docs.Bulk(r.Context(), []coordinator.Item{it}, refresh)[0]
	if res.Err != nil {
		return nil, res.Err
	}
	out := resultObject(&res)
	if res.Get != nil {
		get := xcontent.Obj("_seq_no", res.Get.SeqNo, "_primary_term", res.Get.PrimaryTerm, "found", true)
		src, err := sel.apply(res.Get.Source)
		if err != nil {
			return nil, err
		}
		out.Add("get", get.Add("_source", src))
	}
	return &Response{Status: res.Status(), Body: out}, nil
}

func (a *API) writeOne(r *Request, it coordinator.Item, refresh coordinator.Refresh) (*Response, error) {
	if err := r.unknownParams(); err != nil {
		return nil, err
	}
	it.Check = a.writable
	res := a.Docs.Bulk(r.Context(), []coordinator.Item{it}, refresh)[0]
	if res.Err != nil {
		return nil, res.Err
	}
	resp := &Response{Status: res.Status(), Body: resultObject(&res)}
	if res.Result == "created" {
		resp.Headers = map[string]string{"Location": "/" + res.Index + "/_doc/" + res.ID}
	}
	return resp, nil
}

// resultObject renders a write that went well.
func resultObject(res *coordinator.ItemResult) *xcontent.Object {
	o := xcontent.Obj("_index", res.Index, "_id", res.ID, "_version", res.Version, "result", res.Result)
	if res.ForcedRefresh {
		o.Add("forced_refresh", true)
	}
	total, ok := res.Shards, 1
	if res.Result == "noop" {
		total, ok = 0, 0
	}
	o.Add("_shards", xcontent.Obj("total", total, "successful", ok, "failed", 0))
	if res.Dropped {
		return o // it never came to a shard
	}
	return o.Add("_seq_no", res.SeqNo).Add("_primary_term", res.PrimaryTerm)
}

// updateBody is the body of an update.
type updateBody struct {
	coordinator.Update
	source          *sourceSelection
	ifSeqNo, ifTerm *int64
}

func readUpdate(o *xcontent.Object) (*updateBody, error) {
	b := &updateBody{}
	for _, m := range o.Members {
		var err error
		switch m.Key {
		case "doc", "upsert":
			sub, ok := m.Value.(*xcontent.Object)
			if !ok {
				return nil, apierr.XContentParse("[UpdateRequest] %s doesn't support values of type: %T", m.Key, m.Value)
			}
			if m.Key == "doc" {
				b.Doc = sub
			} else {
				b.Upsert = sub
			}
		case "doc_as_upsert":
			b.DocAsUpsert, err = boolean(m.Key, m.Value)
		case "detect_noop":
			var detect bool
			detect, err = boolean(m.Key, m.Value)
			b.KeepNoop = !detect
		case "_source":
			b.source, err = sourceValue(m.Value)
		case "if_seq_no", "if_primary_term":
			n, ok := m.Value.(json.Number)
			v, perr := n.Int64()
			if !ok || perr != nil {
				return nil, apierr.XContentParse("[UpdateRequest] failed to parse field [%s]", m.Key)
			}
			if m.Key == "if_seq_no" {
				b.ifSeqNo = &v
			} else {
				b.ifTerm = &v
			}
		case "script", "scripted_upsert":
			return nil, apierr.NotImplemented("updates by script are not built in this server")
		default:
			known := []string{"doc", "upsert", "doc_as_upsert", "detect_noop", "_source", "script", "scripted_upsert", "if_seq_no", "if_primary_term"}
			s := "[UpdateRequest] unknown field [" + m.Key + "]"
			if near := nearest(m.Key, known); len(near) > 0 {
				s += " did you mean [" + near[0] + "]?"
			}
			return nil, apierr.XContentParse("%s", s)
		}
		if err != nil {
			return nil, err
		}
	}
	var faults []string
	if b.Doc == nil && b.Upsert == nil {
		faults = append(faults, "script or doc is missing")
	}
	if b.Doc == nil && b.DocAsUpsert {
		faults = append(faults, "doc must be specified if doc_as_upsert is enabled")
	}
	if len(faults) > 0 {
		return nil, apierr.Validation(faults...)
	}
	return b, nil
}
