package repository

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/varve-search/varve/blob"
)

// Format: docs/formats/remote-segments.md, "Cloning a shallow snapshot".

// CloneShallow is CloneSnapshot for a shard of which the source has a reference to a remote store: the clone gets a reference of its own,
// and a lock on the same metadata file, so that its data stays until both snapshots are deleted. The shard's list of files does not change,
// so that the generation returned is the base. A *MissingSnapshotError says that the source has no such reference.
//
// The reference is written before the lock: of an attempt that broke off in between a clean-up finds both by it, and a snapshot becomes
// visible only after each of its shards was done. It may be repeated.
func (s *Shard) CloneShallow(ctx context.Context, n CloneShard) (string, *ShallowSnapshot, error) {
	o, err := s.r.readFrame(ctx, s.c, s.path, shallowName(n.Source.UUID), codecSnapshot)
	if err != nil && blob.KindOf(err) == blob.KindNotFound {
		err = errors.Join(&MissingSnapshotError{Snapshot: n.Source.Name, Index: s.String()}, err)
	}
	var source *ShallowSnapshot
	if err == nil {
		source, err = parseShallowSnapshot(o)
	}
	if err != nil {
		return "", nil, s.wrap(err, "clone shallow snapshot [%s]", n.Source)
	}
	h, err := s.heldIn(ctx, n.Source, source)
	if err != nil {
		return "", nil, fmt.Errorf("register that repository here without [readonly], or clone the snapshot with the cluster that took it: %w", err)
	}
	mine, lock, err := h.lockFor(ctx, n.Target)
	if err != nil {
		return "", nil, s.wrap(err, "clone shallow snapshot [%s]", n.Source)
	}
	generation := n.BaseGeneration
	if generation == "" {
		if _, generation, _, err = s.knownIndex(ctx, ""); err != nil {
			return "", nil, err
		}
	}
	clone := *source
	clone.Snapshot, clone.StartTime, clone.Time = n.Target.Name, n.StartTime, n.Time
	o.Set("name", clone.Snapshot) // the rest stays in the form of the source's version
	o.Set("start_time", clone.StartTime)
	o.Set("time", clone.Time)
	err = s.r.putFrame(ctx, s.c, shallowName(n.Target.UUID), codecSnapshot, o, blob.PutOptions{IfAbsent: true})
	if blob.KindOf(err) == blob.KindAlreadyExists {
		err = nil // of an attempt before
	}
	if err == nil && !mine {
		err = putBytes(ctx, h.locks.c, lock, nil, blob.PutOptions{})
		if n.GivenUp != nil && n.GivenUp() { // a clean-up may have been here before the lock
			h.id = n.Target
			err = errors.Join(errGivenUp, err, h.release(context.WithoutCancel(ctx)))
		}
	}
	if err != nil {
		s.r.abandoned()
		return "", nil, s.wrap(err, "clone shallow snapshot [%s] as [%s]", n.Source, n.Target)
	}
	return generation, &clone, nil
}

var errGivenUp = errors.New("the clone was given up")

// lockFor returns the name of the lock that another snapshot needs to keep the same data, and whether it has one.
func (h *held) lockFor(ctx context.Context, target SnapshotID) (mine bool, name string, err error) {
	var files []string
	if err := h.each(ctx, func(lock, file, owner string) {
		switch owner {
		case target.UUID:
			mine, name = true, lock
		case h.id.UUID:
			files = append(files, file)
		}
	}); err != nil || mine {
		return mine, name, err
	}
	file, err := h.fileToLock(ctx, files)
	if err != nil {
		return false, "", err
	}
	return false, remoteLockName(file, target.UUID), nil
}

// fileToLock chooses among the metadata files that a snapshot has locked. Of several, as a change of the primary may leave them, it is
// one that has all files: a real node does not delete a snapshot with two locks.
func (h *held) fileToLock(ctx context.Context, files []string) (string, error) {
	switch len(files) {
	case 0:
		return "", fmt.Errorf("it has no lock in the remote store of repository [%s] any more, so that nothing keeps its data there", h.shallow.RemoteRepository)
	case 1:
		return files[0], nil
	}
	metadata, data, err := h.shard.remoteFolders(ctx, h.shard.r.opts.RemoteLocks, h.shallow.RemoteRepository, h.shallow, remoteSegmentsDir)
	if err != nil {
		return "", err
	}
	slices.Sort(files) // the newest first
	for _, file := range files {
		var snap *ShardSnapshot
		if snap, err = h.shard.fromMetadata(ctx, h.shallow, []string{file}, metadata, data); snap != nil {
			return file, nil
		}
		if !isCorrupt(err) && blob.KindOf(err) != blob.KindNotFound {
			return "", err
		}
	}
	return "", err
}

// remoteLockName is the name of a snapshot's lock on a metadata file.
func remoteLockName(file, uuid string) string {
	return file + remoteLockSeparator + uuid + remoteLockSuffix
}
