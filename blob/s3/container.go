package s3

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/varve-search/varve/blob"
)

// Container is what lies below a prefix of a bucket.
type Container struct {
	*client
	prefix string // of keys: empty, or ending with a slash
}

var (
	_ blob.Container   = (*Container)(nil)
	_ blob.Checker     = (*Container)(nil)
	_ blob.Counted     = (*Container)(nil)
	_ blob.TempCleaner = (*Container)(nil)
	_ blob.Parted      = (*Container)(nil)
	_ blob.Clocked     = (*Container)(nil)
	_ blob.Ranged      = (*Container)(nil)
)

func init() {
	blob.RegisterType("s3", func(ctx context.Context, cfg blob.Config) (blob.Container, error) { return New(ctx, cfg) })
	blob.RegisterSettings("s3", objectSettings...)
	blob.RegisterSettings("s3", slices.Collect(maps.Keys(clientSettings))...)
	for name, secret := range clientSettings {
		if secret {
			blob.RegisterSecrets("s3.client.*." + name)
		}
	}
	blob.Register("s3", openLocation)
}

// New returns the container of a repository of type s3. All settings are checked, and no request is sent
// to the store.
func New(ctx context.Context, cfg blob.Config) (*Container, error) {
	parsed, err := parse(cfg)
	if err != nil {
		return nil, err
	}
	c, err := newClient(ctx, parsed)
	if err != nil {
		return nil, err
	}
	return (&Container{client: c}).sub(parsed.base), nil
}

// openLocation opens //BUCKET/BASE_PATH?SETTING=VALUE&… with the settings of a repository and a client,
// other than secrets.
func openLocation(ctx context.Context, rest string) (blob.Container, error) {
	u, err := url.Parse("s3:" + rest)
	if err != nil || u.Host == "" || u.User != nil {
		return nil, &blob.Error{Op: "open", Location: "s3:", Kind: blob.KindInvalid,
			Err: errors.New("a location in a bucket is s3://BUCKET/BASE_PATH, with ?endpoint=URL&region=REGION for a store that is not Amazon's; credentials come from the environment")}
	}
	set := blob.Settings{"bucket": u.Host, "base_path": strings.Trim(u.Path, "/")}
	node := blob.Settings{}
	for name, values := range u.Query() {
		secret, ofClient := clientSettings[name]
		switch {
		case secret:
			return nil, blob.SettingError(name, "a secret does not belong into a location: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment")
		case name == "bucket" || name == "base_path":
			return nil, blob.SettingError(name, "stands before the question mark: s3://BUCKET/BASE_PATH")
		case ofClient:
			node["s3.client.default."+name] = values[len(values)-1]
		default:
			set[name] = values[len(values)-1]
		}
	}
	if err := blob.CheckLocation("s3", set); err != nil {
		return nil, err
	}
	return New(ctx, blob.Config{Settings: set, Node: node})
}

func (c *Container) String() string { return strings.TrimSuffix(c.location(c.prefix), "/") }

// Stats implements blob.Counted.
func (c *Container) Stats() blob.Stats { return c.counters.Stats() }

// Capabilities implements blob.Container.
func (c *Container) Capabilities() blob.Capabilities {
	if c.cfg.readOnly {
		return blob.CanList
	}
	return blob.CanWrite | blob.CanDelete | blob.CanList | blob.AtomicIfAbsent | blob.TempBelow
}

func (c *Container) sub(path string) *Container {
	if path == "" {
		return c
	}
	return &Container{c.client, c.prefix + path + "/"}
}

// Container implements blob.Container.
func (c *Container) Container(path string) (blob.Container, error) {
	if err := blob.CheckPath(path); err != nil {
		return nil, err
	}
	return c.sub(path), nil
}

// maxKey is how many bytes a key may have.
const maxKey = 1024

// check refuses what needs no request to be refused.
func (c *Container) check(ctx context.Context, op, name string) error {
	if err := ctx.Err(); err != nil {
		return c.failed(ctx, op, name, err)
	}
	checkName := blob.CheckName
	if op == "delete" {
		checkName = blob.CheckBlobPath
	}
	if err := checkName(name); err != nil {
		return err
	}
	if n := len(c.prefix) + len(name); n > maxKey {
		return &blob.Error{Op: op, Location: c.String(), Name: name, Kind: blob.KindInvalidName, Err: fmt.Errorf("the key has %d bytes; buckets allow %d", n, maxKey)}
	}
	return nil
}

// checkWrite is check for what changes the bucket.
func (c *Container) checkWrite(ctx context.Context, op, name string) error {
	if c.cfg.readOnly {
		return &blob.Error{Op: op, Location: c.String(), Name: name, Kind: blob.KindReadOnly}
	}
	return c.check(ctx, op, name)
}

func (c *Container) failed(ctx context.Context, op, name string, err error) error {
	return c.fail(ctx, op, c.String(), name, err)
}

func (c *Container) key(name string) *string { return aws.String(c.prefix + name) }

// checkTime bounds Check. It covers two attempts to reach a host that does not answer. Tests shorten it.
var checkTime = 12 * time.Second

