package store

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// operation is one primitive: how it is written, and how it is read and compared.
type operation struct {
	write func(*Output)
	check func(*testing.T, *Reader)
}

func op[T comparable](write func(*Output, T), read func(*Reader) T, v T) operation {
	return operation{
		func(o *Output) { write(o, v) },
		func(t *testing.T, r *Reader) {
			t.Helper()
			if got := read(r); got != v {
				t.Fatalf("at %d: got %v, want %v (%v)", r.Offset(), got, v, r.Err())
			}
		},
	}
}

func randomOperation(rnd *rand.Rand) operation {
	u := rnd.Uint64() >> rnd.IntN(64)
	switch rnd.IntN(19) {
	case 0:
		return op((*Output).PutByte, (*Reader).Byte, byte(u))
	case 1:
		return op((*Output).PutUint16, (*Reader).Uint16, uint16(u))
	case 2:
		return op((*Output).PutUint32, (*Reader).Uint32, uint32(u))
	case 3:
		return op((*Output).PutUint64, (*Reader).Uint64, u)
	case 4:
		return op((*Output).PutInt16, (*Reader).Int16, int16(-u))
	case 5:
		return op((*Output).PutInt32, (*Reader).Int32, int32(-u))
	case 6:
		return op((*Output).PutInt64, (*Reader).Int64, int64(-u))
	case 7:
		return op((*Output).PutBEUint32, (*Reader).BEUint32, uint32(u))
	case 8:
		return op((*Output).PutBEInt64, (*Reader).BEInt64, int64(-u))
	case 9:
		return op((*Output).PutFloat32, (*Reader).Float32, float32(u))
	case 10:
		return op((*Output).PutVInt, (*Reader).VInt, int32(u))
	case 11:
		return op((*Output).PutVLong, (*Reader).VLong, int64(u&math.MaxInt64))
	case 12:
		return op((*Output).PutSignedVLong, (*Reader).SignedVLong, int64(-u))
	case 13:
		return op((*Output).PutZInt, (*Reader).ZInt, int32(-u))
	case 14:
		return op((*Output).PutZLong, (*Reader).ZLong, int64(-u))
	case 15:
		return op((*Output).PutString, (*Reader).String, string(bytes.Repeat([]byte("é"), rnd.IntN(30)*rnd.IntN(2000)/100)))
	case 16:
		b := make([]byte, rnd.IntN(40000)*rnd.IntN(2))
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		return operation{func(o *Output) { o.PutBytes(b) }, func(t *testing.T, r *Reader) {
			t.Helper()
			got := make([]byte, len(b))
			if r.ReadFull(got); !bytes.Equal(got, b) {
				t.Fatalf("%d bytes differ (%v)", len(b), r.Err())
			}
		}}
	case 17:
		m := map[string]string{}
		for i := range rnd.IntN(5) {
			m[fmt.Sprint(i, u)] = fmt.Sprint(u)
		}
		return operation{func(o *Output) { o.PutStringMap(m) }, func(t *testing.T, r *Reader) {
			t.Helper()
			if got := r.StringMap(); !maps.Equal(got, m) {
				t.Fatalf("got %v, want %v (%v)", got, m, r.Err())
			}
		}}
	}
	s := []string{fmt.Sprint(u), "b", "a"}
	return operation{func(o *Output) { o.PutStringSet(s) }, func(t *testing.T, r *Reader) {
		t.Helper()
		if got := r.StringSet(); !slices.Equal(got, slices.Sorted(slices.Values(s))) {
			t.Fatalf("got %v, want %v (%v)", got, s, r.Err())
		}
	}}
}

