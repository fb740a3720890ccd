package repotool

import (
	"fmt"

	"github.com/varve-search/varve/internal/migrate"
	"github.com/varve-search/varve/internal/uid"
	"github.com/varve-search/varve/lucene/store"
	"github.com/varve-search/varve/repository"
	"github.com/varve-search/varve/repository/snapshotdir"
)

// oldShard writes the documents of a shard that has segments of Lucene 8 or older. It returns false, having done nothing, if
// there are none.
func (e *exporter) oldShard(r *Repo, id repository.SnapshotID, ix repository.IndexID, meta *repository.IndexMetadata, n int, cache *snapshotdir.Cache) (bool, error) {
	if v, err := migrate.CreatedBy(meta); err != nil || !migrate.Old(v) {
		return false, nil //nolint:nilerr // who reads the index natively tells what is wrong with it
	}
	fail := func(err error) (bool, error) {
		return true, fmt.Errorf("read shard %d of index [%s] in snapshot [%s]: %w", n, ix.Name, id.Name, err)
	}
	sh, err := r.Shard(e.ctx, ix, n)
	if err != nil {
		return fail(err)
	}
	dir, err := snapshotdir.Open(e.ctx, sh, id, cache)
	if err != nil {
		return false, nil //nolint:nilerr // as above
	}
	if old, err := migrate.HasOldSegments(dir); err != nil || !old {
		return err != nil, err
	}
	if e.raw != nil {
		return fail(fmt.Errorf("its segments are of Lucene 8 or older, whose documents can be read but not queried: leave the query out"))
	}
	err = store.Guard(func() error {
		return migrate.Documents(e.ctx, dir, false, func(d *migrate.Document) error {
			e.doc.reset()
			e.doc.id, e.doc.hasID = uid.Encode(e.doc.id, d.ID), true
			e.doc.routing, e.doc.hasRouting = append(e.doc.routing, d.Routing...), d.HasRouting
			e.doc.source, e.doc.hasSource = append(e.doc.source, d.Source...), d.Source != nil
			return e.write()
		})
	})
	if err != nil {
		return fail(err)
	}
	return true, nil
}
