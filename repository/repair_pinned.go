package repository

import (
	"context"
	"fmt"
)

// byPin makes the info of a snapshot that lost it, if it pins a timestamp: the pin in the remote store has the snapshot's UUID and the time in
// its name. Such a snapshot begins at the time that it pins.
func (p *repairer) byPin(ctx context.Context, id SnapshotID) error {
	if p.rebuilt {
		return nil // what the snapshot is called, the lost root knew
	}
	yes, unseen := true, ""
	info := &SnapshotInfo{SnapshotID: id, State: StateSuccess, ShallowCopy: &yes}
	byRepository := map[string]*pin{}
	for _, i := range p.data.SnapshotIndices(id) {
		m, err := p.r.IndexMetadata(ctx, p.data, id, i.Name)
		if bad, failed := damaged(err); failed != nil {
			return failed
		} else if bad {
			continue
		}
		info.Indices = append(info.Indices, i.Name)
		info.TotalShards += m.Shards()
		at, _ := m.RemoteSegments()
		if at == "" || info.PinnedTimestamp != 0 {
			continue
		}
		if p.r.opts.RemoteStore == nil {
			unseen = at
			continue
		}
		found := byRepository[at]
		if found == nil {
			found = &pin{id: id, at: at, open: p.r.opts.RemoteStore}
			byRepository[at] = found
		}
		if err := found.find(ctx, p.r, i.IndexID, m); err != nil {
			return fmt.Errorf("look for what snapshot [%s] pins in the remote store of repository [%s]: %w", id, at, err)
		}
		info.PinnedTimestamp = found.time
	}
	if unseen != "" {
		p.report.Guesses = append(p.report.Guesses, fmt.Sprintf("snapshot [%s], whose info is lost, may pin a timestamp: that the remote store of repository [%s] knows, which was not looked at", id.Name, unseen))
	}
	if info.PinnedTimestamp != 0 {
		info.StartTime, info.EndTime, info.SuccessfulShards = info.PinnedTimestamp, info.PinnedTimestamp, info.TotalShards
		p.infos[id.UUID], p.pinned[id.UUID] = info, true
	}
	return nil
}
