package rest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/javavalue"
	"github.com/varve-search/varve/internal/mustache"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/xcontent"
)

func (a *API) routeScripts(rt *Router) {
	rt.Handle("PUT|POST", "/_scripts/{id}", a.putScript)
	rt.Handle("PUT|POST", "/_scripts/{id}/{context}", a.putScript)
	rt.Handle("GET", "/_scripts/{id}", a.getScript)
	rt.Handle("DELETE", "/_scripts/{id}", a.deleteScript)
	rt.Handle("GET", "/_script_language", a.scriptLanguages)
	rt.Handle("GET", "/_script_context", a.scriptContexts)
}

// scriptLanguageNames are the languages that scripts may be stored in. Only templates (mustache) are run.
var scriptLanguageNames = []string{"expression", "mustache", "painless"}

// putScript stores a script or a search template. As in OpenSearch it is compiled only where a context is given; scripts are not run
// here, so none but templates are.
func (a *API) putScript(r *Request) (*Response, error) {
	if _, err := a.timeouts(r); err != nil {
		return nil, err
	}
	id := r.Param("id")
	inContext := r.Has("context")
	body, err := r.object()
	if err == nil && body == nil {
		err = apierr.New(http.StatusBadRequest, "parse_exception", "request body is required")
	}
	if err != nil {
		return nil, err
	}
	if err := r.unknownParams(); err != nil {
		return nil, err
	}
	script, err := readScript(body)
	if err != nil {
		return nil, err
	}
	if strings.Contains(id, "#") {
		return nil, apierr.Validation("id cannot contain '#' for stored script")
	}
	limit, err := a.clusterNumber("script.max_size_in_bytes", 65535)
	if err != nil {
		return nil, err
	}
	if int64(len(r.Body)) > limit {
		return nil, apierr.IllegalArgument("exceeded max allowed stored script size in bytes [%d] with size [%d] for script [%s]", limit, len(r.Body), id)
	}
	lang, _ := script.Get("lang")
	if !slices.Contains(scriptLanguageNames, lang.(string)) {
		return nil, apierr.IllegalArgument("unable to put stored script with unsupported lang [%s]", lang)
	}
	source, _ := script.Get("source")
	if lang == "mustache" && inContext {
		if _, err := mustache.Parse(source.(string), mustache.EscapeJSON); err != nil {
			return nil, apierr.IllegalArgument("failed to parse/compile stored script [%s]", id).Because(apierr.New(http.StatusBadRequest, "script_exception", "%v", err))
		}
	}
	raw, err := script.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return a.updateState(r.Context(), func(tx *state.Tx) error {
		tx.Put(&state.StoredScript{Stored: state.Stored{Name: id, Body: raw}})
		return nil
	})
}

// clusterNumber reads a number out of the cluster settings or, if it is not there, this node's.
func (a *API) clusterNumber(key string, def int64) (int64, error) {
	set := a.view().Settings()
	for _, s := range []string{set.Transient.GetOr(key, ""), set.Persistent.GetOr(key, ""), a.Settings.GetOr(key, "")} {
		if s != "" {
			return json.Number(s).Int64()
		}
	}
	return def, nil
}

