package translog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/varve-search/varve/internal/testseed"
)

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// randomOp makes the operation with number n; the same rnd state gives the same operation.
func randomOp(rnd *rand.Rand, n int64) Operation {
	id := fmt.Sprintf("doc-%d", rnd.IntN(50))
	switch rnd.IntN(6) {
	case 0:
		return Operation{Type: OpDelete, SeqNo: n, PrimaryTerm: 1, Version: n + 1, ID: id}
	case 1:
		return Operation{Type: OpNoOp, SeqNo: n, PrimaryTerm: 2, Reason: "filling gaps"}
	}
	op := Operation{Type: OpIndex, SeqNo: n, PrimaryTerm: 1, Version: n + 1, ID: id, Source: []byte{}}
	if rnd.IntN(4) == 0 {
		op.Routing = "route"
	}
	for range rnd.IntN(300) {
		op.Source = append(op.Source, byte(rnd.Uint32()))
	}
	return op
}

func readAll(t testing.TB, l *Log, min, fromSeqNo int64) []Operation {
	t.Helper()
	s := must(l.NewSnapshot(min, fromSeqNo))(t)
	defer func() { check(t, s.Close()) }()
	var ops []Operation
	for {
		var op Operation
		err := s.Next(&op)
		if errors.Is(err, io.EOF) {
			return ops
		}
		check(t, err)
		if op.Source != nil {
			op.Source = append([]byte{}, op.Source...)
		}
		ops = append(ops, op)
	}
}

func sameOps(t testing.TB, got, want []Operation) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d operations, want %d", len(got), len(want))
	}
	for i := range got {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Fatalf("operation %d is %+v, want %+v", i, got[i], want[i])
		}
	}
}

func TestAddReadReopen(t *testing.T) {
	seed := uint64(testseed.Of(t))
	rnd := rand.New(rand.NewPCG(seed, 1))
	dir := t.TempDir()
	l := must(Create(dir, "", Options{BufferSize: 4 << 10}))(t)
	id := l.UUID()
	var ops []Operation
	var locs []Location
	for n := range int64(2000) {
		op := randomOp(rnd, n)
		if n == 700 { // larger than the buffer
			op = Operation{Type: OpIndex, SeqNo: n, ID: "big", Source: bytes.Repeat([]byte("x"), 100_000)}
		}
		ops = append(ops, op)
		locs = append(locs, must(l.Add(&op))(t))
		switch rnd.IntN(100) {
		case 0:
			check(t, l.Sync(locs[rnd.IntN(len(locs))]))
		case 1:
			check(t, l.Roll())
		case 2:
			sameOps(t, readAll(t, l, 0, 0), ops)
		}
		i := rnd.IntN(len(locs))
		sameOps(t, []Operation{must(l.Read(locs[i]))(t)}, ops[i:i+1])
	}
	if st := l.Stats(0); st.Operations != 2000 || st.MinSeqNo != 0 || st.MaxSeqNo != 1999 {
		t.Fatalf("stats %+v", st)
	}
	l.SetGlobalCheckpoint(1500)
	check(t, l.Close())
	check(t, l.Close())
	if _, err := l.Add(&ops[0]); !errors.Is(err, ErrClosed) {
		t.Fatalf("add to a closed log: %v", err)
	}

	var mismatch *UUIDMismatchError
	if _, err := Open(dir, uuid{}.String(), Options{}); !errors.As(err, &mismatch) {
		t.Fatalf("open with another UUID: %v", err)
	}
	l = must(Open(dir, id, Options{}))(t)
	defer l.Close()
	sameOps(t, readAll(t, l, 0, 0), ops)
	sameOps(t, readAll(t, l, 0, 1234), ops[1234:])
	if l.GlobalCheckpoint() != 1500 {
		t.Fatalf("global checkpoint %d", l.GlobalCheckpoint())
	}
	for i := range locs {
		sameOps(t, []Operation{must(l.Read(locs[i]))(t)}, ops[i:i+1])
	}
	if _, err := l.Read(Location{Generation: l.Generation(), Offset: 64, Size: 20}); err == nil {
		t.Fatal("read beyond the end")
	}
}

