package repository

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/varve-search/varve/repository/smile"
)

// parseShardIndex reads an index from a tree: the same as readShardIndex in another way.
func parseShardIndex(o *smile.Object) (*ShardIndex, error) {
	f := newFields(o, "the content")
	list, snaps := f.list("files"), f.object("snapshots")
	if f.err != nil {
		return nil, f.err
	}
	files, err := parseFiles(list)
	if err != nil {
		return nil, err
	}
	x := newShardIndex(files, nil)
	known := map[string]bool{}
	for _, f := range files {
		if known[f.Name] {
			return nil, fmt.Errorf("a blob name occurs twice")
		}
		known[f.Name] = true
	}
	if snaps == nil {
		return x, nil
	}
	for _, m := range snaps.Members {
		sf := newFields(m.Value, "snapshot "+m.Name)
		if sf.err != nil {
			return nil, sf.err
		}
		s := ShardIndexSnapshot{Snapshot: m.Name, Files: sf.texts("files"), StateID: sf.text("shard_state_id")}
		if sf.err != nil {
			return nil, fmt.Errorf("snapshot [%s]: %w", m.Name, sf.err)
		}
		for _, name := range s.Files {
			if !known[name] {
				return nil, fmt.Errorf("snapshot [%s] refers to the unknown file [%s]", m.Name, name)
			}
		}
		x.Snapshots = append(x.Snapshots, s)
	}
	return x, nil
}

// sameIndex compares what two indices say.
func sameIndex(a, b *ShardIndex) bool {
	file := func(a, b FileInfo) bool { return reflect.DeepEqual(a, b) }
	return slices.EqualFunc(a.Files, b.Files, file) && slices.EqualFunc(a.Snapshots, b.Snapshots, func(a, b ShardIndexSnapshot) bool {
		return a.Snapshot == b.Snapshot && a.StateID == b.StateID && slices.Equal(a.Files, b.Files)
	})
}

// treeOf renders an index as a tree: what appendTo writes in another way.
func treeOf(t *testing.T, x *ShardIndex) *smile.Object {
	t.Helper()
	files, err := filesTree(x.Files)
	if err != nil {
		t.Fatal(err)
	}
	snaps := smile.NewObject()
	for _, s := range x.Snapshots {
		o := smile.NewObject(member{Name: "files", Value: anyList(s.Files)})
		if s.StateID != "" {
			o.Set("shard_state_id", s.StateID)
		}
		snaps.Set(s.Snapshot, o)
	}
	return smile.NewObject(member{Name: "files", Value: files}, member{Name: "snapshots", Value: snaps})
}

