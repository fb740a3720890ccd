package repository

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/store"
)

// Format: docs/formats/remote-translog.md.

const (
	codecRemoteTranslog = "md"
	codecCheckpoint     = "ckp"
	checkpointVersion   = 4
	checkpointAttribute = "ckp-data"
	maxCheckpoint       = 1 << 10
	maxTranslogFile     = 8 << 30 // a generation is 512 MB by default
	unassignedSeqNo     = -2
	maxTranslogMaps     = 1 << 20 // generations
)

// Operations are what a shard's files lack of a snapshot that pins a timestamp.
type Operations struct {
	shard       *Shard
	generations []translogGeneration // oldest first
	above       int64                // the highest sequence number whose operations are all in the files
	terms       bool                 // the generations are of several primary terms
}

// translogGeneration is a file of operations in a remote translog.
type translogGeneration struct {
	number, term int64
	c            *remoteBlobs
	trimmed      int64 // operations above it do not count; unassignedSeqNo: all count
}

func (g *translogGeneration) name() string {
	return "translog-" + strconv.FormatInt(g.number, 10) + ".tlog"
}

// pinnedOperations finds the generations of the translog that have operations above a checkpoint; nil if there are none.
func (s *Shard) pinnedOperations(ctx context.Context, p *pinnedShard, checkpoint int64) (*Operations, error) {
	open := s.r.opts.RemoteTranslog
	if open == nil {
		open = s.r.opts.RemoteStore
	}
	metadata, data, err := s.remoteFolders(ctx, open, p.translog, p.at, remoteTranslogDir)
	if err != nil {
		return nil, err
	}
	name, err := pinnedMetadata(ctx, metadata, p.time, translogName)
	if err != nil {
		return nil, err
	}
	b, err := blob.ReadAll(ctx, metadata.c, name, s.r.opts.MaxMetadata)
	if err != nil {
		return nil, err
	}
	generations, err := parseTranslogMetadata(name, b)
	if err != nil {
		return nil, corrupt(join(metadata.path, name), err, "cannot be used")
	}
	ops := &Operations{shard: s, above: checkpoint}
	for _, g := range generations {
		term := strconv.FormatInt(g.term, 10)
		c, err := data.c.Container(term)
		if err != nil {
			return nil, err
		}
		g.c = &remoteBlobs{c, join(data.path, term)}
		max, err := g.readCheckpoint(ctx, p.attributes)
		if err != nil {
			return nil, err
		}
		if max <= checkpoint {
			continue
		}
		ops.terms = ops.terms || len(ops.generations) > 0 && g.term != ops.generations[0].term
		ops.generations = append(ops.generations, g)
	}
	if len(ops.generations) == 0 {
		return nil, nil
	}
	return ops, nil
}

// parseTranslogMetadata reads which generations of a translog count, oldest first.
func parseTranslogMetadata(name string, b []byte) ([]translogGeneration, error) {
	in := store.NewBytesInput(name, b)
	if err := codec.VerifyChecksum(in); err != nil {
		return nil, err
	}
	r := store.NewReader(in)
	if _, err := codec.ReadHeader(r, codecRemoteTranslog, 1, 1); err != nil {
		return nil, err
	}
	_, newest, oldest := r.Int64(), r.Int64(), r.Int64() // primary term, generations
	terms := r.StringMap()
	if err := codec.Finish(r, nil); err != nil {
		return nil, err
	}
	if oldest < 0 || newest < oldest || newest-oldest >= maxTranslogMaps {
		return nil, fmt.Errorf("it names the generations %d to %d", oldest, newest)
	}
	var out []translogGeneration
	for n := oldest; n <= newest; n++ {
		text, ok := terms[strconv.FormatInt(n, 10)]
		if !ok {
			return nil, fmt.Errorf("it does not say in which primary term generation %d was written", n)
		}
		term, err := strconv.ParseInt(text, 10, 64)
		if err != nil || term < 0 {
			return nil, fmt.Errorf("the primary term of generation %d is %q", n, text)
		}
		out = append(out, translogGeneration{number: n, term: term, trimmed: unassignedSeqNo})
	}
	return out, nil
}

