package repository

import (
	"errors"
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/faulty"
	"github.com/varve-search/varve/blob/mem"
)

var roundsFlag = flag.Int("rounds", 25, "rounds of the random tests")

// referenced returns the paths of all blobs that a repository must have and no others.
func referenced(t testing.TB, r *Repository) map[string]bool {
	t.Helper()
	d := load(t, r)
	need := map[string]bool{}
	if d.Generation == NoGeneration {
		return need
	}
	base := r.opts.BasePath
	need[join(base, "index.latest")] = true
	need[join(base, rootName(d.Generation))] = true
	for _, s := range d.Snapshots {
		need[join(base, snapName(s.UUID))] = true
		need[join(base, metaName(s.UUID))] = true
	}
	for _, i := range d.Indices {
		for name := range neededMetadata(d, i, d.byUUIDs()) {
			need[join(base, indicesDir, i.ID, name)] = true
		}
		for shard, gen := range i.Generations {
			s, err := r.Shard(bg, i.IndexID, shard)
			if err != nil {
				t.Fatal(err)
			}
			if gen == "" {
				continue
			}
			need[join(s.path, shardIndexName(gen))] = true
			for _, uuid := range i.Snapshots {
				e, _ := d.byUUID(uuid)
				snap, err := s.Snapshot(bg, e.SnapshotID)
				var missing *MissingSnapshotError
				if errors.As(err, &missing) {
					continue // the index had fewer shards then
				}
				if err != nil {
					t.Fatal(err)
				}
				need[join(s.path, snapName(uuid))] = true
				for _, f := range snap.Files {
					for part := range f.Parts() {
						need[join(s.path, f.PartName(part))] = true
					}
				}
			}
		}
	}
	return need
}

// exact fails unless the store holds the referenced blobs and nothing else.
func exact(t testing.TB, store *mem.Store, r *Repository) {
	t.Helper()
	need := referenced(t, r)
	for path := range store.Snapshot() {
		if !need[path] && !strings.Contains(path, shardPathsDir+"/") {
			t.Errorf("left over: %s", path)
		}
		delete(need, path)
	}
	for path := range need {
		t.Errorf("lost: %s", path)
	}
	if t.Failed() {
		t.FailNow()
	}
}

// TestModel takes, clones and deletes snapshots at random. Without faults nothing is ever left over.
func TestModel(t *testing.T) {
	for name, opts := range variants() {
		t.Run(name, func(t *testing.T) {
			store := mem.New()
			r := open(t, store, opts)
			m := newModel(t, random(t), r)
			for range *roundsFlag {
				m.change()
				var err error
				switch m.rnd.Intn(5) {
				case 0:
					err = m.remove(r)
				case 1:
					err = m.clone(r)
				default:
					err = m.snapshot(r)
				}
				if err != nil {
					t.Fatal(err)
				}
				m.check(r)
				exact(t, store, r)
				if load(t, r).Generation != NoGeneration && !checkTidy(t, r) {
					t.Fatal("a clean-up would find something")
				}
			}
			m.healthy(r, true)
			d := load(t, r)
			var all []SnapshotID
			for _, s := range d.Snapshots {
				all = append(all, s.SnapshotID)
			}
			if _, err := r.Delete(bg, d, all); err != nil {
				t.Fatal(err)
			}
			if left := store.Snapshot(); len(left) != 2 {
				t.Fatalf("an empty repository has %d blobs", len(left))
			}
		})
	}
}

