package index

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/store"
)

// logDocuments makes documents like log lines: an id, a source, a text of some 25 words, keywords and numbers.
func logDocuments(n int) []*lucene.Document {
	r := rand.New(rand.NewPCG(1, 1))
	zipf := rand.NewZipf(r, 1.2, 4, 60000)
	docs := make([]*lucene.Document, n)
	for i := range docs {
		text := ""
		for range 15 + r.IntN(20) {
			text += fmt.Sprintf("word%d ", zipf.Uint64())
		}
		id := fmt.Sprintf("%020x", r.Uint64())
		source := fmt.Sprintf(`{"@timestamp":"2024-05-%02dT12:00:00Z","host":"host-%d","message":%q,"bytes":%d,"status":%d}`,
			1+r.IntN(28), r.IntN(200), text, r.IntN(1<<20), 200)
		host, level := []byte(fmt.Sprintf("host-%d", r.IntN(200))), []byte([]string{"info", "warn", "error"}[r.IntN(3)])
		ts, size := 1714521600000+int64(i)*250+r.Int64N(1000), int64(r.IntN(1<<20))
		docs[i] = &lucene.Document{Fields: []lucene.Field{
			{Name: "_id", Type: typeID, Term: []byte(id), Stored: lucene.StoredValue{Kind: lucene.StoredBytes, Bytes: []byte(id)}},
			{Name: "_source", Type: typeStored, Stored: lucene.StoredValue{Kind: lucene.StoredBytes, Bytes: []byte(source)}},
			{Name: "_seq_no", Type: typeSeqNo, Num: int64(i), Point: sortableBytes(int64(i))},
			{Name: "_version", Type: typeNum, Num: 1},
			{Name: "_primary_term", Type: typeNum, Num: 1},
			{Name: "@timestamp", Type: typeLong, Num: ts, Point: sortableBytes(ts)},
			{Name: "host", Type: typeKW, Term: host, Bytes: host},
			{Name: "level", Type: typeKW, Term: level, Bytes: level},
			{Name: "message", Type: typeText, Tokens: words(text)},
			{Name: "bytes", Type: typeLong, Num: size, Point: sortableBytes(size)},
			{Name: "status", Type: typeInt, Num: 200, Point: sortableBytes4(200)},
		}}
	}
	return docs
}

var typeSeqNo = &lucene.FieldType{DocValuesType: lucene.DocValuesNumeric, PointDims: 1, PointIndexDims: 1, PointBytes: 8}

// BenchmarkBuffer measures the in-memory segment alone: no stored fields, no analysis.
func BenchmarkBuffer(b *testing.B) {
	docs := logDocuments(20000)
	b.ReportAllocs()
	b.ResetTimer()
	var buf *buffer
	one := make([]*lucene.Document, 1)
	for i := range b.N {
		if i%len(docs) == 0 {
			buf = testBuffer()
		}
		d := docs[i%len(docs)]
		rewind(d)
		one[0] = d
		if err := buf.add(one); err != nil {
			b.Fatal(err)
		}
		buf.seal(int64(i))
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "docs/s")
}

// BenchmarkIndexing measures a writer with two goroutines on the file system, merges and a final commit included.
func BenchmarkIndexing(b *testing.B) {
	docs := logDocuments(20000)
	dir, err := store.OpenFS(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	w := openTest(b, dir, Config{OnMergeError: func(err error) { b.Error(err) }})
	const workers = 2
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	for g := range workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			part := docs[g*len(docs)/workers : (g+1)*len(docs)/workers]
			for i := range b.N / workers {
				d := part[i%len(part)]
				rewind(d)
				if _, err := w.AddDocuments(b.Context(), d); err != nil {
					b.Error(err)
					return
				}
			}
		}()
	}
	wg.Wait()
	if err := w.Commit(b.Context(), nil); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "docs/s")
	b.Logf("%d documents: %+v", b.N, w.Stats())
	if err := w.Rollback(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkForceMerge measures merging ten segments of b.N documents into one.
func BenchmarkForceMerge(b *testing.B) {
	docs := logDocuments(20000)
	dir, err := store.OpenFS(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	w := openTest(b, dir, Config{NoMerges: true})
	for i := range b.N {
		d := docs[i%len(docs)]
		rewind(d)
		if _, err := w.AddDocuments(b.Context(), d); err != nil {
			b.Fatal(err)
		}
		if i%(b.N/10+1) == b.N/10 {
			if err := w.Commit(b.Context(), nil); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	if err := w.ForceMerge(b.Context(), 1); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "docs/s")
	if err := w.Rollback(); err != nil {
		b.Fatal(err)
	}
}
