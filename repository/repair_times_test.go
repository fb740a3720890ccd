package repository

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/varve-search/varve/blob/mem"
)

// Ids hold their time, as those that a real node wrote do; they differ, and never run backwards.
func TestTimeUUID(t *testing.T) {
	before := time.Now().UnixMilli()
	seen := map[string]bool{}
	last := int64(0)
	for range 70000 {
		id := NewTimeUUID()
		at, ok := timeOfUUID(id)
		if !ok || len(id) != 20 || at < before || at < last || at > time.Now().UnixMilli() || seen[id] {
			t.Fatalf("%s: %d, %v", id, at, ok)
		}
		seen[id], last = true, at
	}
	g := &timeIDs{}
	g.next(1 << 40)
	if at, _ := timeOfUUID(g.next(5)); at != 1<<40 {
		t.Errorf("the clock was put back: %d", at)
	}
	// Metadata of the fixture opensearch-2.19/remote, and the time of the files there.
	if at, ok := timeOfUUID("_jyM-6EB9ALNcpkNqQqd"); !ok || time.UnixMilli(at).UTC().Year() < 2025 || time.UnixMilli(at).After(time.Now()) {
		t.Errorf("%s, %v", time.UnixMilli(at), ok)
	}
	for _, id := range []string{"", "!", NewUUID(), base64.RawURLEncoding.EncodeToString(make([]byte, 14))} {
		if at, ok := timeOfUUID(id); ok {
			t.Errorf("%q: %d", id, at)
		}
	}
}

// TestRepairTimes changes the metadata of indices between snapshots, makes clones, deletes, lets snapshots overlap, and then loses the
// root: what is rebuilt has for each index in each snapshot the metadata that it had.
func TestRepairTimes(t *testing.T) {
	rnd := random(t)
	names := []string{"a", "b", "c"}
	for round := range 8 {
		st := mem.New()
		r := open(t, st, Options{})
		versions := map[string]int{}
		created := time.Now().UnixMilli()
		take := func(n NewSnapshot, base *Data, metas map[string]*IndexMetadata) {
			t.Helper()
			for name, meta := range metas {
				index := base.ResolveIndex(name, 0)
				known, _ := base.Index(name)
				s, err := r.Shard(bg, index, 0)
				if err != nil {
					t.Fatal(err)
				}
				gen, err := snapshotShard(r, s, known.ShardGeneration(0), n.Info.SnapshotID, shardModel{})
				if err != nil {
					t.Fatal(err)
				}
				n.Indices = append(n.Indices, FinalizeIndex{Index: index, Metadata: meta, Generations: []string{gen}})
				n.Info.Indices = append(n.Info.Indices, name)
			}
			if _, err := r.Finalize(bg, base, n); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Millisecond)
		}
		for step := range 14 {
			base := load(t, r)
			end := time.Now().UnixMilli()
			n := NewSnapshot{Info: SnapshotInfo{SnapshotID: SnapshotID{fmt.Sprint("s", step), NewUUID()}, State: StateSuccess, StartTime: end - int64(rnd.Intn(40)), EndTime: end}}
			metas := map[string]*IndexMetadata{}
			switch what := rnd.Intn(6); {
			case what == 0 && len(base.Snapshots) > 2:
				s := base.Snapshots[rnd.Intn(len(base.Snapshots))]
				if _, err := r.Delete(bg, base, []SnapshotID{s.SnapshotID}); err != nil {
					t.Fatal(err)
				}
				continue
			case what == 1 && len(base.Snapshots) > 0:
				source := base.Snapshots[rnd.Intn(len(base.Snapshots))]
				for _, i := range base.SnapshotIndices(source.SnapshotID) {
					meta, err := r.IndexMetadata(bg, base, source.SnapshotID, i.Name)
					if err != nil {
						t.Fatal(err)
					}
					metas[i.Name] = meta
				}
				take(n, base, metas)
				continue
			}
			for _, name := range names {
				versions[name] += rnd.Intn(2)
				if rnd.Intn(4) == 0 && len(metas) > 0 {
					continue
				}
				meta, err := NewIndexMetadata(name, []byte(fmt.Sprintf(`{"version":1,"mapping_version":%d,"settings_version":1,"aliases_version":1,"state":"open",
					"settings":{"index.number_of_shards":"1","index.uuid":"uuid-of-%s","index.creation_date":"%d"},"mappings":[],"aliases":{}}`, versions[name]+1, name, created)))
				if err != nil {
					t.Fatal(err)
				}
				metas[name] = meta
			}
			n.Info.TotalShards, n.Info.SuccessfulShards = len(metas), len(metas)
			take(n, base, metas)
		}
		was := load(t, r)
		st.Remove(rootName(was.Generation))
		if round%2 == 0 {
			st.Remove("index.latest")
		}
		r = open(t, st, Options{})
		report := repair(t, r, true)
		if len(report.Losses) > 0 {
			t.Fatalf("lost: %v", report.Losses)
		}
		is := load(t, r)
		for _, s := range was.Snapshots {
			e, err := is.Snapshot(s.Name)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range was.SnapshotIndices(s.SnapshotID) {
				a, err := was.metadataBlob(s, i.IndexID)
				if err != nil {
					t.Fatal(err)
				}
				if b, err := is.metadataBlob(e, i.IndexID); err != nil || a != b {
					t.Errorf("round %d: %s in %s: metadata [%s] became [%s], %v\n%s", round, i.Name, s.Name, a, b, err, strings.Join(report.Guesses, "\n"))
				}
			}
		}
		if t.Failed() {
			t.FailNow()
		}
	}
}
