package repository

import (
	"context"
	"errors"
	"fmt"

	"github.com/varve-search/varve/blob"
)

// remoteOpens tells whether the store where a shallow snapshot of a shard has its data can be looked at.
func (v *verifier) remoteOpens(ctx context.Context, s *Shard, id SnapshotID) bool {
	if v.r.opts.RemoteStore == nil {
		return false
	}
	shallow, err := s.ShallowSnapshot(ctx, id)
	if blob.KindOf(err) == blob.KindNotFound && err != nil { // the snapshot pins a timestamp
		_, _, err := s.State(ctx, id)
		var nowhere *ShallowError
		return !errors.As(err, &nowhere)
	}
	if err != nil {
		return false
	}
	_, err = v.r.opts.RemoteStore(ctx, shallow.RemoteRepository)
	return err == nil
}

// remoteShard returns the files of a shard in a shallow snapshot, and adds what the remote store has to what was listed.
func (v *verifier) remoteShard(ctx context.Context, s *Shard, id SnapshotID, listed map[string]int64,
	find func(name, snapshot, problem string, err error) error) ([]FileInfo, error) {
	snap, ops, err := s.State(ctx, id)
	if err == nil && ops != nil {
		if _, err = ops.Count(ctx); err != nil && ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	if err != nil {
		problem := "the shard's files in the remote store cannot be told"
		v.lose(id.UUID, LostPart{Index: s.Index.Name, Shard: s.ID, Problem: problem})
		name := shallowName(id.UUID)
		if info := v.infos[id.UUID]; info != nil && info.PinnedTimestamp != 0 {
			name = "" // the shard's folder: there is nothing in it
		}
		return nil, find(name, id.Name, problem, err)
	}
	for i := range snap.Files {
		r := snap.Files[i].remote
		if r == nil {
			continue
		}
		names, err := blob.Names(ctx, r.c, "") // all of them are in one folder
		if err != nil {
			return nil, fmt.Errorf("verify: %w", s.wrap(err, "list the remote store"))
		}
		for name, size := range names {
			listed[name] = size // they end in random ids, as those of the repository do
		}
		break
	}
	return snap.Files, nil
}
