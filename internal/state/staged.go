package state

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// An update that exceeds etcd's limits for a transaction is staged: its writes go into a blob, and
// one small transaction puts the gate, a key that points to the blob. From that revision on every
// view has the writes, because whoever sees the gate applies the blob. Then the writes are written
// out to their keys, in transactions that each require the gate to be there still, and the last one
// removes it. Nobody commits while there is a gate; whoever wants to, writes it out first. So it
// does not matter who dies where.

// gate is the value of gateKey.
type gate struct {
	Ref blobRef `json:"ref"`

	rev    int64         // its revision in etcd
	writes []stagedWrite // filled by applyStaged
}

type stagedWrite struct {
	Key   string `json:"k"` // below the root
	Value []byte `json:"v,omitempty"`
	Del   bool   `json:"d,omitempty"`
}

func (s *Store) applyStaged(ctx context.Context, b *builder, g *gate, rev int64) error {
	if g.writes == nil {
		data, err := s.getBlob(ctx, g.Ref, rev)
		if err != nil {
			return fmt.Errorf("staged commit: %w", err)
		}
		if err := json.Unmarshal(data, &g.writes); err != nil {
			return fmt.Errorf("staged commit: %w", err)
		}
	}
	for _, w := range g.writes {
		if strings.HasPrefix(w.Key, "~") {
			return fmt.Errorf("staged commit: it writes the key %s", w.Key)
		}
		if err := s.applyRecord(ctx, b, w.Key, w.Del, w.Value, rev); err != nil {
			return err
		}
	}
	return nil
}

// stage writes the blob of a staged commit and returns the gate's value.
func (s *Store) stage(ctx context.Context, writes []stagedWrite) (*gate, []byte, error) {
	data, err := json.Marshal(writes)
	if err != nil {
		return nil, nil, err
	}
	ref, err := s.putBlob(ctx, data)
	if err != nil {
		return nil, nil, err
	}
	g := &gate{Ref: ref, writes: writes}
	value, err := json.Marshal(g)
	return g, value, err
}

// writeOut finishes a staged commit. Others may do the same at the same time.
func (s *Store) writeOut(ctx context.Context, g *gate) error {
	still := clientv3.Compare(clientv3.ModRevision(s.root+gateKey), "=", g.rev)
	var ops []clientv3.Op
	size := 0
	flush := func() (bool, error) {
		resp, err := s.client.Txn(ctx).If(still).Then(ops...).Commit()
		if err != nil {
			return false, fmt.Errorf("write out a staged commit: %w", err)
		}
		ops, size = nil, 0
		return resp.Succeeded, nil
	}
	for _, w := range g.writes {
		if len(ops) >= maxOps || size+len(w.Value) > maxTxnBytes {
			if ok, err := flush(); err != nil || !ok {
				return err // somebody else has finished it
			}
		}
		if w.Del {
			ops = append(ops, clientv3.OpDelete(s.root+w.Key))
		} else {
			ops = append(ops, clientv3.OpPut(s.root+w.Key, string(w.Value)))
		}
		size += len(w.Key) + len(w.Value)
	}
	ops = append(ops, clientv3.OpDelete(s.root+gateKey))
	if ok, err := flush(); err != nil || !ok {
		return err
	}
	if err := s.deleteBlob(ctx, g.Ref.ID); err != nil {
		s.log.Warn("a staged commit's blob is left over until the next start", "error", err)
	}
	return nil
}
