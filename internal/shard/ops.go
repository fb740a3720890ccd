package shard

import (
	"context"
	"fmt"
	"time"

	"github.com/varve-search/varve/internal/translog"
	"github.com/varve-search/varve/internal/uid"
	"github.com/varve-search/varve/lucene"
)

// VersionType says how the version of an operation is compared with the document's.
type VersionType uint8

// The version types of OpenSearch.
const (
	Internal VersionType = iota
	External
	ExternalGTE
)

// MatchAny is the version of an operation that does not care.
const MatchAny = int64(-3)

// Op is what index and delete operations have in common.
type Op struct {
	ID            string
	Routing       string
	Version       int64 // MatchAny, or the one that VersionType compares
	VersionType   VersionType
	IfSeqNo       int64 // -2: no condition
	IfPrimaryTerm int64 // 0: no condition
}

// NewOp returns an operation without conditions.
func NewOp(id string) Op { return Op{ID: id, Version: MatchAny, IfSeqNo: -2} }

// IndexOp writes a document.
type IndexOp struct {
	Op
	Source []byte
	// Create refuses the operation if the document exists. AutoID says that the id was made for this
	// operation and cannot exist, so that it need not be looked up.
	Create, AutoID bool
}

// Result is what became of an operation.
type Result struct {
	Version, SeqNo, PrimaryTerm int64
	Created                     bool // the document did not exist
	Found                       bool // of a delete: the document existed
	Location                    translog.Location
	ticket                      int64
}

// lookup returns the newest version of a document: of an operation that is not refreshed, or in the reader.
func (s *Shard) lookup(id string) (version, bool, error) {
	if v, ok := s.versions.get(id); ok {
		return v, !v.deleted, nil
	}
	r, err := s.acquire()
	if err != nil {
		return version{}, false, err
	}
	defer r.release()
	found, err := r.find(uid.Encode(nil, id))
	if err != nil || found == nil {
		return version{}, false, err
	}
	v, err := found.version()
	return v, err == nil, err
}

// check compares an operation's conditions with the document, and returns the version it gets.
func (s *Shard) check(op *Op, cur version, exists, isDelete bool) (int64, error) {
	if op.IfSeqNo != -2 {
		switch {
		case !exists:
			return 0, s.conflict(op.ID, "required seqNo [%d], primary term [%d]. but no document was found", op.IfSeqNo, op.IfPrimaryTerm)
		case cur.seqNo != op.IfSeqNo || cur.term != op.IfPrimaryTerm:
			return 0, s.conflict(op.ID, "required seqNo [%d], primary term [%d]. current document has seqNo [%d] and primary term [%d]",
				op.IfSeqNo, op.IfPrimaryTerm, cur.seqNo, cur.term)
		}
	}
	last := int64(-1)
	if exists || cur.deleted {
		last = cur.version
	}
	switch op.VersionType {
	case External, ExternalGTE:
		tooOld, word := last >= op.Version, "higher or equal to"
		if op.VersionType == ExternalGTE {
			tooOld, word = last > op.Version, "higher than"
		}
		if last >= 0 && tooOld {
			return 0, s.conflict(op.ID, "current version [%d] is %s the one provided [%d]", last, word, op.Version)
		}
		return op.Version, nil
	}
	if op.Version != MatchAny {
		switch {
		case !exists && !isDelete:
			return 0, s.conflict(op.ID, "document does not exist (expected version [%d])", op.Version)
		case last != op.Version:
			if !exists {
				return 0, s.conflict(op.ID, "document does not exist (expected version [%d])", op.Version)
			}
			return 0, s.conflict(op.ID, "current version [%d] is different than the one provided [%d]", last, op.Version)
		}
	}
	if last < 0 {
		return 1, nil
	}
	return last + 1, nil
}

// Index writes a document. The operation is durable and, once a refresh came, visible when Ensure of its result returned.
func (s *Shard) Index(ctx context.Context, op IndexOp) (Result, error) {
	parsed, err := s.cfg.Parser.Parse(ctx, op.ID, op.Routing, op.Source)
	if err != nil {
		return Result{}, err
	}
	defer parsed.Release()
	if err := s.enter(); err != nil {
		return Result{}, err
	}
	defer s.leave()
	if s.sealed.Load() {
		return Result{}, s.sealedError()
	}
	start := time.Now()
	defer s.keys.lock(op.ID).Unlock()
	var cur version
	exists := false
	if !op.AutoID {
		if cur, exists, err = s.lookup(op.ID); err != nil {
			return Result{}, err
		}
	}
	if op.Create && exists {
		return Result{}, s.conflict(op.ID, "document already exists (current version [%d])", cur.version)
	}
	v, err := s.check(&op.Op, cur, exists, false)
	if err != nil {
		return Result{}, err
	}
	seqNo := s.seq.take()
	res := Result{Version: v, SeqNo: seqNo, PrimaryTerm: s.cfg.PrimaryTerm, Created: !exists}
	// An auto id may still be in a reader if a client sent the same operation twice; update is safe.
	err = s.write(ctx, parsed, op.ID, seqNo, s.cfg.PrimaryTerm, v, op.AutoID)
	if err != nil {
		return Result{}, s.refused(seqNo, err)
	}
	res.Location, err = s.log.Add(&translog.Operation{Type: translog.OpIndex, SeqNo: seqNo, PrimaryTerm: s.cfg.PrimaryTerm, Version: v,
		ID: op.ID, Routing: op.Routing, Source: op.Source})
	if err != nil {
		return Result{}, s.fail(err)
	}
	s.versions.put(op.ID, version{seqNo: seqNo, term: s.cfg.PrimaryTerm, version: v, location: res.Location})
	s.seq.finish(seqNo)
	res.ticket = s.ticket.Add(1)
	s.stats.indexed(time.Since(start))
	return res, nil
}

