package repotool

import (
	"bytes"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/testseed"
)

// kindOf names the kind of a repository's file.
func kindOf(name string) string {
	base := filepath.Base(name)
	depth := strings.Count(name, "/")
	switch {
	case base == "index.latest":
		return "index.latest"
	case strings.HasPrefix(base, "__") && strings.Contains(base, ".part"):
		return "part of a file"
	case strings.HasPrefix(base, "__"):
		return "file"
	}
	prefix, _, _ := strings.Cut(base, "-")
	return []string{"root ", "", "index ", "shard "}[min(depth, 3)] + prefix
}

// TestDamage removes, cuts and flips files of each kind in a repository that a real node wrote, one at a time: verify --deep
// names exactly that blob, snapshots that do not need it give their documents as before, and nothing else changes.
func TestDamage(t *testing.T) {
	seed := uint64(testseed.Of(t))
	rnd := rand.New(rand.NewPCG(seed, 1))
	dir := fixture(t, "opensearch-2.19/chunked")
	loc := "fs:" + dir
	kinds := map[string][]string{}
	for name := range files(t, dir) {
		kinds[kindOf(name)] = append(kinds[kindOf(name)], name)
	}
	if len(kinds) < 9 {
		t.Fatalf("only %v", slices.Collect(maps.Keys(kinds)))
	}
	good := documents(t, loc)
	rounds, ways := 1, 1
	if os.Getenv("VARVE_LONG") != "" {
		rounds, ways = 60, 3
	}
	mutations := 0
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		slices.Sort(kinds[kind])
		for range rounds {
			hows := []string{"remove", "cut", "flip"}
			rnd.Shuffle(3, func(i, j int) { hows[i], hows[j] = hows[j], hows[i] })
			for _, how := range hows[:ways] {
				name := kinds[kind][rnd.IntN(len(kinds[kind]))]
				path := filepath.Join(dir, name)
				content, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if len(content) == 0 {
					continue
				}
				switch how {
				case "remove":
					err = os.Remove(path)
				case "cut":
					err = os.WriteFile(path, content[:rnd.IntN(len(content))], 0o644)
				case "flip":
					bad := bytes.Clone(content)
					bad[rnd.IntN(len(bad))] ^= 1 << rnd.IntN(8)
					err = os.WriteFile(path, bad, 0o644)
				}
				if err != nil {
					t.Fatal(err)
				}
				mutations++
				before := files(t, dir)
				expectDamage(t, loc, kind, how, name, good)
				if !maps.Equal(before, files(t, dir)) {
					t.Errorf("%s %s: other files changed", how, name)
				}
				if err := os.WriteFile(path, content, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	healthy(t, dir, true)
	t.Logf("%d mutations", mutations)
}

// documents returns what cat prints of each index of each snapshot that can be read, by SNAPSHOT/INDEX.
func documents(t *testing.T, loc string) map[string]string {
	t.Helper()
	out := map[string]string{}
	r, err := Open(bg, loc)
	if err != nil {
		return out
	}
	for _, s := range r.Data.Snapshots {
		for _, ix := range r.Data.SnapshotIndices(s.SnapshotID) {
			var b bytes.Buffer
			if err := Cat(bg, &Printer{Out: &b}, loc, s.Name, ix.Name); err == nil {
				out[s.Name+"/"+ix.Name] = b.String()
			}
		}
	}
	return out
}

func expectDamage(t *testing.T, loc, kind, how, name string, good map[string]string) {
	t.Helper()
	var out bytes.Buffer
	ok, err := Verify(bg, &Printer{Out: &out, JSON: true}, loc, true)
	if err != nil {
		t.Errorf("%s %s: %v", how, name, err)
		return
	}
	if kind == "root index" {
		// The root has no checksum: a changed digit may go unnoticed, all else is an error.
		if ok && how != "flip" {
			t.Errorf("%s %s: healthy\n%s", how, name, out.Bytes())
		}
		return
	}
	if ok {
		t.Errorf("%s %s: healthy\n%s", how, name, out.Bytes())
	}
	hits := 0
	affected := map[string]bool{}
	for line := range bytes.Lines(out.Bytes()) {
		var f Finding
		if err := json.Unmarshal(line, &f); err != nil {
			t.Fatal(err)
		}
		if f.Severity == "info" {
			continue
		}
		base, _, _ := strings.Cut(f.Blob, ".part") // content is told of a file's first part
		want, _, _ := strings.Cut(name, ".part")
		if base != want {
			t.Errorf("%s %s: accused %s", how, name, line)
		}
		hits++
		affected[f.Index] = true
	}
	if hits != 1 {
		t.Errorf("%s %s: found %d times\n%s", how, name, hits, out.Bytes())
	}
	if kind != "file" && kind != "part of a file" {
		return
	}
	now := documents(t, loc)
	for at, docs := range good {
		if _, index, _ := strings.Cut(at, "/"); !affected[index] && now[at] != docs {
			t.Errorf("%s %s: %s has other documents", how, name, at)
		}
	}
	for at, docs := range now {
		if how != "flip" && good[at] != docs {
			t.Errorf("%s %s: %s reads well and has other documents", how, name, at)
		}
	}
}
