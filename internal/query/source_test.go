package query

import (
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/xcontent"
)

// TestSourceDepth filters documents that no server would have taken, but that a repository may hold.
func TestSourceDepth(t *testing.T) {
	f, err := ParseSource([]any{"a*"})
	if err != nil {
		t.Fatal(err)
	}
	for _, open := range []string{`{"a":`, `[`} {
		n := xcontent.MaxDepth - 2
		if out, err := f.Apply([]byte(`{"a":` + strings.Repeat(open, n) + `1` + strings.Repeat(map[bool]string{true: "]", false: "}"}[open == "["], n) + `}`)); err != nil || len(out) < n {
			t.Errorf("%d deep: %d bytes, %v", n, len(out), err)
		}
		if _, err := f.Apply([]byte(`{"a":` + strings.Repeat(open, 1<<20))); err == nil || !strings.Contains(err.Error(), "deep") {
			t.Errorf("%d deep: %v", 1<<20, err)
		}
	}
}
