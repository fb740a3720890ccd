package state

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/varve-search/varve/internal/settings"
)

// Cluster identifies the cluster. There is one.
type Cluster struct {
	Name    string    `json:"name"`
	UUID    string    `json:"uuid"`
	Created time.Time `json:"created"`
}

// ClusterSettings are the settings of the API _cluster/settings. There is one record.
type ClusterSettings struct {
	Persistent settings.Settings `json:"persistent,omitempty"`
	// Transient settings live as long as the cluster does; a single node's end with its process
	// only where the caller removes them at start.
	Transient settings.Settings `json:"transient,omitempty"`
}

// Node is a member. Its record lives as long as the member's lease.
type Node struct {
	ID               string            `json:"id"`
	Name             string            `json:"name"`
	EphemeralID      string            `json:"ephemeral_id"` // another one with every start
	TransportAddress string            `json:"transport_address,omitempty"`
	HTTPAddress      string            `json:"http_address,omitempty"`
	Host             string            `json:"host,omitempty"`
	IP               string            `json:"ip,omitempty"`
	Roles            []string          `json:"roles,omitempty"`
	Attributes       map[string]string `json:"attributes,omitempty"`
	Version          string            `json:"version,omitempty"`
	Started          time.Time         `json:"started"`
}

// IndexState is open or close.
type IndexState string

// The states of an index.
const (
	IndexOpen   IndexState = "open"
	IndexClosed IndexState = "close"
)

// Alias is a further name of an index.
type Alias struct {
	Filter        json.RawMessage `json:"filter,omitempty"` // a query, verbatim
	IndexRouting  string          `json:"index_routing,omitempty"`
	SearchRouting string          `json:"search_routing,omitempty"`
	IsWriteIndex  *bool           `json:"is_write_index,omitempty"`
	IsHidden      *bool           `json:"is_hidden,omitempty"`
}

// Index is an index's metadata. JSON is kept as it came, but for insignificant white space.
type Index struct {
	Name            string            `json:"name"`
	UUID            string            `json:"uuid"`
	CreationDate    int64             `json:"creation_date"` // milliseconds since 1970
	ProvidedName    string            `json:"provided_name,omitempty"`
	Settings        settings.Settings `json:"settings,omitempty"` // with "index."
	Mapping         json.RawMessage   `json:"mapping,omitempty"`  // the object with "properties"
	Version         int64             `json:"version"`
	MappingVersion  int64             `json:"mapping_version"`
	SettingsVersion int64             `json:"settings_version"`
	AliasesVersion  int64             `json:"aliases_version"`
	Aliases         map[string]Alias  `json:"aliases,omitempty"`
	State           IndexState        `json:"state"`
	PrimaryTerms    []int64           `json:"primary_terms"` // one for each shard
	// RoutingNumShards, NumberOfShards and NumberOfReplicas say the same as the settings; they are
	// here so that nobody has to parse.
	RoutingNumShards int `json:"routing_num_shards"`
	NumberOfShards   int `json:"number_of_shards"`
	NumberOfReplicas int `json:"number_of_replicas"`
	// InSync holds the allocation ids of each shard's copies that have all acknowledged writes.
	InSync [][]string `json:"in_sync,omitempty"`
	System bool       `json:"system,omitempty"`
	Hidden bool       `json:"hidden,omitempty"`
	// Custom and RolloverInfo are what a restore brought and nobody here reads.
	Custom       map[string]json.RawMessage `json:"custom,omitempty"`
	RolloverInfo json.RawMessage            `json:"rollover_info,omitempty"`
}

// Clone returns a copy that may be changed. Raw JSON is shared: replace it, never write into it.
func (ix *Index) Clone() *Index {
	c := *ix
	c.Settings = ix.Settings.Clone()
	c.Aliases = maps.Clone(ix.Aliases)
	c.PrimaryTerms = slices.Clone(ix.PrimaryTerms)
	c.InSync = make([][]string, len(ix.InSync))
	for i := range ix.InSync {
		c.InSync[i] = slices.Clone(ix.InSync[i])
	}
	c.Custom = maps.Clone(ix.Custom)
	return &c
}

// ShardState is the state of one copy of a shard.
type ShardState string

