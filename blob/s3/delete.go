package s3

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"github.com/varve-search/varve/blob"
)

const (
	maxBatch        = 1000 // keys of one request
	parallelBatches = 4
)

// DeleteBatch implements blob.Container.
func (c *Container) DeleteBatch(ctx context.Context, names []string) error {
	f := &failures{}
	var keys []string
	for _, n := range names {
		if err := c.checkWrite(ctx, "delete", n); err != nil {
			f.add(n, err)
			continue
		}
		keys = append(keys, c.prefix+n)
	}
	var g errgroup.Group
	g.SetLimit(blob.DeletesAtOnce(ctx, parallelBatches))
	for len(keys) > 0 {
		n := min(len(keys), maxBatch)
		batch := keys[:n]
		keys = keys[n:]
		g.Go(func() error {
			c.deleteKeys(ctx, batch, f)
			return nil
		})
	}
	_ = g.Wait() // failures are noted
	return f.err()
}

// failures collects what could not be deleted.
type failures struct {
	mu    sync.Mutex
	names map[string]error
}

func (f *failures) add(name string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.names == nil {
		f.names = map[string]error{}
	}
	f.names[name] = err
}

func (f *failures) err() error {
	if len(f.names) == 0 {
		return nil
	}
	return &blob.BatchError{Failed: f.names}
}

// count adds what is gone of a batch.
func (f *failures) count(st *blob.DeleteStats, prefix string, batch []types.Object) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, o := range batch {
		if f.names[strings.TrimPrefix(*o.Key, prefix)] == nil {
			st.Blobs++
			st.Bytes += aws.ToInt64(o.Size)
		}
	}
}

// deleteKeys deletes at most maxBatch keys with one request.
func (c *Container) deleteKeys(ctx context.Context, keys []string, f *failures) {
	fail := func(key string, err error) { f.add(strings.TrimPrefix(key, c.prefix), err) }
	if len(keys) == 1 { // the plain request needs no checksum that some store may not know
		if err := c.deleteKey(ctx, keys[0]); err != nil {
			fail(keys[0], err)
		}
		return
	}
	objects := make([]types.ObjectIdentifier, len(keys))
	for i := range keys {
		objects[i].Key = &keys[i]
	}
	out, err := c.api.DeleteObjects(ctx, &s3.DeleteObjectsInput{
		Bucket: &c.cfg.bucket, Delete: &types.Delete{Objects: objects, Quiet: aws.Bool(true)}, ExpectedBucketOwner: optional(c.cfg.owner),
	}, c.patiently(ctx))
	if code := apiCode(err); statusOf(err) == 501 || code == "MissingContentMD5" || code == "MissingDigest" { // not every store has the request, or accepts it without MD5
		c.deleteSingly(ctx, keys, fail)
		return
	}
	if err != nil {
		err = c.failed(ctx, "delete", "", err)
		for _, k := range keys {
			fail(k, err)
		}
		return
	}
	for _, e := range out.Errors {
		code, key := aws.ToString(e.Code), aws.ToString(e.Key)
		if code == "NoSuchKey" {
			continue
		}
		kind := blob.KindOther
		if k, ok := known[code]; ok {
			kind = k.kind
		} else if code == "InternalError" {
			kind = blob.KindUnavailable
		}
		hint := ""
		if code == "AccessDenied" {
			hint = c.denied("DeleteObject")
		}
		fail(key, &blob.Error{Op: "delete", Location: c.String(), Name: strings.TrimPrefix(key, c.prefix), Kind: kind, Err: fmt.Errorf("%s: %s%s", code, aws.ToString(e.Message), hint)})
	}
}

func (c *Container) deleteKey(ctx context.Context, key string) error {
	_, err := c.api.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &c.cfg.bucket, Key: &key, ExpectedBucketOwner: optional(c.cfg.owner)}, c.patiently(ctx))
	if err = c.failed(ctx, "delete", strings.TrimPrefix(key, c.prefix), err); err != nil && blob.KindOf(err) != blob.KindNotFound {
		return err
	}
	return nil
}

