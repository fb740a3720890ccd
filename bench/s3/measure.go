package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// result is what a run took. Times are in seconds.
type result struct {
	wall   float64
	cpu    float64 // of the client
	server float64 // CPU of the store
	other  float64 // CPU of all other processes
	peak   float64 // MiB of memory of the client
}

// machine says what this is measured on, and what else it does.
func machine() string {
	model := "processor unknown"
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, rest, ok := strings.Cut(string(b), "model name\t: "); ok {
			model, _, _ = strings.Cut(rest, "\n")
		}
	}
	load, _ := os.ReadFile("/proc/loadavg")
	return fmt.Sprintf("%d processors (%s), load %s", runtime.NumCPU(), model, strings.Join(strings.Fields(string(load) + " ? ? ?")[:3], " "))
}

// ticks is how many units of the kernel's counts of time there are in a second.
const ticks = 100

// processCPU is what a process has used so far.
func processCPU(pid int) float64 {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(f[11], 64)
	system, _ := strconv.ParseFloat(f[12], 64)
	return (user + system) / ticks
}

// busy is what all processes have used so far.
func busy() float64 {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(b), "\n")
	var sum float64
	for i, f := range strings.Fields(line) {
		if v, err := strconv.ParseFloat(f, 64); err == nil && i >= 1 && i <= 8 && i != 4 && i != 5 { // without idle and waiting
			sum += v
		}
	}
	return sum / ticks
}

// calm waits, for a while, for a second in which others hardly do anything.
func (b *bench) calm(ctx context.Context) {
	for end := time.Now().Add(b.patience); time.Now().Before(end) && ctx.Err() == nil; {
		before := busy()
		time.Sleep(time.Second)
		if busy()-before < 0.2*float64(runtime.NumCPU()) {
			return
		}
	}
}

// measure runs a program.
func (b *bench) measure(ctx context.Context, env []string, name string, args ...string) (result, error) {
	b.calm(ctx)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), append(b.server.env, env...)...)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	server, all, start := processCPU(b.server.pid), busy(), time.Now()
	err := cmd.Run()
	r := result{wall: time.Since(start).Seconds(), server: processCPU(b.server.pid) - server}
	if err != nil {
		return r, fmt.Errorf("%s %s: %w: %.600s", filepath.Base(name), strings.Join(args, " "), err, said.String())
	}
	r.cpu = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	r.other = max(0, busy()-all-r.cpu-r.server)
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		r.peak = float64(u.Maxrss) / 1024
	}
	return r, nil
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	if len(v) == 0 {
		return 0
	}
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// commit names what is measured.
func commit(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
