package repository

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/varve-search/varve/blob"
)

// The order of the steps and why: docs/decisions/0003-root-pointer.md

// swing makes next the root in place of the generation base, and returns it with its generation.
//
// unique says that no one else can have made exactly this content, so that finding it under the new
// name, after an answer was lost, means that it is ours.
//
// Warnings are steps after the new root was put that failed: the swing itself stands.
func (r *Repository) swing(ctx context.Context, base int64, next *Data, unique bool) (*Data, []error, error) {
	next = next.signed(r.opts.Writer, base+1, time.Now())
	content, err := next.encode()
	if err != nil {
		return nil, nil, fmt.Errorf("write the root: %w", err)
	}
	if int64(len(content)) > r.opts.MaxMetadata {
		return nil, nil, fmt.Errorf("write the root: %d bytes are more than the limit of metadata", len(content))
	}
	if !r.root.Capabilities().Has(blob.CanWrite | blob.CanList | blob.CanDelete | blob.AtomicIfAbsent) {
		return nil, nil, &blob.Error{Op: "write the root", Location: r.String(), Kind: blob.KindUnsupported,
			Err: errors.New("the store must list, delete and create only what is absent")}
	}
	if err := r.checkBase(ctx, base); err != nil {
		return nil, nil, err
	}
	gen := base + 1
	done := *next
	done.Generation = gen
	done.MinVersion = next.minVersion()
	err = putBytes(ctx, r.root, rootName(gen), content, blob.PutOptions{IfAbsent: true})
	if err != nil && !(unique && r.holds(ctx, rootName(gen), content)) {
		if blob.KindOf(err) == blob.KindAlreadyExists {
			return nil, nil, r.modified(ctx, base, gen)
		}
		return nil, nil, fmt.Errorf("write the root: %w", err)
	}

	// The new root stands. What follows must happen although the caller may be in a hurry to stop.
	r.keepRoot(&done, sha256.Sum256(content), len(content))
	ctx = context.WithoutCancel(ctx)
	warnings := r.putLatest(ctx, gen, nil)
	if base != NoGeneration {
		if err := r.root.DeleteBatch(ctx, []string{rootName(base)}); err != nil {
			warnings = append(warnings, fmt.Errorf("delete the old root: %w", err))
		}
	}
	gens, err := r.rootGenerations(ctx)
	if err != nil {
		return &done, append(warnings, err), nil
	}
	var old []string
	for _, g := range gens {
		if g > gen {
			// This process stood still, and what it made is behind what others made meanwhile: who goes by index.latest must find that.
			return nil, r.putLatest(ctx, slices.Max(gens), warnings), r.modified(ctx, base, g)
		}
		if g < gen {
			old = append(old, rootName(g))
		}
	}
	if len(old) > 0 {
		if err := r.root.DeleteBatch(ctx, old); err != nil {
			warnings = append(warnings, fmt.Errorf("delete older roots: %w", err))
		}
	}
	return &done, warnings, nil
}

// putLatest writes index.latest, for readers that cannot list; that it fails is a warning.
func (r *Repository) putLatest(ctx context.Context, gen int64, warnings []error) []error {
	latest := binary.BigEndian.AppendUint64(nil, uint64(gen))
	if err := putBytes(ctx, r.root, "index.latest", latest, blob.PutOptions{}); err != nil {
		return append(warnings, fmt.Errorf("write index.latest: %w", err))
	}
	r.noteNamed(gen)
	return warnings
}

// Unmoved says whether nothing points to a newer root than this generation: it is still there, although each writer deletes the root
// that it replaces, and index.latest names it. That is two small reads in place of a list. False means that one must list: a real
// node may write no index.latest, and whoever died behind the creation of a root has neither written nor deleted. So true is
// an early notice only, and what is done upon it must come to a list in the end, as a swing does.
func (r *Repository) Unmoved(ctx context.Context, generation int64) bool {
	if generation == NoGeneration {
		return false
	}
	first, err := r.root.GetRange(ctx, rootName(generation), 0, 1)
	if err != nil {
		return false
	}
	n, err := io.Copy(io.Discard, first)
	if first.Close(); err != nil || n == 0 { //nolint:errcheck // it was read to its end
		return false
	}
	latest, err := r.readLatest(ctx)
	return err == nil && latest == generation
}

// checkBase fails unless base is the newest generation now, as far as Unmoved or a list can tell.
func (r *Repository) checkBase(ctx context.Context, base int64) error {
	if r.Unmoved(ctx, base) {
		return nil
	}
	return r.checkListed(ctx, base)
}

// checkListed fails unless a list has base as its newest generation.
func (r *Repository) checkListed(ctx context.Context, base int64) error {
	latest, err := r.LatestGeneration(ctx)
	if err != nil {
		return err
	}
	if latest != base {
		return r.modified(ctx, base, latest)
	}
	return nil
}

// modified is the error of a root that is not the one that was expected. It reads who wrote it, where that works.
func (r *Repository) modified(ctx context.Context, expected, found int64) error {
	e := &ConcurrentModificationError{Expected: expected, Found: found}
	if b, err := blob.ReadAll(ctx, r.root, rootName(found), r.opts.MaxMetadata); err == nil {
		if d, err := ParseData(b, found); err == nil {
			e.Writer, _ = d.LastWriter()
		}
	}
	return e
}

// holds says whether a blob has exactly this content.
func (r *Repository) holds(ctx context.Context, name string, content []byte) bool {
	b, err := blob.ReadAll(context.WithoutCancel(ctx), r.root, name, int64(len(content)))
	return err == nil && bytes.Equal(b, content)
}
