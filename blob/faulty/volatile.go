package faulty

import (
	"bytes"
	"context"
	"io"
	"maps"
	"math/rand"
	"slices"
	"sync"

	"github.com/varve-search/varve/blob"
)

// inner lets a wrapper embed a container although Container is also one of its methods.
type inner = blob.Container

// Volatile is a store that takes what is put with a [blob.Batch] at its word: until the batch is flushed, a power cut may lose it.
type Volatile struct {
	inner
	sh     *ram
	prefix string
}

// ram is what a power cut may lose.
type ram struct {
	onFlush func() error

	mu    sync.Mutex
	blobs map[string]unflushed // by path
}

type unflushed struct {
	c     blob.Container // that holds it
	name  string
	batch *ramBatch
}

// NewVolatile wraps a container. If onFlush is set and returns an error, a Flush fails with it and saves nothing.
func NewVolatile(c blob.Container, onFlush func() error) Volatile {
	return Volatile{c, &ram{onFlush: onFlush, blobs: map[string]unflushed{}}, ""}
}

// Unflushed is how many blobs a power cut may lose now.
func (v Volatile) Unflushed() int {
	v.sh.mu.Lock()
	defer v.sh.mu.Unlock()
	return len(v.sh.blobs)
}

// PowerCut loses at random what was not flushed: some blobs stay, of others a part is left, others are gone. It returns how many
// it changed. Whoever wrote them must not go on afterwards.
func (v Volatile) PowerCut(ctx context.Context, rnd *rand.Rand) (int, error) {
	v.sh.mu.Lock()
	defer v.sh.mu.Unlock()
	changed := 0
	for _, path := range slices.Sorted(maps.Keys(v.sh.blobs)) {
		u := v.sh.blobs[path]
		what := rnd.Intn(4)
		if what == 0 {
			continue
		}
		b, err := blob.ReadAll(ctx, u.c, u.name, 1<<30)
		if err != nil {
			if blob.KindOf(err) == blob.KindNotFound {
				continue // it was removed since
			}
			return changed, err
		}
		changed++
		err = u.c.DeleteBatch(ctx, []string{u.name})
		if err == nil && what > 1 {
			part := b[:rnd.Intn(len(b)+1)]
			err = u.c.Put(ctx, u.name, bytes.NewReader(part), int64(len(part)), blob.PutOptions{})
		}
		if err != nil {
			return changed, err
		}
	}
	clear(v.sh.blobs)
	return changed, nil
}

// ramBatch is what the store has of a batch.
type ramBatch struct{ sh *ram }

// Flush implements blob.Flusher.
func (b *ramBatch) Flush(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if b.sh.onFlush != nil {
		if err := b.sh.onFlush(); err != nil {
			return err
		}
	}
	b.sh.mu.Lock()
	defer b.sh.mu.Unlock()
	for path, u := range b.sh.blobs {
		if u.batch == b {
			delete(b.sh.blobs, path)
		}
	}
	return nil
}

// Close implements blob.Flusher: what was not flushed stays in danger.
func (b *ramBatch) Close() {}

// Put implements blob.Container.
func (v Volatile) Put(ctx context.Context, name string, r io.Reader, size int64, opts blob.PutOptions) error {
	err := v.inner.Put(ctx, name, r, size, opts)
	if err != nil {
		return err
	}
	var batch *ramBatch
	if opts.Batch != nil {
		batch = opts.Batch.Store(v.sh, func() blob.Flusher { return &ramBatch{v.sh} }).(*ramBatch)
	}
	v.sh.mu.Lock()
	defer v.sh.mu.Unlock()
	if batch == nil {
		delete(v.sh.blobs, v.prefix+name)
	} else {
		v.sh.blobs[v.prefix+name] = unflushed{v.inner, name, batch}
	}
	return nil
}

// Container implements blob.Container.
func (v Volatile) Container(path string) (blob.Container, error) {
	in, err := v.inner.Container(path)
	if err != nil || path == "" {
		return v, err
	}
	return Volatile{in, v.sh, v.prefix + path + "/"}, nil
}
