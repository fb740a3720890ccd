package repository

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/varve-search/varve/blob"
)

// doomed is what is to be deleted once the root has been swung.
type doomed struct {
	mu    sync.Mutex
	blobs []doomedBlobs
	trees []doomedTree
	held  []*held // locks in remote stores, to be released before
	pins  []*pin  // in remote stores
	// records of hashed shard paths go last, and only when all else went: without them nobody finds
	// the shards.
	records []doomedBlobs
	spared  bool // something of a shard stays
}

type doomedTree struct {
	c    blob.Container
	path string
}

type doomedBlobs struct {
	c     blob.Container
	path  string // of c below the store
	infos []blob.Info
	temp  bool
}

func (d *doomed) add(c blob.Container, path string, infos []blob.Info, temp bool) {
	if len(infos) == 0 {
		return
	}
	d.mu.Lock()
	d.blobs = append(d.blobs, doomedBlobs{c, path, infos, temp})
	d.mu.Unlock()
}

func (d *doomed) addTree(c blob.Container, path string) {
	d.mu.Lock()
	d.trees = append(d.trees, doomedTree{c, path})
	d.mu.Unlock()
}

func (d *doomed) addRecords(c blob.Container, path string, infos []blob.Info) {
	if len(infos) == 0 {
		return
	}
	d.mu.Lock()
	d.records = append(d.records, doomedBlobs{c, path, infos, false})
	d.mu.Unlock()
}

func (d *doomed) empty() bool {
	return len(d.blobs)+len(d.trees)+len(d.held)+len(d.pins)+len(d.records) == 0
}

// run deletes, with several requests at a time; failures become warnings.
func (d *doomed) run(ctx context.Context, r *Repository, res *Result) {
	before := len(res.Warnings)
	d.releasePins(ctx, res)
	d.releaseAll(ctx, blob.DeletesAtOnce(ctx, r.opts.Parallel), res)
	r.deleteAll(ctx, d.blobs, d.trees, res)
	if len(res.Warnings) == before && !d.spared {
		r.deleteAll(ctx, d.records, nil, res)
	}
}

// deleteBatch is how many blobs one request deletes: as many as object stores take.
const deleteBatch = 1000

func (r *Repository) deleteAll(ctx context.Context, blobs []doomedBlobs, trees []doomedTree, res *Result) {
	var mu sync.Mutex
	note := func(n, bytes int64, err error) {
		mu.Lock()
		defer mu.Unlock()
		res.Deleted += n
		res.DeletedBytes += bytes
		if err != nil {
			res.Warnings = append(res.Warnings, err)
		}
	}
	var g errgroup.Group
	g.SetLimit(blob.DeletesAtOnce(ctx, r.opts.Parallel))
	remove := func(batch []blob.Info, del func(context.Context, []string) error) {
		g.Go(func() error {
			names := make([]string, len(batch))
			for i, b := range batch {
				names[i] = b.Name
			}
			err := del(ctx, names)
			n, bytes := removed(batch, err)
			note(n, bytes, err)
			return nil
		})
	}
	var all []blob.Info // by their paths: one request deletes in many folders
	for _, b := range blobs {
		if tc, ok := b.c.(blob.TempCleaner); ok && b.temp {
			remove(b.infos, tc.DeleteTemp)
			continue
		}
		for _, i := range b.infos {
			all = append(all, blob.Info{Name: join(b.path, i.Name), Size: i.Size})
		}
	}
	for len(all) > 0 {
		n := min(len(all), deleteBatch)
		remove(all[:n], r.store.DeleteBatch)
		all = all[n:]
	}
	for _, c := range trees {
		g.Go(func() error {
			st, err := c.c.DeleteTree(ctx)
			note(st.Blobs, st.Bytes, err)
			return nil
		})
	}
	_ = g.Wait() // failures are notes
}

// removed counts what a deletion with this outcome has removed.
func removed(blobs []blob.Info, err error) (n, bytes int64) {
	var batch *blob.BatchError
	if err != nil && !errors.As(err, &batch) {
		return 0, 0
	}
	for _, i := range blobs {
		if batch == nil || batch.Failed[i.Name] == nil {
			n++
			bytes += i.Size
		}
	}
	return n, bytes
}
