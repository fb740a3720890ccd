package s3

import (
	"context"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"

	"github.com/varve-search/varve/blob"
)

// client is a connection to a bucket, shared by a container and its sub-containers.
type client struct {
	api       *s3.Client
	cfg       *config
	counters  *blob.Counters
	transport *http.Transport
	retryer   aws.RetryerV2
	direct    *direct
}

// newClient makes a client. It sends no request to the store.
func newClient(ctx context.Context, cfg *config) (*client, error) {
	transport, err := newTransport(cfg)
	if err != nil {
		return nil, err
	}
	c := &client{cfg: cfg, counters: cfg.counters, transport: transport}
	load := []func(*awsconfig.LoadOptions) error{awsconfig.WithLogConfigurationWarnings(false), awsconfig.WithLogger(logging.Nop{}),
		awsconfig.WithCredentialsCacheOptions(func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = 0 })} // newCredentials has one of its own
	if cfg.region != "" {
		load = append(load, awsconfig.WithRegion(cfg.region))
	}
	base, err := awsconfig.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, &blob.Error{Op: "open", Location: c.location(""), Kind: blob.KindInvalid, Err: fmt.Errorf("the AWS configuration of this machine: %w", err)}
	}
	if base.Region == "" {
		base.Region = "us-east-1"
	}
	creds := newCredentials(cfg, base, transport)
	c.retryer = newRetryer(cfg, creds)
	send := newDoer(transport, cfg)
	c.direct = newDirect(send, creds)
	c.api = s3.NewFromConfig(base, func(o *s3.Options) {
		o.HTTPClient = send
		o.Credentials = creds
		if cfg.endpoint == nil && o.BaseEndpoint != nil {
			cfg.adoptEndpoint(*o.BaseEndpoint)
		}
		o.UsePathStyle = cfg.pathStyle
		o.ContinueHeaderThresholdBytes = -1 // bodies are sent at once, and again if need be
		o.BaseEndpoint = nil
		if cfg.endpoint != nil {
			o.BaseEndpoint = aws.String(cfg.endpoint.String())
		}
		if cfg.endpoint == nil || cfg.endpoint.Hostname() == "s3.amazonaws.com" {
			o.BaseEndpoint = nil // by region
		}
		o.Retryer = c.retryer
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		if c.bodies() == sdkChecksums {
			o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenSupported
		}
		// Checksums of whole objects come with answers of parts from some stores. What is read has its own.
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		o.DisableLogOutputChecksumValidationSkipped = true
		if cfg.legacyMD5 {
			o.APIOptions = append(o.APIOptions, useMD5)
		}
	})
	return c, nil
}

// location renders a place in the bucket for messages.
func (c *client) location(key string) string { return "s3://" + c.cfg.bucket + "/" + key }

// optional returns nil for an empty text, as the SDK wants what is not set.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
