package smile

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"math/rand"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/testseed"
)

func random(t *testing.T) *rand.Rand {
	return rand.New(rand.NewSource(testseed.Of(t)))
}

// TestBytes fixes the forms of docs/formats/smile.md.
func TestBytes(t *testing.T) {
	long := strings.Repeat("x", 65)
	for _, c := range []struct {
		v    any
		want string
	}{
		{nil, "21"}, {true, "23"}, {false, "22"}, {int64(0), "c0"}, {int64(-16), "df"}, {int64(15), "de"},
		{int64(16), "24a0"}, {int64(-17), "24a1"}, {int64(64), "240280"}, {int64(math.MaxInt32), "241f7f7f7fbe"},
		{int64(math.MaxInt64), "25037f7f7f7f7f7f7f7fbe"},
		{"", "20"}, {"a", "4061"}, {long, "e0" + hex.EncodeToString([]byte(long)) + "fc"}, {"ü", "80c3bc"},
		{1.5, "29" + hex.EncodeToString(sevens(math.Float64bits(1.5), 10))},
		{[]byte{1, 0xff}, "fd8201ff"}, {big.NewInt(-1), "2681" + "7f01"}, {[]any{}, "f8f9"}, {NewObject(), "fafb"},
		{NewObject(Member{"ab", int64(1)}, Member{"", NewObject(Member{"ab", nil})}), "fa816162c220fa4021fbfb"},
	} {
		b, err := Encode(c.v)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(b); got != "3a290a05"+c.want {
			t.Errorf("%v is %s, want %s", c.v, got[8:], c.want)
		}
		back, err := Decode(b, Limits{})
		if err != nil || !reflect.DeepEqual(back, c.v) {
			t.Errorf("%v came back as %v, %v", c.v, back, err)
		}
	}
}

func sevens(v uint64, n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(v>>(7*(n-1-i))) & 0x7f
	}
	return out
}

// TestSharedValues reads what OpenSearch does not write: shared values and an end marker.
func TestSharedValues(t *testing.T) {
	b, _ := hex.DecodeString("3a290a03" + "f8" + "4161" + "62" + "4063" + "01" + "02" + "ec00" + "f9" + "ff")
	v, err := Decode(b, Limits{})
	if err != nil || !reflect.DeepEqual(v, []any{"ab", "c", "ab", "c", "ab"}) {
		t.Fatalf("%v, %v", v, err)
	}
	b7, _ := hex.DecodeString("3a290a01" + "e883" + "7f7f7f07")
	if v, err := Decode(b7, Limits{}); err != nil || !bytes.Equal(v.([]byte), []byte{0xff, 0xff, 0xff}) {
		t.Fatalf("%v, %v", v, err)
	}
}

func TestTokens(t *testing.T) {
	b, _ := Encode(NewObject(Member{"a", []any{int64(1), "x", nil}}, Member{"b", 2.5}))
	d, err := NewDecoder(b, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var kinds []Kind
	for {
		tok, err := d.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, tok.Kind)
	}
	want := []Kind{KindStartObject, KindName, KindStartArray, KindInt, KindString, KindNull, KindEndArray, KindName, KindDouble, KindEndObject}
	if !reflect.DeepEqual(kinds, want) {
		t.Fatalf("%v", kinds)
	}
}

func TestBadInput(t *testing.T) {
	deep := "3a290a05" + strings.Repeat("f8", 1001)
	for _, h := range []string{"", "3a290a", "3a290a15c0", "3a290a05", "3a290a0500", "3a290a05f9", "3a290a05fb", "3a290a05faf9", "3a290a05fa40c0fb",
		"3a290a0501", "3a290a05faff", "3a290a05c0c0", "3a290a05fd0f7f7f7fbf", "3a290a0524", "3a290a05257f7f7f7f7f7f7f7f7f7f7fbf",
		"3a290a0540ff", "3a290a05e041", "3a290a05fe", "3a290a052900000000000000000080", deep} {
		b, err := hex.DecodeString(h)
		if err != nil {
			t.Fatal(err)
		}
		v, err := Decode(b, Limits{})
		var syntax *SyntaxError
		if !errors.As(err, &syntax) {
			t.Errorf("%.40s: %v, %v", h, v, err)
		}
	}
	b, _ := hex.DecodeString(deep)
	if _, err := Decode(b, Limits{}); !errors.Is(err, ErrLimit) {
		t.Error(err)
	}
	many, _ := Encode([]any{int64(1), int64(2), int64(3)})
	if _, err := Decode(many, Limits{Values: 3}); !errors.Is(err, ErrLimit) {
		t.Error(err)
	}
}

func randomText(r *rand.Rand) string {
	alphabet := []string{"a", "b", "Z", "_", "9", " ", "\"", "\\", "\n"}
	if r.Intn(2) == 0 {
		alphabet = append(alphabet, "é", "漢", "😀")
	}
	n := r.Intn(8)
	if r.Intn(4) == 0 {
		n = 20 + r.Intn(60)
	}
	var sb strings.Builder
	for range n {
		sb.WriteString(alphabet[r.Intn(len(alphabet))])
	}
	return sb.String()
}