// TestCrashes lets the process die after a random number of writes, or requests fail at random. The
// snapshots that the root names are always whole, and a clean-up leaves nothing over.
func TestCrashes(t *testing.T) {
	for name, opts := range variants() {
		t.Run(name, func(t *testing.T) {
			store := mem.New()
			r := open(t, store, opts)
			m := newModel(t, random(t), r)
			crashed := 0
			for round := range *roundsFlag * 2 {
				m.change()
				hook := faulty.CrashAfter(int64(m.rnd.Intn(40)))
				if round%2 == 0 {
					hook = faulty.Random(m.rnd.Int63(), 0.02)
				}
				bad := open(t, faulty.New(store, hook), opts)
				before := load(t, r)
				var err error
				op := m.rnd.Intn(5)
				switch op {
				case 0:
					err = m.remove(bad)
				case 1:
					var d *Data
					if d, err = bad.LoadData(bg); err == nil {
						_, err = bad.Cleanup(bg, d, CleanupOptions{})
					}
				case 2:
					err = m.clone(bad)
				default:
					err = m.snapshot(bad)
				}
				if err != nil {
					crashed++
				}
				m.check(r)
				m.healthy(r, false)
				checkTidy(t, r)
				after := load(t, r)
				if err == nil && op >= 2 && len(before.Snapshots)+1 != len(after.Snapshots) && len(before.Snapshots) > 0 {
					t.Fatalf("a snapshot succeeded, but there are %d after %d", len(after.Snapshots), len(before.Snapshots))
				}
				if m.rnd.Intn(3) == 0 {
					dry, err := r.Cleanup(bg, after, CleanupOptions{DryRun: true})
					if err != nil {
						t.Fatal(err)
					}
					done, err := r.Cleanup(bg, after, CleanupOptions{})
					if err != nil {
						t.Fatal(err)
					}
					if len(done.Warnings)+len(done.Kept) > 0 || len(dry.Stale) != len(done.Stale) || int(done.Deleted) < len(done.Stale) {
						t.Fatalf("clean-up: %d to delete, then %d, deleted %d, warnings %v, kept %v", len(dry.Stale), len(done.Stale), done.Deleted, done.Warnings, done.Kept)
					}
					exact(t, store, r)
					m.check(r)
				}
			}
			if crashed == 0 {
				t.Error("nothing crashed")
			}
			t.Logf("%d operations failed", crashed)
		})
	}
}

// TestTwoClusters lets two clusters work on one repository with stale roots: one of the two gets the
// error, and no snapshot that was reported is damaged.
func TestTwoClusters(t *testing.T) {
	store := mem.New()
	r := open(t, store, Options{})
	rnd := random(t)
	m := newModel(t, rnd, r)
	m.change()
	if err := m.snapshot(r); err != nil {
		t.Fatal(err)
	}
	for range *roundsFlag {
		m.change()
		// The other cluster acts between two requests of ours.
		at := int64(rnd.Intn(60))
		acted := false
		hooked := open(t, faulty.New(store, func(o faulty.Op) faulty.Fault {
			if o.Count >= at && !acted {
				acted = true
				count := m.count
				m.count += 1000
				err := []func(*Repository) error{m.snapshot, m.remove, m.clone, func(r *Repository) error {
					_, err := r.Cleanup(bg, load(t, r), CleanupOptions{})
					return err
				}}[rnd.Intn(4)](r)
				m.count = count
				if err != nil {
					t.Errorf("the other cluster: %v", err)
				}
			}
			return faulty.Fault{}
		}), Options{Parallel: 1})
		gen := load(t, r).Generation
		err := m.snapshot(hooked)
		m.count += 10000
		var conflict *ConcurrentModificationError
		if err != nil && !errors.As(err, &conflict) && blob.KindOf(err) != blob.KindNotFound {
			t.Fatal(err)
		}
		if acted && err == nil && load(t, r).Generation > gen+2 {
			t.Fatalf("generation went from %d to %d", gen, load(t, r).Generation)
		}
		m.check(r)
		m.healthy(r, false)
		if _, err := r.Cleanup(bg, load(t, r), CleanupOptions{}); err != nil {
			t.Fatal(err)
		}
		exact(t, store, r)
	}
}

