package telemetry

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/varve-search/varve/internal/settings"
)

// on returns a Tracer that is on and keeps its spans in memory.
func on(t *testing.T, probability float64) (*Tracer, *tracetest.InMemoryExporter) {
	t.Helper()
	tr := New(Config{})
	if err := tr.Apply(t.Context(), Change{Probability: probability}); err != nil {
		t.Fatal(err)
	}
	mem := tracetest.NewInMemoryExporter()
	p := sdktrace.NewTracerProvider(sdktrace.WithSampler(sampler{tr}), sdktrace.WithIDGenerator(ids{}), sdktrace.WithSyncer(mem))
	tr.running.Store(&running{p, p.Tracer(scope)})
	return tr, mem
}

// TestJob: one process begins a job, a second works on it, and a third ends it.
func TestJob(t *testing.T) {
	first, of1 := on(t, 1)
	ctx, span := first.Server(t.Context(), http.Header{}, "PUT /x")
	token := first.NewJob(ctx)
	span.End(nil)
	second, of2 := on(t, 0)
	wctx, part := second.Below(second.InJob(t.Context(), token), "part")
	second.Sent(wctx, "store put", time.Now().Add(-time.Second)).End(nil)
	part.End(errors.New("it failed"))
	third, of3 := on(t, 0)
	began := time.Now().Add(-time.Hour)
	third.EndJob(token, "snapshot", began, nil, String("k", "v"))

	request, parts, job := of1.GetSpans(), of2.GetSpans(), of3.GetSpans()
	if len(request) != 1 || len(parts) != 2 || len(job) != 1 {
		t.Fatal(request, parts, job)
	}
	put, work := parts[0], parts[1]
	if job[0].Parent.SpanID() != request[0].SpanContext.SpanID() || work.Parent.SpanID() != job[0].SpanContext.SpanID() || put.Parent.SpanID() != work.SpanContext.SpanID() {
		t.Error("they do not lie below one another")
	}
	for _, s := range []tracetest.SpanStub{put, work, job[0]} {
		if s.SpanContext.TraceID() != request[0].SpanContext.TraceID() {
			t.Errorf("%s is of another trace", s.Name)
		}
	}
	if !job[0].StartTime.Equal(began) || work.Status.Description != "it failed" || put.EndTime.Sub(put.StartTime) < time.Second {
		t.Errorf("%+v", job[0])
	}
}

// TestSampling: what nobody decided is traced by chance, and what is not traced stays so.
func TestSampling(t *testing.T) {
	tr, mem := on(t, 0.25)
	const n = 4000
	for range n {
		ctx, span := tr.Server(t.Context(), http.Header{}, "GET /")
		_, below := tr.Below(ctx, "below")
		if (tr.NewJob(ctx) == "") == tr.Sampled(ctx) {
			t.Fatal("a job is not traced as its request")
		}
		below.End(nil)
		span.End(nil)
	}
	if got := len(mem.GetSpans()); got < 2*n/5 || got > 2*n*3/10 || got%2 != 0 {
		t.Errorf("%d spans of %d requests", got, n)
	}
	mem.Reset()
	alone := 0
	for range n {
		if token := tr.NewJob(t.Context()); token != "" {
			alone++
			tr.EndJob(token, "job", time.Now(), nil)
		}
	}
	if got := mem.GetSpans(); len(got) != alone || alone < n/5 || alone > n*3/10 || got[0].Parent.IsValid() {
		t.Errorf("%d jobs, %d spans", alone, len(got))
	}
}

// TestOff: what is off does nothing, and takes no memory.
func TestOff(t *testing.T) {
	token := job{trace: newTraceID(), span: newSpanID()}.String()
	for name, tr := range map[string]*Tracer{"nil": nil, "off": New(Config{})} {
		ctx := t.Context()
		if n := testing.AllocsPerRun(100, func() {
			if tr.On() || tr.Sampled(ctx) || tr.NewJob(ctx) != "" {
				t.Fatal("it is on")
			}
			c, span := tr.Below(ctx, "x")
			span.End(nil)
			if c != ctx || tr.InJob(ctx, "") != ctx {
				t.Fatal("another context")
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
		tr.EndJob(token, "x", time.Now(), nil)
		if err := tr.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

func TestSettings(t *testing.T) {
	for text, want := range map[string]string{"": "", "http://a:4318": "http://a:4318/v1/traces", "https://a/": "https://a/v1/traces", "http://a/otlp/v1/traces": "http://a/otlp/v1/traces"} {
		if got, err := endpointOf(settings.Settings{EndpointSetting: text}); err != nil || got != want {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"localhost:4318", "ftp://a", "http://user:secret@a:1", "http://"} {
		if _, err := endpointOf(settings.Settings{EndpointSetting: text}); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
	if _, err := ChangeOf(settings.Settings{ProbabilitySetting: "2"}); err == nil {
		t.Error("a probability of 2")
	}
	if c, err := ChangeOf(settings.Settings{EnabledSetting: "true"}); err != nil || !c.Enabled || c.Probability != 0.01 {
		t.Errorf("%+v, %v", c, err)
	}
}

func FuzzJob(f *testing.F) {
	f.Add(job{trace: newTraceID(), parent: newSpanID(), span: newSpanID()}.String())
	f.Add("0-0-0")
	tr := New(Config{})
	f.Fuzz(func(t *testing.T, token string) {
		if j, ok := parseJob(token); ok {
			if again, ok := parseJob(j.String()); !ok || again != j || !j.trace.IsValid() || !j.span.IsValid() {
				t.Errorf("%q", token)
			}
		}
		if trace.SpanContextFromContext(tr.InJob(t.Context(), token)).IsValid() {
			t.Error("a Tracer that is off made a span")
		}
	})
}
