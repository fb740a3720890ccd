package telemetry

import (
	"context"
	"crypto/rand"
	"math"
	"strings"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// job is a span that is sent when its work has ended, maybe by another process than the one that began it.
type job struct {
	trace        trace.TraceID
	parent, span trace.SpanID // parent is invalid for the first span of a trace
}

func (j job) String() string {
	return j.trace.String() + "-" + j.parent.String() + "-" + j.span.String()
}

func parseJob(token string) (j job, ok bool) {
	parts := strings.Split(token, "-")
	if len(parts) != 3 {
		return j, false
	}
	var err [2]error
	j.trace, err[0] = trace.TraceIDFromHex(parts[0])
	j.span, err[1] = trace.SpanIDFromHex(parts[2])
	j.parent, _ = trace.SpanIDFromHex(parts[1]) // all zeros are an error there, and none here
	return j, err[0] == nil && err[1] == nil
}

// NewJob returns the token of a job below the span that ctx carries; "" where that is not sent.
func (t *Tracer) NewJob(ctx context.Context) string {
	if !t.On() {
		return ""
	}
	j := job{span: newSpanID()}
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		if !sc.IsSampled() {
			return ""
		}
		j.trace, j.parent = sc.TraceID(), sc.SpanID()
		return j.String()
	}
	j.trace = newTraceID()
	if !t.chosen(j.trace) {
		return ""
	}
	return j.String()
}

// InJob returns a context whose spans lie below that of a job.
func (t *Tracer) InJob(ctx context.Context, token string) context.Context {
	if !t.On() {
		return ctx
	}
	j, ok := parseJob(token)
	if !ok {
		return ctx
	}
	return trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{TraceID: j.trace, SpanID: j.span, TraceFlags: trace.FlagsSampled, Remote: true}))
}

// EndJob sends the span of a job that has ended now.
func (t *Tracer) EndJob(token, name string, began time.Time, err error, attrs ...Attribute) {
	j, ok := parseJob(token)
	if !ok || t == nil {
		return
	}
	r := t.running.Load()
	if r == nil {
		return
	}
	ctx := context.WithValue(context.Background(), jobKey{}, j)
	if j.parent.IsValid() {
		ctx = trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{TraceID: j.trace, SpanID: j.parent, TraceFlags: trace.FlagsSampled, Remote: true}))
	}
	_, span := r.tracer.Start(ctx, name, trace.WithTimestamp(began), trace.WithAttributes(attrs...))
	Span{span}.End(err)
}

// jobKey marks the context in which the span of a job is made.
type jobKey struct{}

// ids makes ids at random, and takes those of a job from its token.
type ids struct{}

func newTraceID() (id trace.TraceID) {
	for !id.IsValid() {
		rand.Read(id[:])
	}
	return id
}

func newSpanID() (id trace.SpanID) {
	for !id.IsValid() {
		rand.Read(id[:])
	}
	return id
}

// NewIDs implements sdktrace.IDGenerator.
func (ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if j, ok := ctx.Value(jobKey{}).(job); ok {
		return j.trace, j.span
	}
	return newTraceID(), newSpanID()
}

// NewSpanID implements sdktrace.IDGenerator.
func (ids) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	if j, ok := ctx.Value(jobKey{}).(job); ok {
		return j.span
	}
	return newSpanID()
}

// sampler decides which spans are sent: as the span above was decided, and for the first of a trace by the Tracer's probability of now.
type sampler struct{ t *Tracer }

// ShouldSample implements sdktrace.Sampler.
func (s sampler) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	above := trace.SpanContextFromContext(p.ParentContext)
	_, decided := p.ParentContext.Value(jobKey{}).(job)
	res := sdktrace.SamplingResult{Decision: sdktrace.Drop, Tracestate: above.TraceState()}
	if decided || above.IsSampled() || !above.IsValid() && s.t.chosen(p.TraceID) {
		res.Decision = sdktrace.RecordAndSample
	}
	return res
}

// Description implements sdktrace.Sampler.
func (sampler) Description() string { return "varve" }

// chosen tells by its id whether a trace is among those that are sent.
func (t *Tracer) chosen(id trace.TraceID) bool {
	return sdktrace.TraceIDRatioBased(math.Float64frombits(t.probability.Load())).ShouldSample(sdktrace.SamplingParameters{ParentContext: context.Background(), TraceID: id}).Decision == sdktrace.RecordAndSample
}
