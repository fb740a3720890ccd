package ingest

import (
	"encoding/json"
	"sync"
	"sync/atomic"
)

// Counters count executions.
type Counters struct {
	Count, Current, Failed, Nanos atomic.Int64
}

// Registry holds the compiled pipelines of the cluster state. It is safe for concurrent use.
type Registry struct {
	source func(id string) json.RawMessage
	mu     sync.RWMutex
	known  map[string]known
	Total  Counters // of the documents that went through pipelines
}

type known struct {
	body     json.RawMessage
	pipeline *Pipeline
}

// NewRegistry returns a registry of the pipelines that source knows, which returns nil for others. The bodies must not change.
func NewRegistry(source func(id string) json.RawMessage) *Registry {
	return &Registry{source: source, known: map[string]known{}}
}

// Get returns a pipeline, nil if there is none. One that cannot be compiled is one that fails.
func (r *Registry) Get(id string) *Pipeline {
	body := r.source(id)
	if body == nil {
		r.mu.Lock()
		delete(r.known, id)
		r.mu.Unlock()
		return nil
	}
	r.mu.RLock()
	k, ok := r.known[id]
	r.mu.RUnlock()
	if ok && same(k.body, body) {
		return k.pipeline
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if k, ok = r.known[id]; ok && same(k.body, body) {
		return k.pipeline
	}
	p, err := Compile(id, body)
	if err != nil {
		p = broken(id, err)
	}
	if ok {
		p.keepCounts(k.pipeline)
	}
	r.known[id] = known{body, p}
	return p
}

// same tells whether two bodies are one text: the state hands out the same bytes until they change.
func same(a, b json.RawMessage) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0] || string(a) == string(b))
}

// keepCounts takes on the counts of the pipeline before, those of processors where their types are the same.
func (p *Pipeline) keepCounts(old *Pipeline) {
	p.counters = old.counters
	var was, is []*step
	walk(append(old.steps[:len(old.steps):len(old.steps)], old.onFailure...), func(s *step) { was = append(was, s) })
	walk(append(p.steps[:len(p.steps):len(p.steps)], p.onFailure...), func(s *step) { is = append(is, s) })
	if len(was) != len(is) {
		return
	}
	for i := range is {
		if is[i].typ == was[i].typ {
			is[i].counters = was[i].counters
		}
	}
}

// Count is a reading of counters under a name.
type Count struct {
	Name, Type                     string
	Count, Current, Failed, Millis int64
}

func (c *Counters) read(name, typ string) Count {
	return Count{name, typ, c.Count.Load(), c.Current.Load(), c.Failed.Load(), c.Nanos.Load() / 1e6}
}

// Read returns the counts of all documents.
func (c *Counters) Read() Count { return c.read("", "") }

// Stats returns the counts of a pipeline and of its processors, without those in on_failure.
func (p *Pipeline) Stats() (Count, []Count) {
	var list []Count
	for _, s := range p.steps {
		list = append(list, s.counters.read(s.name(), s.typ))
	}
	return p.counters.read(p.ID, ""), list
}

// CountDocument counts a document that goes through pipelines; the function that it returns counts its end.
func (r *Registry) CountDocument() func(error) { return r.Total.start() }
