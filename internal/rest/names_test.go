package rest

import (
	"slices"
	"testing"
)

func TestMatchAliases(t *testing.T) {
	names := []string{"a1", "a2", "b1"}
	for _, c := range []struct{ patterns, want []string }{
		{nil, names},
		{[]string{"_all"}, names},
		{[]string{"a*"}, []string{"a1", "a2"}},
		{[]string{"a*", "-a1"}, []string{"a2"}},
		{[]string{"a1", "b1", "-a*"}, []string{"b1"}},
		{[]string{"-a*"}, nil},
		{[]string{"-a*", "a1"}, []string{"a1"}},
	} {
		if got := matchAliases(names, c.patterns); !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, not %v", c.patterns, got, c.want)
		}
	}
	if got := missingAliases([]string{"x", "a*", "-x"}, map[string]bool{}); len(got) != 0 {
		t.Errorf("an excluded name is missing: %v", got)
	}
	if got := missingAliases([]string{"x", "a1"}, map[string]bool{"a1": true}); !slices.Equal(got, []string{"x"}) {
		t.Errorf("missing %v", got)
	}
}

func TestGlobsOverlap(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{{"foo*", "foobar", true}, {"foo*", "*bar", true}, {"foo*", "fo", false}, {"a*b", "a*c", false}, {"*", "", true}, {"a*b*c", "abc", true}, {"x", "y", false}} {
		if globsOverlap(c.a, c.b) != c.want || globsOverlap(c.b, c.a) != c.want {
			t.Errorf("%q and %q", c.a, c.b)
		}
	}
}

func TestNodesCondition(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int
		want bool
	}{{"3", 3, true}, {"3", 4, false}, {">=2", 2, true}, {"ge(2)", 1, false}, {"<2", 1, true}, {"le(2)", 3, false}, {"gt(1)", 2, true}} {
		f, err := parseNodesCondition(c.text)
		if err != nil || f(c.n) != c.want {
			t.Errorf("%s with %d nodes: %v", c.text, c.n, err)
		}
	}
	if _, err := parseNodesCondition("many"); err == nil {
		t.Error("a text was taken for a number of nodes")
	}
}

func TestVersionString(t *testing.T) {
	for id, want := range map[string]string{"136407827": "2.19.0", "7100299": "7.10.2", "x": "x"} {
		if got := versionString(id); got != want {
			t.Errorf("%s: %s, not %s", id, got, want)
		}
	}
}

func TestCatColumns(t *testing.T) {
	for _, name := range []string{"indices", "shards", "nodes", "health", "recovery", "segments", "aliases", "count", "tasks", "thread_pool", "templates", "master", "allocation", "nodeattrs"} {
		if len(catColumns[name]) == 0 {
			t.Errorf("the table %s has no columns", name)
		}
	}
}
