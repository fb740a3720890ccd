package repository

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"

	"github.com/varve-search/varve/repository/smile"
)

// Format: docs/formats/repository.md, "Framing".

const (
	codecMagic  = 0x3fd76c17
	footerMagic = 0xc02893e8 // ^codecMagic
	footerLen   = 16
	frameVer    = 1

	codecSnapshot      = "snapshot"
	codecMetadata      = "metadata"
	codecIndexMetadata = "index-metadata"
	codecShardIndex    = "snapshots"
)

var (
	headerDeflate = []byte("DFL\x00")
	headerZstd    = []byte("ZSTD\x00")
)

// Compression is how metadata blobs are compressed. Readers recognise each.
type Compression uint8

const (
	// NoCompression is OpenSearch's default on fs.
	NoCompression Compression = iota
	// Deflate is "compress": true.
	Deflate
	// Zstd is "compression_type": "ZSTD"; OpenSearch 2.10 and later read it.
	Zstd
)

// encodeFrame puts a tree into a framed blob.
func encodeFrame(codec string, v any, c Compression) ([]byte, error) {
	return frame(codec, c, func(b []byte) ([]byte, error) { return smile.AppendEncoded(b, v) })
}

// frame puts what body appends to its argument into a framed blob.
func frame(codec string, c Compression, body func([]byte) ([]byte, error)) ([]byte, error) {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 1<<10), codecMagic)
	b = append(b, byte(len(codec)))
	b = append(b, codec...)
	b = binary.BigEndian.AppendUint32(b, frameVer)
	var err error
	if c == NoCompression {
		b, err = body(b)
	} else {
		var content []byte
		if content, err = body(nil); err == nil {
			b, err = compress(b, content, c)
		}
	}
	if err != nil {
		return nil, err
	}
	b = binary.BigEndian.AppendUint32(b, footerMagic)
	b = binary.BigEndian.AppendUint32(b, 0)
	return binary.BigEndian.AppendUint64(b, uint64(crc32.ChecksumIEEE(b))), nil
}

// compress appends the content to b with the header of its compression.
func compress(b, content []byte, c Compression) ([]byte, error) {
	out := bytes.NewBuffer(b)
	var w io.WriteCloser
	var err error
	switch c {
	case Deflate:
		out.Write(headerDeflate)
		w, err = flate.NewWriter(out, flate.DefaultCompression)
	case Zstd:
		out.Write(headerZstd)
		w, err = zstd.NewWriter(out, zstd.WithEncoderConcurrency(1))
	default:
		return nil, fmt.Errorf("unknown compression %d", c)
	}
	if err == nil {
		_, err = w.Write(content)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	return out.Bytes(), nil
}

// decodeFrame checks a framed blob and returns its tree. Limit bounds the decompressed size.
func decodeFrame(b []byte, codec string, limit int64) (*smile.Object, error) {
	body, err := unframe(b, codec)
	if err != nil {
		return nil, err
	}
	if body, err = decompress(body, limit); err != nil {
		return nil, err
	}
	v, err := smile.Decode(body, smile.Limits{})
	if err != nil {
		return nil, err
	}
	o, ok := v.(*smile.Object)
	if !ok {
		return nil, fmt.Errorf("the content is no object")
	}
	return o, nil
}

func unframe(b []byte, codec string) ([]byte, error) {
	headLen := 4 + 1 + len(codec) + 4
	if len(b) < headLen+footerLen {
		return nil, fmt.Errorf("truncated: %d bytes", len(b))
	}
	if m := binary.BigEndian.Uint32(b); m != codecMagic {
		return nil, fmt.Errorf("codec magic 0x%08x is wrong", m)
	}
	foot := b[len(b)-footerLen:]
	if m, a := binary.BigEndian.Uint32(foot), binary.BigEndian.Uint32(foot[4:]); m != footerMagic || a != 0 {
		return nil, fmt.Errorf("footer 0x%08x with algorithm %d is wrong: truncated or damaged", m, a)
	}
	if want, got := binary.BigEndian.Uint64(foot[8:]), uint64(crc32.ChecksumIEEE(b[:len(b)-8])); want != got {
		return nil, fmt.Errorf("checksum %08x, but the footer says %08x", got, want)
	}
	if int(b[4]) != len(codec) || string(b[5:5+len(codec)]) != codec {
		return nil, fmt.Errorf("codec is not [%s]", codec)
	}
	if v := binary.BigEndian.Uint32(b[headLen-4:]); v != frameVer {
		return nil, fmt.Errorf("version %d of codec [%s] is not known", v, codec)
	}
	return b[headLen : len(b)-footerLen], nil
}

func decompress(b []byte, limit int64) ([]byte, error) {
	var r io.Reader
	switch {
	case bytes.HasPrefix(b, headerDeflate):
		r = flate.NewReader(bytes.NewReader(b[len(headerDeflate):]))
	case bytes.HasPrefix(b, headerZstd):
		d, err := zstd.NewReader(bytes.NewReader(b[len(headerZstd):]), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(128<<20))
		if err != nil {
			return nil, err
		}
		defer d.Close()
		r = d
	default:
		return b, nil
	}
	out, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	if int64(len(out)) > limit {
		return nil, fmt.Errorf("decompresses to more than %d bytes", limit)
	}
	return out, nil
}
