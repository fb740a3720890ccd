package repotool

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/varve-search/varve/internal/oracletest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var bg = context.Background()

// asked runs a command with JSON answers and decodes the last one.
func asked[T any](t *testing.T, run func(p *Printer) error) T {
	t.Helper()
	var out bytes.Buffer
	if err := run(&Printer{Out: &out, JSON: true}); err != nil {
		t.Fatal(err)
	}
	var v T
	if err := json.Unmarshal(out.Bytes(), &v); err != nil {
		t.Fatalf("%v in %.300s", err, out.Bytes())
	}
	return v
}

// text runs a command with answers for people.
func text(t *testing.T, run func(p *Printer) error) string {
	t.Helper()
	var out bytes.Buffer
	if err := run(&Printer{Out: &out}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// fixture returns the folder of a fixture's repository, a fresh copy.
func fixture(t *testing.T, name string) string { return oracletest.FixtureRepository(t, name) }

// files returns the sizes of all files below a folder.
func files(t *testing.T, dir string) map[string]int64 {
	t.Helper()
	out := map[string]int64{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		i, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		out[filepath.ToSlash(rel)] = i.Size()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func healthy(t *testing.T, dir string, deep bool) {
	t.Helper()
	var out bytes.Buffer
	ok, err := Verify(bg, &Printer{Out: &out, JSON: true}, "fs:"+dir, deep)
	if err != nil || !ok {
		t.Fatalf("%v, %v\n%s", ok, err, out.Bytes())
	}
}

func copyDir(t *testing.T, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}
