package repository

import (
	"bytes"
	"testing"

	"github.com/varve-search/varve/repository/smile"
)

// FuzzParseData checks that what is read of a root can be written and read again.
func FuzzParseData(f *testing.F) {
	f.Add([]byte(`{"snapshots":[{"name":"a","uuid":"u","state":1,"index_metadata_lookup":{"x":"k"},"version":"2.19.0"}],
		"indices":{"i":{"id":"x","shard_path_type":0,"snapshots":["u"],"shard_generations":["g",null]}},"index_metadata_identifiers":{"k":"b"}}`))
	f.Add([]byte(`{"min_version":"7.9.0","snapshots":[{"name":"a","uuid":"u","version":"7.10.2"}],"indices":{"i":{"id":"x","snapshots":[{"name":"a","uuid":"u"}]}}}`))
	f.Add([]byte(`{"uuid":"x","cluster_id":"y","snapshots":[],"indices":{}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := ParseData(b, 3)
		if err != nil || d.Writable() != nil {
			return
		}
		once, err := d.encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseData(once, 3)
		if err != nil {
			t.Fatalf("%s: %v", once, err)
		}
		twice, err := again.encode()
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%s\nbecame\n%s, %v", once, twice, err)
		}
	})
}

// FuzzFrame feeds framed blobs to every parser, with the checksum as it is and put right.
func FuzzFrame(f *testing.F) {
	index := newShardIndex([]FileInfo{{Name: "__a", PhysicalName: "_0.cfs", Length: 10, Checksum: "x", PartSize: 3, WrittenBy: "9.12.0"}},
		[]ShardIndexSnapshot{{Snapshot: "s", Files: []string{"__a"}, StateID: "id"}})
	info := SnapshotInfo{SnapshotID: SnapshotID{"a", "b"}, Version: WriteVersion, State: StateSuccess, Failures: []ShardFailure{{"i", 1, "r", "n", "S"}}}
	for _, c := range []Compression{NoCompression, Deflate, Zstd} {
		snapshot := func(b []byte) ([]byte, error) { return smile.AppendEncoded(b, info.tree()) }
		for codec, body := range map[string]func([]byte) ([]byte, error){codecShardIndex: index.appendTo, codecSnapshot: snapshot} {
			b, err := frame(codec, c, body)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, codec := range []string{codecSnapshot, codecMetadata, codecIndexMetadata, codecShardIndex} {
			o, err := decodeFrame(b, codec, 1<<20)
			if err != nil {
				// The checksum hides most of the code from the fuzzer: go round it.
				head := 4 + 1 + len(codec) + 4
				if len(b) < head+footerLen {
					continue
				}
				body, derr := decompress(b[head:len(b)-footerLen], 1<<20)
				if derr != nil {
					continue
				}
				if x, xerr := parseIndexDocument(body); xerr == nil { // what is read token by token is what a tree has
					v, derr := smile.Decode(body, smile.Limits{})
					tree, ok := v.(*smile.Object)
					if derr != nil || !ok {
						t.Fatalf("an index of a shard that is no tree: %v", derr)
					}
					want, derr := parseShardIndex(tree)
					if derr != nil || !sameIndex(x, want) {
						t.Fatalf("%+v is not %+v, %v", x, want, derr)
					}
				}
				v, derr := smile.Decode(body, smile.Limits{Values: 1 << 16})
				var ok bool
				if o, ok = v.(*smile.Object); derr != nil || !ok {
					continue
				}
			}
			parseAll(t, o)
		}
	})
}

func parseAll(t *testing.T, o *smile.Object) {
	_, _ = parseSnapshotInfo(o)
	_, _ = parseShallowSnapshot(o)
	_, _ = parseGlobalMetadata(o)
	if m, err := parseIndexMetadata(o); err == nil {
		_, _ = m.Mappings()
		_ = m.Identifier()
	}
	if s, err := parseShardSnapshot(o); err == nil {
		for i := range s.Files {
			sum := int64(0)
			for p := range min(s.Files[i].Parts(), 1000) {
				sum += s.Files[i].PartLength(p)
				_ = s.Files[i].PartName(p)
			}
			if f := s.Files[i]; !f.Virtual() && f.Parts() <= 1000 && sum != f.Length {
				t.Fatalf("parts of %+v have %d bytes", f, sum)
			}
		}
		if _, err := s.tree(); err != nil {
			return
		}
	}
	if x, err := parseShardIndex(o); err == nil {
		x.keep(map[string]bool{})
		_, _ = x.appendTo(nil)
	}
}
