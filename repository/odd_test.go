package repository

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/faulty"
	"github.com/varve-search/varve/blob/mem"
	"github.com/varve-search/varve/internal/oracletest"
)

// blobsOf returns the paths of a store whose name has a prefix, sorted; those of shards or those of the root.
func blobsOf(all map[string][]byte, prefix string, shards bool) []string {
	var out []string
	for path := range all {
		dir, _, _ := strings.Cut(path, "/")
		if shards != (dir == indicesDir) {
			continue
		}
		if strings.HasPrefix(path[strings.LastIndex(path, "/")+1:], prefix) {
			out = append(out, path)
		}
	}
	slices.Sort(out)
	return out
}

func worse(found []Finding) []Finding {
	return slices.DeleteFunc(found, func(f Finding) bool { return f.Severity == SeverityInfo })
}

// TestOddDamage does to repositories what no failing disk does, but people do. Each is found as one thing for each blob that is not as it
// was; the repair loses nothing, does what the plan says, and keeps a copy of every root that was there.
func TestOddDamage(t *testing.T) {
	opts := Options{MaxMetadata: 1<<20 - 1}
	for name, damage := range map[string]func(st *mem.Store, all map[string][]byte, d *Data) []string{
		"an empty object as a newer root": func(st *mem.Store, _ map[string][]byte, d *Data) []string {
			st.Set(rootName(d.Generation+2), []byte("{}"))
			return []string{rootName(d.Generation + 2)}
		},
		"nothing as a newer root": func(st *mem.Store, _ map[string][]byte, d *Data) []string {
			st.Set(rootName(d.Generation+2), nil)
			return []string{rootName(d.Generation + 2)}
		},
		"a root larger than any metadata": func(st *mem.Store, _ map[string][]byte, d *Data) []string {
			st.Set(rootName(d.Generation+1), bytes.Repeat([]byte(" "), 1<<20))
			return []string{rootName(d.Generation + 1)}
		},
		"one name for two snapshots": func(st *mem.Store, all map[string][]byte, d *Data) []string {
			name := rootName(d.Generation)
			st.Set(name, bytes.Replace(all[name], []byte(`"name":"`+d.Snapshots[1].Name+`"`), []byte(`"name":"`+d.Snapshots[0].Name+`"`), 1))
			return nil
		},
		"the root and an info are gone": func(st *mem.Store, all map[string][]byte, d *Data) []string {
			st.Remove(rootName(d.Generation))
			list := blobsOf(all, "snap-", true)[0] // of a snapshot that has a shard: of others nothing is left
			st.Remove(list[strings.LastIndex(list, "/")+1:])
			return nil
		},
		"indices of two shards swapped": func(st *mem.Store, all map[string][]byte, _ *Data) []string {
			a, b := swappable(all, rootPrefix)
			st.Set(a, all[b])
			st.Set(b, all[a])
			return []string{a, b}
		},
		"a list of another shard": func(st *mem.Store, all map[string][]byte, _ *Data) []string {
			a, b := swappable(all, "snap-")
			st.Set(a, all[b])
			return []string{a}
		},
	} {
		t.Run(name, func(t *testing.T) {
			st, r, m := damagedModel(t, opts, 6)
			all := st.Snapshot()
			want := damage(st, all, load(t, r))
			before := st.Snapshot()
			if want != nil {
				var blobs []string
				found := worse(findings(t, open(t, st, opts), true))
				for _, f := range found {
					blobs = append(blobs, f.Blob)
				}
				slices.Sort(blobs)
				slices.Sort(want)
				if !slices.Equal(blobs, want) {
					t.Errorf("want one finding for each of %v: %v", want, found)
				}
			}
			plan := repair(t, open(t, st, opts), false)
			report := repair(t, open(t, st, opts), true)
			if fmt.Sprint(len(plan.Actions), plan.Losses) != fmt.Sprint(len(report.Actions), report.Losses) || len(report.Losses) > 0 {
				t.Fatalf("planned %v, did %v; lost %v", plan.Actions, report.Actions, report.Losses)
			}
			after := st.Snapshot()
			said := map[string]bool{"index.latest": true}
			for _, a := range report.Actions {
				said[a.Blob] = true
			}
			for path, b := range after {
				if old, there := before[path]; (!there || !bytes.Equal(old, b)) && !said[path] && !strings.HasPrefix(path, backupDir+"/") {
					t.Errorf("%s was written, and the plan does not say so: %v", path, report.Actions)
				}
			}
			for path, b := range before {
				if now, there := after[path]; (!there || !bytes.Equal(now, b)) && !bytes.Equal(after[join(report.Backup, path)], b) {
					t.Errorf("%s has changed or gone, and no copy was kept", path)
				}
			}
			r = open(t, st, opts)
			if left := worse(findings(t, r, true)); len(left) > 0 {
				t.Errorf("after the repair: %v", left)
			}
			m.checkRepaired(r, report)
		})
	}
}

// TestOrderOfFindings looks at a repository with much damage several times: the report is the same.
func TestOrderOfFindings(t *testing.T) {
	st, _, _ := damagedModel(t, Options{}, 6)
	for _, path := range blobsOf(st.Snapshot(), dataPrefix, true) {
		st.Remove(path)
	}
	first := findings(t, open(t, st, Options{Parallel: 8}), true)
	if len(first) < 4 {
		t.Fatal(first)
	}
	for range 10 {
		if again := findings(t, open(t, st, Options{Parallel: 8}), true); fmt.Sprint(again) != fmt.Sprint(first) {
			t.Fatalf("first\n%v\nthen\n%v", first, again)
		}
	}
}

