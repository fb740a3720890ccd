package repository

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math/rand"
	"strings"
	"testing"
	"time"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/faulty"
	"github.com/varve-search/varve/blob/mem"
	"github.com/varve-search/varve/internal/testseed"
	"github.com/varve-search/varve/lucene/store"
)

// luceneBytes returns n bytes that end with a right footer.
func luceneBytes(rnd *rand.Rand, n int) []byte {
	b := make([]byte, n-footerLen, n)
	rnd.Read(b)
	b = binary.BigEndian.AppendUint32(b, footerMagic)
	b = binary.BigEndian.AppendUint32(b, 0)
	return binary.BigEndian.AppendUint64(b, uint64(crc32.ChecksumIEEE(b)))
}

func resumeShard(t *testing.T, content []byte, chunk int64, hook faulty.Hook) (*Shard, FileInfo, blob.Container) {
	t.Helper()
	ctx := context.Background()
	under := mem.New()
	r, err := Open(ctx, under, Options{ChunkSize: chunk})
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.Shard(ctx, IndexID{Name: "ix", ID: "id"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.UploadFile(ctx, Upload{PhysicalName: "_0.fdt", Length: int64(len(content)), WrittenBy: "9.12.0", Content: bytes.NewReader(content)})
	if err != nil {
		t.Fatal(err)
	}
	if r, err = Open(ctx, faulty.New(under, hook), Options{}); err != nil {
		t.Fatal(err)
	}
	if s, err = r.Shard(ctx, IndexID{Name: "ix", ID: "id"}, 0); err != nil {
		t.Fatal(err)
	}
	return s, f, under
}

func TestResume(t *testing.T) {
	seed := testseed.Of(t)
	rnd := rand.New(rand.NewSource(seed))
	for range 60 {
		content := luceneBytes(rnd, footerLen+rnd.Intn(40_000))
		chunk := int64(0)
		if rnd.Intn(2) == 0 {
			chunk = int64(1 + rnd.Intn(20_000))
		}
		in := rand.New(rand.NewSource(rnd.Int63()))
		bytesAsked := 0
		s, f, _ := resumeShard(t, content, chunk, func(o faulty.Op) faulty.Fault {
			if o.Kind != "get" {
				return faulty.Fault{}
			}
			switch in.Intn(4) {
			case 0:
				return faulty.Fault{Before: faulty.Fail(blob.KindUnavailable)}
			case 1:
				return faulty.Fault{Cut: true, Truncate: int64(in.Intn(10_000))}
			}
			return faulty.Fault{}
		})
		retried := 0
		rc := s.OpenFileResuming(context.Background(), f, Resume{Attempts: 40, Retried: func(off int64, err error) {
			retried++
			if off < 0 || off > int64(len(content)) || err == nil {
				t.Errorf("retried at %d of %d: %v", off, len(content), err)
			}
		}})
		got, err := io.ReadAll(rc)
		bytesAsked += len(got)
		if err != nil || !bytes.Equal(got, content) {
			t.Fatalf("%d of %d bytes after %d retries: %v", len(got), len(content), retried, err)
		}
		if err := rc.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestResumeGivesUp(t *testing.T) {
	content := luceneBytes(rand.New(rand.NewSource(1)), 1000)
	open := func(hook faulty.Hook, r Resume) error {
		s, f, _ := resumeShard(t, content, 0, hook)
		rc := s.OpenFileResuming(context.Background(), f, r)
		defer rc.Close()
		_, err := io.ReadAll(rc)
		return err
	}
	gets := 0
	err := open(func(o faulty.Op) faulty.Fault {
		gets++
		return faulty.Fault{Before: faulty.Fail(blob.KindThrottled)}
	}, Resume{Attempts: 4, Pause: time.Millisecond, MaxPause: 2 * time.Millisecond})
	if blob.KindOf(err) != blob.KindThrottled || gets != 4 || !strings.Contains(err.Error(), "4 requests in a row") {
		t.Errorf("after %d requests: %v", gets, err)
	}
	gets = 0
	err = open(func(faulty.Op) faulty.Fault { gets++; return faulty.Fault{Before: faulty.Fail(blob.KindPermission)} }, Resume{Attempts: 4})
	if blob.KindOf(err) != blob.KindPermission || gets != 1 {
		t.Errorf("a refusal was asked for %d times: %v", gets, err)
	}
	// A changed byte is found though the stream was resumed behind it.
	gets = 0
	err = open(func(faulty.Op) faulty.Fault {
		gets++
		if gets == 1 {
			return faulty.Fault{Flip: true, FlipAt: 100, Cut: true, Truncate: 500}
		}
		return faulty.Fault{}
	}, Resume{Attempts: 4})
	if !store.IsCorrupt(err) {
		t.Errorf("a changed byte: %v", err)
	}
}

func TestResumeShortAndLongBlobs(t *testing.T) {
	content := luceneBytes(rand.New(rand.NewSource(2)), 1000)
	ctx := context.Background()
	for _, n := range []int{0, 400, 999, 1001} {
		s, f, under := resumeShard(t, content, 0, func(faulty.Op) faulty.Fault { return faulty.Fault{} })
		c, err := under.Container(s.Path())
		if err != nil {
			t.Fatal(err)
		}
		b := append(bytes.Clone(content), 7)[:n]
		if err := c.Put(ctx, f.Name, bytes.NewReader(b), int64(n), blob.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		rc := s.OpenFileResuming(ctx, f, Resume{Attempts: 9})
		if _, err := io.ReadAll(rc); !store.IsCorrupt(err) {
			t.Errorf("a blob of %d bytes in place of 1000: %v", n, err)
		}
		rc.Close()
	}
	cctx, cancel := context.WithCancel(ctx)
	s, f, _ := resumeShard(t, content, 0, func(o faulty.Op) faulty.Fault {
		if o.Kind == "get" {
			cancel()
		}
		return faulty.Fault{Before: faulty.Fail(blob.KindUnavailable)}
	})
	rc := s.OpenFileResuming(cctx, f, Resume{Attempts: 1000, Pause: time.Hour})
	if _, err := io.ReadAll(rc); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled in a pause: %v", err)
	}
}
