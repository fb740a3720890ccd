package blobtest

import (
	"io"
	"maps"
	"strings"
	"testing"

	"github.com/varve-search/varve/blob"
)

// metered: what a store counts, the operation that it was sent for counts as well.
func metered(t *testing.T, c blob.Container) {
	var counters blob.Counters
	numbers := counters.Stats
	if _, counts := blob.StatsOf(c); counts {
		numbers = func() blob.Stats { s, _ := blob.StatsOf(c); return s }
	} else {
		c = blob.Count(c, &counters)
	}
	put(t, c, "nobody's", "x")
	before := numbers()

	var op blob.Counters
	ctx := blob.Metered(t.Context(), &op)
	content := strings.Repeat("0123456789", 150_000)
	if err := c.Put(ctx, "a", strings.NewReader(content), int64(len(content)), blob.PutOptions{IfAbsent: true}); err != nil {
		t.Fatal(err)
	}
	r, err := c.Get(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		t.Fatal(err)
	}
	r.Close()
	if _, err := c.Stat(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	if err := c.List(ctx, "", func(blob.Info) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if err := c.DeleteBatch(ctx, []string{"a"}); err != nil {
		t.Fatal(err)
	}
	got, all := op.Stats(), numbers()
	sum := maps.Clone(before.Requests)
	for kind, n := range got.Requests {
		sum[kind] += n
	}
	if !maps.Equal(sum, all.Requests) || before.BytesIn+got.BytesIn != all.BytesIn || before.BytesOut+got.BytesOut != all.BytesOut {
		t.Errorf("before %+v, of the operation %+v, after it %+v", before, got, all)
	}
	if size := int64(len(content)); got.BytesIn < size || got.BytesOut < size || len(got.Requests) < 4 {
		t.Errorf("%+v", got)
	}
}
