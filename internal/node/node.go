package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/coordinator"
	"github.com/varve-search/varve/internal/rest"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/snapshot"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/task"
	"github.com/varve-search/varve/internal/telemetry"
	"github.com/varve-search/varve/repository"
)

// SpeaksVersion is the version of OpenSearch whose API and formats the server speaks.
const SpeaksVersion = "2.19.0"

// Server is a running node.
type Server struct {
	log       *slog.Logger
	identity  *state.Identity
	store     *state.Store
	node      *cluster.Node
	snapshots *snapshot.Service
	docs      *coordinator.Service
	tasks     *task.Registry
	tracer    *telemetry.Tracer
	follows   sync.WaitGroup
	http      *rest.Server
	listener  net.Listener
	cancel    context.CancelFunc
	served    chan error
	stop      sync.Once
	stopErr   error
}

// Stores say where repositories are instead of their settings. What is nil replaces nothing.
type Stores struct {
	// Open opens the store of a repository, whatever its type.
	Open func(*state.Repository) (blob.Container, error)
	// Remote opens the stores where shallow snapshots have their data, RemoteTranslog those with the operations that these lack.
	Remote, RemoteTranslog repository.RemoteStore
}

// Start starts a server and returns when it answers requests. version is the program's own.
func Start(ctx context.Context, cfg settings.Settings, version string, log *slog.Logger) (*Server, error) {
	return StartOn(ctx, cfg, version, log, Stores{})
}

// StartOn is Start with repositories that are where stores says.
func StartOn(ctx context.Context, cfg settings.Settings, version string, log *slog.Logger, stores Stores) (_ *Server, err error) {
	data, err := dataPath(cfg)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(data, 0o755); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	secrets, err := loadSecrets(cfg)
	if err != nil {
		return nil, err
	}
	s := &Server{log: log, served: make(chan error, 1)}
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	defer func() {
		if err != nil {
			_ = s.Stop(context.WithoutCancel(ctx)) // the first error is the one to tell
		}
	}()
	// The port is taken first: a server that cannot be reached should not touch its data.
	if s.listener, err = listen(cfg); err != nil {
		return nil, err
	}
	if s.identity, err = state.OpenIdentity(data); err != nil {
		return nil, fmt.Errorf("open the data folder %s: %w", data, err)
	}
	s.store, err = state.Open(ctx, state.Config{ClusterName: cfg.GetOr("cluster.name", "varve"), Dir: s.identity.Dir(), NodeID: s.identity.ID, Logger: log})
	if err != nil {
		return nil, fmt.Errorf("open the cluster state: %w", err)
	}
	if err := s.store.Join(ctx, s.describe(cfg)); err != nil {
		return nil, fmt.Errorf("join the cluster: %w", err)
	}
	s.tasks = task.NewRegistry(s.identity.ID)
	s.node = cluster.NewNode(cluster.Config{DataPath: data, Store: s.store, Tasks: s.tasks, Settings: cfg, Log: log, IndexBuffer: 64 << 20})
	s.tracer = telemetry.New(telemetry.Config{Settings: cfg, Version: version, NodeID: s.identity.ID, Cluster: cfg.GetOr("cluster.name", "varve"), Log: log})
	if err := s.followTracing(ctx, base, cfg); err != nil {
		return nil, err
	}
	s.snapshots = snapshot.New(snapshot.Config{Node: s.node, Tracer: s.tracer, PathRepo: cfg.List("path.repo"), OpenStore: stores.Open, RemoteStore: stores.Remote, RemoteTranslog: stores.RemoteTranslog,
		Settings: cfg, Secrets: secrets, Log: log})
	s.node.SetRestorer(s.snapshots)
	if err := s.node.Start(ctx); err != nil {
		return nil, fmt.Errorf("start the node's shards: %w", err)
	}
	s.snapshots.Start()
	s.docs = coordinator.New(s.node, s.tasks)
	s.docs.AutoCreate = func(ctx context.Context, name string) error {
		_, err := s.node.AutoCreate(ctx, name)
		return err
	}
	router := rest.NewRouter(rest.Services{Node: s.node, Store: s.store, Snapshots: s.snapshots, Docs: s.docs, Tasks: s.tasks, Settings: cfg,
		Version: version, Started: time.Now(), Log: log})
	s.http = rest.NewServer(router, log)
	s.http.Tracer = s.tracer
	go func() { s.served <- s.http.Serve(base, s.listener) }()
	if err := s.announce(cfg); err != nil {
		return nil, err
	}
	return s, nil
}

