package translog

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"path/filepath"
	"strconv"
	"strings"
)

// The fixed structures of docs/formats/translog.md: a generation's header and the checkpoint's slots.

const (
	headerSize    = 64
	headerMagic   = "VARVETLG"
	slotMagic     = "VARVECKP"
	formatVersion = 1

	checkpointName = "translog.ckp"
	slotSize       = 128
	slotDistance   = 4096 // the slots lie on different pages, so a torn write hits one of them
	checkpointSize = slotDistance + slotSize

	generationPrefix = "translog-"
	generationSuffix = ".tlog"

	uuidSize = 16
)

func generationName(gen int64) string {
	return generationPrefix + strconv.FormatInt(gen, 10) + generationSuffix
}

func generationPath(dir string, gen int64) string { return filepath.Join(dir, generationName(gen)) }

// parseGeneration returns the generation that a file name stands for, and false for other files.
func parseGeneration(name string) (int64, bool) {
	s, ok := strings.CutPrefix(name, generationPrefix)
	if !ok {
		return 0, false
	}
	if s, ok = strings.CutSuffix(s, generationSuffix); !ok {
		return 0, false
	}
	gen, err := strconv.ParseInt(s, 10, 64)
	if err != nil || gen < 1 || generationName(gen) != name {
		return 0, false
	}
	return gen, true
}

type uuid [uuidSize]byte

func (u uuid) String() string { return base64.RawURLEncoding.EncodeToString(u[:]) }

func parseUUID(s string) (u uuid, err error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != uuidSize {
		return u, fmt.Errorf("translog: UUID [%s] is not %d bytes in URL-safe base64", s, uuidSize)
	}
	return uuid(b), nil
}

func encodeHeader(id uuid, gen int64) []byte {
	b := make([]byte, headerSize)
	copy(b, headerMagic)
	binary.LittleEndian.PutUint32(b[8:], formatVersion)
	binary.LittleEndian.PutUint64(b[16:], uint64(gen))
	copy(b[24:], id[:])
	binary.LittleEndian.PutUint32(b[headerSize-4:], crc32.Checksum(b[:headerSize-4], castagnoli))
	return b
}

// decodeHeader returns UUID and generation of a generation's header.
func decodeHeader(b []byte) (id uuid, gen int64, err error) {
	if len(b) < headerSize {
		return id, 0, fmt.Errorf("header has %d bytes of %d", len(b), headerSize)
	}
	if string(b[:8]) != headerMagic {
		return id, 0, fmt.Errorf("no translog magic")
	}
	if want, got := binary.LittleEndian.Uint32(b[headerSize-4:]), crc32.Checksum(b[:headerSize-4], castagnoli); want != got {
		return id, 0, fmt.Errorf("header checksum %08x, computed %08x", want, got)
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != formatVersion {
		return id, 0, fmt.Errorf("format version %d, known is %d", v, formatVersion)
	}
	copy(id[:], b[24:])
	return id, int64(binary.LittleEndian.Uint64(b[16:])), nil
}

// checkpoint is the content of a slot of the checkpoint file.
type checkpoint struct {
	sequence         int64 // counts writes; the valid slot with the higher one counts
	uuid             uuid
	minGeneration    int64 // oldest generation that is kept
	generation       int64 // the one being written
	offset           int64 // bytes of generation that are on disk
	ops              int64 // operations below offset
	minSeqNo, maxSeq int64 // of those, or -1
	globalCheckpoint int64 // -1 where none was set
}

func (c checkpoint) encode() []byte {
	b := make([]byte, slotSize)
	copy(b, slotMagic)
	binary.LittleEndian.PutUint32(b[8:], formatVersion)
	copy(b[80:], c.uuid[:])
	for i, v := range []int64{c.sequence, c.minGeneration, c.generation, c.offset, c.ops, c.minSeqNo, c.maxSeq, c.globalCheckpoint} {
		binary.LittleEndian.PutUint64(b[16+8*i:], uint64(v))
	}
	binary.LittleEndian.PutUint32(b[slotSize-4:], crc32.Checksum(b[:slotSize-4], castagnoli))
	return b
}

func decodeSlot(b []byte) (c checkpoint, err error) {
	if len(b) < slotSize {
		return c, fmt.Errorf("slot has %d bytes of %d", len(b), slotSize)
	}
	if string(b[:8]) != slotMagic {
		return c, fmt.Errorf("no checkpoint magic")
	}
	if want, got := binary.LittleEndian.Uint32(b[slotSize-4:]), crc32.Checksum(b[:slotSize-4], castagnoli); want != got {
		return c, fmt.Errorf("checksum %08x, computed %08x", want, got)
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != formatVersion {
		return c, fmt.Errorf("format version %d, known is %d", v, formatVersion)
	}
	copy(c.uuid[:], b[80:])
	for i, p := range []*int64{&c.sequence, &c.minGeneration, &c.generation, &c.offset, &c.ops, &c.minSeqNo, &c.maxSeq, &c.globalCheckpoint} {
		*p = int64(binary.LittleEndian.Uint64(b[16+8*i:]))
	}
	if c.minGeneration < 1 || c.generation < c.minGeneration || c.offset < headerSize || c.ops < 0 {
		return c, fmt.Errorf("generations %d to %d, offset %d, %d operations make no sense", c.minGeneration, c.generation, c.offset, c.ops)
	}
	return c, nil
}

// decodeCheckpoint returns the newer of the two slots. One of them may be torn: the other then holds
// the state before the write that the crash interrupted, which nobody had been told of.
//
// With both slots whole, the older one's loss of a sync cannot be told from damage, so a damaged
// newer slot falls back too; the records that were written since are found by reading on.
func decodeCheckpoint(b []byte) (checkpoint, error) {
	a, errA := decodeSlot(b)
	var z checkpoint
	errZ := fmt.Errorf("file has %d bytes of %d", len(b), checkpointSize)
	if len(b) >= checkpointSize {
		z, errZ = decodeSlot(b[slotDistance:])
	}
	switch {
	case errA != nil && errZ != nil:
		return checkpoint{}, fmt.Errorf("neither slot is whole: %w; %w", errA, errZ)
	case errA != nil, errZ == nil && z.sequence > a.sequence:
		return z, nil
	}
	return a, nil
}
