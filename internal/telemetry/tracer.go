package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/varve-search/varve/internal/settings"
)

// Config of a Tracer.
type Config struct {
	Settings         settings.Settings // of the node
	Version, NodeID  string
	Cluster          string
	Log              *slog.Logger
	shutdownPatience time.Duration
}

// Tracer makes spans while it is on. Its methods are safe for concurrent use.
type Tracer struct {
	cfg         Config
	probability atomic.Uint64 // bits of a float64
	running     atomic.Pointer[running]

	mu sync.Mutex // held while it is switched
}

// running is what there is while a Tracer is on.
type running struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
}

// scope names what makes the spans.
const scope = "github.com/varve-search/varve"

// New returns a Tracer that is off.
func New(cfg Config) *Tracer {
	if cfg.shutdownPatience == 0 {
		cfg.shutdownPatience = 5 * time.Second
	}
	return &Tracer{cfg: cfg}
}

// Apply switches the Tracer on or off. Switching off sends what has ended.
func (t *Tracer) Apply(ctx context.Context, c Change) error {
	t.probability.Store(math.Float64bits(c.Probability))
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.running.Load()
	switch {
	case c.Enabled && r == nil:
		r, err := t.start(ctx)
		if err != nil {
			return fmt.Errorf("switch tracing on: %w", err)
		}
		t.running.Store(r)
	case !c.Enabled && r != nil:
		t.running.Store(nil)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.cfg.shutdownPatience)
		defer cancel()
		if err := r.provider.Shutdown(ctx); err != nil {
			return fmt.Errorf("switch tracing off: spans could not be sent: %w", err)
		}
	}
	return nil
}

// Close switches the Tracer off.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.Apply(ctx, Change{})
}

func (t *Tracer) start(ctx context.Context) (*running, error) {
	endpoint, err := endpointOf(t.cfg.Settings)
	if err != nil {
		return nil, err
	}
	var opts []otlptracehttp.Option
	if endpoint != "" {
		opts = append(opts, otlptracehttp.WithEndpointURL(endpoint))
	}
	queue, err := t.cfg.Settings.Int(queueSetting, 2048)
	if err != nil {
		return nil, err
	}
	batch, err := t.cfg.Settings.Int(batchSetting, 512)
	if err != nil {
		return nil, err
	}
	delay, err := t.cfg.Settings.Duration(delaySetting, 2*time.Second)
	if err != nil {
		return nil, err
	}
	exporter, err := otlptracehttp.New(ctx, opts...)
	if err != nil {
		return nil, err
	}
	res, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", "varve")), resource.WithFromEnv(), resource.WithAttributes(
		attribute.String("service.version", t.cfg.Version), attribute.String("service.instance.id", t.cfg.NodeID), attribute.String("varve.cluster.name", t.cfg.Cluster)))
	if err != nil {
		return nil, err
	}
	// The library knows one place for what goes wrong when spans are sent.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { t.cfg.Log.Warn("spans could not be sent", "error", err) }))
	p := sdktrace.NewTracerProvider(sdktrace.WithResource(res), sdktrace.WithSampler(sampler{t}), sdktrace.WithIDGenerator(ids{}),
		sdktrace.WithBatcher(exporter, sdktrace.WithMaxQueueSize(queue), sdktrace.WithMaxExportBatchSize(min(batch, queue)), sdktrace.WithBatchTimeout(delay)))
	return &running{p, p.Tracer(scope)}, nil
}

// On tells whether spans are made. Who has to gather what a span is to say asks first.
func (t *Tracer) On() bool { return t != nil && t.running.Load() != nil }

// Sampled tells whether spans below what ctx carries would be sent.
func (t *Tracer) Sampled(ctx context.Context) bool {
	return t.On() && trace.SpanContextFromContext(ctx).IsSampled()
}

// Span is something that was done, from Start to End. The zero Span is one that nobody sees.
type Span struct{ span trace.Span }

// Attribute is a detail of a span: a string, bool, int, int64 or string-like number.
type Attribute = attribute.KeyValue

// String, Int and Bool make attributes.
func String(key, value string) Attribute { return attribute.String(key, value) }

// Int makes an attribute.
func Int(key string, value int64) Attribute { return attribute.Int64(key, value) }

// Bool makes an attribute.
func Bool(key string, value bool) Attribute { return attribute.Bool(key, value) }

// Start begins a span below the one that ctx carries, and returns a context that carries it.
func (t *Tracer) Start(ctx context.Context, name string, attrs ...Attribute) (context.Context, Span) {
	if t == nil {
		return ctx, Span{}
	}
	r := t.running.Load()
	if r == nil {
		return ctx, Span{}
	}
	ctx, span := r.tracer.Start(ctx, name, trace.WithAttributes(attrs...))
	return ctx, Span{span}
}

// Below is Start where ctx carries a span that is sent; else it does nothing. It is for what would say nothing by itself.
func (t *Tracer) Below(ctx context.Context, name string, attrs ...Attribute) (context.Context, Span) {
	if !t.Sampled(ctx) {
		return ctx, Span{}
	}
	return t.Start(ctx, name, attrs...)
}

// Server begins the span of a request that a client sent, below the client's where its headers name one (W3C Trace Context).
func (t *Tracer) Server(ctx context.Context, header http.Header, name string, attrs ...Attribute) (context.Context, Span) {
	if t == nil {
		return ctx, Span{}
	}
	r := t.running.Load()
	if r == nil {
		return ctx, Span{}
	}
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(header))
	ctx, span := r.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attrs...))
	return ctx, Span{span}
}

// Sent makes the span of a request to a store that began some time ago; End is called when its answer was read.
func (t *Tracer) Sent(ctx context.Context, name string, began time.Time, attrs ...Attribute) Span {
	if !t.Sampled(ctx) {
		return Span{}
	}
	r := t.running.Load()
	if r == nil {
		return Span{}
	}
	_, span := r.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(began), trace.WithAttributes(attrs...))
	return Span{span}
}

// Set adds details.
func (s Span) Set(attrs ...Attribute) {
	if s.span != nil {
		s.span.SetAttributes(attrs...)
	}
}

// Failed marks the span as one of something that failed.
func (s Span) Failed(why string) {
	if s.span != nil {
		s.span.SetStatus(codes.Error, why)
	}
}

// End ends the span; with an error it is one of something that failed.
func (s Span) End(err error) {
	if s.span == nil {
		return
	}
	if err != nil {
		s.span.SetStatus(codes.Error, err.Error())
	}
	s.span.End()
}
