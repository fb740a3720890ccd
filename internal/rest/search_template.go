package rest

import (
	"net/http"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/javavalue"
	"github.com/varve-search/varve/internal/mustache"
	"github.com/varve-search/varve/internal/xcontent"
)

func (a *API) routeSearchTemplates(rt *Router) {
	rt.Handle("GET|POST", "/_render/template", a.renderTemplate)
	rt.Handle("GET|POST", "/_render/template/{id}", a.renderTemplate)
	rt.Handle("GET|POST", "/_search/template", a.searchTemplate)
	rt.Handle("GET|POST", "/{index}/_search/template", a.searchTemplate)
	rt.Handle("GET|POST", "/_msearch/template", a.multiSearchTemplate)
	rt.Handle("GET|POST", "/{index}/_msearch/template", a.multiSearchTemplate)
}

// templateRequest is a search template and what to fill it with.
type templateRequest struct {
	source, id     string
	inline, stored bool
	params         *javavalue.Object
}

// readTemplateRequest reads the body of a request with a search template.
func readTemplateRequest(o *xcontent.Object) (*templateRequest, error) {
	t := &templateRequest{params: &javavalue.Object{}}
	for _, m := range o.Members {
		text, isText := m.Value.(string)
		sub, isObject := m.Value.(*xcontent.Object)
		switch m.Key {
		case "id":
			if !isText {
				return nil, apierr.XContentParse("[search_template] id doesn't support values of type: %s", jsonKind(m.Value))
			}
			t.id, t.stored, t.inline = text, true, false
		case "source", "inline", "template":
			if isObject {
				raw, err := sub.MarshalJSON()
				if err != nil {
					return nil, err
				}
				text, isText = string(raw), true
			}
			if !isText {
				return nil, apierr.XContentParse("[search_template] source doesn't support values of type: %s", jsonKind(m.Value))
			}
			t.source, t.stored, t.inline = text, false, true
		case "params":
			if !isObject {
				return nil, apierr.XContentParse("[search_template] params doesn't support values of type: %s", jsonKind(m.Value))
			}
			w, err := javavalue.Wrap(sub)
			if err != nil {
				return nil, err
			}
			t.params = w.(*javavalue.Object)
		case "explain", "profile":
			if on, err := boolean(m.Key, m.Value); err != nil || on {
				if err == nil {
					err = apierr.NotImplemented("[%s] of a search template is not built in this server", m.Key)
				}
				return nil, err
			}
		default:
			return nil, apierr.XContentParse("[search_template] unknown field [%s]", m.Key)
		}
	}
	return t, nil
}

// render fills the template.
func (a *API) render(t *templateRequest) ([]byte, error) {
	switch {
	case !t.stored && !t.inline:
		return nil, apierr.Validation("template is missing", "template's script type is missing")
	case t.stored && t.id == "", t.inline && t.source == "":
		return nil, apierr.Validation("template is missing")
	}
	source := t.source
	if t.stored {
		rec := a.view().Script(t.id)
		if rec == nil {
			return nil, apierr.New(http.StatusNotFound, "resource_not_found_exception", "unable to find script [%s] in cluster state", t.id)
		}
		script, err := javavalue.DecodeObject(rec.Body)
		if err != nil {
			return nil, err
		}
		lang, _ := script.Get("lang")
		if lang != "mustache" {
			return nil, apierr.NotImplemented("the stored script [%s] is no template but a script in the language [%s]: scripts are not run in this server", t.id, javavalue.String(lang))
		}
		text, _ := script.Get("source")
		source = javavalue.String(text)
	}
	compiled, err := mustache.Parse(source, mustache.EscapeJSON)
	if err != nil {
		return nil, scriptError(source, err)
	}
	out, err := compiled.Render(t.params)
	if err != nil {
		return nil, scriptError(source, err)
	}
	return []byte(out), nil
}

func scriptError(source string, err error) error {
	return apierr.New(http.StatusBadRequest, "script_exception", "%v", err).With("script_stack", []string{}).With("script", source).With("lang", "mustache").
		Because(apierr.New(http.StatusInternalServerError, "mustache_exception", "%v", err))
}

func (a *API) renderTemplate(r *Request) (*Response, error) {
	body, err := bodyOrSource(r)
	if err != nil {
		return nil, err
	}
	t, err := readTemplateRequest(body)
	if err != nil {
		return nil, err
	}
	if id := r.Param("id"); id != "" {
		t.id, t.stored, t.inline = id, true, false
	}
	if err := r.unknownParams(); err != nil {
		return nil, err
	}
	out, err := a.render(t)
	if err != nil {
		return nil, err
	}
	v, err := xcontent.Decode(out)
	if err != nil {
		return nil, apierr.New(http.StatusBadRequest, "json_parse_exception", "the template makes no JSON: %v", err)
	}
	return OK(xcontent.Obj("template_output", v))
}

// searchTemplate fills a template and searches with it.
func (a *API) searchTemplate(r *Request) (*Response, error) {
	body, err := bodyOrSource(r)
	if err != nil {
		return nil, err
	}
	t, err := readTemplateRequest(body)
	if err != nil {
		return nil, err
	}
	if r.Body, err = a.render(t); err != nil {
		return nil, err
	}
	res, err := a.search(r)
	if err != nil {
		return nil, err
	}
	if o, ok := res.Body.(*xcontent.Object); ok {
		o.Add("status", res.Status)
	}
	return res, nil
}

// multiSearchTemplate fills the templates of several searches.
func (a *API) multiSearchTemplate(r *Request) (*Response, error) {
	return a.multiSearchOf(r, func(line []byte) (body []byte, failed, err error) {
		v, err := xcontent.Decode(line)
		if err != nil {
			return nil, nil, apierr.New(http.StatusBadRequest, "json_parse_exception", "the request body is not JSON: %v", err)
		}
		o, ok := v.(*xcontent.Object)
		if !ok {
			return nil, nil, apierr.XContentParse("[search_template] Expected START_OBJECT but was: %s", jsonKind(v))
		}
		t, err := readTemplateRequest(o)
		if err == nil && !t.stored && !t.inline {
			err = apierr.IllegalArgument("Malformed search template")
		}
		if err != nil {
			return nil, nil, err
		}
		body, failed = a.render(t)
		return body, failed, nil
	})
}
