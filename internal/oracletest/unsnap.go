package oracletest

import (
	"path/filepath"
	"testing"
)

// Indices takes the Lucene indices of a snapshot out of a fixture's repository, and returns their
// folders by INDEX/SHARD. An index may be named to take that one alone.
func Indices(t testing.TB, fixture, snapshot string, index ...string) map[string]string {
	t.Helper()
	out := t.TempDir()
	args := append([]string{FixtureRepository(t, fixture), snapshot, out}, index...)
	if text, err := Tool(t, "unsnap", args...); err != nil {
		t.Fatalf("unsnap: %v\n%s", err, text)
	}
	shards, err := filepath.Glob(filepath.Join(out, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	dirs := make(map[string]string, len(shards))
	for _, dir := range shards {
		name, err := filepath.Rel(out, dir)
		if err != nil {
			t.Fatal(err)
		}
		dirs[filepath.ToSlash(name)] = dir
	}
	return dirs
}
