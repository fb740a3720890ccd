package snapshot

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/varve-search/varve/blob"
	blobfs "github.com/varve-search/varve/blob/fs"
	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/repository"
)

// opened is a repository with the record that it was opened by.
type opened struct {
	record *state.Repository
	store  blob.Container
	repo   *repository.Repository
	infos  *cache[keptInfo]
	file   *infoFile
	shards *cache[map[int]ShardStatus] // by snapshot UUID and index id

	bucket func() (blob.Container, error) // what base_path is relative to, read-only; opened once

	loading  chan struct{} // held by who reads the root for a shard that is restored
	reserved sync.Once     // when something was written first

	mu     sync.Mutex
	last   *repository.Data // the root that was read or written last
	lastAt time.Time        // when the store was asked for it last
}

func repositoryError(name, format string, args ...any) *apierr.Error {
	return apierr.New(http.StatusInternalServerError, "repository_exception", "[%s] %s", name, fmt.Sprintf(format, args...))
}

// notCreated is the error of a repository that cannot be opened with its settings.
func notCreated(name string, why *apierr.Error) *apierr.Error {
	e := repositoryError(name, "failed to create repository").Because(why)
	e.RootCauses = []error{why}
	return e
}

// badSetting is the error of a setting with a value that it cannot have.
func badSetting(name string, err error) error {
	return repositoryError(name, "failed to create repository").Because(apierr.IllegalArgument("%v", err))
}

// CheckRepositoryName refuses names that no repository may have.
func CheckRepositoryName(name string) error {
	switch {
	case name == "":
		return repositoryError(name, "cannot be empty")
	case strings.Contains(name, "#"):
		return repositoryError(name, "must not contain '#'")
	case strings.ContainsAny(name, `\/*?"<>|, `):
		return repositoryError(name, `must not contain the following characters [ , ", *, \, <, |, ,, >, /, ?]`)
	}
	return nil
}

// PutRepository registers a repository, or changes the settings of one. With verify it is tried out first.
func (s *Service) PutRepository(ctx context.Context, name, typ string, cfg settings.Settings, verify bool) error {
	if err := CheckRepositoryName(name); err != nil {
		return err
	}
	if _, _, err := ratesOf(cfg); err != nil {
		return badSetting(name, err)
	}
	cfg, err := sharedSettings(name, cfg)
	if err != nil {
		return err
	}
	cfg, err = s.sealSettings(name, cfg)
	if err != nil {
		return err
	}
	rec := &state.Repository{Name: name, Type: typ, Settings: cfg, UUID: "_na_", Generation: unknownGeneration, PendingGeneration: -1}
	o, err := s.openRecord(rec)
	if err != nil {
		return err
	}
	if verify {
		if err := checkStore(ctx, name, o); err != nil {
			return err
		}
		if err := s.verifyShared(ctx, o); err != nil {
			return err
		}
	}
	if verify && !readOnly(rec) {
		if _, err := s.probe(ctx, name, o); err != nil {
			return err
		}
	}
	return s.store.Update(ctx, func(tx *state.Tx) error {
		old := tx.Repository(name)
		if old != nil && old.Type == typ && old.Settings.Equal(cfg) && old.Blocked == "" {
			return nil
		}
		if old != nil && sameStore(old, rec) && old.Blocked == "" {
			next := *old // only rates: what runs goes on, at the new ones
			next.Settings = cfg
			tx.Put(&next)
			return nil
		}
		if old != nil {
			if err := inUse(tx.View, name); err != nil {
				return err
			}
		}
		next := *rec
		if old != nil {
			next.Epoch, next.Untidy = old.Epoch+1, old.Untidy || old.Blocked != ""
		}
		tx.Put(&next)
		return nil
	})
}

// inUse refuses a change of a repository that jobs work on.
func inUse(v *state.View, name string) error {
	busy := apierr.New(http.StatusInternalServerError, "illegal_state_exception", "trying to modify or unregister repository that is currently used")
	if r := v.Repository(name); len(queueOf(v, name)) > 0 || r != nil && r.Cleanup != nil {
		return busy
	}
	for _, r := range v.Restores() {
		if r.Repository == name {
			return busy
		}
	}
	return nil
}

