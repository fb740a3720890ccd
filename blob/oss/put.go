package oss

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/varve-search/varve/blob"
)

const (
	maxParts      = 10000
	parallelParts = 4
	markKey       = "varve-put" // the metadata that tells whose write an object is
	// putMemory bounds what all uploads of the process hold, in bytes.
	putMemory = 128 * mib
)

var putBudget = semaphore.NewWeighted(putMemory)

func (c *Container) invalid(name, format string, args ...any) error {
	return &blob.Error{Op: "put", Location: c.String(), Name: name, Kind: blob.KindInvalid, Err: fmt.Errorf(format, args...)}
}

// Put implements blob.Container.
func (c *Container) Put(ctx context.Context, name string, r io.Reader, size int64, opts blob.PutOptions) error {
	if err := c.check(ctx, "put", name, true); err != nil {
		return err
	}
	if size < 0 {
		return c.invalid(name, "size %d", size)
	}
	var token [16]byte
	if _, err := rand.Read(token[:]); err != nil {
		return c.failed(ctx, "put", name, err)
	}
	p := &put{c: c, name: name, mark: fmt.Sprintf("%x", token)}
	if opts.IfAbsent {
		p.forbid = oss.Ptr("true")
	}
	if size <= c.cfg.bufferSize {
		return p.whole(ctx, r, size)
	}
	return p.parts(ctx, r, size)
}

// put is one write.
type put struct {
	c      *Container
	name   string
	mark   string
	forbid *string
}

func (p *put) metadata() map[string]string { return map[string]string{markKey: p.mark} }

// read fills a buffer, and at the end of the content makes sure that there is no more of it.
func (p *put) read(r io.Reader, n int64, last bool) ([]byte, error) {
	buf := make([]byte, n)
	for at := 0; at < len(buf); {
		m, err := r.Read(buf[at:])
		at += m
		switch {
		case err == nil || at == len(buf):
		case err == io.EOF:
			return nil, p.c.invalid(p.name, "the reader gave fewer bytes than were announced")
		default:
			return nil, fmt.Errorf("put [%s] of %s: read the content: %w", p.name, p.c, err)
		}
	}
	var more [1]byte
	if last {
		if m, _ := io.ReadFull(r, more[:]); m != 0 {
			return nil, p.c.invalid(p.name, "the reader gave more bytes than were announced")
		}
	}
	return buf, nil
}

func (p *put) whole(ctx context.Context, r io.Reader, size int64) error {
	if err := putBudget.Acquire(ctx, size); err != nil {
		return p.c.failed(ctx, "put", p.name, err)
	}
	defer putBudget.Release(size)
	buf, err := p.read(r, size, true)
	if err != nil {
		return err
	}
	_, err = p.c.api.PutObject(ctx, &oss.PutObjectRequest{
		Bucket: &p.c.cfg.bucket, Key: p.c.key(p.name), Body: bytes.NewReader(buf), ContentLength: &size, ForbidOverwrite: p.forbid, Metadata: p.metadata(),
	}, p.c.patiently(ctx))
	return p.settle(ctx, err)
}

// settle tells a refusal by what an earlier attempt of ours wrote from one by somebody else's blob.
func (p *put) settle(ctx context.Context, err error) error {
	code, status := codeOf(err)
	if err != nil && (status == 409 && p.forbid != nil || code == "NoSuchUpload") {
		if out, herr := p.c.head(ctx, p.name); herr == nil && out.Metadata[markKey] == p.mark {
			return nil
		}
	}
	return p.c.failed(ctx, "put", p.name, err)
}

func (p *put) parts(ctx context.Context, r io.Reader, size int64) error {
	c := p.c
	part := c.cfg.bufferSize
	if least := (size + maxParts - 1) / maxParts; least > part {
		part = least
	}
	if part > putMemory/2 {
		return c.invalid(p.name, "%d bytes are too many for one object here: lower the repository's setting chunk_size", size)
	}
	up, err := c.api.InitiateMultipartUpload(ctx, &oss.InitiateMultipartUploadRequest{Bucket: &c.cfg.bucket, Key: c.key(p.name), ForbidOverwrite: p.forbid, Metadata: p.metadata()}, c.patiently(ctx))
	if err != nil {
		return c.failed(ctx, "put", p.name, err)
	}
	done := make([]oss.UploadPart, (size+part-1)/part)
	err = p.send(ctx, r, size, part, up.UploadId, done)
	if err == nil {
		_, err = c.api.CompleteMultipartUpload(ctx, &oss.CompleteMultipartUploadRequest{
			Bucket: &c.cfg.bucket, Key: c.key(p.name), UploadId: up.UploadId, ForbidOverwrite: p.forbid, CompleteMultipartUpload: &oss.CompleteMultipartUpload{Parts: done},
		}, c.patiently(ctx))
		if err = p.settle(ctx, err); err == nil {
			return nil
		}
	}
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	if aerr := c.abort(late, p.name, oss.ToString(up.UploadId)); aerr != nil {
		return fmt.Errorf("%w (and the parts that were sent could not be removed; a clean-up of the repository does it: %w)", err, aerr)
	}
	return err
}

// send sends all parts, several at a time. When it returns, none is under way.
func (p *put) send(ctx context.Context, r io.Reader, size, part int64, id *string, done []oss.UploadPart) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(parallelParts)
	var readErr error
	for i, off := 0, int64(0); off < size; i, off = i+1, off+part {
		n := min(part, size-off)
		if putBudget.Acquire(gctx, n) != nil {
			break // what ended the group's context is told by Wait
		}
		var buf []byte
		if buf, readErr = p.read(r, n, off+n == size); readErr != nil {
			putBudget.Release(n)
			break
		}
		g.Go(func() error {
			defer putBudget.Release(n)
			out, err := p.c.api.UploadPart(gctx, &oss.UploadPartRequest{
				Bucket: &p.c.cfg.bucket, Key: p.c.key(p.name), UploadId: id, PartNumber: int32(i) + 1, Body: bytes.NewReader(buf), ContentLength: &n,
			}, p.c.patiently(gctx))
			if err == nil {
				done[i] = oss.UploadPart{PartNumber: int32(i) + 1, ETag: out.ETag}
			}
			return err
		})
	}
	err := g.Wait()
	switch {
	case readErr != nil:
		return readErr
	case err == nil:
		err = ctx.Err()
	}
	return p.c.failed(ctx, "put", p.name, err)
}
