package snapshot

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/telemetry"
)

// inJob returns the context of work for a job: its requests count for the job, and its spans lie below the job's.
func (s *Service) inJob(ctx context.Context, uuid, trace string) context.Context {
	return s.cfg.Tracer.InJob(s.metered(ctx, uuid), trace)
}

// shardSpan begins the span of a shard's part of a job.
func (s *Service) shardSpan(ctx context.Context, name, repo, index string, shard int) (context.Context, telemetry.Span) {
	if !s.cfg.Tracer.Sampled(ctx) {
		return ctx, telemetry.Span{}
	}
	return s.cfg.Tracer.Start(ctx, name, telemetry.String("varve.repository", repo), telemetry.String("varve.index", index), telemetry.String("varve.shard", strconv.Itoa(shard)))
}

// settleCost is called when an operation's end was recorded.
func (s *Service) settleCost(trace string, c *state.OperationCost, result string, cause error) {
	s.unmeter(c.UUID)
	s.endSpanOf(trace, c, result, cause)
}

// endSpanOf sends the span of a job that has ended, with what it sent to the store.
func (s *Service) endSpanOf(trace string, c *state.OperationCost, result string, cause error) {
	if trace == "" || !s.cfg.Tracer.On() {
		return
	}
	requests := int64(0)
	for _, n := range c.Requests {
		requests += n
	}
	attrs := []telemetry.Attribute{telemetry.String("varve.repository", c.Repository), telemetry.String("varve.result", result), telemetry.Int("varve.requests", requests),
		telemetry.Int("varve.bytes_in", c.BytesIn), telemetry.Int("varve.bytes_out", c.BytesOut), telemetry.Int("varve.retries", c.Retries)}
	if len(c.Snapshots) == 1 {
		attrs = append(attrs, telemetry.String("varve.snapshot", c.Snapshots[0]))
	}
	if cause == nil && result == resultFailed {
		cause = errors.New(abortedText)
	}
	s.cfg.Tracer.EndJob(trace, c.Operation, c.Started, cause, attrs...)
}

// watch makes the spans of requests to the store of a repository.
func (s *Service) watch(repo string) func(context.Context, blob.Attempt) func(int64) {
	if s.cfg.Tracer == nil {
		return nil
	}
	return func(ctx context.Context, a blob.Attempt) func(int64) {
		if !s.cfg.Tracer.Sampled(ctx) {
			return nil
		}
		span := s.cfg.Tracer.Sent(ctx, "store "+a.Kind, time.Now().Add(-a.Time), telemetry.String("varve.repository", repo), telemetry.String("varve.request.kind", a.Kind),
			telemetry.Int("varve.bytes_out", max(a.BytesOut, 0)), telemetry.Bool("varve.retry", a.Retry), telemetry.Bool("varve.throttled", a.Throttled))
		if a.Blob != "" {
			span.Set(telemetry.String("varve.blob", a.Blob))
		}
		if a.Failed {
			span.Failed("")
		}
		return func(in int64) {
			span.Set(telemetry.Int("varve.bytes_in", in))
			span.End(nil)
		}
	}
}
