package storecheck

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"slices"
	"time"

	"github.com/varve-search/varve/blob"
)

const (
	clockCheck   = "clock"
	partsCheck   = "upload in parts"
	abortedCheck = "aborted upload"
)

// mostSkew is how far the clocks of the store and of this machine may differ. Stores refuse requests from fifteen minutes on, and credentials
// that end are renewed five minutes before.
const mostSkew = 5 * time.Minute

// clock compares the store's clock with this machine's.
func (r *run) clock() error {
	before := time.Now()
	there, err := blob.StoreTime(r.ctx, r.c)
	if err != nil || there.IsZero() {
		return err
	}
	here := before.Add(time.Since(before) / 2)
	if skew := there.Sub(here).Round(time.Second); skew.Abs() > mostSkew {
		return fmt.Errorf("the store's clock shows %s, and this machine's %s: %s apart", there.UTC().Format(time.RFC3339), here.UTC().Format(time.RFC3339), skew.Abs())
	}
	return nil
}

// parted is the folder with uploads in the smallest parts, and the size of a blob that needs two of them.
func (r *run) parted() (c blob.Container, size int64, ok bool) {
	c, least, ok := blob.SmallParts(r.c)
	size = least + 1000
	return c, size, ok && size <= r.opts.MaxSize && 2*size <= r.opts.MaxTotal
}

func (r *run) largeContent(size int64) io.Reader {
	return io.LimitReader(rand.New(rand.NewSource(r.opts.Seed-1)), size) //nolint:gosec // test data
}

// inParts writes a blob in parts, reads it, and must not be able to write it again where nothing may be.
func (r *run) inParts() error {
	c, size, _ := r.parted()
	const key = "parts"
	if err := c.Put(r.ctx, key, r.largeContent(size), size, blob.PutOptions{IfAbsent: true}); err != nil {
		return err
	}
	rd, err := c.Get(r.ctx, key)
	if err != nil {
		return err
	}
	defer rd.Close()
	switch same, n, err := sameBytes(rd, r.largeContent(size)); {
	case err != nil:
		return err
	case !same:
		return fmt.Errorf("%s came back with other bytes: they differ before byte %d, and %d were written in parts", key, n, size)
	}
	err = c.Put(r.ctx, key, r.largeContent(size), size, blob.PutOptions{IfAbsent: true})
	switch {
	case err == nil:
		return errors.New("an upload in parts replaced a blob that was there, although it may create only what is absent")
	case blob.KindOf(err) != blob.KindAlreadyExists:
		return err
	}
	return nil
}

// abortedUpload begins an upload in parts, breaks it off, and looks for parts that are left.
func (r *run) abortedUpload() error {
	c, size, _ := r.parted()
	const key = "aborted-parts"
	err := c.Put(r.ctx, key, brokenReader{r.largeContent(size - 1)}, size, blob.PutOptions{})
	if !errors.Is(err, errAborted) {
		return fmt.Errorf("an upload whose content broke off ended with: %w", err)
	}
	if ofStore(err) {
		return err
	}
	if there, err := blob.Exists(r.ctx, c, key); err != nil || there {
		return errors.Join(errors.New("an upload that broke off left a blob"), err)
	}
	left, err := unfinished(r.ctx, c)
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("%d uploads are still listed after they were aborted", len(left))
	}
	return err
}

// ofStore tells whether an error holds one of the store, beside that of the content.
func ofStore(err error) bool {
	if e, ok := err.(*blob.Error); ok && e.Kind != blob.KindOther { //nolint:errorlint // the tree is walked here
		return true
	}
	switch w := err.(type) { //nolint:errorlint // the tree is walked here
	case interface{ Unwrap() error }:
		return ofStore(w.Unwrap())
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(w.Unwrap(), ofStore)
	}
	return false
}

// unfinished returns the names of uploads that were begun and neither completed nor aborted.
func unfinished(ctx context.Context, c blob.Container) ([]string, error) {
	tc, ok := c.(blob.TempCleaner)
	if !ok {
		return nil, nil
	}
	left, err := tc.ListTemp(ctx, 0)
	names := make([]string, 0, len(left))
	for _, l := range left {
		names = append(names, l.Name)
	}
	return names, err
}
