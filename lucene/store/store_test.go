package store

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/varve-search/varve/internal/testseed"
)

func seed(t testing.TB) *rand.Rand {
	return rand.New(rand.NewPCG(uint64(testseed.Of(t)), 1))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func directories(t *testing.T) map[string]Directory {
	t.Helper()
	d, err := OpenFS(filepath.Join(t.TempDir(), "a", "b"))
	must(t, err)
	return map[string]Directory{"fs": d, "mem": NewMem()}
}

func put(t testing.TB, d Directory, name string, b []byte) {
	t.Helper()
	out, err := d.Create(name)
	must(t, err)
	out.PutBytes(b)
	must(t, out.Close())
}

func TestDirectory(t *testing.T) {
	for name, d := range directories(t) {
		t.Run(name, func(t *testing.T) {
			put(t, d, "b", []byte("hello"))
			put(t, d, "a", nil)
			names, err := d.List()
			if err != nil || !slices.Equal(names, []string{"a", "b"}) {
				t.Errorf("List: %v, %v", names, err)
			}
			if n, err := d.Length("b"); n != 5 || err != nil {
				t.Errorf("Length: %d, %v", n, err)
			}
			if _, err := d.Create("b"); !errors.Is(err, fs.ErrExist) {
				t.Errorf("Create of what exists: %v", err)
			}
			for what, err := range map[string]error{
				"Open": second(d.Open("x", Random)), "Length": second(d.Length("x")), "Remove": d.Remove("x"),
				"Rename": d.Rename("x", "y"), "Sync": d.Sync([]string{"x"}),
			} {
				if !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s of what does not exist: %v", what, err)
				}
			}
			if err := d.Rename("a", "b"); !errors.Is(err, fs.ErrExist) {
				t.Errorf("Rename over what exists: %v", err)
			}
			must(t, d.Sync([]string{"a", "b"}))
			must(t, d.SyncMetadata())
			for _, access := range []Access{Random, Sequential} {
				in, err := d.Open("b", access)
				must(t, err)
				checkInput(t, in, "b", []byte("hello"))
				must(t, in.Close())
				empty, err := d.Open("a", access)
				must(t, err)
				checkInput(t, empty, "a", nil)
				must(t, empty.Close())
			}
			in, err := d.Open("b", Random)
			must(t, err)
			must(t, d.Rename("b", "c"))
			must(t, d.Remove("c"))
			checkInput(t, in, "b", []byte("hello")) // open inputs outlive the name
			must(t, in.Close())
			for _, bad := range []string{"", ".", "..", "a/b", `a\b`, "a\x00"} {
				if _, err := d.Create(bad); err == nil {
					t.Errorf("Create(%q) is allowed", bad)
				}
				if err := d.Rename("a", bad); err == nil {
					t.Errorf("Rename to %q is allowed", bad)
				}
			}
			must(t, d.Close())
		})
	}
}

func second[T any](_ T, err error) error { return err }

func checkInput(t *testing.T, in Input, name string, want []byte) {
	t.Helper()
	if in.Name() != name || in.Length() != int64(len(want)) {
		t.Fatalf("%s of %d bytes, want %s of %d", in.Name(), in.Length(), name, len(want))
	}
	for off := range len(want) + 1 {
		for n := range len(want) - off + 1 {
			w, err := in.Window(int64(off), n)
			if err != nil || len(w) < n || !bytes.Equal(w[:n], want[off:off+n]) {
				t.Fatalf("Window(%d, %d) = %q, %v", off, n, w, err)
			}
			s, err := in.Slice(int64(off), int64(n))
			must(t, err)
			b, err := Bytes(s, 0, n)
			if err != nil || !bytes.Equal(b, want[off:off+n]) {
				t.Fatalf("Slice(%d, %d) = %q, %v", off, n, b, err)
			}
			if Base(s) != int64(off) {
				t.Fatalf("Slice(%d, %d) begins at %d", off, n, Base(s))
			}
		}
	}
	for _, bad := range [][2]int64{{-1, 1}, {0, int64(len(want)) + 1}, {int64(len(want)) + 1, 0}, {1, -1}, {math.MaxInt64, 1}, {1, math.MaxInt64}} {
		if _, err := in.Slice(bad[0], bad[1]); !IsCorrupt(err) {
			t.Errorf("Slice%v: %v", bad, err)
		}
		if _, err := in.Window(bad[0], int(min(bad[1], math.MaxInt))); !IsCorrupt(err) {
			t.Errorf("Window%v: %v", bad, err)
		}
	}
}

// TestOffsets checks that messages tell the offset in the whole file, and in an inner file within it.
func TestOffsets(t *testing.T) {
	for name, d := range directories(t) {
		put(t, d, "f", make([]byte, 100))
		for _, access := range []Access{Random, Sequential} {
			in, err := d.Open("f", access)
			must(t, err)
			s, err := in.Slice(10, 80)
			must(t, err)
			inner, err := Inner(s, "f/inner", 20, 50)
			must(t, err)
			part, err := inner.Slice(5, 10)
			must(t, err)
			for _, c := range []struct {
				in   Input
				file string
				base int64
			}{{s, "f", 10}, {inner, "f/inner", 0}, {part, "f/inner", 5}} {
				r := NewReader(c.in)
				r.SeekTo(3)
				var e *CorruptError
				if !errors.As(r.Corruptf("oh"), &e) || e.File != c.file || e.Offset != c.base+3 {
					t.Errorf("%s: Corruptf: %+v, want %s at %d", name, e, c.file, c.base+3)
				}
				_, err := c.in.Window(7, 1000)
				if !errors.As(err, &e) || e.File != c.file || e.Offset != c.base+7 {
					t.Errorf("%s: Window: %+v, want %s at %d", name, e, c.file, c.base+7)
				}
			}
			must(t, in.Close())
		}
	}
}

