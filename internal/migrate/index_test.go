package migrate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/mapping"
	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/shard"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/analysis"
	"github.com/varve-search/varve/lucene/index"
	"github.com/varve-search/varve/lucene/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// parser parses with one mapping, and refuses what refuse says.
type parser struct {
	m      *mapping.Mapping
	refuse func(id string) error
}

type parsedDoc struct{ *mapping.ParsedDocument }

func (p parsedDoc) Documents() []*lucene.Document { return p.Docs }

func (p *parser) Parse(_ context.Context, id, routing string, source []byte) (shard.Parsed, error) {
	if p.refuse != nil {
		if err := p.refuse(id); err != nil {
			return nil, err
		}
	}
	doc, err := p.m.ParseDocument(mapping.Source{ID: id, Routing: routing, JSON: source})
	if err != nil {
		return nil, err
	}
	return parsedDoc{doc}, nil
}

func config(t *testing.T, refuse func(string) error) shard.Config {
	t.Helper()
	reg, err := analysis.NewRegistry(nil)
	if err != nil {
		t.Fatal(err)
	}
	ix, err := mapping.NewIndex(nil, reg)
	if err != nil {
		t.Fatal(err)
	}
	m, err := mapping.ParseJSON(ix, []byte(`{"dynamic":"false","properties":{"k":{"type":"keyword"},"t":{"type":"text"},"v":{"type":"long"},"name":{"type":"text"},"price":{"type":"double"}}}`), mapping.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return shard.Config{Index: "x", PrimaryTerm: 3, Parser: &parser{m, refuse}, Log: slog.New(slog.DiscardHandler)}
}

// source opens the first shard of an index of a fixture.
func source(t *testing.T, fixture, snapshot, name string) store.Directory {
	t.Helper()
	for _, path := range oracletest.Indices(t, fixture, snapshot, name) {
		dir, err := store.OpenFS(path)
		if err != nil {
			t.Fatal(err)
		}
		return dir
	}
	t.Fatal("no index")
	return nil
}

// TestShard indexes old shards again: Lucene's CheckIndex finds nothing wrong, the documents are those that were alive.
func TestShard(t *testing.T) {
	for _, fixture := range []string{"elasticsearch-5.6/main", "elasticsearch-6.8/main", "opensearch-1.3/main"} {
		t.Run(fixture, func(t *testing.T) {
			src := source(t, fixture, "snap-2", "products")
			if old, err := NeedsIndexing(src); err != nil || !old {
				t.Fatalf("%v, %v", old, err)
			}
			var want []string
			segments := map[string]bool{}
			err := Documents(context.Background(), src, true, func(d *Document) error {
				want = append(want, d.ID+" "+d.Routing+" "+string(d.Source))
				segments[d.Segment] = true
				return nil
			})
			if err != nil || len(want) == 0 {
				t.Fatalf("%d documents, %v", len(want), err)
			}
			path := filepath.Join(t.TempDir(), "index")
			dst, err := store.OpenFS(path)
			if err != nil {
				t.Fatal(err)
			}
			p := &Progress{}
			if err := Shard(context.Background(), src, dst, config(t, nil), Options{Progress: p}); err != nil {
				t.Fatal(err)
			}
			if n := p.Documents.Load(); n != int64(len(want)) {
				t.Errorf("%d documents are counted of %d", n, len(want))
			}
			if old, err := NeedsIndexing(dst); err != nil || old {
				t.Errorf("the new index is old: %v, %v", old, err)
			}
			i := 0
			if err := Documents(context.Background(), dst, false, func(d *Document) error {
				if got := d.ID + " " + d.Routing + " " + string(d.Source); i >= len(want) || got != want[i] {
					return fmt.Errorf("document %d is %s", i, got)
				}
				i++
				return nil
			}); err != nil || i != len(want) {
				t.Errorf("%d of %d documents: %v", i, len(want), err)
			}
			r, err := index.OpenDirectory(context.Background(), dst, "")
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if got := len(r.Leaves()); got != len(segments) {
				t.Errorf("%d segments, want %d as the old index had", got, len(segments))
			}
			if got := r.Infos().UserData["max_seq_no"]; got != fmt.Sprint(len(want)-1) {
				t.Errorf("max_seq_no is %q", got)
			}
			oracletest.CheckIndex(t, path)
		})
	}
}

func TestRefusedDocuments(t *testing.T) {
	src := source(t, "elasticsearch-7.10/main", "snap-1", "cfs-on")
	n := 0
	if err := Documents(context.Background(), src, false, func(*Document) error { n++; return nil }); err != nil {
		t.Fatal(err)
	}
	refuse := func(id string) error {
		if strings.HasSuffix(id, "1") {
			return apierr.New(400, "mapper_parsing_exception", "no %s", id)
		}
		return nil
	}
	run := func(refuse func(string) error, partial bool) (store.Directory, *Progress, error) {
		dst, err := store.OpenFS(filepath.Join(t.TempDir(), "index"))
		if err != nil {
			t.Fatal(err)
		}
		p := &Progress{}
		return dst, p, Shard(context.Background(), src, dst, config(t, refuse), Options{Partial: partial, Progress: p})
	}
	_, p, err := run(refuse, false)
	var refused *RefusedError
	if !errors.As(err, &refused) || refused.Refused != p.Refused.Load() || refused.Read != int64(n) || len(refused.Reasons) != maxReasons {
		t.Fatalf("%v of %d documents", err, n)
	}
	dst, p, err := run(refuse, true)
	if err != nil {
		t.Fatal(err)
	}
	left := 0
	if err := Documents(context.Background(), dst, false, func(*Document) error { left++; return nil }); err != nil || int64(left) != int64(n)-p.Refused.Load() {
		t.Errorf("%d of %d documents are left, %d refused, %v", left, n, p.Refused.Load(), err)
	}
	// What is not the document's fault is not left out.
	if _, _, err := run(func(string) error { return errors.New("no quorum") }, true); err == nil || errors.As(err, &refused) && !strings.Contains(err.Error(), "no quorum") {
		t.Errorf("an error of the cluster: %v", err)
	}
}

func TestCanceled(t *testing.T) {
	src := source(t, "elasticsearch-7.10/main", "snap-1", "cfs-on")
	ctx, cancel := context.WithCancel(context.Background())
	dst, err := store.OpenFS(filepath.Join(t.TempDir(), "index"))
	if err != nil {
		t.Fatal(err)
	}
	cfg, seen := config(t, nil), 0
	err = Shard(ctx, src, dst, cfg, Options{Read: func(*Document) error {
		if seen++; seen == 20 {
			cancel()
		}
		return nil
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	if _, err := index.OpenDirectory(context.Background(), dst, ""); err == nil {
		t.Error("there is a commit")
	}
}

// A damaged file of documents is found before anything is indexed from it.
func TestDamaged(t *testing.T) {
	for _, path := range oracletest.Indices(t, "elasticsearch-6.8/main", "snap-1", "cfs-off") {
		files, err := filepath.Glob(filepath.Join(path, "*.fdt"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no files of documents: %v", err)
		}
		b, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)/2] ^= 1
		if err := os.WriteFile(files[0], b, 0o644); err != nil {
			t.Fatal(err)
		}
		src, err := store.OpenFS(path)
		if err != nil {
			t.Fatal(err)
		}
		dst, err := store.OpenFS(filepath.Join(t.TempDir(), "index"))
		if err != nil {
			t.Fatal(err)
		}
		err = Shard(context.Background(), src, dst, config(t, nil), Options{Partial: true})
		if !store.IsCorrupt(err) || !strings.Contains(err.Error(), filepath.Base(files[0])) {
			t.Errorf("%v", err)
		}
	}
}
