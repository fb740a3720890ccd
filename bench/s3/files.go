package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

const mib = 1 << 20

var sizes = map[string]struct{ count, size int }{"big": {64, 16 * mib}, "small": {5000, 20 << 10}}

// row is a run of a tool.
type row struct {
	tool, op string
	round    int
	result
}

// files compares the tools on a set of files.
func (b *bench) files(ctx context.Context, set string, names []string) (err error) {
	size, ok := sizes[set]
	if !ok {
		return fmt.Errorf("there is no set [%s]; there are big and small", set)
	}
	dir := filepath.Join(b.work, set)
	if err := makeFiles(dir, size.count, size.size); err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var rows []row
	keep := func(remove func() error) error { return remove() }
	if size.size < mib {
		// A file system that takes care not to give away at once what became free, as ext4 does, makes each new file slower by all that were deleted in the
		// last minutes: with thousands of them it is the trace of the run before that is measured. So they stay until the set is done.
		var late []func() error
		keep = func(remove func() error) error {
			late = append(late, remove)
			return nil
		}
		defer func() {
			for _, remove := range late {
				err = errors.Join(err, remove())
			}
		}()
	}
	defer func() { // what there is, also when it is broken off
		if len(rows) > 0 {
			fmt.Fprintf(b.out, "\n## %d files of %d KiB\n", size.count, size.size>>10)
			b.table(rows, names, float64(size.count)*float64(size.size))
		}
	}()
	for round := range b.rounds {
		order := append([]string(nil), names...)
		mathrand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, tool := range order {
			up, down, err := b.upAndDown(ctx, tool, set, dir, fmt.Sprint("-", round), size.count, keep)
			if err != nil {
				return err
			}
			rows = append(rows, row{tool, "up", round, up}, row{tool, "down", round, down})
			fmt.Fprintf(os.Stderr, "%s, round %d, %s: up %.2f s, down %.2f s\n", set, round+1, tool, up.wall, down.wall)
		}
	}
	return nil
}

// inFolder is how many files of a set lie in one folder: with very many, making files would be what is measured, and with few, listing folders.
const inFolder = 100

