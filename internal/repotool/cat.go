package repotool

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/varve-search/varve/internal/uid"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/index"
	"github.com/varve-search/varve/lucene/store"
	"github.com/varve-search/varve/repository"
	"github.com/varve-search/varve/repository/smile"
	"github.com/varve-search/varve/repository/snapshotdir"
)

// catCache is how many bytes of blocks are kept while documents are read.
const catCache = 32 << 20

// Cat writes the live documents of an index in a snapshot, one {"_id":…,"_routing":…,"_source":…} a line: by shard,
// and within a shard in the order in which the index holds them. A document without _source has none on its line.
func Cat(ctx context.Context, out io.Writer, location, snapshot, indexName string) error {
	r, data, err := Open(ctx, location)
	if err != nil {
		return err
	}
	entry, err := data.Snapshot(snapshot)
	if err != nil {
		return err
	}
	ix, err := data.IndexIn(entry.SnapshotID, indexName)
	if err != nil {
		return err
	}
	meta, err := r.IndexMetadata(ctx, data, entry.SnapshotID, indexName)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(out, 64<<10)
	cache := snapshotdir.NewCache(catCache)
	for n := range meta.Shards() {
		sh, err := r.Shard(ctx, ix.IndexID, n)
		if err != nil {
			return err
		}
		if err := catShard(ctx, w, sh, entry.SnapshotID, cache); err != nil {
			return fmt.Errorf("read shard %d of index [%s] in snapshot [%s]: %w", n, indexName, snapshot, err)
		}
	}
	return w.Flush()
}

func catShard(ctx context.Context, w *bufio.Writer, sh *repository.Shard, id repository.SnapshotID, cache *snapshotdir.Cache) error {
	dir, err := snapshotdir.Open(ctx, sh, id, cache)
	if err != nil {
		return err
	}
	return store.Guard(func() error {
		rd, err := index.OpenDirectory(ctx, dir, "")
		if err != nil {
			return err
		}
		defer rd.Close()
		for _, leaf := range rd.Leaves() {
			if err := catLeaf(ctx, w, leaf.Reader); err != nil {
				return err
			}
		}
		return nil
	})
}

func catLeaf(ctx context.Context, w *bufio.Writer, leaf lucene.LeafReader) error {
	live := leaf.LiveDocs()
	stored := leaf.StoredFields()
	var d catDoc
	for doc := range leaf.MaxDoc() {
		if doc%1024 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		if live != nil && !live.Get(doc) {
			continue
		}
		d.reset()
		if err := stored.Document(doc, &d); err != nil {
			return err
		}
		if d.id == nil { // a nested document: it is part of its root's source
			continue
		}
		if err := d.write(w); err != nil {
			return fmt.Errorf("document %d of segment %s: %w", doc, leaf.Segment().Info.Name, err)
		}
	}
	return nil
}

// catDoc takes what is printed from a document's stored fields.
type catDoc struct {
	id, routing, source []byte
	hasRouting          bool
	line                bytes.Buffer
}

func (d *catDoc) reset() {
	d.id, d.source, d.hasRouting = nil, nil, false
}

// Needs implements lucene.StoredFieldVisitor.
func (d *catDoc) Needs(f *lucene.FieldInfo) (lucene.VisitStatus, error) {
	switch f.Name {
	case "_id", "_routing", "_source":
		return lucene.VisitYes, nil
	}
	return lucene.VisitNo, nil
}

// Field implements lucene.StoredFieldVisitor.
func (d *catDoc) Field(f *lucene.FieldInfo, v lucene.StoredValue) error {
	b := append([]byte{}, v.Bytes...)
	switch f.Name {
	case "_id":
		d.id = b
	case "_routing":
		d.routing, d.hasRouting = b, true
	default:
		d.source = b
	}
	return nil
}

func (d *catDoc) write(w *bufio.Writer) error {
	id, err := uid.Decode(d.id)
	if err != nil {
		return err
	}
	d.line.Reset()
	d.line.WriteString(`{"_id":`)
	if err := xcontent.Append(&d.line, id); err != nil {
		return err
	}
	if d.hasRouting {
		d.line.WriteString(`,"_routing":`)
		if err := xcontent.Append(&d.line, string(d.routing)); err != nil {
			return err
		}
	}
	if d.source != nil {
		d.line.WriteString(`,"_source":`)
		if err := d.appendSource(); err != nil {
			return fmt.Errorf("the _source of [%s]: %w", id, err)
		}
	}
	d.line.WriteString("}\n")
	_, err = w.Write(d.line.Bytes())
	return err
}

// appendSource writes the source as one line of JSON. A client may have sent it as SMILE; it is kept so.
func (d *catDoc) appendSource() error {
	if bytes.HasPrefix(d.source, []byte(":)\n")) {
		v, err := smile.Decode(d.source, smile.Limits{})
		if err != nil {
			return err
		}
		b, err := smile.AppendJSON(nil, v)
		d.line.Write(b)
		return err
	}
	return json.Compact(&d.line, d.source)
}
