package translog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// OpType tells what an operation does.
type OpType uint8

// The operation types, as they stand in a record's first body byte.
const (
	OpIndex  OpType = 1
	OpDelete OpType = 2
	OpNoOp   OpType = 3
	opSeal   OpType = 255 // ends a generation; never handed out
)

// String returns the name that OpenSearch gives to the type.
func (t OpType) String() string {
	switch t {
	case OpIndex:
		return "index"
	case OpDelete:
		return "delete"
	case OpNoOp:
		return "no-op"
	}
	return fmt.Sprintf("unknown(%d)", uint8(t))
}

// Operation is one entry of the log.
type Operation struct {
	Type        OpType
	SeqNo       int64 // ≥ 0
	PrimaryTerm int64 // ≥ 0
	Version     int64 // ≥ 0; index and delete only
	ID          string
	Routing     string // "" where the document has none; index only
	Source      []byte // index only
	Reason      string // no-op only
}

const (
	recordHeaderSize = 8 // u32 body length, u32 CRC-32C of length and body
	// MaxRecordSize is the greatest size of an encoded operation, in bytes. A length above it on
	// disk is damage.
	MaxRecordSize = 1 << 30
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errMalformed is the cause of every decoding failure; the callers add file and offset.
var errMalformed = errors.New("malformed record")

// maxEncodedSize bounds the size of op's record from above.
func maxEncodedSize(op *Operation) int {
	return recordHeaderSize + 1 + 5*binary.MaxVarintLen64 + len(op.ID) + len(op.Routing) + len(op.Source) + len(op.Reason)
}

func (op *Operation) validate() error {
	switch {
	case op.Type != OpIndex && op.Type != OpDelete && op.Type != OpNoOp:
		return fmt.Errorf("translog: operation type %v cannot be added", op.Type)
	case op.SeqNo < 0:
		return fmt.Errorf("translog: %v operation [%s] has no sequence number (%d)", op.Type, op.ID, op.SeqNo)
	case op.PrimaryTerm < 0 || op.Version < 0:
		return fmt.Errorf("translog: %v operation [%s] has primary term %d and version %d: neither may be negative", op.Type, op.ID, op.PrimaryTerm, op.Version)
	case maxEncodedSize(op) > MaxRecordSize:
		return fmt.Errorf("translog: %v operation [%s] of %d bytes exceeds the limit of %d bytes", op.Type, op.ID, maxEncodedSize(op), MaxRecordSize)
	}
	return nil
}

// appendRecord appends op's record to dst.
func appendRecord(dst []byte, op *Operation) []byte {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0, byte(op.Type))
	dst = binary.AppendUvarint(dst, uint64(op.SeqNo))
	dst = binary.AppendUvarint(dst, uint64(op.PrimaryTerm))
	switch op.Type {
	case OpIndex:
		dst = binary.AppendUvarint(dst, uint64(op.Version))
		dst = binary.AppendUvarint(dst, uint64(len(op.ID)))
		dst = append(dst, op.ID...)
		dst = binary.AppendUvarint(dst, uint64(len(op.Routing)))
		dst = append(dst, op.Routing...)
		dst = append(dst, op.Source...)
	case OpDelete:
		dst = binary.AppendUvarint(dst, uint64(op.Version))
		dst = append(dst, op.ID...)
	case OpNoOp:
		dst = append(dst, op.Reason...)
	}
	return finishRecord(dst, start)
}

// finishRecord fills in length and checksum of the record that begins at start and ends with dst.
func finishRecord(dst []byte, start int) []byte {
	rec := dst[start:]
	binary.LittleEndian.PutUint32(rec, uint32(len(rec)-recordHeaderSize))
	binary.LittleEndian.PutUint32(rec[4:], recordChecksum(rec))
	return dst
}

func recordChecksum(rec []byte) uint32 {
	return crc32.Update(crc32.Checksum(rec[:4], castagnoli), castagnoli, rec[recordHeaderSize:])
}

// sealSize is fixed so that the seal is found from a file's end.
const sealSize = recordHeaderSize + 1 + 3*8

// seal is what a generation's last record says about it.
type seal struct {
	ops              int64
	minSeqNo, maxSeq int64 // -1 where the generation holds no operation
}

func appendSeal(dst []byte, s seal) []byte {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0, byte(opSeal))
	for _, v := range []int64{s.ops, s.minSeqNo, s.maxSeq} {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(v))
	}
	return finishRecord(dst, start)
}

// checkRecord verifies the record at the start of b: the number of its bytes, or an error that says
// what is wrong. It never looks at more than b.
func checkRecord(b []byte) (int, error) {
	if len(b) < recordHeaderSize {
		return 0, fmt.Errorf("%w: %d bytes left, a record's header has %d", errMalformed, len(b), recordHeaderSize)
	}
	n := int64(binary.LittleEndian.Uint32(b))
	if n == 0 || n > MaxRecordSize {
		return 0, fmt.Errorf("%w: body length %d", errMalformed, n)
	}
	if n > int64(len(b)-recordHeaderSize) {
		return 0, fmt.Errorf("%w: body length %d exceeds the %d bytes left", errMalformed, n, len(b)-recordHeaderSize)
	}
	rec := b[:recordHeaderSize+int(n)]
	if want, got := binary.LittleEndian.Uint32(b[4:]), recordChecksum(rec); want != got {
		return 0, fmt.Errorf("%w: checksum %08x, computed %08x", errMalformed, want, got)
	}
	return len(rec), nil
}

// decodeBody decodes a record's body into op. Source aliases body. For a seal it fills s instead.
func decodeBody(body []byte, op *Operation, s *seal) error {
	if len(body) == 0 {
		return fmt.Errorf("%w: empty body", errMalformed)
	}
	*op = Operation{Type: OpType(body[0])}
	r := reader{b: body[1:]}
	if op.Type == opSeal {
		if len(body) != sealSize-recordHeaderSize {
			return fmt.Errorf("%w: seal of %d bytes", errMalformed, len(body))
		}
		for i, p := range []*int64{&s.ops, &s.minSeqNo, &s.maxSeq} {
			*p = int64(binary.LittleEndian.Uint64(body[1+8*i:]))
		}
		return nil
	}
	op.SeqNo = r.uvarint("sequence number")
	op.PrimaryTerm = r.uvarint("primary term")
	switch op.Type {
	case OpIndex:
		op.Version = r.uvarint("version")
		op.ID = r.string("id")
		op.Routing = r.string("routing")
		op.Source = r.b
	case OpDelete:
		op.Version = r.uvarint("version")
		op.ID = string(r.b)
	case OpNoOp:
		op.Reason = string(r.b)
	default:
		return fmt.Errorf("%w: unknown operation type %d", errMalformed, body[0])
	}
	return r.err
}

// reader takes fields off a body and remembers the first failure.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: bad %s", errMalformed, what)
	}
	r.b = nil
}

func (r *reader) uvarint(what string) int64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || int64(v) < 0 {
		r.fail(what)
		return 0
	}
	r.b = r.b[n:]
	return int64(v)
}

func (r *reader) string(what string) string {
	n := r.uvarint(what)
	if n > int64(len(r.b)) {
		r.fail(what)
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}
