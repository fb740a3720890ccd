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
	at    string // the repository of the remote store
	pins  blob.Container
	names []string
}

// pinsOf finds the pins of a snapshot in the remote stores of its indices, which must be open to writing.
func (r *Repository) pinsOf(ctx context.Context, base *Data, id SnapshotID, time int64) ([]*pin, error) {
	seen := map[string]bool{}
	var out []*pin
	for _, i := range base.SnapshotIndices(id) {
		m, err := r.IndexMetadata(ctx, base, id, i.Name)
		if err != nil {
			return nil, fmt.Errorf("the metadata of index [%s] says where snapshot [%s] pins a timestamp: %w", i.Name, id, err)
		}
		at, _ := m.RemoteSegments()
		if at == "" || seen[at] {
			continue
		}
		seen[at] = true
		p, err := r.pinsAt(ctx, at, id, time)
		if err != nil {
			return nil, fmt.Errorf("snapshot [%s] pins a timestamp in the remote store of repository [%s]; register that repository here without [readonly], or delete the snapshot with the cluster that took it: %w", id, at, err)
		}
		out = append(out, p)
	}
	return out, nil
}

func (r *Repository) pinsAt(ctx context.Context, at string, id SnapshotID, time int64) (*pin, error) {
	if r.opts.RemoteLocks == nil {
		return nil, &ShallowError{Repository: at}
	}
	root, err := r.opts.RemoteLocks(ctx, at, false)
	if err != nil {
		return nil, err
	}
	p := &pin{id: id, at: at}
	if p.pins, err = root.Container(pinnedTimestamps); err != nil {
		return nil, err
	}
	// The name begins with that of the repository in the cluster that took the snapshot.
	suffix := remoteNameParts + id.UUID + remoteNameParts + strconv.FormatInt(time, 10)
	err = p.pins.List(ctx, "", func(i blob.Info) error {
		if strings.HasSuffix(i.Name, suffix) {
			p.names = append(p.names, i.Name)
		}
		return nil
	})
	return p, err
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
