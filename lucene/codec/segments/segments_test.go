package segments

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/testseed"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/segmentinfo"
	"github.com/varve-search/varve/lucene/store"
	"github.com/varve-search/varve/lucene/store/storetest"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func seed(t testing.TB) *rand.Rand {
	return rand.New(rand.NewPCG(uint64(testseed.Of(t)), 1))
}

// addSegment adds a segment with everything that a commit can say of one, and writes its .si file.
func addSegment(t testing.TB, dir store.Directory, s *Infos, rnd *rand.Rand) {
	t.Helper()
	info := &lucene.SegmentInfo{
		Name: s.NextSegmentName(), ID: lucene.NewID(), Version: lucene.Written, MinVersion: &lucene.Version{Major: 9, Minor: int32(rnd.IntN(13))},
		MaxDoc: 1 + rnd.Int32N(1000), Codec: "Lucene912", HasBlocks: rnd.IntN(2) == 0, IsCompoundFile: rnd.IntN(2) == 0,
		Diagnostics: map[string]string{"source": "flush"}, Attributes: map[string]string{"a": "b"},
	}
	info.Files = []string{info.Name + ".fnm", info.Name + "_Lucene912_0.doc"}
	for _, f := range []lucene.SortField{
		{Field: "s", Type: lucene.SortString, Reverse: true},
		{Field: "s", Type: lucene.SortString, Missing: lucene.StringLast},
		{Field: "s", Type: lucene.SortString, Selector: lucene.SelectMiddleMax, Missing: lucene.StringFirst},
		{Field: "i", Type: lucene.SortInt, Missing: int32(-5)},
		{Field: "l", Type: lucene.SortLong, Selector: lucene.SelectMax, Missing: int64(1 << 40), Reverse: true},
		{Field: "f", Type: lucene.SortFloat, Selector: lucene.SelectMin, Missing: float32(-1.5)},
		{Field: "d", Type: lucene.SortDouble, Missing: -2.25},
		{Field: "d", Type: lucene.SortDouble, Selector: lucene.SelectMin, Missing: 2.25},
	} {
		if rnd.IntN(3) == 0 {
			info.IndexSort = append(info.IndexSort, f)
		}
	}
	must(t, segmentinfo.Write(dir, info))
	slices.Sort(info.Files)
	sci := lucene.NewSegmentCommitInfo(info)
	if rnd.IntN(2) == 0 {
		sci.DelGen, sci.DelCount, sci.SoftDelCount = rnd.Int64N(100), rnd.Int32N(info.MaxDoc/2+1), rnd.Int32N(info.MaxDoc/2+1)
		sci.FieldInfosGen, sci.DocValuesGen = 3, 3
		sci.FieldInfosFiles = []string{info.Name + "_3.fnm"}
		sci.DocValuesFiles = map[int32][]string{7: {info.Name + "_3_Lucene90_0.dvd", info.Name + "_3_Lucene90_0.dvm"}, 9: {info.Name + "_2_Lucene90_0.dvd"}}
		sci.HasID = rnd.IntN(2) == 0
		if !sci.HasID {
			sci.ID = lucene.ID{}
		}
	}
	s.Segments = append(s.Segments, sci)
}

func TestRoundTrip(t *testing.T) {
	rnd := seed(t)
	for range 50 {
		dir := store.NewMem()
		s := New()
		s.UserData = map[string]string{"max_seq_no": "-1", "ü": ""}
		for range rnd.IntN(5) {
			addSegment(t, dir, s, rnd)
		}
		must(t, s.Commit(dir))
		got, err := ReadLatest(dir)
		must(t, err)
		for _, sci := range got.Segments {
			if len(sci.FieldInfosFiles) == 0 {
				sci.FieldInfosFiles = nil
			}
		}
		if !reflect.DeepEqual(got, s) {
			t.Fatalf("read  %+v\nwrote %+v", describe(got), describe(s))
		}
		if !reflect.DeepEqual(got.Clone(), got) {
			t.Fatal("a clone differs")
		}
		files := got.Files()
		if !slices.IsSorted(files) || !slices.Contains(files, "segments_1") {
			t.Fatalf("files: %v", files)
		}
	}
}

func describe(s *Infos) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%+v\n", *s)
	for _, sci := range s.Segments {
		fmt.Fprintf(&b, "%+v %+v\n", *sci, *sci.Info)
	}
	return b.String()
}

