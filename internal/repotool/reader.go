package repotool

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/varve-search/varve/internal/uid"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/index"
	"github.com/varve-search/varve/lucene/store"
	"github.com/varve-search/varve/repository"
	"github.com/varve-search/varve/repository/snapshotdir"
)

// errShardFailed says that a snapshot lacks a shard.
var errShardFailed = errors.New("the shard failed when the snapshot was taken: the snapshot does not have it")

// openShard opens a shard of a snapshot for reading, where it lies.
func (r *Repo) openShard(ctx context.Context, id repository.SnapshotID, ix repository.IndexID, n int, cache *snapshotdir.Cache) (*shardReader, error) {
	sh, err := r.Shard(ctx, ix, n)
	if err != nil {
		return nil, err
	}
	snap, ops, err := sh.State(ctx, id)
	var missing *repository.MissingSnapshotError
	if errors.As(err, &missing) {
		err = errShardFailed
	}
	rd := &shardReader{}
	var dir store.Directory
	if err == nil && ops != nil {
		if rd.applied, err = r.apply(ctx, &Printer{}, sh, id, snap, ops, ""); err == nil {
			dir = rd.applied.dir
		}
	} else if err == nil {
		dir, err = snapshotdir.OpenFiles(ctx, sh, snap.Files, cache, "")
	}
	if err == nil {
		if rd.DirectoryReader, err = index.OpenDirectory(ctx, dir, ""); err == nil {
			return rd, nil
		}
	}
	if rd.applied != nil {
		err = errors.Join(err, rd.applied.Close())
	}
	return nil, fmt.Errorf("read shard %d of index [%s] in snapshot [%s]: %w", n, ix.Name, id.Name, withHint(err))
}

// docReader takes id, routing and source from a document's stored fields.
type docReader struct {
	id, routing, source []byte
	hasID, hasRouting   bool
	hasSource, idOnly   bool
	sum                 [sha256.Size]byte // of the source, which is left out
	hasSum              bool
}

func (d *docReader) reset() {
	d.id, d.routing, d.source = d.id[:0], d.routing[:0], d.source[:0]
	d.hasID, d.hasRouting, d.hasSource, d.hasSum = false, false, false, false
}

// read takes a document. Nested documents have no id.
func (d *docReader) read(stored lucene.StoredFields, doc int32) error {
	d.reset()
	return stored.Document(doc, d)
}

// Needs implements lucene.StoredFieldVisitor.
func (d *docReader) Needs(f *lucene.FieldInfo) (lucene.VisitStatus, error) {
	switch f.Name {
	case "_id":
		return lucene.VisitYes, nil
	case "_routing", "_source":
		if !d.idOnly {
			return lucene.VisitYes, nil
		}
	}
	return lucene.VisitNo, nil
}

// Field implements lucene.StoredFieldVisitor.
func (d *docReader) Field(f *lucene.FieldInfo, v lucene.StoredValue) error {
	switch f.Name {
	case "_id":
		d.id, d.hasID = append(d.id, v.Bytes...), true
	case "_routing":
		d.routing, d.hasRouting = append(d.routing, v.Bytes...), true
	default:
		d.source, d.hasSource = append(d.source, v.Bytes...), true
	}
	return nil
}

// same tells whether two documents have the same routing and source, byte for byte.
func (d *docReader) same(o *docReader) bool {
	if d.hasRouting != o.hasRouting || d.hasSource != o.hasSource || !bytes.Equal(d.routing, o.routing) {
		return false
	}
	if d.hasSum || o.hasSum {
		return d.sourceSum() == o.sourceSum()
	}
	return bytes.Equal(d.source, o.source)
}

func (d *docReader) sourceSum() [sha256.Size]byte {
	if d.hasSum {
		return d.sum
	}
	return sha256.Sum256(d.source)
}

// appendText writes a string as JSON.
func appendText(b *bytes.Buffer, s string) error { return xcontent.Append(b, s) }

func decodeID(b []byte) (string, error) {
	id, err := uid.Decode(b)
	if err != nil {
		return "", fmt.Errorf("the _id %x: %w", b, err)
	}
	return id, nil
}
