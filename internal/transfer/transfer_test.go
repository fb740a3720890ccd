package transfer

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand"
	"slices"
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

// luceneFile returns n bytes that end with a right footer.
func luceneFile(rnd *rand.Rand, n int) []byte {
	b := make([]byte, n-16, n)
	rnd.Read(b)
	b = binary.BigEndian.AppendUint32(b, 0xc02893e8)
	b = binary.BigEndian.AppendUint32(b, 0)
	return binary.BigEndian.AppendUint64(b, uint64(crc32.ChecksumIEEE(b)))
}

var names = []string{"_0.si", "_0.fnm", "_0.fdt", "_0.fdx", "_0_Lucene912_0.tim", "_0_Lucene912_0.tip", "_0_Lucene912_0.doc", "_0_Lucene90_0.dvd", "_0_1.liv", "segments_3"}

func write(t testing.TB, d store.Directory, name string, b []byte) {
	t.Helper()
	out, err := d.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	out.PutBytes(b)
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

func readAll(t testing.TB, d store.Directory, name string) []byte {
	t.Helper()
	in, err := d.Open(name, store.Sequential)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	b, err := store.Bytes(in, 0, int(in.Length()))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(b)
}

// source makes a directory with files of some size.
func source(t testing.TB, seed int64, size int) *store.MemDirectory {
	t.Helper()
	rnd := rand.New(rand.NewSource(seed))
	d := store.NewMem()
	for _, n := range names {
		write(t, d, n, luceneFile(rnd, 16+rnd.Intn(size)))
	}
	return d
}

func open(t testing.TB, c blob.Container, chunk int64) *repository.Shard {
	t.Helper()
	r, err := repository.Open(context.Background(), c, repository.Options{ChunkSize: chunk})
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.Shard(context.Background(), repository.IndexID{Name: "ix", ID: "id"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func upload(t testing.TB, s *repository.Shard, d store.Directory, known *repository.ShardIndex) ([]repository.FileInfo, Counts) {
	t.Helper()
	ctx := context.Background()
	if known == nil {
		var err error
		if known, _, err = s.FileIndex(ctx, repository.NewGeneration); err != nil {
			t.Fatal(err)
		}
	}
	files, err := d.List()
	if err != nil {
		t.Fatal(err)
	}
	u := &Upload{Dir: d, Files: files, WrittenBy: "9.12.0", Shard: s, Known: known, Parallel: 3, Progress: &Progress{}}
	list, _, _, err := u.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return list, u.Progress.Counts()
}

var quick = repository.Resume{Attempts: 6, Pause: time.Microsecond, MaxPause: time.Millisecond}

// TestThereAndBack uploads and downloads through a store that fails in random ways.
func TestThereAndBack(t *testing.T) {
	seed := testseed.Of(t)
	for round := range 12 {
		under := mem.New()
		src := source(t, seed+int64(round), 200_000)
		list, up := upload(t, open(t, under, int64(round%3)*30_000), src, nil)
		if up.MovedFiles == 0 || up.MovedBytes != up.TotalBytes || len(list) != len(names) {
			t.Fatalf("%+v", up)
		}
		var mu sync.Mutex
		rnd := rand.New(rand.NewSource(seed))
		s := open(t, faulty.New(under, func(o faulty.Op) faulty.Fault {
			mu.Lock()
			defer mu.Unlock()
			switch rnd.Intn(5) {
			case 0:
				return faulty.Fault{Before: faulty.Fail(blob.KindUnavailable)}
			case 1:
				return faulty.Fault{Cut: true, Truncate: int64(rnd.Intn(60_000))}
			}
			return faulty.Fault{}
		}), 0)
		dst, err := store.OpenFS(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		landed := map[string]bool{}
		d := &Download{Shard: s, Files: list, Dir: dst, Parallel: 3, Progress: &Progress{}, Retry: quick, Landed: func(name string) {
			mu.Lock()
			defer mu.Unlock()
			landed[name] = true
			if n, err := dst.Length("segments_3"); err == nil {
				t.Errorf("the commit of %d bytes was there before %s", n, name)
			}
		}}
		d.Retry.Attempts = 30
		if err := d.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		for _, n := range names {
			if !bytes.Equal(readAll(t, src, n), readAll(t, dst, n)) {
				t.Errorf("%s came back with other bytes", n)
			}
		}
		c := d.Progress.Counts()
		if len(landed) != len(names)-1 || landed["segments_3"] || c.MovedFiles != int64(len(names)) || c.MovedBytes != c.TotalBytes {
			t.Errorf("%v landed, %+v", landed, c)
		}
		for _, f := range d.Progress.Files() {
			if f.Moved() != f.Length || f.Reused() {
				t.Errorf("%s: %d of %d bytes", f.Name, f.Moved(), f.Length)
			}
		}
	}
}

// TestReuse keeps what is identical by checksum, and nothing else.
func TestReuse(t *testing.T) {
	under := mem.New()
	src := source(t, 1, 50_000)
	list, _ := upload(t, open(t, under, 0), src, nil)
	dst := store.NewMem()
	for _, n := range names {
		dst.Put(n, readAll(t, src, n))
	}
	sameLength := readAll(t, src, "_0.fdt")
	sameLength[5] ^= 1 // the footer is that of the other bytes
	dst.Put("_0.fdt", sameLength)
	dst.Put("_0.fdx", []byte("short"))
	dst.Put("other", []byte("is left alone"))
	p := &Progress{}
	d := &Download{Shard: open(t, under, 0), Files: list, Dir: dst, Parallel: 2, Progress: p}
	if err := d.Look(context.Background()); err != nil {
		t.Fatal(err)
	}
	// Before anything is read all that looks whole counts, the file with the wrong byte too.
	if c := p.Counts(); c.TotalFiles != int64(len(names)) || c.ReusedFiles != int64(len(names)-2) || c.ReusedBytes == 0 {
		t.Errorf("at first sight: %+v", c)
	}
	if err := d.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if !bytes.Equal(readAll(t, src, n), readAll(t, dst, n)) {
			t.Errorf("%s came back with other bytes", n)
		}
	}
	if c := p.Counts(); c.ReusedFiles != int64(len(names)-3) || c.MovedFiles != 3 || string(readAll(t, dst, "other")) != "is left alone" {
		t.Errorf("%+v", c)
	}
	again := &Upload{Dir: src, Files: names[1:9], WrittenBy: "9.12.0", Shard: open(t, under, 0), Known: knownOf(t, under, list), Parallel: 2, Progress: &Progress{}}
	if _, added, _, err := again.Run(context.Background()); err != nil || added != 0 {
		t.Errorf("an unchanged commit brings %d files, %v", added, err)
	}
}

// knownOf returns the shard's index after a snapshot of files.
func knownOf(t *testing.T, c blob.Container, list []repository.FileInfo) *repository.ShardIndex {
	t.Helper()
	ctx := context.Background()
	s := open(t, c, 0)
	gen, err := s.WriteSnapshot(ctx, repository.NewShardSnapshot{Snapshot: repository.SnapshotID{Name: "s", UUID: "u"}, BaseGeneration: repository.NewGeneration, Files: list})
	if err != nil {
		t.Fatal(err)
	}
	x, _, err := s.FileIndex(ctx, gen)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestDownloadFails(t *testing.T) {
	under := mem.New()
	list, _ := upload(t, open(t, under, 0), source(t, 2, 50_000), nil)
	run := func(ctx context.Context, hook faulty.Hook) (*store.MemDirectory, error) {
		dst := store.NewMem()
		return dst, (&Download{Shard: open(t, faulty.New(under, hook), 0), Files: list, Dir: dst, Parallel: 2, Progress: &Progress{}, Retry: quick}).Run(ctx)
	}
	damaged := list[slices.IndexFunc(list, func(f repository.FileInfo) bool { return f.PhysicalName == "_0.fdt" })].Name
	dst, err := run(context.Background(), func(o faulty.Op) faulty.Fault {
		return faulty.Fault{Flip: strings.HasSuffix(o.Name, damaged), FlipAt: 3}
	})
	if !store.IsCorrupt(err) || !strings.Contains(err.Error(), "_0.fdt") {
		t.Errorf("a damaged blob: %v", err)
	}
	if _, err := dst.Length("_0.fdt"); err == nil {
		t.Error("the damaged file stays")
	}
	if _, err := dst.Length("segments_3"); err == nil {
		t.Error("there is a commit though a file is missing")
	}
	if _, err := run(context.Background(), func(faulty.Op) faulty.Fault { return faulty.Fault{Before: faulty.Fail(blob.KindUnavailable)} }); blob.KindOf(err) != blob.KindUnavailable {
		t.Errorf("a store that does not answer: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var n atomic.Int64
	if _, err := run(ctx, func(faulty.Op) faulty.Fault {
		if n.Add(1) == 3 {
			cancel()
		}
		return faulty.Fault{}
	}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	bad := slices.Clone(list)
	bad[0].PhysicalName = "../evil"
	if err := (&Download{Shard: open(t, under, 0), Files: bad, Dir: store.NewMem(), Progress: &Progress{}}).Run(context.Background()); err == nil {
		t.Error("a name with a path was taken")
	}
}

func TestOrder(t *testing.T) {
	var files []repository.FileInfo
	for i, n := range []string{"_0.fdt", "_0.pos", "_0.tip", "_0.unknown", "_0.doc", "_0.fnm", "_1.cfs", "_0.kdi"} {
		files = append(files, repository.FileInfo{PhysicalName: n, Length: int64(100 + i)})
	}
	openFirst(files)
	var got []string
	for _, f := range files {
		got = append(got, f.PhysicalName)
	}
	if want := []string{"_0.kdi", "_0.fnm", "_0.tip", "_1.cfs", "_0.doc", "_0.pos", "_0.unknown", "_0.fdt"}; !slices.Equal(got, want) {
		t.Errorf("the order is %q, and not %q", got, want)
	}
}

func TestLimit(t *testing.T) {
	p := &Progress{}
	const n = 400 << 10
	began := time.Now()
	r := &limited{ctx: context.Background(), r: bytes.NewReader(make([]byte, n)), limits: []*Limit{nil, NewLimit(2 << 20), NewLimit(0)}, p: p}
	if got, err := io.Copy(io.Discard, r); err != nil || got != n {
		t.Fatal(got, err)
	}
	// The first 64 KiB may pass at once.
	if took := time.Since(began); took < 150*time.Millisecond || p.Counts().MovedBytes != n || p.Counts().ThrottledNanos < int64(100*time.Millisecond) {
		t.Errorf("%d bytes at 2 MiB/s took %v, throttled for %v", n, took, time.Duration(p.Counts().ThrottledNanos))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	r = &limited{ctx: ctx, r: bytes.NewReader(make([]byte, n)), limits: []*Limit{NewLimit(1000)}, p: p}
	if _, err := io.Copy(io.Discard, r); err == nil {
		t.Error("a limit outlives its context")
	}
}

// TestLimitChanges: who waits for a limit goes on when it is lifted, and slows down when it comes.
func TestLimitChanges(t *testing.T) {
	l := NewLimit(1000) // a minute for each step
	const n = 1 << 20
	done := make(chan error, 3)
	for range cap(done) {
		go func() {
			_, err := io.Copy(io.Discard, &limited{ctx: t.Context(), r: bytes.NewReader(make([]byte, n)), limits: []*Limit{l}, p: &Progress{}})
			done <- err
		}()
	}
	select {
	case err := <-done:
		t.Fatal("a slow limit let everything through", err)
	case <-time.After(50 * time.Millisecond):
	}
	l.Set(2000)
	l.Set(-1)
	for range cap(done) {
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("a limit that was lifted still holds")
		}
	}
	if l.bounds() {
		t.Error("the limit is still there")
	}
	if waited, err := Wait(t.Context(), []*Limit{l, nil}, 1<<40); err != nil || waited > time.Second {
		t.Error(waited, err)
	}
	l.Set(1 << 20)
	began := time.Now()
	if _, err := Wait(t.Context(), []*Limit{l}, 256<<10); err != nil || time.Since(began) < 100*time.Millisecond {
		t.Errorf("a limit that came does not hold: %v, %v", time.Since(began), err)
	}
}

func ExampleProgress() {
	p := &Progress{}
	p.Add("_0.fdt", 100, true)
	p.Add("_0.doc", 50, false)
	c := p.Counts()
	fmt.Println(c.TotalFiles, c.TotalBytes, c.ReusedFiles, c.ReusedBytes)
	// Output: 2 150 1 100
}