// The states of a copy.
const (
	ShardUnassigned   ShardState = "UNASSIGNED"
	ShardInitializing ShardState = "INITIALIZING"
	ShardStarted      ShardState = "STARTED"
	ShardRelocating   ShardState = "RELOCATING"
)

// RecoveryType tells where a copy's data comes from.
type RecoveryType string

// The recovery sources, by OpenSearch's names.
const (
	RecoverEmptyStore    RecoveryType = "EMPTY_STORE"
	RecoverExistingStore RecoveryType = "EXISTING_STORE"
	RecoverPeer          RecoveryType = "PEER"
	RecoverSnapshot      RecoveryType = "SNAPSHOT"
	RecoverRemoteStore   RecoveryType = "REMOTE_STORE"
)

// RecoverySource is where a copy's data comes from. The snapshot's fields are set with
// RecoverSnapshot only.
type RecoverySource struct {
	Type         RecoveryType `json:"type"`
	RestoreUUID  string       `json:"restore_uuid,omitempty"`
	Repository   string       `json:"repository,omitempty"`
	Snapshot     string       `json:"snapshot,omitempty"`
	SnapshotUUID string       `json:"snapshot_uuid,omitempty"`
	Index        string       `json:"index,omitempty"`    // its name in the snapshot
	IndexID      string       `json:"index_id,omitempty"` // its id in the repository
	Version      int          `json:"version,omitempty"`  // version id of the snapshot
}

// Unassigned tells why a copy has no node, or was last without one.
type Unassigned struct {
	Reason           string    `json:"reason"` // INDEX_CREATED, NEW_INDEX_RESTORED, NODE_LEFT, ALLOCATION_FAILED, …
	At               time.Time `json:"at"`
	Failures         int       `json:"failures,omitempty"` // failed allocations in a row
	FailedNodes      []string  `json:"failed_nodes,omitempty"`
	Details          string    `json:"details,omitempty"`
	AllocationStatus string    `json:"allocation_status,omitempty"`
}

// ShardCopy is one copy of a shard.
type ShardCopy struct {
	Primary        bool            `json:"primary"`
	State          ShardState      `json:"state"`
	Node           string          `json:"node,omitempty"`
	RelocatingNode string          `json:"relocating_node,omitempty"`
	AllocationID   string          `json:"allocation_id,omitempty"`
	RelocationID   string          `json:"relocation_id,omitempty"`
	Recovery       *RecoverySource `json:"recovery,omitempty"` // while unassigned or initializing
	Unassigned     *Unassigned     `json:"unassigned,omitempty"`
}

// ShardRouting says where the copies of a shard are. Copy 0 is the primary.
type ShardRouting struct {
	IndexUUID string      `json:"index_uuid"`
	Index     string      `json:"index"`
	Shard     int         `json:"shard"`
	Copies    []ShardCopy `json:"copies"`
}

// Clone returns a copy that may be changed, down to recovery source and reasons.
func (s *ShardRouting) Clone() *ShardRouting {
	c := *s
	c.Copies = slices.Clone(s.Copies)
	for i := range c.Copies {
		if r := c.Copies[i].Recovery; r != nil {
			cr := *r
			c.Copies[i].Recovery = &cr
		}
		if u := c.Copies[i].Unassigned; u != nil {
			cu := *u
			cu.FailedNodes = slices.Clone(u.FailedNodes)
			c.Copies[i].Unassigned = &cu
		}
	}
	return &c
}

// Primary returns the primary copy, or nil.
func (s *ShardRouting) Primary() *ShardCopy {
	for i := range s.Copies {
		if s.Copies[i].Primary {
			return &s.Copies[i]
		}
	}
	return nil
}

// Stored is what a user stored under a name and gets back as it was.
type Stored struct {
	Name string          `json:"name"`
	Body json.RawMessage `json:"body"`
}

// The kinds of stored objects.
type (
	LegacyTemplate    struct{ Stored }
	IndexTemplate     struct{ Stored }
	ComponentTemplate struct{ Stored }
	Pipeline          struct{ Stored }
	StoredScript      struct{ Stored }
	// CustomMetadata is global metadata of a restored snapshot that nothing here reads.
	CustomMetadata struct{ Stored }
)

