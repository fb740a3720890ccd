package rest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/coordinator"
	"github.com/varve-search/varve/internal/mapping"
	"github.com/varve-search/varve/internal/shard"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene"
)

func itoa64(n int64) string { return strconv.FormatInt(n, 10) }

// readGet reads the parameters of a get.
func readGet(r *Request) (coordinator.GetRequest, *sourceSelection, error) {
	req := coordinator.GetRequest{Index: r.Param("index"), ID: r.Param("id"), Routing: r.Param("routing")}
	r.Ignore("preference")
	var err error
	if req.Realtime, err = r.Bool("realtime", true); err != nil {
		return req, nil, err
	}
	if req.Refresh, err = r.Bool("refresh", false); err != nil {
		return req, nil, err
	}
	if req.Version, err = r.Int64("version", shard.MatchAny); err != nil {
		return req, nil, err
	}
	if _, err = versionType(r.Param("version_type")); err != nil {
		return req, nil, err
	}
	sel := sourceParams(r)
	if r.Has("fields") {
		return req, nil, apierr.IllegalArgument("The parameter [fields] is no longer supported, please use [stored_fields] to retrieve stored fields or [_source] to load the field from _source")
	}
	if fields := r.List("stored_fields"); len(fields) > 0 {
		wantStored(&req, fields)
		if !sel.given {
			sel = &sourceSelection{given: true, none: !slices.Contains(fields, "_source")}
		}
	}
	return req, sel, nil
}

// wantStored asks for stored fields beside the document.
func wantStored(req *coordinator.GetRequest, fields []string) {
	req.Fields = func(m *mapping.Mapping, leaf *lucene.LeafContext, doc int32) (any, error) {
		return storedFields(m, leaf, doc, fields)
	}
}

func (a *API) getDocument(r *Request) (*Response, error) {
	req, sel, err := readGet(r)
	if err != nil {
		return nil, err
	}
	res, err := a.Docs.Get(r.Context(), req)
	if err != nil {
		return nil, err
	}
	o, err := getObject(res, sel)
	if err != nil {
		return nil, err
	}
	status := http.StatusOK
	if !res.Found {
		status = http.StatusNotFound
	}
	return &Response{Status: status, Body: o}, nil
}

// getObject renders a document, or that it is not there.
func getObject(res *coordinator.GetResult, sel *sourceSelection) (*xcontent.Object, error) {
	o := xcontent.Obj("_index", res.Index, "_id", res.ID)
	if !res.Found {
		return o.Add("found", false), nil
	}
	o.Add("_version", res.Version).Add("_seq_no", res.SeqNo).Add("_primary_term", res.PrimaryTerm)
	if res.Routing != "" {
		o.Add("_routing", res.Routing)
	}
	o.Add("found", true)
	if res.Source != nil && !sel.none {
		src, err := sel.apply(res.Source)
		if err != nil {
			return nil, err
		}
		o.Add("_source", src)
	}
	if f, ok := res.Fields.(*xcontent.Object); ok && f != nil && f.Len() > 0 {
		o.Add("fields", f)
	}
	return o, nil
}

func (a *API) getSource(r *Request) (*Response, error) {
	req, sel, err := readGet(r)
	if err != nil {
		return nil, err
	}
	if sel.none {
		return nil, apierr.Validation("fetching source can not be disabled")
	}
	res, err := a.Docs.Get(r.Context(), req)
	if err != nil {
		return nil, err
	}
	if !res.Found || res.Source == nil {
		if r.HTTP.Method == http.MethodHead {
			return Exists(false)
		}
		what := "Document not found [%s]/[%s]"
		if res.Found {
			what = "Source not found [%s]/[%s]"
		}
		return nil, apierr.New(http.StatusNotFound, "resource_not_found_exception", what, res.Index, res.ID)
	}
	src, err := sel.apply(res.Source)
	if err != nil {
		return nil, err
	}
	return OK(src)
}