// readScript reads the body of a stored script: lang, source, and options where there are any.
func readScript(body *xcontent.Object) (*xcontent.Object, error) {
	if body.Len() == 0 {
		return xcontent.Obj("lang", "mustache", "source", ""), nil
	}
	first := body.Members[0]
	if first.Key != "script" {
		return nil, apierr.Parsing("unexpected field [%s], expected [script]", first.Key)
	}
	o, ok := first.Value.(*xcontent.Object)
	if !ok {
		return nil, apierr.Parsing("unexpected token [%s], expected [{, <source>]", jsonKind(first.Value))
	}
	out := &xcontent.Object{}
	options := &xcontent.Object{}
	var lang, source string
	var given bool
	for _, m := range o.Members {
		text, isText := m.Value.(string)
		switch m.Key {
		case "lang":
			if !isText {
				return nil, apierr.XContentParse("[stored script source] lang doesn't support values of type: %s", jsonKind(m.Value))
			}
			lang = text
		case "source", "code":
			given = true
			if template, isObject := m.Value.(*xcontent.Object); isObject {
				raw, err := template.MarshalJSON()
				if err != nil {
					return nil, err
				}
				text, isText = string(raw), true
				options.Set("content_type", "application/json; charset=UTF-8")
			}
			if !isText {
				return nil, apierr.XContentParse("[stored script source] source doesn't support values of type: %s", jsonKind(m.Value))
			}
			source = text
		case "options":
			set, isObject := m.Value.(*xcontent.Object)
			if !isObject {
				return nil, apierr.XContentParse("[stored script source] options doesn't support values of type: %s", jsonKind(m.Value))
			}
			for _, opt := range set.Members {
				options.Set(opt.Key, opt.Value)
			}
		}
	}
	_, typed := options.Get("content_type")
	switch {
	case !slices.ContainsFunc(o.Members, func(m xcontent.Member) bool { return m.Key == "lang" }):
		return nil, apierr.IllegalArgument("must specify lang for stored script")
	case lang == "":
		return nil, apierr.IllegalArgument("lang cannot be empty")
	case !given && lang != "mustache":
		return nil, apierr.IllegalArgument("must specify source for stored script")
	case source == "" && lang != "mustache":
		return nil, apierr.IllegalArgument("source cannot be empty")
	case options.Len() > 1 || options.Len() == 1 && !typed:
		set := &javavalue.Object{}
		for _, m := range options.Members {
			set.Put(m.Key, m.Value)
		}
		return nil, apierr.IllegalArgument("illegal compiler options [%s] specified", javavalue.String(set))
	}
	out.Add("lang", lang).Add("source", source)
	if options.Len() > 0 {
		out.Add("options", options)
	}
	return out, nil
}

func (a *API) getScript(r *Request) (*Response, error) {
	r.Ignore("local")
	if err := a.waitTimes(r); err != nil {
		return nil, err
	}
	id := r.Param("id")
	sc := a.view().Script(id)
	if sc == nil {
		return &Response{Status: http.StatusNotFound, Body: xcontent.Obj("_id", id, "found", false)}, nil
	}
	return OK(xcontent.Obj("_id", id, "found", true, "script", sc.Body))
}

func (a *API) deleteScript(r *Request) (*Response, error) {
	if _, err := a.timeouts(r); err != nil {
		return nil, err
	}
	id := r.Param("id")
	if err := r.unknownParams(); err != nil {
		return nil, err
	}
	return a.updateState(r.Context(), func(tx *state.Tx) error {
		if tx.Script(id) == nil {
			return apierr.New(http.StatusNotFound, "resource_not_found_exception", "stored script [%s] does not exist and cannot be deleted", id)
		}
		tx.Delete(&state.StoredScript{Stored: state.Stored{Name: id}})
		return nil
	})
}

// scriptLanguages says in which contexts scripts are run: templates only.
func (a *API) scriptLanguages(*Request) (*Response, error) {
	return OK(xcontent.Obj("types_allowed", []string{"inline", "stored"},
		"language_contexts", []any{xcontent.Obj("language", "mustache", "contexts", templateContexts)}))
}

// templateContexts are where scripts are run: those of templates.
var templateContexts = []string{"ingest_template", "template"}

// scriptContexts describes the contexts, whose methods are those of templates.
func (a *API) scriptContexts(*Request) (*Response, error) {
	list := []any{}
	for _, name := range templateContexts {
		method := func(name, returns string) any {
			return xcontent.Obj("name", name, "return_type", returns, "params", []any{})
		}
		list = append(list, xcontent.Obj("name", name, "methods", []any{method("execute", "java.lang.String"), method("getParams", "java.util.Map")}))
	}
	return OK(xcontent.Obj("contexts", list))
}
