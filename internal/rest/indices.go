package rest

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/task"
	"github.com/varve-search/varve/internal/wildcard"
	"github.com/varve-search/varve/internal/xcontent"
)

func (a *API) routeIndices(rt *Router) {
	rt.Handle("PUT", "/{index}", a.createIndex)
	rt.Handle("GET", "/{index}", a.getIndex)
	rt.Handle("HEAD", "/{index}", a.indexExists)
	rt.Handle("DELETE", "/{index}", a.deleteIndex)
	rt.Handle("POST", "/_open", a.openIndex)
	rt.Handle("POST", "/{index}/_open", a.openIndex)
	rt.Handle("POST", "/_close", a.closeIndex)
	rt.Handle("POST", "/{index}/_close", a.closeIndex)
	rt.Handle("PUT", "/{index}/_block/{block}", a.addBlock)
	for _, api := range []string{"_shrink", "_split", "_clone"} {
		rt.Handle("PUT|POST", "/{index}/"+api+"/{target}", notBuilt("resizing an index ("+api+")"))
	}
}

// notBuilt answers for an API that this server does not have.
func notBuilt(what string) Handler {
	return func(*Request) (*Response, error) {
		return nil, apierr.NotImplemented("%s is not supported by this server", what)
	}
}

func (a *API) createIndex(r *Request) (*Response, error) {
	timeout, err := a.timeouts(r)
	if err != nil {
		return nil, err
	}
	body, err := r.object()
	if err != nil {
		return nil, err
	}
	req := cluster.CreateRequest{Name: r.Param("index"), ProvidedName: r.Param("index"), Settings: settings.Settings{}, Timeout: timeout}
	if req.Name, err = wildcard.DateMath(req.Name, time.Now()); err != nil {
		return nil, apierr.IllegalArgument("%v", err)
	}
	if err := readCreateBody(&req, body); err != nil {
		return nil, err
	}
	def, err := parseActive(req.Settings.GetOr("index.write.wait_for_active_shards", "1"), 1)
	if err != nil {
		return nil, err
	}
	if req.WaitFor, err = waitForActive(r, def); err != nil {
		return nil, err
	}
	warnTranslogRetention(r, req.Settings)
	if err := r.unknownParams(); err != nil {
		return nil, err
	}
	res, err := a.Node.CreateIndex(r.Context(), req)
	if err != nil {
		return nil, err
	}
	return OK(xcontent.Obj("acknowledged", res.Acknowledged, "shards_acknowledged", res.ShardsAcknowledged, "index", req.Name))
}

// warnTranslogRetention warns as OpenSearch does of settings that have no effect.
func warnTranslogRetention(r *Request, s settings.Settings) {
	_, age := s.Get("index.translog.retention.age")
	_, size := s.Get("index.translog.retention.size")
	if age || size {
		r.Warn("Translog retention settings [index.translog.retention.age] and [index.translog.retention.size] are deprecated and effectively ignored. They will be removed in a future version.")
	}
}

// readCreateBody reads settings, mappings and aliases.
func readCreateBody(req *cluster.CreateRequest, body *xcontent.Object) error {
	if body == nil {
		return nil
	}
	for _, m := range body.Members {
		if m.Value == nil {
			continue
		}
		switch m.Key {
		case "settings":
			s, err := settingsOf(m.Value, "settings")
			if err != nil {
				return err
			}
			req.Settings = cluster.Normalize(s)
		case "mappings":
			raw, err := mappingOf(m.Value)
			if err != nil {
				return err
			}
			req.Mapping = raw
		case "aliases":
			aliases, err := aliasesOf(m.Value)
			if err != nil {
				return err
			}
			req.Aliases = aliases
		default:
			return apierr.New(http.StatusBadRequest, "parse_exception", "unknown key [%s] for create index", m.Key)
		}
	}
	return nil
}

// settingsOf reads a settings object.
func settingsOf(v any, key string) (settings.Settings, error) {
	o, ok := v.(*xcontent.Object)
	if !ok {
		return nil, apierr.New(http.StatusBadRequest, "parse_exception", "key [%s] must be an object", key)
	}
	raw, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	s, err := settings.Parse(raw)
	if err != nil {
		return nil, apierr.New(http.StatusBadRequest, "settings_exception", "Failed to load settings from [%s]", raw).Because(err)
	}
	return s, nil
}