// refused fills the place of a sequence number whose operation Lucene did not take.
func (s *Shard) refused(seqNo int64, cause error) error {
	if s.writer.Err() != nil {
		return s.fail(cause)
	}
	if _, err := s.log.Add(&translog.Operation{Type: translog.OpNoOp, SeqNo: seqNo, PrimaryTerm: s.cfg.PrimaryTerm, Reason: "refused"}); err != nil {
		return s.fail(err)
	}
	s.seq.finish(seqNo)
	s.stats.failedIndexing.Add(1)
	return cause
}

// write puts the documents into Lucene, with what the engine keeps of each.
func (s *Shard) write(ctx context.Context, p Parsed, id string, seqNo, term, v int64, fresh bool) error {
	p.SetSequence(seqNo, term, v)
	var err error
	if fresh {
		_, err = s.writer.AddDocuments(ctx, p.Documents()...)
	} else {
		_, err = s.writer.UpdateDocuments(ctx, idTerm(id), p.Documents()...)
	}
	return err
}

func idTerm(id string) lucene.Term { return lucene.Term{Field: fieldID, Bytes: uid.Encode(nil, id)} }

// Delete removes a document.
func (s *Shard) Delete(ctx context.Context, op Op) (Result, error) {
	if err := s.enter(); err != nil {
		return Result{}, err
	}
	defer s.leave()
	if s.sealed.Load() {
		return Result{}, s.sealedError()
	}
	start := time.Now()
	defer s.keys.lock(op.ID).Unlock()
	cur, exists, err := s.lookup(op.ID)
	if err != nil {
		return Result{}, err
	}
	v, err := s.check(&op, cur, exists, true)
	if err != nil {
		return Result{}, err
	}
	seqNo := s.seq.take()
	if exists {
		if _, err := s.writer.DeleteTerm(ctx, idTerm(op.ID)); err != nil {
			return Result{}, s.refused(seqNo, err)
		}
	}
	loc, err := s.log.Add(&translog.Operation{Type: translog.OpDelete, SeqNo: seqNo, PrimaryTerm: s.cfg.PrimaryTerm, Version: v, ID: op.ID})
	if err != nil {
		return Result{}, s.fail(err)
	}
	s.versions.put(op.ID, version{seqNo: seqNo, term: s.cfg.PrimaryTerm, version: v, deleted: true, at: time.Now(), location: loc})
	s.seq.finish(seqNo)
	s.stats.deleted(time.Since(start))
	return Result{Version: v, SeqNo: seqNo, PrimaryTerm: s.cfg.PrimaryTerm, Found: exists, Location: loc, ticket: s.ticket.Add(1)}, nil
}

// Ensure returns when the operations up to the location are as durable as the index asks.
func (s *Shard) Ensure(loc translog.Location) error {
	if err := s.log.Ensure(loc); err != nil {
		return s.fail(err)
	}
	s.maybeFlush()
	return nil
}

// replay applies an operation from the translog again. It may be in the commit already.
func (s *Shard) replay(ctx context.Context, op *translog.Operation) error {
	defer s.seq.finish(op.SeqNo)
	if op.Type == translog.OpNoOp {
		return nil
	}
	cur, exists, err := s.lookup(op.ID)
	if err != nil {
		return err
	}
	if (exists || cur.deleted) && cur.seqNo >= op.SeqNo {
		return nil
	}
	v := version{seqNo: op.SeqNo, term: op.PrimaryTerm, version: op.Version}
	if op.Type == translog.OpDelete {
		if _, err := s.writer.DeleteTerm(ctx, idTerm(op.ID)); err != nil {
			return err
		}
		v.deleted, v.at = true, time.Now()
		s.versions.put(op.ID, v)
		return nil
	}
	source := append([]byte(nil), op.Source...)
	parsed, err := s.cfg.Parser.Parse(ctx, op.ID, op.Routing, source)
	if err != nil {
		return fmt.Errorf("replay the document [%s] of operation %d: %w", op.ID, op.SeqNo, err)
	}
	defer parsed.Release()
	if err := s.write(ctx, parsed, op.ID, op.SeqNo, op.PrimaryTerm, op.Version, false); err != nil {
		return err
	}
	// The entry has no location in the log that Read knows, so realtime gets wait for the refresh after the replay.
	s.versions.put(op.ID, v)
	return nil
}

// WaitVisible returns when searches see the operation.
func (s *Shard) WaitVisible(ctx context.Context, r Result) error {
	for s.visible.Load() < r.ticket {
		s.refreshed.L.Lock()
		ch := s.refreshCh
		s.refreshed.L.Unlock()
		if s.visible.Load() >= r.ticket {
			return nil
		}
		if s.tuning.Load().RefreshInterval < 0 || s.searchIdle() {
			return s.Refresh(ctx)
		}
		select {
		case <-ch:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.stop:
			return s.closedError()
		}
	}
	return nil
}