func TestGenerations(t *testing.T) {
	dir := store.NewMem()
	if _, err := ReadLatest(dir); !errors.Is(err, ErrNoCommit) {
		t.Errorf("an empty folder: %v", err)
	}
	s := New()
	for want := int64(1); want < 40; want++ {
		s.Version++
		must(t, s.Commit(dir))
		if s.Generation != want {
			t.Fatalf("generation %d, want %d", s.Generation, want)
		}
	}
	if names, _ := dir.List(); !slices.Contains(names, "segments_z") || !slices.Contains(names, "segments_13") {
		t.Errorf("files: %v", names)
	}
	gen, err := s.Prepare(dir)
	must(t, err)
	if got, err := ReadLatest(dir); err != nil || got.Generation != 39 {
		t.Errorf("a prepared commit is visible: %v", err)
	}
	must(t, Rollback(dir, gen))
	dir.Put("pending_segments_zz", nil) // of a process that died
	dir.Put("segments_banana!", nil)
	must(t, s.Commit(dir))
	if s.Generation != 36*35+35+1 {
		t.Errorf("generation %d reuses a number", s.Generation)
	}
	if got := LastGeneration([]string{"segments", "segments_a", "segments.gen", "_1.si"}); got != 10 {
		t.Errorf("the last generation is %d", got)
	}
}

// TestCrash fails each step of a commit, and lets the power fail after it: the old commit stands, or the new one.
func TestCrash(t *testing.T) {
	rnd := seed(t)
	for fail := int64(1); ; fail++ {
		dir := storetest.New()
		s := New()
		addSegment(t, dir, s, rnd)
		must(t, dir.Sync([]string{"_0.si"}))
		must(t, s.Commit(dir))
		addSegment(t, dir, s, rnd)
		must(t, dir.Sync([]string{"_1.si"}))
		dir.FailAt(dir.Ops()+fail, rnd.IntN(2) == 0)
		err := s.Commit(dir)
		dir.Heal()
		done := err == nil
		for range 20 {
			after := dir.Crash(rnd)
			got, rerr := ReadLatest(after)
			if rerr != nil {
				t.Fatalf("step %d, %v: after the crash: %v", fail, err, rerr)
			}
			if n := len(got.Segments); n < 1 || n > 2 || done && n != 2 {
				t.Fatalf("step %d, %v: the commit has %d segments after the crash", fail, err, n)
			}
		}
		if done {
			break
		}
		if s.Generation != 1 {
			t.Fatalf("step %d: a failed commit has generation %d", fail, s.Generation)
		}
		must(t, s.Commit(dir)) // it can be tried again
	}
}

// TestDamage flips each bit of a commit and cuts it at each byte.
func TestDamage(t *testing.T) {
	rnd := seed(t)
	dir := store.NewMem()
	s := New()
	for range 3 {
		addSegment(t, dir, s, rnd)
	}
	must(t, s.Commit(dir))
	for _, name := range []string{"segments_1", "_0.si", "_1.si"} {
		in, err := dir.Open(name, store.Random)
		must(t, err)
		good, err := store.Bytes(in, 0, int(in.Length()))
		must(t, err)
		for at := range good {
			bad := bytes.Clone(good)
			bad[at] ^= 1 << rnd.IntN(8)
			for _, b := range [][]byte{bad, good[:at]} {
				dir.Put(name, b)
				if _, err := ReadLatest(dir); err == nil {
					t.Fatalf("damage of %s at %d goes unnoticed", name, at)
				}
			}
		}
		dir.Put(name, good)
	}
}

func FuzzParse(f *testing.F) {
	dir := store.NewMem()
	s := New()
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 3 {
		addSegment(f, dir, s, rnd)
	}
	must(f, s.Commit(dir))
	in, err := dir.Open("segments_1", store.Random)
	must(f, err)
	b, err := store.Bytes(in, 0, int(in.Length()))
	must(f, err)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := parse(store.NewReader(store.NewBytesInput("segments_1", b)), 1)
		if err == nil && len(got.Segments)*50 > len(b) {
			t.Fatalf("%d segments in %d bytes", len(got.Segments), len(b))
		}
		var v *codec.VersionError
		if err != nil && !store.IsCorrupt(err) && !errors.As(err, &v) {
			t.Fatal(err)
		}
	})
}