// mappingOf reads a mapping, without the name of a type around it.
func mappingOf(v any) (json.RawMessage, error) {
	if text, ok := v.(string); ok {
		var err error
		if v, err = xcontent.Decode([]byte(text)); err != nil {
			return nil, apierr.MapperParsing("failed to parse mapping definition").Because(err)
		}
	}
	o, ok := v.(*xcontent.Object)
	if !ok {
		return nil, apierr.New(http.StatusBadRequest, "parse_exception", "key [mappings] must be an object")
	}
	return json.Marshal(o)
}

func (a *API) getIndex(r *Request) (*Response, error) {
	r.Ignore("local")
	if err := a.waitTimes(r); err != nil {
		return nil, err
	}
	list, err := a.indices(r, wildcard.StrictExpandOpen)
	if err != nil {
		return nil, err
	}
	flat, err := r.Bool("flat_settings", false)
	if err != nil {
		return nil, err
	}
	defaults, err := r.Bool("include_defaults", false)
	if err != nil {
		return nil, err
	}
	human, err := r.Bool("human", false)
	if err != nil {
		return nil, err
	}
	out := &xcontent.Object{}
	for _, ix := range list {
		o := xcontent.Obj("aliases", aliasesObject(ix, nil), "mappings", mappingObject(ix.Mapping))
		o.Add("settings", renderSettings(shownSettings(ix.Settings, human), flat))
		if defaults {
			o.Add("defaults", renderSettings(settings.Index.Defaults(ix.Settings), flat))
		}
		if stream := a.view().Names().StreamOf(ix.Name); stream != "" {
			o.Add("data_stream", stream)
		}
		out.Add(ix.Name, o)
	}
	return OK(out)
}

func mappingObject(raw json.RawMessage) any {
	if len(raw) == 0 {
		return &xcontent.Object{}
	}
	return raw
}

// shownSettings adds what people read easier where human is asked for.
func shownSettings(s settings.Settings, human bool) settings.Settings {
	out := make(settings.Settings, len(s)+2)
	for k, v := range s {
		if !settings.IsSecret(k) {
			out[k] = v
		}
	}
	if !human {
		return out
	}
	if ms, err := s.Int64("index.creation_date", 0); err == nil && ms != 0 {
		out["index.creation_date_string"] = isoMillis(ms)
	}
	if v, ok := s.Get("index.version.created"); ok {
		out["index.version.created_string"] = versionString(v)
	}
	return out
}

