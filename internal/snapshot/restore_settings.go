package snapshot

import (
	"slices"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/wildcard"
	"github.com/varve-search/varve/repository"
)

var (
	// unmodifiable settings may not be given in a restore request.
	unmodifiable = []string{"index.uuid", "index.creation_date", "index.history.uuid", "index.remote_store.enabled",
		"index.remote_store.segment.repository", "index.remote_store.translog.repository"}
	// unremovable settings may be changed but not left out.
	unremovable = append([]string{"index.number_of_replicas", "index.auto_expand_replicas", "index.version.upgraded"}, unmodifiable...)
)

// fixed tells whether a setting is the same for the whole life of an index, restores included.
func fixed(key string) bool {
	s := settings.Index.Lookup(key)
	return s != nil && s.UnmodifiableOnRestore
}

// settle applies the request's settings and takes away what binds the index to another cluster.
func (p *restorePlan) settle(ix *state.Index) error {
	if err := p.ignoreSettings(ix); err != nil {
		return err
	}
	if soft, set := p.req.IndexSettings.Get("index.soft_deletes.enabled"); set && soft == "false" {
		return restoreError(p.req, p.entry.UUID, "cannot disable setting [index.soft_deletes.enabled] on restore")
	}
	for _, k := range p.req.IndexSettings.Keys() {
		switch {
		case slices.Contains(unmodifiable, k):
			return restoreError(p.req, p.entry.UUID, "cannot modify setting [%s] on restore", k)
		case fixed(k):
			return restoreError(p.req, p.entry.UUID, "cannot modify UnmodifiableOnRestore setting [%s] on restore", k)
		case settings.Index.Lookup(k) != nil:
			if err := settings.Index.Validate(settings.Settings{k: p.req.IndexSettings[k]}); err != nil {
				return apierr.IllegalArgument("%v", err)
			}
		}
	}
	ix.Settings = ix.Settings.Apply(p.req.IndexSettings)
	delete(ix.Settings, "index.verified_before_close")
	p.stayLocal(ix)
	for _, k := range ix.Settings.Keys() {
		if p.foreign(k, ix.Settings.GetOr(k, "")) {
			p.warn("setting [%s] of index [%s] binds it to nodes of another cluster and was dropped", k, ix.Name)
			delete(ix.Settings, k)
		}
	}
	p.archive(ix)
	if _, ok := ix.Settings["index.number_of_replicas"]; !ok {
		ix.Settings["index.number_of_replicas"] = "1"
	}
	var err error
	if ix.NumberOfReplicas, err = ix.Settings.Int("index.number_of_replicas", 1); err != nil {
		return err
	}
	ix.Hidden, err = ix.Settings.Bool("index.hidden", false)
	return err
}

// ignoreSettings takes away what ignore_index_settings names. Names are taken literally: they begin with "index.".
func (p *restorePlan) ignoreSettings(ix *state.Index) error {
	for _, pattern := range p.req.IgnoreIndexSettings {
		if !strings.Contains(pattern, "*") {
			switch {
			case slices.Contains(unremovable, pattern):
				return restoreError(p.req, p.entry.UUID, "cannot remove setting [%s] on restore", pattern)
			case fixed(pattern):
				return restoreError(p.req, p.entry.UUID, "cannot remove UnmodifiableOnRestore setting [%s] on restore", pattern)
			}
		}
		for _, k := range ix.Settings.Keys() {
			if settings.Match(pattern, k) && !slices.Contains(unremovable, k) && !fixed(k) {
				delete(ix.Settings, k)
			}
		}
	}
	return nil
}

// archived is what the names of settings begin with that nobody here knows: they are kept and do nothing.
const archived = "archived."

// archive sets aside settings that this server does not know, or whose values it does not take, as OpenSearch does.
func (p *restorePlan) archive(ix *state.Index) {
	for _, k := range ix.Settings.Keys() {
		if strings.HasPrefix(k, archived) || settings.Index.IsPrivate(k) {
			continue
		}
		err := settings.Index.Validate(settings.Settings{k: ix.Settings[k]})
		if err == nil {
			continue
		}
		p.warn("setting [%s] of index [%s] is not known here and was set aside as [%s%s]", k, ix.Name, archived, k)
		ix.Settings[archived+k] = ix.Settings[k]
		delete(ix.Settings, k)
	}
}

// foreign tells whether an allocation filter leaves no node of this cluster for the index.
func (p *restorePlan) foreign(key, value string) bool {
	rest, ok := strings.CutPrefix(key, "index.routing.allocation.")
	if !ok {
		return false
	}
	kind, attr, ok := strings.Cut(rest, ".")
	if kind == "initial_recovery" { // it served the making of an index by shrinking another
		return true
	}
	if !ok || kind != "require" && kind != "include" && kind != "exclude" || value == "" {
		return false
	}
	if attr == "_tier_preference" || attr == "_tier" {
		return true // of Elasticsearch; there are no tiers
	}
	for _, n := range p.nodes {
		if matchesNode(n, attr, value) != (kind == "exclude") {
			return false
		}
	}
	return true
}

func matchesNode(n *state.Node, attr, value string) bool {
	have := n.Attributes[attr]
	switch attr {
	case "_name":
		have = n.Name
	case "_id":
		have = n.ID
	case "_ip", "_host_ip", "_publish_ip":
		have = n.IP
	case "_host":
		have = n.Host
	}
	return have != "" && slices.ContainsFunc(wildcard.Split(value), func(v string) bool { return settings.Match(v, have) })
}

// remoteStore is the store type of indices that stay in their repository.
const remoteStore = "remote_snapshot"

// pathTypeOf reads the setting shard_path_type of a repository: where the shards of indices lie that are new in it.
func pathTypeOf(cfg settings.Settings) (int, error) {
	text := cfg.GetOr("shard_path_type", pathTypes[0])
	if n := slices.Index(pathTypes, strings.ToUpper(text)); n >= 0 {
		return n, nil
	}
	return 0, apierr.IllegalArgument("Could not parse PathType for [%s]", text)
}

var pathTypes = []string{"FIXED", "HASHED_PREFIX", "HASHED_INFIX"}

// stayRemote notes in an index's settings where its files are.
func (p *restorePlan) stayRemote(ix *state.Index, id repository.IndexID) {
	ix.Settings["index.store.type"] = remoteStore
	ix.Settings["index.searchable_snapshot.repository"] = p.req.Repository
	ix.Settings["index.searchable_snapshot.snapshot_id.uuid"] = p.entry.UUID
	ix.Settings["index.searchable_snapshot.snapshot_id.name"] = p.entry.Name
	ix.Settings["index.searchable_snapshot.index.id"] = id.ID
	ix.Settings["index.searchable_snapshot.shard_path_type"] = pathTypes[min(max(id.ShardPathType, 0), len(pathTypes)-1)]
}

// instantRestore is a cluster setting of our own: whether searches are answered while a restore's files still arrive.
const instantRestore = "snapshot.restore.instant.enabled"

var _ = func() bool { // before anything reads settings
	settings.Cluster.Register(settings.Setting{Key: instantRestore, Type: "bool", Default: "true", Dynamic: true})
	return true
}()

func (s *Service) instant() bool {
	set := s.store.View().Settings()
	for _, layer := range []settings.Settings{set.Transient, set.Persistent, s.cfg.Settings} {
		if v, ok := layer.Get(instantRestore); ok {
			return v != "false"
		}
	}
	return true
}

var _ cluster.Restorer = (*Service)(nil)
