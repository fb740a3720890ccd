package oss

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sort"
	"strings"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/varve-search/varve/blob"
)

// Container is what lies below a prefix of a bucket.
type Container struct {
	*client
	prefix string // of keys: empty, or ending with a slash
}

var (
	_ blob.Container = (*Container)(nil)
	_ blob.Checker   = (*Container)(nil)
	_ blob.Counted   = (*Container)(nil)
	_ blob.Parted    = (*Container)(nil)
	_ blob.Clocked   = (*Container)(nil)
)

func init() {
	blob.RegisterType("oss", func(_ context.Context, cfg blob.Config) (blob.Container, error) { return New(cfg) })
	blob.RegisterSettings("oss", "bucket", "base_path", "endpoint", "region", "access_key_id", "secret_access_key", "security_token", "chunk_size", "buffer_size", "compress",
		"readonly", "max_retries", "signature_version", "storage_class", "path_style_access")
	for _, name := range []string{"access_key_id", "secret_access_key", "security_token"} {
		blob.RegisterSecrets(secretPrefix + name)
	}
	blob.Register("oss", openLocation)
}

// openLocation opens //BUCKET/BASE_PATH?endpoint=HOST&… with credentials of the environment.
func openLocation(_ context.Context, rest string) (blob.Container, error) {
	u, err := url.Parse("oss:" + rest)
	if err != nil || u.Host == "" || u.User != nil {
		return nil, &blob.Error{Op: "open", Location: "oss:", Kind: blob.KindInvalid,
			Err: errors.New("a location in a bucket is oss://BUCKET/BASE_PATH?endpoint=HOST; credentials come from the environment")}
	}
	set := blob.Settings{"bucket": u.Host, "base_path": strings.Trim(u.Path, "/")}
	for name, values := range u.Query() {
		switch name {
		case "access_key_id", "secret_access_key", "security_token":
			return nil, blob.SettingError(name, "a secret does not belong into a location: set OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET in the environment")
		case "bucket", "base_path":
			return nil, blob.SettingError(name, "stands before the question mark: oss://BUCKET/BASE_PATH")
		}
		set[name] = values[len(values)-1]
	}
	if err := blob.CheckLocation("oss", set); err != nil {
		return nil, err
	}
	return New(blob.Config{Settings: set})
}

// New returns the container of a repository of type oss. All settings are checked, and no request is sent.
func New(cfg blob.Config) (*Container, error) {
	parsed, err := parse(cfg)
	if err != nil {
		return nil, err
	}
	return (&Container{client: newClient(parsed, cfg.Count())}).sub(parsed.base), nil
}

func (c *Container) String() string {
	return strings.TrimSuffix("oss://"+c.cfg.bucket+"/"+c.prefix, "/")
}

// Stats implements blob.Counted. Bytes in are those announced; retries are not told apart.
func (c *Container) Stats() blob.Stats { return c.counters.Stats() }

// Close closes the connections that nobody uses.
func (c *Container) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

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

const maxKey = 1023 // bytes

func (c *Container) check(ctx context.Context, op, name string, writes bool) error {
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
	if writes && c.cfg.readOnly {
		return &blob.Error{Op: op, Location: c.String(), Name: name, Kind: blob.KindReadOnly}
	}
	if n := len(c.prefix) + len(name); n > maxKey {
		return &blob.Error{Op: op, Location: c.String(), Name: name, Kind: blob.KindInvalidName, Err: fmt.Errorf("the key has %d bytes; buckets allow %d", n, maxKey)}
	}
	return nil
}

func (c *Container) key(name string) *string { return oss.Ptr(c.prefix + name) }

// Check implements blob.Checker with one list of at most one key.
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
	t, err := http.ParseTime(out.Headers.Get("Date"))
	if err != nil {
		return time.Time{}, nil // it does not tell
	}
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
func (c *Container) listOne(ctx context.Context) (*oss.ListObjectsV2Result, error) {
	limited, cancel := context.WithTimeout(ctx, 12*time.Second)
	defer cancel()
	out, err := c.api.ListObjectsV2(limited, &oss.ListObjectsV2Request{Bucket: &c.cfg.bucket, Prefix: &c.prefix, MaxKeys: 1},
		func(o *oss.Options) { o.RetryMaxAttempts = oss.Ptr(min(2, c.cfg.attempts)) })
	return out, c.failed(ctx, "check", "", err)
}

