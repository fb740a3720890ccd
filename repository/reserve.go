package repository

import (
	"bytes"
	"context"
	"math/rand/v2"

	"github.com/varve-search/varve/blob"
)

// reserveName is a blob of no meaning in the root folder. Other programs leave it alone, as all whose names they do not know.
const reserveName = "varve-reserve"

// Reserve sees to it that the repository holds Options.Reserve bytes that a deletion can free when the store is full: to
// delete a snapshot some metadata must be written first.
func (r *Repository) Reserve(ctx context.Context) error {
	if r.opts.Reserve <= 0 {
		return nil
	}
	b := make([]byte, r.opts.Reserve)
	rnd := rand.NewChaCha8([32]byte{}) // nothing that a file system could compress
	_, _ = rnd.Read(b)                 // it does not fail
	err := r.root.Put(ctx, reserveName, bytes.NewReader(b), int64(len(b)), blob.PutOptions{IfAbsent: true})
	if err != nil && blob.KindOf(err) == blob.KindAlreadyExists {
		return nil
	}
	return err
}

// release frees the reserve, and says whether there was one.
func (r *Repository) release(ctx context.Context) bool {
	if _, err := r.root.Stat(ctx, reserveName); err != nil {
		return false
	}
	return r.root.DeleteBatch(ctx, []string{reserveName}) == nil
}
