package s3

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/varve-search/varve/blob"
)

// maxBackoff is the longest wait between two attempts. Tests shorten it.
var maxBackoff = retry.DefaultMaxBackoff

func newRetryer(cfg *config, creds *aws.CredentialsCache) aws.RetryerV2 {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts, o.MaxBackoff = cfg.attempts, maxBackoff
		if !cfg.retryQuota {
			o.RateLimiter = ratelimit.None
		}
		o.Retryables = append([]retry.IsErrorRetryable{
			// Two conditional writes met: the next attempt sees who won.
			retry.RetryableErrorCode{Codes: map[string]struct{}{"ConditionalRequestConflict": {}, "OperationAborted": {}}},
			retry.IsErrorRetryableFunc(func(err error) aws.Ternary {
				if code := apiCode(err); creds != nil && cfg.refreshable() && (code == "ExpiredToken" || code == "ExpiredTokenException") {
					creds.Invalidate()
					return aws.TrueTernary
				}
				return aws.UnknownTernary
			}),
		}, o.Retryables...)
	})
}

// patiently lets an operation outlast a store that is away, where its context has patience.
func (c *client) patiently(ctx context.Context) func(*s3.Options) {
	p := blob.PatienceOf(ctx)
	if p == nil {
		return func(*s3.Options) {}
	}
	return func(o *s3.Options) {
		o.Retryer = &patientRetryer{RetryerV2: c.retryer, attempts: c.cfg.attempts, patience: p, outage: p.Outage()}
	}
}

// patientRetryer serves one operation: after the attempts that the settings allow it goes on, slowly, while the store is away.
type patientRetryer struct {
	aws.RetryerV2
	attempts int // of the settings
	patience *blob.Patience
	outage   *blob.Outage
	pause    time.Duration // 0: the SDK's
}

// MaxAttempts implements aws.Retryer: GetRetryToken decides.
func (*patientRetryer) MaxAttempts() int { return 0 }

// GetAttemptToken implements aws.RetryerV2. What it returns is told how the attempt ended.
func (r *patientRetryer) GetAttemptToken(ctx context.Context) (func(error) error, error) {
	release, err := r.RetryerV2.GetAttemptToken(ctx)
	if err != nil {
		return nil, err
	}
	return func(failure error) error {
		if failure == nil || !r.IsErrorRetryable(failure) {
			r.patience.Answered()
		}
		return release(failure)
	}, nil
}

// GetRetryToken implements aws.Retryer.
func (r *patientRetryer) GetRetryToken(ctx context.Context, failure error) (func(error) error, error) {
	tried := r.outage.Failed()
	if tried < r.attempts {
		if release, err := r.RetryerV2.GetRetryToken(ctx, failure); err == nil {
			return release, nil
		}
	}
	pause, again := r.outage.Wait()
	if !again {
		return nil, &retry.MaxAttemptsError{Attempt: tried, Err: failure}
	}
	r.pause = pause
	return func(error) error { return nil }, nil
}

// RetryDelay implements aws.Retryer.
func (r *patientRetryer) RetryDelay(attempt int, failure error) (time.Duration, error) {
	if r.pause > 0 {
		return r.pause, nil
	}
	return r.RetryerV2.RetryDelay(attempt, failure)
}