func TestTrim(t *testing.T) {
	dir := t.TempDir()
	l := must(Create(dir, "", Options{}))(t)
	var first Location
	for n := range int64(50) {
		loc := must(l.Add(&Operation{Type: OpNoOp, SeqNo: n, Reason: "r"}))(t)
		if n == 0 {
			first = loc
		}
		if n%10 == 9 {
			check(t, l.Roll())
		}
	}
	if g := l.MinGenerationFor(25); g != 3 {
		t.Fatalf("sequence number 25 is in generation %d", g)
	}
	s := must(l.NewSnapshot(0, 0))(t)
	check(t, l.Trim(3))
	check(t, l.Trim(2))
	var op Operation
	n := 0
	for ; ; n++ {
		if err := s.Next(&op); errors.Is(err, io.EOF) {
			break
		} else {
			check(t, err)
		}
	}
	check(t, s.Close())
	if n != 50 {
		t.Fatalf("a snapshot taken before the trim read %d operations", n)
	}
	if _, err := l.Read(first); !errors.Is(err, ErrTrimmed) {
		t.Fatalf("read a trimmed operation: %v", err)
	}
	if ops := readAll(t, l, 0, 0); len(ops) != 30 || ops[0].SeqNo != 20 {
		t.Fatalf("%d operations after the trim", len(ops))
	}
	check(t, l.Trim(1000)) // keeps the current one
	check(t, l.Close())
	l = must(Open(dir, "", Options{}))(t)
	if ops := readAll(t, l, 0, 0); len(ops) != 0 {
		t.Fatalf("%d operations after trimming all", len(ops))
	}
	check(t, l.Close())
	check(t, Remove(dir))
	if names := must(osFS{}.List(dir))(t); len(names) != 0 {
		t.Fatalf("left after Remove: %v", names)
	}
	if _, err := Open(dir, "", Options{}); !errors.Is(err, ErrNotFound) {
		t.Fatalf("open a removed log: %v", err)
	}
}

// copyDir is what a killed process leaves, all that was written, on a disk in memory.
func copyDir(t testing.TB, from string) *simFS {
	disk := newSimFS()
	for _, name := range must(osFS{}.List(from))(t) {
		path := filepath.Join("d", name)
		disk.live[path] = &simFile{fs: disk, path: path, data: must(os.ReadFile(filepath.Join(from, name)))(t)}
	}
	return disk
}

// TestCutAtEachByte cuts the file at every byte: after the synced offset the whole records stay,
// before it the log is corrupt.
func TestCutAtEachByte(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	dir := t.TempDir()
	l := must(Create(dir, "", Options{}))(t)
	defer l.Close()
	var ops []Operation
	var ends []int64
	var synced Location
	for n := range int64(30) {
		op := randomOp(rnd, n)
		ops = append(ops, op)
		loc := must(l.Add(&op))(t)
		ends = append(ends, loc.end())
		if n == 14 {
			check(t, l.Sync(loc))
			synced = loc
		}
	}
	must(l.NewSnapshot(0, 0))(t).Close() // writes without syncing
	path := generationPath(dir, 1)
	full := must(os.ReadFile(path))(t)
	for cut := headerSize; cut <= len(full); cut++ {
		crashed := copyDir(t, dir)
		f := crashed.live[generationPath("d", 1)]
		f.data = f.data[:cut:cut]
		if cut%3 == 0 && cut >= int(synced.end()) { // the size was written, the content was not
			f.data = append(f.data, make([]byte, 100)...)
		}
		again, err := Open("d", "", Options{fs: crashed})
		if int64(cut) < synced.end() {
			var corrupt *CorruptError
			if !errors.As(err, &corrupt) {
				t.Fatalf("cut at %d below the synced %d: %v", cut, synced.end(), err)
			}
			continue
		}
		check(t, err)
		whole := 0
		for whole < len(ends) && ends[whole] <= int64(cut) {
			whole++
		}
		sameOps(t, readAll(t, again, 0, 0), ops[:whole])
		check(t, again.Close())
	}
}

