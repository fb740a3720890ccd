package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/state"
)

// CreateVersion is the version id that new indices carry: OpenSearch 2.19.0.
const CreateVersion = "136407827"

// CreateRequest describes a new index.
type CreateRequest struct {
	Name         string
	ProvidedName string
	Settings     settings.Settings // normalised: with "index."
	Mapping      json.RawMessage   // the object with "properties", or nil
	Aliases      map[string]state.Alias
	// Stream is the data stream that the index is to be behind, by whose name templates are found; "" for none.
	Stream string
	// WaitFor is how many active copies of each shard to wait for: 1 is the primary; 0 none.
	WaitFor int
	Timeout time.Duration
}

// CreateResult says what was waited for.
type CreateResult struct {
	Acknowledged, ShardsAcknowledged bool
	Index                            *state.Index
}

// Normalize gives every setting its "index." and refuses those that an index cannot have.
func Normalize(s settings.Settings) settings.Settings {
	out := make(settings.Settings, len(s))
	for k, v := range s {
		if k != "*" && (len(k) < 6 || k[:6] != "index.") {
			k = "index." + k
		}
		out[k] = v
	}
	return out
}

// CreateIndex makes an index and waits for its shards.
func (n *Node) CreateIndex(ctx context.Context, req CreateRequest) (*CreateResult, error) {
	if err := checkNewIndexName(n.store.View(), req.Name); err != nil {
		return nil, err
	}
	if err := checkNewSettings(req.Settings); err != nil {
		return nil, err
	}
	var made *state.Index
	err := n.store.Update(ctx, func(tx *state.Tx) error {
		full, err := WithTemplates(tx.View, req)
		if err != nil {
			return err
		}
		ix, err := n.buildIndex(tx.View, full)
		if err != nil {
			return err
		}
		made = ix
		n.putIndex(tx, ix)
		return CheckStreams(tx.View)
	})
	if err != nil {
		return nil, err
	}
	res := &CreateResult{Acknowledged: true, Index: made}
	if req.Timeout == 0 {
		req.Timeout = 30 * time.Second
	}
	res.ShardsAcknowledged, err = n.WaitFor(ctx, req.Timeout, func(v *state.View) bool {
		return activeCopies(v, made.UUID, req.WaitFor)
	})
	return res, err
}

// checkNewSettings refuses settings with which no index can be made.
func checkNewSettings(set settings.Settings) error {
	if set.GetOr("index.store.type", "") == "remote_snapshot" {
		return apierr.IllegalArgument(`cannot create index with index setting "index.store.type" set to "remote_snapshot". Store type can be set to "remote_snapshot" only when restoring a remote snapshot by using "storage_type": "remote_snapshot"`)
	}
	if err := settings.Index.Validate(set); err != nil {
		return illegal(err)
	}
	for _, k := range set.Keys() {
		if settings.Index.IsPrivate(k) {
			return apierr.New(400, "validation_exception", "Validation Failed: 1: private index setting [%s] can not be set explicitly;", k)
		}
	}
	return nil
}

// putIndex writes a new index and gives its shards to this node.
func (n *Node) putIndex(tx *state.Tx, ix *state.Index) {
	tx.Put(ix)
	for id := range ix.NumberOfShards {
		tx.Put(NewRouting(ix, id, &state.RecoverySource{Type: state.RecoverEmptyStore}, "INDEX_CREATED", n.store.NodeID()))
	}
}

// NewRouting is the routing of a shard whose primary goes to a node at once.
func NewRouting(ix *state.Index, id int, src *state.RecoverySource, reason, node string) *state.ShardRouting {
	now := time.Now().UTC()
	r := &state.ShardRouting{IndexUUID: ix.UUID, Index: ix.Name, Shard: id}
	r.Copies = append(r.Copies, state.ShardCopy{Primary: true, State: state.ShardInitializing, Node: node, AllocationID: state.NewUUID(),
		Recovery: src, Unassigned: &state.Unassigned{Reason: reason, At: now}})
	for range ix.NumberOfReplicas {
		r.Copies = append(r.Copies, state.ShardCopy{State: state.ShardUnassigned, Recovery: &state.RecoverySource{Type: state.RecoverPeer},
			Unassigned: &state.Unassigned{Reason: reason, At: now, AllocationStatus: "no_attempt"}})
	}
	return r
}

func activeCopies(v *state.View, uuid string, want int) bool {
	shards := v.Shards(uuid)
	for _, r := range shards {
		active := 0
		for _, c := range r.Copies {
			if c.State == state.ShardStarted || c.State == state.ShardRelocating {
				active++
			}
		}
		if active < min(want, len(r.Copies)) {
			return false
		}
	}
	return len(shards) > 0 || v.IndexByUUID(uuid) == nil
}

