package check

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math/bits"

	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/compound"
	"github.com/varve-search/varve/lucene/store"
)

// files verifies that all files of the segment are there and whole.
func (s *segment) files() error {
	for _, name := range s.info.Files() {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		err := s.file(s.c.dir, name)
		if err == nil {
			continue
		}
		if errors.Is(err, fs.ErrNotExist) {
			err = &store.CorruptError{File: name, Offset: -1, Problem: "the file is missing", Err: err}
		}
		s.damaged = true
		s.found(PartFiles, "", err)
	}
	if s.info.Info.IsCompoundFile && s.damaged {
		s.innerFiles()
	}
	return nil
}

// innerFiles says which of the files in a damaged compound file are affected.
func (s *segment) innerFiles() {
	cfs, err := compound.Open(s.c.dir, s.info.Info, store.Sequential)
	if err != nil {
		return // that is found when the segment is opened
	}
	defer cfs.Close()
	names, err := cfs.List()
	if err != nil {
		return
	}
	for _, name := range names {
		if err := s.file(cfs, name); err != nil {
			s.found(PartFiles, "", err)
		}
	}
}

// file verifies the checksum of a file.
func (s *segment) file(dir store.Directory, name string) error {
	in, err := dir.Open(name, store.Sequential)
	if err != nil {
		return err
	}
	defer in.Close()
	want, err := codec.ReadFooter(in)
	if err != nil {
		return err
	}
	n := in.Length() - 8
	var got uint32
	const step = 1 << 20
	for off := int64(0); off < n; off += step {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		b, err := store.Bytes(in, off, int(min(step, n-off)))
		if err != nil {
			return err
		}
		got = crc32.Update(got, crc32.IEEETable, b)
		s.c.bytes.Add(int64(len(b)))
	}
	if got == want {
		return nil
	}
	problem := fmt.Sprintf("the checksum is %08x, the footer says %08x", got, want)
	var at int64
	if d := got ^ want; bits.OnesCount32(d) == 1 {
		at = n + 7 - int64(bits.TrailingZeros32(d)/8) // in the footer itself, which is big-endian
	} else {
		at = flippedBit(d, n)
	}
	if at >= 0 {
		problem += "; one flipped bit at this offset would explain it"
	}
	return &store.CorruptError{File: in.Name(), Offset: at, Problem: problem}
}

// maxSearch is how many bytes from the end on a flipped bit is searched for.
const maxSearch = 64 << 20

// flippedBit returns the offset of the byte of which one bit must be flipped so that the CRC-32 of n bytes
// changes by syndrome; -1 if there is none. A CRC is linear: a flipped bit adds a power of x, which
// depends only on how far from the end it is. So the syndrome is divided by x until one bit of
// the last byte is left.
func flippedBit(syndrome uint32, n int64) int64 {
	// A flip of bit i in the last byte alone adds the table's entry for 1<<i.
	last := map[uint32]bool{}
	for i := range 8 {
		last[crc32.IEEETable[1<<i]] = true
	}
	for back := int64(1); back <= min(n, maxSearch); back++ {
		if last[syndrome] {
			return n - back
		}
		for range 8 { // undo one zero byte
			if syndrome&(1<<31) != 0 {
				syndrome = (syndrome^crc32.IEEE)<<1 | 1
			} else {
				syndrome <<= 1
			}
		}
	}
	return -1
}
