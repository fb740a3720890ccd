package handover

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/faulty"
	blobfs "github.com/varve-search/varve/blob/fs"
	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/snapshot"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/task"
)

var bg = context.Background()

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// startEtcd starts an etcd and returns where it listens.
func startEtcd(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "vh") //nolint:usetesting // short: a socket's path has to be
	check(t, err)
	host, err := state.Open(bg, state.Config{ClusterName: "handover", Dir: dir, NodeID: "host"})
	check(t, err)
	t.Cleanup(func() { check(t, errors.Join(host.Close(), os.RemoveAll(dir))) })
	socket := ""
	check(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type() == fs.ModeSocket {
			socket = path
		}
		return err
	}))
	if socket == "" {
		t.Fatal("no socket of etcd")
	}
	return socket
}

// link is a node's way to etcd, which can be cut.
type link struct {
	socket string

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]bool
}

func (l *link) dial(ctx context.Context, _ string) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		return nil, errors.New("the network is cut")
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", l.socket)
	if err == nil {
		l.conns[c] = true
	}
	return c, err
}

func (l *link) set(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = cut
	for c := range l.conns {
		if cut {
			c.Close()
			delete(l.conns, c)
		}
	}
}

// node is one of a cluster, with its own store of the one repository.
type node struct {
	name  string
	link  *link
	store *state.Store
	node  *cluster.Node
	svc   *snapshot.Service
	tasks *task.Registry
	hook  atomic.Pointer[faulty.Hook]
	stop  sync.Once
}

func startNode(t *testing.T, name, prefix, socket, repo string) *node {
	t.Helper()
	n := &node{name: name, link: &link{socket: socket, conns: map[net.Conn]bool{}}}
	n.calm()
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("VARVE_MODEL_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil)).With("node", name)
	}
	dir := t.TempDir()
	id := state.NewUUID()
	var err error
	n.store, err = state.Open(bg, state.Config{ClusterName: "handover", Endpoints: []string{"passthrough:///etcd"}, Prefix: prefix, NodeID: id, LeaseTTL: time.Second, Logger: log,
		Client: clientv3.Config{DialOptions: []grpc.DialOption{grpc.WithContextDialer(n.link.dial)}}})
	check(t, err)
	check(t, n.store.Join(bg, state.Node{Name: name, EphemeralID: state.NewUUID(), Roles: []string{"data", "cluster_manager"}, Version: "2.19.0", Started: time.Now()}))
	n.tasks = task.NewRegistry(id)
	n.node = cluster.NewNode(cluster.Config{DataPath: dir, Store: n.store, Tasks: n.tasks, Settings: settings.Settings{}, Log: log, IndexBuffer: 16 << 20})
	n.svc = snapshot.New(snapshot.Config{Node: n.node, Log: log, OpenStore: func(*state.Repository) (blob.Container, error) {
		c, err := blobfs.New(repo)
		if err != nil {
			return nil, err
		}
		return faulty.New(c, func(o faulty.Op) faulty.Fault { return (*n.hook.Load())(o) }), nil
	}})
	n.node.SetRestorer(n.svc)
	check(t, n.node.Start(bg))
	n.svc.Start()
	t.Cleanup(func() { n.end(t) })
	return n
}

// end stops a node: nothing further of it reaches the repository.
func (n *node) end(t *testing.T) {
	n.stop.Do(func() {
		dead := faulty.Hook(func(faulty.Op) faulty.Fault { return faulty.Fault{Before: faulty.Fail(blob.KindUnavailable)} })
		n.hook.Store(&dead)
		n.svc.Stop()
		if err := errors.Join(n.node.Stop(bg), n.tasks.Close(bg), n.store.Close()); err != nil {
			t.Errorf("stop %s: %v", n.name, err)
		}
	})
}

func (n *node) calm() {
	h := faulty.Hook(func(faulty.Op) faulty.Fault { return faulty.Fault{} })
	n.hook.Store(&h)
}

// at runs an event when the node is about to send the nth request that writes, or at the nth request if all count, once. Until
// the gate is opened this request and those after it wait, as those of a process that stands still.
func (n *node) at(count int64, all bool, event func(), gate chan struct{}) {
	var seen atomic.Int64
	h := faulty.Hook(func(o faulty.Op) faulty.Fault {
		if !o.Write() && !all {
			return faulty.Fault{}
		}
		now := seen.Add(1)
		if now == count {
			go event()
		}
		if now >= count {
			<-gate
		}
		return faulty.Fault{}
	})
	n.hook.Store(&h)
}

// resign ends the lease of the node without its doing.
func (n *node) resign(t *testing.T, prefix, socket string) {
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{"passthrough:///etcd"}, DialTimeout: 5 * time.Second,
		DialOptions: []grpc.DialOption{grpc.WithContextDialer((&link{socket: socket, conns: map[net.Conn]bool{}}).dial)}})
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	all, err := c.Get(bg, prefix+"/", clientv3.WithPrefix())
	if err != nil {
		t.Error(err)
		return
	}
	for _, kv := range all.Kvs {
		if kv.Lease != 0 && strings.Contains(string(kv.Key), n.store.NodeID()) {
			if _, err := c.Revoke(bg, clientv3.LeaseID(kv.Lease)); err != nil {
				t.Log(err) // it was renewed meanwhile
			}
			return
		}
	}
	t.Error(fmt.Errorf("no lease of %s", n.name))
}
