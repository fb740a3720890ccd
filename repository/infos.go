package repository

import (
	"context"
	"fmt"

	"github.com/varve-search/varve/blob"
)

// SnapshotInfo reads what the repository records of a snapshot.
func (r *Repository) SnapshotInfo(ctx context.Context, id SnapshotID) (*SnapshotInfo, error) {
	s, _, err := r.SizedInfo(ctx, id)
	return s, err
}

// SizedInfo is SnapshotInfo, and returns the length of the blob in bytes.
func (r *Repository) SizedInfo(ctx context.Context, id SnapshotID) (*SnapshotInfo, int64, error) {
	b, err := blob.ReadAll(ctx, r.root, snapName(id.UUID), r.opts.MaxMetadata)
	if err != nil {
		return nil, 0, fmt.Errorf("snapshot [%s]: %w", id, err)
	}
	s, err := r.DecodeInfo(b, id)
	return s, int64(len(b)), err
}

// DecodeInfo reads the bytes of a snapshot's info.
func (r *Repository) DecodeInfo(b []byte, id SnapshotID) (*SnapshotInfo, error) {
	o, err := r.decode(b, snapName(id.UUID), codecSnapshot)
	var s *SnapshotInfo
	if err == nil {
		if s, err = parseSnapshotInfo(o); err != nil {
			err = corrupt(snapName(id.UUID), err, "cannot be read")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("snapshot [%s]: %w", id, err)
	}
	if s.UUID != id.UUID {
		return nil, corrupt(snapName(id.UUID), nil, "it holds snapshot [%s]", s.SnapshotID)
	}
	r.notePlain(s)
	return s, nil
}

// EncodeInfo is the inverse of DecodeInfo. For an info that this package made it returns what Finalize writes.
func (r *Repository) EncodeInfo(s *SnapshotInfo) ([]byte, error) {
	b, err := encodeFrame(codecSnapshot, s.tree(), r.opts.Compression)
	if err != nil {
		return nil, fmt.Errorf("encode snapshot [%s]: %w", s.SnapshotID, err)
	}
	return b, nil
}

// InfoSizes lists the infos that are there: the length of each in bytes, by the UUID of its snapshot.
func (r *Repository) InfoSizes(ctx context.Context) (map[string]int64, error) {
	sizes := map[string]int64{}
	err := r.root.List(ctx, "snap-", func(i blob.Info) error {
		if uuid, ok := datUUID(i.Name, "snap-"); ok {
			sizes[uuid] = i.Size
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the infos of snapshots: %w", err)
	}
	return sizes, nil
}
