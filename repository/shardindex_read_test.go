package repository

import (
	"fmt"
	"reflect"
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
	if len(x.byName) != len(files) {
		return nil, fmt.Errorf("a blob name occurs twice")
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
			if _, ok := x.byName[name]; !ok {
				return nil, fmt.Errorf("snapshot [%s] refers to the unknown file [%s]", m.Name, name)
			}
		}
		x.Snapshots = append(x.Snapshots, s)
	}
	return x, nil
}

// TestReadShardIndex compares reading token by token with reading a tree, for indices of any number of snapshots, compressed or not.
func TestReadShardIndex(t *testing.T) {
	rnd := random(t)
	for _, n := range []int{0, 1, 7, 60} {
		var files []FileInfo
		for i := range n {
			files = append(files, FileInfo{Name: "__" + NewUUID(), PhysicalName: fmt.Sprint("_", i, ".cfs"), Length: 5 + int64(i), Checksum: "abc", WrittenBy: "9.12.0"})
		}
		x := newShardIndex(files, nil)
		for s := range n {
			var some []FileInfo
			for _, f := range files {
				if rnd.Intn(3) == 0 {
					some = append(some, f)
				}
			}
			state := ""
			if s%2 == 0 {
				state = fmt.Sprint("state-", s/4)
			}
			var err error
			if x, err = x.with(fmt.Sprint("snap-", s), state, some); err != nil {
				t.Fatal(err)
			}
		}
		tree, err := x.tree()
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []Compression{NoCompression, Deflate, Zstd} {
			b, err := encodeFrame(codecShardIndex, tree, c)
			if err != nil {
				t.Fatal(err)
			}
			got, err := readShardIndex(b, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			o, err := decodeFrame(b, codecShardIndex, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			want, err := parseShardIndex(o)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("%d snapshots: %.2000v, not %.2000v", n, got, want)
			}
			for range 200 {
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
	for what, o := range map[string]*smile.Object{
		"an unknown file":     snapshots(smile.NewObject(member{Name: "files", Value: []any{"__b"}})),
		"files that are one":  snapshots(smile.NewObject(member{Name: "files", Value: "__a"})),
		"files of numbers":    snapshots(smile.NewObject(member{Name: "files", Value: []any{int64(1)}})),
		"a snapshot of text":  snapshots("text"),
		"a state of a number": snapshots(smile.NewObject(member{Name: "shard_state_id", Value: int64(3)})),
		"a file twice":        smile.NewObject(member{Name: "files", Value: []any{file, file}}),
		"files of text":       smile.NewObject(member{Name: "files", Value: "text"}),
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
