package ingest

import (
	"net/http"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/javavalue"
)

// This file has the processors that decide what happens to a document.

func buildDrop(_ *config, s *step) error {
	s.run = func(*run, *Document) (bool, error) { return false, nil }
	return nil
}

func buildFail(c *config, s *step) error {
	message, err := c.template("message")
	if err != nil {
		return err
	}
	s.run = func(_ *run, d *Document) (bool, error) {
		text, err := message.render(d)
		if err != nil {
			return false, err
		}
		return false, apierr.New(http.StatusInternalServerError, "fail_processor_exception", "%s", text)
	}
	return nil
}

func buildPipeline(c *config, s *step) error {
	name, err := c.template("name")
	if err != nil {
		return err
	}
	s.calls = name
	s.run = func(r *run, d *Document) (bool, error) {
		id, err := name.render(d)
		if err != nil {
			return false, err
		}
		p := r.lookup(id)
		if p == nil {
			return false, illegalState("Pipeline processor configured for non-existent pipeline [%s]", id)
		}
		return r.pipeline(p, d)
	}
	return nil
}

func buildForeach(c *config, s *step) error {
	field, err := c.text("field")
	if err != nil {
		return err
	}
	ignoreMissing, err := c.flag("ignore_missing", false)
	if err != nil {
		return err
	}
	v := c.o.Remove("processor")
	if v == nil {
		return c.missing("processor")
	}
	o, ok := v.(*object)
	if !ok {
		return c.wrongType("processor", "a map", v)
	}
	keys := o.Keys()
	if len(keys) != 1 {
		return c.fault("processor", "Must specify exactly one processor type")
	}
	c.c.depth++
	defer func() { c.c.depth-- }()
	if c.c.depth > maxNesting {
		return c.fault("processor", "processors are nested more than %d deep", maxNesting)
	}
	conf, _ := o.Get(keys[0])
	inner, err := c.c.step(keys[0], conf)
	if err != nil {
		return err
	}
	s.run = func(r *run, d *Document) (bool, error) {
		l, err := d.getList(field, ignoreMissing)
		if err != nil {
			return false, escaped{err}
		}
		if l == nil {
			if ignoreMissing {
				return true, nil
			}
			return false, illegalArgument("field [%s] is null, cannot loop over its elements.", field)
		}
		quiet := &run{lookup: r.lookup}
		out := &list{Items: make([]any, 0, len(l.Items))}
		for _, v := range append([]any(nil), l.Items...) {
			before := d.Ingest.Put("_value", v)
			keep, err := quiet.bare(inner, d)
			out.Items = append(out.Items, d.Ingest.Put("_value", before))
			if err != nil || !keep {
				return keep, err
			}
		}
		return true, d.set(field, out)
	}
	return nil
}

func buildJSON(c *config, s *step) error {
	field, err := c.text("field")
	if err != nil {
		return err
	}
	target, given, err := c.optional("target_field")
	if err != nil {
		return err
	}
	toRoot, err := c.flag("add_to_root", false)
	if err != nil {
		return err
	}
	if toRoot && given {
		return c.fault("target_field", "Cannot set a target field while also setting `add_to_root` to true")
	}
	if !given {
		target = field
	}
	s.run = func(_ *run, d *Document) (bool, error) {
		if !toRoot {
			text, err := d.get(field)
			if err != nil {
				return false, err
			}
			v, err := parseJSON(text)
			if err != nil {
				return false, err
			}
			return true, d.set(target, v)
		}
		text, _ := d.Fields.Get(field)
		v, err := parseJSON(text)
		if err != nil {
			return false, err
		}
		o, ok := v.(*object)
		if !ok {
			return false, illegalArgument("cannot add non-map fields to root of document")
		}
		for _, k := range o.Keys() {
			e, _ := o.Get(k)
			d.Fields.Put(k, e)
		}
		return true, nil
	}
	return nil
}

// parseJSON reads the JSON that a value prints as.
func parseJSON(v any) (any, error) {
	text := javavalue.String(v)
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	out, err := javavalue.DecodeFirst([]byte(text))
	if err != nil {
		cause := apierr.New(http.StatusBadRequest, "json_parse_exception", "%v", err)
		return nil, illegalArgumentBecause(cause, "com.fasterxml.jackson.core.JsonParseException: %v", err)
	}
	return out, nil
}
