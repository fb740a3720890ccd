package store

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"
)

// Output encodes primitives into a file, or into memory when it was made by NewBuffer. The first error
// sticks; Err, Flush and Close tell. It is not safe for concurrent use.
type Output struct {
	name string
	sink io.WriteCloser // nil: memory only
	buf  []byte
	crc  uint32 // of what was flushed
	n    int64  // bytes flushed
	err  error
}

const outputBuffer = 16 << 10

// NewOutput returns an Output that writes to sink and owns it.
func NewOutput(name string, sink io.WriteCloser) *Output {
	return &Output{name: name, sink: sink, buf: make([]byte, 0, outputBuffer)}
}

// NewBuffer returns an Output that only collects bytes in memory.
func NewBuffer() *Output { return &Output{name: "memory"} }

// Name returns the file's name.
func (o *Output) Name() string { return o.name }

// FilePointer returns the number of bytes written so far.
func (o *Output) FilePointer() int64 { return o.n + int64(len(o.buf)) }

// Err returns the first error.
func (o *Output) Err() error { return o.err }

// Checksum returns the CRC-32 (IEEE) of everything written so far.
func (o *Output) Checksum() uint32 { return crc32.Update(o.crc, crc32.IEEETable, o.buf) }

// Data returns what a buffer collected, valid until the next write or Reset.
func (o *Output) Data() []byte { return o.buf }

// Reset empties a buffer; a file cannot be reset.
func (o *Output) Reset() {
	if o.sink != nil {
		panic("store: Reset of an Output that writes to a file")
	}
	o.buf, o.err = o.buf[:0], nil
}

func (o *Output) flushBuffer() {
	if o.sink == nil || len(o.buf) == 0 {
		return
	}
	if o.err == nil {
		o.crc = crc32.Update(o.crc, crc32.IEEETable, o.buf)
		if _, err := o.sink.Write(o.buf); err != nil {
			o.err = fmt.Errorf("write %s at %d: %w", o.name, o.n, err)
		}
	}
	o.n += int64(len(o.buf))
	o.buf = o.buf[:0]
}

// grow makes room for n more bytes in the buffer, n being small.
func (o *Output) grow(n int) {
	if cap(o.buf)-len(o.buf) >= n {
		return
	}
	o.flushBuffer()
	if cap(o.buf)-len(o.buf) < n {
		o.buf = slices.Grow(o.buf, n)
	}
}

// Flush hands all bytes to the file.
func (o *Output) Flush() error {
	o.flushBuffer()
	return o.err
}

// Close flushes and closes the file, and returns the first error of its life.
func (o *Output) Close() error {
	if o.sink == nil {
		return o.err
	}
	o.flushBuffer()
	err := o.sink.Close()
	if o.err == nil && err != nil {
		o.err = fmt.Errorf("close %s: %w", o.name, err)
	}
	o.sink = discard{}
	return o.err
}

type discard struct{}

func (discard) Write([]byte) (int, error) { return 0, ErrClosed }
func (discard) Close() error              { return nil }

// Write implements io.Writer.
func (o *Output) Write(p []byte) (int, error) {
	if o.sink != nil && len(p) >= outputBuffer {
		o.flushBuffer()
		if o.err == nil {
			o.crc = crc32.Update(o.crc, crc32.IEEETable, p)
			if _, err := o.sink.Write(p); err != nil {
				o.err = fmt.Errorf("write %s at %d: %w", o.name, o.n, err)
			}
		}
		o.n += int64(len(p))
		return len(p), o.err
	}
	o.grow(len(p))
	o.buf = append(o.buf, p...)
	return len(p), o.err
}

// PutBytes writes p; the error sticks.
func (o *Output) PutBytes(p []byte) { _, _ = o.Write(p) }

// PutByte writes one byte.
func (o *Output) PutByte(b byte) {
	o.grow(1)
	o.buf = append(o.buf, b)
}

// PutUint16 writes two bytes, little-endian.
func (o *Output) PutUint16(v uint16) {
	o.grow(2)
	o.buf = binary.LittleEndian.AppendUint16(o.buf, v)
}