// TestReadShardIndex compares reading and writing piece by piece with trees, for indices of any number of snapshots, alike or not,
// compressed or not.
func TestReadShardIndex(t *testing.T) {
	rnd := random(t)
	for _, n := range []int{0, 1, 7, 60, 2500} {
		var files []FileInfo
		for i := range min(n, 60) {
			files = append(files, FileInfo{Name: "__" + NewUUID(), PhysicalName: fmt.Sprint("_", i, ".cfs"), Length: 5 + int64(i), Checksum: "abc", WrittenBy: "9.12.0"})
		}
		x := newShardIndex(files, nil)
		var some []FileInfo
		state := ""
		for s := range n {
			if n <= 60 || rnd.Intn(100) == 0 {
				some = nil
				for _, f := range files {
					if rnd.Intn(3) == 0 {
						some = append(some, f)
					}
				}
				if state = ""; s%2 == 0 {
					state = fmt.Sprint("state-", s/4)
				}
			}
			var err error
			if x, err = x.with(fmt.Sprint("snap-", s), state, some); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []Compression{NoCompression, Deflate, Zstd} {
			b, err := frame(codecShardIndex, c, x.appendTo)
			if err != nil {
				t.Fatal(err)
			}
			if asTree, err := encodeFrame(codecShardIndex, treeOf(t, x), c); err != nil || !bytes.Equal(b, asTree) {
				t.Fatalf("%d snapshots: other bytes than of a tree, %v", n, err)
			}
			got, err := readShardIndex(b, 4<<20)
			if err == nil { // what was read is written again, its lists being shared now
				var again []byte
				if again, err = frame(codecShardIndex, c, got.appendTo); err == nil && !bytes.Equal(b, again) {
					t.Fatalf("%d snapshots: other bytes when written again", n)
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			o, err := decodeFrame(b, codecShardIndex, 4<<20)
			if err != nil {
				t.Fatal(err)
			}
			want, err := parseShardIndex(o)
			if err != nil {
				t.Fatal(err)
			}
			if !sameIndex(got, want) {
				t.Fatalf("%d snapshots: %.2000v, not %.2000v", n, got, want)
			}
			for range min(200, 1<<22/len(b)) {
				bad := append([]byte(nil), b...)
				bad[rnd.Intn(len(bad))] ^= 1 << rnd.Intn(8)
				if _, err := readShardIndex(bad, 1<<20); err == nil {
					t.Fatal("a flipped bit was not noticed")
				}
			}
		}
	}
}

// TestReadShardIndexRefuses gives contents that are no index of a shard.
func TestReadShardIndexRefuses(t *testing.T) {
	file := smile.NewObject(member{Name: "name", Value: "__a"}, member{Name: "physical_name", Value: "_0.cfs"}, member{Name: "length", Value: int64(3)},
		member{Name: "checksum", Value: "x"}, member{Name: "written_by", Value: "9.12.0"})
	snapshots := func(v any) *smile.Object {
		return smile.NewObject(member{Name: "files", Value: []any{file}}, member{Name: "snapshots", Value: smile.NewObject(member{Name: "s", Value: v})})
	}
	if b, err := encodeFrame(codecShardIndex, snapshots(smile.NewObject(member{Name: "files", Value: []any{"__a"}}, member{Name: "later", Value: []any{smile.NewObject()}})), NoCompression); err != nil {
		t.Fatal(err)
	} else if x, err := readShardIndex(b, 1<<20); err != nil || len(x.Snapshots) != 1 || len(x.Snapshots[0].Files) != 1 {
		t.Errorf("an unknown member: %+v %v", x, err)
	}
	with := func(name string, v any) *smile.Object {
		o := smile.NewObject(file.Members...)
		o.Set(name, v)
		return smile.NewObject(member{Name: "files", Value: []any{o}})
	}
	tooMany := with("part_size", int64(1))
	list, _ := tooMany.Get("files")
	list.([]any)[0].(*smile.Object).Set("length", int64(1)<<60)
	for name, v := range map[string]any{"part_size": nil, "meta_hash": nil, "later": []any{int64(1)}} {
		b, err := encodeFrame(codecShardIndex, with(name, v), NoCompression)
		if err != nil {
			t.Fatal(err)
		}
		x, err := readShardIndex(b, 1<<20)
		if err != nil || len(x.Files) != 1 || len(x.Files[0].extra) != 0 != (name == "later") {
			t.Errorf("[%s]: %+v %v", name, x, err)
			continue
		}
		if _, err := x.appendTo(nil); (err != nil) != (name == "later") {
			t.Errorf("[%s] is written: %v", name, err)
		}
	}
	for what, o := range map[string]*smile.Object{
		"a file without name":     with("name", nil),
		"a name that is a path":   with("name", "__a/b"),
		"a file without checksum": with("checksum", ""),
		"a file without length":   with("length", nil),
		"a length below zero":     with("length", int64(-1)),
		"a length of text":        with("length", "1"),
		"a part size of text":     with("part_size", "1"),
		"content of text":         with("meta_hash", "1"),
		"a number as a version":   with("written_by", int64(1)),
		"too many parts":          tooMany,
		"content of other length": with("name", "v__a"),
		"a file that is a list":   smile.NewObject(member{Name: "files", Value: []any{[]any{}}}),
		"an unknown file":         snapshots(smile.NewObject(member{Name: "files", Value: []any{"__b"}})),
		"files that are one":      snapshots(smile.NewObject(member{Name: "files", Value: "__a"})),
		"files of numbers":        snapshots(smile.NewObject(member{Name: "files", Value: []any{int64(1)}})),
		"a snapshot of text":      snapshots("text"),
		"a state of a number":     snapshots(smile.NewObject(member{Name: "shard_state_id", Value: int64(3)})),
		"a file twice":            smile.NewObject(member{Name: "files", Value: []any{file, file}}),
		"files of text":           smile.NewObject(member{Name: "files", Value: "text"}),
	} {
		b, err := encodeFrame(codecShardIndex, o, NoCompression)
		if err != nil {
			t.Fatal(err)
		}
		if x, err := readShardIndex(b, 1<<20); err == nil {
			t.Errorf("%s was read: %+v", what, x)
		}
	}
}
