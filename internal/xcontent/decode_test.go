package xcontent

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestDuplicates refuses keys that stand twice, and says where: lines and columns are those that a real node answers.
func TestDuplicates(t *testing.T) {
	many := `{`
	for i := range 100 {
		many += fmt.Sprintf(`"k%d":%d,`, i, i)
	}
	for body, want := range map[string]string{
		`{"type":"fs","type":"fs"}`:                                "type 1 20",
		`{"type":"fs","settings":{"location":"x","location":"y"}}`: "location 1 51",
		`{"indices":"a1","indices":"a2"}`:                          "indices 1 26",
		"{\n \"a\" : {},\n  \"a\"  : 1}":                           "a 3 6",
		`{"a":[{"b":1},{"b":2}],"b":{"a":1,"c":{"a":1}}}`:          "",
		`{"a":[{"b":1},{"b":2,"c":1,"b":3}]}`:                      "b 1 31",
		`{"a":1,"\u0061":2}`:                                       "a 1 16",
		`{"é":1,"é":2}`:                                            "é 1 13",
		many + `"z":1}`:                                            "",
		many + `"k99":1}`:                                          fmt.Sprintf("k99 1 %d", len(many)+6),
		many + `"k3":1}`:                                           fmt.Sprintf("k3 1 %d", len(many)+5),
		`[1,1]`:                                                    "",
	} {
		got := ""
		_, err := DecodeStrict([]byte(body))
		var d *DuplicateError
		if errors.As(err, &d) {
			got = fmt.Sprintf("%s %d %d", d.Key, d.Line, d.Column)
		} else if err != nil {
			t.Errorf("%s: %v", body, err)
		}
		if got != want {
			t.Errorf("%.60s: %q, not %q", body, got, want)
		}
		if _, err := Decode([]byte(body)); err != nil {
			t.Errorf("%.60s: %v", body, err)
		}
	}
	if _, err := DecodeStrict([]byte(`{"a":1} {"a":1}`)); err == nil || !strings.Contains(err.Error(), "more follows") {
		t.Error(err)
	}
}
