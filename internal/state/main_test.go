package state

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("VARVE_STATE_CRASH_CHILD"); dir != "" {
		crashChild(dir)
	}
	goleak.VerifyTestMain(m)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(testContext(t), Config{ClusterName: "test", Dir: dir, NodeID: "node-1", LeaseTTL: 2 * time.Second, Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	check(t, err)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func crashChild(dir string) {
	id, err := OpenIdentity(dir)
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	ctx := context.Background()
	s, err := Open(ctx, Config{ClusterName: "test", Dir: dir, NodeID: id.ID})
	if err == nil {
		err = s.Join(ctx, Node{Name: "child"})
	}
	for n := 0; err == nil; n++ {
		err = s.Update(ctx, func(tx *Tx) error {
			body := fmt.Sprintf(`{"n":%d}`, n)
			if n%50 == 49 { // large ones and many at once, too
				body = fmt.Sprintf(`{"n":%d,"x":%q}`, n, strings.Repeat("x", 1<<20))
				for i := range 150 {
					tx.Put(&ShardRouting{IndexUUID: fmt.Sprintf("u%d", n), Shard: i})
				}
			}
			tx.Put(&Pipeline{Stored{Name: fmt.Sprintf("p%d", n%200), Body: []byte(body)}})
			return nil
		})
		if err == nil {
			fmt.Println(n)
		}
	}
	fmt.Println("error", err)
	os.Exit(1)
}
