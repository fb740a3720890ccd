package store

import (
	"fmt"
	"io"
	"os"
)

// Streamer is implemented by directories that take large files which come from elsewhere, checked on their way, better than through an
// Output: no checksum is taken of the bytes, nothing is buffered, and they are on their way to the disk while the rest of the file comes.
type Streamer interface {
	// CreateStream makes a new file, as Create does. Writes had better be large. The bytes are durable after Sync.
	CreateStream(name string) (io.WriteCloser, error)
}

// writeBack is after how many bytes of a stream the kernel is told to write them out: the wait of Sync for all of a file is otherwise
// time in which nothing else happens.
const writeBack = 8 << 20

// stream writes a file and has it written out meanwhile.
type stream struct {
	f        *os.File
	n, begun int64 // bytes written, and those of them that are being written out
}

// CreateStream implements Streamer.
func (d *FSDirectory) CreateStream(name string) (io.WriteCloser, error) {
	f, err := d.create(name)
	if err != nil {
		return nil, err
	}
	return &stream{f: f}, nil
}

func (s *stream) Write(p []byte) (int, error) {
	n, err := s.f.Write(p)
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

// Close begins to write out what is left.
func (s *stream) Close() error {
	startWriteBack(s.f, s.begun, s.n-s.begun)
	return s.f.Close()
}
