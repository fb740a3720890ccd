package repository

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand"
	"testing"
)

// luceneFile makes bytes with a Lucene footer.
func luceneFile(rnd *rand.Rand, n int) []byte {
	b := make([]byte, n)
	rnd.Read(b)
	b = binary.BigEndian.AppendUint32(b, footerMagic)
	b = binary.BigEndian.AppendUint32(b, 0)
	return binary.BigEndian.AppendUint64(b, uint64(crc32.ChecksumIEEE(b)))
}

// shardModel is a shard's current commit: files by name.
type shardModel map[string][]byte

// indexModel is an index of the model cluster.
type indexModel struct {
	name    string
	uuid    string
	version int // of its mapping
	commit  int
	shards  []shardModel
}

// clusterModel takes snapshots through the package and remembers what they must contain.
type clusterModel struct {
	t         testing.TB
	rnd       *rand.Rand
	r         *Repository
	indices   map[string]*indexModel
	snapshots map[string]map[string][]shardModel // snapshot name → index → shards
	count     int
}

func newModel(t testing.TB, rnd *rand.Rand, r *Repository) *clusterModel {
	return &clusterModel{t: t, rnd: rnd, r: r, indices: map[string]*indexModel{}, snapshots: map[string]map[string][]shardModel{}}
}

// change writes, merges, makes and drops indices.
func (m *clusterModel) change() {
	for n := range 3 {
		name := fmt.Sprint("index-", n)
		i := m.indices[name]
		switch {
		case i == nil || m.rnd.Intn(10) == 0: // anew under its name
			i = &indexModel{name: name, uuid: NewUUID(), shards: make([]shardModel, 1+m.rnd.Intn(3))}
			for s := range i.shards {
				i.shards[s] = shardModel{}
			}
			m.indices[name] = i
		case m.rnd.Intn(3) == 0:
			continue
		case m.rnd.Intn(4) == 0:
			i.version++
		}
		i.commit++
		for s, old := range i.shards {
			files := shardModel{}
			for f, b := range old {
				if m.rnd.Intn(4) > 0 && f != fmt.Sprintf("segments_%d", i.commit-1) {
					files[f] = b
				}
			}
			for range m.rnd.Intn(3) {
				files[fmt.Sprintf("_%d_%d.cfs", i.commit, m.rnd.Intn(100))] = luceneFile(m.rnd, m.rnd.Intn(900))
				files[fmt.Sprintf("_%d.si", i.commit)] = luceneFile(m.rnd, m.rnd.Intn(100))
			}
			files[fmt.Sprintf("segments_%d", i.commit)] = luceneFile(m.rnd, 50)
			i.shards[s] = files
		}
	}
}