// describe is the node's record in the cluster.
func (s *Server) describe(cfg settings.Settings) state.Node {
	host, port, _ := net.SplitHostPort(s.listener.Addr().String()) // an address of our own
	name, _ := os.Hostname()
	n := state.Node{ID: s.identity.ID, Name: cfg.GetOr("node.name", name), EphemeralID: state.NewUUID(), Host: host, IP: host,
		HTTPAddress: net.JoinHostPort(host, port), TransportAddress: net.JoinHostPort(host, port),
		Roles: []string{"cluster_manager", "data", "ingest", "remote_cluster_client"}, Attributes: map[string]string{}, Version: SpeaksVersion, Started: time.Now().UTC()}
	for _, k := range cfg.Keys() {
		if attr, ok := strings.CutPrefix(k, "node.attr."); ok {
			n.Attributes[attr] = cfg.GetOr(k, "")
		}
	}
	return n
}

// announce writes the port to the file that http.port_file names, for whoever started the server.
func (s *Server) announce(cfg settings.Settings) error {
	file, ok := cfg.Get("http.port_file")
	if !ok || file == "" {
		return nil
	}
	_, port, _ := net.SplitHostPort(s.listener.Addr().String()) // an address of our own
	tmp := file + ".tmp"
	if err := os.WriteFile(tmp, []byte(port), 0o644); err != nil {
		return fmt.Errorf("write http.port_file: %w", err)
	}
	return os.Rename(tmp, file)
}

// listen takes the first free port of http.port, which is a port or a range.
func listen(cfg settings.Settings) (net.Listener, error) {
	host := cfg.GetOr("http.host", cfg.GetOr("network.host", "127.0.0.1"))
	if host == "_local_" || host == "localhost" {
		host = "127.0.0.1"
	}
	ports := cfg.GetOr("http.port", "9200-9300")
	first, last, ranged := strings.Cut(ports, "-")
	lo, err := strconv.Atoi(first)
	hi := lo
	if err == nil && ranged {
		hi, err = strconv.Atoi(last)
	}
	if err != nil || lo < 0 || hi > 65535 || hi < lo {
		return nil, fmt.Errorf("http.port is %q, which is neither a port nor a range of ports", ports)
	}
	var errs []error
	for p := lo; p <= hi; p++ {
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(p)))
		if err == nil {
			return l, nil
		}
		if len(errs) < 3 {
			errs = append(errs, err)
		}
	}
	return nil, fmt.Errorf("no port of %s can be listened on: %w", ports, errors.Join(errs...))
}

// URL is where the server answers.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// Failed receives the error of a server that stopped serving by itself.
func (s *Server) Failed() <-chan error { return s.served }

// Stop finishes the requests under way, commits the shards, and leaves the cluster. It may be called twice.
func (s *Server) Stop(ctx context.Context) error {
	s.stop.Do(func() { s.stopErr = s.shutDown(ctx) })
	return s.stopErr
}

func (s *Server) shutDown(ctx context.Context) error {
	var errs []error
	if s.http != nil {
		errs = append(errs, s.http.Shutdown(ctx))
		errs = append(errs, <-s.served)
	} else if s.listener != nil {
		errs = append(errs, s.listener.Close())
	}
	s.cancel()
	if s.docs != nil {
		s.docs.Close()
	}
	if s.snapshots != nil {
		s.snapshots.Stop()
	}
	if s.node != nil {
		errs = append(errs, s.node.Stop(ctx))
	}
	if s.tasks != nil {
		errs = append(errs, s.tasks.Close(ctx))
	}
	s.follows.Wait()
	if err := s.tracer.Close(ctx); err != nil {
		s.log.Warn("the last spans were lost", "error", err)
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	if s.identity != nil {
		errs = append(errs, s.identity.Close())
	}
	return errors.Join(errs...)
}
