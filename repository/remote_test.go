package repository

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/varve-search/varve/blob"
	blobfs "github.com/varve-search/varve/blob/fs"
	"github.com/varve-search/varve/internal/oracletest"
)

// openRemote opens a copy of a fixture of the variant remote, with where its segments are.
func openRemote(t *testing.T, name string) (r *Repository, segments string) {
	t.Helper()
	folder := oracletest.FixtureRepository(t, name)
	segments = filepath.Join(filepath.Dir(folder), "remote-store", "segment")
	c, err := blobfs.New(folder)
	if err != nil {
		t.Fatal(err)
	}
	r, err = Open(bg, c, Options{RemoteStore: func(_ context.Context, repository string) (*RemotePlace, error) {
		if repository != "rs-segment" {
			return nil, fmt.Errorf("asked for [%s]", repository)
		}
		c, err := blobfs.New(segments)
		return &RemotePlace{Store: c}, err
	}})
	if err != nil {
		t.Fatal(err)
	}
	return r, segments
}

// Every file of every shallow snapshot that a real node took has the length and checksum that the remote store's metadata says,
// and with its lock gone a snapshot is read all the same.
func TestShallowFiles(t *testing.T) {
	for _, name := range []string{"opensearch-2.19/remote", "opensearch-3.8/remote"} {
		t.Run(name, func(t *testing.T) {
			r, segments := openRemote(t, name)
			data, err := r.LoadData(bg)
			if err != nil {
				t.Fatal(err)
			}
			shards := func() (lists []string) {
				for _, e := range data.Snapshots {
					for _, i := range data.Indices {
						for n := range 2 {
							s, err := r.Shard(bg, i.IndexID, n)
							if err != nil {
								t.Fatal(err)
							}
							if _, err := s.Snapshot(bg, e.SnapshotID); !errors.Is(err, ErrShallow) {
								continue // the snapshot does not have it
							}
							snap, err := s.Files(bg, e.SnapshotID)
							if err != nil {
								t.Fatal(err)
							}
							shallow, err := s.ShallowSnapshot(bg, e.SnapshotID)
							if err != nil {
								t.Fatal(err)
							}
							if len(snap.Files) != len(shallow.FileNames) {
								t.Errorf("%s in %s: %d files, the snapshot names %d", s, e.Name, len(snap.Files), len(shallow.FileNames))
							}
							for _, f := range snap.Files {
								if err := s.readThrough(bg, f); err != nil {
									t.Errorf("%s in %s: %v", s, e.Name, err)
								}
								lists = append(lists, s.String()+e.Name+f.PhysicalName+f.Checksum)
							}
						}
					}
				}
				return lists
			}
			before := shards()
			if len(before) < 100 {
				t.Errorf("only %d files", len(before))
			}
			locks := 0
			err = filepath.WalkDir(segments, func(path string, d os.DirEntry, err error) error {
				if err == nil && strings.HasSuffix(path, ".v2_lock") {
					locks++
					err = os.Remove(path)
				}
				return err
			})
			if err != nil || locks == 0 {
				t.Fatalf("%d locks, %v", locks, err)
			}
			if after := shards(); strings.Join(before, "\n") != strings.Join(after, "\n") {
				t.Errorf("without its locks the snapshots have other files")
			}
		})
	}
}

