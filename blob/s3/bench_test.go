package s3

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/errgroup"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/internal/oracletest"
)

// BenchmarkThroughput compares with the bare SDK, in turns, on one server: 16 objects of 16 MiB and 500 of 20 KiB, eight at a
// time. It prints medians; a run takes longer than a second, so that there is one.
func BenchmarkThroughput(t *testing.B) {
	srv := oracletest.S3Server(t, "minio")
	c := fresh(t, srv)
	ctx := context.Background()
	for _, set := range []struct {
		count, size int
	}{{16, 16 * mib}, {500, 20 << 10}} {
		content := make([]byte, set.size)
		rand.New(rand.NewSource(1)).Read(content)
		each := func(fn func(key string) error) float64 {
			start := time.Now()
			var g errgroup.Group
			g.SetLimit(8)
			for i := range set.count {
				g.Go(func() error { return fn(fmt.Sprint("k", i)) })
			}
			if err := g.Wait(); err != nil {
				t.Fatal(err)
			}
			return time.Since(start).Seconds()
		}
		ways := []struct {
			name string
			run  func(key string) error
		}{
			{"up, SDK", func(key string) error {
				_, err := c.api.PutObject(ctx, &s3.PutObjectInput{Bucket: &c.cfg.bucket, Key: &key, Body: bytes.NewReader(content)})
				return err
			}},
			{"up, ours", func(key string) error {
				return c.Put(ctx, key, io.MultiReader(bytes.NewReader(content)), int64(set.size), blob.PutOptions{})
			}},
			{"down, SDK", func(key string) error {
				out, err := c.api.GetObject(ctx, &s3.GetObjectInput{Bucket: &c.cfg.bucket, Key: &key})
				if err != nil {
					return err
				}
				defer out.Body.Close()
				_, err = io.Copy(io.Discard, out.Body)
				return err
			}},
			{"down, ours", func(key string) error {
				r, err := c.Get(ctx, key)
				if err != nil {
					return err
				}
				defer r.Close()
				_, err = io.Copy(io.Discard, r)
				return err
			}},
		}
		speed, cpu := map[string][]float64{}, map[string][]float64{}
		for range 3 {
			for _, w := range ways {
				before := cpuSeconds(t)
				took := each(w.run)
				total := float64(set.count) * float64(set.size)
				speed[w.name] = append(speed[w.name], total/took/mib)
				cpu[w.name] = append(cpu[w.name], (cpuSeconds(t)-before)/(total/1e9))
			}
		}
		for _, w := range ways {
			slices.Sort(speed[w.name])
			slices.Sort(cpu[w.name])
			t.Logf("%4d x %8d %-11s %6.0f MiB/s (%.0f-%.0f), %.2f s of CPU per GB", set.count, set.size, w.name, speed[w.name][1], speed[w.name][0], speed[w.name][2], cpu[w.name][1])
		}
	}
}

// cpuSeconds is what this process has used.
func cpuSeconds(t testing.TB) float64 {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}
