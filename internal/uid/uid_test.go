package uid

import (
	"bytes"
	"encoding/hex"
	"testing"

	"pgregory.net/rapid"
)

// The bytes are those that a real node stores for these ids.
func TestKnown(t *testing.T) {
	for id, want := range map[string]string{
		"1":                    "fe1f",
		"12":                   "fe12",
		"123":                  "fe123f",
		"abcd":                 "69b71d",
		"a":                    "ff61",
		"_id 7":                "ff5f69642037",
		"a+b=":                 "ff612b623d",
		"AVo7fUKFsR6nGWeKbrVr": "015a3b7d4285b11ea719678a6eb56b",
		"__8A":                 "fdffff00",
	} {
		got := Encode(nil, id)
		if hex.EncodeToString(got) != want {
			t.Errorf("%q: %x, want %s", id, got, want)
		}
		if back, err := Decode(got); err != nil || back != id {
			t.Errorf("%q came back as %q, %v", id, back, err)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.OneOf(rapid.StringMatching(`[0-9]{1,30}`), rapid.StringMatching(`[A-Za-z0-9_-]{1,40}`), rapid.StringN(1, 40, 512)).Draw(t, "id")
		b := Encode([]byte("x"), id)
		if !bytes.HasPrefix(b, []byte("x")) {
			t.Fatal("the prefix is lost")
		}
		back, err := Decode(b[1:])
		if err != nil || back != id {
			t.Fatalf("%q came back as %q, %v", id, back, err)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte{0xfe, 0x12})
	f.Fuzz(func(t *testing.T, b []byte) { _, _ = Decode(b) })
}