// buildIndex puts together the metadata of a new index.
func (n *Node) buildIndex(v *state.View, req CreateRequest) (*state.Index, error) {
	if err := checkNewIndexName(v, req.Name); err != nil {
		return nil, err
	}
	if v.DataStream(req.Name) != nil {
		return nil, duplicate("data stream [%s] conflicts with index", req.Name)
	}
	shards, err := req.Settings.Int("index.number_of_shards", 1)
	if err != nil {
		return nil, illegal(err)
	}
	replicas, err := req.Settings.Int("index.number_of_replicas", 1)
	if err != nil {
		return nil, illegal(err)
	}
	routing, err := req.Settings.Int("index.number_of_routing_shards", RoutingNumShards(shards))
	if err != nil {
		return nil, illegal(err)
	}
	if routing < shards || routing%shards != 0 {
		return nil, apierr.IllegalArgument("the number of source shards [%d] must be a factor of [%d]", shards, routing)
	}
	now := time.Now().UnixMilli()
	ix := &state.Index{
		Name: req.Name, UUID: state.NewUUID(), CreationDate: now, ProvidedName: req.ProvidedName, Settings: req.Settings.Clone(),
		Version: 1, MappingVersion: 1, SettingsVersion: 1, AliasesVersion: 1, State: state.IndexOpen,
		PrimaryTerms: make([]int64, shards), RoutingNumShards: routing, NumberOfShards: shards, NumberOfReplicas: replicas,
	}
	if ix.ProvidedName == "" {
		ix.ProvidedName = req.Name
	}
	for i := range ix.PrimaryTerms {
		ix.PrimaryTerms[i] = 1
	}
	ix.Settings["index.number_of_shards"] = strconv.Itoa(shards)
	ix.Settings["index.number_of_replicas"] = strconv.Itoa(replicas)
	ix.Settings["index.uuid"] = ix.UUID
	ix.Settings["index.version.created"] = CreateVersion
	ix.Settings["index.creation_date"] = strconv.FormatInt(now, 10)
	ix.Settings["index.provided_name"] = ix.ProvidedName
	if _, ok := ix.Settings["index.replication.type"]; !ok {
		ix.Settings["index.replication.type"] = "DOCUMENT"
	}
	if ix.Hidden, err = ix.Settings.Bool("index.hidden", false); err != nil {
		return nil, illegal(err)
	}
	if ix.Mapping, err = checkMapping(ix, req.Mapping); err != nil {
		return nil, err
	}
	ix.Aliases = map[string]state.Alias{}
	for name, a := range req.Aliases {
		if err := checkAlias(v, ix, name); err != nil {
			return nil, err
		}
		ix.Aliases[name] = a
	}
	return ix, checkWriteAliases(v, ix)
}

// illegal is an error about what a request asks for, as the API names it.
func illegal(err error) error {
	if err == nil || apierr.As(err) != nil {
		return err
	}
	return apierr.IllegalArgument("%v", err)
}

// checkAlias refuses names that an alias may not have.
func checkAlias(v *state.View, ix *state.Index, name string) error {
	index := ix.Name
	if err := checkName(name, false); err != nil {
		e := apierr.As(err)
		return apierr.New(400, "invalid_alias_name_exception", "Invalid alias name [%s]: %s", name, trimInvalid(e.Reason, name)).With("index", index)
	}
	if v.Index(name) != nil || name == index {
		return apierr.New(400, "invalid_alias_name_exception", "Invalid alias name [%s]: an index or data stream exists with the same name as the alias", name).
			With("index", index).With("index_uuid", "_na_")
	}
	if v.DataStream(name) != nil {
		return duplicate("%s (alias of [%s/%s]) conflicts with data stream", name, ix.Name, ix.UUID)
	}
	return nil
}

func trimInvalid(reason, name string) string {
	prefix := fmt.Sprintf("Invalid index name [%s], ", name)
	if len(reason) > len(prefix) && reason[:len(prefix)] == prefix {
		return reason[len(prefix):]
	}
	return reason
}

// checkWriteAliases refuses a second write index of an alias.
func checkWriteAliases(v *state.View, ix *state.Index) error {
	for name, a := range ix.Aliases {
		if a.IsWriteIndex == nil || !*a.IsWriteIndex {
			continue
		}
		for _, other := range v.Indices() {
			b, ok := other.Aliases[name]
			if ok && other.UUID != ix.UUID && other.Name != ix.Name && b.IsWriteIndex != nil && *b.IsWriteIndex {
				return apierr.New(500, "illegal_state_exception", "alias [%s] has more than one write index [%s,%s]", name, other.Name, ix.Name)
			}
		}
	}
	return nil
}
