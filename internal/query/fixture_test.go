package query

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/xcontent"
)

// TestFixtures asks what the fixtures asked real nodes.
func TestFixtures(t *testing.T) {
	for _, fixture := range []string{"opensearch-2.19/main", "opensearch-2.11/main"} {
		t.Run(fixture, func(t *testing.T) { testFixture(t, fixture) })
	}
}

func testFixture(t *testing.T, fixture string) {
	var raw json.RawMessage
	oracletest.FixtureExpected(t, fixture, &raw)
	v, err := xcontent.Decode(raw)
	must(t, err)
	snapshots, _ := v.(*xcontent.Object).Get("snapshots")
	checked := 0
	for _, e := range snapshots.([]any) {
		snap := e.(*xcontent.Object)
		name, _ := snap.Get("name")
		if name != "snap-3" && name != "snap-1" {
			continue
		}
		folders := map[string][]string{}
		for k, f := range oracletest.Indices(t, fixture, name.(string)) {
			ix, _, _ := strings.Cut(k, "/")
			folders[ix] = append(folders[ix], f)
		}
		indices, _ := snap.Get("indices")
		for _, m := range indices.(*xcontent.Object).Members {
			o := m.Value.(*xcontent.Object)
			mappings, _ := o.Get("mappings")
			flat, _ := o.Get("settings")
			searches, _ := o.Get("searches")
			ix := openIndex(t, m.Key, folders[m.Key], mappings, flat)
			for _, s := range searches.([]any) {
				s := s.(*xcontent.Object)
				what, _ := s.Get("name")
				req, _ := s.Get("request")
				resp, _ := s.Get("response")
				checked += ix.check(t, name.(string)+"/"+m.Key+"/"+what.(string), req.(*xcontent.Object), expectedAnswer(resp.(*xcontent.Object)))
			}
		}
	}
	t.Logf("%d searches and aggregations of %s agree", checked, fixture)
}

// check compares a search, its aggregations one by one, and returns how many agreed.
func (ix *testIndex) check(t *testing.T, what string, req *xcontent.Object, want *answer) (ok int) {
	t.Helper()
	plainReq := &xcontent.Object{}
	for _, m := range req.Members {
		if m.Key != "aggs" {
			plainReq.Add(m.Key, m.Value)
		}
	}
	got, err := ix.run(plainReq)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return 0
	}
	if d := differ(got, want, true); d != "" {
		t.Errorf("%s: %s", what, d)
	} else {
		ok++
	}
	aggs, _ := req.Get("aggs")
	if aggs == nil {
		return ok
	}
	for _, a := range aggs.(*xcontent.Object).Members {
		one := &xcontent.Object{Members: append(append([]xcontent.Member(nil), plainReq.Members...), xcontent.Member{Key: "aggs", Value: xcontent.Obj(a.Key, a.Value)})}
		got, err := ix.run(one)
		if err != nil {
			if strings.Contains(err.Error(), "not built") {
				t.Logf("%s>%s: %v", what, a.Key, err)
			} else {
				t.Errorf("%s>%s: %v", what, a.Key, err)
			}
			continue
		}
		w, _ := want.Aggs.Get(a.Key)
		g, _ := got.Aggs.Get(a.Key)
		if !near(plain(g), plain(w)) {
			x, _ := json.Marshal(g)
			y, _ := json.Marshal(w)
			t.Errorf("%s>%s:\n got %s\nwant %s", what, a.Key, x, y)
		} else {
			ok++
		}
	}
	return ok
}
