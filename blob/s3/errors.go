package s3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/varve-search/varve/blob"
)

// apiCode returns the error code that the store answered, or "".
func apiCode(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

func statusOf(err error) int {
	var re *smithyhttp.ResponseError
	if errors.As(err, &re) && re.Response != nil {
		return re.HTTPStatusCode()
	}
	return 0
}

// isFull is what to do about a store without space.
const isFull = "the store is full, or the quota of the bucket is used up: make space there"

// noKey is what to do about a key that the store's key management does not know.
const noKey = "there is no such key: correct server_side_encryption_kms_key_id, or, where a blob is read, bring the key back that it was written with"

// known are the error codes that say more than their status.
var known = map[string]struct {
	kind blob.Kind
	hint string // what to do
}{
	"NoSuchKey":                      {blob.KindNotFound, ""},
	"NoSuchBucket":                   {blob.KindInvalid, "the bucket does not exist: make it, or correct the setting bucket, region or endpoint"},
	"InvalidBucketName":              {blob.KindInvalid, "the store does not accept the name in the setting bucket"},
	"PreconditionFailed":             {blob.KindAlreadyExists, ""},
	"AccessDenied":                   {blob.KindPermission, ""}, // see denied
	"AllAccessDisabled":              {blob.KindPermission, ""},
	"AccountProblem":                 {blob.KindPermission, ""},
	"InvalidAccessKeyId":             {blob.KindPermission, "the store does not know the access key"},
	"SignatureDoesNotMatch":          {blob.KindPermission, "the secret key is wrong, or something between changes requests"},
	"ExpiredToken":                   {blob.KindPermission, "the session token has expired"},
	"InvalidToken":                   {blob.KindPermission, "the session token is not valid"},
	"RequestTimeTooSkewed":           {blob.KindPermission, "the clock of this machine and that of the store differ too much: let NTP set them"},
	"AuthorizationHeaderMalformed":   {blob.KindInvalid, "the setting region is wrong for this bucket"},
	"PermanentRedirect":              {blob.KindInvalid, "the bucket lies in another region: correct the setting region or endpoint"},
	"TemporaryRedirect":              {blob.KindUnavailable, ""},
	"IllegalLocationConstraint":      {blob.KindInvalid, "the bucket lies in another region: correct the setting region"},
	"InvalidRegion":                  {blob.KindInvalid, "the setting region is wrong for this bucket"},
	"InvalidObjectState":             {blob.KindArchived, "the object lies in an archive (Glacier, Deep Archive) and cannot be read yet: restore it in the store first, then try again"},
	"InvalidStorageClass":            {blob.KindInvalid, "the store has no such storage class: correct the setting storage_class"},
	"KMS.NotFoundException":          {blob.KindInvalid, noKey},
	"kms:KeyNotFound":                {blob.KindInvalid, noKey},
	"KMS.DisabledException":          {blob.KindInvalid, "the key in server_side_encryption_kms_key_id is disabled"},
	"KMSNotConfigured":               {blob.KindInvalid, "the store cannot encrypt: set server_side_encryption_type to bucket_default"},
	"NotImplemented":                 {blob.KindUnsupported, "the store cannot do this; if it concerns encryption, set server_side_encryption_type to bucket_default"},
	"AccessControlListNotSupported":  {blob.KindInvalid, "the bucket has no ACLs: remove the setting canned_acl"},
	"MissingContentMD5":              {blob.KindInvalid, "the store demands MD5: set legacy_md5_checksum_calculation to true"},
	"XAmzContentChecksumMismatch":    {blob.KindCorrupt, "bytes changed on their way; if it is so each time, set legacy_md5_checksum_calculation to true"},
	"XAmzContentSHA256Mismatch":      {blob.KindCorrupt, "bytes changed on their way"},
	"BadDigest":                      {blob.KindCorrupt, "bytes changed on their way"},
	"QuotaExceeded":                  {blob.KindNoSpace, isFull},
	"XMinioStorageFull":              {blob.KindNoSpace, isFull},
	"XMinioAdminBucketQuotaExceeded": {blob.KindNoSpace, isFull},
	"InsufficientStorage":            {blob.KindNoSpace, isFull},
	"SlowDown":                       {blob.KindThrottled, ""},
	"Throttling":                     {blob.KindThrottled, ""},
	"ThrottlingException":            {blob.KindThrottled, ""},
	"TooManyRequests":                {blob.KindThrottled, ""},
	"RequestLimitExceeded":           {blob.KindThrottled, ""},
	"RequestTimeout":                 {blob.KindUnavailable, ""},
	"ConditionalRequestConflict":     {blob.KindUnavailable, ""},
	"OperationAborted":               {blob.KindUnavailable, ""},
}

// missing are the codes with which stores say that an object is not there. Whatever else is answered with 404 does not say so: a key of the key
// management that is gone, or something on the way.
var missing = map[string]bool{"NoSuchKey": true, "NotFound": true, "NoSuchVersion": true, "NoSuchUpload": true}

// rights are what the operations need.
var rights = map[string]string{
	"ListObjectsV2": "s3:ListBucket", "GetObject": "s3:GetObject", "HeadObject": "s3:GetObject", "PutObject": "s3:PutObject",
	"CreateMultipartUpload": "s3:PutObject", "UploadPart": "s3:PutObject", "CompleteMultipartUpload": "s3:PutObject",
	"DeleteObject": "s3:DeleteObject", "DeleteObjects": "s3:DeleteObject", "AbortMultipartUpload": "s3:AbortMultipartUpload",
	"ListMultipartUploads": "s3:ListBucketMultipartUploads",
}

// denied is what to do about an operation that was refused without a reason.
func (c *client) denied(operation string) string {
	hint := "; these credentials have no right to do this"
	if r := rights[operation]; r != "" {
		hint = "; give these credentials the right " + r
	}
	if c.cfg.owner != "" {
		hint += ", or the bucket belongs to another account than expected_bucket_owner"
	}
	if c.cfg.sse == types.ServerSideEncryptionAwsKms {
		hint += ", or they may not use the key in server_side_encryption_kms_key_id"
	}
	return hint
}

var kindOfStatus = map[int]blob.Kind{
	http.StatusMovedPermanently: blob.KindInvalid, http.StatusBadRequest: blob.KindInvalid, http.StatusUnauthorized: blob.KindPermission,
	http.StatusForbidden: blob.KindPermission, http.StatusProxyAuthRequired: blob.KindPermission, http.StatusNotFound: blob.KindNotFound, http.StatusConflict: blob.KindUnavailable,
	http.StatusPreconditionFailed: blob.KindAlreadyExists, http.StatusTooManyRequests: blob.KindThrottled,
	http.StatusInternalServerError: blob.KindUnavailable, http.StatusNotImplemented: blob.KindUnsupported, http.StatusBadGateway: blob.KindUnavailable,
	http.StatusServiceUnavailable: blob.KindThrottled, http.StatusGatewayTimeout: blob.KindUnavailable, http.StatusInsufficientStorage: blob.KindNoSpace,
}

// fail turns an error of the SDK into one of the package blob.
func (c *client) fail(ctx context.Context, op, location, name string, err error) error {
	if err == nil {
		return nil
	}
	var done *blob.Error
	if errors.As(err, &done) {
		return err
	}
	kind, why := c.explain(ctx, err)
	return &blob.Error{Op: op, Location: location, Name: name, Kind: kind, Err: why}
}

func (c *client) explain(ctx context.Context, err error) (blob.Kind, error) {
	if ctx.Err() != nil {
		return blob.KindCanceled, ctx.Err()
	}
	var noCreds *credentialsError
	if errors.As(err, &noCreds) {
		return blob.KindPermission, noCreds.err
	}
	var quota ratelimit.QuotaExceededError
	retriesEnded := ""
	if errors.As(err, &quota) {
		retriesEnded = " (nothing was retried: too many requests have failed lately)"
	}
	var api smithy.APIError
	status := statusOf(err)
	if !errors.As(err, &api) {
		if kind, ok := kindOfStatus[status]; ok {
			hint := ""
			if status == http.StatusBadRequest && c.cfg.endpoint != nil && c.cfg.endpoint.Scheme == "http" {
				hint = fmt.Sprintf(", and not as a store does; if it speaks TLS, set protocol to https, or endpoint to https://%s", c.cfg.endpoint.Host)
			}
			return kind, fmt.Errorf("the store answered with status %d%s%s", status, retriesEnded, hint)
		}
		// Nothing came back.
		return blob.KindUnavailable, fmt.Errorf("the store at %s could not be reached or did not answer%s: %w%s", c.where(), retriesEnded, root(err), c.onTheWay(err))
	}
	text := api.ErrorCode()
	if m := api.ErrorMessage(); m != "" {
		text += ": " + m
	}
	text = fmt.Sprintf("%s (status %d%s)%s", text, status, requestID(err), retriesEnded)
	if k, ok := known[api.ErrorCode()]; ok {
		if k.hint != "" {
			text += "; " + k.hint
		}
		if api.ErrorCode() == "AccessDenied" {
			text += c.denied(operationOf(err))
		}
		return k.kind, errors.New(text + c.regionHint(err))
	}
	kind, ok := kindOfStatus[status]
	switch {
	case !ok:
		kind = blob.KindOther
	case kind == blob.KindNotFound && !missing[api.ErrorCode()]:
		kind = blob.KindInvalid
	case status == http.StatusForbidden:
		text += c.denied(operationOf(err))
	case status == http.StatusProxyAuthRequired:
		text += fmt.Sprintf("; the proxy asks who this is: put s3.client.%[1]s.proxy.username and s3.client.%[1]s.proxy.password into the key store", c.cfg.client)
	}
	return kind, errors.New(text + c.regionHint(err))
}

// regionHint says the region of a bucket when the store does, and it is another than the one asked.
func (c *client) regionHint(err error) string {
	var re *smithyhttp.ResponseError
	if !errors.As(err, &re) || re.Response == nil {
		return ""
	}
	have := re.Response.Header.Get("X-Amz-Bucket-Region")
	if have == "" || c.api == nil || have == c.api.Options().Region {
		return ""
	}
	return fmt.Sprintf("; the bucket is in the region [%s], and the setting region says [%s]", have, c.api.Options().Region)
}

func (c *client) where() string {
	at := "Amazon S3 in " + c.api.Options().Region
	if c.cfg.endpoint != nil {
		at = c.cfg.endpoint.String()
	}
	if c.cfg.proxy != nil {
		at += " through the proxy " + c.cfg.proxy.Scheme + "://" + c.cfg.proxy.Host
	}
	return at
}

// onTheWay names the setting that is likely wrong where no answer came.
func (c *client) onTheWay(err error) string {
	var (
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		record  tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &unknown):
		return "; if the certificate is right, name the file of its authority in the setting ca_file"
	case errors.As(err, &host):
		return "; the setting endpoint must have a name that the certificate has, and path_style_access must be true unless it is one for each bucket, too"
	case strings.Contains(err.Error(), "proxyconnect") && errors.As(err, &record):
		return "; it is no https proxy: correct the setting proxy.type"
	case errors.Is(err, http.ErrSchemeMismatch) && c.cfg.endpoint != nil:
		return fmt.Sprintf("; the store speaks plain HTTP: set protocol to http, or endpoint to http://%s", c.cfg.endpoint.Host)
	}
	return ""
}

// operationOf names the request that failed, or "".
func operationOf(err error) string {
	var op *smithy.OperationError
	if errors.As(err, &op) {
		return op.Operation()
	}
	return ""
}

func requestID(err error) string {
	var re *awshttp.ResponseError
	if errors.As(err, &re) && re.RequestID != "" {
		return ", request " + re.RequestID
	}
	return ""
}

// root goes to the part of an error that says what happened on the wire.
func root(err error) error {
	var send *smithyhttp.RequestSendError
	if errors.As(err, &send) {
		return send.Err
	}
	var op *smithy.OperationError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}
