package translog

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// createGeneration makes the file of generation n with its header, durably. It leaves nothing behind
// where it fails.
func createGeneration(fs fileSystem, dir string, id uuid, n int64) (_ *generation, err error) {
	path := generationPath(dir, n)
	f, err := fs.Create(path)
	if err != nil {
		return nil, fmt.Errorf("create translog generation %d: %w", n, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("create translog generation %d: %w", n, err), f.Close(), fs.Remove(path))
		}
	}()
	if _, err := f.WriteAt(encodeHeader(id, n), 0); err != nil {
		return nil, err
	}
	if err := f.Datasync(); err != nil {
		return nil, err
	}
	if err := fs.SyncDir(dir); err != nil {
		return nil, err
	}
	return &generation{number: n, path: path, f: f, size: headerSize, minSeqNo: -1, maxSeq: -1, modified: time.Now(), refs: 1}, nil
}

// Roll seals the current generation, syncs it and starts the next one. Where the next one cannot be
// created (the disk is full) the log goes on with the current one and the error is not final.
func (l *Log) Roll() error {
	l.ioMu.Lock()
	defer l.ioMu.Unlock()
	if err := l.Err(); err != nil {
		return err
	}
	old := l.current() // only ioMu's holder changes which it is
	fresh, err := createGeneration(l.fs, l.dir, l.id, old.number+1)
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.buf = appendSeal(l.buf, old.seal())
	old.size += sealSize
	l.detachBuffer(old)
	l.gens = append(l.gens, fresh) // from here on operations go there, into memory only
	l.mu.Unlock()

	if err := l.writeDetached(old); err != nil {
		return err
	}
	if err := old.f.Datasync(); err != nil {
		return l.fail(fmt.Errorf("sync %s: %w", old.path, err))
	}
	next := l.last
	next.generation, next.offset, next.ops, next.minSeqNo, next.maxSeq = fresh.number, headerSize, 0, -1, -1
	return l.writeCheckpoint(next)
}

// Trim forgets all generations below min: a commit holds their operations. Open snapshots go on
// reading theirs. The current generation always stays.
func (l *Log) Trim(min int64) error {
	l.ioMu.Lock()
	defer l.ioMu.Unlock()
	l.mu.Lock()
	if l.err != nil {
		defer l.mu.Unlock()
		return l.err
	}
	if current := l.current().number; min > current {
		min = current
	}
	n := 0
	for l.gens[n].number < min {
		n++
	}
	l.mu.Unlock()
	if n == 0 {
		return nil
	}
	next := l.last
	next.minGeneration = min
	if err := l.writeCheckpoint(next); err != nil {
		return err
	}
	l.mu.Lock()
	dropped := slices.Clone(l.gens[:n])
	l.gens = slices.Clone(l.gens[n:])
	var errs []error
	for _, g := range dropped {
		errs = append(errs, l.unref(g))
	}
	l.mu.Unlock()
	for _, g := range dropped {
		errs = append(errs, l.fs.Remove(g.path))
	}
	if err := errors.Join(append(errs, l.fs.SyncDir(l.dir))...); err != nil {
		// The checkpoint no longer counts these files: opening removes what is left.
		return fmt.Errorf("remove trimmed translog generations below %d: %w", min, err)
	}
	return nil
}

// MinGeneration returns the oldest generation that is kept.
func (l *Log) MinGeneration() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gens[0].number
}

// MinGenerationFor returns the oldest generation that is needed to have all operations whose
// sequence number is at least seqNo; the current one where no older has any.
func (l *Log) MinGenerationFor(seqNo int64) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, g := range l.gens {
		if g.maxSeq >= seqNo {
			return g.number
		}
	}
	return l.current().number
}

// Stats describes generations of a log.
type Stats struct {
	Generations int
	Operations  int64
	SizeInBytes int64 // with headers and seals, and with what is still in memory
	MinSeqNo    int64 // -1 where there is no operation
	MaxSeqNo    int64 // -1 where there is no operation
	// Earliest is when the oldest of the generations was last written.
	Earliest time.Time
}

// Stats counts all generations from min on: from 0 the whole log, from the last commit's generation
// what is uncommitted.
func (l *Log) Stats(min int64) Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := Stats{MinSeqNo: -1, MaxSeqNo: -1}
	for _, g := range l.gens {
		if g.number < min {
			continue
		}
		if s.Generations == 0 {
			s.Earliest = g.modified
		}
		s.Generations++
		s.Operations += g.ops
		s.SizeInBytes += g.size
		if g.ops > 0 {
			if s.MinSeqNo < 0 || g.minSeqNo < s.MinSeqNo {
				s.MinSeqNo = g.minSeqNo
			}
			s.MaxSeqNo = max(s.MaxSeqNo, g.maxSeq)
		}
	}
	return s
}
