package xcontent

import (
	"encoding/json"
	"testing"

	"github.com/varve-search/varve/repository/smile"
)

// TestSource gives sources as clients of a real node may have sent them: JSON stays, SMILE becomes JSON, and what would break an answer
// is refused.
func TestSource(t *testing.T) {
	binary, err := smile.Encode(smile.NewObject(smile.Member{Name: "title", Value: "a \"book\""}, smile.Member{Name: "n", Value: int64(3)}))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ in, want string }{
		{`{"a":1}`, `{"a":1}`}, {" \n{ \"a\" : 1 }\n", " \n{ \"a\" : 1 }\n"}, {string(binary), `{"title":"a \"book\"","n":3}`},
	} {
		got, err := Source([]byte(c.in))
		if err != nil || string(got) != c.want || !json.Valid(got) {
			t.Errorf("%q: %q %v, not %q", c.in, got, err, c.want)
		}
	}
	for _, bad := range []string{"", " ", "---\na: 1\n", "\xbfaa\x01\xff", "[1]", ":)\n", string(binary[:len(binary)-3])} {
		if got, err := Source([]byte(bad)); err == nil {
			t.Errorf("%q became %q", bad, got)
		}
	}
}
