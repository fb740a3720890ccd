package keystore

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func cheap(t *testing.T) {
	old := cost
	cost.Time, cost.Memory = 1, 64
	t.Cleanup(func() { cost = old })
}

func TestFile(t *testing.T) {
	cheap(t)
	path := filepath.Join(t.TempDir(), FileName)
	if _, err := Open(path, ""); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	f, err := Create(path, "pass")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Create(path, "pass"); !errors.Is(err, fs.ErrExist) {
		t.Fatal(err)
	}
	const name, secret = "s3.client.default.secret_key", "very-secret-text"
	for _, bad := range []error{f.Set("a b", "x"), f.Set(name, ""), f.Set(seedName, "x"), f.Remove(seedName), f.Remove(name)} {
		if bad == nil {
			t.Fatal("accepted")
		}
	}
	if err := f.Set(name, secret); err != nil {
		t.Fatal(err)
	}
	if err := f.Save("pass"); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil || bytes.Contains(raw, []byte(secret)) || bytes.Contains(raw, []byte("s3.client")) {
		t.Fatalf("the file shows what it holds (%v)", err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", st.Mode(), err)
	}
	for _, wrong := range []string{"", "Pass", "pass "} {
		if _, err := Open(path, wrong); !errors.Is(err, ErrPassword) {
			t.Fatalf("%q: %v", wrong, err)
		}
	}
	g, err := Open(path, "pass")
	if err != nil || fmt.Sprint(g.Names()) != "[keystore.seed s3.client.default.secret_key]" {
		t.Fatalf("%v, %v", g, err)
	}
	if err := errors.Join(g.Remove(name), g.Save("")); err != nil {
		t.Fatal(err)
	}
	if h, err := Open(path, ""); err != nil || h.Has(name) {
		t.Fatalf("%v", err)
	}
	// Every byte counts.
	for i := range raw {
		broken := bytes.Clone(raw)
		broken[i] ^= 1
		if h, _, err := readHeader(broken); err == nil && h.Memory > 1<<12 {
			continue // would only be slow
		}
		if _, err := decode(broken, "pass"); err == nil {
			t.Fatalf("byte %d was changed and nobody saw it", i)
		} else if strings.Contains(err.Error(), secret) {
			t.Fatal(err)
		}
	}
}

func TestSecrets(t *testing.T) {
	cheap(t)
	path := filepath.Join(t.TempDir(), FileName)
	s, err := Load(path, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Lookup("a"); ok {
		t.Fatal("a secret without a key store")
	}
	sealed, err := s.Seal("secret_key", "text")
	if err != nil || strings.Contains(sealed, "text") {
		t.Fatalf("%s, %v", sealed, err)
	}
	if again, err := s.Seal("secret_key", "text"); err != nil || again != sealed {
		t.Fatalf("%s, then %s, %v", sealed, again, err)
	}
	if got, err := s.Unseal("secret_key", sealed); err != nil || got != "text" {
		t.Fatalf("%s, %v", got, err)
	}
	if got, err := s.Unseal("secret_key", "plain"); err != nil || got != "plain" {
		t.Fatalf("%s, %v", got, err)
	}
	if _, err := s.Unseal("access_key", sealed); err == nil {
		t.Fatal("opened under another name")
	}
	other, err := Load(filepath.Join(t.TempDir(), FileName), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Unseal("secret_key", sealed); err == nil {
		t.Fatal("opened without a key store")
	}
	f, err := Open(path, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Set("a", "1"), f.Save("new")); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(""); !errors.Is(err, ErrPassword) {
		t.Fatal(err)
	}
	if err := s.Reload("new"); err != nil {
		t.Fatal(err)
	}
	if v, ok := s.Lookup("a"); !ok || v != "1" {
		t.Fatal(v, ok)
	}
	if got, err := s.Unseal("secret_key", sealed); err != nil || got != "text" {
		t.Fatalf("after a reload: %s, %v", got, err)
	}
}

func FuzzDecode(f *testing.F) {
	cost.Time, cost.Memory = 1, 64
	good, err := encode(map[string]string{"a": "b"}, "")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, _, err := readHeader(b); err == nil && (h.Memory > 1<<10 || h.Time > 2) {
			return // allowed, and slow
		}
		if _, err := decode(b, ""); err == nil && !bytes.Equal(b, good) {
			t.Fatal("a changed file was accepted")
		}
	})
}
