package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "worker" {
		exit(worker(os.Args[2:]))
	}
	var b bench
	flag.IntVar(&b.rounds, "rounds", 3, "how often each tool runs")
	sets := flag.String("sets", "big,small", "sets of files; none for nothing but -product")
	names := flag.String("tools", "varve,sdk8,sdk16,s5cmd,rclone", "what runs; varve and sdk may be followed by the number of files at a time")
	product := flag.Bool("product", true, "also snapshots and restores, beside a real OpenSearch")
	docs := flag.Int("docs", 24000, "documents of 10 kB in the index of that")
	flag.DurationVar(&b.patience, "wait", 5*time.Second, "how long to wait for a calm second before each run")
	out := flag.String("out", "", "file that gets the tables too")
	flag.StringVar(&b.profile, "profile", "", "folder for CPU profiles of varve")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exit(b.run(ctx, strings.Split(*sets, ","), strings.Split(*names, ","), *product, *docs, *out))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench/s3: "+err.Error())
		os.Exit(1)
	}
	os.Exit(0)
}

// bench is one run.
type bench struct {
	rounds   int
	patience time.Duration
	profile  string

	shared string // folder of the shared scripts
	bin    string // folder of the tools
	work   string // folder of this run
	server *server
	out    io.Writer
}

func (b *bench) run(ctx context.Context, sets, names []string, product bool, docs int, out string) (err error) {
	if b.shared = os.Getenv("VARVE_SHARED"); b.shared == "" {
		b.shared = filepath.Join("..", "shared")
	}
	if b.shared, err = filepath.Abs(b.shared); err != nil {
		return err
	}
	b.out = os.Stdout
	if out != "" {
		f, err := os.Create(out)
		if err != nil {
			return err
		}
		defer f.Close()
		b.out = io.MultiWriter(os.Stdout, f)
	}
	if err := b.install(ctx, names); err != nil {
		return err
	}
	if b.work, err = os.MkdirTemp("", "varve-bench-s3-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.work)
	if b.server, err = b.startServer(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.server.stop()) }()
	fmt.Fprintf(b.out, "%s, %s, commit %s\n", time.Now().UTC().Format("2006-01-02 15:04"), machine(), commit(ctx))
	if len(sets) == 1 && sets[0] == "none" {
		sets = nil
	}
	for _, set := range sets {
		if err := b.files(ctx, set, names); err != nil {
			return err
		}
	}
	if product {
		return b.products(ctx, docs)
	}
	return nil
}