// TestRoundTrip writes random primitives to files and memory and reads them through every kind of input.
func TestRoundTrip(t *testing.T) {
	rnd := seed(t)
	for name, d := range directories(t) {
		for round := range 10 {
			var ops []operation
			for range 1 + rnd.IntN(300) {
				ops = append(ops, randomOperation(rnd))
			}
			file := fmt.Sprint("f", round)
			out, err := d.Create(file)
			must(t, err)
			buf := NewBuffer()
			for _, o := range ops {
				o.write(out)
				o.write(buf)
				if out.FilePointer() != buf.FilePointer() {
					t.Fatalf("pointers differ: %d and %d", out.FilePointer(), buf.FilePointer())
				}
			}
			sum := out.Checksum()
			must(t, out.Flush())
			must(t, out.Close())
			if sum != crc32.ChecksumIEEE(buf.Data()) || sum != buf.Checksum() {
				t.Fatalf("%s: the checksum differs", name)
			}
			for _, access := range []Access{Random, Sequential} {
				in, err := d.Open(file, access)
				must(t, err)
				if got, err := Checksum(in, in.Length()); got != sum || err != nil {
					t.Fatalf("%s: checksum %08x, %v; want %08x", name, got, err, sum)
				}
				r := NewReader(in)
				for _, o := range ops {
					o.check(t, r)
				}
				if r.Err() != nil || r.Remaining() != 0 {
					t.Fatalf("%s: %v, %d bytes are left", name, r.Err(), r.Remaining())
				}
				copied := NewBuffer()
				must(t, copied.CopyFrom(in, 0, in.Length()))
				if !bytes.Equal(copied.Data(), buf.Data()) {
					t.Fatalf("%s: CopyFrom differs", name)
				}
				must(t, in.Close())
			}
		}
	}
}

func reader(b ...byte) *Reader { return NewReader(NewBytesInput("x", b)) }

func TestVariableLength(t *testing.T) {
	ff := bytes.Repeat([]byte{0xff}, 12)
	for _, c := range []struct {
		b     []byte
		read  func(*Reader) int64
		want  int64
		wrong bool
	}{
		{[]byte{0x7f}, func(r *Reader) int64 { return int64(r.VInt()) }, 127, false},
		{[]byte{0x80, 1}, func(r *Reader) int64 { return int64(r.VInt()) }, 128, false},
		{[]byte{0xff, 0xff, 0xff, 0xff, 0x0f}, func(r *Reader) int64 { return int64(r.VInt()) }, -1, false},
		{[]byte{0xff, 0xff, 0xff, 0xff, 0x1f}, func(r *Reader) int64 { return int64(r.VInt()) }, 0, true},
		{ff, func(r *Reader) int64 { return int64(r.VInt()) }, 0, true},
		{append(slices.Clone(ff[:8]), 0x7f), (*Reader).VLong, math.MaxInt64, false},
		{append(slices.Clone(ff[:9]), 1), (*Reader).VLong, 0, true},
		{append(slices.Clone(ff[:9]), 1), (*Reader).SignedVLong, -1, false},
		{append(slices.Clone(ff[:9]), 2), (*Reader).SignedVLong, 0, true},
		{[]byte{0x80}, (*Reader).VLong, 0, true},
	} {
		r := reader(c.b...)
		got := c.read(r)
		if got != c.want && !c.wrong || (r.Err() != nil) != c.wrong || c.wrong && !IsCorrupt(r.Err()) {
			t.Errorf("% x: got %d, %v; want %d, wrong: %v", c.b, got, r.Err(), c.want, c.wrong)
		}
	}
}

