package restore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/mem"
	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/coordinator"
	"github.com/varve-search/varve/internal/rest"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/snapshot"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// server is a whole server in this process, whose repositories lie in stores that the test makes.
type server struct {
	t    testing.TB
	h    http.Handler
	node *cluster.Node
	stop func()
}

// start starts a server on a data folder. It is stopped when the test ends, if it was not before.
func start(t testing.TB, dir string, open func(*state.Repository) (blob.Container, error), set settings.Settings) *server {
	t.Helper()
	return startWith(t, dir, open, set, nil)
}

func startWith(t testing.TB, dir string, open func(*state.Repository) (blob.Container, error), set settings.Settings, change func(*cluster.Config)) *server {
	t.Helper()
	ctx := context.Background()
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("VARVE_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	if set == nil {
		set = settings.Settings{}
	}
	id, err := state.OpenIdentity(dir)
	check(t, err)
	st, err := state.Open(ctx, state.Config{ClusterName: "restore", Dir: id.Dir(), NodeID: id.ID, Logger: log})
	check(t, err)
	check(t, st.Join(ctx, state.Node{ID: id.ID, Name: "node", EphemeralID: state.NewUUID(), Host: "127.0.0.1", IP: "127.0.0.1", Roles: []string{"data", "cluster_manager"}, Version: "2.19.0", Started: time.Now()}))
	tasks := task.NewRegistry(id.ID)
	cfg := cluster.Config{DataPath: dir, Store: st, Tasks: tasks, Settings: set, Log: log, IndexBuffer: 16 << 20}
	if change != nil {
		change(&cfg)
	}
	n := cluster.NewNode(cfg)
	svc := snapshot.New(snapshot.Config{Node: n, Settings: set, Log: log, OpenStore: open})
	n.SetRestorer(svc)
	check(t, n.Start(ctx))
	svc.Start()
	docs := coordinator.New(n, tasks)
	docs.AutoCreate = func(ctx context.Context, name string) error {
		_, err := n.AutoCreate(ctx, name)
		return err
	}
	h := rest.NewRouter(rest.Services{Node: n, Store: st, Snapshots: svc, Docs: docs, Tasks: tasks, Settings: set, Version: "0", Started: time.Now(), Log: log})
	var once sync.Once
	s := &server{t: t, h: rest.NewServer(h, log), node: n}
	s.stop = func() {
		once.Do(func() {
			docs.Close()
			svc.Stop()
			if err := errors.Join(n.Stop(ctx), tasks.Close(ctx), st.Close(), id.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(s.stop)
	return s
}

// call sends a request and returns status and body.
func (s *server) call(method, path, body string) (int, map[string]any) {
	s.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r)
	out := map[string]any{}
	dec := json.NewDecoder(bytes.NewReader(w.Body.Bytes()))
	dec.UseNumber()
	if err := dec.Decode(&out); err != nil {
		out["text"] = w.Body.String()
	}
	return w.Code, out
}

// must is call for what has to work.
func (s *server) must(method, path, body string) map[string]any {
	s.t.Helper()
	code, out := s.call(method, path, body)
	if code/100 != 2 {
		s.t.Fatalf("%s %s: %d %v", method, path, code, out)
	}
	return out
}

// at returns what stands at a path of keys and list indices.
func at(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			l, _ := v.([]any)
			if p >= len(l) {
				return nil
			}
			v = l[p]
		}
	}
	return v
}

// under is what a container lies on.
type under = blob.Container

// slow delays the requests of a container, and lets streams trickle.
type slow struct {
	under
	wait time.Duration // for each request
	rate int64         // bytes per second of each stream of a whole blob; 0: at once
}

func (c slow) Container(path string) (blob.Container, error) {
	in, err := c.under.Container(path)
	return slow{in, c.wait, c.rate}, err
}

func (c slow) pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c slow) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	if err := c.pause(ctx, c.wait); err != nil {
		return nil, err
	}
	r, err := c.under.Get(ctx, name)
	if err != nil || c.rate == 0 {
		return r, err
	}
	return &trickle{r, ctx, c}, nil
}

func (c slow) GetRange(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	if err := c.pause(ctx, c.wait); err != nil {
		return nil, err
	}
	return c.under.GetRange(ctx, name, off, n)
}

type trickle struct {
	io.ReadCloser
	ctx context.Context //nolint:containedctx // an io.Reader carries none
	c   slow
}

func (t *trickle) Read(p []byte) (int, error) {
	const piece = 8 << 10
	n, err := t.ReadCloser.Read(p[:min(len(p), piece)])
	if perr := t.c.pause(t.ctx, time.Duration(int64(n)*int64(time.Second)/t.c.rate)); perr != nil {
		return n, perr
	}
	return n, err
}

// fill writes n documents of some length into an index, in several segments.
func fill(s *server, index string, n int) {
	s.t.Helper()
	s.must("PUT", "/"+index, `{"settings":{"index.number_of_replicas":0,"index.refresh_interval":"-1","index.merge.policy.floor_segment":"1kb"},"mappings":{"properties":{"n":{"type":"long"},"body":{"type":"text"},"tag":{"type":"keyword"},"noise":{"type":"keyword","index":false}}}}`)
	const batch = 500
	for from := 0; from < n; from += batch {
		var b strings.Builder
		for i := from; i < min(from+batch, n); i++ {
			fmt.Fprintf(&b, `{"index":{"_index":%q,"_id":"d%d"}}`+"\n", index, i)
			fmt.Fprintf(&b, `{"n":%d,"tag":"t%d","body":"common word%d and %s","noise":%q}`+"\n", i, i%7, i%97, strings.Repeat(fmt.Sprint("x", i*7919%1000003, " "), 20), noise(i))
		}
		s.must("POST", "/_bulk?refresh=true", b.String())
	}
}

// noise is text that does not compress.
func noise(i int) string {
	x := uint64(i)*0x9E3779B97F4A7C15 + 1
	b := make([]byte, 600)
	for j := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[j] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-"[x&63]
	}
	return string(b)
}

// stores keeps stores in memory by the location of their repository.
type stores struct {
	mu sync.Mutex
	m  map[string]*mem.Store
}

func (s *stores) of(r *state.Repository) *mem.Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = map[string]*mem.Store{}
	}
	loc := r.Settings.GetOr("location", "")
	if s.m[loc] == nil {
		s.m[loc] = mem.New()
	}
	return s.m[loc]
}

// cacheSize sums up the files of the block cache of a data folder.
func cacheSize(t testing.TB, data string) int64 {
	t.Helper()
	var sum int64
	err := filepath.WalkDir(data, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.Contains(path, filepath.Join("cache", "blocks")) {
			return err
		}
		i, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) { // it has left
			return nil
		}
		if err == nil {
			sum += i.Size()
		}
		return err
	})
	check(t, err)
	return sum
}