// DeleteRepositories unregisters the repositories whose names match a pattern; the blobs stay. It is one pattern: neither commas
// nor _all mean several, and only * may find none.
func (s *Service) DeleteRepositories(ctx context.Context, pattern string) error {
	var gone []string
	err := s.store.Update(ctx, func(tx *state.Tx) error {
		found := false
		gone = nil
		for _, r := range tx.Repositories() {
			if !settings.Match(pattern, r.Name) {
				continue
			}
			found = true
			if err := inUse(tx.View, r.Name); err != nil {
				return err
			}
			tx.Delete(r)
			dropCosts(tx, r.Name)
			gone = append(gone, r.Name)
		}
		if !found && pattern != "*" {
			return apierr.RepositoryMissing(pattern)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, name := range gone {
		s.forgetInfos(name)
	}
	return nil
}

// VerifyRepository writes, reads and removes a probe blob on every node.
func (s *Service) VerifyRepository(ctx context.Context, name string) ([]*state.Node, error) {
	o, err := s.open(name)
	if err != nil {
		return nil, err
	}
	if err := checkStore(ctx, name, o); err != nil {
		return nil, err
	}
	if readOnly(o.record) {
		if _, err := o.repo.LatestGeneration(ctx); err != nil {
			return nil, repositoryError(name, "could not read repository data from index blob").Because(err)
		}
		return []*state.Node{s.store.View().Node(s.store.NodeID())}, nil
	}
	return s.probe(ctx, name, o)
}

func (s *Service) probe(ctx context.Context, name string, o *opened) ([]*state.Node, error) {
	fail := func(err error) error {
		return apierr.New(http.StatusInternalServerError, "repository_verification_exception", "[%s] path %s is not accessible on cluster-manager node", name, describePath(o)).Because(err)
	}
	seed := state.NewUUID()
	c, err := o.store.Container("tests-" + seed)
	if err != nil {
		return nil, fail(err)
	}
	blobName := "data-" + s.store.NodeID() + ".dat"
	want, names := []byte(seed), []string{"master.dat", blobName}
	for _, n := range names {
		if err := c.Put(ctx, n, bytes.NewReader(want), int64(len(want)), blob.PutOptions{IfAbsent: true}); err != nil {
			return nil, fail(err)
		}
		got, err := blob.ReadAll(ctx, c, n, 1<<10)
		if err != nil {
			return nil, fail(err)
		}
		if !bytes.Equal(got, want) {
			return nil, fail(fmt.Errorf("the probe blob %s was read back with other bytes", n))
		}
	}
	if o.record.Type == "fs" {
		_, err = c.DeleteTree(ctx) // the folder too
	} else {
		err = c.DeleteBatch(ctx, names) // without a list
	}
	if err != nil {
		return nil, fail(err)
	}
	n := s.store.View().Node(s.store.NodeID())
	if n == nil {
		return nil, nil
	}
	return []*state.Node{n}, nil
}

func describePath(o *opened) string {
	if base, ok := o.record.Settings.Get("base_path"); ok && base != "" {
		return "[" + base + "]"
	}
	return ""
}

func readOnly(r *state.Repository) bool {
	ro, err := r.Settings.Bool("readonly", false)
	return err == nil && ro || r.Type == "url"
}

// open returns a registered repository.
func (s *Service) open(name string) (*opened, error) {
	rec := s.store.View().Repository(name)
	if rec == nil {
		return nil, apierr.RepositoryMissing(name)
	}
	s.mu.Lock()
	before := s.repos[name]
	s.mu.Unlock()
	if before != nil && (before.record == rec || sameStore(before.record, rec)) {
		return before, nil
	}
	o, err := s.openRecord(rec)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.repos[name]; now != nil && now != before && sameStore(now.record, rec) {
		return now, nil // somebody was faster
	}
	s.repos[name] = o
	return o, nil
}

// reserve is the space that each repository keeps for deletions when its store is full, in bytes.
const reserve = 1 << 20

func (s *Service) openRecord(rec *state.Repository) (*opened, error) {
	pathType, err := pathTypeOf(rec.Settings)
	if err != nil {
		return nil, repositoryError(rec.Name, "failed to create repository").Because(err)
	}
	c, base, err := s.openPlace(rec)
	if err != nil {
		return nil, err
	}
	opts := repository.Options{BasePath: base, ShardPathType: pathType, ShardPathPrefix: s.cfg.Settings.GetOr("cluster.snapshot.shard.path.prefix", ""),
		Writer: s.clusterName(), Reserve: reserve, RemoteStore: s.remoteSegments, RemoteTranslog: s.remoteSegments, RemoteLocks: s.remoteLocks,
		Abandoned: func() { s.trafficOf(rec.Name).abandoned.Store(true) }}
	if s.cfg.RemoteStore != nil {
		opts.RemoteStore, opts.RemoteTranslog = s.cfg.RemoteStore, s.cfg.RemoteTranslog
	}
	for _, key := range []string{"readonly", "compress"} {
		if _, err := rec.Settings.Bool(key, false); err != nil {
			return nil, badSetting(rec.Name, err)
		}
	}
	if compress, err := rec.Settings.Bool("compress", false); err != nil {
		return nil, badSetting(rec.Name, err)
	} else if compress {
		opts.Compression = repository.Deflate
		if rec.Settings.GetOr("compression_type", "") == "zstd" || rec.Settings.GetOr("compression_type", "") == "ZSTD" {
			opts.Compression = repository.Zstd
		}
	}
	if opts.ChunkSize, err = rec.Settings.Bytes("chunk_size", defaultChunk(rec.Type)); err != nil {
		return nil, badSetting(rec.Name, err)
	}
	if readOnly(rec) {
		c = blob.ReadOnly(c)
	}
	r, err := repository.Open(s.ctx, c, opts)
	if err == nil {
		c, err = c.Container(base)
	}
	if err != nil {
		return nil, repositoryError(rec.Name, "failed to create repository").Because(err)
	}
	bucket := sync.OnceValues(func() (blob.Container, error) { return s.openBucket(rec) })
	return &opened{loading: make(chan struct{}, 1), record: rec, store: c, bucket: bucket, repo: r, infos: newCache[keptInfo](cacheBytes), file: s.infoFileOf(rec), shards: newCache[map[int]ShardStatus](cacheBytes)}, nil
}

// openPlace opens what a repository's base_path is relative to, because shards with hashed prefixes lie beside it, and returns the two.
func (s *Service) openPlace(rec *state.Repository) (blob.Container, string, error) {
	base := ""
	if s.cfg.OpenStore == nil && rec.Type != "url" {
		var err error
		if base, err = (blob.Settings{"base_path": rec.Settings.GetOr("base_path", "")}).BasePath(); err != nil {
			return nil, "", repositoryError(rec.Name, "failed to create repository").Because(err)
		}
	}
	if base == "" {
		c, err := s.openStore(rec)
		return c, "", err
	}
	c, err := s.openAbove(rec)
	return c, base, err
}

// openStore opens where a repository's blobs are.
func (s *Service) openStore(rec *state.Repository) (blob.Container, error) {
	if s.cfg.OpenStore != nil {
		return s.counted(rec, s.cfg.OpenStore)
	}
	switch rec.Type {
	case "fs":
		return s.counted(rec, s.openFS)
	case "s3", "oss", "url":
		return s.openTyped(rec)
	case "azure", "gcs", "hdfs":
		return nil, apierr.NotImplemented("[%s] repositories of type [%s] are not built in this server; it has [fs], [s3], [oss] and [url]", rec.Name, rec.Type)
	}
	return nil, repositoryError(rec.Name, "repository type [%s] does not exist", rec.Type)
}

// counted opens a store that does not count its requests.
func (s *Service) counted(rec *state.Repository, open func(*state.Repository) (blob.Container, error)) (blob.Container, error) {
	c, err := open(rec)
	if err != nil {
		return nil, err
	}
	return blob.Count(c, &s.trafficOf(rec.Name).requests), nil
}

func (s *Service) openFS(rec *state.Repository) (blob.Container, error) {
	dir, err := s.fsLocation(rec)
	if err != nil {
		return nil, err
	}
	c, err := blobfs.New(dir)
	if err != nil {
		return nil, repositoryError(rec.Name, "failed to create repository").Because(err)
	}
	return c, nil
}

// fsLocation returns the folder of an fs repository: within one of path.repo, wherever symbolic names lead.
func (s *Service) fsLocation(rec *state.Repository) (string, error) {
	loc, ok := rec.Settings.Get("location")
	if !ok || loc == "" {
		return "", notCreated(rec.Name, repositoryError(rec.Name, "missing location"))
	}
	refuse := func() error {
		why := "this setting is empty"
		if len(s.cfg.PathRepo) > 0 {
			why = "path.repo is [" + strings.Join(s.cfg.PathRepo, ", ") + "]"
			return notCreated(rec.Name, repositoryError(rec.Name, "location [%s] doesn't match any of the locations specified by path.repo: %s", loc, why))
		}
		return notCreated(rec.Name, repositoryError(rec.Name, "location [%s] doesn't match any of the locations specified by path.repo because %s", loc, why))
	}
	for _, root := range s.cfg.PathRepo {
		root, err := filepath.Abs(root)
		if err != nil {
			return "", err
		}
		dir := loc
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(root, dir)
		}
		dir = filepath.Clean(dir)
		if within(root, dir) && within(realPath(root), realPath(dir)) {
			return dir, nil
		}
	}
	return "", refuse()
}

func within(root, dir string) bool {
	rel, err := filepath.Rel(root, dir)
	return err == nil && filepath.IsLocal(rel)
}

// realPath resolves symbolic links of the longest part of a path that exists.
func realPath(path string) string {
	rest := ""
	for p := path; ; p = filepath.Dir(p) {
		if real, err := filepath.EvalSymlinks(p); err == nil {
			return filepath.Join(real, rest)
		}
		if p == filepath.Dir(p) {
			return path
		}
		rest = filepath.Join(filepath.Base(p), rest)
	}
}
