package fs

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/varve-search/varve/blob"
)

// What is no regular file is no blob, and nobody waits for it.
func TestPipe(t *testing.T) {
	c := fresh(t)
	if err := os.MkdirAll(c.Dir(), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(c.Dir(), "index.latest"), 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := c.Get(context.Background(), "index.latest")
		done <- err
	}()
	select {
	case err := <-done:
		if blob.KindOf(err) != blob.KindNotFound {
			t.Fatal(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it waits for somebody who writes into the pipe")
	}
}