func (i *indexModel) metadata(t testing.TB) *IndexMetadata {
	body := fmt.Sprintf(`{"version":%d,"mapping_version":%d,"settings_version":1,"aliases_version":1,"routing_num_shards":1024,"state":"open",
		"settings":{"index.number_of_shards":"%d","index.number_of_replicas":"0","index.uuid":"%s","index.version.created":"136407827"},
		"mappings":[{"_doc":{"properties":{"n":{"type":"long"}}}}],"aliases":{},"primary_terms":[1]}`, i.commit, i.version+1, len(i.shards), i.uuid)
	md, err := NewIndexMetadata(i.name, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return md
}

// snapshotShard uploads what the shard lacks and returns the new generation.
func snapshotShard(r *Repository, s *Shard, base string, id SnapshotID, files shardModel) (string, error) {
	x, gen, err := s.FileIndex(bg, base)
	if err != nil {
		return "", err
	}
	n := NewShardSnapshot{Snapshot: id, BaseGeneration: gen, IndexVersion: 1, StartTime: 1, Time: 2}
	for name, b := range files {
		sum := fmt.Sprint(binary.BigEndian.Uint64(b[len(b)-8:]))
		var hash []byte
		if inlined(name) {
			hash = b
		}
		if f, ok := x.Find(name, int64(len(b)), base36(sum), hash); ok {
			n.Files = append(n.Files, f)
			continue
		}
		f, err := s.UploadFile(bg, Upload{PhysicalName: name, Length: int64(len(b)), WrittenBy: "9.12.0", Content: bytes.NewReader(b)})
		if err != nil {
			return "", err
		}
		n.Files = append(n.Files, f)
		n.IncrementalFiles++
		n.IncrementalSize += f.Length
	}
	return s.WriteSnapshot(bg, n)
}

func base36(decimal string) string {
	var v uint64
	if _, err := fmt.Sscan(decimal, &v); err != nil {
		panic(err)
	}
	const digits = "0123456789abcdefghijklmnopqrstuvwxyz"
	s := ""
	for ; v > 0; v /= 36 {
		s = string(digits[v%36]) + s
	}
	if s == "" {
		s = "0"
	}
	return s
}

// snapshot takes a snapshot of a random choice of indices through a repository, which may be faulty.
func (m *clusterModel) snapshot(r *Repository) error {
	m.count++
	id := SnapshotID{fmt.Sprint("s", m.count), NewUUID()}
	base, err := r.LoadData(bg)
	if err != nil {
		return err
	}
	n := NewSnapshot{Info: SnapshotInfo{SnapshotID: id, State: StateSuccess, StartTime: 1, EndTime: 2}}
	content := map[string][]shardModel{}
	for _, i := range m.indices {
		if m.rnd.Intn(4) == 0 {
			continue
		}
		index := base.ResolveIndex(i.name, r.opts.ShardPathType)
		fi := FinalizeIndex{Index: index, Metadata: i.metadata(m.t)}
		known, _ := base.Index(i.name)
		if err := r.PrepareIndex(bg, base, index, len(i.shards)); err != nil {
			return err
		}
		for shard, files := range i.shards {
			s, err := r.Shard(bg, index, shard)
			if err != nil {
				return err
			}
			gen, err := snapshotShard(r, s, known.ShardGeneration(shard), id, files)
			if err != nil {
				return err
			}
			fi.Generations = append(fi.Generations, gen)
		}
		n.Indices = append(n.Indices, fi)
		n.Info.Indices = append(n.Info.Indices, i.name)
		n.Info.TotalShards += len(i.shards)
		content[i.name] = append([]shardModel(nil), i.shards...)
	}
	n.Info.SuccessfulShards = n.Info.TotalShards
	// Even when the answer is an error the snapshot may be there: then it must be whole.
	m.snapshots[id.Name] = content
	_, err = r.Finalize(bg, base, n)
	return err
}

// clone clones a random snapshot.
func (m *clusterModel) clone(r *Repository) error {
	base, err := r.LoadData(bg)
	if err != nil || len(base.Snapshots) == 0 {
		return err
	}
	source := base.Snapshots[m.rnd.Intn(len(base.Snapshots))]
	m.count++
	id := SnapshotID{fmt.Sprint("c", m.count), NewUUID()}
	n := NewSnapshot{Info: SnapshotInfo{SnapshotID: id, State: StateSuccess}}
	for _, i := range base.SnapshotIndices(source.SnapshotID) {
		md, err := r.IndexMetadata(bg, base, source.SnapshotID, i.Name)
		if err != nil {
			return err
		}
		fi := FinalizeIndex{Index: i.IndexID, Metadata: md}
		for shard := range md.Shards() {
			s, err := r.Shard(bg, i.IndexID, shard)
			if err != nil {
				return err
			}
			gen, _, err := s.CloneSnapshot(bg, CloneShard{Source: source.SnapshotID, Target: id, BaseGeneration: i.ShardGeneration(shard), StartTime: 1, Time: 1})
			if err != nil {
				return err
			}
			fi.Generations = append(fi.Generations, gen)
		}
		n.Indices = append(n.Indices, fi)
		n.Info.Indices = append(n.Info.Indices, i.Name)
	}
	m.snapshots[id.Name] = m.snapshots[source.Name]
	_, err = r.Finalize(bg, base, n)
	return err
}

// remove deletes some snapshots.
func (m *clusterModel) remove(r *Repository) error {
	base, err := r.LoadData(bg)
	if err != nil {
		return err
	}
	var ids []SnapshotID
	for _, s := range base.Snapshots {
		if m.rnd.Intn(3) == 0 {
			ids = append(ids, s.SnapshotID)
		}
	}
	_, err = r.Delete(bg, base, ids)
	return err
}

// check reads every snapshot of the repository and compares it with the model.
func (m *clusterModel) check(r *Repository) {
	m.t.Helper()
	d := load(m.t, r)
	for _, s := range d.Snapshots {
		want := m.snapshots[s.Name]
		indices := d.SnapshotIndices(s.SnapshotID)
		if len(indices) != len(want) {
			m.t.Fatalf("snapshot [%s] has %d indices, want %d", s.Name, len(indices), len(want))
		}
		info, err := r.SnapshotInfo(bg, s.SnapshotID)
		if err != nil {
			m.t.Fatal(err)
		}
		checkCounts(m.t, r, d, info)
		for _, i := range indices {
			md, err := r.IndexMetadata(bg, d, s.SnapshotID, i.Name)
			if err != nil || md.Shards() != len(want[i.Name]) {
				m.t.Fatalf("snapshot [%s] index [%s]: %v shards, %v", s.Name, i.Name, md, err)
			}
			for shard, files := range want[i.Name] {
				sh, err := r.Shard(bg, i.IndexID, shard)
				if err != nil {
					m.t.Fatal(err)
				}
				snap, err := sh.Snapshot(bg, s.SnapshotID)
				if err != nil || len(snap.Files) != len(files) {
					m.t.Fatalf("snapshot [%s] %s: %v files, want %d: %v", s.Name, sh, snap, len(files), err)
				}
				for _, f := range snap.Files {
					if err := sh.readThrough(bg, f); err != nil {
						m.t.Fatalf("snapshot [%s] %s: %v", s.Name, sh, err)
					}
					b := make([]byte, f.Length)
					if _, err := sh.ReadFileAt(bg, f, b, 0); err != nil || !bytes.Equal(b, files[f.PhysicalName]) {
						m.t.Fatalf("snapshot [%s] %s file [%s] has another content: %v", s.Name, sh, f.PhysicalName, err)
					}
				}
			}
		}
	}
}

// healthy fails on any finding, and returns the data.
func (m *clusterModel) healthy(r *Repository, orphansToo bool) {
	m.t.Helper()
	_, err := r.Verify(bg, VerifyOptions{Deep: true}, func(f Finding) {
		if orphansToo || f.Severity == SeverityError {
			m.t.Errorf("%s", f)
		}
	})
	if err != nil {
		m.t.Fatal(err)
	}
	if m.t.Failed() {
		m.t.FailNow()
	}
}

func variants() map[string]Options {
	return map[string]Options{
		"plain":   {},
		"chunked": {ChunkSize: 256, Compression: Deflate},
		"zstd":    {Compression: Zstd, BasePath: "a/b"},
		"prefix":  {BasePath: "a/b", ShardPathType: 1, ShardPathPrefix: "x"},
		"infix":   {BasePath: "a", ShardPathType: 2},
	}
}
