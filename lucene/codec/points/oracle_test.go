package points_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"path/filepath"
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec/codectest"
	"github.com/varve-search/varve/lucene/codec/points"
)

// digest visits all points.
type digest struct {
	hash.Hash
	n int
}

func (*digest) Compare(_, _ []byte) lucene.Relation { return lucene.CellCrosses }
func (*digest) Visit(int32) error                   { return fmt.Errorf("a point without a value") }
func (*digest) VisitAll([]int32) error              { return fmt.Errorf("points without values") }
func (*digest) Grow(int)                            {}
func (d *digest) VisitValue(doc int32, v []byte) error {
	d.n++
	d.Write(binary.BigEndian.AppendUint32(nil, uint32(doc)))
	d.Write(v)
	return nil
}

// TestLucene10 reads trees in which documents are packed in 21 and 24 bits, as only Lucene 10 does.
func TestLucene10(t *testing.T) {
	path := t.TempDir()
	out := oracletest.RunJava(t, "10.5.0", filepath.Join("testdata", "PointsMake.java"), path, "17")
	_, segs := codectest.Segments(t, path)
	if len(segs) != 1 {
		t.Fatalf("%d segments", len(segs))
	}
	p, err := points.NewProducer(segs[0].State)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	lines := 0
	for line := range strings.Lines(string(out)) {
		lines++
		field, _, _ := strings.Cut(line, " ")
		tree, err := p.Points(field)
		if err != nil || tree == nil {
			t.Fatalf("%s: %v, %v", field, tree, err)
		}
		d := &digest{Hash: sha256.New()}
		if err := tree.Intersect(d); err != nil {
			t.Fatalf("%s: %v", field, err)
		}
		if got := fmt.Sprintf("%s %d %x", field, d.n, d.Sum(nil)); got != strings.TrimSpace(line) {
			t.Errorf("%s, Lucene reads %s", got, line)
		}
	}
	// The first byte behind the count tells how the documents of the leaf are packed; all but the last have 512.
	in, err := segs[0].State.Dir.Open(segs[0].State.FileName("kdd"), segs[0].State.Access)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	b, err := in.Window(0, int(in.Length()))
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []byte{21, 24} {
		if !bytes.Contains(b, []byte{0x80, 0x04, kind}) {
			t.Errorf("no leaf packs its documents in %d bits", kind)
		}
	}
	if lines != 3 {
		t.Errorf("%d fields", lines)
	}
}
