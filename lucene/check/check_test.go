package check

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/testseed"
	"github.com/varve-search/varve/lucene/codec/segments"
	"github.com/varve-search/varve/lucene/index"
	"github.com/varve-search/varve/lucene/store"
)

func seed(t testing.TB) *rand.Rand {
	return rand.New(rand.NewPCG(uint64(testseed.Of(t)), 1))
}

// load reads the index at path into memory.
func load(t testing.TB, path string) *store.MemDirectory {
	t.Helper()
	dir, err := store.OpenFS(path)
	if err != nil {
		t.Fatal(err)
	}
	names, err := dir.List()
	if err != nil {
		t.Fatal(err)
	}
	mem := store.NewMem()
	for _, n := range names {
		in, err := dir.Open(n, store.Sequential)
		if err != nil {
			t.Fatal(err)
		}
		b, err := store.Bytes(in, 0, int(in.Length()))
		if err != nil {
			t.Fatal(err)
		}
		mem.Put(n, bytes.Clone(b))
		in.Close()
	}
	return mem
}

func content(t testing.TB, d store.Directory, name string) []byte {
	t.Helper()
	in, err := d.Open(name, store.Sequential)
	if err != nil {
		t.Fatal(err)
	}
	b, err := store.Bytes(in, 0, int(in.Length()))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestFixtures finds nothing wrong in indices that real nodes wrote, and counts what Lucene counts.
func TestFixtures(t *testing.T) {
	for _, c := range [][2]string{
		{"opensearch-2.3/main", "snap-2"}, {"opensearch-2.3/main", "snap-3"}, {"opensearch-2.11/main", "snap-2"},
		{"opensearch-2.17/main", "snap-3"}, {"opensearch-2.19/main", "snap-2"}, {"opensearch-2.19/main", "snap-3"}, {"opensearch-2.19/chunked", "snap-2"},
	} {
		t.Run(strings.Join(c[:], "/"), func(t *testing.T) {
			for name, path := range oracletest.Indices(t, c[0], c[1]) {
				dir, err := store.OpenFS(path)
				if err != nil {
					t.Fatal(err)
				}
				report, err := Directory(context.Background(), dir, Options{})
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range report.Findings {
					t.Errorf("%s: %s", name, f)
				}
				for _, s := range report.Segments {
					for _, u := range s.Unsupported {
						t.Errorf("%s: %v", name, u)
					}
				}
			}
		})
	}
}

// TestDamage changes every file of real indices in many ways: all of it must be found, and the file named; a
// flipped bit must be found at its place.
func TestDamage(t *testing.T) {
	rnd := seed(t)
	var indices []*store.MemDirectory
	for _, c := range [][3]string{
		{"opensearch-2.19/main", "snap-2", "logs-2024.05"}, {"opensearch-2.19/main", "snap-3", "sorted-days"}, {"opensearch-2.19/main", "snap-3", "products"},
		{"opensearch-2.3/main", "snap-3", "products"}, {"opensearch-2.3/main", "snap-2", "products"},
	} {
		for name, path := range oracletest.Indices(t, c[0], c[1], c[2]) {
			if strings.HasSuffix(name, "/0") {
				indices = append(indices, load(t, path))
			}
		}
	}
	own := store.NewMem()
	build(t, rnd, own, 400, index.Config{NoCompound: true, NoMerges: true})
	indices = append(indices, own)
	mutations, kinds := 0, map[string]int{}
	rounds := 16
	if testing.Short() {
		rounds = 2
	}
	for _, mem := range indices {
		names, _ := mem.List()
		for _, name := range names {
			if name == store.WriteLock {
				continue
			}
			good := content(t, mem, name)
			for range rounds {
				bad := bytes.Clone(good)
				at := -1
				switch rnd.IntN(6) {
				case 0:
					bad = bad[:rnd.IntN(len(bad))]
				case 1:
					bad = append(bad, byte(rnd.Uint32()))
				case 2:
					a := rnd.IntN(len(bad))
					for i := range bad[a:min(len(bad), a+1+rnd.IntN(64))] {
						bad[a+i] ^= byte(1 + rnd.IntN(255))
					}
				default:
					at = rnd.IntN(len(bad))
					bad[at] ^= 1 << rnd.IntN(8)
				}
				mem.Put(name, bad)
				mutations++
				kinds[name[strings.LastIndexAny(name, "._")+1:]]++
				expectFinding(t, mem, name, at)
			}
			mem.Put(name, good)
		}
		report, err := Directory(context.Background(), mem, Options{})
		if err != nil || !report.Clean() {
			t.Fatalf("the whole index is not clean: %v %v", err, report.Findings)
		}
	}
	t.Logf("%d mutations: %v", mutations, kinds)
}

// TestResealed changes files and makes their checksums right again, as no disk would: the readers themselves must stand
// it. A change may be harmless, but must never make a reader panic, hang or take memory without bounds.
func TestResealed(t *testing.T) {
	rnd := seed(t)
	own := store.NewMem()
	build(t, rnd, own, 300, index.Config{NoCompound: true, NoMerges: true})
	indices := []*store.MemDirectory{own}
	for _, path := range oracletest.Indices(t, "opensearch-2.3/main", "snap-3", "products") {
		indices = append(indices, load(t, path))
	}
	rounds := 30
	if testing.Short() {
		rounds = 3
	}
	mutations, quiet := 0, map[string]int{}
	for _, mem := range indices {
		names, _ := mem.List()
		for _, name := range names {
			if name == store.WriteLock {
				continue
			}
			good := content(t, mem, name)
			for range rounds {
				bad := bytes.Clone(good)
				for range 1 + rnd.IntN(3) {
					bad[rnd.IntN(len(bad)-16)] = byte([]uint32{0, 0xff, 0x7f, 0x80, rnd.Uint32()}[rnd.IntN(5)])
				}
				binary.BigEndian.PutUint64(bad[len(bad)-8:], uint64(crc32.ChecksumIEEE(bad[:len(bad)-8])))
				mem.Put(name, bad)
				mutations++
				start := time.Now()
				report, err := Directory(context.Background(), mem, Options{})
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range report.Findings {
					if strings.Contains(f.Problem, "the reader failed") {
						t.Errorf("%s: %s", name, f)
					}
				}
				if report.Clean() && !bytes.Equal(good, bad) {
					quiet[name[strings.LastIndexAny(name, "._")+1:]]++
				}
				if d := time.Since(start); d > 20*time.Second {
					t.Errorf("%s: the check took %s", name, d)
				}
			}
			mem.Put(name, good)
		}
	}
	t.Logf("%d mutations, of which these make another valid index: %v", mutations, quiet)
}

func expectFinding(t *testing.T, dir store.Directory, name string, at int) {
	t.Helper()
	start := time.Now()
	report, err := Directory(context.Background(), dir, Options{})
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("%s: the check took %s", name, d)
	}
	named, placed := false, false
	for _, f := range report.Findings {
		if strings.Contains(f.Problem, "the reader failed") {
			t.Errorf("%s: a reader panics: %s", name, f)
		}
		if f.File == name || strings.HasPrefix(f.File, name+"/") {
			named = true
			placed = placed || f.Offset == int64(at)
		}
	}
	if !named {
		t.Errorf("damage of %s is not found: %v", name, report.Findings)
	}
	if at >= 0 && !placed && !strings.HasPrefix(name, "segments_") && !strings.HasSuffix(name, ".si") {
		n, _ := dir.Length(name)
		if int64(at) < n-16 && int64(at) > 8 {
			t.Errorf("the flipped bit at %d of %s is not placed: %v", at, name, report.Findings)
		}
	}
}

