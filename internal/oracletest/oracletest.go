package oracletest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// SkipMark starts the message of every test that was skipped for want of an outside program.
const SkipMark = "SKIP-ORACLE:"

// LongMark starts the message of every test that is left to the long run.
const LongMark = "SKIP-LONG:"

// Long skips a test unless VARVE_LONG is set.
func Long(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("VARVE_LONG") == "" {
		t.Skipf("%s %s (set VARVE_LONG=1)", LongMark, why)
	}
}

// Shared returns the folder that holds oracle/, fixtures/ and conformance/, or skips the test.
func Shared(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("VARVE_SHARED")
	if dir == "" {
		root, err := ModuleRoot()
		if err != nil {
			t.Fatal(err)
		}
		dir = filepath.Join(filepath.Dir(root), "shared")
	}
	if st, err := os.Stat(filepath.Join(dir, "oracle")); err != nil || !st.IsDir() {
		t.Skipf("%s no folder with the real programs at %s (set VARVE_SHARED)", SkipMark, dir)
	}
	return dir
}

// ModuleRoot returns the folder of this module's go.mod.
func ModuleRoot() (string, error) {
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		return "", errors.New("oracletest: no caller information")
	}
	for dir := filepath.Dir(file); ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("oracletest: no go.mod above %s", file)
		}
	}
}

// Java skips the test when no Java runtime is installed.
func Java(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("java"); err != nil {
		t.Skipf("%s no java on the path", SkipMark)
	}
	if _, err := exec.LookPath("mvn"); err != nil {
		t.Skipf("%s no mvn on the path", SkipMark)
	}
}

// Tool runs one of the oracle scripts and returns its standard output. A failing script is an error
// that carries its standard error.
func Tool(t testing.TB, name string, args ...string) ([]byte, error) {
	t.Helper()
	Java(t)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(Shared(t), "oracle", name), args...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return out.Bytes(), fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, out.Bytes(), errOut.Bytes())
	}
	return out.Bytes(), nil
}

// CheckIndex fails the test unless Lucene 9.12's CheckIndex accepts each of the index folders.
func CheckIndex(t testing.TB, dirs ...string) {
	t.Helper()
	if out, err := Tool(t, "checkindex", dirs...); err != nil {
		t.Fatalf("CheckIndex refuses the index: %v\n%s", err, out)
	}
}

// Probe runs luceneprobe and decodes its JSON answer into v.
func Probe(t testing.TB, v any, args ...string) {
	t.Helper()
	out, err := Tool(t, "luceneprobe", args...)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, v); err != nil {
		t.Fatalf("luceneprobe %v: %v in %.400s", args, err, out)
	}
}

// Fixture unpacks repo.tar.gz of a fixture such as "opensearch-2.19/main" into a fresh temporary
// folder and returns the folder that contains what the archive holds.
func Fixture(t testing.TB, name string) string {
	t.Helper()
	return untar(t, filepath.Join(Shared(t), "fixtures", filepath.FromSlash(name), "repo.tar.gz"))
}

// FixtureRepository is Fixture, but returns the folder in which index.latest lies.
func FixtureRepository(t testing.TB, name string) string {
	t.Helper()
	top := Fixture(t, name)
	var found string
	err := filepath.WalkDir(top, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Name() == "index.latest" {
			found = filepath.Dir(path)
			return filepath.SkipAll
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if found == "" {
		t.Fatalf("fixture %s holds no index.latest", name)
	}
	return found
}

// FixtureDocs unpacks docs.tar.gz of a fixture and returns its folder (SNAPSHOT/INDEX.ndjson).
func FixtureDocs(t testing.TB, name string) string {
	t.Helper()
	return untar(t, filepath.Join(Shared(t), "fixtures", filepath.FromSlash(name), "docs.tar.gz"))
}

// FixtureExpected decodes expected.json of a fixture into v.
func FixtureExpected(t testing.TB, name string, v any) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(Shared(t), "fixtures", filepath.FromSlash(name), "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
}

func untar(t testing.TB, archive string) string {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	gz, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for tr := tar.NewReader(gz); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return dir
		}
		if err != nil {
			t.Fatal(err)
		}
		if !filepath.IsLocal(h.Name) {
			t.Fatalf("%s: unsafe name %q", archive, h.Name)
		}
		path := filepath.Join(dir, h.Name)
		switch h.Typeflag {
		case tar.TypeDir:
			err = os.MkdirAll(path, 0o755)
		case tar.TypeReg:
			err = writeFile(path, tr)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func writeFile(path string, r io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, r); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// FreePort returns a port of 127.0.0.1 that nothing listened on a moment ago.
func FreePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// Node starts a real node and returns its URL; it is stopped when the test ends. The program is
// "opensearch" or "elasticsearch", the version such as "2.19"; repo is a folder that fills path.repo.
func Node(t testing.TB, program, version, repo string, extra ...string) string {
	t.Helper()
	port := FreePort(t)
	data := filepath.Join(t.TempDir(), "node")
	args := append([]string{"start", version, "--port", fmt.Sprint(port), "--data", data, "--repo", repo, "--heap", "512m"}, extra...)
	t.Cleanup(func() {
		if _, err := Tool(t, program, "stop", data); err != nil {
			t.Logf("stop the node: %v", err)
		}
	})
	if _, err := Tool(t, program, args...); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("http://127.0.0.1:%d", port)
}
