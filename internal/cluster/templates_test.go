package cluster

import (
	"testing"

	"github.com/varve-search/varve/internal/apierr"
)

func TestAutoCreateAllowed(t *testing.T) {
	for _, c := range []struct {
		value, name string
		want        bool
	}{
		{"", "x", true}, {"true", "x", true}, {"false", "x", false},
		{"+a*,-b*", "ab", true}, {"+a*,-b*", "ba", false}, {"+a*,-b*", "c", false}, {"-a1,+a*", "a1", false}, {"a*", "ab", true},
	} {
		err := autoCreateAllowed(c.value, c.name)
		if (err == nil) != c.want {
			t.Errorf("%q for %q: %v", c.value, c.name, err)
		}
		if err != nil && !apierr.Is(err, "index_not_found_exception") {
			t.Errorf("%q for %q: %v is no index_not_found_exception", c.value, c.name, err)
		}
	}
}
