package oss

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"

	"github.com/varve-search/varve/blob"
)

// client is a connection to a bucket, shared by a container and its sub-containers.
type client struct {
	api      *oss.Client
	cfg      *config
	counters *blob.Counters
	http     *http.Transport
}

func newClient(cfg *config, counters *blob.Counters) *client {
	dialer := &net.Dialer{Timeout: 4 * time.Second, KeepAlive: 30 * time.Second}
	c := &client{cfg: cfg, counters: counters, http: &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, TLSHandshakeTimeout: 4 * time.Second, ResponseHeaderTimeout: 50 * time.Second,
		MaxIdleConnsPerHost: 64, MaxConnsPerHost: 64, IdleConnTimeout: 60 * time.Second, DisableCompression: true,
	}}
	conf := oss.NewConfig().WithEndpoint(cfg.endpoint.String()).WithRegion(cfg.region).WithUsePathStyle(cfg.pathStyle).WithRetryMaxAttempts(cfg.attempts).
		WithCredentialsProvider(credentials.NewStaticCredentialsProvider(cfg.keyID, cfg.key, cfg.securityToken))
	if cfg.v1 {
		conf = conf.WithSignatureVersion(oss.SignatureVersionV1)
	}
	conf.HttpClient = c
	c.api = oss.NewClient(conf)
	return c
}

// Do implements the SDK's HTTPClient and counts.
func (c *client) Do(req *http.Request) (*http.Response, error) {
	start := time.Now()
	resp, err := c.http.RoundTrip(req) // without redirections: a bucket does not move
	if there(resp) {
		blob.PatienceOf(req.Context()).Answered()
	}
	a := blob.Attempt{Kind: kindOf(req), BytesOut: req.ContentLength, Time: time.Since(start), Failed: err != nil}
	if c.counters.Watch != nil {
		a.Blob = blob.NameIn(req.URL, c.cfg.endpoint.Path, c.cfg.bucket, c.cfg.base)
	}
	if resp == nil {
		c.counters.Sent(req.Context(), a, nil)
	} else {
		a.Failed = resp.StatusCode >= 400
		a.Throttled = resp.StatusCode == http.StatusServiceUnavailable || resp.StatusCode == http.StatusTooManyRequests
		resp.Body = c.counters.Sent(req.Context(), a, resp.Body)
	}
	return resp, err
}

// kindOf names a request as the SDK's methods are named.
func kindOf(req *http.Request) string {
	q := req.URL.Query()
	switch {
	case q.Has("list-type"):
		return "ListObjectsV2"
	case q.Has("delete"):
		return "DeleteMultipleObjects"
	case q.Has("uploads") && req.Method == http.MethodGet:
		return "ListMultipartUploads"
	case q.Has("uploads"):
		return "InitiateMultipartUpload"
	case q.Has("partNumber"):
		return "UploadPart"
	case q.Has("uploadId") && req.Method == http.MethodDelete:
		return "AbortMultipartUpload"
	case q.Has("uploadId"):
		return "CompleteMultipartUpload"
	}
	return map[string]string{"GET": "GetObject", "PUT": "PutObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}[req.Method]
}

// known are the error codes that say more than their status.
var known = map[string]struct {
	kind blob.Kind
	hint string
}{
	"NoSuchKey":                        {blob.KindNotFound, ""},
	"NoSuchBucket":                     {blob.KindInvalid, "; the bucket does not exist: make it, or correct the setting bucket or endpoint"},
	"FileAlreadyExists":                {blob.KindAlreadyExists, ""},
	"PreconditionFailed":               {blob.KindAlreadyExists, ""},
	"InvalidAccessKeyId":               {blob.KindPermission, "; the store does not know access_key_id"},
	"SignatureDoesNotMatch":            {blob.KindPermission, "; secret_access_key is wrong"},
	"SecurityTokenExpired":             {blob.KindPermission, "; security_token has expired"},
	"InvalidSecurityToken":             {blob.KindPermission, "; security_token is not valid"},
	"RequestTimeTooSkewed":             {blob.KindPermission, "; the clock of this machine and that of the store differ too much"},
	"AccessDenied":                     {blob.KindPermission, "; these credentials have no right to do this, or the endpoint is not that of the bucket"},
	"InvalidObjectState":               {blob.KindArchived, "; the object lies in an archive and cannot be read yet: restore it in the store first, then try again"},
	"QpsLimitExceeded":                 {blob.KindThrottled, ""},
	"UploadTrafficRateLimitExceeded":   {blob.KindThrottled, ""},
	"DownloadTrafficRateLimitExceeded": {blob.KindThrottled, ""},
	"InvalidDigest":                    {blob.KindCorrupt, "; bytes changed on their way"},
	"RequestTimeout":                   {blob.KindUnavailable, ""},
}

var kindOfStatus = map[int]blob.Kind{
	400: blob.KindInvalid, 403: blob.KindPermission, 404: blob.KindNotFound, 409: blob.KindUnavailable, 412: blob.KindAlreadyExists, 429: blob.KindThrottled,
	500: blob.KindUnavailable, 502: blob.KindUnavailable, 503: blob.KindThrottled, 504: blob.KindUnavailable, 507: blob.KindNoSpace,
}

func codeOf(err error) (code string, status int) {
	var se *oss.ServiceError
	if errors.As(err, &se) {
		return se.Code, se.StatusCode
	}
	return "", 0
}

// failed turns an error of the SDK into one of the package blob.
func (c *Container) failed(ctx context.Context, op, name string, err error) error {
	var done *blob.Error
	if err == nil || errors.As(err, &done) {
		return err
	}
	e := &blob.Error{Op: op, Location: c.String(), Name: name, Kind: blob.KindUnavailable}
	var se *oss.ServiceError
	switch {
	case ctx.Err() != nil:
		e.Kind, e.Err = blob.KindCanceled, ctx.Err()
	case errors.As(err, &se):
		k, ok := known[se.Code]
		if !ok {
			k.kind = kindOfStatus[se.StatusCode]
		}
		text := strings.TrimSpace(se.Code + ": " + se.Message)
		e.Kind, e.Err = k.kind, fmt.Errorf("%.300s (status %d, request %s)%s", text, se.StatusCode, se.RequestID, k.hint)
	default:
		for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
			err = inner
		}
		e.Err = fmt.Errorf("the store at %s could not be reached or did not answer: %w", c.cfg.endpoint, err)
	}
	return e
}
