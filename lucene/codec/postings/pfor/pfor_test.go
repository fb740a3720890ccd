package pfor

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/varve-search/varve/lucene/store"
)

func reader(b []byte) *store.Reader { return store.NewReader(store.NewBytesInput("block", b)) }

// values makes a block whose values have at most bits bits, a few of them more.
func values(rnd *rand.Rand, bits int, more int) (v [BlockSize]uint32) {
	for i := range v {
		v[i] = rnd.Uint32() >> (32 - bits)
	}
	for range more {
		v[rnd.IntN(BlockSize)] = rnd.Uint32() >> max(1, 32-bits-rnd.IntN(10))
	}
	return v
}

func TestPFOR(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for bits := 1; bits <= 31; bits++ {
		for more := range 12 {
			for kind := range 3 {
				v := values(rnd, bits, more)
				if kind == 1 { // equal but for some
					w := v
					for i := range v {
						v[i] = w[0]
					}
					for range more {
						v[rnd.IntN(BlockSize)] = w[1]
					}
				}
				out := store.NewBuffer()
				in := v
				EncodePFOR(out, &in)
				if in != v {
					t.Fatal("the values were changed")
				}
				out.PutByte(0xaa)
				r := reader(out.Data())
				var got [BlockSize]uint32
				DecodePFOR(r, &got)
				if r.Err() != nil || got != v || r.Byte() != 0xaa {
					t.Fatalf("bits %d, kind %d: %v", bits, kind, r.Err())
				}
				r.SeekTo(0)
				SkipPFOR(r)
				if r.Byte() != 0xaa {
					t.Fatalf("bits %d: SkipPFOR ends at %d of %d", bits, r.Offset(), len(out.Data()))
				}
			}
		}
	}
}

func TestDeltas(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for bits := 0; bits <= 24; bits++ {
		for range 20 {
			var v [BlockSize]uint32
			for i := range v {
				v[i] = 1
				if bits > 0 {
					v[i] += rnd.Uint32() >> (32 - bits) >> 1
				}
			}
			if bits == 24 { // one large gap among small ones
				v[rnd.IntN(BlockSize)] = 1<<30 + rnd.Uint32N(1<<29)
			}
			out := store.NewBuffer()
			EncodeDeltas(out, &v)
			base := rnd.Int32N(1000) - 1
			var docs [BlockSize + 1]int32
			docs[BlockSize] = 77
			r := reader(out.Data())
			DecodeDeltas(r, base, &docs)
			if r.Err() != nil || r.Remaining() != 0 || docs[BlockSize] != 77 {
				t.Fatalf("bits %d: %v, %d left", bits, r.Err(), r.Remaining())
			}
			want := base
			for i := range v {
				want += int32(v[i])
				if docs[i] != want {
					t.Fatalf("bits %d: document %d is %d, want %d", bits, i, docs[i], want)
				}
			}
		}
	}
}

// TestKnownBlocks checks bytes that follow from the description of the layout.
func TestKnownBlocks(t *testing.T) {
	var v [BlockSize]uint32
	for i := range v {
		v[i] = uint32(i / 16) // lane i/16 of 8 bits holds i/16: each word is the same
	}
	out := store.NewBuffer()
	EncodePFOR(out, &v)
	// Three bits: six words hold two values a lane, the other two bits of their lanes the last four words.
	if b := out.Data(); b[0] != 3 || len(b) != 1+48 {
		t.Fatalf("% x", out.Data())
	}
	if b := out.Data()[1:9]; !bytes.Equal(b, []byte{0b11111111, 0b11011011, 0b10110110, 0b10010010, 0b01101101, 0b01001001, 0b00100100, 0}) {
		t.Errorf("the first word is %08b", b)
	}
}

func TestGroupVInts(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for n := range BlockSize + 1 {
		v := values(rnd, 1+rnd.IntN(31), 5)
		out := store.NewBuffer()
		EncodeGroupVInts(out, v[:n])
		var got [BlockSize]uint32
		r := reader(out.Data())
		DecodeGroupVInts(r, got[:n])
		if r.Err() != nil || r.Remaining() != 0 || !bytes.Equal(asBytes(got[:n]), asBytes(v[:n])) {
			t.Fatalf("%d values: %v", n, r.Err())
		}
	}
}

func asBytes(v []uint32) []byte {
	var b []byte
	for _, x := range v {
		b = append(b, byte(x), byte(x>>8), byte(x>>16), byte(x>>24))
	}
	return b
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte{3, 1, 2, 3}, int32(-1), 5)
	f.Add(append([]byte{0xff}, make([]byte, 600)...), int32(1<<30), 127)
	f.Fuzz(func(t *testing.T, b []byte, base int32, n int) {
		var v [BlockSize]uint32
		var docs [BlockSize + 1]int32
		if base < -1 || base == 1<<31-1 {
			return
		}
		r := reader(b)
		DecodeDeltas(r, base, &docs)
		if r.Err() == nil {
			for i, d := range docs[:BlockSize] {
				if i > 0 && d < docs[i-1] || d < base {
					t.Fatalf("documents %v after %d", docs, base)
				}
			}
		}
		for _, fn := range []func(*store.Reader){
			func(r *store.Reader) { DecodePFOR(r, &v) },
			func(r *store.Reader) { DecodeFORGaps(r, &v) },
			func(r *store.Reader) { AddUp(r, base, &v, &docs) },
			func(r *store.Reader) { DecodeGroupVInts(r, v[:n&127]) },
			SkipPFOR,
		} {
			fn(reader(b))
		}
	})
}

