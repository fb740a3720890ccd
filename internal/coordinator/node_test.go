package coordinator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/task"
	"github.com/varve-search/varve/internal/wildcard"
	"github.com/varve-search/varve/internal/xcontent"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// start starts a node of a cluster of its own, without HTTP. It is stopped when the test ends.
func start(t testing.TB) *Service {
	t.Helper()
	ctx, dir, log := context.Background(), t.TempDir(), slog.New(slog.DiscardHandler)
	id, err := state.OpenIdentity(dir)
	check(t, err)
	st, err := state.Open(ctx, state.Config{ClusterName: "searches", Dir: id.Dir(), NodeID: id.ID, Logger: log})
	check(t, err)
	check(t, st.Join(ctx, state.Node{ID: id.ID, Name: "node", EphemeralID: state.NewUUID(), Host: "127.0.0.1", IP: "127.0.0.1", Roles: []string{"data", "cluster_manager"}, Version: "2.19.0", Started: time.Now()}))
	tasks := task.NewRegistry(id.ID)
	n := cluster.NewNode(cluster.Config{DataPath: dir, Store: st, Tasks: tasks, Settings: settings.Settings{}, Log: log, IndexBuffer: 16 << 20})
	check(t, n.Start(ctx))
	s := New(n, tasks)
	t.Cleanup(func() {
		s.Close()
		check(t, errors.Join(n.Stop(ctx), tasks.Close(ctx), st.Close(), id.Close()))
	})
	return s
}

// create makes an index.
func (s *Service) create(t testing.TB, name string, shards int, properties string) {
	t.Helper()
	_, err := s.node.CreateIndex(context.Background(), cluster.CreateRequest{Name: name, Mapping: json.RawMessage(`{"properties":` + properties + `}`), WaitFor: 1, Timeout: time.Minute,
		Settings: settings.Settings{"index.number_of_shards": fmt.Sprint(shards), "index.number_of_replicas": "0", "index.refresh_interval": "-1"}})
	check(t, err)
}

// fill indexes documents by their ids, in some order of their own, and makes them visible.
func (s *Service) fill(t testing.TB, index string, ids []string, docs map[string]string) {
	t.Helper()
	var items []Item
	for i, id := range ids {
		it := NewItem(OpIndex, index, id)
		it.Source = []byte(docs[id])
		items = append(items, it)
		if len(items) < 17 && i < len(ids)-1 { // several segments
			continue
		}
		for _, r := range s.Bulk(context.Background(), items, RefreshNow) {
			check(t, r.Err)
		}
		items = items[:0]
	}
}

// ask searches.
func (s *Service) ask(t testing.TB, body string, indices ...string) (*SearchResult, error) {
	t.Helper()
	v, err := xcontent.Decode([]byte(body))
	check(t, err)
	src, err := ParseSearchSource(v.(*xcontent.Object))
	check(t, err)
	return s.Search(context.Background(), &SearchRequest{Indices: indices, Options: wildcard.StrictExpandOpen, Source: src})
}

// get returns a value somewhere in an object, nil where it is not.
func get(o *xcontent.Object, path ...string) any {
	for i, key := range path {
		v, ok := o.Get(key)
		if !ok || i == len(path)-1 {
			return v
		}
		if o, ok = v.(*xcontent.Object); !ok {
			return nil
		}
	}
	return nil
}
