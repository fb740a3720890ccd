package state

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.uber.org/zap"
)

// Limits of the embedded etcd. The state of thousands of indices takes a few megabytes; the quota is
// what a loop of updates may not exceed before compaction.
const (
	embeddedQuota       = 1 << 30
	embeddedRetention   = "1000" // revisions that auto compaction keeps
	embeddedSnapshot    = 2000   // raft entries between two snapshots
	embeddedCatchUp     = 200    // raft entries kept in memory behind a snapshot
	embeddedDefragAbove = 64     // MiB of which so much is free that a start gives it back
	embeddedStartLimit  = 60 * time.Second

	// The kernel's sockaddr_un has 108 bytes with the closing zero.
	maxSocketPath = 107
)

// etcd allots its write-ahead log in files of 64 MB. The cluster state does not need that much disk.
func init() { wal.SegmentSizeBytes = 4 << 20 }

// embedded is an etcd in this process.
type embedded struct {
	etcd     *embed.Etcd
	sockets  string      // folder of the socket
	expected atomic.Bool // it starts or stops: its warnings mean nothing
}

// startEmbedded starts an etcd on the data in dir and returns a client that calls it directly. It
// listens on one unix socket, for tools such as etcdctl, in a folder that only this user can enter.
func startEmbedded(ctx context.Context, dir string, log *slog.Logger) (_ *embedded, _ *clientv3.Client, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("start etcd: %w", err)
	}
	sockets, err := socketDir(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("start etcd: %w", err)
	}
	e := &embedded{sockets: sockets}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("start etcd on %s: %w", dir, err), e.close())
		}
	}()
	socket := []url.URL{{Scheme: "unix", Path: filepath.Join(sockets, "c")}}
	cfg := embed.NewConfig()
	cfg.Name = "varve"
	cfg.Dir = dir
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = socket, socket
	// A single member has no peers. Given a unix socket for them, etcd would listen on an abstract one,
	// which every local user may connect to.
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = nil, socket
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	cfg.QuotaBackendBytes = embeddedQuota
	cfg.AutoCompactionMode, cfg.AutoCompactionRetention = embed.CompactorModeRevision, embeddedRetention
	cfg.SnapshotCount, cfg.SnapshotCatchUpEntries = embeddedSnapshot, embeddedCatchUp
	cfg.BootstrapDefragThresholdMegabytes = embeddedDefragAbove
	cfg.EnableGRPCGateway = false
	// One member has nobody to wait for: it elects itself within an election timeout.
	cfg.TickMs, cfg.ElectionMs = 20, 100
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.New(newZapCore(log, &e.expected)))
	e.expected.Store(true)

	if e.etcd, err = embed.StartEtcd(cfg); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, embeddedStartLimit)
	defer cancel()
	select {
	case <-e.etcd.Server.ReadyNotify():
	case err := <-e.etcd.Err():
		return nil, nil, err
	case <-ctx.Done():
		return nil, nil, fmt.Errorf("not ready: %w", ctx.Err())
	}
	e.expected.Store(false)
	return e, v3client.New(e.etcd.Server), nil
}

func (e *embedded) close() error {
	e.expected.Store(true)
	if e.etcd != nil {
		e.etcd.Close()
	}
	if err := os.RemoveAll(e.sockets); err != nil {
		return fmt.Errorf("remove etcd sockets: %w", err)
	}
	return nil
}

// socketDir makes the folder of the socket: in the data folder where the path is short enough, else
// in one for temporary files, under a name that the data folder determines, so that a killed process
// leaves nothing that the next one does not use again.
func socketDir(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	h := fnv.New64a()
	h.Write([]byte(abs)) //nolint:errcheck // never fails
	short := fmt.Sprintf("varve-%016x", h.Sum64())
	for _, path := range []string{filepath.Join(abs, "s"), filepath.Join(os.TempDir(), short), filepath.Join("/tmp", short)} {
		if len(path)+len("/c") > maxSocketPath {
			continue
		}
		if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
			continue
		}
		// A folder that was there already, where anybody may make one, must be ours alone.
		st, err := os.Lstat(path)
		if err != nil || !st.IsDir() || st.Mode().Perm() != 0o700 || !ownedByUs(st) {
			continue
		}
		return path, nil
	}
	return "", fmt.Errorf("no folder for unix sockets: %s is too long a path (at most %d bytes) and none for temporary files can be used", abs, maxSocketPath)
}