// makeFiles fills a folder with files of random bytes, which are then in the page cache.
func makeFiles(dir string, count, size int) error {
	buf := make([]byte, size)
	for i := range count {
		if _, err := io.ReadFull(rand.Reader, buf); err != nil {
			return err
		}
		sub := filepath.Join(dir, fmt.Sprintf("%02d", i/inFolder))
		if err := os.MkdirAll(sub, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(sub, fmt.Sprintf("f%05d", i)), buf, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// upAndDown lets a tool bring a folder into a fresh bucket, and back into another folder. What that leaves is removed through keep.
func (b *bench) upAndDown(ctx context.Context, tool, set, dir, suffix string, count int, keep func(func() error) error) (up, down result, err error) {
	bucket := tool + "-" + set + suffix
	if err := b.server.bucket(bucket); err != nil {
		return up, down, err
	}
	defer func() { err = errors.Join(err, keep(func() error { return b.server.remove(bucket) })) }()
	to := filepath.Join(b.work, "back-"+bucket)
	if err := os.Mkdir(to, 0o755); err != nil {
		return up, down, err
	}
	defer func() { err = errors.Join(err, keep(func() error { return os.RemoveAll(to) })) }()
	run := func(op, dir string) (result, error) {
		program, args, env, err := b.commandOf(tool, set, op, bucket, dir)
		if err != nil {
			return result{}, err
		}
		return b.measure(ctx, env, program, args...)
	}
	if up, err = run("up", dir); err != nil {
		return up, down, err
	}
	if down, err = run("down", to); err != nil {
		return up, down, err
	}
	back := 0
	err = filepath.WalkDir(to, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			back++
		}
		return err
	})
	if err == nil && back != count {
		err = fmt.Errorf("%s brought %d of %d files back", tool, back, count)
	}
	return up, down, err
}

// commandOf is how a tool is called.
func (b *bench) commandOf(tool, set, op, bucket, dir string) (program string, args, env []string, err error) {
	kind, n := tool, ""
	for _, k := range []string{"varve", "sdk"} {
		if rest, ok := strings.CutPrefix(tool, k); ok {
			kind, n = k, rest
		}
	}
	switch kind {
	case "varve":
		if n == "" {
			n = map[string]string{"small": "16"}[set]
		}
		if n == "" {
			n = "8"
		}
		if program, err = os.Executable(); err != nil {
			return "", nil, nil, err
		}
		args = []string{"worker", "-location", b.server.location(bucket), "-dir", dir, "-op", op, "-n", n}
		if b.profile != "" {
			args = append(args, "-cpuprofile", filepath.Join(b.profile, set+"-"+op))
		}
	case "sdk":
		program, args = filepath.Join(b.bin, "sdk"), []string{"-endpoint", b.server.endpoint, "-bucket", bucket, "-dir", dir, "-op", op, "-n", n}
	case "s5cmd":
		from, to := dir+"/", "s3://"+bucket+"/"
		if op == "down" {
			from, to = to+"*", from
		}
		program, args = b.peer("s5cmd"), []string{"--log", "error", "--endpoint-url", b.server.endpoint, "--numworkers", "32", "cp", from, to}
	case "rclone":
		from, to := dir, "P:"+bucket
		if op == "down" {
			from, to = to, from
		}
		program, args = b.peer("rclone"), []string{"-q", "copy", "--transfers", "16", "--checkers", "16", "--s3-no-check-bucket", from, to}
		env = []string{"RCLONE_CONFIG=/dev/null", "RCLONE_CONFIG_P_TYPE=s3", "RCLONE_CONFIG_P_PROVIDER=Minio", "RCLONE_CONFIG_P_ENV_AUTH=true",
			"RCLONE_CONFIG_P_ENDPOINT=" + b.server.endpoint, "RCLONE_CONFIG_P_REGION=us-east-1"}
	default:
		err = fmt.Errorf("there is no tool [%s]; there are varve, sdkN, s5cmd and rclone", tool)
	}
	return program, args, env, err
}

// ours tells whether a tool is blob/s3.
func ours(tool string) bool { return strings.HasPrefix(tool, "varve") }

func (b *bench) table(rows []row, names []string, bytes float64) {
	fmt.Fprintln(b.out, "\n| | tool | of the best peer | MiB/s (least to most) | client CPU s per GB | peak MiB | store CPU s | others' share |")
	fmt.Fprintln(b.out, "|---|---|---:|---:|---:|---:|---:|---:|")
	for _, op := range []string{"up", "down"} {
		best := map[int]float64{} // by round, seconds
		for _, r := range rows {
			if old, ok := best[r.round]; r.op == op && !ours(r.tool) && (!ok || r.wall < old) {
				best[r.round] = r.wall
			}
		}
		for _, tool := range names {
			var ratio, speed, cpu, peak, server, other []float64
			for _, r := range rows {
				if r.tool != tool || r.op != op {
					continue
				}
				if t, ok := best[r.round]; ok {
					ratio = append(ratio, t/r.wall)
				}
				speed = append(speed, bytes/mib/r.wall)
				cpu, peak, server, other = append(cpu, r.cpu/(bytes/1e9)), append(peak, r.peak), append(server, r.server), append(other, r.other/r.wall/float64(runtime.NumCPU()))
			}
			if len(speed) == 0 {
				continue
			}
			fmt.Fprintf(b.out, "| %s | %s | %.2f | %.0f (%.0f to %.0f) | %.2f | %.0f | %.1f | %.0f %% |\n", op, tool, median(ratio), median(speed), slices.Min(speed), slices.Max(speed),
				median(cpu), slices.Max(peak), median(server), 100*median(other))
		}
	}
}
