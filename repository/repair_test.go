package repository

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/mem"
	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/repository/smile"
)

func repair(t *testing.T, r *Repository, apply bool) *RepairReport {
	t.Helper()
	report, err := r.Repair(bg, RepairOptions{Deep: true, Apply: apply})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// checkRepaired compares what a repaired repository has with the model: whatever the report does not call lost must be there,
// and what it calls lost must not claim to be.
func (m *clusterModel) checkRepaired(r *Repository, report *RepairReport) {
	m.t.Helper()
	lost := map[string]bool{}
	for _, l := range report.Losses {
		lost[fmt.Sprint(l.Snapshot, "/", l.Index, "/", l.Shard)] = true
	}
	d := load(m.t, r)
	have := map[string]bool{}
	for _, s := range d.Snapshots {
		have[s.Name] = true
	}
	for name, indices := range m.snapshots {
		if !have[name] {
			m.t.Fatalf("snapshot [%s] is gone", name)
		}
		s, _ := d.Snapshot(name)
		for index, shards := range indices {
			i, err := d.IndexIn(s.SnapshotID, index)
			if err != nil {
				if !lost[fmt.Sprint(name, "/", index, "/", -1)] {
					m.t.Fatal(err)
				}
				continue
			}
			for n, files := range shards {
				sh, err := r.Shard(bg, i.IndexID, n)
				if err != nil {
					m.t.Fatal(err)
				}
				snap, err := sh.Snapshot(bg, s.SnapshotID)
				if lost[fmt.Sprint(name, "/", index, "/", n)] {
					if err == nil {
						m.t.Errorf("%s %s [%d] is called lost and has a list of files", name, index, n)
					}
					continue
				}
				if err != nil || len(snap.Files) != len(files) {
					m.t.Fatalf("%s %s [%d]: %v", name, index, n, err)
				}
				for _, f := range snap.Files {
					b := make([]byte, f.Length)
					if _, err := sh.ReadFileAt(bg, f, b, 0); err != nil || !bytes.Equal(b, files[f.PhysicalName]) {
						m.t.Fatalf("%s %s [%d] %s: %v", name, index, n, f.PhysicalName, err)
					}
				}
			}
		}
	}
}

// TestRepair damages every blob of a repository, one at a time, and repairs it: the plan alone writes nothing; afterwards the
// repository is healthy, holds all that is not called lost, takes the next snapshot, and every pointer that was replaced has a
// copy. No data blob is touched.
func TestRepair(t *testing.T) {
	for name, opts := range variants() {
		t.Run(name, func(t *testing.T) {
			long := os.Getenv("VARVE_LONG") != ""
			rounds := 2
			if long {
				rounds = 4
			}
			st, r, m := damagedModel(t, opts, rounds)
			all := st.Snapshot()
			if report := repair(t, r, true); len(report.Actions) > 0 || report.Applied {
				t.Fatalf("a healthy repository is repaired: %v", report.Actions)
			}
			mutations, saved := 0, 0
			for path, content := range all {
				if strings.Contains(path, shardPathsDir+"/") {
					continue
				}
				ways := []string{"remove", "cut", "flip"}
				one := m.rnd.Intn(3)
				for at, how := range ways {
					if len(content) == 0 || !long && at != one {
						continue
					}
					restoreStore(st, all)
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
					if repairOne(t, st, m, opts, path, how) {
						saved++
					}
					if t.Failed() {
						return
					}
				}
			}
			t.Logf("%d mutations, %d without any loss", mutations, saved)
		})
	}
}

// restoreStore puts all blobs back and takes others away.
func restoreStore(st *mem.Store, all map[string][]byte) {
	for path := range st.Snapshot() {
		if _, ok := all[path]; !ok {
			st.Remove(path)
		}
	}
	for path, content := range all {
		st.Set(path, content)
	}
}

func repairOne(t *testing.T, st *mem.Store, m *clusterModel, opts Options, path, how string) bool {
	t.Helper()
	r := open(t, st, opts)
	base := path[strings.LastIndex(path, "/")+1:]
	isRoot := strings.HasPrefix(base, rootPrefix) && !strings.Contains(path, indicesDir+"/")
	if isRoot && how == "flip" && base != "index.latest" {
		if _, err := r.LoadData(bg); err == nil {
			return true // still JSON: the root has no checksum that would tell
		}
	}
	before := st.Snapshot()
	plan := repair(t, r, false)
	if !sameBlobs(before, st.Snapshot()) {
		t.Errorf("%s %s: the plan wrote something", how, path)
	}
	if len(plan.Actions) == 0 {
		t.Errorf("%s %s: nothing to repair", how, path)
		return false
	}
	report := repair(t, r, true)
	if !report.Applied || len(report.Warnings) > 0 || len(report.Actions) != len(plan.Actions) || len(report.Losses) != len(plan.Losses) {
		t.Errorf("%s %s: planned %v, did %v, warnings %v", how, path, plan.Actions, report.Actions, report.Warnings)
	}
	after := st.Snapshot()
	for p, content := range before {
		b := p[strings.LastIndex(p, "/")+1:]
		now, there := after[p]
		if strings.HasPrefix(b, dataPrefix) && !bytes.Equal(now, content) {
			t.Errorf("%s %s: data blob %s was touched", how, path, p)
		}
		if there && bytes.Equal(now, content) {
			continue
		}
		copied := false
		for q, c := range after {
			copied = copied || strings.Contains(q, backupDir+"/") && strings.HasSuffix(q, "/"+b) && bytes.Equal(c, content)
		}
		if !copied {
			t.Errorf("%s %s: %s was replaced and has no copy", how, path, p)
		}
	}
	for _, f := range findings(t, open(t, st, opts), true) {
		if f.Severity != SeverityInfo {
			t.Errorf("%s %s: after the repair: %s\nactions: %v\nlosses: %v", how, path, f, report.Actions, report.Losses)
		}
	}
	r = open(t, st, opts)
	m.checkRepaired(r, report)
	if again := repair(t, r, false); len(again.Actions) > 0 {
		t.Errorf("%s %s: repaired, and again %v", how, path, again.Actions)
	}
	known := len(m.snapshots)
	if err := m.snapshot(r); err != nil {
		t.Errorf("%s %s: the next snapshot: %v", how, path, err)
	}
	m.checkRepaired(r, report)
	for name := range m.snapshots { // the store goes back to before it
		if len(m.snapshots) > known && name == fmt.Sprint("s", m.count) {
			delete(m.snapshots, name)
		}
	}
	return len(report.Losses) == 0
}

func sameBlobs(a, b map[string][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if !bytes.Equal(v, b[k]) {
			return false
		}
	}
	return true
}

// TestRepairRoot loses the root in several ways, together with lists.
func TestRepairRoot(t *testing.T) {
	st, r, m := damagedModel(t, Options{}, 6)
	all := st.Snapshot()
	d := load(t, r)
	root := rootName(d.Generation)
	var lists []string
	for path := range all {
		if strings.Contains(path, "/snap-") || strings.HasPrefix(path[strings.LastIndex(path, "/")+1:], rootPrefix) && strings.Contains(path, indicesDir+"/") {
			lists = append(lists, path)
		}
	}
	for n := range 30 {
		restoreStore(st, all)
		switch n % 3 {
		case 0:
			st.Remove(root)
		case 1:
			st.Set(root, all[root][:m.rnd.Intn(len(all[root]))])
		case 2:
			st.Remove(root)
			st.Remove("index.latest")
		}
		if n >= 6 {
			st.Remove(lists[m.rnd.Intn(len(lists))])
		}
		report := repair(t, open(t, st, Options{}), true)
		want := d.Generation + 1
		if n%3 == 2 {
			want = 0
		}
		if report.Data.Generation != want {
			t.Errorf("generation %d, want %d", report.Data.Generation, want)
		}
		r := open(t, st, Options{})
		for _, f := range findings(t, r, true) {
			if f.Severity != SeverityInfo {
				t.Errorf("%d: %s", n, f)
			}
		}
		if n < 6 && len(report.Losses) > 0 {
			t.Errorf("%d: lost %v", n, report.Losses)
		}
		m.checkRepaired(r, report)
		if t.Failed() {
			t.Fatalf("actions %v\nlosses %v\nguesses %v", report.Actions, report.Losses, report.Guesses)
		}
	}
}

// TestSalvage reads what is left of a root that was cut.
func TestSalvage(t *testing.T) {
	_, r, _ := damagedModel(t, Options{}, 5)
	d := load(t, r)
	b, err := d.encode()
	if err != nil || !json.Valid(b) {
		t.Fatal(err)
	}
	if got := salvageEntries(b); len(got) != len(d.Snapshots) {
		t.Fatalf("%d entries of %d", len(got), len(d.Snapshots))
	}
	last := 0
	for n := range b {
		got := len(salvageEntries(b[:n]))
		if got < last {
			t.Fatalf("%d entries in %d bytes, and %d in fewer", got, n, last)
		}
		last = got
	}
}

func FuzzSalvage(f *testing.F) {
	f.Add([]byte(`{"snapshots":[{"name":"a","uuid":"b","state":1,"index_metadata_lookup":{"x":"y"},"version":"2.19.0"},{"name":`))
	f.Fuzz(func(_ *testing.T, b []byte) { salvageEntries(b) })
}

// TestRepairFixtures loses the root of repositories that real nodes wrote. What is rebuilt names the same snapshots, the same
// metadata of each index in each, and the same indices of shards; nothing else is written.
func TestRepairFixtures(t *testing.T) {
	for _, name := range []string{"opensearch-1.3/main", "opensearch-2.3/main", "opensearch-2.19/main", "opensearch-2.19/chunked", "opensearch-3.8/main", "elasticsearch-7.10/main", "opensearch-2.19/remote", "opensearch-3.8/remote"} {
		t.Run(name, func(t *testing.T) {
			dir := oracletest.FixtureRepository(t, name)
			shallow := strings.HasSuffix(name, "/remote")
			was := load(t, openDir(t, dir, Options{}))
			if err := os.Remove(filepath.Join(dir, rootName(was.Generation))); err != nil {
				t.Fatal(err)
			}
			r := openDir(t, dir, Options{})
			report := repair(t, r, true)
			if len(report.Actions) != 1 || len(report.Losses)+len(report.Warnings) > 0 || report.Data.Generation != was.Generation+1 {
				t.Fatalf("%+v", report)
			}
			is := load(t, r)
			if len(is.Snapshots) != len(was.Snapshots) || len(is.Indices) != len(was.Indices) {
				t.Fatalf("%d snapshots and %d indices", len(is.Snapshots), len(is.Indices))
			}
			for _, s := range was.Snapshots {
				e, err := is.Snapshot(s.Name)
				if err != nil || e.UUID != s.UUID || e.State != s.State || e.Version != s.Version {
					t.Fatalf("%+v became %+v, %v", s, e, err)
				}
				for _, i := range was.SnapshotIndices(s.SnapshotID) {
					now, err := is.IndexIn(s.SnapshotID, i.Name)
					if err != nil || now.IndexID != i.IndexID || !shallow && !slices.Equal(now.Generations, i.Generations) ||
						shallow && slices.ContainsFunc(now.Generations, func(g string) bool { return g != NewGeneration }) {
						t.Fatalf("%+v became %+v, %v", i, now, err)
					}
					a, err := was.metadataBlob(s, i.IndexID)
					if err != nil {
						t.Fatal(err)
					}
					b, err := is.metadataBlob(e, i.IndexID)
					guessed := slices.ContainsFunc(report.Guesses, func(g string) bool { return strings.Contains(g, i.Name) && strings.Contains(g, s.Name) })
					if err != nil || a != b && !guessed {
						t.Errorf("%s in %s: metadata [%s] became [%s], %v", i.Name, s.Name, a, b, err)
					}
				}
			}
		})
	}
	// What this package must not write is refused.
	for _, name := range []string{"elasticsearch-6.8/main", "elasticsearch-7.17/main"} {
		dir := oracletest.FixtureRepository(t, name)
		r := openDir(t, dir, Options{})
		if err := os.Remove(filepath.Join(dir, rootName(load(t, r).Generation))); err != nil {
			t.Fatal(err)
		}
		report, err := r.Repair(bg, RepairOptions{})
		if err == nil {
			t.Errorf("%s: %+v", name, report)
		}
	}
}

// TestRepairStreams makes the info of a snapshot with data streams anew: those whose write index it has are its own.
func TestRepairStreams(t *testing.T) {
	st, r, m := damagedModel(t, Options{}, 3)
	d := load(t, r)
	for len(d.Indices) == 0 { // the model leaves indices out at random
		m.change()
		if err := m.snapshot(r); err != nil {
			t.Fatal(err)
		}
		d = load(t, r)
	}
	var e SnapshotEntry
	var indices []IndexEntry
	for _, e = range slices.Backward(d.Snapshots) {
		if indices = d.SnapshotIndices(e.SnapshotID); len(indices) > 0 {
			break
		}
	}
	stream := func(names ...string) *smile.Object {
		list := make([]any, len(names))
		for i, n := range names {
			list[i] = smile.NewObject(member{Name: "index_name", Value: n})
		}
		return smile.NewObject(member{Name: "indices", Value: list})
	}
	own := indices[0].Name
	g := EmptyGlobalMetadata()
	g.Set("data_stream", smile.NewObject(member{Name: "data_stream", Value: smile.NewObject(member{Name: "whole", Value: stream("gone", own)},
		member{Name: "other", Value: stream(own, "gone")}, member{Name: "empty", Value: stream()})}))
	if err := r.putFrame(bg, r.root, metaName(e.UUID), codecMetadata, smile.NewObject(member{Name: globalKey, Value: g}), blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	st.Remove(snapName(e.UUID))
	report := repair(t, open(t, st, Options{}), true)
	info, err := open(t, st, Options{}).SnapshotInfo(bg, e.SnapshotID)
	if err != nil || !slices.Equal(info.DataStreams, []string{"whole"}) {
		t.Errorf("%+v, %v", info, err)
	}
	if text := strings.Join(report.Guesses, "\n"); !strings.Contains(text, "[whole]") || !strings.Contains(text, "[other]") {
		t.Errorf("guessed: %s", text)
	}
}
