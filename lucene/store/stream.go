package store

import (
	"fmt"
	"io"
	"os"
	"sync"
)

// Streamer is implemented by directories that take large files which come from elsewhere, checked on their way, better than through an
// Output: no checksum is taken of the bytes, nothing is buffered, and they are on their way to the disk while the rest of the file comes.
type Streamer interface {
	// CreateStream makes a new file, as Create does. Writes had better be large. The bytes are durable after Sync.
	CreateStream(name string) (io.WriteCloser, error)
}

// Placer is implemented by directories whose new files can be written at several places side by side, each of them as a stream of a Streamer is.
type Placer interface {
	// CreatePlaced makes a new file, as Create does. Every byte of it is to be written once. The bytes are durable after Sync.
	CreatePlaced(name string) (Placed, error)
}

// Placed is a file that is written at several places side by side.
type Placed interface {
	// From returns a writer of the bytes from off on. It is to be closed before the file is.
	From(off int64) io.WriteCloser
	Close() error
}

// writeBack is after how many bytes of a stream the kernel is told to write them out: the wait of Sync for all of a file is otherwise
// time in which nothing else happens.
const writeBack = 2 << 20

// stream writes a file, or a part of one, and has it written out meanwhile.
type stream struct {
	f        *os.File
	n, begun int64       // up to where it is written, and up to where it is being written out
	shared   *sync.Mutex // of the streams of a file that is placed, held by who writes; nil: the stream has a file of its own
}

// placed is a file of several streams.
type placed struct {
	*os.File
	// The kernel, too, lets one at a time write into a file, but who waits there spins: here another goroutine works meanwhile.
	writing sync.Mutex
}

// CreateStream implements Streamer.
func (d *FSDirectory) CreateStream(name string) (io.WriteCloser, error) {
	f, err := d.create(name)
	if err != nil {
		return nil, err
	}
	return &stream{f: f}, nil
}

// CreatePlaced implements Placer.
func (d *FSDirectory) CreatePlaced(name string) (Placed, error) {
	f, err := d.create(name)
	if err != nil {
		return nil, err
	}
	return &placed{File: f}, nil
}

// From implements Placed.
func (p *placed) From(off int64) io.WriteCloser {
	return &stream{f: p.File, n: off, begun: off, shared: &p.writing}
}

func (s *stream) Write(p []byte) (int, error) {
	n, err := s.write(p)
	s.n += int64(n)
	if err != nil {
		return n, fmt.Errorf("write %s at %d: %w", s.f.Name(), s.n, err)
	}
	if s.n-s.begun >= writeBack {
		startWriteBack(s.f, s.begun, s.n-s.begun)
		s.begun = s.n
	}
	return n, nil
}

func (s *stream) write(p []byte) (int, error) {
	if s.shared != nil {
		s.shared.Lock()
		defer s.shared.Unlock()
	}
	return s.f.WriteAt(p, s.n)
}

// Close begins to write out what is left.
func (s *stream) Close() error {
	startWriteBack(s.f, s.begun, s.n-s.begun)
	if s.shared != nil {
		return nil
	}
	return s.f.Close()
}
