package perfield_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/varve-search/varve/internal/testseed"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/automaton"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/perfield"
	"github.com/varve-search/varve/lucene/store"
)

// image is the postings files of a segment in memory.
type image struct {
	state codec.ReadState
	names []string
	files map[string][]byte
}

func takeImage(t testing.TB, state *codec.ReadState) *image {
	t.Helper()
	im := &image{state: *state, files: map[string][]byte{}}
	all, err := state.Dir.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range all {
		if ext := filepath.Ext(name); ext != "" && slices.Contains(postingsExtensions, ext[1:]) {
			im.names = append(im.names, name)
			im.files[name] = readAll(t, state.Dir, name)
		}
	}
	return im
}

// with returns a state in which one file holds other bytes, under a checksum that fits them.
func (im *image) with(t testing.TB, name string, b []byte) *codec.ReadState {
	t.Helper()
	dir := store.NewMem()
	for _, n := range im.names {
		data := im.files[n]
		if n == name {
			data = bytes.Clone(b)
			if k := len(data) - codec.FooterLength; k >= 0 {
				binary.BigEndian.PutUint32(data[k:], codec.FooterMagic)
				binary.BigEndian.PutUint32(data[k+4:], 0)
				binary.BigEndian.PutUint64(data[k+8:], uint64(crc32.ChecksumIEEE(data[:k+8])))
			}
		}
		out, err := dir.Create(n)
		if err != nil {
			t.Fatal(err)
		}
		out.PutBytes(data)
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
	}
	state := im.state
	state.Dir = dir
	return &state
}

// readEverything reads a segment in many ways, whatever comes of it.
func readEverything(state *codec.ReadState, rnd *rand.Rand) error {
	fp, err := perfield.NewFieldsProducer(state)
	if err != nil {
		return err
	}
	defer fp.Close()
	var first error
	for _, name := range fp.FieldNames() {
		terms, err := fp.Terms(name)
		if err == nil && terms != nil {
			err = readTerms(terms, rnd, state.Info.MaxDoc)
		}
		if first == nil {
			first = err
		}
	}
	return first
}

func readTerms(terms lucene.Terms, rnd *rand.Rand, maxDoc int32) error {
	var first error
	note := func(err error) {
		if first == nil {
			first = err
		}
	}
	te, err := terms.Iterator()
	if err != nil {
		return err
	}
	var keys [][]byte
	for {
		term, err := te.Next()
		note(err)
		if term == nil || err != nil {
			break
		}
		if rnd.IntN(4) == 0 && len(keys) < 100 {
			keys = append(keys, bytes.Clone(term))
		}
		note(readPostings(te, rnd, maxDoc))
	}
	lo, _ := terms.Min()
	hi, _ := terms.Max()
	keys = append(keys, lo, hi, []byte("x"))
	for _, k := range keys {
		ok, err := te.SeekExact(k)
		note(err)
		if ok {
			note(readPostings(te, rnd, maxDoc))
		}
		status, err := te.SeekCeil(k)
		note(err)
		for range 3 {
			if status == lucene.SeekEnd || err != nil {
				break
			}
			note(readPostings(te, rnd, maxDoc))
			var next []byte
			if next, err = te.Next(); next == nil {
				break
			}
		}
		note(err)
	}
	it, err := terms.Intersect(automaton.Prefix(string(lo[:len(lo)/2]), false), nil)
	note(err)
	for err == nil {
		var term []byte
		if term, err = it.Next(); term == nil {
			break
		}
		_, e := it.DocFreq()
		note(e)
	}
	note(err)
	return first
}