// readCheckpoint returns the highest sequence number that counts in the generation. A store that keeps attributes of objects has the
// checkpoint as one of the file's. Where there is none, as after a copy that left them behind, the file has to be looked at.
func (g *translogGeneration) readCheckpoint(ctx context.Context, attributes bool) (int64, error) {
	name, b, err := g.name()+" "+checkpointAttribute, []byte(nil), error(nil)
	if attributes {
		b, err = g.attribute(ctx)
	}
	if b == nil && err == nil {
		name = "translog-" + strconv.FormatInt(g.number, 10) + ".ckp"
		if b, err = blob.ReadAll(ctx, g.c.c, name, maxCheckpoint); err != nil && blob.KindOf(err) == blob.KindNotFound {
			return g.highest(ctx)
		}
	}
	if err != nil {
		return 0, err
	}
	max, err := g.parseCheckpoint(name, b)
	if err != nil {
		return 0, corrupt(join(g.c.path, name), err, "cannot be used")
	}
	return max, nil
}

// attribute reads the checkpoint that is an attribute of the file; nil if it has none.
func (g *translogGeneration) attribute(ctx context.Context) ([]byte, error) {
	i, err := g.c.c.Stat(ctx, g.name())
	if err != nil {
		return nil, err
	}
	text, ok := i.Attributes[checkpointAttribute]
	if !ok {
		return nil, nil
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) > maxCheckpoint {
		return nil, corrupt(join(g.c.path, g.name()), err, "its attribute [%s] cannot be used", checkpointAttribute)
	}
	return b, nil
}

func (g *translogGeneration) parseCheckpoint(name string, b []byte) (int64, error) {
	in := store.NewBytesInput(name, b)
	if err := codec.VerifyChecksum(in); err != nil {
		return 0, err
	}
	r := store.NewReader(in)
	if _, err := codec.ReadHeader(r, codecCheckpoint, checkpointVersion, checkpointVersion); err != nil {
		return 0, err
	}
	_, _ = r.Int64(), r.Int32() // the file's length and its operations
	number := r.Int64()
	_, max, _, _, trimmed := r.Int64(), r.Int64(), r.Int64(), r.Int64(), r.Int64()
	if err := codec.Finish(r, nil); err != nil {
		return 0, err
	}
	if number != g.number {
		return 0, fmt.Errorf("it is that of generation %d", number)
	}
	if g.trimmed = trimmed; trimmed != unassignedSeqNo {
		max = min(max, trimmed)
	}
	return max, nil
}

func (g *translogGeneration) highest(ctx context.Context) (int64, error) {
	max := int64(-1)
	err := g.read(ctx, func(op *Operation) error {
		if op.SeqNo > max {
			max = op.SeqNo
		}
		return nil
	})
	return max, err
}

// read visits the operations of a generation that count. What it visits is valid during the visit only.
func (g *translogGeneration) read(ctx context.Context, visit func(*Operation) error) (err error) {
	r, err := g.c.c.Get(ctx, g.name())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	err = readTranslog(io.LimitReader(r, maxTranslogFile), func(op *Operation) error {
		if g.trimmed != unassignedSeqNo && op.SeqNo > g.trimmed {
			return nil
		}
		return visit(op)
	})
	var bad *translogError
	if errors.As(err, &bad) {
		return corrupt(join(g.c.path, g.name()), err, "cannot be used")
	}
	return err
}

// Each visits the operations that the files lack, in the order of generations; of several with one sequence number, as a change of
// the primary may leave them, the last one alone. What it visits is valid during the visit only. The first error of a visit ends it.
func (o *Operations) Each(ctx context.Context, visit func(*Operation) error) error {
	var last map[int64]int64 // by sequence number the generation that has it last
	if o.terms {
		last = map[int64]int64{}
		for _, g := range slices.Backward(o.generations) {
			if err := g.read(ctx, func(op *Operation) error {
				if _, ok := last[op.SeqNo]; !ok && op.SeqNo > o.above {
					last[op.SeqNo] = g.number
				}
				return ctx.Err()
			}); err != nil {
				return o.shard.wrap(err, "read the remote translog")
			}
		}
	}
	for _, g := range o.generations {
		var stopped error
		err := g.read(ctx, func(op *Operation) error {
			if op.SeqNo <= o.above || last != nil && last[op.SeqNo] != g.number {
				return nil
			}
			if stopped = ctx.Err(); stopped == nil {
				stopped = visit(op)
			}
			return stopped
		})
		if stopped != nil {
			return stopped
		}
		if err != nil {
			return o.shard.wrap(err, "read the remote translog")
		}
	}
	return nil
}

// Files returns how many files of the remote translog the operations are in.
func (o *Operations) Files() int { return len(o.generations) }

// Count reads all operations and returns how many there are.
func (o *Operations) Count(ctx context.Context) (n int64, err error) {
	err = o.Each(ctx, func(*Operation) error { n++; return nil })
	return n, err
}
