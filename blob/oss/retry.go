package oss

import (
	"context"
	"math"
	"net/http"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/retry"

	"github.com/varve-search/varve/blob"
)

// patiently lets an operation outlast a store that is away, where its context has patience.
func (c *client) patiently(ctx context.Context) func(*oss.Options) {
	p := blob.PatienceOf(ctx)
	if p == nil {
		return func(*oss.Options) {}
	}
	return func(o *oss.Options) {
		o.RetryMaxAttempts = oss.Ptr(math.MaxInt32) // IsErrorRetryable decides
		o.Retryer = &patientRetryer{Retryer: retry.NewStandard(), attempts: c.cfg.attempts, patience: p, outage: p.Outage()}
	}
}

// patientRetryer serves one operation: after the attempts that the settings allow it goes on, slowly, while the store is away.
type patientRetryer struct {
	retry.Retryer
	attempts int // of the settings
	patience *blob.Patience
	outage   *blob.Outage
	pause    time.Duration // 0: the SDK's
}

// IsErrorRetryable implements retry.Retryer. The SDK asks once after each attempt that failed.
func (r *patientRetryer) IsErrorRetryable(err error) bool {
	if !r.Retryer.IsErrorRetryable(err) {
		return false
	}
	if r.outage.Failed() < r.attempts {
		return true
	}
	var again bool
	r.pause, again = r.outage.Wait()
	return again
}

// RetryDelay implements retry.Retryer.
func (r *patientRetryer) RetryDelay(attempt int, err error) (time.Duration, error) {
	if r.pause > 0 {
		return r.pause, nil
	}
	return r.Retryer.RetryDelay(attempt, err)
}

// there tells whether an answer is one of a store that works.
func there(resp *http.Response) bool {
	return resp != nil && resp.StatusCode < http.StatusInternalServerError && resp.StatusCode != http.StatusTooManyRequests
}
