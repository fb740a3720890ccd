package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime/pprof"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/varve-search/varve/blob"
	_ "github.com/varve-search/varve/blob/s3" // the scheme s3
	"github.com/varve-search/varve/internal/heapfloor"
)

// worker moves the files of a folder with blob/s3: what this command does in a process of its own, so that its time and memory can
// be measured beside those of other programs.
func worker(args []string) error {
	f := flag.NewFlagSet("worker", flag.ContinueOnError)
	location := f.String("location", "", "s3://BUCKET?endpoint=URL&…")
	dir := f.String("dir", "", "folder")
	op := f.String("op", "up", "up or down")
	n := f.Int("n", 8, "files at a time")
	profile := f.String("cpuprofile", "", "file for a profile")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *profile != "" {
		out, err := os.Create(*profile)
		if err != nil {
			return err
		}
		defer out.Close()
		if err := pprof.StartCPUProfile(out); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	heapfloor.Keep() // as the server does
	g, ctx := errgroup.WithContext(context.Background())
	c, err := blob.Open(ctx, *location)
	if err != nil {
		return err
	}
	move := up
	if *op == "down" {
		move = down
	}
	names := make(chan string)
	for range *n {
		g.Go(func() error {
			buf := make([]byte, 64<<10) // as the server's
			for name := range names {
				if err := move(ctx, c, name, filepath.Join(*dir, name), buf); err != nil {
					return err
				}
			}
			return nil
		})
	}
	send := func(name string) error {
		select {
		case names <- name:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if *op == "down" {
		err = stored(ctx, c, send)
	} else {
		err = filepath.WalkDir(*dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			return send(strings.TrimPrefix(path, *dir+"/"))
		})
	}
	close(names)
	return errors.Join(err, g.Wait())
}

// stored names the blobs of a container, and of the containers in it.
func stored(ctx context.Context, c blob.Container, fn func(string) error) error {
	if err := c.List(ctx, "", func(i blob.Info) error { return fn(i.Name) }); err != nil {
		return err
	}
	return c.Children(ctx, func(child string) error {
		sub, err := c.Container(child)
		if err != nil {
			return err
		}
		return sub.List(ctx, "", func(i blob.Info) error { return fn(child + "/" + i.Name) })
	})
}

// place returns the container and the name of a blob.
func place(c blob.Container, name string) (blob.Container, string, error) {
	dir, file := path.Split(name)
	if dir == "" {
		return c, file, nil
	}
	sub, err := c.Container(strings.TrimSuffix(dir, "/"))
	return sub, file, err
}

func up(ctx context.Context, c blob.Container, name, from string, _ []byte) error {
	c, name, err := place(c, name)
	if err != nil {
		return err
	}
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	return c.Put(ctx, name, f, st.Size(), blob.PutOptions{})
}

func down(ctx context.Context, c blob.Container, name, to string, buf []byte) error {
	c, name, err := place(c, name)
	if err != nil {
		return err
	}
	r, err := c.Get(ctx, name)
	if err != nil {
		return err
	}
	defer r.Close()
	f, err := os.Create(to)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(to), 0o755); err == nil {
			f, err = os.Create(to)
		}
	}
	if err != nil {
		return err
	}
	if _, err = io.CopyBuffer(struct{ io.Writer }{f}, r, buf); err != nil {
		f.Close()
		return fmt.Errorf("%s: %w", name, err)
	}
	return f.Close()
}