func TestMissingFile(t *testing.T) {
	for _, path := range oracletest.Indices(t, "opensearch-2.19/main", "snap-3", "cfs-off") {
		mem := load(t, path)
		names, _ := mem.List()
		for _, name := range names {
			good := content(t, mem, name)
			if err := mem.Remove(name); err != nil {
				t.Fatal(err)
			}
			report, err := Directory(context.Background(), mem, Options{})
			switch {
			case strings.HasPrefix(name, "segments_"):
				if !errors.Is(err, segments.ErrNoCommit) {
					t.Errorf("without a commit: %v", err)
				}
			case err != nil || report.Clean():
				t.Errorf("%s is missing, and that is not found: %v", name, err)
			case !strings.Contains(fmt.Sprint(report.Findings), name):
				t.Errorf("%s is missing, found is: %v", name, report.Findings)
			}
			mem.Put(name, good)
		}
	}
}

func TestCancel(t *testing.T) {
	for _, path := range oracletest.Indices(t, "opensearch-2.19/main", "snap-3", "products") {
		dir := load(t, path)
		ctx, cancel := context.WithCancel(context.Background())
		calls := 0
		_, err := Directory(ctx, dir, Options{Workers: 2, Progress: func(p Progress) {
			if calls++; calls == 3 {
				cancel()
			}
		}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v after %d calls", err, calls)
		}
	}
}

func TestFlippedBit(t *testing.T) {
	rnd := seed(t)
	for range 300 {
		b := make([]byte, 1+rnd.IntN(3000))
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		sum := crc32.ChecksumIEEE(b)
		at := rnd.IntN(len(b))
		b[at] ^= 1 << rnd.IntN(8)
		if got := flippedBit(sum^crc32.ChecksumIEEE(b), int64(len(b))); got != int64(at) {
			t.Fatalf("got %d, want %d of %d", got, at, len(b))
		}
	}
}

// TestVerdict compares the verdict on damaged indices to CheckIndex's.
func TestVerdict(t *testing.T) {
	rnd := seed(t)
	for _, path := range oracletest.Indices(t, "opensearch-2.19/main", "snap-2", "products") {
		mem := load(t, path)
		names, _ := mem.List()
		for range 6 {
			name := names[rnd.IntN(len(names))]
			good := content(t, mem, name)
			bad := bytes.Clone(good)
			at := rnd.IntN(len(bad))
			bad[at] ^= 1 << rnd.IntN(8)
			mem.Put(name, bad)
			folder := t.TempDir()
			disk, err := store.OpenFS(folder)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range names {
				out, err := disk.Create(n)
				if err != nil {
					t.Fatal(err)
				}
				out.PutBytes(content(t, mem, n))
				if err := out.Close(); err != nil {
					t.Fatal(err)
				}
			}
			mem.Put(name, good)
			report, err := Directory(context.Background(), disk, Options{})
			if err != nil {
				t.Fatal(err)
			}
			_, real := oracletest.Tool(t, "checkindex", folder)
			if (real == nil) != report.Clean() {
				t.Errorf("a bit of %s at %d is flipped: CheckIndex says %v, we %v", name, at, real, report.Findings)
			}
		}
	}
}
