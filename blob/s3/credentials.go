package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// refreshBefore is how long before their end credentials are replaced.
const refreshBefore = 5 * time.Minute

// refreshable tells whether new credentials may follow when some have expired.
func (c *config) refreshable() bool { return c.accessKey == "" || c.roleARN != "" }

// newCredentials chooses where credentials come from: those of the settings or the key store, else the
// chain of the SDK (environment, profile, web identity, container, instance). With a role they only serve
// to assume it.
func newCredentials(cfg *config, base aws.Config, transport http.RoundTripper) *aws.CredentialsCache {
	var provider aws.CredentialsProvider = renewing{base.Credentials}
	if base.Credentials == nil {
		provider = nil
	}
	if cfg.accessKey != "" {
		provider = credentials.NewStaticCredentialsProvider(cfg.accessKey, cfg.secretKey, cfg.sessionToken)
	}
	role, session := cfg.roleARN, cfg.roleSession
	if role == "" && cfg.tokenFile != "" {
		role = os.Getenv("AWS_ROLE_ARN")
	}
	if session == "" {
		session = "varve"
	}
	if role != "" {
		api := sts.NewFromConfig(base, func(o *sts.Options) {
			o.HTTPClient = &http.Client{Transport: transport}
			o.Credentials = aws.NewCredentialsCache(provider, func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = refreshBefore })
			o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = 3, min(maxBackoff, 2*time.Second) })
			if cfg.stsEndpoint != "" {
				o.BaseEndpoint = aws.String(cfg.stsEndpoint)
			}
		})
		if cfg.tokenFile != "" {
			provider = stscreds.NewWebIdentityRoleProvider(api, role, stscreds.IdentityTokenFile(cfg.tokenFile),
				func(o *stscreds.WebIdentityRoleOptions) { o.RoleSessionName = session })
		} else {
			provider = stscreds.NewAssumeRoleProvider(api, role, func(o *stscreds.AssumeRoleOptions) { o.RoleSessionName = session })
		}
	}
	return aws.NewCredentialsCache(&explained{CredentialsProvider: provider, cfg: cfg, role: role}, func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = refreshBefore })
}

// credentialsError marks an error of finding credentials, before any request to the store.
type credentialsError struct{ err error }

func (e *credentialsError) Error() string { return e.err.Error() }
func (e *credentialsError) Unwrap() error { return e.err }

// renewing asks for new credentials each time: what the SDK's chain gives is a cache of its own, which keeps them until their very end, and
// also those that the store does not take any more.
type renewing struct{ aws.CredentialsProvider }

func (r renewing) Retrieve(ctx context.Context) (aws.Credentials, error) {
	if c, ok := r.CredentialsProvider.(*aws.CredentialsCache); ok {
		c.Invalidate()
	}
	return r.CredentialsProvider.Retrieve(ctx)
}

// retryAfter is how long credentials that could not be renewed, but still are good, are used before they are asked for again.
const retryAfter = 15 * time.Second

// explained says what to do where no credentials are found.
type explained struct {
	aws.CredentialsProvider
	cfg  *config
	role string

	mu   sync.Mutex
	last aws.Credentials // that were got
}

// HandleFailToRefresh implements aws.HandleFailRefreshCredentialsCacheStrategy: who gives credentials may be away for a while before
// those that there are end.
func (e *explained) HandleFailToRefresh(ctx context.Context, _ aws.Credentials, err error) (aws.Credentials, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	next := time.Now().Add(retryAfter)
	if ctx.Err() != nil || !e.last.HasKeys() || !e.last.CanExpire || !e.last.Expires.After(next) {
		return aws.Credentials{}, err
	}
	good := e.last
	good.Expires = next.Add(refreshBefore) // which the cache takes off again
	return good, nil
}

func (e *explained) Retrieve(ctx context.Context) (aws.Credentials, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if e.CredentialsProvider == nil {
		return aws.Credentials{}, &credentialsError{errors.New("there are no credentials")}
	}
	got, err := e.CredentialsProvider.Retrieve(ctx)
	switch {
	case err == nil:
		e.mu.Lock()
		e.last = got
		e.mu.Unlock()
		return got, nil
	case e.role != "":
		err = fmt.Errorf("the role [%s] could not be assumed: %w", e.role, err)
	default:
		err = fmt.Errorf("no credentials were found: neither s3.client.%s.access_key in the key store, nor in the environment, a profile, "+
			"a web identity, or of this instance or container: %w", e.cfg.client, err)
	}
	return got, &credentialsError{err}
}