// TestFlipEachByte damages every byte of a log: what was synced is never lost in silence.
func TestFlipEachByte(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	dir := t.TempDir()
	l := must(Create(dir, "", Options{}))(t)
	var ops []Operation
	for n := range int64(12) {
		op := randomOp(rnd, n)
		ops = append(ops, op)
		must(l.Add(&op))(t)
		if n == 5 {
			check(t, l.Roll())
		}
	}
	check(t, l.Close())
	for _, name := range must(osFS{}.List(dir))(t) {
		content := must(os.ReadFile(filepath.Join(dir, name)))(t)
		for i := range content {
			if name == checkpointName && i >= slotSize && i < slotDistance {
				continue // nothing lies there
			}
			damaged := bytes.Clone(content)
			damaged[i] ^= 1 << rnd.IntN(8)
			broken := copyDir(t, dir)
			broken.live[filepath.Join("d", name)].data = damaged
			again, err := Open("d", "", Options{fs: broken})
			var got []Operation
			if err == nil {
				got, err = readSome(again)
				check(t, again.Close())
			}
			var corrupt *CorruptError
			if err != nil && !errors.As(err, &corrupt) {
				t.Fatalf("%s byte %d: %v", name, i, err)
			}
			if err == nil {
				sameOps(t, got, ops) // only the checkpoint has something to spare
				if name != checkpointName {
					t.Fatalf("%s byte %d: not noticed", name, i)
				}
			}
		}
	}
}

func readSome(l *Log) ([]Operation, error) {
	s, err := l.NewSnapshot(0, 0)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	var ops []Operation
	for {
		var op Operation
		err := s.Next(&op)
		if errors.Is(err, io.EOF) {
			return ops, nil
		}
		if err != nil {
			return ops, err
		}
		if op.Source != nil {
			op.Source = append([]byte{}, op.Source...)
		}
		ops = append(ops, op)
	}
}

// TestPowerCut runs random operations on a simulated disk and cuts the power between any two of its
// steps: all that a Sync had covered is there, in order, and nothing else than what was added.
func TestPowerCut(t *testing.T) {
	seed := uint64(testseed.Of(t))
	for round := range uint64(400) {
		rnd := rand.New(rand.NewPCG(seed, round))
		disk := newSimFS()
		steps, stop := 0, 1+rnd.IntN(400)
		var crashed *simFS
		disk.fault = func(op, path string, n int) (int, error) {
			if steps++; steps == stop && crashed == nil {
				disk.mu.Unlock()
				crashed = disk.crash(rnd)
				disk.mu.Lock()
			}
			return n, nil
		}
		var ops []Operation
		acked, trimmedBelow := 0, 0 // operations known durable; operations that a trim allowed to go
		ackedAtCrash, trimAtCrash := -1, 0
		note := func() {
			if crashed == nil {
				return
			}
			if ackedAtCrash < 0 {
				ackedAtCrash, trimAtCrash = acked, trimmedBelow
			}
		}
		l, err := Create("d", "", Options{BufferSize: 512, fs: disk})
		check(t, err)
		created := crashed == nil
		note()
		firstOf := map[int64]int{}
		for n := int64(0); crashed == nil && n < 2000; n++ {
			op := randomOp(rnd, n)
			ops = append(ops, op)
			loc := must(l.Add(&op))(t)
			if _, ok := firstOf[loc.Generation]; !ok {
				firstOf[loc.Generation] = len(ops) - 1
			}
			note()
			switch rnd.IntN(8) {
			case 0:
				check(t, l.Sync(loc))
				note()
				acked = len(ops)
			case 1:
				check(t, l.Roll())
				note()
				acked = len(ops)
			case 2:
				min := l.Generation() - int64(rnd.IntN(2))
				if f, ok := firstOf[min]; ok && f > trimmedBelow {
					trimmedBelow = f
				}
				check(t, l.Trim(min))
				note()
			}
		}
		check(t, l.Close())
		note()
		if crashed == nil {
			crashed, ackedAtCrash, trimAtCrash = disk.crash(rnd), len(ops), trimmedBelow
		}
		again, err := Open("d", "", Options{fs: crashed})
		if !created && errors.Is(err, ErrNotFound) {
			check(t, must(Create("d", "", Options{fs: crashed}))(t).Close())
			continue
		}
		if err != nil {
			t.Fatalf("seed %d round %d: %v", seed, round, err)
		}
		got := readAll(t, again, 0, 0)
		if len(got) > 0 {
			first := int(got[0].SeqNo)
			if first > trimAtCrash && first > trimmedBelow {
				t.Fatalf("seed %d round %d: starts at %d, trimmed below %d only", seed, round, first, trimAtCrash)
			}
			if first+len(got) < ackedAtCrash {
				t.Fatalf("seed %d round %d: ends at %d, %d were acknowledged", seed, round, first+len(got), ackedAtCrash)
			}
			sameOps(t, got, ops[first:first+len(got)])
		} else if ackedAtCrash > trimmedBelow {
			t.Fatalf("seed %d round %d: empty, %d were acknowledged", seed, round, ackedAtCrash)
		}
		op := Operation{Type: OpNoOp, SeqNo: 1 << 40}
		check(t, again.Sync(must(again.Add(&op))(t)))
		check(t, again.Close())
	}
}