// PutUint32 writes four bytes, little-endian.
func (o *Output) PutUint32(v uint32) {
	o.grow(4)
	o.buf = binary.LittleEndian.AppendUint32(o.buf, v)
}

// PutUint64 writes eight bytes, little-endian.
func (o *Output) PutUint64(v uint64) {
	o.grow(8)
	o.buf = binary.LittleEndian.AppendUint64(o.buf, v)
}

// PutInt16 writes two bytes, little-endian, as Lucene's writeShort.
func (o *Output) PutInt16(v int16) { o.PutUint16(uint16(v)) }

// PutInt32 writes four bytes, little-endian, as Lucene's writeInt.
func (o *Output) PutInt32(v int32) { o.PutUint32(uint32(v)) }

// PutInt64 writes eight bytes, little-endian, as Lucene's writeLong.
func (o *Output) PutInt64(v int64) { o.PutUint64(uint64(v)) }

// PutBEUint32 writes four bytes, big-endian.
func (o *Output) PutBEUint32(v uint32) {
	o.grow(4)
	o.buf = binary.BigEndian.AppendUint32(o.buf, v)
}

// PutBEInt64 writes eight bytes, big-endian.
func (o *Output) PutBEInt64(v int64) {
	o.grow(8)
	o.buf = binary.BigEndian.AppendUint64(o.buf, uint64(v))
}

// PutFloat32 writes a little-endian IEEE 754 number of four bytes.
func (o *Output) PutFloat32(v float32) { o.PutUint32(math.Float32bits(v)) }

// PutVInt writes a variable-length int of one to five bytes; negative ones take five.
func (o *Output) PutVInt(v int32) {
	o.grow(binary.MaxVarintLen32)
	o.buf = binary.AppendUvarint(o.buf, uint64(uint32(v)))
}

// PutVLong writes a variable-length long; v must not be negative.
func (o *Output) PutVLong(v int64) {
	if v < 0 {
		if o.err == nil {
			o.err = fmt.Errorf("write %s: negative variable-length long %d", o.name, v)
		}
		return
	}
	o.PutSignedVLong(v)
}

// PutSignedVLong writes a variable-length long of up to ten bytes that may be negative.
func (o *Output) PutSignedVLong(v int64) {
	o.grow(binary.MaxVarintLen64)
	o.buf = binary.AppendUvarint(o.buf, uint64(v))
}

// PutZInt writes a zigzag-coded variable-length int.
func (o *Output) PutZInt(v int32) { o.PutVInt(v<<1 ^ v>>31) }

// PutZLong writes a zigzag-coded variable-length long.
func (o *Output) PutZLong(v int64) { o.PutSignedVLong(v<<1 ^ v>>63) }

// PutString writes a string: VInt length in bytes and UTF-8.
func (o *Output) PutString(s string) {
	o.PutVInt(int32(len(s)))
	if len(s) >= outputBuffer {
		o.PutBytes([]byte(s))
		return
	}
	o.grow(len(s))
	o.buf = append(o.buf, s...)
}

// PutStringMap writes a map with its keys sorted, so that equal maps give equal bytes.
func (o *Output) PutStringMap(m map[string]string) {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	o.PutVInt(int32(len(keys)))
	for _, k := range keys {
		o.PutString(k)
		o.PutString(m[k])
	}
}

// PutStringSet writes a set of strings, sorted.
func (o *Output) PutStringSet(s []string) {
	s = slices.Sorted(slices.Values(s))
	o.PutVInt(int32(len(s)))
	for _, v := range s {
		o.PutString(v)
	}
}

// CopyFrom writes n bytes of in from off on.
func (o *Output) CopyFrom(in Input, off, n int64) error {
	const step = 1 << 20
	for n > 0 {
		k := min(n, step)
		b, err := Bytes(in, off, int(k))
		if err != nil {
			return err
		}
		o.PutBytes(b)
		off, n = off+k, n-k
	}
	return o.err
}
