package codectest

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/catalog"
	"github.com/varve-search/varve/lucene/codec/compound"
	"github.com/varve-search/varve/lucene/codec/fieldinfo"
	"github.com/varve-search/varve/lucene/codec/segmentinfo"
	"github.com/varve-search/varve/lucene/codec/segments"
	"github.com/varve-search/varve/lucene/store"
)

// Segment is a segment of a real index, ready for a format to be opened on it.
type Segment struct {
	Commit *lucene.SegmentCommitInfo
	State  *codec.ReadState // of the segment as it was flushed, without updates
	Outer  store.Directory  // the index folder, with .si, .liv and updates
}

// Segments opens the last commit of the index at path. Compound files are closed when the test ends.
func Segments(t testing.TB, path string) (*segments.Infos, []Segment) {
	t.Helper()
	dir, err := store.OpenFS(path)
	if err != nil {
		t.Fatal(err)
	}
	infos, err := segments.ReadLatest(dir)
	if err != nil {
		t.Fatal(err)
	}
	var segs []Segment
	for _, sci := range infos.Segments {
		s := Segment{Commit: sci, Outer: dir, State: &codec.ReadState{Dir: dir, Info: sci.Info, Access: store.Random}}
		if sci.Info.IsCompoundFile {
			cfs, err := compound.Open(dir, sci.Info, store.Random)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { cfs.Close() })
			s.State.Dir = cfs
		}
		if s.State.Fields, err = fieldinfo.Read(s.State.Dir, sci.Info, ""); err != nil {
			t.Fatal(err)
		}
		segs = append(segs, s)
	}
	return infos, segs
}

// Rewrite writes the index at path to a new folder, which it returns, without compound files. For
// each segment it calls replace, which writes some of the files itself and returns their extensions; the
// others are copied. Segments of an older codec than is written are refused.
func Rewrite(t testing.TB, path string, replace func(s Segment, w *codec.WriteState) (extensions []string)) string {
	t.Helper()
	infos, segs := Segments(t, path)
	out := filepath.Join(t.TempDir(), "index")
	dst, err := store.OpenFS(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range segs {
		si := s.Commit.Info
		if c, err := catalog.Lookup(si.Codec); err != nil || c.SegmentInfo != catalog.SegmentInfo99 {
			t.Fatalf("segment %s is of codec %s, which cannot be written again", si.Name, si.Codec)
		}
		extensions := replace(s, &codec.WriteState{Dir: dst, Info: si, Fields: s.State.Fields})
		inner := si.Files
		if si.IsCompoundFile {
			if inner, err = s.State.Dir.List(); err != nil {
				t.Fatal(err)
			}
		}
		for _, f := range inner {
			ext := strings.TrimPrefix(filepath.Ext(f), ".")
			if ext != segmentinfo.Extension && !slices.Contains(extensions, ext) {
				Copy(t, s.State.Dir, dst, f)
			}
		}
		for _, f := range s.Commit.Files() {
			if !slices.Contains(si.Files, f) {
				Copy(t, s.Outer, dst, f)
			}
		}
		si.IsCompoundFile = false
		all, err := dst.List()
		if err != nil {
			t.Fatal(err)
		}
		updates := s.Commit.Files()
		old := si.Files
		si.Files = nil
		for _, f := range all {
			if segmentinfo.BelongsTo(f, si.Name) && (!slices.Contains(updates, f) || slices.Contains(old, f)) {
				si.Files = append(si.Files, f)
			}
		}
		if err := segmentinfo.Write(dst, si); err != nil {
			t.Fatal(err)
		}
	}
	if err := infos.Commit(dst); err != nil {
		t.Fatal(err)
	}
	return out
}

// Copy copies a file.
func Copy(t testing.TB, from, to store.Directory, name string) {
	t.Helper()
	in, err := from.Open(name, store.Sequential)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := to.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := out.CopyFrom(in, 0, in.Length()); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}
