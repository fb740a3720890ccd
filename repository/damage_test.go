package repository

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/varve-search/varve/blob/mem"
	"github.com/varve-search/varve/lucene/store"
	"github.com/varve-search/varve/repository/smile"
)

// damagedModel makes a repository with a few snapshots.
func damagedModel(t *testing.T, opts Options, rounds int) (*mem.Store, *Repository, *clusterModel) {
	st := mem.New()
	r := open(t, st, opts)
	m := newModel(t, random(t), r)
	for range rounds {
		m.change()
		if err := m.snapshot(r); err != nil {
			t.Fatal(err)
		}
	}
	return st, r, m
}

func findings(t *testing.T, r *Repository, deep bool) []Finding {
	t.Helper()
	var out []Finding
	if _, err := r.Verify(bg, VerifyOptions{Deep: deep}, func(f Finding) { out = append(out, f) }); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestDamage removes, cuts and changes every blob of a repository, one at a time. Each damage is
// found, at the blob that has it, and nothing else is accused of an error.
func TestDamage(t *testing.T) {
	for name, opts := range variants() {
		t.Run(name, func(t *testing.T) {
			st, r, m := damagedModel(t, opts, 5)
			all := st.Snapshot()
			mutations := 0
			for path, content := range all {
				if strings.Contains(path, shardPathsDir+"/") {
					continue
				}
				for _, how := range []string{"remove", "cut", "flip"} {
					if len(content) == 0 && how != "remove" {
						continue
					}
					switch how {
					case "remove":
						st.Remove(path)
					case "cut":
						st.Set(path, content[:m.rnd.Intn(len(content))])
					case "flip":
						b := bytes.Clone(content)
						b[m.rnd.Intn(len(b))] ^= 1 << m.rnd.Intn(8)
						st.Set(path, b)
					}
					mutations++
					checkDamage(t, r, path, how)
					st.Set(path, content)
					if t.Failed() {
						return
					}
				}
			}
			if f := findings(t, r, true); len(f) > 0 {
				t.Fatalf("after all was put right: %v", f)
			}
			t.Logf("%d mutations", mutations)
		})
	}
}

func checkDamage(t *testing.T, r *Repository, path, how string) {
	t.Helper()
	base := path[strings.LastIndex(path, "/")+1:]
	found := findings(t, r, true)
	root := !strings.Contains(path, "/"+indicesDir+"/") && !strings.HasPrefix(path, indicesDir+"/")
	if root && strings.HasPrefix(base, rootPrefix) && base != "index.latest" {
		// The root has no checksum: a lost one is an empty repository (whose index.latest and other
		// blobs are left over), a changed one may still be JSON.
		if how != "flip" && len(found) == 0 {
			t.Errorf("%s %s: nothing found", how, path)
		}
		return
	}
	hits := 0
	for _, f := range found {
		if f.Severity == SeverityInfo {
			continue
		}
		// A file's content is reported at its first part.
		if f.Blob == path || strings.Contains(base, partInfix) && canonicalName(f.Blob) == canonicalName(path) {
			hits++
			continue
		}
		t.Errorf("%s %s: found %s", how, path, f)
	}
	if hits != 1 {
		t.Errorf("%s %s: found %d times: %v", how, path, hits, found)
	}
}

// TestDamagedReads shows that no damaged byte of a data file reaches a reader as a whole file.
func TestDamagedReads(t *testing.T) {
	st, r, m := damagedModel(t, Options{ChunkSize: 100}, 12)
	d := load(t, r)
	tried := 0
	for _, i := range d.Indices {
		for shard, gen := range i.Generations {
			s, err := r.Shard(bg, i.IndexID, shard)
			if err != nil {
				t.Fatal(err)
			}
			x, _, err := s.FileIndex(bg, gen)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range x.Files {
				if f.Virtual() {
					f.MetaHash = bytes.Clone(f.MetaHash)
					f.MetaHash[m.rnd.Intn(len(f.MetaHash))] ^= 4
					if err := s.readThrough(bg, f); !store.IsCorrupt(err) {
						t.Fatalf("%s inline: %v", f.PhysicalName, err)
					}
					continue
				}
				path := join(s.path, f.PartName(m.rnd.Intn(f.Parts())))
				content := st.Snapshot()[path]
				for _, b := range [][]byte{content[:len(content)-1], append(bytes.Clone(content), 0), nil} {
					if b == nil {
						b = bytes.Clone(content)
						b[m.rnd.Intn(len(b))] ^= 16
					}
					st.Set(path, b)
					if err := s.readThrough(bg, f); !store.IsCorrupt(err) {
						t.Fatalf("%s, %d of %d bytes: %v", path, len(b), len(content), err)
					}
					tried++
				}
				st.Set(path, content)
			}
		}
	}
	if tried == 0 {
		t.Fatal("no file was damaged")
	}
}

// TestDamagedUpload refuses a file that is damaged before it is uploaded, and leaves nothing of it.
func TestDamagedUpload(t *testing.T) {
	rnd := random(t)
	st := mem.New()
	r := open(t, st, Options{ChunkSize: 64})
	s, err := r.Shard(bg, IndexID{Name: "i", ID: "id"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"_0.cfs", "_0.si", "segments_1"} {
		good := luceneFile(rnd, 300)
		bad := bytes.Clone(good)
		bad[rnd.Intn(len(bad))] ^= 1
		for _, u := range []Upload{
			{PhysicalName: name, Length: int64(len(bad)), Content: bytes.NewReader(bad)},
			{PhysicalName: name, Length: int64(len(good)) + 1, Content: bytes.NewReader(good)},
			{PhysicalName: name, Length: int64(len(good)) - 1, Content: bytes.NewReader(good)},
			{PhysicalName: name, Length: int64(len(good)), Checksum: "zzz", Content: bytes.NewReader(good)},
			{PhysicalName: name, Length: 3, Content: strings.NewReader("abc")},
		} {
			if _, err := s.UploadFile(bg, u); !store.IsCorrupt(err) {
				t.Errorf("%s of %d bytes: %v", name, u.Length, err)
			}
		}
		if left := st.Snapshot(); len(left) > 0 {
			t.Fatalf("%s: left %d blobs", name, len(left))
		}
	}
}

// TestLargeSegmentInfo uploads a .si file that is too large to stand in the metadata.
func TestLargeSegmentInfo(t *testing.T) {
	r := open(t, mem.New(), Options{})
	s, err := r.Shard(bg, IndexID{Name: "i", ID: "id"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	b := luceneFile(random(t), InlineLimit+100)
	f, err := s.UploadFile(bg, Upload{PhysicalName: "_0.si", Length: int64(len(b)), Content: bytes.NewReader(b)})
	if err != nil || f.Virtual() || len(f.MetaHash) != InlineLimit {
		t.Fatalf("%s, %d bytes inline, %v", f.Name, len(f.MetaHash), err)
	}
	if err := s.readThrough(bg, f); err != nil {
		t.Fatal(err)
	}
}

// TestFrameBytes fixes the example of docs/formats/repository.md.
func TestFrameBytes(t *testing.T) {
	b, err := encodeFrame(codecShardIndex, &smile.Object{}, NoCompression)
	if want := "3fd76c1709736e617073686f7473000000013a290a05fafbc02893e80000000000000000a63de58d"; err != nil || hex.EncodeToString(b) != want {
		t.Fatalf("%x, %v", b, err)
	}
}

// TestHostileNames refuses metadata whose names would leave the repository.
func TestHostileNames(t *testing.T) {
	for _, root := range []string{
		`{"snapshots":[{"name":"a","uuid":"../../x","state":1}],"indices":{}}`,
		`{"snapshots":[],"indices":{"i":{"id":"..","snapshots":[]}}}`,
		`{"snapshots":[],"indices":{"i":{"id":"a/b","snapshots":[]}}}`,
		`{"snapshots":[],"indices":{"i":{"id":"x","snapshots":[],"shard_generations":["../y"]}}}`,
		`{"snapshots":[],"indices":{},"index_metadata_identifiers":{"x":"../../etc"}}`,
		`{"snapshots":[],"indices":{"i":{"id":"x","snapshots":["unknown"]}}}`,
		`{"snapshots":{}}`, `{}`, `[]`, ``, `{"snapshots":[1]}`, `{"indices":{"a":3}}`,
	} {
		var damaged *CorruptError
		if _, err := ParseData([]byte(root), 0); !errors.As(err, &damaged) {
			t.Errorf("%s: %v", root, err)
		}
	}
}
