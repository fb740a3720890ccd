package store

import (
	"fmt"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// mmapInput is an Input over a memory map. The owner of the Input (a segment reader) keeps it open as
// long as anyone may touch the bytes: they are gone after Close.
type mmapInput struct {
	name   string
	base   int64
	b      []byte
	closed *atomic.Bool
	slice  bool
}

func openMmap(path, name string) (Input, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if st.Size() == 0 {
		return NewBytesInput(name, nil), nil
	}
	if int64(int(st.Size())) != st.Size() {
		return nil, fmt.Errorf("map %s: %d bytes do not fit the address space", path, st.Size())
	}
	b, err := unix.Mmap(int(f.Fd()), 0, int(st.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", path, err)
	}
	return &mmapInput{name: name, b: b, closed: new(atomic.Bool)}, nil
}

func (in *mmapInput) Name() string  { return in.name }
func (in *mmapInput) Length() int64 { return int64(len(in.b)) }

func (in *mmapInput) Window(off int64, min int) ([]byte, error) {
	if in.closed.Load() {
		return nil, fmt.Errorf("read %s: %w", in.name, ErrClosed)
	}
	if err := checkRange(in.name, in.base, off, int64(min), int64(len(in.b))); err != nil {
		return nil, err
	}
	return in.b[off:], nil
}

func (in *mmapInput) Slice(off, n int64) (Input, error) {
	if err := checkRange(in.name, in.base, off, n, int64(len(in.b))); err != nil {
		return nil, err
	}
	return &mmapInput{name: in.name, base: in.base + off, b: in.b[off : off+n : off+n], closed: in.closed, slice: true}, nil
}

func (in *mmapInput) Close() error {
	if in.slice || in.closed.Swap(true) {
		return nil
	}
	return unix.Munmap(in.b)
}

func (in *mmapInput) resident() []byte { return in.b }
func (in *mmapInput) start() int64     { return in.base }

func (in *mmapInput) inner(name string) Input {
	c := *in
	c.name, c.base = name, 0
	return &c
}
