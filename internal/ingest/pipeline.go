package ingest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/javavalue"
)

// step is one processor with what its configuration says around it.
type step struct {
	typ, tag, description string
	condition             *condition
	ignoreFailure         bool
	onFailure             []*step
	run                   func(r *run, d *Document) (keep bool, err error)
	calls                 *template // of a pipeline processor
	counters              *Counters
}

// Pipeline is a compiled pipeline.
type Pipeline struct {
	ID          string
	Description string
	Version     *int32
	steps       []*step
	onFailure   []*step
	counters    *Counters
}

// Lookup finds the pipeline that a pipeline processor names, nil if there is none.
type Lookup func(id string) *Pipeline

// maxNesting is how deeply on_failure and foreach may be nested.
const maxNesting = 100

type compiler struct{ depth int }

// Compile reads a pipeline.
func Compile(id string, body json.RawMessage) (*Pipeline, error) {
	o, err := javavalue.DecodeObject(body)
	if err != nil {
		return nil, BadJSON(err)
	}
	return compile(id, o)
}

// compile reads a pipeline from an object, which it takes apart.
func compile(id string, o *object) (*Pipeline, error) {
	c := &config{o: o, c: &compiler{}}
	p := &Pipeline{ID: id, counters: &Counters{}}
	var err error
	if p.Description, _, err = c.optional("description"); err != nil {
		return nil, err
	}
	if p.Version, err = c.number("version"); err != nil {
		return nil, err
	}
	if v, _ := o.Get("processors"); v == nil {
		return nil, c.missing("processors")
	}
	list, err := c.optionalList("processors")
	if err != nil {
		return nil, err
	}
	if p.steps, err = c.c.steps(list); err != nil {
		return nil, err
	}
	failures, err := c.optionalList("on_failure")
	if err != nil {
		return nil, err
	}
	if p.onFailure, err = c.c.steps(failures); err != nil {
		return nil, err
	}
	if o.Len() > 0 {
		return nil, apierr.New(http.StatusBadRequest, "parse_exception", "pipeline [%s] doesn't support one or more provided configuration parameters %s", id, javaList(o.HashedKeys()))
	}
	if failures != nil && len(p.onFailure) == 0 {
		return nil, apierr.New(http.StatusBadRequest, "parse_exception", "pipeline [%s] cannot have an empty on_failure option defined", id)
	}
	return p, nil
}

// steps reads a list of processors; the first fault is the error, later ones go with it.
func (c *compiler) steps(l *list) ([]*step, error) {
	if l == nil {
		return nil, nil
	}
	c.depth++
	defer func() { c.depth-- }()
	if c.depth > maxNesting {
		return nil, configError("", "", "", "processors are nested more than %d deep", maxNesting)
	}
	var steps []*step
	var first error
	var later []error
	for _, e := range l.Items {
		o, ok := e.(*object)
		if !ok {
			return nil, classCast("class %s cannot be cast to class java.util.Map", javavalue.TypeName(e))
		}
		for _, typ := range o.HashedKeys() {
			v, _ := o.Get(typ)
			s, err := c.step(typ, v)
			switch {
			case err == nil:
				steps = append(steps, s)
			case first == nil:
				first = err
			default:
				later = append(later, err)
			}
		}
	}
	if first != nil {
		return nil, suppress(first, later)
	}
	return steps, nil
}

// step reads one processor.
func (c *compiler) step(typ string, v any) (*step, error) {
	if v == nil {
		return nil, configError(typ, "", "", "the config of processor [%s] cannot be null", typ)
	}
	if _, ok := v.(string); ok && typ == "script" {
		v = javavalue.NewObject("inline", v)
	}
	o, ok := v.(*object)
	if !ok {
		return nil, configError(typ, "", "", "property isn't a map, but of type [%s]", javavalue.TypeName(v))
	}
	s := &step{typ: typ, counters: &Counters{}}
	general := &config{o: o, c: c}
	var err error
	if s.tag, _, err = general.optional("tag"); err != nil {
		return nil, err
	}
	general.tag = s.tag
	if s.description, _, err = general.optional("description"); err != nil {
		return nil, err
	}
	general.tag = ""
	if s.ignoreFailure, err = general.flag("ignore_failure", false); err != nil {
		return nil, err
	}
	condition := o.Remove("if")
	build, ok := builders[typ]
	if !ok {
		return nil, configError(typ, s.tag, "", "No processor type exists with name [%s]", typ)
	}
	failures, err := general.optionalList("on_failure")
	if err != nil {
		return nil, err
	}
	if s.onFailure, err = c.steps(failures); err != nil {
		return nil, err
	}
	if failures != nil && len(s.onFailure) == 0 {
		return nil, configError(typ, s.tag, "on_failure", "processors list cannot be empty")
	}
	if err := build(&config{typ: typ, tag: s.tag, o: o, c: c}, s); err != nil {
		return nil, processorError(err, typ, s.tag)
	}
	if o.Len() > 0 {
		return nil, configError(typ, s.tag, "", "processor [%s] doesn't support one or more provided configuration parameters %s", typ, javaList(o.HashedKeys()))
	}
	if condition != nil {
		if s.condition, err = readCondition(condition); err != nil {
			return nil, processorError(err, typ, s.tag)
		}
	}
	return s, nil
}

// broken is the pipeline in place of one that cannot be compiled: each document that comes to it fails.
func broken(id string, err error) *Pipeline {
	e := apierr.As(err)
	text := err.Error()
	if e != nil {
		text = fmt.Sprintf("OpenSearchParseException[%s]", e.Reason)
		if e.Type != "parse_exception" {
			text = e.Reason
		}
	}
	s := &step{typ: "unknown", description: "this is a placeholder processor", counters: &Counters{}}
	if e != nil {
		if t, ok := e.Get("processor_type").(string); ok {
			s.typ = t
		}
		if t, ok := e.Get("processor_tag").(string); ok {
			s.tag = t
		}
	}
	s.run = func(*run, *Document) (bool, error) {
		return false, illegalState("pipeline with id [%s] could not be loaded, caused by [%s]", id, text)
	}
	return &Pipeline{ID: id, Description: "this is a place holder pipeline, because pipeline with id [" + id + "] could not be loaded", steps: []*step{s}, counters: &Counters{}}
}

// Processors returns the types of the processors, those in on_failure included, for counting and for limits.
func (p *Pipeline) Processors() []string {
	var types []string
	walk(append(p.steps[:len(p.steps):len(p.steps)], p.onFailure...), func(s *step) { types = append(types, s.typ) })
	return types
}

func walk(steps []*step, fn func(*step)) {
	for _, s := range steps {
		fn(s)
		walk(s.onFailure, fn)
	}
}

// name is how statistics call a step: its type, and its tag if it has one.
func (s *step) name() string { return strings.TrimSuffix(s.typ+":"+s.tag, ":") }
