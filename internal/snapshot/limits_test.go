package snapshot

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/migrate"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/transfer"
)

// TestSlowed: restores that index documents again keep to the rates of restores.
func TestSlowed(t *testing.T) {
	rec := &cluster.Recovery{}
	lim := &limits{transfer.NewLimit(1), transfer.NewLimit(0), transfer.NewLimit(1 << 20)}
	ctx, cancel := context.WithCancel(t.Context())
	read := slowed(ctx, lim, rec, func(*migrate.Document) error {
		rec.Files.MovedBytes.Add(50 << 10)
		return nil
	})
	began := time.Now()
	for range 6 { // 300 KiB, of which 64 may pass at once
		if err := read(nil); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(began); took < 150*time.Millisecond || rec.Files.Counts().ThrottledNanos < int64(100*time.Millisecond) {
		t.Errorf("300 KiB at 1 MiB/s took %v", took)
	}
	cancel()
	if err := read(nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestSameStore(t *testing.T) {
	rec := func(kv ...string) *state.Repository {
		r := &state.Repository{Type: "fs", Settings: settings.Settings{"location": "x"}}
		for i := 0; i < len(kv); i += 2 {
			r.Settings[kv[i]] = kv[i+1]
		}
		return r
	}
	if !sameStore(rec(), rec("max_snapshot_bytes_per_sec", "1kb")) || !sameStore(rec("max_restore_bytes_per_sec", "1kb"), rec("max_restore_bytes_per_sec", "2kb")) {
		t.Error("a rate changes the store")
	}
	if sameStore(rec(), rec("compress", "true")) || sameStore(rec("location", "y"), rec("max_restore_bytes_per_sec", "1kb")) {
		t.Error("other settings do not change the store")
	}
}