func (c *Container) deleteSingly(ctx context.Context, keys []string, fail func(string, error)) {
	var g errgroup.Group
	g.SetLimit(blob.DeletesAtOnce(ctx, 16))
	for _, k := range keys {
		g.Go(func() error {
			if err := c.deleteKey(ctx, k); err != nil {
				fail(k, err)
			}
			return nil
		})
	}
	_ = g.Wait() // failures are noted
}

// DeleteTree implements blob.Container.
func (c *Container) DeleteTree(ctx context.Context) (blob.DeleteStats, error) {
	var st blob.DeleteStats
	if err := c.checkWrite(ctx, "delete tree", "x"); err != nil {
		return st, err
	}
	f := &failures{}
	var g errgroup.Group
	g.SetLimit(blob.DeletesAtOnce(ctx, parallelBatches))
	err := c.pages(ctx, "delete tree", c.prefix, "", func(page *s3.ListObjectsV2Output) error {
		var found []types.Object
		for _, o := range page.Contents {
			if strings.HasPrefix(aws.ToString(o.Key), c.prefix) {
				found = append(found, o)
			}
		}
		for batch := range slices.Chunk(found, maxBatch) { // a store may send larger pages than it deletes
			g.Go(func() error {
				keys := make([]string, len(batch))
				for i, o := range batch {
					keys[i] = *o.Key
				}
				c.deleteKeys(ctx, keys, f)
				f.count(&st, c.prefix, batch)
				return nil
			})
		}
		return nil
	})
	_ = g.Wait() // failures are noted
	if err == nil {
		err = f.err()
	}
	return st, err
}

// idMark stands between a blob's name and the ID of its unfinished upload.
const idMark = "?uploadId="

// ListTemp implements blob.TempCleaner: uploads below this container that were begun and never
// completed. Their names have the paths of sub-containers. Sizes are not known without more requests and are 0.
func (c *Container) ListTemp(ctx context.Context, olderThan int64) ([]blob.Info, error) {
	var out []blob.Info
	before := time.Now().Add(-time.Duration(olderThan) * time.Second)
	in := &s3.ListMultipartUploadsInput{Bucket: &c.cfg.bucket, Prefix: optional(c.prefix), ExpectedBucketOwner: optional(c.cfg.owner)}
	for {
		page, err := c.api.ListMultipartUploads(ctx, in, c.patiently(ctx))
		if statusOf(err) == 501 {
			return nil, nil // a store without them leaves none behind
		}
		if err != nil {
			return nil, c.failed(ctx, "list", "", err)
		}
		for _, u := range page.Uploads {
			name, ok := strings.CutPrefix(aws.ToString(u.Key), c.prefix)
			if ok && !aws.ToTime(u.Initiated).After(before) {
				out = append(out, blob.Info{Name: name + idMark + aws.ToString(u.UploadId)})
			}
		}
		if !aws.ToBool(page.IsTruncated) {
			return out, nil
		}
		if page.NextKeyMarker == nil || aws.ToString(page.NextKeyMarker) == aws.ToString(in.KeyMarker) && aws.ToString(page.NextUploadIdMarker) == aws.ToString(in.UploadIdMarker) {
			return nil, &blob.Error{Op: "list", Location: c.String(), Kind: blob.KindCorrupt, Err: errors.New("the store says that a list of uploads goes on, but not where")}
		}
		in.KeyMarker, in.UploadIdMarker = page.NextKeyMarker, page.NextUploadIdMarker
	}
}

// DeleteTemp implements blob.TempCleaner.
func (c *Container) DeleteTemp(ctx context.Context, names []string) error {
	f := &failures{}
	for _, n := range names {
		i := strings.LastIndex(n, idMark)
		var err error
		switch {
		case c.cfg.readOnly:
			err = &blob.Error{Op: "abort", Location: c.String(), Name: n, Kind: blob.KindReadOnly}
		case i < 0 || blob.CheckPath(n[:i]) != nil || n[i+len(idMark):] == "":
			err = &blob.Error{Op: "abort", Location: c.String(), Name: n, Kind: blob.KindInvalidName, Err: errors.New("not an unfinished upload")}
		default:
			err = c.abort(ctx, c.prefix+n[:i], n[i+len(idMark):])
		}
		if err != nil {
			f.add(n, err)
		}
	}
	return f.err()
}
