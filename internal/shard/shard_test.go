package shard

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/mapping"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/analysis"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// parser is a Parser over a fixed mapping.
type parser struct{ m *mapping.Mapping }

type parsed struct{ *mapping.ParsedDocument }

func (p parsed) Documents() []*lucene.Document { return p.Docs }

func (p parser) Parse(_ context.Context, id, routing string, source []byte) (Parsed, error) {
	d, err := p.m.ParseDocument(mapping.Source{ID: id, Routing: routing, JSON: source})
	if err != nil {
		return nil, err
	}
	return parsed{d}, nil
}

func config(t *testing.T, dir string) Config {
	t.Helper()
	reg, err := analysis.NewRegistry(nil)
	if err != nil {
		t.Fatal(err)
	}
	ix, err := mapping.NewIndex(nil, reg)
	if err != nil {
		t.Fatal(err)
	}
	m, err := mapping.ParseJSON(ix, []byte(`{"dynamic":false,"properties":{"n":{"type":"long"}}}`), mapping.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	tuning := DefaultTuning()
	tuning.RefreshInterval, tuning.RefreshSet = -1, true
	return Config{Path: dir, Index: "t", UUID: "u", PrimaryTerm: 1, Parser: parser{m}, Log: slog.New(slog.DiscardHandler), Tuning: tuning}
}

func open1(t *testing.T, dir string, mode Mode) *Shard {
	t.Helper()
	s, err := Open(context.Background(), config(t, dir), mode)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t *testing.T, s *Shard, id, source string) Result {
	t.Helper()
	r, err := s.Index(context.Background(), IndexOp{Op: NewOp(id), Source: []byte(source)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Ensure(r.Location); err != nil {
		t.Fatal(err)
	}
	return r
}

func get(t *testing.T, s *Shard, id string, realtime bool) string {
	t.Helper()
	d, release, err := s.Get(context.Background(), id, realtime)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if d == nil {
		return ""
	}
	return fmt.Sprintf("%s v%d s%d t%d", d.Source, d.Version, d.SeqNo, d.PrimaryTerm)
}

func wantConflict(t *testing.T, err error) {
	t.Helper()
	if !apierr.Is(err, "version_conflict_engine_exception") {
		t.Fatalf("no version conflict, but %v", err)
	}
}

func TestVersions(t *testing.T) {
	ctx := context.Background()
	s := open1(t, t.TempDir(), Empty)
	defer s.Close(ctx)
	r := put(t, s, "a", `{"n":1}`)
	if !r.Created || r.Version != 1 || r.SeqNo != 0 || r.PrimaryTerm != 1 {
		t.Fatalf("%+v", r)
	}
	if got := get(t, s, "a", false); got != "" {
		t.Fatalf("visible before the refresh: %s", got)
	}
	if got := get(t, s, "a", true); got != `{"n":1} v1 s0 t1` {
		t.Fatal(got)
	}
	_, err := s.Index(ctx, IndexOp{Op: NewOp("a"), Source: []byte(`{"n":2}`), Create: true})
	wantConflict(t, err)
	op := NewOp("a")
	op.IfSeqNo, op.IfPrimaryTerm = 5, 1
	_, err = s.Index(ctx, IndexOp{Op: op, Source: []byte(`{"n":2}`)})
	wantConflict(t, err)
	for _, refreshed := range []bool{false, true} { // versions come from the map, or from the reader
		if refreshed {
			if err := s.Refresh(ctx); err != nil {
				t.Fatal(err)
			}
		}
		d, release, err := s.Get(ctx, "a", true)
		if err != nil {
			t.Fatal(err)
		}
		op.IfSeqNo = d.SeqNo
		release()
		if _, err = s.Index(ctx, IndexOp{Op: op, Source: []byte(`{"n":3}`)}); err != nil {
			t.Fatal(err)
		}
	}
	if got := get(t, s, "a", true); got != `{"n":3} v3 s2 t1` {
		t.Fatal(got)
	}
	ext := NewOp("e")
	ext.VersionType, ext.Version = External, 10
	if _, err := s.Index(ctx, IndexOp{Op: ext, Source: []byte(`{"n":1}`)}); err != nil {
		t.Fatal(err)
	}
	_, err = s.Index(ctx, IndexOp{Op: ext, Source: []byte(`{"n":1}`)})
	wantConflict(t, err)
	ext.VersionType = ExternalGTE
	if _, err := s.Index(ctx, IndexOp{Op: ext, Source: []byte(`{"n":1}`)}); err != nil {
		t.Fatal(err)
	}
	ext.VersionType, ext.Version = External, 12
	if res, err := s.Delete(ctx, ext); err != nil || !res.Found || res.Version != 12 {
		t.Fatalf("%+v %v", res, err)
	}
	ext.Version = 11 // older than the delete: it must not bring the document back
	_, err = s.Index(ctx, IndexOp{Op: ext, Source: []byte(`{"n":1}`)})
	wantConflict(t, err)
	if _, err := s.Index(ctx, IndexOp{Op: NewOp("bad"), Source: []byte(`{"n":"words"}`)}); err == nil {
		t.Fatal("a document that does not fit the mapping was accepted")
	}
	if res, err := s.Delete(ctx, NewOp("nothing")); err != nil || res.Found || res.Version != 1 {
		t.Fatalf("%+v %v", res, err)
	}
}

// Recovery brings back what was acknowledged, whether committed or only in the translog, and numbers go on.
func TestRecovery(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(1, 2))
	want := map[string]string{}
	s := open1(t, dir, Empty)
	for round := range 6 {
		for range 100 {
			id := fmt.Sprint(rng.IntN(60))
			if rng.IntN(4) == 0 {
				if _, err := s.Delete(ctx, NewOp(id)); err != nil {
					t.Fatal(err)
				}
				delete(want, id)
				continue
			}
			source := fmt.Sprintf(`{"n":%d}`, rng.IntN(1000))
			put(t, s, id, source)
			want[id] = source
			switch rng.IntN(30) {
			case 0:
				if err := s.Flush(ctx); err != nil {
					t.Fatal(err)
				}
			case 1:
				if err := s.Refresh(ctx); err != nil {
					t.Fatal(err)
				}
			}
		}
		if round%2 == 0 {
			if err := s.CloseFast(); err != nil { // as after a crash: no commit
				t.Fatal(err)
			}
		} else if err := s.Close(ctx); err != nil {
			t.Fatal(err)
		}
		s = open1(t, dir, Existing)
		for id := range 60 {
			d, release, err := s.Get(ctx, fmt.Sprint(id), false)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if d != nil {
				got = string(d.Source)
			}
			release()
			if got != want[fmt.Sprint(id)] {
				t.Fatalf("round %d: document %d is %q, want %q", round, id, got, want[fmt.Sprint(id)])
			}
		}
		st, err := s.Stats()
		if err != nil {
			t.Fatal(err)
		}
		if st.MaxSeqNo != int64(100*(round+1)-1) || st.Checkpoint != st.MaxSeqNo || st.Docs != int64(len(want)) {
			t.Fatalf("round %d: %+v, %d documents wanted", round, st, len(want))
		}
	}
	if err := s.Close(ctx); err != nil {
		t.Fatal(err)
	}
}

// Writers on the same documents get versions without gaps, and the last one wins.
func TestConcurrent(t *testing.T) {
	ctx := context.Background()
	s := open1(t, t.TempDir(), Empty)
	defer s.Close(ctx)
	var wg sync.WaitGroup
	const writers, each, ids = 8, 50, 5
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				r, err := s.Index(ctx, IndexOp{Op: NewOp(fmt.Sprint(i % ids)), Source: fmt.Appendf(nil, `{"n":%d}`, w)})
				if err == nil {
					err = s.Ensure(r.Location)
				}
				if err == nil && i%10 == 0 {
					err = s.Refresh(ctx)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for id := range ids {
		d, release, err := s.Get(ctx, fmt.Sprint(id), true)
		if err != nil || d == nil {
			t.Fatal(d, err)
		}
		if d.Version != writers*each/ids {
			t.Errorf("document %d has version %d after %d writes", id, d.Version, writers*each/ids)
		}
		release()
	}
	r := put(t, s, "late", `{"n":1}`)
	go func() {
		time.Sleep(10 * time.Millisecond)
		_ = s.Refresh(ctx) // the wait below would end without it too, only later
	}()
	if err := s.WaitVisible(ctx, r); err != nil {
		t.Fatal(err)
	}
	if get(t, s, "late", false) == "" {
		t.Error("the document is not visible although it was waited for")
	}
}
