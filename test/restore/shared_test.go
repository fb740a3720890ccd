package restore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/varve-search/varve/blob"
	blobfs "github.com/varve-search/varve/blob/fs"
	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/repository"
	"github.com/varve-search/varve/repository/smile"
)

// sharing opens the stores of a test: the location "theirs" is traced, and may be down.
type sharing struct {
	stores stores
	sent   blob.Recorder
	down   atomic.Bool
}

func (s *sharing) open(r *state.Repository) (blob.Container, error) {
	m := s.stores.of(r)
	if r.Settings.GetOr("location", "") != "theirs" {
		return m, nil
	}
	return blob.Trace(broken{m, &s.down}, s.sent.Record), nil
}

// broken answers nothing while it is down.
type broken struct {
	under
	down *atomic.Bool
}

func (b broken) List(ctx context.Context, prefix string, fn func(blob.Info) error) error {
	if b.down.Load() {
		return &blob.Error{Op: "list", Location: "there", Kind: blob.KindUnavailable, Err: errors.New("nobody answers")}
	}
	return b.under.List(ctx, prefix, fn)
}

func location(loc string) *state.Repository {
	return &state.Repository{Settings: settings.Settings{"location": loc}}
}

// fillShared lets another cluster take a snapshot, and returns that cluster.
func fillShared(t *testing.T, sh *sharing) string {
	t.Helper()
	a := start(t, t.TempDir(), sh.open, nil)
	defer a.stop()
	for _, ix := range []string{"file-2019", "logs", ".kibana_1", ".monitoring-es"} {
		fill(a, ix, 20)
	}
	a.must("PUT", "/_snapshot/auto", `{"type":"fs","settings":{"location":"theirs"}}`)
	a.must("PUT", "/_snapshot/auto/auto_1?wait_for_completion=true", `{"indices":"*"}`)
	return "restore/" + fmt.Sprint(a.must("GET", "/", "")["cluster_uuid"])
}