// Stat implements blob.Container.
func (c *Container) Stat(ctx context.Context, name string) (blob.Info, error) {
	if err := c.check(ctx, "stat", name, false); err != nil {
		return blob.Info{}, err
	}
	out, err := c.head(ctx, name)
	if err != nil {
		return blob.Info{}, c.failed(ctx, "stat", name, err)
	}
	return blob.Info{Name: name, Size: out.ContentLength}, nil
}

func (c *Container) head(ctx context.Context, name string) (*oss.HeadObjectResult, error) {
	return c.api.HeadObject(ctx, &oss.HeadObjectRequest{Bucket: &c.cfg.bucket, Key: c.key(name)}, c.patiently(ctx))
}

func (c *Container) pages(ctx context.Context, op, prefix, delimiter string, fn func(*oss.ListObjectsV2Result) error) error {
	in := &oss.ListObjectsV2Request{Bucket: &c.cfg.bucket, Prefix: &prefix, MaxKeys: 1000}
	if delimiter != "" {
		in.Delimiter = &delimiter
	}
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
		if !page.IsTruncated {
			return nil
		}
		next := oss.ToString(page.NextContinuationToken)
		if next == "" || next == oss.ToString(in.ContinuationToken) {
			return &blob.Error{Op: op, Location: c.String(), Kind: blob.KindCorrupt, Err: errors.New("the store says that a list goes on, but not where")}
		}
		in.ContinuationToken = &next
	}
}

// List implements blob.Container.
func (c *Container) List(ctx context.Context, prefix string, fn func(blob.Info) error) error {
	return c.pages(ctx, "list", c.prefix+prefix, "/", func(page *oss.ListObjectsV2Result) error {
		for _, o := range page.Contents {
			name, ok := strings.CutPrefix(oss.ToString(o.Key), c.prefix)
			if !ok || blob.CheckName(name) != nil {
				continue
			}
			if err := fn(blob.Info{Name: name, Size: o.Size}); err != nil {
				return err
			}
		}
		return nil
	})
}

// Children implements blob.Container.
func (c *Container) Children(ctx context.Context, fn func(string) error) error {
	return c.pages(ctx, "children", c.prefix, "/", func(page *oss.ListObjectsV2Result) error {
		for _, p := range page.CommonPrefixes {
			name, ok := strings.CutPrefix(strings.TrimSuffix(oss.ToString(p.Prefix), "/"), c.prefix)
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

// maxBatch is how many keys one request deletes.
const maxBatch = 1000

// DeleteBatch implements blob.Container.
func (c *Container) DeleteBatch(ctx context.Context, names []string) error {
	failed := map[string]error{}
	var good []string
	for _, n := range names {
		if err := c.check(ctx, "delete", n, true); err != nil {
			failed[n] = err
			continue
		}
		good = append(good, n)
	}
	for len(good) > 0 {
		n := min(len(good), maxBatch)
		if err := c.deleteKeys(ctx, good[:n]); err != nil {
			for _, name := range good[:n] {
				failed[name] = err
			}
		}
		good = good[n:]
	}
	if len(failed) > 0 {
		return &blob.BatchError{Failed: failed}
	}
	return nil
}

// deleteKeys deletes blobs by their names below the prefix.
func (c *Container) deleteKeys(ctx context.Context, names []string) error {
	sort.Strings(names)
	objects := make([]oss.DeleteObject, len(names))
	for i, n := range names {
		objects[i].Key = c.key(n)
	}
	_, err := c.api.DeleteMultipleObjects(ctx, &oss.DeleteMultipleObjectsRequest{Bucket: &c.cfg.bucket, Objects: objects, Quiet: true}, c.patiently(ctx))
	return c.failed(ctx, "delete", "", err)
}

// DeleteTree implements blob.Container.
func (c *Container) DeleteTree(ctx context.Context) (blob.DeleteStats, error) {
	var st blob.DeleteStats
	if err := c.check(ctx, "delete tree", "x", true); err != nil {
		return st, err
	}
	err := c.pages(ctx, "delete tree", c.prefix, "", func(page *oss.ListObjectsV2Result) error {
		var names []string
		var bytes int64
		for _, o := range page.Contents {
			if name, ok := strings.CutPrefix(oss.ToString(o.Key), c.prefix); ok {
				names = append(names, name)
				bytes += o.Size
			}
		}
		if len(names) == 0 {
			return nil
		}
		if err := c.deleteKeys(ctx, names); err != nil {
			return err
		}
		st.Blobs += int64(len(names))
		st.Bytes += bytes
		return nil
	})
	return st, err
}
