package snapshotdir

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io/fs"
	"math/rand"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/faulty"
	"github.com/varve-search/varve/blob/mem"
	"github.com/varve-search/varve/internal/testseed"
	"github.com/varve-search/varve/lucene/store"
	"github.com/varve-search/varve/repository"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func luceneFile(rnd *rand.Rand, n int) []byte {
	b := make([]byte, n-16, n)
	rnd.Read(b)
	b = binary.BigEndian.AppendUint32(b, 0xc02893e8)
	b = binary.BigEndian.AppendUint32(b, 0)
	return binary.BigEndian.AppendUint64(b, uint64(crc32.ChecksumIEEE(b)))
}

// shardOf uploads files and returns them through a hook.
func shardOf(t *testing.T, content map[string][]byte, hook faulty.Hook) (*repository.Shard, []repository.FileInfo) {
	t.Helper()
	ctx := context.Background()
	under := mem.New()
	open := func(c blob.Container) *repository.Shard {
		r, err := repository.Open(ctx, c, repository.Options{ChunkSize: 700_000})
		if err != nil {
			t.Fatal(err)
		}
		s, err := r.Shard(ctx, repository.IndexID{Name: "ix", ID: "id"}, 0)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	var list []repository.FileInfo
	for name, b := range content {
		f, err := open(under).UploadFile(ctx, repository.Upload{PhysicalName: name, Length: int64(len(b)), WrittenBy: "9.12.0", Content: bytes.NewReader(b)})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, f)
	}
	return open(faulty.New(under, hook)), list
}

// TestWindows reads random ranges of files and slices, of a directory and of one whose files land meanwhile.
func TestWindows(t *testing.T) {
	seed := testseed.Of(t)
	rnd := rand.New(rand.NewSource(seed))
	content := map[string][]byte{"small": luceneFile(rnd, 100), "block": luceneFile(rnd, BlockSize), "large": luceneFile(rnd, 3*BlockSize+12345), "_0.si": luceneFile(rnd, 500)}
	s, list := shardOf(t, content, func(faulty.Op) faulty.Fault { return faulty.Fault{} })
	remote, err := OpenFiles(context.Background(), s, list, NewCache(2*BlockSize), "r")
	if err != nil {
		t.Fatal(err)
	}
	local, err := store.OpenFS(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	landing := NewLanding(remote, local)
	var work sync.WaitGroup
	for g, dir := range []store.Directory{remote, landing, landing, landing} {
		for name, want := range content {
			work.Go(func() {
				rnd := rand.New(rand.NewSource(seed + int64(g)))
				err := store.Guard(func() error {
					in, err := dir.Open(name, store.Random)
					if err != nil {
						return err
					}
					defer in.Close()
					for range 300 {
						part, base := in, 0
						if rnd.Intn(2) == 0 {
							base = rnd.Intn(len(want))
							if part, err = in.Slice(int64(base), int64(len(want)-base)); err != nil {
								return err
							}
						}
						off := rnd.Intn(len(want) - base + 1)
						n := rnd.Intn(min(len(want)-base-off, 2*BlockSize) + 1)
						w, err := part.Window(int64(off), n)
						if err != nil {
							return err
						}
						if len(w) < n || !bytes.Equal(w, want[base+off:][:len(w)]) {
							t.Errorf("%s: %d bytes at %d are wrong", name, n, base+off)
						}
						if _, err := part.Window(int64(off), len(want)-base-off+1); !store.IsCorrupt(err) {
							t.Errorf("%s: a window behind the end: %v", name, err)
						}
					}
					return nil
				})
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
	}
	for name, b := range content {
		out, err := local.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		out.PutBytes(b)
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
		landing.Landed(name)
		time.Sleep(2 * time.Millisecond)
	}
	work.Wait()
	landing.mu.Lock()
	if len(landing.open) != 0 {
		t.Errorf("%d files are open after all were closed", len(landing.open))
	}
	landing.mu.Unlock()
	if _, err := landing.Open("none", store.Random); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := landing.Create("new"); err == nil {
		t.Error("a file was made in a snapshot")
	}
}

// TestLanded shows that what has landed is not fetched any more, by inputs that are open and by new ones.
func TestLanded(t *testing.T) {
	rnd := rand.New(rand.NewSource(1))
	want := luceneFile(rnd, 2*BlockSize)
	var gets atomic.Int64
	s, list := shardOf(t, map[string][]byte{"f": want}, func(o faulty.Op) faulty.Fault {
		if gets.Add(1) > 1 {
			return faulty.Fault{Before: faulty.Fail(blob.KindPermission)}
		}
		return faulty.Fault{}
	})
	remote, err := OpenFiles(context.Background(), s, list, NewCache(BlockSize), "")
	if err != nil {
		t.Fatal(err)
	}
	local := store.NewMem()
	l := NewLanding(remote, local)
	in, err := l.Open("f", store.Random)
	if err != nil {
		t.Fatal(err)
	}
	slice, err := in.Slice(BlockSize, BlockSize)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := in.Window(0, 10); err != nil || !bytes.Equal(b[:10], want[:10]) {
		t.Fatal(err)
	}
	if _, err := slice.Window(0, 10); blob.KindOf(err) != blob.KindPermission {
		t.Fatalf("a refused block: %v", err)
	}
	l.Landed("f") // it is not: the repository goes on to be read
	if _, err := slice.Window(0, 10); err == nil {
		t.Fatal("a file that is not there was read")
	}
	local.Put("f", want)
	l.Landed("f")
	if b, err := slice.Window(5, 10); err != nil || !bytes.Equal(b[:10], want[BlockSize+5:][:10]) {
		t.Errorf("after it landed: %v", err)
	}
	if again, err := l.Open("f", store.Random); err != nil || store.Resident(again) == nil {
		t.Errorf("opened after it landed: %v", err)
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
}

// TestDamagedSmallFile finds a changed byte in a file of one block at once.
func TestDamagedSmallFile(t *testing.T) {
	want := luceneFile(rand.New(rand.NewSource(3)), 1000)
	s, list := shardOf(t, map[string][]byte{"f": want}, func(faulty.Op) faulty.Fault { return faulty.Fault{Flip: true, FlipAt: 7} })
	d, err := OpenFiles(context.Background(), s, list, NewCache(BlockSize), "")
	if err != nil {
		t.Fatal(err)
	}
	in, err := d.Open("f", store.Random)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.Window(0, 1); !store.IsCorrupt(err) {
		t.Errorf("a changed byte: %v", err)
	}
	list[0].PhysicalName = "a/b"
	if _, err := OpenFiles(context.Background(), s, list, NewCache(1), ""); err == nil {
		t.Error("a name with a path was taken")
	}
	list[0].PhysicalName, list[0].Name, list[0].MetaHash = "f", "v__x", []byte("short")
	if _, err := OpenFiles(context.Background(), s, list, NewCache(1), ""); err == nil || !strings.Contains(err.Error(), "f") {
		t.Errorf("a virtual file that is too short: %v", err)
	}
}
