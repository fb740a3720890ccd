package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"
	"golang.org/x/sync/errgroup"

	"github.com/varve-search/varve/blob"
)

const (
	maxParts      = 10000
	parallelParts = 8
	// markKey is the name of the metadata that tells whose write an object is.
	markKey = "varve-put"
	// cleanUpTime is how long the abortion of an upload may take after the caller has gone.
	cleanUpTime = 30 * time.Second
)

// Put implements blob.Container.
func (c *Container) Put(ctx context.Context, name string, r io.Reader, size int64, opts blob.PutOptions) error {
	if err := c.checkWrite(ctx, "put", name); err != nil {
		return err
	}
	if size < 0 {
		return c.invalid(name, "size %d", size)
	}
	if size <= min(c.cfg.bufferSize, maxPart) {
		return c.putWhole(ctx, name, r, size, opts)
	}
	return c.putParts(ctx, name, r, size, opts)
}

func (c *Container) invalid(name, format string, args ...any) error {
	return &blob.Error{Op: "put", Location: c.String(), Name: name, Kind: blob.KindInvalid, Err: fmt.Errorf(format, args...)}
}

// fill reads all of buf. An error of the reader is told apart from its end.
func (c *Container) fill(name string, r io.Reader, buf []byte) error {
	for n := 0; n < len(buf); {
		m, err := r.Read(buf[n:])
		n += m
		switch {
		case err == nil || n == len(buf):
		case err == io.EOF:
			return c.invalid(name, "the reader gave fewer bytes than were announced")
		default:
			return fmt.Errorf("put [%s] of %s: read the content: %w", name, c, err)
		}
	}
	return nil
}

// atEnd fails when the reader has more than was announced.
func (c *Container) atEnd(name string, r io.Reader) error {
	var more [1]byte
	if n, _ := io.ReadFull(r, more[:]); n != 0 {
		return c.invalid(name, "the reader gave more bytes than were announced")
	}
	return nil
}

// mark is unique to one write.
func mark() (map[string]string, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return nil, err
	}
	return map[string]string{markKey: fmt.Sprintf("%x", b)}, nil
}

func (c *Container) putWhole(ctx context.Context, name string, r io.Reader, size int64, opts blob.PutOptions) error {
	if err := putBudget.Acquire(ctx, weight(size)); err != nil {
		return c.failed(ctx, "put", name, err)
	}
	defer putBudget.Release(weight(size))
	buf := newBuffer(size)
	if err := c.fill(name, r, buf); err != nil {
		return err
	}
	if err := c.atEnd(name, r); err != nil {
		return err
	}
	in := &s3.PutObjectInput{
		Bucket: &c.cfg.bucket, Key: c.key(name), Body: bytes.NewReader(buf), ContentLength: &size, ExpectedBucketOwner: optional(c.cfg.owner),
		ACL: c.cfg.acl, StorageClass: c.cfg.storageClass, ServerSideEncryption: c.cfg.sse,
	}
	if c.cfg.sse == types.ServerSideEncryptionAwsKms {
		in.SSEKMSKeyId, in.BucketKeyEnabled, in.SSEKMSEncryptionContext = &c.cfg.kmsKey, &c.cfg.bucketKey, optional(c.cfg.sseContext)
	}
	if opts.IfAbsent {
		in.IfNoneMatch = aws.String("*")
		var err error
		if in.Metadata, err = mark(); err != nil {
			return c.failed(ctx, "put", name, err)
		}
	}
	how := c.bodies()
	if how == withCRC32C {
		in.ChecksumCRC32C = aws.String(crc32c(buf))
	}
	tries := 0
	_, err := c.api.PutObject(ctx, in, how.apply, c.patiently(ctx), countTries(&tries))
	if err != nil && !c.wasOurs(ctx, name, in.Metadata, tries, err) {
		return c.failed(ctx, "put", name, err)
	}
	freeBuffer(buf) // not after an error: the connection may still read it
	return nil
}

// countTries makes an operation count its attempts.
func countTries(n *int) func(*s3.Options) {
	return func(o *s3.Options) {
		o.APIOptions = append(o.APIOptions[:len(o.APIOptions):len(o.APIOptions)], func(stack *middleware.Stack) error {
			return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("CountTries",
				func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
					*n++
					return next.HandleFinalize(ctx, in)
				}), (*retry.Attempt)(nil).ID(), middleware.After)
		})
	}
}

// wasOurs tells whether a write that was refused had in fact succeeded in an attempt whose answer was lost.
func (c *Container) wasOurs(ctx context.Context, name string, mark map[string]string, tries int, err error) bool {
	code := apiCode(err)
	if tries < 2 || mark == nil || code != "PreconditionFailed" && code != "NoSuchUpload" {
		return false
	}
	out, err := c.head(ctx, name)
	return err == nil && out.Metadata[markKey] == mark[markKey]
}

// partSize returns the size of the parts of a blob.
func (c *Container) partSize(name string, size int64) (int64, error) {
	part := min(c.cfg.bufferSize, maxPart)
	if least := (size + maxParts - 1) / maxParts; least > part {
		part = (least + mib - 1) / mib * mib
	}
	if part > putMemory {
		return 0, c.invalid(name, "%d bytes are too many for one object here: lower the repository's setting chunk_size", size)
	}
	return part, nil
}

// upload is one blob on its way in parts.
type upload struct {
	c    *Container
	name string
	id   *string

	mu   sync.Mutex
	done []types.CompletedPart
}

