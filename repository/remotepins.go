package repository

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/varve-search/varve/blob"
)

// Format: docs/formats/remote-segments.md, "Deleting a snapshot that pins a timestamp".

// pin is what a snapshot holds in a remote store by the time that it pins.
type pin struct {
	id    SnapshotID
	time  int64  // 0: what is pinned is not known, and found out
	at    string // the repository of the remote store
	open  RemoteStore
	pins  blob.Container
	names []string

	searched bool // findByPath was asked
}

// pinsOf finds the pins of a snapshot in the remote stores of its indices, which must be open to writing. What for is for messages.
func (r *Repository) pinsOf(ctx context.Context, base *Data, id SnapshotID, time int64, what string) ([]*pin, error) {
	byRepository := map[string]*pin{}
	var out []*pin
	for _, i := range base.SnapshotIndices(id) {
		m, err := r.IndexMetadata(ctx, base, id, i.Name)
		if err != nil {
			return nil, fmt.Errorf("the metadata of index [%s] says where snapshot [%s] pins a timestamp: %w", i.Name, id, err)
		}
		at, _ := m.RemoteSegments()
		if at == "" {
			continue
		}
		p := byRepository[at]
		if p == nil {
			p = &pin{id: id, time: time, at: at, open: r.opts.RemoteLocks}
			byRepository[at], out = p, append(out, p)
		}
		if err := p.find(ctx, r, i.IndexID, m); err != nil {
			return nil, fmt.Errorf("snapshot [%s] pins a timestamp in the remote store of repository [%s]; register that repository here without [readonly], or %s with the cluster that took it: %w", id, at, what, err)
		}
	}
	return out, nil
}

// find looks in the repository, and then where paths of an index that begin with a hash show that it lies, for who opened what holds it.
func (p *pin) find(ctx context.Context, r *Repository, i IndexID, m *IndexMetadata) error {
	if p.open == nil {
		return &ShallowError{Repository: p.at}
	}
	if p.pins == nil {
		place, err := p.open(ctx, p.at)
		if err == nil {
			err = p.findIn(ctx, place.Store, "")
		}
		if err != nil {
			return err
		}
	}
	at := &ShallowSnapshot{IndexUUID: m.UUID()}
	if err := m.remotePaths(at); err != nil || at.PathType != pathHashedPrefix || p.searched || len(p.names) > 0 {
		return err
	}
	p.searched = true
	s, err := r.Shard(ctx, i, 0)
	if err != nil {
		return err
	}
	d, err := s.remoteDir(ctx, p.open, p.at, at, remoteSegmentsDir)
	if err != nil || d.base == "" {
		return err
	}
	return p.findIn(ctx, d.c, d.base)
}

func (p *pin) findIn(ctx context.Context, store blob.Container, base string) (err error) {
	if p.pins, err = store.Container(join(base, pinnedTimestamps)); err != nil {
		return err
	}
	return p.pins.List(ctx, "", func(i blob.Info) error {
		if time, ok := pinnedTime(i.Name, p.id.UUID); ok && (p.time == 0 || p.time == time) {
			p.time, p.names = time, append(p.names, i.Name)
		}
		return nil
	})
}

// pinnedTime reads REPOSITORY__SNAPSHOT-UUID__TIME, if it is of the snapshot. The repository's name is the one in the cluster that took it.
func pinnedTime(name, uuid string) (int64, bool) {
	at := strings.LastIndex(name, remoteNameParts)
	if at < 0 || !strings.HasSuffix(name[:at], remoteNameParts+uuid) {
		return 0, false
	}
	time, err := strconv.ParseInt(name[at+len(remoteNameParts):], 10, 64)
	return time, err == nil && time > 0
}

// ClonePins pins for another snapshot what one pins, so that its data stays until both are deleted. It has to be called before Finalize
// makes the other one visible. If that fails the pins stay, until the cluster that has the repository next takes a snapshot of the kind.
func (r *Repository) ClonePins(ctx context.Context, base *Data, source, target SnapshotID, time int64) error {
	pins, err := r.pinsOf(ctx, base, source, time, "clone the snapshot")
	if err != nil {
		return err
	}
	if len(pins) == 0 {
		return fmt.Errorf("snapshot [%s] pins a timestamp, but none of its indices has a remote store", source)
	}
	for _, p := range pins {
		if len(p.names) == 0 {
			return fmt.Errorf("timestamp [%d] is not pinned any more by snapshot [%s] in the remote store of repository [%s]", time, source, p.at)
		}
		for _, name := range p.names {
			of := strings.TrimSuffix(name, pinSuffix(source.UUID, time))
			if err := putBytes(ctx, p.pins, of+pinSuffix(target.UUID, time), nil, blob.PutOptions{}); err != nil {
				return fmt.Errorf("pin timestamp [%d] for snapshot [%s] in the remote store of repository [%s]: %w", time, target, p.at, err)
			}
		}
	}
	return nil
}

// pinSuffix ends the name of a pin, after the name that the repository has in the cluster that took the snapshot.
func pinSuffix(uuid string, time int64) string {
	return remoteNameParts + uuid + remoteNameParts + strconv.FormatInt(time, 10)
}

// releasePins removes pins. One that stays costs space in the remote store alone, until the cluster that has the repository next takes a
// snapshot of the kind: it removes pins of snapshots that are not in the root.
func (d *doomed) releasePins(ctx context.Context, res *Result) {
	for _, p := range d.pins {
		if len(p.names) == 0 {
			continue
		}
		if err := p.pins.DeleteBatch(ctx, p.names); err != nil {
			res.Warnings = append(res.Warnings, fmt.Errorf("the timestamp that snapshot [%s] pinned in the remote store of repository [%s] stays pinned: %w", p.id, p.at, err))
		}
	}
}
