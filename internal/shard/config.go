package shard

import (
	"context"
	"log/slog"
	"time"

	"github.com/varve-search/varve/internal/translog"
	"github.com/varve-search/varve/lucene"
)

// Parsed is a document made ready for the index.
type Parsed interface {
	// Documents are its Lucene documents: nested ones first, the root last.
	Documents() []*lucene.Document
	// SetSequence fills in what only the engine knows.
	SetSequence(seqNo, primaryTerm, version int64)
	// Release gives back what the documents borrowed, once they are indexed or refused.
	Release()
}

// Parser makes Lucene documents of sources. It waits until the mapping has what a new field needs.
type Parser interface {
	Parse(ctx context.Context, id, routing string, source []byte) (Parsed, error)
}

// Config describes a shard. Path is its folder, in which lie index/ and translog/.
type Config struct {
	Path        string
	Index       string // for messages
	UUID        string // of the index, for messages
	ID          int
	PrimaryTerm int64
	Parser      Parser
	Log         *slog.Logger

	Sort            []lucene.SortField
	BestCompression bool
	NoCompound      bool
	NoMerges        bool // merges only when asked for
	RAMBudget       int64

	Tuning
}

// Tuning is what may be changed while a shard runs.
type Tuning struct {
	// RefreshInterval is how often operations become visible; below 0 only when asked for. RefreshSet says that the
	// index asks for it: otherwise a shard that nobody searches is not refreshed until somebody does.
	RefreshInterval time.Duration
	RefreshSet      bool
	SearchIdle      time.Duration
	Durability      translog.Durability
	SyncInterval    time.Duration
	FlushBytes      int64 // of translog after which a commit is made
	GCDeletes       time.Duration
}

// DefaultTuning is OpenSearch's.
func DefaultTuning() Tuning {
	return Tuning{
		RefreshInterval: time.Second, SearchIdle: 30 * time.Second,
		Durability: translog.DurabilityRequest, SyncInterval: 5 * time.Second,
		FlushBytes: 512 << 20, GCDeletes: time.Minute,
	}
}