// TestSharedRepository: what another cluster wrote is listed with its owner, restored in each of the ways one asks for it, and never
// written to.
func TestSharedRepository(t *testing.T) {
	const name = "aliyun_snapshot_from_restore"
	const register = `{"type":"fs","settings":{"location":"theirs","shared_from":"restore"}}`
	sh := &sharing{}
	s := start(t, t.TempDir(), sh.open, nil)
	s.must("PUT", "/_snapshot/"+name, register)
	look := func() map[string]any {
		t.Helper()
		m, _ := at(s.must("GET", "/_snapshot/_shared", ""), "repositories", 0).(map[string]any)
		return m
	}
	if got := look(); got["status"] != "empty" || got["shared_from"] != "restore" || got["owner"] != nil {
		t.Errorf("%v", got)
	}
	owner := fillShared(t, sh)
	if got := look(); got["status"] != "reachable" || at(got, "owner", "cluster") != owner || owner == "restore/" || got["version"] != "2.19.0" || fmt.Sprintf("%v %v", got["snapshots"], got["restorable_snapshots"]) != "1 1" {
		t.Errorf("%v", got)
	}
	if got := s.must("GET", "/_snapshot/"+name+"/_shared", ""); len(got["repositories"].([]any)) != 1 {
		t.Errorf("%v", got)
	}
	got := s.must("GET", "/_snapshot/"+name, "")
	if at(got, name, "settings", "readonly") != "true" {
		t.Errorf("%v", got)
	}

	t.Run("restore", func(t *testing.T) {
		snap := "/_snapshot/" + name + "/auto_1/_restore?wait_for_completion=true"
		for _, c := range []struct {
			body string
			want string
		}{
			{`{"indices":"file-2019"}`, "[file-2019]"},
			{`{"indices":"file-2019,logs"}`, "[file-2019 logs]"},
			{`{"indices":"*,-.monitoring*,-.security*,-.kibana*","ignore_unavailable":"true"}`, "[file-2019 logs]"},
			{`{}`, "[.kibana_1 .monitoring-es file-2019 logs]"},
		} {
			r := httptest.NewRequest("POST", snap, strings.NewReader(c.body))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			s.h.ServeHTTP(w, r)
			got := map[string]any{}
			check(t, json.Unmarshal(w.Body.Bytes(), &got))
			names := fmt.Sprint(at(got, "snapshot", "indices"))
			if w.Code != 200 || names != c.want {
				t.Fatalf("%s: %d %v", c.body, w.Code, got)
			}
			warned := strings.Contains(strings.Join(w.Header()["Warning"], ""), "system indices of cluster [restore]")
			if warned != (c.body == "{}") {
				t.Errorf("%s: %v", c.body, w.Header())
			}
			for _, n := range strings.Fields(strings.Trim(names, "[]")) {
				if got := s.must("GET", "/"+n+"/_count", ""); fmt.Sprint(got["count"]) != "20" {
					t.Errorf("%s: %v", n, got)
				}
				s.must("DELETE", "/"+n, "")
			}
		}
	})

	t.Run("refuses", func(t *testing.T) {
		for _, c := range [][3]string{
			{"PUT", "/_snapshot/" + name + "/mine?wait_for_completion=true", ""},
			{"DELETE", "/_snapshot/" + name + "/auto_1", ""},
			{"DELETE", "/_snapshot/" + name + "/*", ""},
			{"PUT", "/_snapshot/" + name + "/auto_1/_clone/mine", `{"indices":"*"}`},
			{"POST", "/_snapshot/" + name + "/_cleanup", ""},
			{"POST", "/_snapshot/" + name + "/_analyze", ""},
		} {
			sh.sent.Reset()
			code, got := s.call(c[0], c[1], c[2])
			if n := len(sh.sent.Requests()); code < 400 || n != 0 {
				t.Errorf("%s %s: %d, %d requests: %v", c[0], c[1], code, n, got)
			}
			if text := fmt.Sprint(got); !strings.Contains(text, "restore") {
				t.Errorf("%s %s does not name the owner: %v", c[0], c[1], got)
			}
		}
		sh.sent.Reset()
		s.must("POST", "/_snapshot/"+name+"/_verify", "")
		s.must("PUT", "/_snapshot/"+name, register)
		s.must("GET", "/_snapshot/"+name+"/_all", "")
		s.must("GET", "/_cat/snapshots/"+name, "")
		for _, q := range sh.sent.Requests() {
			if !slices.Contains([]string{"get", "get-range", "stat", "list"}, q.Op) {
				t.Errorf("%s was sent", q)
			}
		}
	})

	t.Run("register", func(t *testing.T) {
		for _, c := range [][3]string{
			{"restore", `"location":"theirs","shared_from":"restore"`, "[<prefix>_snapshot_from_restore]"},
			{"_snapshot_from_restore", `"location":"theirs","shared_from":"restore"`, "[<prefix>_snapshot_from_restore]"},
			{"x_snapshot_from_", `"location":"theirs","shared_from":""`, "is empty"},
			{"x_snapshot_from_restore", `"location":"theirs","shared_from":"restore","readonly":false`, "cannot be false"},
			{"x_snapshot_from_another", `"location":"theirs","shared_from":"another"`, "wrote to the repository last"},
		} {
			if code, got := s.call("PUT", "/_snapshot/"+c[0], `{"type":"fs","settings":{`+c[1]+`}}`); code < 400 || !strings.Contains(fmt.Sprint(got), c[2]) {
				t.Errorf("%v: %d %v", c, code, got)
			}
		}
		s.must("PUT", "/_snapshot/own", `{"type":"fs","settings":{"location":"own"}}`)
		if code, got := s.call("GET", "/_snapshot/own/_shared", ""); code != http.StatusBadRequest || !strings.Contains(fmt.Sprint(got), "this cluster's own") {
			t.Errorf("%d %v", code, got)
		}
		fill(s, "mine", 5)
		s.must("PUT", "/_snapshot/own/one?wait_for_completion=true", "")
		s.must("DELETE", "/mine", "")
		if code, got := s.call("PUT", "/_snapshot/x_snapshot_from_restore", `{"type":"fs","settings":{"location":"own","shared_from":"restore"}}`); code < 400 || !strings.Contains(fmt.Sprint(got), "this cluster itself") {
			t.Errorf("%d %v", code, got)
		}
	})

	t.Run("states", func(t *testing.T) {
		sh.down.Store(true)
		got := look()
		if got["status"] != "unreachable" || !strings.Contains(fmt.Sprint(got["reason"]), "nobody answers") {
			t.Errorf("%v", got)
		}
		sh.down.Store(false)
		m := sh.stores.of(location("theirs"))
		repo, err := repository.Open(t.Context(), m, repository.Options{Writer: "restore/elsewhere"})
		check(t, err)
		put := func(name string, v repository.Version, indices ...repository.FinalizeIndex) {
			t.Helper()
			data, err := repo.LoadData(t.Context())
			check(t, err)
			_, err = repo.Finalize(t.Context(), data, repository.NewSnapshot{Indices: indices, Info: repository.SnapshotInfo{
				SnapshotID: repository.SnapshotID{Name: name, UUID: state.NewUUID()}, Version: v, State: repository.StateSuccess, UserMetadata: smile.NewObject(), Indices: []string{"old"}[:len(indices)]}})
			check(t, err)
		}
		put("future", repository.Version{Major: 4, Minor: 1})
		got = look()
		if got["status"] != "newer_version" || got["version"] != "4.1.0" || fmt.Sprintf("%v %v", got["snapshots"], got["restorable_snapshots"]) != "2 1" || !strings.Contains(fmt.Sprint(got["reason"]), "[2.19.0]") {
			t.Errorf("%v", got)
		}
		if code, got := s.call("POST", "/_snapshot/"+name+"/future/_restore", ""); code < 400 || !strings.Contains(fmt.Sprint(got), "[4.1.0] which is higher than the version of this node [2.19.0]") {
			t.Errorf("%d %v", code, got)
		}
		repo, err = repository.Open(t.Context(), m, repository.Options{Writer: "somebody/else"})
		check(t, err)
		put("more", repository.Version{})
		if got := look(); got["status"] != "other_owner" || !strings.Contains(fmt.Sprint(got["reason"]), "somebody/else") {
			t.Errorf("%v", got)
		}
		meta, err := repository.NewIndexMetadata("old", []byte(`{"settings":{"index.version.created":"5061699","index.uuid":"u","index.number_of_shards":"1"},"mappings":[{"user":{}},{"tweet":{}}]}`))
		check(t, err)
		put("types", repository.Version{Major: 5, Minor: 6, Patch: 16, Legacy: true}, repository.FinalizeIndex{
			Index: repository.IndexID{Name: "old", ID: "oldoldoldoldoldoldoldo"}, Metadata: meta, Generations: []string{"g"}})
		if code, got := s.call("POST", "/_snapshot/"+name+"/types/_restore", ""); code < 400 || !strings.Contains(fmt.Sprint(got), "index [old] has the types [user, tweet]") {
			t.Errorf("%d %v", code, got)
		}
		check(t, m.Put(t.Context(), "index-99", strings.NewReader("{"), 1, blob.PutOptions{}))
		if got := look(); got["status"] != "damaged" || got["reason"] == nil {
			t.Errorf("%v", got)
		}
	})
}

