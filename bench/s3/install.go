package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// peers are the tools of others, in the versions that the results are of.
var peers = map[string]struct{ module, version string }{
	"s5cmd":  {"github.com/peak/s5cmd/v2", "v2.3.0"},
	"rclone": {"github.com/rclone/rclone", "v1.75.1"},
}

// install builds what is missing among the tools.
func (b *bench) install(ctx context.Context, names []string) error {
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	b.bin = filepath.Join(cache, "varve-bench")
	if err := os.MkdirAll(b.bin, 0o755); err != nil {
		return err
	}
	for _, name := range names {
		if p, ok := peers[name]; ok {
			if err := b.installPeer(ctx, name, p.module, p.version); err != nil {
				return err
			}
		}
	}
	return command(ctx, filepath.Join("bench", "s3", "sdk"), "go", "build", "-o", filepath.Join(b.bin, "sdk"), ".")
}

// installPeer builds a tool in a module of its own: some of their versions cannot be named to go install.
func (b *bench) installPeer(ctx context.Context, name, module, version string) error {
	to := b.peer(name)
	if _, err := os.Stat(to); err == nil {
		return nil
	}
	fmt.Fprintf(os.Stderr, "building %s %s\n", name, version)
	dir, err := os.MkdirTemp("", "varve-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, args := range [][]string{{"mod", "init", "wrap"}, {"mod", "edit", "-require=" + module + "@" + version}, {"build", "-mod=mod", "-o", to, module}} {
		if err := command(ctx, dir, "go", args...); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) peer(name string) string {
	return filepath.Join(b.bin, name+"-"+peers[name].version)
}

// command runs a program in a folder; what it says is in the error.
func command(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return nil
}
