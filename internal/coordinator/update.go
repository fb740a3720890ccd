package coordinator

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/shard"
	"github.com/varve-search/varve/internal/xcontent"
)

// Update is what an update operation asks for.
type Update struct {
	Doc, Upsert     *xcontent.Object
	DocAsUpsert     bool
	KeepNoop        bool // detect_noop is false: a change that changes nothing is written all the same
	RetryOnConflict int
	WantSource      bool // the result carries the new source
}

// runUpdate reads, merges and writes a document; on a conflict with another write it does so again.
func (s *Service) runUpdate(ctx context.Context, sh *shard.Shard, it *Item, r *ItemResult) (*shard.Result, error) {
	for attempt := 0; ; attempt++ {
		res, err := s.updateOnce(ctx, sh, it, r)
		if err == nil || attempt >= it.Update.RetryOnConflict || !apierr.Is(err, "version_conflict_engine_exception") {
			return res, err
		}
	}
}

func (s *Service) updateOnce(ctx context.Context, sh *shard.Shard, it *Item, r *ItemResult) (*shard.Result, error) {
	u := it.Update
	doc, release, err := sh.Get(ctx, r.ID, true)
	if err != nil {
		return nil, err
	}
	defer release()
	op := it.op(r.ID)
	if doc == nil {
		if it.IfSeqNo != -2 {
			return nil, apierr.New(http.StatusNotFound, "document_missing_exception", "[%s]: document missing", r.ID).
				With("index", r.Index).With("shard", itoa(r.Shard)).With("index_uuid", r.UUID)
		}
		insert := u.Upsert
		if u.DocAsUpsert {
			insert = u.Doc
		}
		if insert == nil {
			return nil, apierr.New(http.StatusNotFound, "document_missing_exception", "[%s]: document missing", r.ID).
				With("index", r.Index).With("shard", itoa(r.Shard)).With("index_uuid", r.UUID)
		}
		return s.writeUpdate(ctx, sh, shard.IndexOp{Op: op, Create: true}, insert, "created", u, r)
	}
	if doc.Source == nil {
		return nil, apierr.New(http.StatusBadRequest, "document_source_missing_exception", "[%s]: document source missing", r.ID).
			With("index", r.Index).With("shard", itoa(r.Shard)).With("index_uuid", r.UUID)
	}
	if it.IfSeqNo != -2 && (doc.SeqNo != it.IfSeqNo || doc.PrimaryTerm != it.IfPrimaryTerm) {
		return nil, apierr.New(http.StatusConflict, "version_conflict_engine_exception",
			"[%s]: version conflict, required seqNo [%d], primary term [%d]. current document has seqNo [%d] and primary term [%d]",
			r.ID, it.IfSeqNo, it.IfPrimaryTerm, doc.SeqNo, doc.PrimaryTerm).With("index", r.Index).With("shard", itoa(r.Shard)).With("index_uuid", r.UUID)
	}
	if op.Routing == "" {
		op.Routing = doc.Routing
	}
	old, err := xcontent.Decode(doc.Source)
	if err != nil {
		return nil, err
	}
	base, ok := old.(*xcontent.Object)
	if !ok {
		base = &xcontent.Object{}
	}
	merged, changed := base, false
	if u.Doc != nil {
		merged, changed = mergeObjects(base, u.Doc)
	}
	if !changed && !u.KeepNoop {
		r.Version, r.SeqNo, r.PrimaryTerm, r.Result = doc.Version, doc.SeqNo, doc.PrimaryTerm, "noop"
		if u.WantSource {
			r.Get = &GetResult{Index: r.Index, ID: r.ID, Found: true, Version: doc.Version, SeqNo: doc.SeqNo, PrimaryTerm: doc.PrimaryTerm, Source: bytes.Clone(doc.Source)}
		}
		return nil, nil
	}
	op.IfSeqNo, op.IfPrimaryTerm = doc.SeqNo, doc.PrimaryTerm
	return s.writeUpdate(ctx, sh, shard.IndexOp{Op: op}, merged, "updated", u, r)
}

func (s *Service) writeUpdate(ctx context.Context, sh *shard.Shard, op shard.IndexOp, doc *xcontent.Object, what string, u *Update, r *ItemResult) (*shard.Result, error) {
	var b bytes.Buffer
	if err := xcontent.Append(&b, doc); err != nil {
		return nil, err
	}
	op.Source = b.Bytes()
	res, err := sh.Index(ctx, op)
	if err != nil {
		return nil, err
	}
	r.take(res, what)
	if u.WantSource {
		r.Get = &GetResult{Index: r.Index, ID: r.ID, Found: true, Version: res.Version, SeqNo: res.SeqNo, PrimaryTerm: res.PrimaryTerm, Source: op.Source}
	}
	return &res, nil
}

// mergeObjects returns base with the members of change put in, objects merged deeply, and whether anything differs.
func mergeObjects(base, change *xcontent.Object) (*xcontent.Object, bool) {
	out := &xcontent.Object{Members: append([]xcontent.Member(nil), base.Members...)}
	changed := false
	for _, m := range change.Members {
		old, ok := out.Get(m.Key)
		a, aok := old.(*xcontent.Object)
		b, bok := m.Value.(*xcontent.Object)
		if ok && aok && bok {
			sub, c := mergeObjects(a, b)
			if c {
				out.Set(m.Key, sub)
				changed = true
			}
			continue
		}
		if !ok || !equalValues(old, m.Value) {
			out.Set(m.Key, m.Value)
			changed = true
		}
	}
	return out, changed
}

func equalValues(a, b any) bool {
	switch a := a.(type) {
	case *xcontent.Object:
		o, ok := b.(*xcontent.Object)
		if !ok || o.Len() != a.Len() {
			return false
		}
		for _, m := range a.Members {
			v, ok := o.Get(m.Key)
			if !ok || !equalValues(m.Value, v) {
				return false
			}
		}
		return true
	case []any:
		l, ok := b.([]any)
		if !ok || len(l) != len(a) {
			return false
		}
		for i := range a {
			if !equalValues(a[i], l[i]) {
				return false
			}
		}
		return true
	case json.Number:
		n, ok := b.(json.Number)
		return ok && n == a
	}
	return a == b
}
