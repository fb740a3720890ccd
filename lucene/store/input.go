package store

import (
	"fmt"
	"sync/atomic"
)

// Input is random access to the bytes of one immutable file, or of a part of one.
//
// It is safe for concurrent use. Bytes that it returned stay valid, and must not be written to, until
// the Input that came from the Directory is closed; slices of it need no Close and have none of their
// own effect.
type Input interface {
	// Name returns the file's name, for messages.
	Name() string
	// Length returns the number of bytes.
	Length() int64
	// Window returns the bytes from offset off on: at least min of them and as many more as cost
	// nothing (a memory map gives the rest of the file). Fewer than min bytes from off to the end is a
	// CorruptError; min 0 at the very end returns an empty slice.
	Window(off int64, min int) ([]byte, error)
	// Slice returns the part of n bytes at off as an Input of its own, with offsets from 0. Its
	// messages still name the whole file's offsets.
	Slice(off, n int64) (Input, error)
	// Close releases the file. It is a no-op on slices.
	Close() error
}

// Bytes returns exactly n bytes at off.
func Bytes(in Input, off int64, n int) ([]byte, error) {
	w, err := in.Window(off, n)
	if err != nil {
		return nil, err
	}
	return w[:n:n], nil
}

// Resident returns all bytes of in if they can be addressed without reading (memory, a memory map),
// else nil. Hot readers keep the result to avoid a call per value.
func Resident(in Input) []byte {
	r, ok := in.(interface{ resident() []byte })
	if !ok {
		return nil
	}
	return r.resident()
}

// checkRange says whether [off, off+n) lies in [0, length); base is where the part begins in its file.
func checkRange(name string, base, off, n, length int64) error {
	if off < 0 || n < 0 || off > length || n > length-off {
		return Corruptf(name, base+off, "%d bytes are asked for where %d remain", n, max(0, length-off))
	}
	return nil
}

// Inner returns the n bytes at off as a file of its own, such as one within a compound file: messages
// carry its name, and offsets from its start. It needs no Close.
func Inner(in Input, name string, off, n int64) (Input, error) {
	s, err := in.Slice(off, n)
	if err != nil {
		return nil, err
	}
	if r, ok := s.(interface{ inner(name string) Input }); ok {
		return r.inner(name), nil
	}
	return s, nil
}

// Base returns where in its file an Input begins: 0 but for slices.
func Base(in Input) int64 {
	if b, ok := in.(interface{ start() int64 }); ok {
		return b.start()
	}
	return 0
}

// BytesInput is an Input over bytes in memory.
type BytesInput struct {
	name string
	base int64
	b    []byte
}

// NewBytesInput returns an Input over b, which must not change afterwards.
func NewBytesInput(name string, b []byte) *BytesInput { return &BytesInput{name: name, b: b} }

// Name implements Input.
func (in *BytesInput) Name() string { return in.name }

// Length implements Input.
func (in *BytesInput) Length() int64 { return int64(len(in.b)) }

// Window implements Input.
func (in *BytesInput) Window(off int64, min int) ([]byte, error) {
	if err := checkRange(in.name, in.base, off, int64(min), int64(len(in.b))); err != nil {
		return nil, err
	}
	return in.b[off:], nil
}

// Slice implements Input.
func (in *BytesInput) Slice(off, n int64) (Input, error) {
	if err := checkRange(in.name, in.base, off, n, int64(len(in.b))); err != nil {
		return nil, err
	}
	return &BytesInput{name: in.name, base: in.base + off, b: in.b[off : off+n : off+n]}, nil
}

// Close implements Input.
func (in *BytesInput) Close() error { return nil }

func (in *BytesInput) resident() []byte { return in.b }
func (in *BytesInput) start() int64     { return in.base }

func (in *BytesInput) inner(name string) Input { return &BytesInput{name: name, b: in.b} }

// ReaderAt is what a PreadInput reads from.
type ReaderAt interface {
	ReadAt(p []byte, off int64) (int, error)
	Close() error
}

// PreadInput is an Input that reads with pread, for access that may block: merges, restores,
// verification. A Window is a buffer of at least 16 KiB where the file has so many, and of 64 KiB where it goes on from the
// last one, which is kept: many small structures lie in it one after another.
type PreadInput struct {
	name      string
	base, len int64
	origin    int64 // base of the file that messages name
	r         ReaderAt
	slice     bool
	last      *atomic.Pointer[window]
}

// window is bytes of a file, from an offset in it on. They do not change.
type window struct {
	off int64
	b   []byte
}

// NewPreadInput returns an Input over the first length bytes of r, which it owns.
func NewPreadInput(name string, r ReaderAt, length int64) *PreadInput {
	return &PreadInput{name: name, len: length, r: r, last: new(atomic.Pointer[window])}
}

const (
	preadWindow     = 16 << 10
	preadSequential = 64 << 10
)

// Name implements Input.
func (in *PreadInput) Name() string { return in.name }

// Length implements Input.
func (in *PreadInput) Length() int64 { return in.len }

// Window implements Input.
func (in *PreadInput) Window(off int64, min int) ([]byte, error) {
	if err := checkRange(in.name, in.start(), off, int64(min), in.len); err != nil {
		return nil, err
	}
	size := preadWindow
	if w := in.last.Load(); w != nil && off >= w.off && off <= w.off+int64(len(w.b)) {
		b := w.b[off-w.off:]
		if len(b) >= min && (len(b) > 0 || off == in.len) {
			return b[:len(b):len(b)], nil
		}
		size = preadSequential
	}
	n := int64(max(min, size))
	if rest := in.len - off; n > rest {
		n = rest
	}
	b := make([]byte, n)
	if _, err := in.r.ReadAt(b, in.base+off); err != nil {
		return nil, fmt.Errorf("read %d bytes of %s at %d: %w", n, in.name, in.start()+off, err)
	}
	if n <= preadSequential {
		in.last.Store(&window{off, b})
	}
	return b, nil
}

// Slice implements Input.
func (in *PreadInput) Slice(off, n int64) (Input, error) {
	if err := checkRange(in.name, in.start(), off, n, in.len); err != nil {
		return nil, err
	}
	return &PreadInput{name: in.name, base: in.base + off, origin: in.origin, len: n, r: in.r, slice: true, last: new(atomic.Pointer[window])}, nil
}

// Close implements Input.
func (in *PreadInput) Close() error {
	if in.slice {
		return nil
	}
	return in.r.Close()
}

func (in *PreadInput) start() int64 { return in.base - in.origin }

func (in *PreadInput) inner(name string) Input {
	c := *in
	c.name, c.origin, c.last = name, in.base, new(atomic.Pointer[window])
	return &c
}
