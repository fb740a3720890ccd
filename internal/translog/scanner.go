package translog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const scanBufferSize = 256 << 10

// scanner reads the records of one generation in file order. Its memory is one buffer of
// scanBufferSize, or of the largest record where that is larger; a record's length is checked
// against the file's before the buffer grows.
type scanner struct {
	f        io.ReaderAt
	path     string
	pos, end int64  // file offset of the next record; where to stop
	buf      []byte // bytes of the file from pos on
	mem      []byte // the memory that buf lies in
}

func newScanner(f io.ReaderAt, path string, start, end int64) *scanner {
	return &scanner{f: f, path: path, pos: start, end: end}
}

// next returns the next record, valid until the following call, and its offset. At the end it is
// io.EOF; a record that does not hold together is errMalformed; all else is the disk's own error.
func (s *scanner) next() (rec []byte, offset int64, err error) {
	offset = s.pos
	if s.pos >= s.end {
		return nil, offset, io.EOF
	}
	if err := s.fill(recordHeaderSize); err != nil {
		return nil, offset, err
	}
	n := int64(binary.LittleEndian.Uint32(s.buf))
	if n == 0 || n > MaxRecordSize || n > s.end-s.pos-recordHeaderSize {
		return nil, offset, fmt.Errorf("%w: body length %d with %d bytes left", errMalformed, n, s.end-s.pos-recordHeaderSize)
	}
	if err := s.fill(recordHeaderSize + int(n)); err != nil {
		return nil, offset, err
	}
	size, err := checkRecord(s.buf)
	if err != nil {
		return nil, offset, err
	}
	rec = s.buf[:size:size]
	s.buf = s.buf[size:]
	s.pos += int64(size)
	return rec, offset, nil
}

// fill makes buf hold at least n bytes.
func (s *scanner) fill(n int) error {
	if len(s.buf) >= n {
		return nil
	}
	if int64(n) > s.end-s.pos {
		return fmt.Errorf("%w: %d bytes left of a record", errMalformed, s.end-s.pos)
	}
	if len(s.mem) < n {
		mem := make([]byte, max(n, scanBufferSize))
		s.buf = mem[:copy(mem, s.buf)]
		s.mem = mem
	} else {
		s.buf = s.mem[:copy(s.mem, s.buf)]
	}
	have := len(s.buf)
	want := int(min(int64(len(s.mem)), s.end-s.pos))
	got, err := s.f.ReadAt(s.mem[have:want], s.pos+int64(have))
	s.buf = s.mem[:have+got]
	if len(s.buf) >= n {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: the file ends at offset %d, expected at %d", errMalformed, s.pos+int64(len(s.buf)), s.end)
	}
	return fmt.Errorf("read translog file %s at offset %d: %w", s.path, s.pos, err)
}