func readPostings(te lucene.TermsEnum, rnd *rand.Rand, maxDoc int32) error {
	if _, err := te.DocFreq(); err != nil {
		return err
	}
	pe, err := te.Postings(nil, lucene.PostingsAll)
	if err != nil {
		return err
	}
	last := int32(-1)
	for {
		var doc int32
		if rnd.IntN(8) > 0 {
			doc, err = pe.Next()
		} else {
			doc, err = pe.Advance(last + 1 + rnd.Int32N(500))
		}
		if err != nil {
			return err
		}
		if doc == lucene.NoMoreDocs {
			break
		}
		if doc < last || doc >= maxDoc {
			panic("a document beyond the segment, or out of order")
		}
		last = doc
		freq, err := pe.Freq()
		if err != nil {
			return err
		}
		if freq <= 0 {
			panic("no frequency")
		}
		for range freq {
			p, err := pe.NextPosition()
			if err != nil {
				return err
			}
			if p < 0 {
				break
			}
			_ = append([]byte(nil), pe.Payload()...)
			_, _ = pe.StartOffset(), pe.EndOffset()
		}
	}
	ie, err := te.Impacts(lucene.PostingsFreqs)
	if err != nil {
		return err
	}
	for target := int32(0); target != lucene.NoMoreDocs; {
		if err := ie.AdvanceShallow(target); err != nil {
			return err
		}
		for l := range ie.NumLevels() {
			if _, err := ie.Impacts(l); err != nil {
				return err
			}
		}
		upTo := ie.DocIDUpTo(0)
		if upTo == lucene.NoMoreDocs {
			return nil
		}
		if target, err = ie.Advance(max(target, upTo) + 1); err != nil {
			return err
		}
	}
	return nil
}

// damage reads the image with bits flipped, bytes replaced and ends cut off.
func damage(t *testing.T, im *image, rnd *rand.Rand, rounds int) {
	t.Helper()
	if err := readEverything(&im.state, rnd); err != nil {
		t.Fatalf("without damage: %v", err)
	}
	failed := 0
	for range rounds {
		name := im.names[rnd.IntN(len(im.names))]
		b := bytes.Clone(im.files[name])
		seed := rnd.Uint64()
		switch rnd.IntN(6) {
		case 0:
			b = b[:rnd.IntN(len(b))]
		case 1:
			at := rnd.IntN(len(b))
			for i := at; i < min(len(b), at+8); i++ {
				b[i] = byte(rnd.IntN(256))
			}
		default:
			for range 1 + rnd.IntN(3) {
				b[rnd.IntN(len(b))] ^= 1 << rnd.IntN(8)
			}
		}
		start := time.Now()
		if readEverything(im.with(t, name, b), rand.New(rand.NewPCG(seed, 0))) != nil {
			failed++
		}
		if d := time.Since(start); d > 20*time.Second {
			t.Errorf("reading a damaged %s took %s", name, d)
		}
	}
	t.Logf("%d of %d damaged segments gave errors", failed, rounds)
}

// TestDamageWritten damages what the writer wrote.
func TestDamageWritten(t *testing.T) {
	rnd := rand.New(rand.NewPCG(uint64(testseed.Of(t)), 1))
	for range 6 {
		w, fields := randomSegment(rnd, 1+rnd.Int32N(9000), 12000)
		write(t, w, fields)
		damage(t, takeImage(t, readState(w, store.Random)), rnd, 12**roundFlag)
	}
}

// TestDamageGenerations damages what each generation of Lucene wrote.
func TestDamageGenerations(t *testing.T) {
	seed := uint64(testseed.Of(t))
	for i, version := range []string{"9.0.0", "9.8.0", "9.11.1", "9.12.3", "10.1.0", "10.5.0"} {
		path := makeIndex(t, version, int64(i), 900)
		for _, s := range openSegments(t, path, store.Random) {
			damage(t, takeImage(t, s.State), rand.New(rand.NewPCG(seed, uint64(i))), 2**roundFlag)
		}
	}
}

// FuzzRead replaces a file of a segment.
func FuzzRead(f *testing.F) {
	rnd := rand.New(rand.NewPCG(5, 5))
	w, fields := randomSegment(rnd, 700, 1500)
	write(f, w, fields)
	im := takeImage(f, readState(w, store.Random))
	for i, name := range im.names {
		f.Add(uint8(i), im.files[name])
	}
	f.Fuzz(func(t *testing.T, file uint8, b []byte) {
		name := im.names[int(file)%len(im.names)]
		_ = readEverything(im.with(t, name, b), rand.New(rand.NewPCG(1, 1)))
	})
}
