package transfer

import (
	"context"
	"io"

	"golang.org/x/sync/errgroup"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/lucene/store"
	"github.com/varve-search/varve/repository"
)

const (
	// rangeSize is how many bytes of a file one request brings. Stores that keep the parts of an upload apart read such a range from one part: it is the
	// size of those that blob/s3 sends.
	rangeSize = 16 << 20
	// rangesAtOnce is how many ranges of a file are on their way.
	rangesAtOnce = 4
)

// inRanges brings a large file in ranges side by side, each from its connection into its place in the file, if store and directory are
// made for that. If not, or if it turns out on the way that the store is not, the answer is false without an error, and nothing was brought.
func (d *Download) inRanges(ctx context.Context, f job, how repository.Resume) (bool, error) {
	dir, ok := d.Dir.(store.Placer)
	if !ok {
		return false, nil
	}
	size := int64(rangeSize)
	if d.rangeSize > 0 {
		size = d.rangeSize
	}
	src := d.Shard.Ranged(f.FileInfo, size, how)
	if src == nil {
		return false, nil
	}
	out, err := dir.CreatePlaced(f.PhysicalName)
	if err != nil {
		return false, err
	}
	g, gctx := errgroup.WithContext(ctx)
	for range rangesAtOnce {
		g.Go(func() error {
			for in, off := src.Next(gctx); in != nil; in, off = src.Next(gctx) {
				if err := d.place(gctx, out.From(off), in, f); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err = g.Wait()
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = src.Verify()
	}
	if blob.KindOf(err) == blob.KindUnsupported {
		d.Progress.MovedBytes.Add(-f.p.moved.Swap(0))
		return false, d.remove(f.PhysicalName)
	}
	return err == nil, err
}

// place brings one range, and closes both ends.
func (d *Download) place(ctx context.Context, to io.WriteCloser, from io.ReadCloser, f job) error {
	defer from.Close()
	err := d.copy(ctx, to, from, f)
	if cerr := to.Close(); err == nil {
		err = cerr
	}
	return err
}
