package oss

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/varve-search/varve/blob"
)

var _ blob.TempCleaner = (*Container)(nil)

// idMark stands between a blob's name and the ID of its unfinished upload.
const idMark = "?uploadId="

// ListTemp implements blob.TempCleaner: uploads below this container that were begun and never completed. Their names have the paths of
// sub-containers. Sizes are not known without more requests and are 0.
func (c *Container) ListTemp(ctx context.Context, olderThan int64) ([]blob.Info, error) {
	var out []blob.Info
	before := time.Now().Add(-time.Duration(olderThan) * time.Second)
	in := &oss.ListMultipartUploadsRequest{Bucket: &c.cfg.bucket, Prefix: &c.prefix, MaxUploads: 1000}
	for {
		if err := ctx.Err(); err != nil {
			return nil, c.failed(ctx, "list", "", err)
		}
		page, err := c.api.ListMultipartUploads(ctx, in, c.patiently(ctx))
		if err != nil {
			return nil, c.failed(ctx, "list", "", err)
		}
		for _, u := range page.Uploads {
			name, ok := strings.CutPrefix(oss.ToString(u.Key), c.prefix)
			if ok && !oss.ToTime(u.Initiated).After(before) {
				out = append(out, blob.Info{Name: name + idMark + oss.ToString(u.UploadId)})
			}
		}
		if !page.IsTruncated {
			return out, nil
		}
		if oss.ToString(page.NextKeyMarker) == oss.ToString(in.KeyMarker) && oss.ToString(page.NextUploadIdMarker) == oss.ToString(in.UploadIdMarker) {
			return nil, &blob.Error{Op: "list", Location: c.String(), Kind: blob.KindCorrupt, Err: errors.New("the store says that a list of uploads goes on, but not where")}
		}
		in.KeyMarker, in.UploadIdMarker = page.NextKeyMarker, page.NextUploadIdMarker
	}
}

// DeleteTemp implements blob.TempCleaner.
func (c *Container) DeleteTemp(ctx context.Context, names []string) error {
	failed := map[string]error{}
	for _, n := range names {
		name, id, _ := cutLast(n, idMark)
		if err := c.check(ctx, "delete", name, true); err != nil {
			failed[n] = err
			continue
		}
		if id == "" {
			failed[n] = &blob.Error{Op: "abort", Location: c.String(), Name: n, Kind: blob.KindInvalidName, Err: errors.New("not an unfinished upload")}
			continue
		}
		if err := c.abort(ctx, name, id); err != nil {
			failed[n] = err
		}
	}
	if len(failed) > 0 {
		return &blob.BatchError{Failed: failed}
	}
	return nil
}

// cutLast is strings.Cut around the last separator.
func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// abort removes the parts of an upload that will not be completed. One that is gone is no error.
func (c *Container) abort(ctx context.Context, name, id string) error {
	_, err := c.api.AbortMultipartUpload(ctx, &oss.AbortMultipartUploadRequest{Bucket: &c.cfg.bucket, Key: c.key(name), UploadId: &id}, c.patiently(ctx))
	if code, _ := codeOf(err); code == "NoSuchUpload" {
		return nil
	}
	return c.failed(ctx, "abort", name, err)
}
