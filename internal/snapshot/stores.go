package snapshot

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/varve-search/varve/blob"
	_ "github.com/varve-search/varve/blob/oss" // type oss
	_ "github.com/varve-search/varve/blob/s3"  // type s3
	_ "github.com/varve-search/varve/blob/url" // type url
	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/state"
)

// defaultChunk is the chunk_size of a type of repository, in bytes; 0 does not split files.
func defaultChunk(typ string) int64 {
	if typ == "s3" || typ == "oss" {
		return 1 << 30
	}
	return 0
}

// ofS3 are the secrets of a repository of type s3.
var ofS3 = map[string]bool{"access_key": true, "secret_key": true, "session_token": true}

// sealSettings hides the secrets among the settings of a repository from whoever reads the cluster state. A store decides later
// whether it takes secrets from there at all.
func (s *Service) sealSettings(name string, cfg settings.Settings) (settings.Settings, error) {
	out := cfg
	insecure, err := s.cfg.Settings.Bool("repository_s3.allow_insecure_settings", false)
	if err != nil {
		return nil, repositoryError(name, "the node's setting repository_s3.allow_insecure_settings").Because(err)
	}
	for _, key := range cfg.Keys() {
		if !settings.IsSecret(key) || ofS3[key] && !insecure { // the store refuses those
			continue
		}
		if s.cfg.Secrets == nil {
			return nil, repositoryError(name, "the secret [%s] among the settings cannot be kept: this node has no key store", key)
		}
		text, err := s.cfg.Secrets.Seal(key, cfg.GetOr(key, ""))
		if err != nil {
			return nil, repositoryError(name, "the secret [%s] among the settings cannot be sealed", key).Because(err)
		}
		if out.Equal(cfg) {
			out = cfg.Clone()
		}
		out[key] = text
	}
	return out, nil
}

// openTyped opens the store of a repository whose type is registered with the package blob.
func (s *Service) openTyped(rec *state.Repository) (blob.Container, error) {
	cfg := blob.Config{Settings: blob.Settings{}, Node: texts(s.cfg.Settings), Counters: &s.trafficOf(rec.Name).requests}
	for _, key := range rec.Settings.Keys() {
		text, ok := rec.Settings.Get(key)
		if !ok {
			continue
		}
		if s.cfg.Secrets != nil && settings.IsSecret(key) {
			var err error
			if text, err = s.cfg.Secrets.Unseal(key, text); err != nil {
				return nil, repositoryError(rec.Name, "failed to create repository").Because(err)
			}
		}
		cfg.Settings[key] = text
	}
	if s.cfg.Secrets != nil {
		cfg.Secret = s.cfg.Secrets.Lookup
	}
	c, err := blob.OpenType(s.ctx, rec.Type, cfg)
	if err != nil {
		return nil, repositoryError(rec.Name, "failed to create repository").Because(err)
	}
	return c, nil
}

// texts renders settings as the package blob has them: lists with commas.
func texts(cfg settings.Settings) blob.Settings {
	out := blob.Settings{}
	for _, k := range cfg.Keys() {
		if list, ok := cfg[k].([]string); ok {
			out[k] = strings.Join(list, ",")
		} else if v, ok := cfg.Get(k); ok {
			out[k] = v
		}
	}
	return out
}

// storePatience is how long a store may be away in the midst of a job before the job fails. Files that are brought back have
// their own (transfer.DefaultRetry), of about the same length.
const storePatience = 2 * time.Minute

// verifyTime bounds how long a store that does not answer is waited for.
const verifyTime = 14 * time.Second

// checkStore asks a store whether its settings work.
func checkStore(ctx context.Context, name string, o *opened) error {
	ctx, cancel := context.WithTimeout(ctx, verifyTime)
	defer cancel()
	if err := blob.Check(ctx, o.store); err != nil {
		return apierr.New(http.StatusInternalServerError, "repository_verification_exception", "[%s] path %s is not accessible on cluster-manager node", name, describePath(o)).Because(err)
	}
	return nil
}

// ReloadSecrets reads the key store anew; repositories are opened with what it holds when they are next used.
func (s *Service) ReloadSecrets(password string) error {
	if s.cfg.Secrets == nil {
		return nil
	}
	if err := s.cfg.Secrets.Reload(password); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.repos)
	return nil
}

// refuseDeletion says why nothing is deleted from a read-only repository: a snapshot that is not there is told first.
func (s *Service) refuseDeletion(ctx context.Context, o *opened, patterns []string) error {
	const doing = "cannot delete snapshot from a readonly repository"
	if _, shared := sharedOf(o.record); shared {
		return refuseWrite(o.record, doing)
	}
	repo := o.record.Name
	data, err := o.repo.LoadData(ctx)
	if err != nil {
		return s.describe(repo, err)
	}
	for _, p := range patterns {
		if _, err := data.Snapshot(p); err != nil && !strings.Contains(p, "*") {
			return apierr.SnapshotMissing(repo, p)
		}
	}
	return refuseWrite(o.record, doing)
}

// generalSettings are those of repositories of every type.
var generalSettings = []string{"base_path", "chunk_size", "compress", "compression_type", "readonly", "shard_path_type", sharedFrom}

// UnknownSettings returns those of a repository's settings that nobody reads, sorted. OpenSearch takes them without a word, and so a base_path with a
// slip of the pen puts a repository elsewhere.
func UnknownSettings(typ string, cfg settings.Settings) []string {
	set := texts(cfg)
	for _, k := range slices.Concat(generalSettings, rates) {
		delete(set, k)
	}
	if typ == "fs" {
		delete(set, "location")
		return slices.Sorted(maps.Keys(set))
	}
	return blob.UnknownSettings(typ, set)
}
