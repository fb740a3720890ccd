package transfer

import (
	"context"
	"io"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

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
	// furtherAtOnce is how many ranges are on their way beside the first one of each file, in the whole process: so many connections as
	// not to keep those waiting who search an index while it arrives.
	furtherAtOnce = 12
)

var further = semaphore.NewWeighted(furtherAtOnce)

// placing is a file that comes in ranges.
type placing struct {
	d       *Download
	f       job
	src     *repository.RangedFile
	out     store.Placed
	g       *errgroup.Group
	ctx     context.Context //nolint:containedctx // of the group
	further atomic.Int64
}

// run brings ranges as long as there are some that nobody brings.
func (p *placing) run() error {
	for {
		in, off := p.src.Next(p.ctx)
		if in == nil {
			return nil
		}
		p.more()
		if err := p.one(p.out.From(off), in); err != nil {
			return err
		}
	}
}

// more lets another range come beside those that do, if that is not too many.
func (p *placing) more() {
	if p.further.Add(1) >= rangesAtOnce || !further.TryAcquire(1) {
		p.further.Add(-1)
		return
	}
	p.g.Go(func() error {
		defer further.Release(1)
		defer p.further.Add(-1)
		return p.run()
	})
}

// one brings one range, and closes both ends.
func (p *placing) one(to io.WriteCloser, from io.ReadCloser) error {
	defer from.Close()
	err := p.d.copy(p.ctx, to, from, p.f)
	if cerr := to.Close(); err == nil {
		err = cerr
	}
	return err
}

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
	p := &placing{d: d, f: f, src: src, out: out}
	p.g, p.ctx = errgroup.WithContext(ctx)
	p.g.Go(p.run)
	err = p.g.Wait()
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