// multiGet answers _mget.
func (a *API) multiGet(r *Request) (*Response, error) {
	base := coordinator.GetRequest{Index: r.Param("index"), Routing: r.Param("routing"), Version: shard.MatchAny}
	r.Ignore("preference")
	var err error
	if base.Realtime, err = r.Bool("realtime", true); err != nil {
		return nil, err
	}
	if base.Refresh, err = r.Bool("refresh", false); err != nil {
		return nil, err
	}
	sel := sourceParams(r)
	stored := r.List("stored_fields")
	o, err := r.object()
	if err != nil {
		return nil, err
	}
	if o == nil {
		return nil, apierr.New(http.StatusBadRequest, "parse_exception", "request body or source parameter is required")
	}
	items, err := readMultiGet(o, base, sel, stored)
	if err != nil {
		return nil, err
	}
	docs := []any{}
	for _, it := range items {
		docs = append(docs, a.getItem(r, it))
	}
	return OK(xcontent.Obj("docs", docs))
}

type multiGetItem struct {
	req coordinator.GetRequest
	sel *sourceSelection
}

func (a *API) getItem(r *Request, it multiGetItem) *xcontent.Object {
	res, err := a.Docs.Get(r.Context(), it.req)
	var o *xcontent.Object
	if err == nil {
		o, err = getObject(res, it.sel)
	}
	if err != nil {
		full := renderError(translate(err)).Body.(*xcontent.Object)
		e, _ := full.Get("error")
		return xcontent.Obj("_index", it.req.Index, "_id", it.req.ID, "error", e)
	}
	return o
}

func readMultiGet(o *xcontent.Object, base coordinator.GetRequest, sel *sourceSelection, stored []string) ([]multiGetItem, error) {
	var items []multiGetItem
	for _, m := range o.Members {
		list, ok := m.Value.([]any)
		if !ok || m.Key != "docs" && m.Key != "ids" {
			return nil, apierr.Parsing("unknown key [%s] for a %s, expected [docs] or [ids]", m.Key, jsonKind(m.Value))
		}
		for _, e := range list {
			it := multiGetItem{req: base, sel: sel}
			fields := stored
			if m.Key == "ids" {
				id, ok := textOf(e)
				if !ok {
					return nil, apierr.IllegalArgument("ids array element should only contain ids")
				}
				it.req.ID = id
			} else {
				doc, ok := e.(*xcontent.Object)
				if !ok {
					return nil, apierr.IllegalArgument("docs array element should include an object")
				}
				var err error
				if fields, err = readMultiGetDoc(doc, &it, fields); err != nil {
					return nil, err
				}
			}
			if len(fields) > 0 {
				wantStored(&it.req, fields)
				if !it.sel.given {
					it.sel = &sourceSelection{given: true, none: !slices.Contains(fields, "_source")}
				}
			}
			items = append(items, it)
		}
	}
	if len(items) == 0 {
		return nil, apierr.Validation("no documents to get")
	}
	var faults []string
	for i, it := range items {
		if it.req.Index == "" {
			faults = append(faults, "index is missing for doc "+strconv.Itoa(i))
		}
		if it.req.ID == "" {
			faults = append(faults, "id is missing for doc "+strconv.Itoa(i))
		}
	}
	if len(faults) > 0 {
		return nil, apierr.Validation(faults...)
	}
	return items, nil
}

func readMultiGetDoc(doc *xcontent.Object, it *multiGetItem, fields []string) ([]string, error) {
	for _, f := range doc.Members {
		text, _ := textOf(f.Value)
		var err error
		switch f.Key {
		case "_index":
			it.req.Index = text
		case "_id":
			it.req.ID = text
		case "routing":
			it.req.Routing = text
		case "version":
			n, _ := f.Value.(json.Number)
			it.req.Version, err = n.Int64()
		case "version_type":
			_, err = versionType(text)
		case "_source":
			it.sel, err = sourceValue(f.Value)
		case "stored_fields":
			fields, err = names(f.Key, f.Value)
		default:
			err = apierr.IllegalArgument("unsupported parameter [%s] in multi get item", f.Key)
		}
		if err != nil {
			return nil, err
		}
	}
	return fields, nil
}

// textOf returns a string or a number as text.
func textOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	}
	return "", false
}

func jsonKind(v any) string {
	switch v.(type) {
	case *xcontent.Object:
		return "START_OBJECT"
	case []any:
		return "START_ARRAY"
	case string:
		return "VALUE_STRING"
	case json.Number:
		return "VALUE_NUMBER"
	case bool:
		return "VALUE_BOOLEAN"
	}
	return "VALUE_NULL"
}
