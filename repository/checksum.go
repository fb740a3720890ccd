package repository

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"

	"github.com/varve-search/varve/lucene/store"
)

// luceneSum takes the checksum of a Lucene file that flows through it and compares it with the
// footer: the last 16 bytes are magic, algorithm and the CRC-32 of all before it, big-endian.
type luceneSum struct {
	length int64
	pos    int64
	crc    uint32
	tail   [footerLen]byte
}

// write takes the next bytes; there must not be more than length in all.
func (s *luceneSum) write(p []byte) {
	if covered := s.length - 8 - s.pos; covered > 0 {
		s.crc = crc32.Update(s.crc, crc32.IEEETable, p[:min(int64(len(p)), covered)])
	}
	if at := s.length - footerLen; s.pos+int64(len(p)) > at {
		skip := max(0, at-s.pos)
		copy(s.tail[max(0, s.pos-at):], p[skip:])
	}
	s.pos += int64(len(p))
}

// follow takes what t took of the bytes that come next: t began where s is.
func (s *luceneSum) follow(t *luceneSum) {
	covered := max(0, s.length-8)
	s.crc = appendCRC(s.crc, t.crc, min(t.pos, covered)-min(s.pos, covered))
	if at := s.length - footerLen; t.pos > at {
		from := max(0, s.pos-at)
		copy(s.tail[from:t.pos-at], t.tail[from:])
	}
	s.pos = t.pos
}

// check says what is wrong with the footer, once all bytes went through.
func (s *luceneSum) check() (checksum string, problem string) {
	if s.length < footerLen {
		return "", fmt.Sprintf("%d bytes are too few for a footer", s.length)
	}
	if m, a := binary.BigEndian.Uint32(s.tail[:]), binary.BigEndian.Uint32(s.tail[4:]); m != footerMagic || a != 0 {
		return "", fmt.Sprintf("footer magic 0x%08x with algorithm %d is wrong", m, a)
	}
	if stored := binary.BigEndian.Uint64(s.tail[8:]); stored != uint64(s.crc) {
		return "", fmt.Sprintf("checksum is %08x, but the footer says %08x", s.crc, stored)
	}
	return checksumText(s.crc), ""
}

// verify returns the checksum once all bytes of a file went through, or what is wrong with them. An empty want is right with any.
func (s *luceneSum) verify(name, want string) (string, error) {
	got, problem := s.check()
	if problem == "" && want != "" && got != want {
		problem = fmt.Sprintf("checksum is [%s], but the repository says [%s]", got, want)
	}
	if problem != "" {
		return "", store.Corruptf(name, max(0, s.length-footerLen), "%s", problem)
	}
	return got, nil
}

// checksumText is a checksum as the lists of files have it.
func checksumText(sum uint32) string { return strconv.FormatUint(uint64(sum), 36) }

// sumReader reads exactly length bytes of a Lucene file, and then verifies them.
type sumReader struct {
	r    io.Reader
	name string
	want string // expected checksum in base 36; "" accepts any that the footer agrees with
	sum  luceneSum
	got  string
	err  error
}

func newSumReader(r io.Reader, name string, length int64, want string) *sumReader {
	return &sumReader{r: r, name: name, want: want, sum: luceneSum{length: length}}
}

func (s *sumReader) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	left := s.sum.length - s.sum.pos
	if left == 0 {
		s.err = s.finish()
		return 0, s.err
	}
	n, err := s.r.Read(p[:min(int64(len(p)), left)])
	s.sum.write(p[:n])
	if errors.Is(err, io.EOF) {
		err = nil
		if s.sum.pos < s.sum.length {
			err = store.Corruptf(s.name, s.sum.pos, "ends after %d of %d bytes", s.sum.pos, s.sum.length)
		}
	}
	s.err = err
	return n, err
}

func (s *sumReader) finish() error {
	var more [1]byte
	if n, err := io.ReadFull(s.r, more[:]); n > 0 {
		return store.Corruptf(s.name, s.sum.length, "more bytes follow the %d expected", s.sum.length)
	} else if err != io.EOF {
		return err
	}
	got, err := s.sum.verify(s.name, s.want)
	if err != nil {
		return err
	}
	s.got = got
	return io.EOF
}
