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
	lock, err := h.lockFor(ctx, n.Target)
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
	if err != nil && blob.KindOf(err) == blob.KindAlreadyExists {
		err = nil // of an attempt before
	}
	if err == nil && !lock.held {
		if err = putBytes(ctx, h.locks.c, lock.name, nil, blob.PutOptions{}); err == nil {
			err = lock.stillThere(ctx)
		}
		if n.GivenUp != nil && n.GivenUp() {
			err = errors.Join(errGivenUp, err, s.dropLate(context.WithoutCancel(ctx), h, lock, n.Target))
		}
	}
	if err != nil {
		s.r.abandoned()
		return "", nil, s.wrap(err, "clone shallow snapshot [%s] as [%s]", n.Source, n.Target)
	}
	return generation, &clone, nil
}

var errGivenUp = errors.New("the clone has ended meanwhile")

// dropLate takes back a lock that came after the clone's end, if a clean-up or a deletion has been here: then nobody would find it. As long as the
// reference is there the lock stays: another manager may have brought the clone to its end, which needs it.
func (s *Shard) dropLate(ctx context.Context, h *held, l *cloneLock, target SnapshotID) error {
	ok, err := blob.Exists(ctx, s.c, shallowName(target.UUID))
	if ok || err != nil {
		return err
	}
	return h.locks.c.DeleteBatch(ctx, []string{l.name})
}

// cloneLock is the lock that a clone needs to keep what its source has.
type cloneLock struct {
	name string
	held bool // it is there
	// unlocked is the metadata file if the source has not locked it, and may have gone before the lock is there.
	unlocked string
	metadata *remoteBlobs
}

// lockFor returns the lock that another snapshot needs to keep the same data.
func (h *held) lockFor(ctx context.Context, target SnapshotID) (*cloneLock, error) {
	l := &cloneLock{}
	var files []string
	if err := h.each(ctx, func(lock, file, owner string) {
		switch owner {
		case target.UUID:
			l.name, l.held = lock, true
		case h.id.UUID:
			files = append(files, file)
		}
	}); err != nil || l.held {
		return l, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("it has no lock in the remote store of repository [%s] any more, so that nothing keeps its data there", h.shallow.RemoteRepository)
	}
	metadata, data, err := h.shard.remoteFolders(ctx, h.shard.r.opts.RemoteLocks, h.shallow.RemoteRepository, h.shallow, remoteSegmentsDir)
	if err != nil {
		return nil, err
	}
	l.metadata = metadata
	slices.Sort(files) // the newest first
	file, err := h.whole(ctx, files, metadata, data)
	if file == "" && (err == nil || isCorrupt(err)) { // as remoteFiles does for who reads it
		others, oerr := otherMetadata(ctx, h.shallow, files, metadata)
		if oerr == nil {
			file, oerr = h.whole(ctx, others, metadata, data)
		}
		if l.unlocked = file; file != "" || oerr != nil {
			err = oerr
		}
	}
	if file == "" && err == nil {
		err = fmt.Errorf("none of the metadata files of its commit in the remote store of repository [%s] can be read", h.shallow.RemoteRepository)
	}
	if err != nil {
		return nil, err
	}
	l.name = remoteLockName(file, target.UUID)
	return l, nil
}

// whole returns the first of some metadata files that has all files of the snapshot. A real node restores from the locked one alone, and
// deletes no snapshot with two locks in a shard. "" with an error that says what one lacks, or with none if no file is there.
func (h *held) whole(ctx context.Context, names []string, metadata, data *remoteBlobs) (string, error) {
	var lacks error
	for _, name := range names {
		snap, err := h.shard.fromMetadata(ctx, h.shallow, []string{name}, metadata, data)
		switch {
		case snap != nil:
			return name, nil
		case isCorrupt(err):
			lacks = err
		case err != nil && blob.KindOf(err) != blob.KindNotFound:
			return "", err
		}
	}
	return "", lacks
}

// stillThere makes sure that a file which nobody had locked before was there when it was.
func (l *cloneLock) stillThere(ctx context.Context) error {
	if l.unlocked == "" {
		return nil
	}
	ok, err := blob.Exists(ctx, l.metadata.c, l.unlocked)
	if err == nil && !ok {
		err = fmt.Errorf("the metadata file [%s] was removed meanwhile", join(l.metadata.path, l.unlocked))
	}
	return err
}

// remoteLockName is the name of a snapshot's lock on a metadata file.
func remoteLockName(file, uuid string) string {
	return file + remoteLockSeparator + uuid + remoteLockSuffix
}
