package repository

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/varve-search/varve/blob"
)

type plainContainer = blob.Container

// uploads is a store that lists unfinished uploads, with one request for all below a folder, as buckets do.
type uploads struct {
	plainContainer
	path string
	all  *uploadLists
}

type uploadLists struct {
	mu     sync.Mutex
	listed []string // folders
	denied bool
	left   map[string]bool // of the root
}

func (u uploads) Capabilities() blob.Capabilities {
	return u.plainContainer.Capabilities() | blob.TempBelow
}

func (u uploads) Container(path string) (blob.Container, error) {
	c, err := u.plainContainer.Container(path)
	return uploads{c, join(u.path, path), u.all}, err
}

func (u uploads) ListTemp(context.Context, int64) (out []blob.Info, err error) {
	u.all.mu.Lock()
	defer u.all.mu.Unlock()
	u.all.listed = append(u.all.listed, u.path)
	if u.all.denied {
		return nil, &blob.Error{Op: "list", Kind: blob.KindPermission, Err: errors.New("no right to list uploads")}
	}
	for n := range u.all.left {
		out = append(out, blob.Info{Name: n})
	}
	return out, nil
}

func (u uploads) DeleteTemp(_ context.Context, names []string) error {
	u.all.mu.Lock()
	defer u.all.mu.Unlock()
	for _, n := range names {
		delete(u.all.left, n)
	}
	return nil
}

// TestUnfinishedUploads: a clean-up of a bucket asks for unfinished uploads once, however many shards there are; without the right to it the rest is
// cleaned up all the same.
func TestUnfinishedUploads(t *testing.T) {
	for _, opts := range []Options{{}, {BasePath: "a/b"}} {
		for _, denied := range []bool{false, true} {
			store, _, _ := damagedModel(t, opts, 12)
			all := &uploadLists{denied: denied, left: map[string]bool{"indices/u/0/__x?uploadId=1": true}}
			r := open(t, uploads{store, "", all}, opts)
			root, err := store.Container(opts.BasePath)
			if err != nil {
				t.Fatal(err)
			}
			const stale = "snap-AAAAAAAAAAAAAAAAAAAAAA.dat"
			if err := root.Put(bg, stale, strings.NewReader("x"), 1, blob.PutOptions{}); err != nil {
				t.Fatal(err)
			}
			report, err := r.Cleanup(bg, load(t, r), CleanupOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if there, err := blob.Exists(bg, root, stale); err != nil || there {
				t.Errorf("%v, denied %v: what nothing refers to is still there, %v", opts, denied, err)
			}
			if len(all.listed) != 1 || all.listed[0] != opts.BasePath {
				t.Errorf("%v: uploads were listed in %v", opts, all.listed)
			}
			if denied && (len(report.Kept) != 1 || !strings.Contains(report.Kept[0].Error(), "no right to list uploads")) || !denied && len(all.left) != 0 {
				t.Errorf("%v, denied %v: %v, %v", opts, denied, report.Kept, all.left)
			}
		}
	}
}
