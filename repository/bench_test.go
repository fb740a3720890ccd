package repository

import (
	"flag"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"
)

var (
	benchSnapshots = flag.Int("bench-snapshots", 10, "snapshots of the repository that BenchmarkDelete has")
	benchIndices   = flag.Int("bench-indices", 200, "its indices, of five shards each")
)

// computed is for how long this process has computed: what the load of the machine falsifies least.
func computed(t testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkDelete deletes snapshots of a repository on a file system: one, whose shards' indices must be read, and then three
// more, whose shards' indices are known. Some file systems take longer than all else (ext4 without journal looks at each inode
// that was freed a short while ago when it makes a file, and with the option discard waits for the disk at each removal), so TMPDIR
// had better be one in memory, or a journaled one for what is waited for.
func BenchmarkDelete(b *testing.B) {
	src := b.TempDir()
	r := openDir(b, src, Options{})
	m := newModel(b, random(b), r)
	ix := &indexModel{name: "index", uuid: NewUUID(), commit: 1, shards: make([]shardModel, 5)}
	for s := range ix.shards {
		ix.shards[s] = shardModel{"_0.cfs": luceneFile(m.rnd, 900), "_0.cfe": luceneFile(m.rnd, 300), "_0.si": luceneFile(m.rnd, 300), "segments_3": luceneFile(m.rnd, 300)}
	}
	m.indices[ix.name] = ix
	for len(load(b, r).Indices) == 0 { // the model leaves indices out at random
		if err := m.snapshot(r); err != nil {
			b.Fatal(err)
		}
	}
	have := len(load(b, r).Snapshots)
	multiply(b, r, *benchSnapshots-have)
	multiplyIndices(b, r, *benchIndices-1)
	took := map[string]time.Duration{}
	shards := 5 * *benchIndices
	for range b.N {
		dir := b.TempDir()
		if err := os.CopyFS(dir, os.DirFS(src)); err != nil {
			b.Fatal(err)
		}
		syscall.Sync() // removing a file that has no place on the disk yet takes hardly any time
		r := openDir(b, dir, Options{})
		at := 1
		for _, n := range []int{1, 3} {
			d := load(b, r)
			var ids []SnapshotID
			for _, s := range d.Snapshots[at : at+n] {
				ids = append(ids, s.SnapshotID)
			}
			start, wall := computed(b), time.Now()
			res, err := r.Delete(bg, d, ids)
			took[fmt.Sprintf("µs/shard-of-%d", n)] += time.Since(wall)
			took[fmt.Sprintf("cpu-µs/shard-of-%d", n)] += computed(b) - start
			if err != nil || len(res.Warnings) > 0 {
				b.Fatal(err, res)
			}
			if want := int64(shards*(n+1) + 2*n); res.Deleted != want {
				b.Fatalf("%d blobs were deleted, not %d", res.Deleted, want)
			}
		}
	}
	for what, t := range took {
		b.ReportMetric(float64(t.Microseconds())/float64(b.N*shards), what)
	}
}
