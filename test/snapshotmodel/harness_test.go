package snapshotmodel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/faulty"
	"github.com/varve-search/varve/blob/mem"
	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/shard"
	"github.com/varve-search/varve/internal/snapshot"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/task"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// node is a cluster of one with stores in memory for its repositories.
type node struct {
	t       testing.TB
	store   *state.Store
	node    *cluster.Node
	service atomic.Pointer[snapshot.Service] // of now: a crash replaces it
	log     *slog.Logger
	tasks   *task.Registry

	mu     sync.Mutex
	stores map[string]*mem.Store
	disks  map[string]faulty.Volatile // over them
	hook   atomic.Pointer[faulty.Hook]
	trace  blob.Recorder // of all requests
}

// indices are those of the cluster: their numbers of shards.
var indices = map[string]int{"one": 1, "two": 2}

func startNode(t testing.TB) *node {
	t.Helper()
	return startNodeWith(t, func(n *node) cluster.Restorer { return snapshot.New(n.config()) }) // it only brings shards: a crash does not touch it
}

// startNodeWith lets one choose who brings the shards of restores.
func startNodeWith(t testing.TB, restorer func(*node) cluster.Restorer) *node {
	t.Helper()
	ctx := context.Background()
	n := &node{t: t, stores: map[string]*mem.Store{}, disks: map[string]faulty.Volatile{}, log: slog.New(slog.DiscardHandler)}
	if testing.Verbose() && os.Getenv("VARVE_MODEL_LOG") != "" {
		n.log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	dir := t.TempDir()
	id, err := state.OpenIdentity(dir)
	check(t, err)
	n.store, err = state.Open(ctx, state.Config{ClusterName: "model", Dir: id.Dir(), NodeID: id.ID, Logger: n.log})
	check(t, err)
	check(t, n.store.Join(ctx, state.Node{ID: id.ID, Name: "node", EphemeralID: state.NewUUID(), Roles: []string{"data", "cluster_manager"}, Version: "2.19.0", Started: time.Now()}))
	tasks := task.NewRegistry(id.ID)
	n.tasks = tasks
	n.node = cluster.NewNode(cluster.Config{DataPath: dir, Store: n.store, Tasks: tasks, Settings: settings.Settings{}, Log: n.log, IndexBuffer: 16 << 20})
	n.calm()
	n.start()
	n.node.SetRestorer(restorer(n))
	check(t, n.node.Start(ctx))
	t.Cleanup(func() {
		n.service.Load().Stop()
		check(t, errors.Join(n.node.Stop(ctx), tasks.Close(ctx), n.store.Close(), id.Close()))
	})
	for name, shards := range indices {
		_, err := n.node.CreateIndex(ctx, cluster.CreateRequest{Name: name, WaitFor: 1, Timeout: time.Minute, Settings: settings.Settings{
			"index.number_of_shards": fmt.Sprint(shards), "index.number_of_replicas": "0", "index.translog.durability": "async", "index.refresh_interval": "-1"}})
		check(t, err)
	}
	return n
}

func (n *node) svc() *snapshot.Service { return n.service.Load() }

func (n *node) config() snapshot.Config {
	return snapshot.Config{Node: n.node, Log: n.log, OpenStore: func(r *state.Repository) (blob.Container, error) {
		c := blob.Trace(n.disk(r.Settings.GetOr("location", "")), n.trace.Record)
		return faulty.New(c, func(o faulty.Op) faulty.Fault { return (*n.hook.Load())(o) }), nil
	}}
}

// start begins a new process, as far as snapshots go.
func (n *node) start() {
	s := snapshot.New(n.config())
	n.service.Store(s)
	s.Start()
}

// crash ends the process between two requests, and begins a new one. Mostly the stores lose power too; where they do not, what was not
// flushed is there, and a later crash may take it.
func (n *node) crash(rnd *rand.Rand) {
	dead := faulty.CrashAfter(0)
	stop := faulty.Hook(func(o faulty.Op) faulty.Fault {
		if f := dead(faulty.Op{Kind: "put"}); f.Before != nil {
			return f
		}
		return faulty.Fault{}
	})
	n.hook.Store(&stop)
	n.svc().Stop()
	if rnd.Intn(3) > 0 {
		n.mu.Lock()
		for _, d := range n.disks {
			_, err := d.PowerCut(context.Background(), rnd)
			check(n.t, err)
		}
		n.mu.Unlock()
	}
	n.calm()
	n.start()
}

func (n *node) calm() {
	h := faulty.Hook(func(faulty.Op) faulty.Fault { return faulty.Fault{} })
	n.hook.Store(&h)
}

// disk is the memory, which loses what was not flushed in a crash. Its flushes fail as requests do.
func (n *node) disk(location string) faulty.Volatile {
	m := n.memory(location)
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, ok := n.disks[location]; !ok {
		n.disks[location] = faulty.NewVolatile(m, func() error {
			return (*n.hook.Load())(faulty.Op{Kind: "flush"}).Before
		})
	}
	return n.disks[location]
}

func (n *node) memory(location string) *mem.Store {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.stores[location] == nil {
		n.stores[location] = mem.New()
	}
	return n.stores[location]
}

// docs is the content of a shard: documents by id.
type docs map[string]string

// universe are the ids of a shard's documents.
func universe(shard int) []string {
	ids := make([]string, 6)
	for i := range ids {
		ids[i] = fmt.Sprintf("%d-%d", shard, i)
	}
	return ids
}

func (n *node) write(index string, sh int, id, value string) error {
	s, err := n.node.Shard(index, sh)
	if err != nil {
		return err
	}
	if value == "" {
		_, err = s.Delete(context.Background(), shard.NewOp(id))
		return err
	}
	_, err = s.Index(context.Background(), shard.IndexOp{Op: shard.NewOp(id), Source: []byte(`{"v":"` + value + `"}`)})
	return err
}

// read returns all documents of a shard.
func (n *node) read(index string, sh int) (docs, error) {
	s, err := n.node.Shard(index, sh)
	if err != nil {
		return nil, err
	}
	out := docs{}
	for _, id := range universe(sh) {
		d, release, err := s.Get(context.Background(), id, true)
		if err != nil {
			return nil, err
		}
		if d != nil {
			out[id] = string(d.Source)
		}
		if release != nil {
			release()
		}
	}
	return out, nil
}

// history is what a shard held over time.
type history struct {
	mu     sync.Mutex
	states []docs
	acked  int // the newest state whose write was acknowledged: a snapshot that begins has it
}

// written says that the write of the newest state was acknowledged.
func (h *history) written() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.acked = len(h.states) - 1
}

func (h *history) acknowledged() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.acked
}

func (h *history) add(d docs) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.states = append(h.states, d)
}

func (h *history) now() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.states) - 1
}

func (h *history) last() docs {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.states[len(h.states)-1])
}

// held says whether the shard held these documents between two moments.
func (h *history) held(d docs, from, to int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.states[from : to+1] {
		if maps.Equal(s, d) {
			return true
		}
	}
	return false
}
