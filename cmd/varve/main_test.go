package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestCommands(t *testing.T) {
	root := rootCommand()
	var walk func(c *cobra.Command, repo bool)
	walk = func(c *cobra.Command, repo bool) {
		if c.Short == "" {
			t.Errorf("%s has no description", c.CommandPath())
		}
		if repo {
			if c.Example == "" || c.ValidArgsFunction == nil || !strings.Contains(c.Example, c.CommandPath()) {
				t.Errorf("%s lacks an example or completion", c.CommandPath())
			}
			if c.InheritedFlags().Lookup("json") == nil {
				t.Errorf("%s has no --json", c.CommandPath())
			}
		}
		for _, sub := range c.Commands() {
			walk(sub, c.Name() == "repo")
		}
	}
	walk(root, false)
}

func TestManPages(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man1")
	root := rootCommand()
	root.SetArgs([]string{"man", dir})
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"varve", "varve-serve", "varve-repo-verify", "varve-repo-repair", "varve-repo-open"} {
		b, err := os.ReadFile(filepath.Join(dir, name+".1"))
		if err != nil || !bytes.Contains(b, []byte(".SH NAME")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestExitStatus runs commands that cannot run: none of them says that all is well.
func TestExitStatus(t *testing.T) {
	for _, args := range [][]string{
		{"repo", "nope"}, {"repo", "ls"}, {"repo", "ls", "nowhere"}, {"repo", "verify", "fs:" + t.TempDir()}, {"repo", "repair", "fs:" + t.TempDir()},
		{"repo", "extract", "fs:x", "s", "i", "zero", "d"}, {"repo", "export", "--format", "xml", "fs:x", "s"},
	} {
		root := rootCommand()
		root.SetArgs(args)
		root.SetOut(&bytes.Buffer{})
		root.SetErr(&bytes.Buffer{})
		if err := root.Execute(); err == nil {
			t.Errorf("%v: no error", args)
		}
	}
}

// TestErrors looks at what a command that cannot run says.
func TestErrors(t *testing.T) {
	for args, want := range map[string]string{
		"repo ls":                                  "varve: accepts between 1 and 2 arg(s), received 0: varve repo ls LOCATION [SNAPSHOT] [flags]\n",
		"repo ls --json fs:/none":                  `{"error":"open the repository at fs:/none: there is no such folder"}` + "\n",
		"repo verify --json fs:/none":              `{"error":"verify the repository at fs:/none: there is no such folder"}` + "\n",
		"repo check-store fs:/none":                "varve: check the store at fs:/none: there is no such folder; create it first if it is meant to be there\n",
		"repo verfy fs:/none":                      "varve: unknown command \"verfy\" for \"varve repo\": did you mean verify?\n",
		"repo verify fs:/ --remote-store fs:/none": "varve: open the remote store at fs:/none: there is no such folder\n",
		"repo extract fs:/none a b 1 to":           "varve: open the repository at fs:/none: there is no such folder\n",
	} {
		root := rootCommand()
		root.SetArgs(strings.Fields(args))
		cmd, err := root.ExecuteC()
		if err == nil {
			t.Fatalf("%s: no error", args)
		}
		var out bytes.Buffer
		printError(&out, cmd, err)
		if out.String() != want {
			t.Errorf("%s: %q, want %q", args, out.String(), want)
		}
	}
}

// TestMissingFolder runs every command on a folder that is not there, as after a slip of the pen: each says so, and none makes it.
func TestMissingFolder(t *testing.T) {
	parent := t.TempDir()
	for _, command := range []string{"ls @", "ls @ s", "show @ s", "verify @", "verify --deep @", "du @", "cat @ s i", "export @ s", "diff @ a b", "extract @ s i 0 OUT", "open @ s",
		"prune @", "prune --apply @", "repair @", "repair --apply @", "cp @ fs:OUT", "check-store @"} {
		root := rootCommand()
		args := strings.NewReplacer("@", "fs:"+filepath.Join(parent, "mistyped"), "OUT", filepath.Join(parent, "out")).Replace("repo " + command)
		root.SetArgs(strings.Fields(args))
		root.SetOut(&bytes.Buffer{})
		root.SetErr(&bytes.Buffer{})
		if err := root.Execute(); err == nil || !strings.Contains(err.Error(), "mistyped: there is no such folder") {
			t.Errorf("%s: %v", command, err)
		}
		if made, err := os.ReadDir(parent); err != nil || len(made) > 0 {
			t.Fatalf("%s made %v, %v", command, made, err)
		}
	}
}

func TestCompletion(t *testing.T) {
	root := rootCommand()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&bytes.Buffer{})
	root.SetArgs([]string{"__complete", "repo", "ls", ""})
	if err := root.Execute(); err != nil || !strings.Contains(out.String(), "fs:\n") {
		t.Errorf("%v: %s", err, out.String())
	}
	dir := t.TempDir()
	for _, name := range []string{"backups", "bare"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"backups/index.latest", "bad"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out.Reset()
	root = rootCommand()
	root.SetOut(&out)
	root.SetErr(&bytes.Buffer{})
	root.SetArgs([]string{"__complete", "repo", "ls", "fs:" + dir + "/ba"})
	want := "fs:" + dir + "/backups\nfs:" + dir + "/bare/\n"
	if err := root.Execute(); err != nil || !strings.HasPrefix(out.String(), want) || strings.Contains(out.String(), "bad") {
		t.Errorf("%v: %s", err, out.String())
	}
}