func TestLock(t *testing.T) {
	for name, d := range directories(t) {
		t.Run(name, func(t *testing.T) {
			l, err := d.Lock(WriteLock)
			must(t, err)
			if _, err := d.Lock(WriteLock); !errors.Is(err, ErrLocked) {
				t.Errorf("a second lock: %v", err)
			}
			if other, ok := d.(*FSDirectory); ok {
				same, err := OpenFS(other.Path())
				must(t, err)
				if _, err := same.Lock(WriteLock); !errors.Is(err, ErrLocked) {
					t.Errorf("a lock through another directory: %v", err)
				}
			}
			must(t, l.Close())
			must(t, l.Close())
			again, err := d.Lock(WriteLock)
			must(t, err)
			must(t, l.Close()) // the old one has no say any more
			if _, err := d.Lock(WriteLock); !errors.Is(err, ErrLocked) {
				t.Errorf("the lock was given away by its last holder: %v", err)
			}
			must(t, again.Close())
		})
	}
}

// TestConcurrent uses one directory and one input from many goroutines.
func TestConcurrent(t *testing.T) {
	for name, d := range directories(t) {
		t.Run(name, func(t *testing.T) {
			data := bytes.Repeat([]byte("0123456789"), 5000)
			put(t, d, "shared", data)
			in, err := d.Open("shared", Sequential)
			must(t, err)
			defer in.Close()
			var wg sync.WaitGroup
			for g := range 8 {
				wg.Add(1)
				go func() {
					defer wg.Done()
					for i := range 50 {
						file := fmt.Sprintf("f%d_%d", g, i)
						put(t, d, file, []byte(file))
						off := (g*50 + i) % 40000
						if b, err := Bytes(in, int64(off), 100); err != nil || !bytes.Equal(b, data[off:off+100]) {
							t.Errorf("read at %d: %q, %v", off, b, err)
						}
						if i%2 == 0 {
							if err := d.Remove(file); err != nil {
								t.Error(err)
							}
						}
					}
				}()
			}
			wg.Wait()
			names, err := d.List()
			if err != nil || len(names) != 8*25+1 {
				t.Errorf("%d files, %v", len(names), err)
			}
		})
	}
}

// TestGuard truncates a mapped file under its reader: what would kill the process must be an error.
func TestGuard(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("files are mapped on Linux only")
	}
	d, err := OpenFS(t.TempDir())
	must(t, err)
	put(t, d, "f", bytes.Repeat([]byte{7}, 1<<20))
	in, err := d.Open("f", Random)
	must(t, err)
	defer in.Close()
	must(t, os.Truncate(filepath.Join(d.Path(), "f"), 10))
	ways := map[string]func(b []byte) int{
		"index":   func(b []byte) int { return int(b[1<<19]) },
		"copy":    func(b []byte) int { return copy(make([]byte, 1<<20), b) },
		"compare": func(b []byte) int { return bytes.Compare(b[1<<18:], bytes.Repeat([]byte{7}, 1<<19)) },
		"crc":     func(b []byte) int { return int(crc32.ChecksumIEEE(b[8192:])) },
	}
	for name, touch := range ways {
		done := make(chan error)
		go func() {
			done <- Guard(func() error {
				b, err := Bytes(in, 0, 1<<20)
				if err == nil {
					_ = touch(b)
				}
				return err
			})
		}()
		if err := <-done; err == nil || !strings.Contains(err.Error(), "mapped") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Other panics and errors go through, and the setting is undone.
	if err := Guard(func() error { return fs.ErrExist }); !errors.Is(err, fs.ErrExist) {
		t.Errorf("an error became %v", err)
	}
	defer func() {
		if r := recover(); r != "mine" {
			t.Errorf("a panic became %v", r)
		}
	}()
	_ = Guard(func() error { panic("mine") })
}

func TestClosedMap(t *testing.T) {
	d, err := OpenFS(t.TempDir())
	must(t, err)
	put(t, d, "f", []byte("hello"))
	in, err := d.Open("f", Random)
	must(t, err)
	s, err := in.Slice(1, 3)
	must(t, err)
	must(t, s.Close())
	if _, err := in.Window(0, 1); err != nil {
		t.Errorf("closing a slice closes the file: %v", err)
	}
	must(t, in.Close())
	must(t, in.Close())
	if runtime.GOOS == "linux" {
		for _, i := range []Input{in, s} {
			if _, err := i.Window(0, 1); !errors.Is(err, ErrClosed) {
				t.Errorf("read after close: %v", err)
			}
		}
	}
}
