package repository

import (
	"bytes"
	"context"
	"io"
	"math"
	"math/rand"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/faulty"
	"github.com/varve-search/varve/lucene/store"
)

// sideBySide opens a shard again over a store that has ranges, and fails as a hook says.
func sideBySide(t *testing.T, under blob.Container, hook faulty.Hook) *Shard {
	t.Helper()
	r, err := Open(t.Context(), faulty.Ranged(faulty.New(under, hook)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.Shard(t.Context(), IndexID{Name: "ix", ID: "id"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func noFault(faulty.Op) faulty.Fault { return faulty.Fault{} }

// readRanges reads all ranges, some at a time, and puts them together.
func readRanges(ctx context.Context, r *RangedFile, length int) ([]byte, error) {
	out := make([]byte, length)
	errs := make(chan error, 3)
	var wg sync.WaitGroup
	for range cap(errs) {
		wg.Go(func() {
			for {
				in, off := r.Next(ctx)
				if in == nil {
					return
				}
				b, err := io.ReadAll(in)
				in.Close()
				copy(out[min(off, int64(length)):], b)
				if err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	select {
	case err := <-errs:
		return nil, err
	default:
		return out, r.Verify()
	}
}

// TestRanged reads random files in ranges from a store that fails often.
func TestRanged(t *testing.T) {
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewSource(seed))
	for range 100 {
		content := luceneBytes(rnd, footerLen+1+rnd.Intn(40_000))
		chunk := int64(0)
		if rnd.Intn(2) == 0 {
			chunk = int64(1 + rnd.Intn(20_000))
		}
		_, f, under := resumeShard(t, content, chunk, noFault)
		in := rand.New(rand.NewSource(rnd.Int63()))
		var mu sync.Mutex
		s := sideBySide(t, under, func(o faulty.Op) faulty.Fault {
			mu.Lock()
			defer mu.Unlock()
			switch in.Intn(4) {
			case 0:
				return faulty.Fault{Before: faulty.Fail(blob.KindUnavailable)}
			case 1:
				return faulty.Fault{Cut: true, Truncate: int64(in.Intn(5_000))}
			}
			return faulty.Fault{}
		})
		size := int64(1 + rnd.Intn(len(content)-1))
		if size < int64(len(content))/500 {
			size = int64(len(content))/500 + 1
		}
		r := s.Ranged(f, size, Resume{Attempts: 40})
		if r == nil {
			t.Fatalf("%d bytes are not read in ranges of %d", len(content), size)
		}
		if got, err := readRanges(t.Context(), r, len(content)); err != nil || !bytes.Equal(got, content) {
			t.Fatalf("%d bytes in blobs of %d and ranges of %d: equal %v, %v", len(content), chunk, size, bytes.Equal(got, content), err)
		}
	}
}

// TestRangedDamage finds one changed byte wherever it is, blobs that are too short or too long, and ranges that were not read.
func TestRangedDamage(t *testing.T) {
	content := luceneBytes(rand.New(rand.NewSource(3)), 1000)
	const size = 300
	for _, chunk := range []int64{0, 450} {
		_, f, under := resumeShard(t, content, chunk, noFault)
		var list []string
		for i := range f.Parts() {
			list = append(list, f.PartName(i))
		}
		for at := range int64(len(content)) {
			n, part := at, 0
			if chunk > 0 {
				part = int(at / chunk)
				n = at % chunk
			}
			var mu sync.Mutex
			seen := int64(0)
			s := sideBySide(t, under, func(o faulty.Op) faulty.Fault {
				if !strings.HasSuffix(o.Name, list[part]) {
					return faulty.Fault{}
				}
				mu.Lock()
				defer mu.Unlock()
				seen++
				return faulty.Fault{Flip: seen == n/size+1, FlipAt: n % size}
			})
			r := s.Ranged(f, size, Resume{})
			out := make([]byte, 0, len(content))
			for in, _ := r.Next(t.Context()); in != nil; in, _ = r.Next(t.Context()) {
				b, err := io.ReadAll(in)
				if err != nil {
					t.Fatal(err)
				}
				in.Close()
				out = append(out, b...)
			}
			if bytes.Equal(out, content) {
				t.Fatal("no byte was changed")
			}
			if err := r.Verify(); !store.IsCorrupt(err) {
				t.Fatalf("byte %d was changed: %v", at, err)
			}
		}
		c, err := under.Container(sideBySide(t, under, noFault).Path())
		if err != nil {
			t.Fatal(err)
		}
		for i := range list {
			whole, err := blob.ReadAll(t.Context(), c, list[i], 2000)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range []int{0, 50, len(whole) - 1, len(whole) + 1} {
				b := append(bytes.Clone(whole), 7)[:n]
				if err := c.Put(t.Context(), list[i], bytes.NewReader(b), int64(n), blob.PutOptions{}); err != nil {
					t.Fatal(err)
				}
				if _, err := readRanges(t.Context(), sideBySide(t, under, noFault).Ranged(f, size, Resume{Attempts: 9}), len(content)); !store.IsCorrupt(err) {
					t.Errorf("blob %d of %d bytes in place of %d: %v", i, n, len(whole), err)
				}
			}
			if err := c.Put(t.Context(), list[i], bytes.NewReader(whole), int64(len(whole)), blob.PutOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		r := sideBySide(t, under, noFault).Ranged(f, size, Resume{})
		for in, off := r.Next(t.Context()); in != nil; in, off = r.Next(t.Context()) {
			if off != 0 { // of the first range only some bytes
				_, err = io.Copy(io.Discard, in)
			} else {
				_, err = io.ReadFull(in, make([]byte, 10))
			}
			if err != nil {
				t.Fatal(err)
			}
			in.Close()
		}
		if err := r.Verify(); err == nil || store.IsCorrupt(err) {
			t.Errorf("a range that was not read: %v", err)
		}
	}
}

// TestRangedNot: small files and those of stores without ranges are for OpenFile.
func TestRangedNot(t *testing.T) {
	content := luceneBytes(rand.New(rand.NewSource(3)), 1000)
	plain, f, under := resumeShard(t, content, 0, noFault)
	if plain.Ranged(f, 100, Resume{}) != nil {
		t.Error("ranges of a store without them")
	}
	s := sideBySide(t, under, noFault)
	if s.Ranged(f, 1000, Resume{}) != nil || s.Ranged(FileInfo{Name: "v__x", Length: 1000, MetaHash: content}, 10, Resume{}) != nil {
		t.Error("ranges of what is one, or none")
	}
	// A list of files that lies about a length costs nothing.
	f.Length = math.MaxInt64
	if _, err := readRanges(t.Context(), s.Ranged(f, 500, Resume{Attempts: 3}), len(content)); !store.IsCorrupt(err) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f.Length = 1000
	if _, err := readRanges(ctx, s.Ranged(f, 500, Resume{Attempts: 3}), len(content)); err != context.Canceled { //nolint:errorlint // nothing is added
		t.Error(err)
	}
}
