package ingest

import (
	"slices"
	"time"
)

// run is the execution of pipelines on one document.
type run struct {
	lookup Lookup
	track  *[]ProcessorResult // set by a verbose simulation
}

// Run runs a pipeline on a document, which it changes. Not keep means that a drop processor took the document away.
func (p *Pipeline) Run(d *Document, lookup Lookup) (keep bool, err error) {
	r := &run{lookup: lookup}
	return r.pipeline(p, d)
}

// cycle is the error of a pipeline that calls itself.
const cycle = "Cycle detected for pipeline: "

func (r *run) pipeline(p *Pipeline, d *Document) (keep bool, err error) {
	if slices.Contains(d.pipelines, p.ID) {
		return false, illegalState(cycle+"%s", p.ID)
	}
	d.pipelines = append(d.pipelines, p.ID)
	before := d.Ingest.Put("pipeline", p.ID)
	defer func() {
		d.pipelines = d.pipelines[:len(d.pipelines)-1]
		if before != nil {
			d.Ingest.Put("pipeline", before)
		} else {
			d.Ingest.Remove("pipeline")
		}
	}()
	done := p.counters.start()
	defer func() { done(err) }()
	keep, err = r.steps(p.steps, d)
	if err != nil && len(p.onFailure) > 0 && !Escaped(err) {
		return r.recover(asFailure(err), p.onFailure, d)
	}
	return keep, err
}

// steps runs processors one after another. An error is a *failure.
func (r *run) steps(steps []*step, d *Document) (bool, error) {
	for _, s := range steps {
		if keep, err := r.step(s, d); err != nil || !keep {
			return keep, err
		}
	}
	return true, nil
}

// step runs one processor. An error is a *failure.
func (r *run) step(s *step, d *Document) (bool, error) {
	keep, err := r.bare(s, d)
	if err == nil || Escaped(err) {
		return keep, err
	}
	if s.condition != nil && r.track == nil {
		return false, wrap(err, "conditional", s, d) // OpenSearch names what stands around the processor
	}
	return false, wrap(err, s.typ, s, d)
}

// wrap notes the processor in an error, if none is noted yet.
func wrap(err error, typ string, s *step, d *Document) error {
	if f := asFailure(err); f != nil {
		return f
	}
	f := &failure{err: err, typ: typ, tag: s.tag}
	if len(d.pipelines) > 1 {
		f.origin = slices.Clone(d.pipelines)
		slices.Reverse(f.origin)
	}
	return f
}

// bare runs one processor, its condition before and its on_failure after it; its error names no processor if the step does not deal
// with failures.
func (r *run) bare(s *step, d *Document) (bool, error) {
	if s.condition != nil {
		yes, err := s.condition.holds(d)
		if err != nil && r.track != nil {
			return false, escaped{err}
		}
		if err != nil {
			return false, err
		}
		if !yes {
			r.note(s, ProcessorResult{Status: "skipped"})
			return true, nil
		}
	}
	keep, err := r.call(s, d)
	switch {
	case err == nil || Escaped(err):
		return keep, err
	case s.ignoreFailure:
		return true, nil
	case len(s.onFailure) == 0:
		return false, err
	}
	return r.recover(asFailure(wrap(err, s.typ, s, d)), s.onFailure, d)
}

// call runs the processor itself and notes what it did.
func (r *run) call(s *step, d *Document) (keep bool, err error) {
	done := s.counters.start()
	defer func() { done(err) }()
	if r.track == nil {
		return s.run(r, d)
	}
	if s.calls != nil {
		return r.trackCall(s, d)
	}
	keep, err = s.run(r, d)
	switch {
	case Escaped(err):
	case err != nil && s.ignoreFailure:
		r.note(s, ProcessorResult{Status: "error_ignored", Err: err, Document: d.copy()})
	case err != nil:
		r.note(s, ProcessorResult{Status: "error", Err: err})
	case !keep:
		r.note(s, ProcessorResult{Status: "dropped"})
	default:
		r.note(s, ProcessorResult{Status: "success", Document: d.copy()})
	}
	return keep, err
}

// trackCall notes a pipeline processor before those of the pipeline that it calls.
func (r *run) trackCall(s *step, d *Document) (bool, error) {
	if id, err := s.calls.render(d); err != nil || r.lookup(id) == nil {
		if err == nil {
			err = illegalArgument("Pipeline processor configured for non-existent pipeline [%s]", id)
		}
		return false, escaped{err}
	}
	probe := d.copy()
	quiet := &run{lookup: r.lookup}
	if _, err := s.run(quiet, probe); err != nil && isCycle(err) {
		if s.ignoreFailure {
			r.note(s, ProcessorResult{Status: "error_ignored", Err: err, Document: d.copy()})
		} else {
			r.note(s, ProcessorResult{Status: "error", Err: err})
		}
		return false, err
	}
	r.note(s, ProcessorResult{Status: "success"})
	return s.run(r, d)
}

func (r *run) note(s *step, p ProcessorResult) {
	if r.track == nil {
		return
	}
	p.Type, p.Tag, p.Description = s.typ, s.tag, s.description
	if s.condition != nil {
		p.Condition, p.Held = s.condition.source, p.Status != "skipped"
	}
	*r.track = append(*r.track, p)
}

// recover runs on_failure processors, which see what failed under _ingest.
func (r *run) recover(f *failure, steps []*step, d *Document) (bool, error) {
	d.Ingest.Put("on_failure_message", deepest(f.err))
	d.Ingest.Put("on_failure_processor_type", f.typ)
	d.Ingest.Put("on_failure_processor_tag", orNil(f.tag))
	if len(f.origin) > 0 {
		d.Ingest.Put("on_failure_pipeline", f.origin[0])
	}
	defer func() {
		for _, k := range []string{"message", "processor_type", "processor_tag", "pipeline"} {
			d.Ingest.Remove("on_failure_" + k)
		}
	}()
	return r.steps(steps, d)
}

// ProcessorResult is what one processor did in a verbose simulation.
type ProcessorResult struct {
	Type, Tag, Description string
	Status                 string // success, skipped, dropped, error, error_ignored
	Condition              string // with Held: its outcome
	Held                   bool
	Err                    error
	Document               *Document // nil where none is shown
}

// Simulate runs a pipeline on a document and returns what each processor did. Failures stand in the results; an error is one that
// ends the simulation.
func (p *Pipeline) Simulate(d *Document, lookup Lookup) ([]ProcessorResult, error) {
	results := []ProcessorResult{}
	r := &run{lookup: lookup, track: &results}
	if _, err := r.pipeline(p, d); Escaped(err) {
		return nil, err
	}
	return results, nil
}

// start counts an execution; the function that it returns counts its end.
func (c *Counters) start() func(error) {
	c.Current.Add(1)
	began := time.Now()
	return func(err error) {
		c.Current.Add(-1)
		c.Count.Add(1)
		c.Nanos.Add(int64(time.Since(began)))
		if err != nil {
			c.Failed.Add(1)
		}
	}
}