// Hashed paths are found below the base path that is told, and also where nobody tells the base path or the prefix of the hashes. What the
// reference says of a base path is not used: real nodes put there that of the repository of snapshots.
func TestShallowHashedPaths(t *testing.T) {
	r, segments := openRemote(t, "opensearch-2.19/remote")
	data, err := r.LoadData(bg)
	if err != nil {
		t.Fatal(err)
	}
	i, err := data.IndexIn(data.Snapshots[0].SnapshotID, "products")
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.Shard(bg, i.IndexID, 0)
	if err != nil {
		t.Fatal(err)
	}
	id := data.Snapshots[0].SnapshotID
	want, err := s.Files(bg, id)
	if err != nil {
		t.Fatal(err)
	}
	o, err := r.readFrame(bg, s.c, s.path, shallowName(id.UUID), codecSnapshot)
	if err != nil {
		t.Fatal(err)
	}
	const base = "base/path"
	for _, c := range []struct {
		name, prefix string
		pathType     int
		told         bool // the base path
		lost         bool // the metadata is not there at all
	}{
		{"told", "", pathHashedPrefix, true, false},
		{"prefix of the hash", "pre", pathHashedPrefix, true, false},
		{"only the bucket", "", pathHashedPrefix, false, false},
		{"neither", "pre", pathHashedPrefix, false, false},
		{"infix", "", pathHashedInfix, true, false},
		{"prefix of an infix", "pre", pathHashedInfix, true, false},
		{"lost", "", pathHashedPrefix, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			o.Set("path_type", int64(c.pathType))
			o.Set("path_hash_algorithm", int64(0))
			o.Set("remote_store_repository_base_path", "snapshots/")
			if err := r.putFrame(bg, s.c, shallowName(id.UUID), codecSnapshot, o, blob.PutOptions{}); err != nil {
				t.Fatal(err)
			}
			shallow, err := s.ShallowSnapshot(bg, id)
			if err != nil {
				t.Fatal(err)
			}
			bucket := t.TempDir()
			store := bucket
			d := remoteDir{base: base, prefix: c.prefix}
			if c.pathType == pathHashedInfix {
				store = filepath.Join(bucket, base)
			}
			for _, kind := range []string{remoteData, remoteMetadata, remoteLocks} {
				path, err := shallow.remotePath(d, 0, remoteSegmentsDir, kind)
				if err != nil {
					t.Fatal(err)
				}
				if c.lost && kind == remoteMetadata {
					continue
				}
				if err := os.CopyFS(filepath.Join(store, path), os.DirFS(filepath.Join(segments, shallow.IndexUUID, "0", "segments", kind))); err != nil {
					t.Fatal(err)
				}
			}
			above := RemoteAbove{BasePath: base}
			if !c.told {
				above.BasePath, store = "", bucket
			}
			var place RemotePlace
			if above.Store, err = blobfs.New(bucket); err == nil {
				place.Store, err = blobfs.New(store)
			}
			if err != nil {
				t.Fatal(err)
			}
			place.Above = func(context.Context) ([]RemoteAbove, error) { return []RemoteAbove{above}, nil }
			clear(r.remoteDirs)
			r.opts.RemoteStore = func(context.Context, string) (*RemotePlace, error) { return &place, nil }
			got, err := s.Files(bg, id)
			if c.lost {
				if err == nil || len(r.remoteDirs) != 0 {
					t.Fatalf("%v, %v", err, r.remoteDirs)
				}
				return
			}
			if err != nil || len(got.Files) != len(want.Files) {
				t.Fatalf("%+v, %v", got, err)
			}
			for _, f := range got.Files {
				if err := s.readThrough(bg, f); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// A real 3.8 was seen to lock metadata of the right commit that lacks a file of it, after a refresh that dropped a segment without
// documents: then other metadata of the commit serves.
func TestLockedMetadataLacksFile(t *testing.T) {
	r, segments := openRemote(t, "opensearch-2.19/remote")
	data := load(t, r)
	id := data.Snapshots[0].SnapshotID
	i, err := data.IndexIn(id, "products")
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.Shard(bg, i.IndexID, 0)
	if err != nil {
		t.Fatal(err)
	}
	want, err := s.Files(bg, id)
	if err != nil {
		t.Fatal(err)
	}
	shallow, err := s.ShallowSnapshot(bg, id)
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(segments, shallow.IndexUUID, "0", "segments")
	locks, err := filepath.Glob(filepath.Join(folder, "lock_files", "*"+id.UUID+".v2_lock"))
	if err != nil || len(locks) != 1 {
		t.Fatalf("%v, %v", locks, err)
	}
	name, _ := parseRemoteLock(filepath.Base(locks[0]))
	locked := filepath.Join(folder, "metadata", name)
	for _, others := range []bool{true, false} {
		now, err := filepath.Glob(locked[:strings.LastIndex(locked, "__")] + "*") // of the commit, if the loop put it there
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range now {
			if others {
				if err := os.Rename(f, f+"9"); err != nil {
					t.Fatal(err)
				}
			} else if err := os.Remove(f); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(locked, framedRemote(remoteExample(2)), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := s.Files(bg, id)
		if !others {
			if err == nil || !strings.Contains(err.Error(), "cannot be used") {
				t.Errorf("with no metadata that has all files: %v", err)
			}
			continue
		}
		if err != nil || len(got.Files) != len(want.Files) {
			t.Fatalf("%+v, %v", got, err)
		}
		for _, f := range got.Files {
			if err := s.readThrough(bg, f); err != nil {
				t.Error(err)
			}
		}
	}
}

// What is missing or damaged in the remote store is found by Verify, and told by its path there.
func TestVerifyShallowDamage(t *testing.T) {
	r, segments := openRemote(t, "opensearch-2.19/remote")
	var files []string
	err := filepath.WalkDir(segments, func(path string, d os.DirEntry, err error) error {
		if err == nil && filepath.Base(filepath.Dir(path)) == "data" && strings.Contains(path, ".cfs__") {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) < 2 {
		t.Fatalf("%v, %v", files, err)
	}
	if err := os.Remove(files[0]); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(files[1])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(files[1], b, 0o600); err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	stats, err := r.Verify(bg, VerifyOptions{Deep: true}, func(f Finding) {
		if f.Severity == SeverityError {
			found[f.Blob] = f.Problem
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"the blob is missing", "the content is damaged"} {
		rel, err := filepath.Rel(segments, files[i])
		if err != nil {
			t.Fatal(err)
		}
		if found[filepath.ToSlash(rel)] != want {
			t.Errorf("%s: %q, want %q; all: %v", rel, found[rel], want, found)
		}
	}
	if len(found) != 2 || stats.Elsewhere != 0 || stats.Files == 0 {
		t.Errorf("%v, %+v", found, stats)
	}
}

// What a shallow snapshot says of paths is not trusted. The fixture of 3.8 proves those with a hash behind the base path.
func TestRemotePaths(t *testing.T) {
	// A real 2.19 has its cluster state under such hashes of an index's UUID.
	h := fnv.New64a()
	h.Write([]byte("WlRK5iq5SlOhwT-T4k9aYQ"))
	if got := base64Hash(h.Sum64()); got != "nXkk7U9TGaY" {
		t.Errorf("hash %s", got)
	}
	s := ShallowSnapshot{IndexUUID: "3iqMQWhZQcG3yLxxG3Zx8A", PathType: 7, HasPathHash: true}
	if _, err := s.remotePath(remoteDir{}, 0, remoteSegmentsDir, remoteData); err == nil {
		t.Error("an unknown type of paths was taken")
	}
	s.PathType, s.PathHashAlgorithm = 2, 9
	if _, err := s.remotePath(remoteDir{}, 0, remoteSegmentsDir, remoteData); err == nil {
		t.Error("an unknown hash was taken")
	}
	s.PathType, s.PathHashAlgorithm, s.HasPathHash = 1, 0, false
	if _, err := s.remotePath(remoteDir{}, 0, remoteSegmentsDir, remoteData); err == nil {
		t.Error("a hashed path without a hash was taken")
	}
	s.IndexUUID, s.HasPathHash = "../x", true
	if _, err := s.remotePath(remoteDir{}, 0, remoteSegmentsDir, remoteData); err == nil {
		t.Error("a path out of the repository was taken")
	}
	s = ShallowSnapshot{IndexUUID: "uuid", PathType: 1, HasPathHash: true, PathHashAlgorithm: 1}
	p, err := s.remotePath(remoteDir{base: "a/b"}, 3, remoteSegmentsDir, remoteLocks)
	if err != nil || !strings.HasSuffix(p, "/a/b/uuid/3/segments/lock_files") || len(p) != len("x00000000000000/a/b/uuid/3/segments/lock_files") {
		t.Errorf("%s, %v", p, err)
	}
}

// Metadata that does not list the commit holds it.
func TestCommitInMetadata(t *testing.T) {
	shallow := ShallowSnapshot{CommitGeneration: 5, FileNames: []string{"_0.cfs", "segments_5"}}
	commit := framedRemote([]byte("segments"))
	m := remoteSegments{generation: 5, infos: commit, files: map[string]remoteSegment{"_0.cfs": {blob: "_0.cfs__a", length: 7}, "_1.cfs": {blob: "_1.cfs__b", length: 8}}}
	files, err := m.filesOf(&shallow, nil)
	if err != nil || len(files) != 3 || !files[0].Virtual() || files[0].PhysicalName != "segments_5" {
		t.Fatalf("%+v, %v", files, err)
	}
	s := &Shard{}
	if err := s.readThrough(bg, files[0]); err != nil || files[0].Checksum == "" {
		t.Errorf("%+v: %v", files[0], err)
	}
	m.infos = commit[:10]
	if _, err := m.filesOf(&shallow, nil); err == nil {
		t.Error("a commit without a footer was taken")
	}
	m.generation = 6
	if _, err := m.filesOf(&shallow, nil); err == nil || !strings.Contains(err.Error(), "[segments_5]") {
		t.Errorf("metadata of another commit: %v", err)
	}
	shallow.FileNames = []string{"_0.cfs"}
	if _, err := m.filesOf(&shallow, nil); err == nil {
		t.Error("a snapshot without a commit was taken")
	}
}

// framedRemote returns a metadata file with a footer that is right.
func framedRemote(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(bytes.Clone(b), footerMagic)
	b = binary.BigEndian.AppendUint32(b, 0)
	return binary.BigEndian.AppendUint64(b, uint64(crc32.ChecksumIEEE(b)))
}

func remoteExample(version byte) []byte { return remoteMetadataOf(version, "_0.cfs") }

// remoteMetadataOf is a metadata file, without its footer, that has one file.
func remoteMetadataOf(version byte, file string) []byte {
	b := []byte{0x3f, 0xd7, 0x6c, 0x17, 10}
	b = append(b, codecRemoteSegments...)
	b = append(b, 0, 0, 0, version)
	text := func(s string) { b = append(append(b, byte(len(s))), s...) }
	b = append(b, 1)
	text(file)
	text(file + "::" + file + "__abc::4294967295::77::9")
	text("index")
	text("uuid")
	b = append(b, 2)
	for _, v := range []uint64{1, 5, 9, 77} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	text("Lucene912")
	if version >= 2 {
		b = binary.LittleEndian.AppendUint64(b, 123)
	}
	b = binary.LittleEndian.AppendUint64(b, 3)
	return append(b, "abc"...)
}

func TestParseRemoteSegments(t *testing.T) {
	for _, version := range []byte{1, 2} {
		m, err := parseRemoteSegments("m", framedRemote(remoteExample(version)))
		if err != nil {
			t.Fatal(err)
		}
		f := m.files["_0.cfs"]
		if f.blob != "_0.cfs__abc" || f.length != 77 || f.checksum != 1<<32-1 || f.major != 9 || m.indexUUID != "uuid" || m.shard != 2 || m.generation != 5 || string(m.infos) != "abc" {
			t.Errorf("version %d: %+v", version, m)
		}
		if (version == 2) != (m.created == 123) {
			t.Errorf("version %d: created %d", version, m.created)
		}
	}
	if _, err := parseRemoteSegments("m", framedRemote(remoteExample(3))); err == nil || !strings.Contains(err.Error(), "version 3") {
		t.Errorf("version 3: %v", err)
	}
	for _, text := range []string{"", "a::b", "b::b__1::1::1::9", "a::v__1::1::1::9", "a::x/y::1::1::9", "a::b::x::1::9", "a::b::1::-1::9", "a::b::1::1::x", "a::b::4294967296::1::9"} {
		if s, err := parseRemoteSegment("a", text); err == nil {
			t.Errorf("%q was taken: %+v", text, s)
		}
	}
	for lock, want := range map[string][2]string{"metadata__1__2...uuid.v2_lock": {"metadata__1__2", "uuid"}, "metadata__1__2___uuid.lock": {"metadata__1__2", "uuid"},
		"metadata": {}, "x.v2_lock": {}, "": {}} {
		if name, owner := parseRemoteLock(lock); name != want[0] || owner != want[1] {
			t.Errorf("%q: %q, %q", lock, name, owner)
		}
	}
}

// FuzzRemoteSegments feeds the parser of remote metadata, with a checksum that is right.
func FuzzRemoteSegments(f *testing.F) {
	f.Add(remoteExample(1))
	f.Add(remoteExample(2))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = parseRemoteSegments("m", b)
		m, err := parseRemoteSegments("m", framedRemote(b))
		if err != nil {
			return
		}
		for name, s := range m.files {
			if blob.CheckName(name) != nil || blob.CheckName(s.blob) != nil || s.length < 0 {
				t.Fatalf("[%s]: %+v", name, s)
			}
		}
	})
}