// Repository is a snapshot repository. Its settings never hold secrets.
type Repository struct {
	Name              string            `json:"name"`
	Type              string            `json:"type"`
	Settings          settings.Settings `json:"settings,omitempty"`
	UUID              string            `json:"uuid,omitempty"`
	Generation        int64             `json:"generation"`         // last known safe one; -2 unknown
	PendingGeneration int64             `json:"pending_generation"` // highest one that was tried; -1 none
	// Known are the snapshots that the root had at Generation. Epoch is raised whenever the root is found changed by
	// somebody else: what was begun in an earlier epoch is not finished.
	Known []KnownSnapshot `json:"known,omitempty"`
	Epoch int64           `json:"epoch,omitempty"`
	// Blocked says why nothing is written any more, until the repository is registered anew.
	Blocked string `json:"blocked,omitempty"`
	// Untidy says that work was given up, or its end not seen: blobs may lie in the folders of shards that nothing names, and the next
	// clean-up looks for them.
	Untidy bool `json:"untidy,omitempty"`
	// Cleanup is a clean-up in progress; nothing else may write meanwhile.
	Cleanup *RepositoryCleanup `json:"cleanup,omitempty"`
}

// KnownSnapshot is a snapshot that a repository's root names.
type KnownSnapshot struct {
	Name string `json:"name"`
	UUID string `json:"uuid"`
}

// RepositoryCleanup is a clean-up of a repository in progress.
type RepositoryCleanup struct {
	UUID    string    `json:"uuid"`
	Node    string    `json:"node"`    // that does it
	Process string    `json:"process"` // and its ephemeral id: another one has lost it
	Started time.Time `json:"started"`
	// State is STARTED, or FINALIZING once the root may be written.
	State     string `json:"state,omitempty"`
	Cancelled string `json:"cancelled,omitempty"` // why it is to stop, if somebody cancelled it
}

// SnapshotIndex names an index of a snapshot in progress.
type SnapshotIndex struct {
	Name string `json:"name"`
	ID   string `json:"id"`   // in the repository; "" until the work on it begins
	UUID string `json:"uuid"` // of the index; of a clone the repository's id
	// PathType says how the repository lays out the index's shards.
	PathType int `json:"path_type,omitempty"`
}

// SnapshotJob is a snapshot in progress; its shards have records of their own.
type SnapshotJob struct {
	UUID                 string          `json:"uuid"`
	Name                 string          `json:"name"`
	Repository           string          `json:"repository"`
	State                string          `json:"state"` // INIT (a clone whose shards are not known yet), STARTED, ABORTED
	Order                int64           `json:"order"` // among all that writes to repositories
	Indices              []SnapshotIndex `json:"indices,omitempty"`
	Shards               int             `json:"shards"` // how many SnapshotShard records belong to it
	IncludeGlobalState   bool            `json:"include_global_state"`
	Partial              bool            `json:"partial"`
	Started              time.Time       `json:"started"`
	RepositoryGeneration int64           `json:"repository_generation"`
	Epoch                int64           `json:"epoch,omitempty"` // of the repository when the first shard began; 0 before
	UserMetadata         json.RawMessage `json:"user_metadata,omitempty"`
	Failure              string          `json:"failure,omitempty"`
	Cancelled            string          `json:"cancelled,omitempty"` // why, if somebody cancelled it; of what is also ABORTED
	Manager              string          `json:"manager,omitempty"`   // node that drives it
	TaskID               string          `json:"task_id,omitempty"`
	DataStreams          []string        `json:"data_streams,omitempty"` // that were asked for, in order
	CloneOf              string          `json:"clone_of,omitempty"`     // source snapshot of a clone
	CloneAll             bool            `json:"clone_all,omitempty"`    // the clone was asked for with "*"
	PinnedTimestamp      int64           `json:"pinned,omitempty"`       // what the source of the clone pins in remote stores; 0 if nothing
	Shallow              bool            `json:"shallow,omitempty"`      // the source of the clone has references to a remote store
	SourceUUID           string          `json:"source_uuid,omitempty"`
	Trace                string          `json:"trace,omitempty"` // token of the tracer, while it is traced
}

