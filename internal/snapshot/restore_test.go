package snapshot

import (
	"slices"
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/repository"
)

// TestReplaceAll compares with what java.lang.String.replaceAll returns.
func TestReplaceAll(t *testing.T) {
	for _, c := range [][4]string{
		{"products", "(.+)", "x_$1", "x_products"},
		{"products", ".*", "same", "samesame"},
		{"products", "^", "rs-", "rs-products"},
		{"products", "$", "-old", "products-old"},
		{"products", "o", "0", "pr0ducts"},
		{"products", "", "-", "-p-r-o-d-u-c-t-s-"},
		{"products", "x*", "-", "-p-r-o-d-u-c-t-s-"},
		{"aaa", "a*?", "b", "bababab"},
		{"logs-2024.05", `logs-(\d+)\.(\d+)`, "l_$2_$1", "l_05_2024"},
		{"logs-2024.05", `(\d)`, `\$$1`, "logs-$2$0$2$4.$0$5"},
		{"a-b-c", "^a|b|c$", "_", "_-_-_"},
		{"größe", "ö", "oe", "groeße"},
		{"ab", "(a)(b)", "$2$1$10", "baa0"},
		{"abc", "(x)?b", "[$1]", "a[]c"},
	} {
		got, err := replaceAll(c[0], c[1], c[2])
		if err != nil || got != c[3] {
			t.Errorf("%q.replaceAll(%q, %q) is %q, %v; want %q", c[0], c[1], c[2], got, err, c[3])
		}
	}
	for _, c := range [][3]string{{"a", "(", "x"}, {"a", "a", "$1"}, {"a", "a", "$x"}, {"a", "a", `x\`}, {"a\xff", "a", "b"}} {
		if got, err := replaceAll(c[0], c[1], c[2]); apierr.As(err) == nil {
			t.Errorf("%q.replaceAll(%q, %q) is %q, %v", c[0], c[1], c[2], got, err)
		}
	}
}

// TestFilterIndices compares with what a real 2.19.6 chooses from a snapshot of a1, a2 and b1: as it is, with ignore_unavailable, and
// without allow_no_indices. A text with a question mark is the index of the error.
func TestFilterIndices(t *testing.T) {
	all := "a1 a2 b1"
	for _, c := range []struct{ indices, plain, lenient, strict string }{
		{"*,-nope", "nope?", all, "nope?"},
		{"*,-a1", "a2 b1", "a2 b1", "a2 b1"},
		{"-a1,*", "a2 b1", "a2 b1", "a2 b1"},
		{"-nope", "nope?", all, "nope?"},
		{"-nope*", all, all, "nope*?"},
		{"-a*", "b1", "b1", "b1"},
		{"a1,-nope,b*", "nope?", "a1 b1", "nope?"},
		{"-nope,a1", "nope?", "a1", "nope?"},
		{"+a1,+b1", "a1 b1", "a1 b1", "a1 b1"},
		{"a1,+nope", "nope?", "a1", "nope?"},
		{"-", "?", all, "?"},
		{"a1,", "?", "a1", "?"},
		{"_all,-a1", "_all?", "", "_all?"},
		{"_all,a1", "_all?", "a1", "_all?"},
		{"a*,-nope*", "a1 a2", "a1 a2", "nope*?"},
		{"nope*,-a1", "", "", "nope*?"},
		{"a1,a1,-a1", "", "", ""},
		{"*,-*", "", "", ""},
		{"**", all, all, all},
		{"*,-_all", "_all?", all, "_all?"},
		{"*,--a1", "-a1?", all, "-a1?"},
		{"a1, b1", " b1?", "a1", " b1?"},
	} {
		for i, want := range []string{c.plain, c.lenient, c.strict} {
			req := RestoreRequest{Indices: strings.Split(c.indices, ","), IgnoreUnavailable: i == 1, ForbidNoIndices: i == 2}
			names, err := filterIndices([]string{"a1", "a2", "b1"}, req)
			got := strings.Join(names, " ")
			if e := apierr.As(err); e != nil {
				if got = strings.TrimSuffix(strings.TrimPrefix(e.Reason, "no such index ["), "]") + "?"; e.Status != 404 {
					t.Errorf("%s: %v", c.indices, e)
				}
			}
			if got != want {
				t.Errorf("%q (ignore_unavailable %t, allow_no_indices %t) chooses %q, not %q", c.indices, i == 1, i != 2, got, want)
			}
		}
	}
}

func planFor(req RestoreRequest) *restorePlan {
	return &restorePlan{req: req, info: &repository.SnapshotInfo{}, failed: map[string]map[int]string{},
		nodes: []*state.Node{{ID: "n1", Name: "here", Host: "h", IP: "127.0.0.1", Attributes: map[string]string{"zone": "a"}}}}
}

func TestSettle(t *testing.T) {
	p := planFor(RestoreRequest{IgnoreIndexSettings: []string{"index.refresh*", "number_of_replicas"}, IndexSettings: settings.Settings{"index.max_result_window": "5"}})
	ix := &state.Index{Name: "x", Settings: settings.Settings{"index.number_of_shards": "1", "index.number_of_replicas": "2", "index.refresh_interval": "5s", "index.version.created": "136408427",
		"index.uuid": "u", "index.knn": "true", "index.routing.allocation.require._name": "elsewhere", "index.routing.allocation.include.zone": "a,b", "index.routing.allocation.include.rack": "r1",
		"index.routing.allocation.exclude._name": "other", "index.routing.allocation.exclude._ip": "127.*", "index.routing.allocation.include._tier_preference": "data_hot",
		"index.remote_store.enabled": "true", "index.remote_store.segment.repository": "rs", "index.replication.type": "SEGMENT", "index.verified_before_close": "true", "index.number_of_routing_shards": "nonsense"}}
	if err := p.settle(ix); err != nil {
		t.Fatal(err)
	}
	want := []string{"archived.index.knn", "archived.index.number_of_routing_shards", "index.max_result_window", "index.number_of_replicas", "index.number_of_shards",
		"index.routing.allocation.exclude._name", "index.routing.allocation.include.zone", "index.uuid", "index.version.created"}
	if got := ix.Settings.Keys(); !slices.Equal(got, want) {
		t.Errorf("the settings are\n%q, and not\n%q", got, want)
	}
	if ix.NumberOfReplicas != 2 || len(p.warnings) != 7 || !strings.Contains(p.warnings[0], "[index.replication.type]") {
		t.Errorf("%d replicas, warnings %q", ix.NumberOfReplicas, p.warnings)
	}
	for _, req := range []RestoreRequest{
		{IgnoreIndexSettings: []string{"index.number_of_replicas"}}, {IgnoreIndexSettings: []string{"index.number_of_shards"}},
		{IndexSettings: settings.Settings{"index.uuid": "u"}}, {IndexSettings: settings.Settings{"index.version.created": "1"}},
		{IndexSettings: settings.Settings{"index.soft_deletes.enabled": "false"}}, {IndexSettings: settings.Settings{"index.number_of_replicas": "-1"}},
	} {
		if err := planFor(req).settle(&state.Index{Name: "x", Settings: settings.Settings{}}); apierr.As(err) == nil {
			t.Errorf("%+v: %v", req, err)
		}
	}
}
