package compound

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/varve-search/varve/internal/testseed"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/store"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var segment = &lucene.SegmentInfo{Name: "_1", ID: lucene.ID{1, 2, 3}}

func addFile(t testing.TB, dir store.Directory, name string, id lucene.ID, body []byte) {
	t.Helper()
	out, err := dir.Create(name)
	must(t, err)
	codec.WriteIndexHeader(out, "Test", 0, id, "")
	out.PutBytes(body)
	codec.WriteFooter(out)
	must(t, out.Close())
}

func all(t testing.TB, in store.Input) []byte {
	t.Helper()
	b, err := store.Bytes(in, 0, int(in.Length()))
	must(t, err)
	return b
}

func TestRoundTrip(t *testing.T) {
	rnd := rand.New(rand.NewPCG(uint64(testseed.Of(t)), 1))
	disk, err := store.OpenFS(t.TempDir())
	must(t, err)
	for _, dir := range []store.Directory{store.NewMem(), disk} {
		names := []string{"_1.fnm", "_1.fdt", "_1_Lucene912_0.tim", "_1_Lucene90_0.dvd"}
		for _, n := range names {
			body := make([]byte, rnd.IntN(3000))
			for i := range body {
				body[i] = byte(rnd.Uint32())
			}
			addFile(t, dir, n, segment.ID, body)
		}
		files, err := Write(dir, segment, names)
		must(t, err)
		if !slices.Equal(files, []string{"_1.cfs", "_1.cfe"}) {
			t.Errorf("wrote %v", files)
		}
		for _, access := range []store.Access{store.Random, store.Sequential} {
			cfs, err := Open(dir, segment, access)
			must(t, err)
			must(t, cfs.CheckIntegrity())
			list, err := cfs.List()
			must(t, err)
			slices.Sort(names)
			if !slices.Equal(list, names) {
				t.Errorf("files: %v", list)
			}
			for _, n := range names {
				single, err := dir.Open(n, store.Sequential)
				must(t, err)
				want := all(t, single)
				for _, a := range []store.Access{store.Random, store.Sequential} {
					in, err := cfs.Open(n, a)
					must(t, err)
					if !bytes.Equal(all(t, in), want) {
						t.Errorf("%s differs", n)
					}
					if store.Base(in) != 0 || in.Name() != "_1.cfs/"+n {
						t.Errorf("%s at %d", in.Name(), store.Base(in))
					}
				}
				if n2, err := cfs.Length(n); n2 != int64(len(want)) || err != nil {
					t.Errorf("%s: %d bytes, %v", n, n2, err)
				}
				must(t, single.Close())
			}
			for _, n := range []string{"_1.nvd", "_2.fnm", ".fnm"} {
				if _, err := cfs.Open(n, store.Random); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s: %v", n, err)
				}
			}
			if _, err := cfs.Create("_1.x"); !errors.Is(err, ErrReadOnly) || !errors.Is(cfs.Remove("_1.fnm"), ErrReadOnly) {
				t.Error("it can be changed")
			}
			must(t, cfs.Close())
			must(t, cfs.Close())
			if _, err := cfs.Open("_1.fnm", store.Random); !errors.Is(err, store.ErrClosed) {
				t.Errorf("after Close: %v", err)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	dir := store.NewMem()
	addFile(t, dir, "_1.fnm", lucene.ID{9}, nil)
	addFile(t, dir, "_1.bad", segment.ID, []byte("body"))
	in, err := dir.Open("_1.bad", store.Random)
	must(t, err)
	b := bytes.Clone(all(t, in))
	b[30] ^= 1
	dir.Put("_1.bad", b)
	addFile(t, dir, "_12.fnm", segment.ID, nil)
	for _, n := range []string{"_1.fnm", "_1.bad", "_12.fnm", "_1.none"} {
		if _, err := Write(dir, segment, []string{n}); err == nil {
			t.Errorf("%s is packed", n)
		}
		_, _ = dir.Remove("_1.cfs"), dir.Remove("_1.cfe")
	}
}

func TestDamage(t *testing.T) {
	dir := store.NewMem()
	addFile(t, dir, "_1.fnm", segment.ID, []byte("hello"))
	addFile(t, dir, "_1.fdt", segment.ID, make([]byte, 100))
	_, err := Write(dir, segment, []string{"_1.fnm", "_1.fdt"})
	must(t, err)
	for _, name := range []string{"_1.cfs", "_1.cfe"} {
		in, err := dir.Open(name, store.Random)
		must(t, err)
		good := bytes.Clone(all(t, in))
		for at := range good {
			bad := bytes.Clone(good)
			bad[at] ^= 1 << (at % 8)
			for _, b := range [][]byte{bad, good[:at], append(bytes.Clone(good), 0)} {
				dir.Put(name, b)
				cfs, err := Open(dir, segment, store.Random)
				if err == nil {
					err = errors.Join(cfs.CheckIntegrity(), cfs.Close())
				}
				if err == nil {
					t.Fatalf("damage of %s at %d goes unnoticed", name, at)
				}
			}
		}
		dir.Put(name, good)
	}
}

func FuzzEntries(f *testing.F) {
	dir := store.NewMem()
	addFile(f, dir, "_1.fnm", segment.ID, []byte("hello"))
	_, err := Write(dir, segment, []string{"_1.fnm"})
	must(f, err)
	in, err := dir.Open("_1.cfe", store.Random)
	must(f, err)
	f.Add(all(f, in))
	f.Fuzz(func(t *testing.T, b []byte) {
		entries, end, err := parseEntries(store.NewReader(store.NewBytesInput("_1.cfe", b)), segment.ID)
		if err == nil && (len(entries) > len(b) || end < 0) {
			t.Fatalf("%d entries up to %d in %d bytes", len(entries), end, len(b))
		}
	})
}
