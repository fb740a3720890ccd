package snapshot

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/varve-search/varve/internal/state"
)

// TestKeptCosts: the newest are kept, however many there are.
func TestKeptCosts(t *testing.T) {
	st, err := state.Open(t.Context(), state.Config{ClusterName: "costs", Dir: t.TempDir(), NodeID: "n", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	update := func(fn func(*state.Tx)) {
		t.Helper()
		if err := st.Update(t.Context(), func(tx *state.Tx) error { fn(tx); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	at := time.Unix(1e9, 0)
	update(func(tx *state.Tx) { tx.Put(&state.Repository{Name: "r", Type: "fs"}) })
	for n := 0; n < keptCosts; n += 100 {
		update(func(tx *state.Tx) {
			for i := range 100 {
				tx.Put(&state.OperationCost{UUID: fmt.Sprintf("u%05d", n+i), Operation: opSnapshot, Repository: "r", Ended: at.Add(time.Duration(n+i) * time.Second)})
			}
		})
	}
	for i := range 3 {
		update(func(tx *state.Tx) {
			putCost(tx, &state.OperationCost{UUID: fmt.Sprint("new", i), Repository: "r", Ended: at.Add(time.Hour * 1000)}, resultSuccess)
		})
	}
	update(func(tx *state.Tx) {
		putCost(tx, &state.OperationCost{UUID: "gone", Repository: "not registered"}, resultSuccess)
	})
	all := st.View().OperationCosts()
	if len(all) != keptCosts {
		t.Errorf("%d are kept", len(all))
	}
	has := map[string]bool{}
	for _, c := range all {
		has[c.UUID] = true
	}
	if has["u00002"] || !has["u00003"] || !has["new2"] || has["gone"] {
		t.Error("not the newest were kept")
	}
	update(func(tx *state.Tx) { dropCosts(tx, "r") })
	if n := len(st.View().OperationCosts()); n != 0 {
		t.Errorf("%d are left", n)
	}
}
