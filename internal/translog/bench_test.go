package translog

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

func BenchmarkAdd(b *testing.B) {
	for _, size := range []int{100, 1000, 10_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			l := must(Create(b.TempDir(), "", Options{}))(b)
			defer l.Close()
			op := Operation{Type: OpIndex, SeqNo: 1, Version: 1, ID: "doc-12345", Source: bytes.Repeat([]byte("x"), size)}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := l.Add(&op); err != nil {
					b.Fatal(err)
				}
				if l.CurrentSize() > 64<<20 {
					check(b, l.Roll())
					check(b, l.Trim(l.Generation()))
				}
			}
		})
	}
}

// BenchmarkGroupCommit has many writers that each wait for their operation to be on disk.
func BenchmarkGroupCommit(b *testing.B) {
	for _, writers := range []int{1, 4, 16, 64, 256} {
		b.Run(fmt.Sprint(writers), func(b *testing.B) {
			l := must(Create(b.TempDir(), "", Options{}))(b)
			defer l.Close()
			source := bytes.Repeat([]byte("x"), 500)
			before := l.last.sequence
			var left atomic.Int64
			left.Store(int64(b.N))
			var wg sync.WaitGroup
			for range writers {
				wg.Add(1)
				go func() {
					defer wg.Done()
					op := Operation{Type: OpIndex, SeqNo: 1, Version: 1, ID: "doc-12345", Source: source}
					for left.Add(-1) >= 0 {
						loc, err := l.Add(&op)
						if err == nil {
							err = l.Sync(loc)
						}
						if err != nil {
							b.Error(err)
							return
						}
					}
				}()
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/float64(l.last.sequence-before), "ops/sync")
		})
	}
}
