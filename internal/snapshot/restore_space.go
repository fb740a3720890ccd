package snapshot

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/shard"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/repository"
)

// spaceRequests is how many lists of files are read at once.
const spaceRequests = 16

// checkSpace refuses a restore for which there is no room, before anything is changed.
func (s *Service) checkSpace(ctx context.Context, repo *repository.Repository, p *restorePlan) error {
	if p.req.Remote {
		return nil
	}
	total, free := s.node.DiskSpace()
	if total == 0 { // it cannot be told
		return nil
	}
	v := s.store.View()
	var need atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(spaceRequests)
	for _, r := range p.indices {
		uuid := ""
		if old := v.Index(r.meta.Name); old != nil && old.State == state.IndexClosed {
			uuid = old.UUID
		}
		for n := range r.meta.NumberOfShards {
			if _, failed := p.failed[r.from][n]; failed {
				continue
			}
			g.Go(func() error {
				rs, err := repo.Shard(ctx, r.id, n)
				if err != nil {
					return nil // the shard says so itself, and the others are restored
				}
				snap, _, err := rs.State(ctx, p.entry.SnapshotID)
				if err != nil {
					return ctx.Err()
				}
				need.Add(s.missing(snap.Files, uuid, n))
				return nil
			})
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	free -= s.promised()
	if need.Load() > free {
		return restoreError(p.req, p.entry.UUID, "there is no room for the restore: it needs [%d] bytes, and [%d] bytes are free at [path.data] beside what restores under way will take; "+
			"free some space, restore fewer indices, or restore with \"storage_type\": \"remote_snapshot\"", need.Load(), max(free, 0))
	}
	return nil
}

// missing sums up the files that a closed index does not seem to have.
func (s *Service) missing(files []repository.FileInfo, uuid string, n int) int64 {
	var sum int64
	for _, f := range files {
		if uuid != "" {
			st, err := os.Stat(filepath.Join(shard.IndexPath(s.node.ShardPath(uuid, n)), filepath.Base(f.PhysicalName)))
			if err == nil && st.Size() == f.Length {
				continue
			}
		}
		sum += f.Length
	}
	return sum
}

// promised is what restores under way on this node will still take.
func (s *Service) promised() int64 {
	var sum int64
	for _, ix := range s.node.Indices() {
		if cluster.RemoteSnapshot(ix.Meta()) {
			continue
		}
		for _, rec := range ix.Recoveries() {
			if rec.Source.Type == state.RecoverSnapshot && rec.Stage() == cluster.StageIndex {
				c := rec.Files.Counts()
				sum += max(c.TotalBytes-c.ReusedBytes-c.MovedBytes, 0)
			}
		}
	}
	return sum
}