func BenchmarkDecodeDeltas(b *testing.B) {
	rnd := rand.New(rand.NewPCG(7, 8))
	for _, bits := range []int{2, 4, 7, 11, 14, 20} {
		v := values(rnd, bits, 0)
		for i := range v {
			v[i] |= 1
		}
		out := store.NewBuffer()
		EncodeDeltas(out, &v)
		r := reader(out.Data())
		var docs [BlockSize + 1]int32
		b.Run(string(rune('0'+bits/10))+string(rune('0'+bits%10)), func(b *testing.B) {
			for b.Loop() {
				r.SeekTo(0)
				DecodeDeltas(r, 0, &docs)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/BlockSize, "ns/doc")
		})
	}
}

// pack32 writes values as unpack32 reads them, bit by bit: value i is in word i mod w of the lanes, lane i div w.
func pack32(values []uint32, nbits, lane uint) []byte {
	w := len(values) * int(lane) / 32 // words of the lanes
	words := make([]uint32, w)
	for i, v := range values {
		words[i%w] |= v << (32 - lane*(uint(i/w)+1))
	}
	t := make([]uint32, len(values)*int(nbits)/32)
	n, lanes := len(t), 32/int(lane)
	bit := func(word, l, b int) uint32 { // of the value in a lane, b from the top
		return words[word] >> (lane*uint(lanes-1-l) + nbits - 1 - uint(b)) & 1
	}
	full := int(lane / nbits)
	for l := range lanes {
		top := lane * uint(lanes-l) // above the lane
		for k := range full {
			for j := range n {
				for b := range int(nbits) {
					t[j] |= bit(k*n+j, l, b) << (top - 1 - uint(k)*nbits - uint(b))
				}
			}
		}
		rem := int(lane) - full*int(nbits)
		at := 0 // in the low bits of the words, rem of each
		for word := full * n; word < w; word++ {
			for b := range int(nbits) {
				t[at/rem] |= bit(word, l, b) << (top - lane + uint(rem-1-at%rem))
				at++
			}
		}
	}
	out := store.NewBuffer()
	for _, v := range t {
		out.PutUint32(v)
	}
	return out.Data()
}

func TestWords32(t *testing.T) {
	rnd := rand.New(rand.NewPCG(9, 10))
	for _, size := range []int{128, 256} {
		for nbits := uint(1); nbits <= 31; nbits++ {
			for _, lane := range []uint{8, 16, 32} {
				if lane < nbits {
					continue
				}
				v := make([]uint32, size)
				for i := range v {
					v[i] = rnd.Uint32() >> (32 - nbits)
				}
				r := reader(pack32(v, nbits, lane))
				var got [MaxBlockSize]uint32
				decode32(r, nbits, lane, size, &got)
				if r.Err() != nil || r.Remaining() != 0 || !bytes.Equal(asBytes(got[:size]), asBytes(v)) {
					t.Fatalf("%d values of %d bits in lanes of %d: %v, %d bytes left", size, nbits, lane, r.Err(), r.Remaining())
				}
			}
		}
	}
}

func TestDocs32(t *testing.T) {
	var docs [MaxBlockSize + 1]int32
	block := bytes.Repeat([]byte{0xff}, 1+16)
	block[0] = 0xfe // a bitmap of two words
	DecodeDocs32(reader(block), 9, 128, DeltaLane101, &docs)
	if docs[0] != 10 || docs[127] != 137 {
		t.Errorf("a bitmap: %v", docs)
	}
	for name, block := range map[string][]byte{
		"too few documents":  append([]byte{0xfe}, make([]byte, 16)...),
		"too many documents": append([]byte{0xfd}, bytes.Repeat([]byte{0xff}, 24)...),
		"cut off":            {0xfd, 0xff},
		"wide deltas":        append([]byte{33}, make([]byte, 1000)...),
	} {
		r := reader(block)
		DecodeDocs32(r, 9, 128, DeltaLane101, &docs)
		if r.Err() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzDecode32(f *testing.F) {
	f.Add([]byte{3, 1, 2, 3}, int32(-1), true)
	f.Add(append([]byte{0xff}, make([]byte, 1200)...), int32(1<<30), false)
	f.Add(append([]byte{0x81}, make([]byte, 1200)...), int32(5), false)
	f.Fuzz(func(t *testing.T, b []byte, base int32, old bool) {
		if base < -1 || base == 1<<31-1 {
			return
		}
		size, lane := 256, DeltaLane104
		if old {
			size, lane = 128, DeltaLane101
		}
		var docs [MaxBlockSize + 1]int32
		r := reader(b)
		DecodeDocs32(r, base, size, lane, &docs)
		if r.Err() == nil {
			for i, d := range docs[:size] {
				if d < base || i > 0 && d < docs[i-1] {
					t.Fatalf("documents %v after %d", docs, base)
				}
			}
		}
		var v [MaxBlockSize]uint32
		DecodePFOR32(reader(b), size, &v)
		SkipPFOR32(reader(b), size)
	})
}