func isoMillis(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z") }

// versionString renders OpenSearch's (1xxyyzz99 with a flag) and Elasticsearch's version ids.
func versionString(id string) string {
	n := int64(0)
	for _, c := range id {
		if c < '0' || c > '9' {
			return id
		}
		n = n*10 + int64(c-'0')
	}
	const openSearchMask = 0x08000000
	if n >= openSearchMask {
		n ^= openSearchMask
	}
	return itoa(n/1000000%100) + "." + itoa(n/10000%100) + "." + itoa(n/100%100)
}

func (a *API) indexExists(r *Request) (*Response, error) {
	r.Ignore("local", "flat_settings", "include_defaults")
	if err := a.waitTimes(r); err != nil {
		return nil, err
	}
	o, err := indicesOptions(r, wildcard.StrictExpandOpen)
	if err != nil {
		return nil, err
	}
	if _, err := a.concrete(o, r.Param("index")); err != nil {
		return Exists(false)
	}
	return Exists(true)
}

func (a *API) deleteIndex(r *Request) (*Response, error) {
	if _, err := a.timeouts(r); err != nil {
		return nil, err
	}
	def := wildcard.StrictExpandOpenClosed
	def.IgnoreAliases, def.ExcludeStreams = true, true
	expr := r.Param("index")
	if a.Node.ClusterSetting("action.destructive_requires_name") == "true" {
		for _, e := range wildcard.Split(expr) {
			if e == "_all" || strings.Contains(e, "*") {
				return nil, apierr.IllegalArgument("Wildcard expressions or all indices are not allowed")
			}
		}
	}
	list, err := a.indices(r, def)
	if err != nil {
		return nil, err
	}
	for _, ix := range list {
		if err := cluster.CheckBlocks(ix, cluster.BlockMetadataWrite, true); err != nil {
			return nil, err
		}
	}
	if err := r.unknownParams(); err != nil {
		return nil, err
	}
	if err := a.Node.DeleteIndices(r.Context(), indexNames(list)); err != nil {
		return nil, err
	}
	return Acknowledged()
}

func (a *API) openIndex(r *Request) (*Response, error) {
	timeout, err := a.timeouts(r)
	if err != nil {
		return nil, err
	}
	complete, err := r.Bool("wait_for_completion", true)
	if err != nil {
		return nil, err
	}
	if long, err := r.Time("task_execution_timeout", time.Hour); err != nil {
		return nil, err
	} else if !complete {
		timeout = long
	}
	def := wildcard.StrictExpandOpenClosed
	def.ExpandOpen = false
	list, err := a.indices(r, def)
	if err != nil {
		return nil, err
	}
	wait, err := waitForActive(r, 1)
	if err != nil {
		return nil, err
	}
	if err := r.unknownParams(); err != nil {
		return nil, err
	}
	open := func(ctx context.Context) (any, error) {
		acked, err := a.Node.OpenIndices(ctx, indexNames(list), wait, timeout)
		return xcontent.Obj("acknowledged", true, "shards_acknowledged", acked), err
	}
	if !complete {
		spec := task.Spec{Action: "indices:admin/open", Description: "open indices [" + strings.Join(indexNames(list), ", ") + "]"}
		t, err := a.Tasks.Go(r.Context(), spec, func(ctx context.Context, _ *task.Task) (any, error) { return open(ctx) })
		if err != nil {
			return nil, err
		}
		return OK(xcontent.Obj("task", t.ID().String()))
	}
	body, err := open(r.Context())
	if err != nil {
		return nil, err
	}
	return OK(body)
}

func (a *API) closeIndex(r *Request) (*Response, error) {
	timeout, err := a.timeouts(r)
	if err != nil {
		return nil, err
	}
	wait, err := waitForActive(r, 0)
	if err != nil {
		return nil, err
	}
	list, err := a.indices(r, wildcard.StrictExpandOpen.WithoutStreams())
	if err != nil {
		return nil, err
	}
	var open []*state.Index
	for _, ix := range list {
		if ix.State == state.IndexOpen {
			open = append(open, ix)
		}
	}
	if err := r.unknownParams(); err != nil {
		return nil, err
	}
	if err := a.Node.CloseIndices(r.Context(), indexNames(open)); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	if err := a.Node.AwaitClosed(ctx, indexNames(open)); err != nil && r.Context().Err() != nil {
		return nil, err
	}
	acked := len(open) > 0
	if acked && wait > 0 {
		if acked, err = a.Node.WaitFor(r.Context(), timeout, func(v *state.View) bool {
			return !slices.ContainsFunc(open, func(ix *state.Index) bool { return !activeEnough(v, ix, wait) })
		}); err != nil {
			return nil, err
		}
	}
	closed := &xcontent.Object{}
	for _, ix := range open {
		closed.Add(ix.Name, xcontent.Obj("closed", true))
	}
	return OK(xcontent.Obj("acknowledged", true, "shards_acknowledged", acked, "indices", closed))
}

// activeEnough tells whether each shard of an index has that many started copies.
func activeEnough(v *state.View, ix *state.Index, wait int) bool {
	for _, s := range v.Shards(ix.UUID) {
		active := 0
		for _, c := range s.Copies {
			if c.State == state.ShardStarted || c.State == state.ShardRelocating {
				active++
			}
		}
		if active < min(wait, len(s.Copies)) {
			return false
		}
	}
	return true
}

// checkBlock refuses an access of a kind (cluster.BlockRead, …) that a block of the index forbids.
func (a *API) checkBlock(ix *state.Index, kind string) error {
	return cluster.CheckBlocks(ix, kind, false)
}

func (a *API) addBlock(r *Request) (*Response, error) {
	if _, err := a.timeouts(r); err != nil {
		return nil, err
	}
	block := r.Param("block")
	if !slices.Contains([]string{"read_only", "read", "write", "metadata"}, block) {
		return nil, apierr.IllegalArgument("No block found with name %s", block)
	}
	list, err := a.indices(r, wildcard.StrictExpandOpen.WithoutStreams())
	if err != nil {
		return nil, err
	}
	if err := r.unknownParams(); err != nil {
		return nil, err
	}
	for _, ix := range list {
		if cluster.RemoteSnapshot(ix) {
			if err := a.checkBlock(ix, cluster.BlockMetadataWrite); err != nil {
				return nil, err
			}
		}
	}
	if err := a.Node.AddBlock(r.Context(), indexNames(list), block); err != nil {
		return nil, err
	}
	results := []any{}
	for _, ix := range list {
		results = append(results, xcontent.Obj("name", ix.Name, "blocked", true))
	}
	return OK(xcontent.Obj("acknowledged", true, "shards_acknowledged", true, "indices", results))
}

// sortedKeys returns a map's keys in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