// swappable returns two blobs of different shards that have different contents, the largest: shards without data tell little of
// what belongs to them.
func swappable(all map[string][]byte, prefix string) (a, b string) {
	list := blobsOf(all, prefix, true)
	slices.SortStableFunc(list, func(a, b string) int { return len(all[b]) - len(all[a]) })
	for _, a := range list {
		for _, b := range list {
			if strings.Count(a, "/") == 3 && strings.Count(b, "/") == 3 && a[:strings.LastIndex(a, "/")] != b[:strings.LastIndex(b, "/")] && !bytes.Equal(all[a], all[b]) {
				return a, b
			}
		}
	}
	panic("no two shards")
}

// TestUnreadable keeps single blobs and a folder from being read, as after a copy by another user: that is found there and hides nothing
// else. Where the root itself may not be read any more, nothing is known of the rest.
func TestUnreadable(t *testing.T) {
	st, _, _ := damagedModel(t, Options{}, 6)
	all := st.Snapshot()
	data := blobsOf(all, dataPrefix, true)
	gone, victim := data[0], data[len(data)-1]
	st.Remove(gone)
	root := ""
	for _, name := range blobsOf(all, rootPrefix, false) {
		if name != "index.latest" {
			root = name
		}
	}
	for _, c := range []struct {
		denied string
		want   []string // nil: an error
	}{
		{victim, []string{gone, victim}},
		{blobsOf(all, "snap-", false)[0], []string{gone, blobsOf(all, "snap-", false)[0]}},
		{root, nil},
	} {
		r := open(t, faulty.New(st, func(o faulty.Op) faulty.Fault {
			if strings.HasPrefix(o.Kind, "get") && o.Name == c.denied {
				return faulty.Fault{Before: faulty.Fail(blob.KindPermission)}
			}
			return faulty.Fault{}
		}), Options{})
		var blobs []string
		_, err := r.Verify(bg, VerifyOptions{Deep: true}, func(f Finding) {
			if f.Severity != SeverityInfo {
				blobs = append(blobs, f.Blob)
			}
		})
		slices.Sort(blobs)
		slices.Sort(c.want)
		if (err != nil) != (c.want == nil) || !slices.Equal(blobs, c.want) {
			t.Errorf("%s denied: %v, %v, want %v", c.denied, blobs, err, c.want)
		}
	}
}

// TestForeignMetadata gives an index the metadata of another one: nothing would be restored of it, and a repair takes no foreign metadata.
func TestForeignMetadata(t *testing.T) {
	dir := oracletest.FixtureRepository(t, "opensearch-2.19/main")
	r := openDir(t, dir, Options{})
	d := load(t, r)
	path := map[string]string{}
	for _, name := range []string{"accounts", "products"} {
		i, _ := d.Index(name)
		s, _ := d.byUUID(i.Snapshots[0])
		id, err := d.metadataBlob(s, i.IndexID)
		if err != nil {
			t.Fatal(err)
		}
		path[name] = filepath.Join(indicesDir, i.ID, metaName(id))
	}
	b, err := os.ReadFile(filepath.Join(dir, path["products"]))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, path["accounts"]), b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	r = openDir(t, dir, Options{})
	found := worse(findings(t, r, false))
	if len(found) != 1 || found[0].Severity != SeverityError || found[0].Blob != path["accounts"] || found[0].Index != "accounts" {
		t.Errorf("found %v", found)
	}
	report := repair(t, r, true)
	if len(report.Losses) != 2 || report.Losses[0].Index != "accounts" {
		t.Errorf("lost %v", report.Losses)
	}
	if left := worse(findings(t, openDir(t, dir, Options{}), true)); len(left) > 0 {
		t.Errorf("after the repair: %v", left)
	}
}

// TestRenamedFolder renames the folder of an index: the plan says that there is one that may be meant.
func TestRenamedFolder(t *testing.T) {
	dir := oracletest.FixtureRepository(t, "opensearch-2.19/main")
	d := load(t, openDir(t, dir, Options{}))
	i, _ := d.Index("products")
	if err := os.Rename(filepath.Join(dir, indicesDir, i.ID), filepath.Join(dir, indicesDir, "products-old")); err != nil {
		t.Fatal(err)
	}
	report := repair(t, openDir(t, dir, Options{}), false)
	if len(report.Guesses) != 1 || !strings.Contains(report.Guesses[0], "indices/products-old") || !strings.Contains(report.Guesses[0], i.ID) {
		t.Errorf("guesses %q", report.Guesses)
	}
}

// TestNumberedShardIndex damages the index of a shard as Elasticsearch 5.6 named them, by numbers that only the folder knows.
func TestNumberedShardIndex(t *testing.T) {
	dir := oracletest.FixtureRepository(t, "elasticsearch-5.6/main")
	list, err := filepath.Glob(filepath.Join(dir, indicesDir, "*", "0", rootPrefix+"*"))
	if err != nil || len(list) == 0 {
		t.Fatal(list, err)
	}
	path, err := filepath.Rel(dir, list[0])
	if err == nil {
		err = os.Truncate(list[0], 9)
	}
	if err != nil {
		t.Fatal(err)
	}
	if found := worse(findings(t, openDir(t, dir, Options{}), false)); len(found) != 1 || found[0].Blob != path {
		t.Errorf("%s cut: %v", path, found)
	}
	if err := os.Remove(list[0]); err != nil {
		t.Fatal(err)
	}
	want := filepath.Join(filepath.Dir(path), "index-N")
	if found := worse(findings(t, openDir(t, dir, Options{}), false)); len(found) != 1 || found[0].Blob != want || found[0].Shard != 0 {
		t.Errorf("%s gone: %v", path, found)
	}
}
