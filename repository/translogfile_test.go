package repository

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/mem"
	"github.com/varve-search/varve/lucene/codec"
)

// What a real OpenSearch 2.19 wrote into a remote translog.
const (
	translogHeadHex = "3fd76c17087472616e736c6f670000000300000016456b366931415761546b2d436e6837635f37506545670000000000000001c77e6e17"
	translogPutHex  = "00000033020b0136077b226e223a367d0101780000000000000001ffffffffffffffff00000000000000070000000000000001dbcebce0"
	translogDelHex  = "00000020030701320000000000000002000000000000000600000000000000011f1806eb"
	translogMetaHex = "3fd76c17026d6400000001010000000000000004000000000000000300000000000000020134013101330131c02893e800000000000000001c3fa4d2"
	translogCkpHex  = "3fd76c1703636b70000000046e00000000000000010000000a000000000000000700000000000000070000000000000006000000000000000300000000000000feffffffffffffffc02893e80000000000000000ffd06eb9"
)

func fromHex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestReadTranslog(t *testing.T) {
	whole := fromHex(t, translogHeadHex+translogPutHex+translogDelHex)
	var got []Operation
	if err := readTranslog(bytes.NewReader(whole), func(op *Operation) error {
		one := *op
		one.Source = bytes.Clone(op.Source)
		got = append(got, one)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 {
		t.Fatalf("%+v", got)
	}
	put, del := got[0], got[1]
	if put.Kind != OperationIndex || put.ID != "6" || put.Routing != "x" || string(put.Source) != `{"n":6}` || put.SeqNo != 7 || put.PrimaryTerm != 1 || put.Version != 1 {
		t.Errorf("%+v", put)
	}
	if del.Kind != OperationDelete || del.ID != "2" || del.SeqNo != 6 || del.PrimaryTerm != 1 || del.Version != 2 {
		t.Errorf("%+v", del)
	}
	header := len(fromHex(t, translogHeadHex))
	ends := map[int]bool{header: true, header + len(fromHex(t, translogPutHex)): true}
	for n := range whole {
		var bad *translogError
		err := readTranslog(bytes.NewReader(whole[:n]), func(*Operation) error { return nil })
		if ends[n] != (err == nil) || err != nil && !errors.As(err, &bad) {
			t.Errorf("the first %d bytes: %v", n, err)
		}
		flipped := bytes.Clone(whole)
		flipped[n] ^= 0x10
		if err := readTranslog(bytes.NewReader(flipped), func(*Operation) error { return nil }); err == nil {
			t.Errorf("byte %d was changed, and nothing is wrong", n)
		}
	}
}

func TestTranslogMetadata(t *testing.T) {
	g, err := parseTranslogMetadata("x", fromHex(t, translogMetaHex))
	if err != nil || len(g) != 2 || g[0].number != 3 || g[1].number != 4 || g[1].term != 1 || g[0].trimmed != unassignedSeqNo {
		t.Errorf("%+v, %v", g, err)
	}
	c := translogGeneration{number: 10}
	if max, err := c.parseCheckpoint("x", fromHex(t, translogCkpHex)); err != nil || max != 7 || c.trimmed != unassignedSeqNo {
		t.Errorf("%d, %+v, %v", max, c, err)
	}
	if _, err := (&translogGeneration{number: 9}).parseCheckpoint("x", fromHex(t, translogCkpHex)); err == nil || !strings.Contains(err.Error(), "generation 10") {
		t.Error(err)
	}
}

// attributed is a store whose blobs all have an attribute.
type attributed struct {
	wrapped
	checkpoint string
}

type wrapped = blob.Container // which has a method of its name

func (c attributed) Stat(ctx context.Context, name string) (blob.Info, error) {
	i, err := c.wrapped.Stat(ctx, name)
	i.Attributes = map[string]string{"other": "x"}
	if c.checkpoint != "" {
		i.Attributes[checkpointAttribute] = c.checkpoint
	}
	return i, err
}

// The checkpoint is the attribute where the index has it there, else the file beside; without both the operations are looked at.
func TestCheckpointPlaces(t *testing.T) {
	whole, file := fromHex(t, translogHeadHex+translogPutHex+translogDelHex), fromHex(t, translogCkpHex)
	trimming := bytes.Clone(file)
	binary.LittleEndian.PutUint64(trimming[len(trimming)-codec.FooterLength-8:], 6) // operations above it do not count
	binary.BigEndian.PutUint64(trimming[len(trimming)-8:], uint64(crc32.ChecksumIEEE(trimming[:len(trimming)-8])))
	attribute := base64.StdEncoding.EncodeToString
	for _, c := range []struct {
		name, attribute string
		file            []byte
		attributes      bool
		max             int64
		operations      int
		fails           string
	}{
		{"file", attribute(trimming), file, false, 7, 2, ""},
		{"attribute", attribute(trimming), nil, true, 6, 1, ""},
		{"both", attribute(trimming), file, true, 6, 1, ""},
		{"attribute left behind", "", nil, true, 7, 2, ""},
		{"the file instead", "", trimming, true, 6, 1, ""},
		{"neither", "", nil, false, 7, 2, ""},
		{"no base64", "%", file, true, 0, 0, "[ckp-data]"},
		{"empty", attribute(nil) + "AAAA", file, true, 0, 0, "translog-10.tlog ckp-data"},
		{"long", attribute(make([]byte, maxCheckpoint+1)), file, true, 0, 0, "[ckp-data]"},
		{"changed", attribute(append(trimming[:5:5], make([]byte, len(file)-5)...)), file, true, 0, 0, "translog-10.tlog ckp-data"},
	} {
		t.Run(c.name, func(t *testing.T) {
			st := attributed{mem.New(), c.attribute}
			for name, b := range map[string][]byte{"translog-10.tlog": whole, "translog-10.ckp": c.file} {
				if b == nil {
					continue
				}
				if err := putBytes(bg, st, name, b, blob.PutOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			g := translogGeneration{number: 10, term: 1, c: &remoteBlobs{st, "p"}, trimmed: unassignedSeqNo}
			max, err := g.readCheckpoint(bg, c.attributes)
			if c.fails != "" {
				if err == nil || !isCorrupt(err) || !strings.Contains(err.Error(), c.fails) {
					t.Errorf("%v, want %q", err, c.fails)
				}
				return
			}
			n := 0
			if err == nil {
				err = g.read(bg, func(*Operation) error { n++; return nil })
			}
			if err != nil || max != c.max || n != c.operations {
				t.Errorf("up to %d, %d operations, %v; want %d and %d", max, n, err, c.max, c.operations)
			}
		})
	}
}

func FuzzReadTranslog(f *testing.F) {
	f.Add(fromHex(f, translogHeadHex+translogPutHex+translogDelHex))
	f.Add(fromHex(f, translogMetaHex))
	f.Add(fromHex(f, translogCkpHex))
	f.Fuzz(func(_ *testing.T, b []byte) {
		nothing := func(*Operation) error { return nil }
		_ = readTranslog(bytes.NewReader(b), nothing)
		if len(b) > 0 {
			_ = new(Operation).parse(b) // the checksum hides it from the fuzzer
		}
		_, _ = parseTranslogMetadata("x", b)
		_, _ = new(translogGeneration).parseCheckpoint("x", b)
	})
}

// Names of metadata files say when they were written; of those that are not younger than the time the one that counts most is taken.
func TestRemoteNames(t *testing.T) {
	n, ok := segmentsName("metadata__9223372036854775806__9223372036854775804__9223372036854775795__9223372036854775804__155932250__9223370241591246234__1")
	if !ok || n.time != 1795263529573 || n.writer != "155932250" {
		t.Errorf("%+v %v", n, ok)
	}
	n, ok = translogName("metadata__9223372036854775806__9223372036854775796__9223370241591247459__155932250__9223372036854775804__1__1")
	if !ok || n.time != 1795263528348 || n.writer != "155932250" {
		t.Errorf("%+v %v", n, ok)
	}
	for _, bad := range []string{"metadata__", "metadata__1__2__x__y", "metadata__1__-2__-3__1"} {
		if n, ok := translogName(bad); ok {
			t.Errorf("%s: %+v", bad, n)
		}
	}
}
