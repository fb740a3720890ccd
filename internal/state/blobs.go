package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Blobs hold what is too large for one value: they lie outside the watched keys, are written before
// what refers to them, and never change.

const (
	blobPart     = 512 << 10 // bytes in one key
	maxInline    = 512 << 10 // larger values become blobs
	maxBlobSize  = 256 << 20
	blobOrphaned = time.Hour // an unreferenced blob of another process is left over after that
)

// blobRef points to a blob.
type blobRef struct {
	ID   string `json:"id"`
	Size int    `json:"size"`
	CRC  uint32 `json:"crc"` // CRC-32C
}

var (
	castagnoli  = crc32.MakeTable(crc32.Castagnoli)
	errBlobGone = errors.New("blob is gone")
)

func (s *Store) blobKey(id string, part int) string {
	return s.blobRoot + id + "/" + fmt.Sprintf("%05d", part)
}

// putBlob stores data. Its id begins with the time, for the sweep.
func (s *Store) putBlob(ctx context.Context, data []byte) (blobRef, error) {
	if len(data) > maxBlobSize {
		return blobRef{}, fmt.Errorf("a value of %d bytes exceeds the limit of %d bytes", len(data), maxBlobSize)
	}
	ref := blobRef{
		ID:   fmt.Sprintf("%016x-%s", time.Now().UnixMilli(), newID()),
		Size: len(data), CRC: crc32.Checksum(data, castagnoli),
	}
	for part := 0; part*blobPart < len(data); part++ {
		chunk := data[part*blobPart : min(len(data), (part+1)*blobPart)]
		if _, err := s.client.Put(ctx, s.blobKey(ref.ID, part), string(chunk)); err != nil {
			return ref, fmt.Errorf("write a large value: %w", err)
		}
	}
	return ref, nil
}

// getBlob reads a blob as of a revision: errBlobGone where that is compacted or the blob is not whole.
func (s *Store) getBlob(ctx context.Context, ref blobRef, rev int64) ([]byte, error) {
	if ref.Size < 0 || ref.Size > maxBlobSize {
		return nil, fmt.Errorf("a large value of %d bytes: the limit is %d", ref.Size, maxBlobSize)
	}
	var data []byte
	for part := 0; part*blobPart < ref.Size; part++ {
		resp, err := s.client.Get(ctx, s.blobKey(ref.ID, part), clientv3.WithRev(rev))
		if isCompacted(err) || err == nil && len(resp.Kvs) == 0 {
			return nil, errBlobGone
		}
		if err != nil {
			return nil, fmt.Errorf("read a large value: %w", err)
		}
		data = append(data, resp.Kvs[0].Value...)
	}
	if len(data) != ref.Size || crc32.Checksum(data, castagnoli) != ref.CRC {
		return nil, fmt.Errorf("a large value of %d bytes does not match its checksum", ref.Size)
	}
	return data, nil
}

func (s *Store) deleteBlob(ctx context.Context, id string) error {
	_, err := s.client.Delete(ctx, s.blobRoot+id+"/", clientv3.WithPrefix())
	return err
}

// wrapBlob turns a stored value that is too large into a reference to a blob.
func (s *Store) wrapBlob(ctx context.Context, stored []byte) ([]byte, error) {
	if len(stored) <= maxInline {
		return stored, nil
	}
	ref, err := s.putBlob(ctx, stored)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(ref)
	return append([]byte{formRef}, b...), err
}

// parseRef returns the reference that a stored value is, and false where it holds the record itself.
func parseRef(stored []byte) (ref blobRef, ok bool, err error) {
	if len(stored) == 0 || stored[0] != formRef {
		return ref, false, nil
	}
	if err := json.Unmarshal(stored[1:], &ref); err != nil {
		return ref, false, fmt.Errorf("reference to a large value: %w", err)
	}
	return ref, true, nil
}

// unwrapBlob returns the record's form of a stored value.
func (s *Store) unwrapBlob(ctx context.Context, stored []byte, rev int64) ([]byte, error) {
	ref, ok, err := parseRef(stored)
	if err != nil || !ok {
		return stored, err
	}
	return s.getBlob(ctx, ref, rev)
}

// sweepBlobs removes blobs that nothing refers to and that are older than age. live holds the ids
// that are referred to.
func (s *Store) sweepBlobs(ctx context.Context, live map[string]bool, age time.Duration) error {
	resp, err := s.client.Get(ctx, s.blobRoot, clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil {
		return fmt.Errorf("list large values: %w", err)
	}
	dead := map[string]bool{}
	for _, kv := range resp.Kvs {
		id, _, _ := strings.Cut(strings.TrimPrefix(string(kv.Key), s.blobRoot), "/")
		made, _, _ := strings.Cut(id, "-")
		ms, err := strconv.ParseInt(made, 16, 64)
		if !live[id] && err == nil && time.Since(time.UnixMilli(ms)) >= age {
			dead[id] = true
		}
	}
	for id := range dead {
		if err := s.deleteBlob(ctx, id); err != nil {
			return fmt.Errorf("remove a left-over large value: %w", err)
		}
	}
	return nil
}
