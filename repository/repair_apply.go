package repository

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/varve-search/varve/blob"
)

// apply does what was planned: copies of the pointers, then what the new root refers to, then the root, and last the
// pointers that are taken away.
func (p *repairer) apply(ctx context.Context, now time.Time) error {
	if !p.r.root.Capabilities().Has(blob.CanWrite | blob.CanDelete | blob.AtomicIfAbsent) {
		return &blob.Error{Op: "write", Location: p.r.String(), Kind: blob.KindUnsupported, Err: errors.New("the store must delete and create only what is absent")}
	}
	if err := p.r.checkListed(ctx, p.base); err != nil {
		return err
	}
	p.report.Backup = p.path(backupDir, now.UTC().Format("20060102T150405Z")+"-"+NewUUID()[:6])
	if p.swing {
		for _, name := range p.roots {
			p.copies = append(p.copies, pointer{p.r.root, p.r.opts.BasePath, name})
		}
		p.copies = append(p.copies, pointer{p.r.root, p.r.opts.BasePath, "index.latest"})
	}
	if err := p.backUp(ctx); err != nil {
		return err
	}
	for _, w := range p.writes {
		b, err := frame(w.codec, p.r.opts.Compression, w.body)
		if err == nil {
			err = p.r.putMetadata(ctx, w.c, w.name, b, blob.PutOptions{})
		}
		if err != nil {
			return fmt.Errorf("write [%s]: %w", join(w.path, w.name), err)
		}
	}
	done := p.data
	if p.swing {
		var err error
		if done, err = p.swingRoot(ctx); err != nil {
			return err
		}
	}
	if p.kept == 0 {
		p.report.Backup = "" // all that is replaced was missing
	}
	p.report.Data, p.report.Applied = done, true
	ctx = context.WithoutCancel(ctx)
	for _, ptr := range p.removes {
		if err := ptr.c.DeleteBatch(ctx, []string{ptr.name}); err != nil {
			p.report.Warnings = append(p.report.Warnings, fmt.Errorf("take away [%s]: %w", join(ptr.path, ptr.name), err))
		}
	}
	return nil
}

// backUp copies the pointers into a folder of the repository, under their own paths.
func (p *repairer) backUp(ctx context.Context) error {
	done := map[string]bool{}
	for _, ptr := range p.copies {
		path := join(ptr.path, ptr.name)
		if done[path] {
			continue
		}
		done[path] = true
		info, err := ptr.c.Stat(ctx, ptr.name)
		if blob.KindOf(err) == blob.KindNotFound && err != nil {
			continue // it is missing, which is why it is replaced
		}
		if err != nil {
			return fmt.Errorf("keep a copy of [%s]: %w", path, err)
		}
		below := strings.TrimPrefix(strings.TrimPrefix(ptr.path, p.r.opts.BasePath), "/")
		c, err := p.r.store.Container(join(p.report.Backup, below))
		if err == nil {
			err = p.copyBlob(ctx, ptr, c, info.Size)
		}
		if err != nil {
			return fmt.Errorf("keep a copy of [%s]: %w", path, err)
		}
		p.kept++
	}
	return nil
}

// copyBlob copies a blob of any size, as it is: what is damaged may be larger than any metadata.
func (p *repairer) copyBlob(ctx context.Context, from pointer, to blob.Container, size int64) error {
	if size <= p.r.opts.MaxMetadata { // what can be sent again where the store fails
		b, err := blob.ReadAll(ctx, from.c, from.name, p.r.opts.MaxMetadata)
		if err != nil {
			return err
		}
		return putBytes(ctx, to, from.name, b, blob.PutOptions{IfAbsent: true})
	}
	r, err := from.c.Get(ctx, from.name)
	if err != nil {
		return err
	}
	return errors.Join(to.Put(ctx, from.name, r, size, blob.PutOptions{IfAbsent: true}), r.Close())
}

// swingRoot makes the repaired root the newest one.
func (p *repairer) swingRoot(ctx context.Context) (*Data, error) {
	if p.base != NoGeneration {
		done, warnings, err := p.r.swing(ctx, p.base, p.data, false)
		p.report.Warnings = append(p.report.Warnings, warnings...)
		return done, err
	}
	// There is no root to start from. The new one goes above the generation that index.latest remembers, because nodes that
	// have the repository registered never go back behind a generation that they have seen.
	content, err := p.data.encode()
	if err != nil {
		return nil, fmt.Errorf("write the root: %w", err)
	}
	gen := p.newGeneration()
	if err := putBytes(ctx, p.r.root, rootName(gen), content, blob.PutOptions{IfAbsent: true}); err != nil {
		return nil, fmt.Errorf("write the root: %w", err)
	}
	ctx = context.WithoutCancel(ctx)
	if err := putBytes(ctx, p.r.root, "index.latest", binary.BigEndian.AppendUint64(nil, uint64(gen)), blob.PutOptions{}); err != nil {
		p.report.Warnings = append(p.report.Warnings, fmt.Errorf("write index.latest: %w", err))
	}
	newest, err := p.r.LatestGeneration(ctx)
	if err != nil {
		p.report.Warnings = append(p.report.Warnings, err)
	} else if newest != gen {
		return nil, &ConcurrentModificationError{Expected: gen, Found: newest}
	}
	done := *p.data
	done.Generation = gen
	return &done, nil
}

// commitGeneration takes N out of segments_N, where it stands in base 36.
func commitGeneration(name string) (int64, bool) {
	text, ok := strings.CutPrefix(name, "segments_")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 36, 64)
	return n, err == nil
}