// Check implements blob.Checker.
func (c *Container) Check(ctx context.Context) error {
	_, err := c.listOne(ctx)
	return err
}

// StoreTime implements blob.Clocked.
func (c *Container) StoreTime(ctx context.Context) (time.Time, error) {
	out, err := c.listOne(ctx)
	if err != nil {
		return time.Time{}, err
	}
	t, _ := awsmiddleware.GetServerTime(out.ResultMetadata)
	return t, nil
}

// SmallParts implements blob.Parted.
func (c *Container) SmallParts() (blob.Container, int64) {
	cfg := *c.cfg
	cfg.bufferSize = leastPart
	in := *c.client
	in.cfg = &cfg
	return &Container{&in, c.prefix}, leastPart
}

// listOne lists at most one key.
func (c *Container) listOne(ctx context.Context) (*s3.ListObjectsV2Output, error) {
	limited, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	out, err := c.api.ListObjectsV2(limited, &s3.ListObjectsV2Input{
		Bucket: &c.cfg.bucket, Prefix: optional(c.prefix), MaxKeys: aws.Int32(1), ExpectedBucketOwner: optional(c.cfg.owner),
	}, func(o *s3.Options) { o.RetryMaxAttempts = min(2, c.cfg.attempts) })
	if err = c.failed(ctx, "check", "", err); blob.KindOf(err) == blob.KindNotFound && err != nil {
		err = &blob.Error{Op: "check", Location: c.String(), Kind: blob.KindInvalid, Err: fmt.Errorf("what answers at %s is no store that speaks S3: correct the setting endpoint", c.where())}
	}
	return out, err
}

// Close closes the connections that nobody uses. The container may be used further.
func (c *Container) Close() error {
	c.transport.CloseIdleConnections()
	return nil
}

// Stat implements blob.Container.
func (c *Container) Stat(ctx context.Context, name string) (blob.Info, error) {
	if err := c.check(ctx, "stat", name); err != nil {
		return blob.Info{}, err
	}
	out, err := c.head(ctx, name)
	if err != nil {
		return blob.Info{}, c.failed(ctx, "stat", name, err)
	}
	return blob.Info{Name: name, Size: aws.ToInt64(out.ContentLength), Attributes: attributes(out.Metadata)}, nil
}

// attributes are what an object says of itself in headers x-amz-meta-NAME, whose case nothing keeps.
func attributes(headers map[string]string) map[string]string {
	if len(headers) == 0 {
		return nil
	}
	out := make(map[string]string, len(headers))
	for name, value := range headers {
		out[strings.ToLower(name)] = value
	}
	return out
}

func (c *Container) head(ctx context.Context, name string) (*s3.HeadObjectOutput, error) {
	return c.api.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &c.cfg.bucket, Key: c.key(name), ExpectedBucketOwner: optional(c.cfg.owner)}, c.patiently(ctx))
}

// pages calls fn with each page of keys that start with prefix.
func (c *Container) pages(ctx context.Context, op, prefix, delimiter string, fn func(*s3.ListObjectsV2Output) error) error {
	in := &s3.ListObjectsV2Input{Bucket: &c.cfg.bucket, Prefix: optional(prefix), Delimiter: optional(delimiter), ExpectedBucketOwner: optional(c.cfg.owner)}
	for {
		if err := ctx.Err(); err != nil {
			return c.failed(ctx, op, "", err)
		}
		page, err := c.api.ListObjectsV2(ctx, in, c.patiently(ctx))
		if err != nil {
			return c.failed(ctx, op, "", err)
		}
		if err := fn(page); err != nil {
			return err
		}
		if !aws.ToBool(page.IsTruncated) {
			return nil
		}
		next := aws.ToString(page.NextContinuationToken)
		if next == "" || next == aws.ToString(in.ContinuationToken) {
			return &blob.Error{Op: op, Location: c.String(), Kind: blob.KindCorrupt, Err: errors.New("the store says that a list goes on, but not where")}
		}
		in.ContinuationToken = &next
	}
}

// List implements blob.Container. Keys that are no names of blobs, such as a console's folder marks, are
// left out.
func (c *Container) List(ctx context.Context, prefix string, fn func(blob.Info) error) error {
	return c.pages(ctx, "list", c.prefix+prefix, "/", func(page *s3.ListObjectsV2Output) error {
		for _, o := range page.Contents {
			name, ok := strings.CutPrefix(aws.ToString(o.Key), c.prefix)
			if !ok || blob.CheckName(name) != nil {
				continue
			}
			if err := fn(blob.Info{Name: name, Size: aws.ToInt64(o.Size)}); err != nil {
				return err
			}
		}
		return nil
	})
}

// Children implements blob.Container.
func (c *Container) Children(ctx context.Context, fn func(string) error) error {
	return c.pages(ctx, "children", c.prefix, "/", func(page *s3.ListObjectsV2Output) error {
		for _, p := range page.CommonPrefixes {
			name, ok := strings.CutPrefix(strings.TrimSuffix(aws.ToString(p.Prefix), "/"), c.prefix)
			if !ok || blob.CheckName(name) != nil {
				continue
			}
			if err := fn(name); err != nil {
				return err
			}
		}
		return nil
	})
}
