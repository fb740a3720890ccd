package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/faulty"
	"github.com/varve-search/varve/blob/mem"
	"github.com/varve-search/varve/lucene/store"
	"github.com/varve-search/varve/repository"
)

// inRanges brings files from a store that has ranges and fails as a hook says, in ranges of 10,000 bytes.
func inRanges(ctx context.Context, t *testing.T, under blob.Container, list []repository.FileInfo, hook faulty.Hook, change func(*Download)) (*store.FSDirectory, *Download, error) {
	t.Helper()
	dst, err := store.OpenFS(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	d := &Download{Shard: open(t, faulty.Ranged(faulty.New(under, hook)), 0), Files: list, Dir: dst, Parallel: 2, Progress: &Progress{}, Retry: quick, rangeSize: 10_000}
	d.Retry.Attempts = 40
	if change != nil {
		change(d)
	}
	return dst, d, d.Run(ctx)
}

// TestRanges downloads in ranges from a store that fails in random ways, also so that a file has to come in one stream after all.
func TestRanges(t *testing.T) {
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	for round := range 12 {
		under := mem.New()
		src := source(t, seed+int64(round), 200_000)
		list, _ := upload(t, open(t, under, int64(round%3)*30_000), src, nil)
		var mu sync.Mutex
		rnd := rand.New(rand.NewSource(seed + int64(round)))
		large := map[string]bool{} // blobs' names of files that come in ranges
		for _, f := range list {
			large[f.Name] = f.Length > 10_000 && round%2 == 1
		}
		dst, d, err := inRanges(t.Context(), t, under, list, func(o faulty.Op) faulty.Fault {
			mu.Lock()
			defer mu.Unlock()
			switch rnd.Intn(6) {
			case 0:
				return faulty.Fault{Before: faulty.Fail(blob.KindUnavailable)}
			case 1:
				return faulty.Fault{Cut: true, Truncate: int64(rnd.Intn(10_000))}
			case 2:
				file, _, _ := strings.Cut(path.Base(o.Name), ".part")
				if large[file] && rnd.Intn(4) == 0 {
					large[file] = false // it comes in one stream from here on
					return faulty.Fault{Before: faulty.Fail(blob.KindUnsupported)}
				}
			}
			return faulty.Fault{}
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range names {
			if !bytes.Equal(readAll(t, src, n), readAll(t, dst, n)) {
				t.Errorf("%s came back with other bytes", n)
			}
		}
		if c := d.Progress.Counts(); c.MovedFiles != int64(len(names)) || c.MovedBytes != c.TotalBytes {
			t.Errorf("%+v", c)
		}
		for _, f := range d.Progress.Files() {
			if f.Moved() != f.Length {
				t.Errorf("%s: %d of %d bytes", f.Name, f.Moved(), f.Length)
			}
		}
	}
}

func TestRangesFail(t *testing.T) {
	under := mem.New()
	rnd := rand.New(rand.NewSource(5))
	src := store.NewMem()
	write(t, src, "_0.fdt", luceneFile(rnd, 95_000))
	write(t, src, "segments_3", luceneFile(rnd, 300))
	list, _ := upload(t, open(t, under, 0), src, nil)
	gone := func(dst *store.FSDirectory) {
		t.Helper()
		if files, err := dst.List(); err != nil || len(files) > 0 {
			t.Errorf("left are %v, %v", files, err)
		}
	}
	var n atomic.Int64
	dst, _, err := inRanges(t.Context(), t, under, list, func(faulty.Op) faulty.Fault { return faulty.Fault{Flip: n.Add(1) == 6, FlipAt: 4321} }, nil)
	if !store.IsCorrupt(err) || !strings.Contains(err.Error(), "_0.fdt") {
		t.Errorf("a byte that was changed on its way: %v", err)
	}
	gone(dst)
	n.Store(0)
	dst, _, err = inRanges(t.Context(), t, under, list, func(faulty.Op) faulty.Fault {
		if n.Add(1) > 3 {
			return faulty.Fault{Before: faulty.Fail(blob.KindPermission)}
		}
		return faulty.Fault{}
	}, nil)
	if blob.KindOf(err) != blob.KindPermission {
		t.Errorf("the store refuses: %v", err)
	}
	gone(dst)
	ctx, cancel := context.WithCancel(t.Context())
	n.Store(0)
	dst, _, err = inRanges(ctx, t, under, list, func(faulty.Op) faulty.Fault {
		if n.Add(1) == 3 {
			cancel()
		}
		return faulty.Fault{}
	}, nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	gone(dst)
	// The first three requests bring bytes that are thrown away.
	n.Store(0)
	dst, d, err := inRanges(t.Context(), t, under, list, func(faulty.Op) faulty.Fault {
		if n.Add(1) == 4 {
			return faulty.Fault{Before: faulty.Fail(blob.KindUnsupported)}
		}
		return faulty.Fault{}
	}, nil)
	if err != nil || !bytes.Equal(readAll(t, dst, "_0.fdt"), readAll(t, src, "_0.fdt")) {
		t.Errorf("in one stream after all: %v", err)
	}
	if c := d.Progress.Counts(); c.MovedBytes != c.TotalBytes || n.Load() > 11 {
		t.Errorf("%+v with %d requests", c, n.Load())
	}
}

// TestRangesLimit: the ranges of a file share a limit, also one that changes while they run, and memory for few of them is needed.
func TestRangesLimit(t *testing.T) {
	under := mem.New()
	rnd := rand.New(rand.NewSource(6))
	src := store.NewMem()
	for i := range 3 {
		write(t, src, fmt.Sprintf("_%d.fdt", i), luceneFile(rnd, 400_000))
	}
	write(t, src, "segments_3", luceneFile(rnd, 300))
	list, _ := upload(t, open(t, under, 0), src, nil)
	none := func(faulty.Op) faulty.Fault { return faulty.Fault{} }
	began := time.Now()
	_, d, err := inRanges(t.Context(), t, under, list, none, func(d *Download) { d.Limits = []*Limit{NewLimit(4 << 20)} })
	// The first 64 KiB may pass at once.
	if took := time.Since(began); err != nil || took < 250*time.Millisecond || d.Progress.Counts().ThrottledNanos == 0 {
		t.Errorf("1.2 MB at 4 MiB/s took %v, %v", took, err)
	}
	l := NewLimit(1000) // hours
	timer := time.AfterFunc(50*time.Millisecond, func() { l.Set(0) })
	defer timer.Stop()
	began = time.Now()
	if _, _, err = inRanges(t.Context(), t, under, list, none, func(d *Download) { d.Limits = []*Limit{l} }); err != nil || time.Since(began) < 45*time.Millisecond {
		t.Errorf("a limit that was lifted: %v after %v", err, time.Since(began))
	}
}

// inner lets a wrapper embed a Container although Container is also one of its methods.
type inner = blob.Container

// counted counts the ranges of a container that are open.
type counted struct {
	inner
	open, most *atomic.Int64
}

func (c counted) Container(path string) (blob.Container, error) {
	sub, err := c.inner.Container(path)
	return counted{sub, c.open, c.most}, err
}

func (c counted) GetRange(ctx context.Context, name string, off, length int64) (io.ReadCloser, error) {
	r, err := c.inner.GetRange(ctx, name, off, length)
	if err != nil {
		return nil, err
	}
	n := c.open.Add(1)
	for was := c.most.Load(); n > was && !c.most.CompareAndSwap(was, n); was = c.most.Load() {
	}
	return countedRange{r, c.open}, nil
}

type countedRange struct {
	io.ReadCloser
	open *atomic.Int64
}

func (r countedRange) Close() error {
	r.open.Add(-1)
	return r.ReadCloser.Close()
}

// TestRangesAtOnce: each file has one range at least under way, and all together only so many more.
func TestRangesAtOnce(t *testing.T) {
	under := mem.New()
	rnd := rand.New(rand.NewSource(7))
	src := store.NewMem()
	const files = 8
	for i := range files {
		write(t, src, fmt.Sprintf("_%d.fdt", i), luceneFile(rnd, 400_000))
	}
	list, _ := upload(t, open(t, under, 0), src, nil)
	var now, most atomic.Int64
	dst, err := store.OpenFS(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	d := &Download{Shard: open(t, faulty.Ranged(counted{under, &now, &most}), 0), Files: list, Dir: dst, Parallel: files, Progress: &Progress{},
		Limits: []*Limit{NewLimit(8 << 20)}, rangeSize: 10_000}
	if err := d.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := most.Load(); n <= files || n > files+furtherAtOnce || now.Load() != 0 {
		t.Errorf("of %d files up to %d ranges were under way, and %d are still open", files, n, now.Load())
	}
	if !further.TryAcquire(furtherAtOnce) {
		t.Fatal("not all is given back")
	}
	further.Release(furtherAtOnce)
}
