package repository

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"unicode/utf16"
)

// Format: docs/formats/remote-translog.md, "Files of operations".

// OperationKind tells what an operation does.
type OperationKind uint8

// The kinds of operations, by the numbers that files have for them.
const (
	OperationIndex  OperationKind = 2
	OperationDelete OperationKind = 3
	OperationNone   OperationKind = 4 // fills the place of a sequence number
)

const operationCreate OperationKind = 1 // written as index since long

// Operation is an operation in a translog of OpenSearch.
type Operation struct {
	Kind           OperationKind
	SeqNo          int64
	PrimaryTerm    int64
	Version        int64
	ID             string
	Routing        string // "": none
	Source         []byte
	AutoIDTime     int64 // -1: the client gave the id
	NothingBecause string
}

const (
	translogCodec     = "translog"
	translogVersion   = 3
	maxTranslogUUID   = 1 << 10
	maxOperation      = 1 << 30
	operationsAtOnce  = 64 << 10
	indexFormat       = 11 // since 2.0
	deleteFormat      = 7
	operationTrailing = 4 // the checksum
)

// translogError says that a file of operations is damaged.
type translogError struct{ problem string }

func (e *translogError) Error() string { return e.problem }

func badTranslog(format string, args ...any) error {
	return &translogError{fmt.Sprintf(format, args...)}
}

// readTranslog reads a file of operations to its end. What it visits is valid during the visit only.
func readTranslog(in io.Reader, visit func(*Operation) error) error {
	r := bufio.NewReaderSize(in, operationsAtOnce)
	if err := readTranslogHeader(r); err != nil {
		return ended(err, "its header")
	}
	var buf []byte
	for n := 0; ; n++ {
		var head [4]byte
		if _, err := io.ReadFull(r, head[:]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return ended(err, fmt.Sprintf("operation %d", n))
		}
		size := int64(binary.BigEndian.Uint32(head[:]))
		if size <= operationTrailing || size > maxOperation {
			return badTranslog("operation %d has %d bytes", n, size)
		}
		var err error
		if buf, err = readGrowing(r, buf[:0], int(size)); err != nil {
			return ended(err, fmt.Sprintf("operation %d", n))
		}
		body, sum := buf[:size-operationTrailing], binary.BigEndian.Uint32(buf[size-operationTrailing:])
		if got := crc32.ChecksumIEEE(body); got != sum {
			return badTranslog("operation %d has the checksum %08x instead of %08x", n, got, sum)
		}
		var op Operation
		if err := op.parse(body); err != nil {
			return badTranslog("operation %d: %v", n, err)
		}
		if err := visit(&op); err != nil {
			return err
		}
	}
}

// readGrowing appends n bytes to b, asking for memory only as they come.
func readGrowing(r io.Reader, b []byte, n int) ([]byte, error) {
	for len(b) < n {
		step := min(n-len(b), max(operationsAtOnce, len(b)))
		if cap(b) < len(b)+step {
			b = append(make([]byte, 0, len(b)+step), b...)
		}
		got, err := io.ReadFull(r, b[len(b):len(b)+step])
		b = b[:len(b)+got]
		if err != nil {
			return b, err
		}
	}
	return b, nil
}

func ended(err error, what string) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return badTranslog("%s is cut off", what)
	}
	return err
}

func readTranslogHeader(r io.Reader) error {
	sum := crc32.NewIEEE()
	t := io.TeeReader(r, sum)
	head := make([]byte, 4+1+len(translogCodec)+4+4)
	if _, err := io.ReadFull(t, head); err != nil {
		return err
	}
	version := binary.BigEndian.Uint32(head[5+len(translogCodec):])
	if binary.BigEndian.Uint32(head) != 0x3fd76c17 || string(head[5:5+len(translogCodec)]) != translogCodec {
		return badTranslog("it does not begin as a translog does")
	}
	if version != translogVersion {
		return badTranslog("its version is %d, and %d is the one that is read", version, translogVersion)
	}
	uuid := binary.BigEndian.Uint32(head[len(head)-4:])
	if uuid == 0 || uuid > maxTranslogUUID {
		return badTranslog("its uuid has %d bytes", uuid)
	}
	if _, err := io.CopyN(io.Discard, t, int64(uuid)+8); err != nil { // and the primary term
		return err
	}
	want := sum.Sum32()
	var b [4]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return err
	}
	if got := binary.BigEndian.Uint32(b[:]); got != want {
		return badTranslog("its header has the checksum %08x, computed %08x", got, want)
	}
	return nil
}

// parse reads an operation without its checksum. Source aliases b.
func (o *Operation) parse(b []byte) error {
	f := operationReader{b: b[1:]}
	switch o.Kind = OperationKind(b[0]); o.Kind {
	case operationCreate, OperationIndex:
		o.Kind = OperationIndex
		if v := f.vint(); v != indexFormat {
			return fmt.Errorf("an index operation of format %d, and %d is the one that is read", v, indexFormat)
		}
		o.ID = f.text()
		o.Source = f.bytes(f.vint())
		if f.byte() != 0 {
			o.Routing = f.text()
		}
		o.Version, o.AutoIDTime, o.SeqNo, o.PrimaryTerm = f.long(), f.long(), f.long(), f.long()
	case OperationDelete:
		if v := f.vint(); v != deleteFormat {
			return fmt.Errorf("a delete operation of format %d, and %d is the one that is read", v, deleteFormat)
		}
		o.ID = f.text()
		o.Version, o.SeqNo, o.PrimaryTerm = f.long(), f.long(), f.long()
	case OperationNone:
		o.SeqNo, o.PrimaryTerm = f.long(), f.long()
		o.NothingBecause = f.text()
	default:
		return fmt.Errorf("kind %d is not known", b[0])
	}
	switch {
	case f.short:
		return errors.New("it ends early")
	case len(f.b) > 0:
		return fmt.Errorf("%d bytes too many", len(f.b))
	case o.SeqNo < 0 || o.PrimaryTerm < 0 || o.Version < 0:
		return fmt.Errorf("sequence number %d, primary term %d, version %d", o.SeqNo, o.PrimaryTerm, o.Version)
	}
	return nil
}

// operationReader takes fields off an operation and remembers that it ended early.
type operationReader struct {
	b     []byte
	short bool
}

func (f *operationReader) bytes(n int) []byte {
	if n < 0 || n > len(f.b) {
		f.short, f.b = true, nil
		return nil
	}
	out := f.b[:n]
	f.b = f.b[n:]
	return out
}

func (f *operationReader) byte() byte {
	if b := f.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (f *operationReader) long() int64 {
	if b := f.bytes(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

func (f *operationReader) vint() int {
	v, n := binary.Uvarint(f.b)
	if n <= 0 || v > maxOperation {
		f.short, f.b = true, nil
		return 0
	}
	f.b = f.b[n:]
	return int(v)
}

// text reads a string: a count of UTF-16 units, each in one to three bytes as UTF-8 has them.
func (f *operationReader) text() string {
	count := f.vint()
	if count > len(f.b) {
		f.short, f.b = true, nil
		return ""
	}
	units := make([]uint16, 0, count)
	for range count {
		switch c := uint16(f.byte()); c >> 4 {
		case 0, 1, 2, 3, 4, 5, 6, 7:
			units = append(units, c)
		case 12, 13:
			units = append(units, c&0x1f<<6|uint16(f.byte())&0x3f)
		case 14:
			d, e := uint16(f.byte()), uint16(f.byte())
			units = append(units, c<<12|d&0x3f<<6|e&0x3f)
		default:
			f.short, f.b = true, nil
			return ""
		}
	}
	return string(utf16.Decode(units))
}
