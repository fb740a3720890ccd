package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// runKeystore runs a command line with a standard input, and returns what it printed.
func runKeystore(t *testing.T, file, stdin string, args ...string) (string, error) {
	t.Helper()
	cmd := rootCommand()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetIn(strings.NewReader(stdin))
	cmd.SetArgs(append([]string{"keystore", "--keystore", file}, args...))
	err := cmd.Execute()
	return out.String(), err
}

func TestKeystore(t *testing.T) {
	t.Setenv("VARVE_KEYSTORE_PASSWORD", "first")
	file := filepath.Join(t.TempDir(), "varve.keystore")
	step := func(want, stdin string, args ...string) {
		t.Helper()
		out, err := runKeystore(t, file, stdin, args...)
		if err != nil {
			out += err.Error()
		}
		if !strings.Contains(out, want) || strings.Contains(out, "hidden") {
			t.Fatalf("%v: %s", args, out)
		}
	}
	step("there is no key store", "", "list")
	step("Made ", "", "create")
	step("exists", "", "create")
	step("", "hidden\n", "add", "--stdin", "s3.client.default.secret_key")
	step("already", "hidden", "add", "-x", "s3.client.default.secret_key")
	step("", "hidden2", "add", "-x", "-f", "s3.client.default.secret_key")
	step("Note: no repository reads a secret named s3.client.default.secrt_key", "hidden", "add", "-x", "s3.client.default.secrt_key")
	step("", "", "remove", "s3.client.default.secrt_key")
	step("may have letters", "hidden", "add", "-x", "a b")
	step("one secret", "hidden", "add", "-x", "a", "b")
	step("keystore.seed\ns3.client.default.secret_key\n", "", "list")
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("hidden3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	step("", "", "add-file", "other", token)
	step("no secret nothing", "", "remove", "nothing")
	step("", "", "remove", "other")
	step("", "second\n", "passwd")
	step("password is wrong", "", "list")
	os.Unsetenv("VARVE_KEYSTORE_PASSWORD")
	step("set VARVE_KEYSTORE_PASSWORD", "", "list")
	t.Setenv("VARVE_KEYSTORE_PASSWORD", "second")
	step("keystore.seed\ns3.client.default.secret_key\n", "", "list")
}