// TestSharedFixtures: repositories that real clusters wrote, which do not sign what they write.
func TestSharedFixtures(t *testing.T) {
	s := start(t, t.TempDir(), func(r *state.Repository) (blob.Container, error) {
		return blobfs.New(oracletest.FixtureRepository(t, r.Settings.GetOr("location", "")))
	}, nil)
	for fixture, want := range map[string]string{"opensearch-2.19/main": "2.19", "opensearch-3.8/main": "3.8", "elasticsearch-7.10/main": "7.10", "elasticsearch-5.6/main": "5.6"} {
		name := "x_snapshot_from_" + strings.ReplaceAll(fixture, "/", "-")
		s.must("PUT", "/_snapshot/"+name, fmt.Sprintf(`{"type":"fs","settings":{"location":%q,"shared_from":%q}}`, fixture, strings.TrimPrefix(name, "x_snapshot_from_")))
		got, _ := at(s.must("GET", "/_snapshot/"+name+"/_shared", ""), "repositories", 0).(map[string]any)
		if got["status"] != "reachable" || got["owner"] != nil || !strings.HasPrefix(fmt.Sprint(got["version"]), want+".") || got["snapshots"] != got["restorable_snapshots"] || got["snapshots"] == json.Number("0") {
			t.Errorf("%s: %v", fixture, got)
		}
	}
}
