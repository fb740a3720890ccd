package segments

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/store"
)

// Prepare writes the next commit as pending_segments_N and syncs it; no reader sees it yet. All files
// that it names must have been synced before. s stays as it is, but for a new ID. It returns the
// generation to hand to Finish or Rollback.
func (s *Infos) Prepare(dir store.Directory) (int64, error) {
	if err := dir.SyncMetadata(); err != nil {
		return 0, err
	}
	gen, err := s.nextGeneration(dir)
	if err != nil {
		return 0, err
	}
	name := PendingFileName(gen)
	out, err := dir.Create(name)
	if err != nil {
		return 0, fmt.Errorf("prepare commit: %w", err)
	}
	err = s.write(out, gen)
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = dir.Sync([]string{name})
	}
	if err != nil {
		return 0, errors.Join(fmt.Errorf("prepare commit: %w", err), dir.Remove(name))
	}
	return gen, nil
}

// nextGeneration is beyond every commit that stands in the directory, finished or not, so that no
// name is used twice.
func (s *Infos) nextGeneration(dir store.Directory) (int64, error) {
	files, err := dir.List()
	if err != nil {
		return 0, err
	}
	gen := max(s.Generation, LastGeneration(files), 0)
	for _, f := range files {
		if g, err := lucene.ParseGeneration(PendingPrefix, f); err == nil {
			gen = max(gen, g)
		}
	}
	return gen + 1, nil
}

// Finish makes a prepared commit the last one, durably, and sets s.Generation. When it fails, the
// commit does not stand, as far as it can be undone.
func (s *Infos) Finish(dir store.Directory, gen int64) error {
	from, to := PendingFileName(gen), FileName(gen)
	if err := dir.Rename(from, to); err != nil {
		return errors.Join(fmt.Errorf("finish commit: %w", err), dir.Remove(from))
	}
	if err := dir.SyncMetadata(); err != nil {
		return errors.Join(fmt.Errorf("finish commit: %w", err), dir.Remove(to))
	}
	s.Generation = gen
	return nil
}

// Rollback removes a prepared commit.
func Rollback(dir store.Directory, gen int64) error { return dir.Remove(PendingFileName(gen)) }

// Commit is Prepare and Finish.
func (s *Infos) Commit(dir store.Directory) error {
	gen, err := s.Prepare(dir)
	if err != nil {
		return err
	}
	return s.Finish(dir, gen)
}

func (s *Infos) write(out *store.Output, gen int64) error {
	s.ID = lucene.NewID()
	codec.WriteIndexHeader(out, codecName, version86, s.ID, strconv.FormatInt(gen, 36))
	putVersion(out, lucene.Written)
	out.PutVInt(s.IndexCreatedMajor)
	out.PutBEInt64(s.Version)
	out.PutVLong(s.Counter)
	out.PutBEUint32(uint32(len(s.Segments)))
	if len(s.Segments) > 0 {
		oldest := s.Segments[0].Info.Version
		for _, sci := range s.Segments {
			if sci.Info.Version.Before(oldest) {
				oldest = sci.Info.Version
			}
		}
		putVersion(out, oldest)
	}
	for _, sci := range s.Segments {
		if err := s.checkSegment(sci, out.Name()); err != nil {
			return fmt.Errorf("refuse to write a commit: %w", err)
		}
		writeSegment(out, sci)
	}
	out.PutStringMap(s.UserData)
	codec.WriteFooter(out)
	return out.Err()
}

func writeSegment(out *store.Output, sci *lucene.SegmentCommitInfo) {
	out.PutString(sci.Info.Name)
	out.PutBytes(sci.Info.ID[:])
	out.PutString(sci.Info.Codec)
	out.PutBEInt64(sci.DelGen)
	out.PutBEUint32(uint32(sci.DelCount))
	out.PutBEInt64(sci.FieldInfosGen)
	out.PutBEInt64(sci.DocValuesGen)
	out.PutBEUint32(uint32(sci.SoftDelCount))
	if sci.HasID {
		out.PutByte(1)
		out.PutBytes(sci.ID[:])
	} else {
		out.PutByte(0)
	}
	out.PutStringSet(sci.FieldInfosFiles)
	out.PutBEUint32(uint32(len(sci.DocValuesFiles)))
	for _, field := range slices.Sorted(maps.Keys(sci.DocValuesFiles)) {
		out.PutBEUint32(uint32(field))
		out.PutStringSet(sci.DocValuesFiles[field])
	}
}

func putVersion(out *store.Output, v lucene.Version) {
	out.PutVInt(v.Major)
	out.PutVInt(v.Minor)
	out.PutVInt(v.Bugfix)
}
