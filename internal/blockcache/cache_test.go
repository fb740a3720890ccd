package blockcache

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math/rand"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/varve-search/varve/internal/testseed"
	"github.com/varve-search/varve/repository/snapshotdir"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// content is what a block holds, whoever asks.
func content(k snapshotdir.Key, n int) []byte {
	rnd := rand.New(rand.NewSource(k.Block*7919 + int64(len(k.File))))
	b := make([]byte, n)
	rnd.Read(b)
	return b
}

func onDisk(t testing.TB, dir string) (sum int64, files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || e.IsDir() {
			return err
		}
		i, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			sum += i.Size()
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sum, files
}

// TestConcurrent asks for random blocks from many goroutines, of a cache that is far too small, and looks all the time at what
// the files take.
func TestConcurrent(t *testing.T) {
	seed := testseed.Of(t)
	dir := t.TempDir()
	const limit, size = 20_000, 1000
	c, err := Open(Config{Path: dir, Disk: limit, Memory: 1}) // one block of memory: the disk is asked
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var watch, work sync.WaitGroup
	watch.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if sum, _ := onDisk(t, dir); sum > limit {
				t.Errorf("%d bytes on disk, more than %d", sum, limit)
				return
			}
		}
	})
	var inFlight sync.Map
	for g := range 8 {
		work.Go(func() {
			rnd := rand.New(rand.NewSource(seed + int64(g)))
			for range 400 {
				k := snapshotdir.Key{File: "f" + strconv.Itoa(rnd.Intn(3)), Block: int64(rnd.Intn(20))}
				n := size - int(k.Block%3) // the last block of a file is shorter
				b, err := c.Block(context.Background(), k, n, func(_ context.Context, p []byte) error {
					if _, twice := inFlight.LoadOrStore(k, true); twice {
						t.Errorf("%v is fetched by two at the same time", k)
					}
					time.Sleep(10 * time.Microsecond)
					copy(p, content(k, n))
					inFlight.Delete(k)
					return nil
				})
				if err != nil || !bytes.Equal(b.Bytes, content(k, n)) {
					t.Errorf("%v: wrong bytes, %v", k, err)
				}
			}
		})
	}
	work.Wait()
	close(stop)
	watch.Wait()
	st := c.Stats()
	sum, files := onDisk(t, dir)
	if st.Used != sum || st.Blocks != int64(len(files)) || st.Evicted == 0 || st.Damaged != 0 || st.Failed != 0 {
		t.Errorf("%+v, on disk %d bytes in %d files", st, sum, len(files))
	}
	// The next process goes on with what is there.
	again, err := Open(Config{Path: dir, Disk: limit / 2, Memory: 1})
	if err != nil {
		t.Fatal(err)
	}
	if sum, _ := onDisk(t, dir); sum > limit/2 || again.Stats().Used != sum || again.Stats().Blocks == 0 {
		t.Errorf("taken over with half the limit: %+v, %d bytes on disk", again.Stats(), sum)
	}
}

func get(t *testing.T, c *Cache, k snapshotdir.Key, n int) (fetched bool) {
	t.Helper()
	b, err := c.Block(context.Background(), k, n, func(_ context.Context, p []byte) error {
		fetched = true
		copy(p, content(k, n))
		return nil
	})
	if err != nil || !bytes.Equal(b.Bytes, content(k, n)) {
		t.Fatalf("%v: %v", k, err)
	}
	return fetched
}

// TestDamage changes the files in all ways: a block that is not what it was is fetched again.
func TestDamage(t *testing.T) {
	k := snapshotdir.Key{File: "f", Block: 3}
	for name, damage := range map[string]func(b []byte) []byte{
		"flip":     func(b []byte) []byte { b[100] ^= 1; return b },
		"checksum": func(b []byte) []byte { b[len(b)-9] ^= 1; return b },
		"magic":    func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		"short":    func(b []byte) []byte { return b[:len(b)-1] },
		"long":     func(b []byte) []byte { return append(b, 0) },
		"empty":    func([]byte) []byte { return nil },
	} {
		dir := t.TempDir()
		open := func() *Cache {
			c, err := Open(Config{Path: dir, Disk: 1 << 20, Memory: 1})
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		if !get(t, open(), k, 500) || get(t, open(), k, 500) {
			t.Fatalf("%s: a block is not kept", name)
		}
		_, files := onDisk(t, dir)
		b, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(files[0], damage(b), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "leftover.tmp"), b, 0o644); err != nil {
			t.Fatal(err)
		}
		c := open()
		if !get(t, c, k, 500) {
			t.Errorf("%s: the damaged block was used", name)
		}
		if get(t, open(), k, 500) {
			t.Errorf("%s: the block is not kept after it was fetched again", name)
		}
		if _, files := onDisk(t, dir); len(files) != 1 {
			t.Errorf("%s: %q are left", name, files)
		}
	}
}

func TestNoDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "c")
	c, err := Open(Config{Path: dir, Memory: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	get(t, c, snapshotdir.Key{File: "f"}, 100)
	if _, files := onDisk(t, dir); len(files) != 0 {
		t.Errorf("%q", files)
	}
	if c, err = Open(Config{Path: dir, Disk: 50, Memory: 1 << 20}); err != nil { // no block fits
		t.Fatal(err)
	}
	get(t, c, snapshotdir.Key{File: "f"}, 100)
	if st := c.Stats(); st.Used != 0 || st.Failed != 0 {
		t.Errorf("%+v", st)
	}
}

// TestGivenUp shows that who waits for a block is not hurt by the one that fetched it giving up, and that errors are not kept.
func TestGivenUp(t *testing.T) {
	c, err := Open(Config{Path: t.TempDir(), Disk: 1 << 20, Memory: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	k := snapshotdir.Key{File: "f"}
	ctx, cancel := context.WithCancel(context.Background())
	begun := make(chan struct{})
	var work sync.WaitGroup
	work.Go(func() {
		_, err := c.Block(ctx, k, 10, func(ctx context.Context, _ []byte) error { close(begun); <-ctx.Done(); return ctx.Err() })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("who gave up: %v", err)
		}
	})
	<-begun
	var fetched atomic.Int64
	for range 4 {
		work.Go(func() {
			b, err := c.Block(context.Background(), k, 10, func(_ context.Context, p []byte) error { fetched.Add(1); copy(p, "0123456789"); return nil })
			if err != nil || string(b.Bytes) != "0123456789" {
				t.Errorf("who waited: %v", err)
			}
		})
	}
	time.Sleep(5 * time.Millisecond)
	cancel()
	work.Wait()
	if fetched.Load() != 1 {
		t.Errorf("fetched %d times", fetched.Load())
	}
	boom := errors.New("boom")
	k.Block++
	if _, err := c.Block(context.Background(), k, 10, func(context.Context, []byte) error { return boom }); !errors.Is(err, boom) {
		t.Error(err)
	}
	get(t, c, k, 10)
}
