package cluster

import (
	"sync/atomic"
	"time"

	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/transfer"
)

// Stage is how far a recovery has come.
type Stage int32

// The stages, by OpenSearch's names.
const (
	StageInit Stage = iota
	StageIndex
	StageTranslog
	StageFinalize
	StageDone
)

func (s Stage) String() string {
	return [...]string{"INIT", "INDEX", "TRANSLOG", "FINALIZE", "DONE"}[s]
}

// Recovery is how a shard came to this node. It may be read while it goes on.
type Recovery struct {
	Source  state.RecoverySource
	Files   transfer.Progress
	Started time.Time
	stage   atomic.Int32
	// Times in nanoseconds since 1970, 0 as long as they are to come.
	IndexStart, IndexStop, TranslogStart, Stopped atomic.Int64
	TranslogOps                                   atomic.Int64
	// Searchable is when searches could be answered while files still arrived; 0 where they could not.
	Searchable atomic.Int64
}

// Stage returns how far it is.
func (r *Recovery) Stage() Stage { return Stage(r.stage.Load()) }

// Enter begins a stage.
func (r *Recovery) Enter(s Stage) {
	now := time.Now().UnixNano()
	switch s {
	case StageIndex:
		r.IndexStart.Store(now)
	case StageTranslog:
		r.IndexStop.Store(now)
		r.TranslogStart.Store(now)
	case StageDone:
		r.Stopped.Store(now)
	}
	r.stage.Store(int32(s))
}
