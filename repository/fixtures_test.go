package repository

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/varve-search/varve/blob"
	blobfs "github.com/varve-search/varve/blob/fs"
	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/repository/smile"
)

var bg = context.Background()

// fixtureNames returns PRODUCT-VERSION/VARIANT of all fixtures.
func fixtureNames(t *testing.T) []string {
	found, err := filepath.Glob(filepath.Join(oracletest.Shared(t), "fixtures", "*", "*", "repo.tar.gz"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	var names []string
	for _, f := range found {
		dir := filepath.Dir(f)
		names = append(names, filepath.Base(filepath.Dir(dir))+"/"+filepath.Base(dir))
	}
	return names
}

func openDir(t testing.TB, dir string, opts Options) *Repository {
	t.Helper()
	c, err := blobfs.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	return open(t, c, opts)
}

func open(t testing.TB, c blob.Container, opts Options) *Repository {
	t.Helper()
	r, err := Open(bg, c, opts)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func load(t testing.TB, r *Repository) *Data {
	t.Helper()
	d, err := r.LoadData(bg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

type expectedStatus struct {
	// As 5.6 answers.
	OldFiles int   `json:"number_of_files"`
	OldSize  int64 `json:"total_size_in_bytes"`

	Incremental, Total struct {
		Files int   `json:"file_count"`
		Size  int64 `json:"size_in_bytes"`
	}
}

type expected struct {
	Variant   string
	Snapshots []struct {
		Name string
		Info struct {
			UUID               string
			VersionID          int64  `json:"version_id"`
			Version            string `json:"version"`
			Indices            []string
			DataStreams        []string `json:"data_streams"`
			IncludeGlobalState *bool    `json:"include_global_state"`
			State              string
			Metadata           json.RawMessage
			Start              int64 `json:"start_time_in_millis"`
			End                int64 `json:"end_time_in_millis"`
			Shards             struct{ Total, Failed, Successful int }
		}
		ShardStatus map[string]map[string]expectedStatus `json:"shard_status"`
		Indices     map[string]struct {
			Count    int64
			Settings map[string]any
		}
	}
}

func TestFixtures(t *testing.T) {
	for _, name := range fixtureNames(t) {
		t.Run(name, func(t *testing.T) {
			dir := oracletest.FixtureRepository(t, name)
			var want expected
			oracletest.FixtureExpected(t, name, &want)
			r := openDir(t, dir, Options{})
			d := load(t, r)
			infos, err := r.ListSnapshots(bg, d)
			if err != nil {
				t.Fatal(err)
			}
			if len(infos) != len(want.Snapshots) {
				t.Fatalf("%d snapshots, want %d", len(infos), len(want.Snapshots))
			}
			known := 0
			for _, ws := range want.Snapshots {
				entry, err := d.Snapshot(ws.Name)
				if err != nil {
					t.Fatal(err)
				}
				info, err := r.SnapshotInfo(bg, entry.SnapshotID)
				if err != nil {
					t.Fatal(err)
				}
				w := ws.Info
				if info.UUID != w.UUID || info.Version.ID() != w.VersionID || info.Version.String() != w.Version || info.State.String() != w.State ||
					info.StartTime != w.Start || info.EndTime != w.End || info.TotalShards != w.Shards.Total || info.SuccessfulShards != w.Shards.Successful ||
					len(info.Failures) != w.Shards.Failed || !sameSet(info.Indices, w.Indices) || len(info.DataStreams) != len(w.DataStreams) {
					t.Errorf("%s: read %+v\nwant %+v", ws.Name, info, w)
				}
				if w.IncludeGlobalState != nil && info.IncludeGlobalState != nil && *w.IncludeGlobalState != *info.IncludeGlobalState {
					t.Errorf("%s: include_global_state %v", ws.Name, *info.IncludeGlobalState)
				}
				if len(w.Metadata) > 0 && string(w.Metadata) != "null" {
					var a, b any
					ours, _ := info.UserMetadata.MarshalJSON()
					if json.Unmarshal(ours, &a) != nil || json.Unmarshal(w.Metadata, &b) != nil || !jsonEqual(a, b) {
						t.Errorf("%s: metadata %s, want %s", ws.Name, ours, w.Metadata)
					}
				}
				if _, err := r.GlobalMetadata(bg, entry.SnapshotID); err != nil {
					t.Error(err)
				}
				checkShards(t, r, d, info, ws.ShardStatus)
				b, err := r.EncodeInfo(info)
				again, derr := r.DecodeInfo(b, info.SnapshotID)
				if derr == nil && info.DataStreams == nil && len(again.DataStreams) == 0 { // versions before 7.9 write none
					again.DataStreams = nil
				}
				if err != nil || derr != nil || !reflect.DeepEqual(again, info) {
					t.Errorf("encoded and decoded: %+v (%v, %v), not %+v", again, err, derr, info)
				}
				if checkCounts(t, r, d, info) {
					known++
				}
				for index, wi := range ws.Indices {
					m, err := r.IndexMetadata(bg, d, entry.SnapshotID, index)
					if err != nil {
						t.Fatal(err)
					}
					if m.Name != index || m.UUID() == "" {
						t.Errorf("metadata of [%s] is that of [%s]", index, m.Name)
					}
					if d.Writable() == nil && entry.IndexMetadata[indexID(t, d, index)] != m.Identifier() {
						t.Errorf("index [%s]: identifier [%s], the repository has [%s]", index, m.Identifier(), entry.IndexMetadata[indexID(t, d, index)])
					}
					if s := wi.Settings["index.number_of_shards"]; s != nil && s != strconv.Itoa(m.Shards()) {
						t.Errorf("index [%s]: %d shards, want %v", index, m.Shards(), s)
					}
				}
			}
			if known > 0 != (d.Snapshots[0].IndexMetadata != nil && !infos[0].Shallow()) { // old formats, and shallow snapshots, are read
				t.Errorf("the root tells the shards of %d snapshots", known)
			}
			t.Logf("the root tells the shards of %d snapshots", known)
			for _, deep := range []bool{false, true} {
				st, err := r.Verify(bg, VerifyOptions{Deep: deep}, func(f Finding) { t.Errorf("deep %v: %s", deep, f) })
				if err != nil || st.Snapshots != 4 || st.Shards == 0 {
					t.Errorf("verify: %+v, %v", st, err)
				}
				t.Logf("deep %v: %+v", deep, st)
			}
		})
	}
}

func indexID(t *testing.T, d *Data, name string) string {
	i, ok := d.Index(name)
	if !ok {
		t.Fatalf("no index [%s]", name)
	}
	return i.ID
}

func jsonEqual(a, b any) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return bytes.Equal(x, y)
}

func sameSet(a, b []string) bool {
	a, b = append([]string(nil), a...), append([]string(nil), b...)
	sort.Strings(a)
	sort.Strings(b)
	return strings.Join(a, "\n") == strings.Join(b, "\n")
}

// checkShards compares each shard's file counts and sizes with what a real node answered.
func checkShards(t *testing.T, r *Repository, d *Data, info *SnapshotInfo, want map[string]map[string]expectedStatus) {
	for index, shards := range want {
		i, err := d.IndexIn(info.SnapshotID, index)
		if err != nil {
			t.Fatal(err)
		}
		for number, w := range shards {
			n, err := strconv.Atoi(number)
			if err != nil {
				t.Fatal(err)
			}
			s, err := r.Shard(bg, i.IndexID, n)
			if err != nil {
				t.Fatal(err)
			}
			snap, err := s.Snapshot(bg, info.SnapshotID)
			if errors.Is(err, ErrShallow) {
				sh, err := s.ShallowSnapshot(bg, info.SnapshotID)
				if err != nil || !info.Shallow() || sh.Snapshot != info.Name || len(sh.FileNames) == 0 {
					t.Errorf("shallow snapshot of %s: %+v, %v", s, sh, err)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			incremental := snap.IncrementalFiles == w.Incremental.Files && snap.IncrementalSize == w.Incremental.Size
			if w.Total.Files == 0 { // 5.6 tells only what was added
				incremental = snap.IncrementalFiles == w.OldFiles && snap.IncrementalSize == w.OldSize
				w.Total.Files, w.Total.Size = len(snap.Files), snap.TotalSize()
			}
			if !incremental || len(snap.Files) != w.Total.Files || snap.TotalSize() != w.Total.Size {
				t.Errorf("%s in %s: %d files of %d bytes, %d of %d new; want %+v", s, info.Name, len(snap.Files), snap.TotalSize(), snap.IncrementalFiles, snap.IncrementalSize, w)
			}
			x, _, err := s.FileIndex(bg, i.ShardGeneration(n))
			if err != nil {
				t.Fatal(err)
			}
			if listed, ok := x.Snapshot(info.Name); !ok || len(listed.Files) != len(snap.Files) {
				t.Errorf("%s: the index has %d files of %s, its list %d", s, len(listed.Files), info.Name, len(snap.Files))
			}
			for _, f := range snap.Files {
				if got, ok := x.Find(f.PhysicalName, f.Length, f.Checksum, f.MetaHash); !ok || got.PhysicalName != f.PhysicalName {
					t.Errorf("%s: [%s] is not found", s, f.PhysicalName)
				}
			}
		}
	}
}

// TestFixturesBlobcat decodes every framed blob of all fixtures as Jackson does, and encodes it to
// the same tree again.
func TestFixturesBlobcat(t *testing.T) {
	for _, name := range fixtureNames(t) {
		t.Run(name, func(t *testing.T) {
			dir := oracletest.FixtureRepository(t, name)
			var files []string
			err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
				if err == nil && !d.IsDir() && framedCodec(dir, path) != "" {
					files = append(files, path)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			out, err := oracletest.Tool(t, "blobcat", files...)
			if err != nil {
				t.Fatal(err)
			}
			parts := strings.Split("\n"+string(out), "\n## ")[1:]
			if len(parts) != len(files) {
				t.Fatalf("%d answers for %d files", len(parts), len(files))
			}
			for i, part := range parts {
				_, text, _ := strings.Cut(part, "\n")
				b, err := os.ReadFile(files[i])
				if err != nil {
					t.Fatal(err)
				}
				codec := framedCodec(dir, files[i])
				o, err := decodeFrame(b, codec, 1<<30)
				if err != nil {
					t.Fatalf("%s: %v", files[i], err)
				}
				theirs, err := smile.ParseJSON([]byte(text), smile.Limits{})
				if err != nil {
					t.Fatal(err)
				}
				x, _ := smile.AppendJSON(nil, o)
				y, _ := smile.AppendJSON(nil, theirs)
				if !bytes.Equal(x, y) {
					t.Fatalf("%s: decoded\n%s\nblobcat has\n%s", files[i], x, y)
				}
				for _, c := range []Compression{NoCompression, Deflate, Zstd} {
					again, err := encodeFrame(codec, o, c)
					if err != nil {
						t.Fatal(err)
					}
					back, err := decodeFrame(again, codec, 1<<30)
					if err != nil {
						t.Fatal(err)
					}
					z, _ := smile.AppendJSON(nil, back)
					if !bytes.Equal(x, z) {
						t.Fatalf("%s: came back as\n%s", files[i], z)
					}
					if c == NoCompression && bytes.Contains(b, []byte(":)\n")) && !bytes.Equal(again, b) {
						t.Errorf("%s: %d bytes are encoded as %d other ones", files[i], len(b), len(again))
					}
				}
			}
			t.Logf("%d blobs", len(files))
		})
	}
}

// framedCodec returns the codec that a blob's place demands, or "".
func framedCodec(root, path string) string {
	rel, err := filepath.Rel(root, path)
	if err != nil {
		return ""
	}
	name, depth := filepath.Base(rel), strings.Count(filepath.ToSlash(rel), "/")
	switch {
	case strings.HasPrefix(name, "snap-"), strings.HasPrefix(name, "shallow-snap-"):
		return codecSnapshot
	case strings.HasPrefix(name, "meta-") && depth == 0:
		return codecMetadata
	case strings.HasPrefix(name, "meta-"):
		return codecIndexMetadata
	case strings.HasPrefix(name, "index-") && depth > 0:
		return codecShardIndex
	}
	return ""
}

// TestReadFileAt compares random reads with the whole file, across parts.
func TestReadFileAt(t *testing.T) {
	r := openDir(t, oracletest.FixtureRepository(t, "opensearch-2.19/chunked"), Options{})
	d := load(t, r)
	entry, err := d.Snapshot("snap-3")
	if err != nil {
		t.Fatal(err)
	}
	parts := 0
	rnd := random(t)
	for _, i := range d.SnapshotIndices(entry.SnapshotID) {
		for n := range i.Generations {
			s, err := r.Shard(bg, i.IndexID, n)
			if err != nil {
				t.Fatal(err)
			}
			snap, err := s.Snapshot(bg, entry.SnapshotID)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range snap.Files {
				parts = max(parts, f.Parts())
				rd, err := s.OpenFile(bg, f)
				if err != nil {
					t.Fatal(err)
				}
				whole, err := io.ReadAll(rd)
				if err != nil || rd.Close() != nil || int64(len(whole)) != f.Length {
					t.Fatalf("%s: %d bytes, %v", f.PhysicalName, len(whole), err)
				}
				for range 10 {
					off := rnd.Int63n(f.Length)
					b := make([]byte, rnd.Intn(30000))
					m, err := s.ReadFileAt(bg, f, b, off)
					want := whole[off:min(f.Length, off+int64(len(b)))]
					if err != nil && !errors.Is(err, io.EOF) || errors.Is(err, io.EOF) != (len(want) < len(b)) || !bytes.Equal(b[:m], want) {
						t.Fatalf("%s: %d bytes at %d: %d, %v", f.PhysicalName, len(b), off, m, err)
					}
				}
			}
		}
	}
	if parts < 2 {
		t.Fatal("no file has several parts")
	}
}
