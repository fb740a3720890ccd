package ingest

import (
	"net/http"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/javavalue"
	"github.com/varve-search/varve/internal/mustache"
)

// template is a text that may hold {{…}}.
type template struct {
	fixed string
	t     *mustache.Template
}

func newTemplate(s string) (*template, *apierr.Error) {
	if !strings.Contains(s, "{{") {
		return &template{fixed: s}, nil
	}
	t, err := mustache.Parse(s, mustache.EscapeJSON)
	if err != nil {
		return nil, apierr.New(http.StatusBadRequest, "script_exception", "%v", err).With("script_stack", []string{}).With("script", s).With("lang", "mustache").Because(apierr.New(http.StatusInternalServerError, "mustache_exception", "%v", err))
	}
	return &template{t: t}, nil
}

// render fills the template from a document.
func (t *template) render(d *Document) (string, error) {
	if t.t == nil {
		return t.fixed, nil
	}
	return t.fill(d.model())
}

func (t *template) fill(model *object) (string, error) {
	if t.t == nil {
		return t.fixed, nil
	}
	s, err := t.t.Render(model)
	if err != nil {
		return "", illegalArgument("%v", err)
	}
	return s, nil
}

// model is what templates see: the fields, and _source and _ingest.
func (d *Document) model() *object {
	m := &object{}
	for _, k := range d.Fields.Keys() {
		v, _ := d.Fields.Get(k)
		m.Put(k, v)
	}
	m.Put("_source", d.Fields)
	m.Put("_ingest", d.Ingest)
	return m
}

// valueSource makes a value anew for each document.
type valueSource struct {
	fixed  any
	text   *template
	list   []valueSource
	keys   []valueSource // of an object, whose values are list
	object bool
	// templated tells whether the value depends on the document.
	templated bool
}

func newValueSource(v any) (valueSource, error) {
	switch v := v.(type) {
	case string:
		t, err := newTemplate(v)
		if err != nil {
			return valueSource{}, err
		}
		if t.t == nil {
			return valueSource{fixed: v}, nil
		}
		return valueSource{text: t, templated: true}, nil
	case *list:
		s := valueSource{list: []valueSource{}}
		for _, e := range v.Items {
			sub, err := newValueSource(e)
			if err != nil {
				return s, err
			}
			s.list, s.templated = append(s.list, sub), s.templated || sub.templated
		}
		return s, nil
	case *object:
		s := valueSource{object: true}
		for _, k := range v.Keys() {
			key, err := newValueSource(k)
			if err != nil {
				return s, err
			}
			e, _ := v.Get(k)
			sub, err := newValueSource(e)
			if err != nil {
				return s, err
			}
			s.keys, s.list, s.templated = append(s.keys, key), append(s.list, sub), s.templated || key.templated || sub.templated
		}
		return s, nil
	}
	return valueSource{fixed: v}, nil
}

// value resolves the source for a document, which owns the result.
func (s *valueSource) value(d *Document) (any, error) {
	if !s.templated {
		return s.make(nil)
	}
	return s.make(d.model())
}

func (s *valueSource) make(model *object) (any, error) {
	switch {
	case s.text != nil:
		return s.text.fill(model)
	case s.object:
		o := &object{}
		for i := range s.keys {
			k, err := s.keys[i].make(model)
			if err != nil {
				return nil, err
			}
			v, err := s.list[i].make(model)
			if err != nil {
				return nil, err
			}
			o.Put(javavalue.String(k), v)
		}
		return o, nil
	case s.list != nil:
		l := &list{Items: make([]any, len(s.list))}
		for i := range s.list {
			v, err := s.list[i].make(model)
			if err != nil {
				return nil, err
			}
			l.Items[i] = v
		}
		return l, nil
	}
	return s.fixed, nil
}
