package livedocs

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/varve-search/varve/internal/testseed"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/store"
)

func commit(maxDoc int32) *lucene.SegmentCommitInfo {
	return lucene.NewSegmentCommitInfo(&lucene.SegmentInfo{Name: "_a", ID: lucene.ID{5}, MaxDoc: maxDoc})
}

// random returns live documents of which one in n is deleted, and how many are.
func random(rnd *rand.Rand, maxDoc int32, n int) (*lucene.FixedBits, int32) {
	live, deleted := lucene.NewFixedBits(maxDoc), int32(0)
	for i := range maxDoc {
		if rnd.IntN(n) == 0 {
			deleted++
		} else {
			live.Set(i)
		}
	}
	return live, deleted
}

func TestRoundTrip(t *testing.T) {
	seed := uint64(testseed.Of(t))
	rnd := rand.New(rand.NewPCG(seed, 1))
	for _, maxDoc := range []int32{1, 63, 64, 65, 1000, 100000} {
		for _, n := range []int{1, 2, 50} {
			dir, info := store.NewMem(), commit(maxDoc)
			if live, err := Read(dir, info); live != nil || err != nil {
				t.Fatalf("without deletions: %v, %v", live, err)
			}
			live, deleted := random(rnd, maxDoc, n)
			info.DelCount = deleted
			const gen = 36*3 + 11
			name, err := Write(dir, info, gen, live)
			if err != nil || name != "_a_3b.liv" {
				t.Fatalf("%q, %v", name, err)
			}
			info.DelGen = gen
			got, err := Read(dir, info)
			if err != nil || got.N != maxDoc || !slices.Equal(got.Words, live.Words) {
				t.Fatalf("%d documents: %v", maxDoc, err)
			}
			info.DelCount++
			if _, err := Read(dir, info); !store.IsCorrupt(err) {
				t.Fatalf("another number of deletions: %v", err)
			}
			if _, err := Write(dir, info, gen+1, live); err == nil {
				t.Fatal("a wrong number of deletions is written")
			}
		}
	}
}

// TestKnownFile compares with the worked example of docs/formats/livedocs.md.
func TestKnownFile(t *testing.T) {
	dir, info := store.NewMem(), commit(10)
	live := lucene.NewFixedBits(10)
	for _, i := range []int32{0, 1, 2, 4, 5, 6, 7, 9} {
		live.Set(i)
	}
	info.DelCount = 2
	if _, err := Write(dir, info, 1, live); err != nil {
		t.Fatal(err)
	}
	in, err := dir.Open("_a_1.liv", store.Random)
	if err != nil {
		t.Fatal(err)
	}
	b, err := store.Bytes(in, codec.IndexHeaderLength(codecName, "1"), 8)
	if err != nil || !bytes.Equal(b, []byte{0xf7, 0x02, 0, 0, 0, 0, 0, 0}) {
		t.Fatalf("% x, %v", b, err)
	}
}

func TestDamage(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	dir, info := store.NewMem(), commit(1000)
	live, deleted := random(rnd, 1000, 3)
	info.DelCount = deleted
	name, err := Write(dir, info, 1, live)
	if err != nil {
		t.Fatal(err)
	}
	info.DelGen = 1
	in, err := dir.Open(name, store.Random)
	if err != nil {
		t.Fatal(err)
	}
	good, err := store.Bytes(in, 0, int(in.Length()))
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, i int) {
		t.Helper()
		var v *codec.VersionError
		if _, err := Read(dir, info); !store.IsCorrupt(err) && !errors.As(err, &v) {
			t.Fatalf("%s %d: %v", what, i, err)
		}
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x20
		dir.Put(name, bad)
		check("changed byte", i)
		dir.Put(name, good[:i])
		check("cut at", i)
	}
}

func FuzzRead(f *testing.F) {
	rnd := rand.New(rand.NewPCG(1, 2))
	dir, info := store.NewMem(), commit(100)
	live, deleted := random(rnd, 100, 3)
	info.DelCount = deleted
	name, err := Write(dir, info, 1, live)
	if err != nil {
		f.Fatal(err)
	}
	in, err := dir.Open(name, store.Random)
	if err != nil {
		f.Fatal(err)
	}
	b, _ := store.Bytes(in, 0, int(in.Length()))
	f.Add(b, int32(100))
	f.Fuzz(func(t *testing.T, b []byte, maxDoc int32) {
		if maxDoc < 1 {
			return
		}
		info := commit(maxDoc)
		info.DelGen = 1
		r := store.NewReader(store.NewBytesInput("f", b))
		live, err := read(r, info)
		var v *codec.VersionError
		if err != nil && !store.IsCorrupt(err) && !errors.As(err, &v) {
			t.Fatal(err)
		}
		if err == nil && live.N != maxDoc {
			t.Fatal("another number of documents")
		}
	})
}