// TestErrorsAreFinal fills the disk and breaks syncs at every step.
func TestErrorsAreFinal(t *testing.T) {
	for _, kind := range []string{"write", "sync"} {
		for failAt := range 40 {
			disk := newSimFS()
			l := must(Create("d", "", Options{BufferSize: 300, fs: disk}))(t)
			cause := syscall.EIO
			if kind == "write" {
				cause = syscall.ENOSPC
			}
			seen := 0
			disk.fault = func(op, path string, n int) (int, error) {
				if op != kind {
					return n, nil
				}
				// Only once: a log that retries would come through.
				if seen++; seen-1 == failAt {
					return n / 2, &os.PathError{Op: op, Path: path, Err: cause}
				}
				return n, nil
			}
			rnd := rand.New(rand.NewPCG(uint64(failAt), 5))
			var ops []Operation
			acked := 0
			var err error
			for n := int64(0); n < 200 && err == nil; n++ {
				op := randomOp(rnd, n)
				var loc Location
				if loc, err = l.Add(&op); err != nil {
					break
				}
				ops = append(ops, op)
				if err = l.Sync(loc); err == nil {
					acked = len(ops)
				}
			}
			var failed *FailedError
			if !errors.As(err, &failed) || !errors.Is(err, cause) {
				t.Fatalf("%s %d: %v", kind, failAt, err)
			}
			for _, again := range []error{l.SyncAll(), l.Roll(), l.Trim(5), l.Err()} {
				if !errors.As(again, &failed) {
					t.Fatalf("%s %d: after the failure: %v", kind, failAt, again)
				}
			}
			if err := l.Close(); !errors.As(err, &failed) {
				t.Fatalf("%s %d: close: %v", kind, failAt, err)
			}
			disk.fault = nil
			again := must(Open("d", "", Options{fs: disk}))(t)
			got := readAll(t, again, 0, 0)
			if len(got) < acked {
				t.Fatalf("%s %d: %d operations, %d were acknowledged", kind, failAt, len(got), acked)
			}
			sameOps(t, got, ops[:len(got)])
			check(t, again.Close())
		}
	}
}

