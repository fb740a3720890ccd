package repository

import (
	"hash/crc32"
	"math/rand"
	"testing"
	"time"
)

// TestAppendCRC compares with hash/crc32, and beyond what fits into memory with itself: the order of appending makes no difference.
func TestAppendCRC(t *testing.T) {
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewSource(seed))
	for i := range 3000 {
		b := make([]byte, rnd.Intn(1+i))
		rnd.Read(b)
		at := rnd.Intn(len(b) + 1)
		if got, want := appendCRC(crc32.ChecksumIEEE(b[:at]), crc32.ChecksumIEEE(b[at:]), int64(len(b)-at)), crc32.ChecksumIEEE(b); got != want {
			t.Fatalf("%d bytes, and %d: %08x, not %08x", at, len(b)-at, got, want)
		}
	}
	for range 1000 {
		a, b, c, m, n := rnd.Uint32(), rnd.Uint32(), rnd.Uint32(), rnd.Int63n(1<<60), rnd.Int63n(1<<60)
		if left, right := appendCRC(appendCRC(a, b, m), c, n), appendCRC(a, appendCRC(b, c, n), m+n); left != right {
			t.Fatalf("%08x, %08x of %d bytes and %08x of %d: %08x or %08x", a, b, m, c, n, left, right)
		}
	}
	zeros := make([]byte, 5<<20)
	if got, want := appendCRC(crc32.ChecksumIEEE(zeros[:12345]), crc32.ChecksumIEEE(zeros[12345:]), int64(len(zeros)-12345)), crc32.ChecksumIEEE(zeros); got != want {
		t.Fatalf("zeros: %08x, not %08x", got, want)
	}
}
