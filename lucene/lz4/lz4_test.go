package lz4

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/testseed"
	"github.com/varve-search/varve/lucene/store"
)

type compressor interface {
	Append(dst, src []byte, dictLen int) []byte
}

func samples(rnd *rand.Rand) map[string][]byte {
	words := strings.Fields("the quick brown fox jumps over a lazy dog while status ok level info message host")
	var text strings.Builder
	for text.Len() < 200_000 {
		fmt.Fprintf(&text, `{"%s":"%s","n":%d}`, words[rnd.IntN(len(words))], words[rnd.IntN(len(words))], rnd.IntN(1000))
	}
	noise := make([]byte, 100_000)
	for i := range noise {
		noise[i] = byte(rnd.Uint32())
	}
	narrow := make([]byte, 150_000)
	for i := range narrow {
		narrow[i] = byte(rnd.IntN(3))
	}
	return map[string][]byte{
		"empty": nil, "one": {7}, "nine": []byte("abcdefghi"), "ten": []byte("aaaaaaaaaa"),
		"zeros": make([]byte, 70_000), "text": []byte(text.String()), "noise": noise, "narrow": narrow,
	}
}

func TestRoundTrip(t *testing.T) {
	seed := uint64(testseed.Of(t))
	rnd := rand.New(rand.NewPCG(seed, 1))
	for _, c := range []compressor{NewFast(), NewHigh()} {
		for name, data := range samples(rnd) {
			for range 30 {
				dictLen := 0
				part := data[:rnd.IntN(len(data)+1)]
				if rnd.IntN(2) == 0 {
					dictLen = rnd.IntN(len(part) + 1)
				}
				prefix := []byte("before")
				out := c.Append(prefix, part, dictLen)
				if n := len(part) - dictLen; len(out)-len(prefix) > MaxLength(n) {
					t.Fatalf("%T %s: %d bytes became %d", c, name, n, len(out)-len(prefix))
				}
				if !bytes.HasPrefix(out, prefix) {
					t.Fatal("Append changed what was there")
				}
				got := make([]byte, len(part))
				copy(got, part[:dictLen])
				file := append(bytes.Clone(out[len(prefix):]), "trailing bytes of something else"...)
				r := store.NewReader(store.NewBytesInput("f", file))
				n, err := Decompress(r, got, dictLen, len(part)-dictLen)
				if err != nil || n != len(part)-dictLen || !bytes.Equal(got, part) {
					t.Fatalf("%T %s dict %d of %d: %d bytes, %v", c, name, dictLen, len(part), n, err)
				}
				if r.Offset() != int64(len(out)-len(prefix)) {
					t.Fatalf("%T %s: the reader stands at %d behind %d bytes", c, name, r.Offset(), len(out)-len(prefix))
				}
			}
		}
	}
}

func TestPartial(t *testing.T) {
	data := []byte(strings.Repeat("abcdefgh12345678", 100) + "the end of it")
	out := NewFast().Append(nil, data, 0)
	for n := range len(data) {
		got := make([]byte, len(data))
		k, _, err := Decode(got, 0, n, out)
		if err != nil || k < n || !bytes.Equal(got[:n], data[:n]) {
			t.Fatalf("first %d bytes: %d, %v", n, k, err)
		}
	}
}

// TestKnownBlock decodes the worked example of docs/formats/lz4.md.
func TestKnownBlock(t *testing.T) {
	block := []byte{0x31, 'a', 'b', 'c', 0x03, 0x00, 0x50, 'v', 'w', 'x', 'y', 'z'}
	want := "abcabcabvwxyz"
	got := make([]byte, len(want))
	if _, read, err := Decode(got, 0, len(want), block); err != nil || read != len(block) || string(got) != want {
		t.Fatalf("%q, read %d, %v", got, read, err)
	}
}

func TestBasesWrap(t *testing.T) {
	data := []byte(strings.Repeat("some words that come again, ", 200))
	f, h := NewFast(), NewHigh()
	f.base, h.base = maxBase-100, maxBase-100
	for range 3 {
		for _, c := range []compressor{f, h} {
			got := make([]byte, len(data))
			if _, _, err := Decode(got, 0, len(data), c.Append(nil, data, 0)); err != nil || !bytes.Equal(got, data) {
				t.Fatalf("%T: %v", c, err)
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte{0x31, 'a', 'b', 'c', 0x03, 0x00, 0x50, 'v', 'w', 'x', 'y', 'z'}, 0, 13)
	f.Add(NewHigh().Append(nil, bytes.Repeat([]byte("abcd"), 300), 10), 10, 1190)
	f.Fuzz(func(t *testing.T, block []byte, dict, n int) {
		if dict < 0 || n < 0 || dict > 1<<16 || n > 1<<20 {
			return
		}
		guard := 32
		buf := bytes.Repeat([]byte{0xAB}, dict+n+guard)
		r := store.NewReader(store.NewBytesInput("f", block))
		_, err := Decompress(r, buf[:dict+n], dict, n)
		if err != nil && !store.IsCorrupt(err) {
			t.Fatalf("not a CorruptError: %v", err)
		}
		if !bytes.Equal(buf[dict+n:], bytes.Repeat([]byte{0xAB}, guard)) {
			t.Fatal("written behind the buffer")
		}
	})
}

func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("abcabcabcabcabcabcabcabc"), 3)
	f.Fuzz(func(t *testing.T, data []byte, dict int) {
		if dict < 0 || dict > len(data) {
			return
		}
		for _, c := range []compressor{NewFast(), NewHigh()} {
			got := make([]byte, len(data))
			copy(got, data[:dict])
			if _, _, err := Decode(got, dict, len(data)-dict, c.Append(nil, data, dict)); err != nil || !bytes.Equal(got, data) {
				t.Fatalf("%T: %v", c, err)
			}
		}
	})
}

func benchData() []byte {
	return samples(rand.New(rand.NewPCG(1, 2)))["text"][:64<<10]
}

func BenchmarkDecode(b *testing.B) {
	data := benchData()
	block := NewFast().Append(nil, data, 0)
	out := make([]byte, len(data))
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, _, err := Decode(out, 0, len(out), block); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFast(b *testing.B) { benchCompress(b, NewFast()) }
func BenchmarkHigh(b *testing.B) { benchCompress(b, NewHigh()) }

func benchCompress(b *testing.B, c compressor) {
	data := benchData()
	b.SetBytes(int64(len(data)))
	var out []byte
	for b.Loop() {
		out = c.Append(out[:0], data, 0)
	}
	b.ReportMetric(float64(len(out))/float64(len(data)), "ratio")
}