// A full disk while rolling leaves the log usable.
func TestRollOnFullDisk(t *testing.T) {
	for _, step := range []string{"create", "write", "sync", "syncdir"} {
		disk := newSimFS()
		l := must(Create("d", "", Options{fs: disk}))(t)
		op := Operation{Type: OpNoOp, SeqNo: 1}
		check(t, l.Sync(must(l.Add(&op))(t)))
		full := true
		disk.fault = func(op, path string, n int) (int, error) {
			if op == step && full {
				return 0, syscall.ENOSPC
			}
			return n, nil
		}
		if err := l.Roll(); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("%s: %v", step, err)
		}
		full = false
		check(t, l.Sync(must(l.Add(&op))(t)))
		check(t, l.Roll())
		if n := len(readAll(t, l, 0, 0)); n != 2 {
			t.Fatalf("%s: %d operations", step, n)
		}
		check(t, l.Close())
	}
}

func TestConcurrent(t *testing.T) {
	dir := t.TempDir()
	l := must(Create(dir, "", Options{BufferSize: 2 << 10}))(t)
	const writers, each = 16, 100
	var next atomic.Int64
	var wg sync.WaitGroup
	for range writers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range each {
				n := next.Add(1) - 1
				op := Operation{Type: OpIndex, SeqNo: n, Version: 1, ID: fmt.Sprint(n), Source: bytes.Repeat([]byte{byte(n)}, int(n%200))}
				loc, err := l.Add(&op)
				if err == nil {
					err = l.Sync(loc)
				}
				var got Operation
				if err == nil {
					got, err = l.Read(loc)
				}
				if err != nil || got.ID != op.ID || !bytes.Equal(got.Source, op.Source) {
					t.Errorf("operation %d: %v", n, err)
					return
				}
			}
		}()
	}
	for range 20 {
		check(t, l.Roll())
		s := must(l.NewSnapshot(0, 0))(t)
		var op Operation
		for s.Next(&op) == nil {
		}
		check(t, s.Close())
	}
	wg.Wait()
	check(t, l.Close())
	l = must(Open(dir, "", Options{}))(t)
	seen := map[int64]bool{}
	for _, op := range readAll(t, l, 0, 0) {
		seen[op.SeqNo] = true
	}
	if len(seen) != writers*each {
		t.Fatalf("%d operations", len(seen))
	}
	check(t, l.Close())
}

func TestAsync(t *testing.T) {
	dir := t.TempDir()
	l := must(Create(dir, "", Options{Durability: DurabilityAsync, SyncInterval: time.Millisecond}))(t)
	op := Operation{Type: OpNoOp, SeqNo: 1}
	loc := must(l.Add(&op))(t)
	check(t, l.Ensure(loc))
	for deadline := time.Now().Add(10 * time.Second); l.SyncNeeded(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never synced")
		}
	}
	check(t, l.SetDurability(DurabilityRequest, 0))
	check(t, l.Ensure(must(l.Add(&op))(t)))
	if l.SyncNeeded() {
		t.Fatal("not synced with durability request")
	}
	check(t, l.Close())
}

func TestRefusesBadOperations(t *testing.T) {
	l := must(Create(t.TempDir(), "", Options{}))(t)
	defer l.Close()
	for _, op := range []Operation{{Type: OpIndex, SeqNo: -2}, {Type: opSeal}, {Type: OpIndex, Version: -3}, {}} {
		if _, err := l.Add(&op); err == nil {
			t.Fatalf("%+v was added", op)
		}
	}
}

func TestAddDoesNotAllocate(t *testing.T) {
	l := must(Create(t.TempDir(), "", Options{}))(t)
	defer l.Close()
	op := Operation{Type: OpIndex, SeqNo: 1, Version: 1, ID: "an-id", Source: bytes.Repeat([]byte("x"), 500)}
	for range 5000 {
		must(l.Add(&op))(t)
	}
	if n := testing.AllocsPerRun(2000, func() {
		if _, err := l.Add(&op); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Fatalf("%v allocations an operation", n)
	}
}