// SnapshotShard is one shard's part of a snapshot in progress. The node that holds the shard acts
// on it.
type SnapshotShard struct {
	JobUUID    string `json:"job_uuid"`
	Index      string `json:"index"`
	IndexUUID  string `json:"index_uuid"`
	IndexID    string `json:"index_id"`
	Shard      int    `json:"shard"`
	Node       string `json:"node,omitempty"`
	PathType   int    `json:"path_type,omitempty"`
	State      string `json:"state"` // QUEUED, INIT, SUCCESS, FAILED, ABORTED (to be stopped), MISSING
	Generation string `json:"generation,omitempty"`
	// Bases are the generations of the shard in the repository that this part is built on: what the root had, then
	// those of snapshots in progress before this one. The last one is the one to read.
	Bases  []string        `json:"bases,omitempty"`
	Reason string          `json:"reason,omitempty"`
	Result json.RawMessage `json:"result,omitempty"` // numbers for the status API
}

// SnapshotDeletion is a deletion in progress.
type SnapshotDeletion struct {
	UUID       string   `json:"uuid"`
	Repository string   `json:"repository"`
	Snapshots  []string `json:"snapshots"` // UUIDs
	Names      []string `json:"names,omitempty"`
	State      string   `json:"state"`               // WAITING, STARTED, FINALIZING: the root may be written
	Cancelled  string   `json:"cancelled,omitempty"` // why it is to stop, if somebody cancelled it
	// Undoes says that it removes what a cancelled snapshot wrote. Nobody cancels that, and nothing is added to it.
	Undoes               bool      `json:"undoes,omitempty"`
	Order                int64     `json:"order"` // among all that writes to repositories
	Started              time.Time `json:"started"`
	RepositoryGeneration int64     `json:"repository_generation"`
	Manager              string    `json:"manager,omitempty"`
	Trace                string    `json:"trace,omitempty"` // as in SnapshotJob
}

// Restore is a restore in progress; its shards have records of their own.
type Restore struct {
	UUID         string    `json:"uuid"`
	Repository   string    `json:"repository"`
	Snapshot     string    `json:"snapshot"`
	SnapshotUUID string    `json:"snapshot_uuid"`
	State        string    `json:"state"` // INIT, STARTED, SUCCESS, FAILURE
	Indices      []string  `json:"indices"`
	Shards       int       `json:"shards"`
	Partial      bool      `json:"partial,omitempty"`
	Started      time.Time `json:"started"`
	Cancelled    string    `json:"cancelled,omitempty"` // why, if somebody cancelled it: its unfinished indices are deleted
	TaskID       string    `json:"task_id,omitempty"`
	Trace        string    `json:"trace,omitempty"` // as in SnapshotJob
}

// RestoreShard is one shard's part of a restore in progress.
type RestoreShard struct {
	RestoreUUID string `json:"restore_uuid"`
	Index       string `json:"index"`
	IndexUUID   string `json:"index_uuid"`
	Shard       int    `json:"shard"`
	Node        string `json:"node,omitempty"`
	State       string `json:"state"` // INIT, STARTED, SUCCESS, FAILURE
	Reason      string `json:"reason,omitempty"`
}

// OperationCost is what an operation on a repository, which has ended, sent to the store.
type OperationCost struct {
	UUID       string    `json:"uuid"`      // of the operation's record
	Operation  string    `json:"operation"` // snapshot, clone, restore, deletion, cleanup
	Repository string    `json:"repository"`
	Snapshots  []string  `json:"snapshots,omitempty"` // names
	Policy     string    `json:"policy,omitempty"`    // that it was done for, of a snapshot or a deletion
	Result     string    `json:"result"`              // success, partial, failed
	Reason     string    `json:"reason,omitempty"`    // why it failed
	Warnings   []string  `json:"warnings,omitempty"`  // what did not work although it did not fail
	Started    time.Time `json:"started"`
	Ended      time.Time `json:"ended"`
	// Requests counts by kind, such as PutObject, every attempt for itself. Bytes are those of bodies.
	Requests  map[string]int64 `json:"requests,omitempty"`
	BytesIn   int64            `json:"bytes_in,omitempty"`
	BytesOut  int64            `json:"bytes_out,omitempty"`
	Retries   int64            `json:"retries,omitempty"`
	Throttles int64            `json:"throttles,omitempty"`
	Errors    int64            `json:"errors,omitempty"`
	// Incomplete says that a process which worked on it was killed: what it had sent is not counted.
	Incomplete bool `json:"incomplete,omitempty"`
}