// TestSwingTrace fixes the requests that move the root, in their order.
func TestSwingTrace(t *testing.T) {
	store := mem.New()
	m := newModel(t, random(t), open(t, store, Options{}))
	if err := m.snapshot(m.r); err != nil { // of nothing
		t.Fatal(err)
	}
	var rec blob.Recorder
	traced := open(t, blob.Trace(store, rec.Record), Options{})
	base := load(t, traced)
	rec.Reset()
	id := SnapshotID{"x", "UUID"}
	if _, err := traced.Finalize(bg, base, NewSnapshot{Info: SnapshotInfo{SnapshotID: id, State: StateSuccess}}); err != nil {
		t.Fatal(err)
	}
	want := []string{"put meta-UUID.dat", "put snap-UUID.dat", "get-range index-0", "get index.latest", "put-if-absent index-1", "put index.latest", "delete index-0", "list index-"}
	if got := fmt.Sprint(rec.Requests()); got != fmt.Sprint(want) {
		t.Fatalf("requests\n%s, want\n%s", got, want)
	}
	if string(store.Snapshot()["index.latest"]) != "\x00\x00\x00\x00\x00\x00\x00\x01" {
		t.Fatal("index.latest is wrong")
	}
}

// TestLostAnswers fails the creation of the new root after it worked: the snapshot is there and is
// reported so.
func TestLostAnswers(t *testing.T) {
	store := mem.New()
	r := open(t, faulty.New(store, func(o faulty.Op) faulty.Fault {
		if o.Kind == "put" && o.Name == "index-0" {
			return faulty.Fault{After: faulty.Fail(blob.KindUnavailable)}
		}
		return faulty.Fault{}
	}), Options{})
	m := newModel(t, random(t), r)
	m.change()
	if err := m.snapshot(r); err != nil {
		t.Fatal(err)
	}
	m.check(open(t, store, Options{}))
}

func TestHigherGeneration(t *testing.T) {
	store := mem.New()
	r := open(t, faulty.New(store, func(o faulty.Op) faulty.Fault {
		if o.Kind == "put" && o.Name == "index.latest" { // another cluster, whose numbers skip
			store.Set("index-7", []byte(`{"snapshots":[],"indices":{},"index_metadata_identifiers":{}}`))
		}
		return faulty.Fault{}
	}), Options{})
	err := newModel(t, random(t), r).snapshot(r)
	var conflict *ConcurrentModificationError
	if !errors.As(err, &conflict) || conflict.Expected != NoGeneration || conflict.Found != 7 {
		t.Fatal(err)
	}
}

func TestRefusals(t *testing.T) {
	store := mem.New()
	r := open(t, store, Options{})
	m := newModel(t, random(t), r)
	m.change()
	if err := m.snapshot(r); err != nil {
		t.Fatal(err)
	}
	d := load(t, r)
	taken := NewSnapshot{Info: SnapshotInfo{SnapshotID: SnapshotID{d.Snapshots[0].Name, NewUUID()}}}
	if _, err := r.Finalize(bg, d, taken); !errors.Is(err, ErrSnapshotExists) {
		t.Error(err)
	}
	var missing *MissingSnapshotError
	if _, err := r.Delete(bg, d, []SnapshotID{{"nope", "nope"}}); !errors.As(err, &missing) {
		t.Error(err)
	}
	stale := *d
	stale.Generation--
	var conflict *ConcurrentModificationError
	if _, err := r.Delete(bg, &stale, []SnapshotID{d.Snapshots[0].SnapshotID}); !errors.As(err, &conflict) {
		t.Error(err)
	}
	for _, root := range []string{`{"uuid":"x","snapshots":[],"indices":{}}`, `{"snapshots":[{"name":"a","uuid":"b","state":1}],"indices":{}}`,
		`{"snapshots":[{"name":"a","uuid":"b","state":1,"version":"7.5.0"}],"indices":{}}`} {
		old, err := ParseData([]byte(root), 3)
		if err != nil {
			t.Fatal(err)
		}
		var readOnly *ReadOnlyFormatError
		if err := old.Writable(); !errors.As(err, &readOnly) {
			t.Errorf("%s: %v", root, err)
		}
	}
}