func (c *Container) putParts(ctx context.Context, name string, r io.Reader, size int64, opts blob.PutOptions) (err error) {
	part, err := c.partSize(name, size)
	if err != nil {
		return err
	}
	token, err := mark()
	if err != nil {
		return c.failed(ctx, "put", name, err)
	}
	in := &s3.CreateMultipartUploadInput{
		Bucket: &c.cfg.bucket, Key: c.key(name), ExpectedBucketOwner: optional(c.cfg.owner), Metadata: token,
		ACL: c.cfg.acl, StorageClass: c.cfg.storageClass, ServerSideEncryption: c.cfg.sse,
	}
	if c.cfg.sse == types.ServerSideEncryptionAwsKms {
		in.SSEKMSKeyId, in.BucketKeyEnabled, in.SSEKMSEncryptionContext = &c.cfg.kmsKey, &c.cfg.bucketKey, optional(c.cfg.sseContext)
	}
	in.ChecksumAlgorithm = c.bodies().algorithm() // here and with each part, or nowhere
	out, err := c.api.CreateMultipartUpload(ctx, in, c.patiently(ctx))
	if err != nil {
		return c.failed(ctx, "put", name, err)
	}
	u := &upload{c: c, name: name, id: out.UploadId, done: make([]types.CompletedPart, (size+part-1)/part)}
	err = u.sendAll(ctx, r, size, part)
	if err == nil {
		err = u.complete(ctx, token, opts)
	}
	if err == nil {
		return nil
	}
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTime)
	defer cancel()
	if aerr := c.abort(late, c.prefix+name, aws.ToString(u.id)); aerr != nil {
		return fmt.Errorf("%w (and the parts that were sent could not be removed; a clean-up of the repository does it: %w)", err, aerr)
	}
	return err
}

// sendAll reads the content and sends its parts, several at a time. When it returns, none is under way.
func (u *upload) sendAll(ctx context.Context, r io.Reader, size, part int64) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(parallelParts)
	var readErr error
	for i, off := 0, int64(0); off < size; i, off = i+1, off+part {
		n := min(part, size-off)
		if err := putBudget.Acquire(gctx, weight(n)); err != nil {
			break // what ended the group's context is told by Wait
		}
		buf := newBuffer(n)
		if readErr = u.c.fill(u.name, r, buf); readErr == nil && off+n == size {
			readErr = u.c.atEnd(u.name, r)
		}
		if readErr != nil {
			putBudget.Release(weight(n))
			break
		}
		g.Go(func() error {
			defer putBudget.Release(weight(n))
			return u.send(gctx, i, buf)
		})
	}
	err := g.Wait()
	switch {
	case readErr != nil:
		return readErr
	case err != nil:
		return u.c.failed(ctx, "put", u.name, err)
	case ctx.Err() != nil:
		return u.c.failed(ctx, "put", u.name, ctx.Err())
	}
	return nil
}

func (u *upload) send(ctx context.Context, i int, buf []byte) error {
	in := &s3.UploadPartInput{
		Bucket: &u.c.cfg.bucket, Key: u.c.key(u.name), UploadId: u.id, PartNumber: aws.Int32(int32(i) + 1), ExpectedBucketOwner: optional(u.c.cfg.owner),
		Body: bytes.NewReader(buf), ContentLength: aws.Int64(int64(len(buf))),
	}
	how := u.c.bodies()
	switch how {
	case sdkChecksums:
		in.ChecksumAlgorithm = how.algorithm()
	case withCRC32C:
		in.ChecksumCRC32C = aws.String(crc32c(buf))
	}
	out, err := u.c.api.UploadPart(ctx, in, how.apply, u.c.patiently(ctx))
	if err != nil {
		return err
	}
	freeBuffer(buf)
	p := types.CompletedPart{ETag: out.ETag, PartNumber: in.PartNumber}
	switch how {
	case sdkChecksums:
		p.ChecksumCRC32 = out.ChecksumCRC32
	case withCRC32C:
		p.ChecksumCRC32C = out.ChecksumCRC32C
	}
	u.mu.Lock()
	u.done[i] = p
	u.mu.Unlock()
	return nil
}

func (u *upload) complete(ctx context.Context, token map[string]string, opts blob.PutOptions) error {
	in := &s3.CompleteMultipartUploadInput{
		Bucket: &u.c.cfg.bucket, Key: u.c.key(u.name), UploadId: u.id, ExpectedBucketOwner: optional(u.c.cfg.owner),
		MultipartUpload: &types.CompletedMultipartUpload{Parts: u.done},
	}
	if opts.IfAbsent {
		in.IfNoneMatch = aws.String("*")
	}
	tries := 0
	_, err := u.c.api.CompleteMultipartUpload(ctx, in, u.c.patiently(ctx), countTries(&tries))
	if err == nil || u.c.wasOurs(ctx, u.name, token, tries, err) {
		return nil
	}
	return u.c.failed(ctx, "put", u.name, err)
}

// abort removes the parts of an upload that will not be completed. One that is gone is no error.
func (c *Container) abort(ctx context.Context, key, id string) error {
	_, err := c.api.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &c.cfg.bucket, Key: &key, UploadId: &id, ExpectedBucketOwner: optional(c.cfg.owner)}, c.patiently(ctx))
	if apiCode(err) == "NoSuchUpload" {
		return nil
	}
	return c.failed(ctx, "abort", key, err)
}