func TestSticky(t *testing.T) {
	r := reader(1, 2, 3)
	if r.Uint64() != 0 || r.Err() == nil {
		t.Fatal("eight bytes of three")
	}
	first := r.Err()
	r.SeekTo(0)
	if r.Byte() != 0 || r.VInt() != 0 || r.Bytes(1) != nil || r.String() != "" || len(r.StringMap()) != 0 || !errors.Is(r.Err(), first) {
		t.Error("the error does not stick")
	}
	r.Reset(r.Input(), 1)
	if r.Byte() != 2 || r.Err() != nil {
		t.Errorf("after Reset: %v", r.Err())
	}
	for name, use := range map[string]func(r *Reader){
		"negative bytes": func(r *Reader) { r.Bytes(-1) },
		"negative skip":  func(r *Reader) { r.Skip(-1) },
		"seek beyond":    func(r *Reader) { r.SeekTo(100); r.Byte() },
		"seek before":    func(r *Reader) { r.SeekTo(-5); r.Byte() },
		"huge string":    func(r *Reader) { *r = *reader(0xff, 0xff, 0xff, 0xff, 0x07, 'a'); _ = r.String() },
		"huge count":     func(r *Reader) { *r = *reader(0xff, 0xff, 0xff, 0xff, 0x07, 'a'); r.Count("things", 1) },
		"huge map":       func(r *Reader) { *r = *reader(0xff, 0xff, 0xff, 0xff, 0x07, 'a'); r.StringMap() },
		"negative count": func(r *Reader) { r.CheckCount("things", -1, 1) },
		"count times":    func(r *Reader) { r.CheckCount("things", 2, 2) },
	} {
		r := reader(1, 2, 3)
		if use(r); !IsCorrupt(r.Err()) {
			t.Errorf("%s: %v", name, r.Err())
		}
	}
	if n := reader(1, 2, 3).CheckCount("things", 3, 1); n != 3 {
		t.Errorf("three things fit, got %d", n)
	}
}

type failing struct {
	left   int
	closed bool
}

func (f *failing) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

func (f *failing) Close() error { f.closed = true; return nil }

func TestOutputErrors(t *testing.T) {
	f := &failing{left: outputBuffer}
	o := NewOutput("full", f)
	for range 10 * outputBuffer {
		o.PutByte(1)
	}
	if !errors.Is(o.Err(), io.ErrShortWrite) || !errors.Is(o.Flush(), io.ErrShortWrite) || !errors.Is(o.Close(), io.ErrShortWrite) || !f.closed {
		t.Errorf("a full disk: %v", o.Err())
	}
	o = NewOutput("x", &failing{left: 100})
	must(t, o.Close())
	o.PutByte(1)
	if err := o.Flush(); !errors.Is(err, ErrClosed) {
		t.Errorf("a write after Close: %v", err)
	}
	b := NewBuffer()
	b.PutVLong(-1)
	if b.Err() == nil {
		t.Error("a negative VLong is written")
	}
	b.Reset()
	if b.Err() != nil || b.FilePointer() != 0 {
		t.Error("Reset leaves something")
	}
}

// FuzzReader interprets bytes as a program over the rest of them: nothing may panic, and no result may be
// larger than the input.
func FuzzReader(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, []byte("some data to read \xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	f.Fuzz(func(t *testing.T, program, data []byte) {
		for _, in := range []Input{NewBytesInput("x", data), NewPreadInput("x", &readerAt{data}, int64(len(data)))} {
			r := NewReader(in)
			for _, p := range program {
				n := 0
				switch p % 18 {
				case 0:
					r.Byte()
				case 1:
					r.Uint16()
				case 2:
					r.Uint32()
				case 3:
					r.Uint64()
				case 4:
					r.BEUint32()
				case 5:
					r.BEInt64()
				case 6:
					r.VInt()
				case 7:
					r.VLong()
				case 8:
					r.SignedVLong()
				case 9:
					r.ZInt()
				case 10:
					r.ZLong()
				case 11:
					n = len(r.String())
				case 12:
					n = len(r.StringMap())
				case 13:
					n = len(r.StringSet())
				case 14:
					n = len(r.Bytes(int(p)))
				case 15:
					r.Skip(int64(p) - 20)
				case 16:
					r.SeekTo(int64(p) - 20)
				case 17:
					n = r.Count("things", int(p)%5+1)
				}
				if n > len(data) {
					t.Fatalf("%d things of %d bytes", n, len(data))
				}
			}
			if err := r.Err(); err != nil && !IsCorrupt(err) {
				t.Fatal(err)
			}
		}
	})
}

type readerAt struct{ b []byte }

func (r *readerAt) ReadAt(p []byte, off int64) (int, error) {
	n := copy(p, r.b[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (r *readerAt) Close() error { return nil }