func randomTree(r *rand.Rand, depth int) any {
	n := 12
	if depth <= 0 {
		n = 10
	}
	switch r.Intn(n) {
	case 0:
		return nil
	case 1:
		return r.Intn(2) == 0
	case 2:
		return int64(r.Intn(40) - 20)
	case 3:
		return int64(r.Uint64()) >> r.Intn(64)
	case 4:
		v := new(big.Int).Lsh(big.NewInt(int64(r.Uint64()|1)), uint(65+r.Intn(300)))
		return v
	case 5:
		return math.Float32frombits(0x3f800000 + r.Uint32()>>9)
	case 6:
		return r.NormFloat64() * math.Pow(10, float64(r.Intn(40)-20))
	case 7, 8:
		return randomText(r)
	case 9:
		b := make([]byte, r.Intn(50))
		r.Read(b)
		return b
	case 10:
		list := make([]any, r.Intn(6))
		for i := range list {
			list[i] = randomTree(r, depth-1)
		}
		return list
	}
	o := &Object{}
	for range r.Intn(40) {
		o.Set(randomText(r), randomTree(r, depth-1))
	}
	return o
}

// manyNames overflows the table of shared names, with repeats on both sides of its end.
func manyNames(r *rand.Rand) any {
	var list []any
	for range 3000 {
		name := fmt.Sprint("n", r.Intn(1500))
		if r.Intn(20) == 0 {
			name = strings.Repeat("é", 20+r.Intn(20)) + name
		} else if r.Intn(20) == 0 {
			name = strings.Repeat("l", 55+r.Intn(20)) + name
		}
		list = append(list, NewObject(Member{name, int64(1)}))
	}
	return list
}

func TestRoundTrip(t *testing.T) {
	r := random(t)
	for range 300 {
		v := randomTree(r, 4)
		b, err := Encode(v)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decode(b, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		x, _ := AppendJSON(nil, v)
		y, _ := AppendJSON(nil, back)
		if !bytes.Equal(x, y) {
			t.Fatalf("wrote %s\nread %s", x, y)
		}
	}
}

// TestBlobcat lets Jackson read what Encode wrote.
func TestBlobcat(t *testing.T) {
	r := random(t)
	dir := t.TempDir()
	var files []string
	var trees []any
	for i := range 40 {
		v := any(NewObject(Member{"v", randomTree(r, 4)}, Member{"w", randomTree(r, 3)}))
		if i < 3 {
			v = manyNames(r)
		}
		b, err := Encode(v)
		if err != nil {
			t.Fatal(err)
		}
		f := filepath.Join(dir, fmt.Sprintf("%02d", i))
		if err := os.WriteFile(f, b, 0o644); err != nil {
			t.Fatal(err)
		}
		files, trees = append(files, f), append(trees, v)
	}
	out, err := oracletest.Tool(t, "blobcat", files...)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split("\n"+string(out), "\n## ")[1:]
	if len(parts) != len(files) {
		t.Fatalf("%d answers for %d files", len(parts), len(files))
	}
	for i, part := range parts {
		_, text, _ := strings.Cut(part, "\n")
		theirs, err := ParseJSON([]byte(text), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if err := sameJSON(trees[i], theirs); err != nil {
			t.Fatalf("document %d: %v", i, err)
		}
	}
}

// sameJSON compares a tree with what came out of Jackson as JSON: binary as base64, floats by value.
func sameJSON(ours, theirs any) error {
	b, err := AppendJSON(nil, ours)
	if err != nil {
		return err
	}
	ours, err = ParseJSON(b, Limits{})
	if err != nil {
		return err
	}
	x, _ := AppendJSON(nil, ours)
	y, _ := AppendJSON(nil, theirs)
	if !bytes.Equal(x, y) {
		return fmt.Errorf("ours\n%.2000s\ntheirs\n%.2000s", x, y)
	}
	return nil
}

func TestObjectOrderAndIndex(t *testing.T) {
	o := &Object{}
	for i := range 100 {
		o.Set(fmt.Sprint(i%50), i)
	}
	if o.Len() != 50 || o.Members[7].Name != "7" || o.Members[7].Value != 57 {
		t.Fatalf("%d members, the eighth %v", o.Len(), o.Members[7])
	}
	if v, ok := o.Get("49"); !ok || v != 99 {
		t.Fatal(v)
	}
}

func TestParseJSON(t *testing.T) {
	text := `{"b":[1,-2.5,1e3,12345678901234567890123,null,true,"a\u00e9\n"],"a":{},"b2":{"x":""}}`
	v, err := ParseJSON([]byte(text), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := AppendJSON(nil, v)
	want := `{"b":[1,-2.5,1000.0,12345678901234567890123,null,true,"aé\n"],"a":{},"b2":{"x":""}}`
	if err != nil || string(got) != want {
		t.Fatalf("%s, %v", got, err)
	}
	for _, bad := range []string{"", "{", "{}{}", "[1,]", `{"a"}`, "nope", strings.Repeat("[", 2000)} {
		if _, err := ParseJSON([]byte(bad), Limits{}); err == nil {
			t.Errorf("%.20q is taken", bad)
		}
	}
}

func FuzzDecode(f *testing.F) {
	r := rand.New(rand.NewSource(1))
	for range 20 {
		b, err := Encode(randomTree(r, 3))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	shared, _ := hex.DecodeString("3a290a03f841616240630102ec00f9ff")
	f.Add(shared)
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := Decode(b, Limits{Values: 1 << 16, String: 1 << 16})
		if err != nil {
			return
		}
		again, err := Encode(v)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		back, err := Decode(again, Limits{})
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		x, err := AppendJSON(nil, v)
		if err != nil {
			t.Fatal(err)
		}
		y, _ := AppendJSON(nil, back)
		if !bytes.Equal(x, y) {
			t.Fatalf("%s became %s", x, y)
		}
	})
}

func FuzzParseJSON(f *testing.F) {
	f.Add([]byte(`{"a":[1,2.5,{"b":null}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := ParseJSON(b, Limits{Values: 1 << 16})
		if err != nil {
			return
		}
		x, err := AppendJSON(nil, v)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseJSON(x, Limits{}); err != nil {
			t.Fatalf("%s: %v", x, err)
		}
	})
}
