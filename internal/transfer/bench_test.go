package transfer

import (
	"context"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	blobfs "github.com/varve-search/varve/blob/fs"
	"github.com/varve-search/varve/lucene/store"
)

// benchBytes are moved in one round: files as a shard has them.
const benchBytes = 256 << 20

func benchSource(b *testing.B) (string, *store.FSDirectory) {
	b.Helper()
	dir := filepath.Join(b.TempDir(), "src")
	d, err := store.OpenFS(dir)
	if err != nil {
		b.Fatal(err)
	}
	rnd := rand.New(rand.NewSource(1))
	left := benchBytes
	for i := 0; left > 0; i++ {
		n := min(left, max(1<<20, left/3))
		write(b, d, fmt.Sprintf("_%d.cfs", i), luceneFile(rnd, n))
		left -= n
	}
	write(b, d, "segments_2", luceneFile(rnd, 300))
	return dir, d
}

// cp is the yardstick: the program cp alone, and with what it copied made durable, as a restore does.
func cp(b *testing.B, from string) (alone, durable time.Duration) {
	b.Helper()
	to := filepath.Join(b.TempDir(), "cp")
	settle()
	began := time.Now()
	if out, err := exec.Command("cp", "-r", from, to).CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	alone = time.Since(began)
	entries, err := os.ReadDir(to)
	if err != nil {
		b.Fatal(err)
	}
	for _, e := range entries {
		f, err := os.Open(filepath.Join(to, e.Name()))
		if err == nil {
			err = f.Sync()
			f.Close()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	durable = time.Since(began)
	if err := os.RemoveAll(to); err != nil {
		b.Fatal(err)
	}
	return alone, durable
}

// settle writes out what others left to be written, so that nobody pays for it.
func settle() { _ = exec.Command("sync").Run() }

// heapPeak watches the heap while fn runs, and returns how much more it held than before.
func heapPeak(fn func()) int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before, peak := m.HeapInuse, m.HeapInuse
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapInuse)
			}
		}
	})
	fn()
	close(stop)
	wg.Wait()
	return int64(peak) - int64(before)
}

func report(b *testing.B, ours, alone, theirs time.Duration, heap int64) {
	b.Helper()
	mb := float64(benchBytes) * float64(b.N) / (1 << 20)
	b.ReportMetric(mb/ours.Seconds(), "MiB/s")
	b.ReportMetric(mb/theirs.Seconds(), "cp+fsync-MiB/s")
	b.ReportMetric(mb/alone.Seconds(), "cp-MiB/s")
	b.ReportMetric(100*theirs.Seconds()/ours.Seconds(), "%of-cp+fsync")
	b.ReportMetric(float64(heap)/(1<<20), "heap-MiB")
}

// BenchmarkUpload and BenchmarkDownload compare with cp on the same files, one after the other in turns.
func BenchmarkUpload(b *testing.B) {
	path, src := benchSource(b)
	var ours, alone, theirs time.Duration
	var heap int64
	for range b.N {
		one, both := cp(b, path)
		alone, theirs = alone+one, theirs+both
		settle()
		c, err := blobfs.New(filepath.Join(b.TempDir(), "repo"))
		if err != nil {
			b.Fatal(err)
		}
		s := open(b, c, 0)
		began := time.Now()
		heap = max(heap, heapPeak(func() { upload(b, s, src, nil) }))
		ours += time.Since(began)
		if err := os.RemoveAll(c.Dir()); err != nil {
			b.Fatal(err)
		}
	}
	report(b, ours, alone, theirs, heap)
}

func BenchmarkDownload(b *testing.B) {
	path, src := benchSource(b)
	c, err := blobfs.New(filepath.Join(b.TempDir(), "repo"))
	if err != nil {
		b.Fatal(err)
	}
	s := open(b, c, 0)
	list, _ := upload(b, s, src, nil)
	var ours, alone, theirs time.Duration
	var heap int64
	for range b.N {
		one, both := cp(b, path)
		alone, theirs = alone+one, theirs+both
		settle()
		to := filepath.Join(b.TempDir(), "restored")
		dst, err := store.OpenFS(to)
		if err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		heap = max(heap, heapPeak(func() {
			if err := (&Download{Shard: s, Files: list, Dir: dst, Parallel: 4, Progress: &Progress{}}).Run(context.Background()); err != nil {
				b.Fatal(err)
			}
		}))
		ours += time.Since(began)
		if err := os.RemoveAll(to); err != nil {
			b.Fatal(err)
		}
	}
	report(b, ours, alone, theirs, heap)
}
