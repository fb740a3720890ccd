package shardcheck

import (
	"context"
	"errors"

	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/legacy"
	"github.com/varve-search/varve/lucene/codec/segments"
	"github.com/varve-search/varve/lucene/store"
)

// checkOld looks into segments of Lucene 8 and older, as far as a restore reads them: which documents are alive, and all that they
// store. It tells whether the shard has nothing else.
func (c *Checker) checkOld(ctx context.Context, dir store.Directory, keys map[string]string, found func(file, problem string)) (bool, error) {
	files, err := dir.List()
	if err != nil {
		return false, err
	}
	gen := segments.LastGeneration(files)
	if gen == -1 {
		return false, nil
	}
	commit := segments.FileName(gen)
	infos, err := legacy.ReadCommit(dir, commit)
	if err != nil {
		return false, nil //nolint:nilerr // the check of the whole directory reports it
	}
	all := infos.LuceneVersion.Major < 9
	for _, sci := range infos.Segments {
		if !legacy.Reads(sci.Info.Codec) {
			all = false
			continue
		}
		if c.known(keys[sci.Info.Name]) {
			continue
		}
		err := store.Guard(func() error {
			s, err := legacy.OpenSegment(dir, sci, false)
			if err != nil {
				return err
			}
			return errors.Join(s.Check(ctx), s.Close())
		})
		var corrupt *store.CorruptError
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return false, ctx.Err()
		case codec.IsUnsupported(err):
			c.skipped(err)
		case errors.As(err, &corrupt):
			found(corrupt.File, err.Error())
		default:
			found("", err.Error())
		}
	}
	return all, nil
}
