package codec

import (
	"fmt"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/store"
)

// Framing of the files of an index; see docs/formats/framing.md. Headers and footers are big-endian.
const (
	HeaderMagic  uint32 = 0x3fd76c17
	FooterMagic  uint32 = ^HeaderMagic
	FooterLength        = 16
)

// WriteHeader writes magic, codec name and version.
func WriteHeader(out *store.Output, name string, version int32) {
	out.PutBEUint32(HeaderMagic)
	out.PutString(name)
	out.PutBEUint32(uint32(version))
}

// HeaderLength returns how many bytes WriteHeader writes.
func HeaderLength(name string) int64 { return int64(9 + len(name)) }

// WriteIndexHeader writes a header that ties the file to a segment (or commit) and a suffix.
func WriteIndexHeader(out *store.Output, name string, version int32, id lucene.ID, suffix string) {
	WriteHeader(out, name, version)
	out.PutBytes(id[:])
	out.PutByte(byte(len(suffix)))
	out.PutBytes([]byte(suffix))
}

// IndexHeaderLength returns how many bytes WriteIndexHeader writes.
func IndexHeaderLength(name, suffix string) int64 {
	return HeaderLength(name) + int64(len(lucene.ID{})) + 1 + int64(len(suffix))
}

// WriteFooter writes the footer: magic, algorithm 0, and the CRC-32 of all bytes before the CRC.
func WriteFooter(out *store.Output) {
	out.PutBEUint32(FooterMagic)
	out.PutBEUint32(0)
	out.PutBEInt64(int64(out.Checksum()))
}

// ReadHeader reads a header of the given codec whose version is within [minVersion, maxVersion], and returns the version.
func ReadHeader(r *store.Reader, name string, minVersion, maxVersion int32) (int32, error) {
	start := r.Offset()
	magic := r.BEUint32()
	if r.Err() == nil && magic != HeaderMagic {
		return 0, store.Corruptf(r.Input().Name(), store.Base(r.Input())+start, "no codec header: the magic is %#08x", magic)
	}
	got := r.String()
	version := int32(r.BEUint32())
	if err := r.Err(); err != nil {
		return 0, err
	}
	if got != name {
		return 0, store.Corruptf(r.Input().Name(), store.Base(r.Input())+start, "the codec is %q where %q is expected", clip(got), name)
	}
	if version < minVersion || version > maxVersion {
		return 0, &VersionError{File: r.Input().Name(), Codec: name, Version: version, Min: minVersion, Max: maxVersion}
	}
	return version, nil
}

// VersionError says that a file is of a version of its format that this package does not read.
type VersionError struct {
	File, Codec       string
	Version, Min, Max int32
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("index file %s: version %d of format %s is not supported (supported: %d to %d)", e.File, e.Version, e.Codec, e.Min, e.Max)
}

func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}

// PeekHeader reads any header and returns codec name and version.
func PeekHeader(r *store.Reader) (name string, version int32, err error) {
	start := r.Offset()
	magic := r.BEUint32()
	if r.Err() == nil && magic != HeaderMagic {
		return "", 0, store.Corruptf(r.Input().Name(), store.Base(r.Input())+start, "no codec header: the magic is %#08x", magic)
	}
	name = r.String()
	version = int32(r.BEUint32())
	return name, version, r.Err()
}

// ReadIndexHeader reads a header that must be tied to the given segment and suffix.
func ReadIndexHeader(r *store.Reader, name string, minVersion, maxVersion int32, id lucene.ID, suffix string) (int32, error) {
	version, err := ReadHeader(r, name, minVersion, maxVersion)
	if err != nil {
		return 0, err
	}
	at := r.Offset()
	var got lucene.ID
	r.ReadFull(got[:])
	gotSuffix := string(r.Bytes(int(r.Byte())))
	if err := r.Err(); err != nil {
		return 0, err
	}
	if got != id {
		return 0, store.Corruptf(r.Input().Name(), store.Base(r.Input())+at, "the file belongs to segment id %x, not to %x", got[:], id[:])
	}
	if gotSuffix != suffix {
		return 0, store.Corruptf(r.Input().Name(), store.Base(r.Input())+at, "the file has the suffix %q where %q is expected", gotSuffix, suffix)
	}
	return version, nil
}

// ReadFooter checks the form of the footer at the end of in and returns the checksum that it holds,
// without reading the rest.
func ReadFooter(in store.Input) (uint32, error) {
	at := in.Length() - FooterLength
	if at < 0 {
		return 0, store.Corruptf(in.Name(), 0, "%d bytes are too few for a footer", in.Length())
	}
	r := store.NewReader(in)
	r.SeekTo(at)
	magic, algorithm, sum := r.BEUint32(), r.BEUint32(), r.BEInt64()
	switch {
	case r.Err() != nil:
		return 0, r.Err()
	case magic != FooterMagic:
		return 0, store.Corruptf(in.Name(), store.Base(in)+at, "no footer (truncated?): the magic is %#08x", magic)
	case algorithm != 0:
		return 0, store.Corruptf(in.Name(), store.Base(in)+at, "unknown checksum algorithm %d", algorithm)
	case sum>>32 != 0:
		return 0, store.Corruptf(in.Name(), store.Base(in)+at, "the checksum %#x has more than 32 bits", sum)
	}
	return uint32(sum), nil
}

// VerifyChecksum reads all of in and compares its CRC-32 to the footer's.
func VerifyChecksum(in store.Input) error {
	want, err := ReadFooter(in)
	if err != nil {
		return err
	}
	got, err := store.Checksum(in, in.Length()-8)
	if err != nil {
		return err
	}
	if got != want {
		return store.Corruptf(in.Name(), -1, "the checksum is %08x, the footer says %08x", got, want)
	}
	return nil
}

// Finish is called when a reader has parsed all of a small file: r must stand at the footer, whose
// checksum must hold. parseErr is the error of parsing; a wrong checksum explains it better.
func Finish(r *store.Reader, parseErr error) error {
	if parseErr == nil {
		parseErr = r.Err()
	}
	offset := r.Offset()
	if err := VerifyChecksum(r.Input()); err != nil {
		if parseErr == nil {
			return err
		}
		return fmt.Errorf("%w (and while parsing: %w)", err, parseErr)
	}
	if parseErr != nil {
		return parseErr
	}
	if rest := r.Input().Length() - FooterLength - offset; rest != 0 {
		return store.Corruptf(r.Input().Name(), store.Base(r.Input())+offset, "parsing ended %d bytes before the footer", rest)
	}
	return nil
}
