package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Kind tells records apart.
type Kind int

// The kinds of records.
const (
	KindCluster Kind = iota
	KindClusterSettings
	KindNode
	KindIndex
	KindShardRouting
	KindLegacyTemplate
	KindIndexTemplate
	KindComponentTemplate
	KindPipeline
	KindStoredScript
	KindCustomMetadata
	KindRepository
	KindSnapshotJob
	KindSnapshotShard
	KindSnapshotDeletion
	KindRestore
	KindRestoreShard
	KindOperationCost
	KindDataStream
	numKinds
)

// Record is something that the cluster state keeps, one etcd key each.
type Record interface {
	kind() Kind
	name() string
}

var kinds = [numKinds]struct {
	folder string // in the key
	fresh  func() Record
}{
	KindCluster:           {"cluster", func() Record { return &Cluster{} }},
	KindClusterSettings:   {"settings", func() Record { return &ClusterSettings{} }},
	KindNode:              {"node", func() Record { return &Node{} }},
	KindIndex:             {"index", func() Record { return &Index{} }},
	KindShardRouting:      {"routing", func() Record { return &ShardRouting{} }},
	KindLegacyTemplate:    {"template", func() Record { return &LegacyTemplate{} }},
	KindIndexTemplate:     {"index-template", func() Record { return &IndexTemplate{} }},
	KindComponentTemplate: {"component-template", func() Record { return &ComponentTemplate{} }},
	KindPipeline:          {"pipeline", func() Record { return &Pipeline{} }},
	KindStoredScript:      {"script", func() Record { return &StoredScript{} }},
	KindCustomMetadata:    {"custom", func() Record { return &CustomMetadata{} }},
	KindRepository:        {"repository", func() Record { return &Repository{} }},
	KindSnapshotJob:       {"snapshot", func() Record { return &SnapshotJob{} }},
	KindSnapshotShard:     {"snapshot-shard", func() Record { return &SnapshotShard{} }},
	KindSnapshotDeletion:  {"deletion", func() Record { return &SnapshotDeletion{} }},
	KindRestore:           {"restore", func() Record { return &Restore{} }},
	KindRestoreShard:      {"restore-shard", func() Record { return &RestoreShard{} }},
	KindOperationCost:     {"cost", func() Record { return &OperationCost{} }},
	KindDataStream:        {"data-stream", func() Record { return &DataStream{} }},
}

func (*Cluster) kind() Kind           { return KindCluster }
func (*Cluster) name() string         { return "cluster" }
func (*ClusterSettings) kind() Kind   { return KindClusterSettings }
func (*ClusterSettings) name() string { return "settings" }
func (*Node) kind() Kind              { return KindNode }
func (n *Node) name() string          { return n.ID }
func (*Index) kind() Kind             { return KindIndex }
func (ix *Index) name() string        { return ix.Name }
func (*ShardRouting) kind() Kind      { return KindShardRouting }
func (s *ShardRouting) name() string  { return partName(s.IndexUUID, s.Shard) }

func (s *Stored) name() string           { return s.Name }
func (*LegacyTemplate) kind() Kind       { return KindLegacyTemplate }
func (*IndexTemplate) kind() Kind        { return KindIndexTemplate }
func (*ComponentTemplate) kind() Kind    { return KindComponentTemplate }
func (*Pipeline) kind() Kind             { return KindPipeline }
func (*StoredScript) kind() Kind         { return KindStoredScript }
func (*CustomMetadata) kind() Kind       { return KindCustomMetadata }
func (*Repository) kind() Kind           { return KindRepository }
func (r *Repository) name() string       { return r.Name }
func (*SnapshotJob) kind() Kind          { return KindSnapshotJob }
func (j *SnapshotJob) name() string      { return j.UUID }
func (*SnapshotShard) kind() Kind        { return KindSnapshotShard }
func (s *SnapshotShard) name() string    { return s.JobUUID + "/" + shardPart(s.Index, s.Shard) }
func (*SnapshotDeletion) kind() Kind     { return KindSnapshotDeletion }
func (d *SnapshotDeletion) name() string { return d.UUID }
func (*Restore) kind() Kind              { return KindRestore }
func (r *Restore) name() string          { return r.UUID }
func (*RestoreShard) kind() Kind         { return KindRestoreShard }
func (*OperationCost) kind() Kind        { return KindOperationCost }
func (c *OperationCost) name() string    { return c.UUID }
func (s *RestoreShard) name() string     { return s.RestoreUUID + "/" + shardPart(s.Index, s.Shard) }

// partName names a part of a whole so that the parts sort by number.
func partName(whole string, part int) string { return fmt.Sprintf("%s/%05d", whole, part) }

// shardPart names a shard within a job. The colon is in no index name.
func shardPart(index string, shard int) string { return fmt.Sprintf("%s:%05d", index, shard) }

// A stored value begins with a byte that tells its form.
const (
	formJSON = 1 // the record as JSON
	formRef  = 2 // the record is in blobs: a blobRef as JSON
)

// encodeRecord returns the stored form, before it may move into blobs.
func encodeRecord(r Record) ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte(formJSON)
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return nil, fmt.Errorf("encode %s [%s]: %w", kinds[r.kind()].folder, r.name(), err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'}), nil
}

func decodeRecord(k Kind, stored []byte) (Record, error) {
	if len(stored) == 0 {
		return nil, errors.New("empty value")
	}
	if stored[0] != formJSON {
		return nil, fmt.Errorf("value of form %d, known is %d: written by a newer version", stored[0], formJSON)
	}
	r := kinds[k].fresh()
	if err := json.Unmarshal(stored[1:], r); err != nil {
		return nil, err
	}
	return r, nil
}

// keyOf returns a record's key below the root. Slashes in names are escaped, but for the one before
// a part.
func keyOf(k Kind, name string) string {
	parent, last := "", name
	if p := parentOf(name); p != "" && hasParts(k) {
		parent, last = url.PathEscape(p[:len(p)-1])+"/", name[len(p):]
	}
	return kinds[k].folder + "/" + parent + url.PathEscape(last)
}

func hasParts(k Kind) bool {
	return k == KindShardRouting || k == KindSnapshotShard || k == KindRestoreShard
}

// parseKey undoes keyOf.
func parseKey(key string) (Kind, string, bool) {
	folder, rest, ok := strings.Cut(key, "/")
	if !ok {
		return 0, "", false
	}
	for k := range kinds {
		if kinds[k].folder != folder {
			continue
		}
		parts := strings.Split(rest, "/")
		for i, p := range parts {
			u, err := url.PathUnescape(p)
			if err != nil {
				return 0, "", false
			}
			parts[i] = u
		}
		return Kind(k), strings.Join(parts, "/"), true
	}
	return 0, "", false
}
