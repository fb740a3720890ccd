package s3

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/encoding/httpbinding"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// direct reads objects with requests that go through the SDK's retries and its signature, and not through the some forty other steps that the SDK takes
// for each request: for a small object those are half of all that there is to do here. Where to send them is learned from a request of the SDK.
type direct struct {
	send   *doer
	creds  aws.CredentialsProvider
	signer *v4.Signer
	to     atomic.Pointer[target] // nil: not learned yet
	off    atomic.Bool            // this machine's clock is wrong, which only the SDK makes good
}

// target is what requests for the objects of a bucket have in common.
type target struct {
	url    url.URL // scheme, host and query
	path   string  // before the key, escaped
	region string  // of the signature
	agent  string
}

func newDirect(send *doer, creds aws.CredentialsProvider) *direct {
	return &direct{send: send, creds: creds, signer: v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })} // S3's way: escaped once
}

// noBody is the SHA-256 of nothing.
const noBody = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// getObject reads an object, or a range of it. Of the answer there are the body, its length and range, and the ETag.
func (c *client) getObject(ctx context.Context, in *s3.GetObjectInput) (*s3.GetObjectOutput, error) {
	if to := c.direct.to.Load(); to != nil && !c.direct.off.Load() {
		out, err := c.getDirect(ctx, to, in)
		if !wrongClock(err) {
			return out, err
		}
		c.direct.off.Store(true)
	}
	return c.api.GetObject(ctx, in, c.patiently(ctx), func(o *s3.Options) {
		o.APIOptions = append(o.APIOptions[:len(o.APIOptions):len(o.APIOptions)], func(stack *middleware.Stack) error {
			return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("LearnTarget",
				func(ctx context.Context, f middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
					if req, ok := f.Request.(*smithyhttp.Request); ok {
						c.direct.learn(req.Request, *in.Key)
					}
					return next.HandleFinalize(ctx, f)
				}), "Signing", middleware.After)
		})
	})
}

// learn takes the target from a signed request of the SDK, unless it is signed in another way than usual.
func (p *direct) learn(req *http.Request, key string) {
	scope, ok := strings.CutPrefix(req.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=")
	scope, _, _ = strings.Cut(scope, ",")
	parts := strings.Split(scope, "/") // key ID, date, region, service
	n := len(parts)
	path, ends := strings.CutSuffix(req.URL.EscapedPath(), httpbinding.EscapePath(key, false))
	if !ok || !ends || n < 5 || parts[n-2] != "s3" || req.Header.Get("X-Amz-S3session-Token") != "" {
		return
	}
	p.to.Store(&target{url: url.URL{Scheme: req.URL.Scheme, Host: req.URL.Host, RawQuery: req.URL.RawQuery}, path: path, region: parts[n-3], agent: req.Header.Get("User-Agent")})
}

func (c *client) getDirect(ctx context.Context, to *target, in *s3.GetObjectInput) (*s3.GetObjectOutput, error) {
	u := to.url
	u.RawPath = to.path + httpbinding.EscapePath(*in.Key, false)
	path, err := url.PathUnescape(u.RawPath)
	if err != nil {
		return nil, err
	}
	u.Path = path
	req := smithyhttp.NewStackRequest().(*smithyhttp.Request)
	req.Method, req.URL, req.Host = http.MethodGet, &u, u.Host
	set := func(name string, value *string) {
		if value != nil {
			req.Header.Set(name, *value)
		}
	}
	set("Range", in.Range)
	set("If-Match", in.IfMatch)
	set("X-Amz-Expected-Bucket-Owner", in.ExpectedBucketOwner)
	set("User-Agent", &to.agent)
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("X-Amz-Content-Sha256", noBody)
	var o s3.Options
	o.Retryer = c.retryer
	c.patiently(ctx)(&o)
	var resp *http.Response
	_, _, err = retry.NewAttemptMiddleware(o.Retryer, smithyhttp.RequestCloner).HandleFinalize(awsmiddleware.SetOperationName(ctx, "GetObject"), middleware.FinalizeInput{Request: req},
		middleware.FinalizeHandlerFunc(func(ctx context.Context, in middleware.FinalizeInput) (out middleware.FinalizeOutput, md middleware.Metadata, err error) {
			resp, err = c.direct.attempt(ctx, to, in.Request.(*smithyhttp.Request)) //nolint:bodyclose // it is read by who asked
			return out, md, err
		}))
	if err != nil {
		return nil, &smithy.OperationError{ServiceID: s3.ServiceID, OperationName: "GetObject", Err: err}
	}
	out := &s3.GetObjectOutput{Body: resp.Body}
	if resp.ContentLength >= 0 {
		out.ContentLength = &resp.ContentLength
	}
	out.ETag, out.ContentRange = optional(resp.Header.Get("ETag")), optional(resp.Header.Get("Content-Range"))
	return out, nil
}

// attempt signs and sends a request once. Its errors are those that the SDK returns.
func (p *direct) attempt(ctx context.Context, to *target, req *smithyhttp.Request) (*http.Response, error) {
	creds, err := p.creds.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	if err := p.signer.SignHTTP(ctx, creds, req.Request, noBody, "s3", to.region, time.Now().UTC()); err != nil {
		return nil, err
	}
	resp, err := p.send.Do(req.Build(ctx))
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, &smithy.CanceledError{Err: ctx.Err()}
	case err != nil:
		return nil, &smithyhttp.RequestSendError{Err: err}
	case resp.StatusCode/100 != 2:
		return nil, refusal(resp)
	}
	return resp, nil
}

// refusal reads an answer that is no success.
func refusal(resp *http.Response) error {
	defer resp.Body.Close()
	var said struct{ Code, Message, RequestId string }
	b, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err == nil && xml.Unmarshal(b, &said) != nil || said.Code == "" { // a proxy's page, or nothing
		said.Message = http.StatusText(resp.StatusCode)
		said.Code = strings.ReplaceAll(said.Message, " ", "")
	}
	if said.RequestId == "" {
		said.RequestId = resp.Header.Get("X-Amz-Request-Id")
	}
	return &awshttp.ResponseError{RequestID: said.RequestId, ResponseError: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: resp}, Err: &smithy.GenericAPIError{Code: said.Code, Message: said.Message}}}
}

// wrongClock tells whether a request may have been refused because this machine's clock and the store's differ.
func wrongClock(err error) bool {
	switch apiCode(err) {
	case "RequestTimeTooSkewed", "SignatureDoesNotMatch", "InvalidSignatureException", "AuthFailure", "AccessDenied", "AccessDeniedException":
	default:
		return false
	}
	var re *smithyhttp.ResponseError
	if !errors.As(err, &re) || re.Response == nil {
		return false
	}
	at, perr := http.ParseTime(re.Response.Header.Get("Date"))
	return perr == nil && time.Since(at).Abs() > 4*time.Minute
}
