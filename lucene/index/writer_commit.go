package index

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec/segments"
	"github.com/varve-search/varve/lucene/store"
)

// heldCommit is a commit whose files are held.
type heldCommit struct {
	infos *segments.Infos
	files []string
}

func (w *Writer) holdCommit(infos *segments.Infos) *heldCommit {
	files := infos.Files()
	w.files.hold(files)
	return &heldCommit{infos: infos, files: files}
}

// Commit makes everything so far durable, as one step: after a crash the index is as this commit or an older one left it.
// userData goes into the commit; nil keeps that of the last one. When nothing changed, no commit is written.
// Any error but that of ctx fails the writer; see ErrFailed.
func (w *Writer) Commit(ctx context.Context, userData map[string]string) error {
	select {
	case w.commit <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("wait for another commit of the index: %w", ctx.Err())
	}
	defer func() { <-w.commit }()
	var next *segments.Infos
	var files []string
	var at int64
	err := w.endGeneration(ctx, func() error {
		var err error
		next, at, err = w.prepareCommit(userData)
		if err != nil {
			return w.fail(err)
		}
		if next != nil {
			files = segmentFiles(next)
			w.files.hold(files)
		}
		return nil
	})
	if err != nil || next == nil {
		return err
	}
	// From here on files stay held if anything fails: nobody knows whether the new commit stands.
	if err := w.files.sync(files); err != nil {
		return w.fail(err)
	}
	if err := next.Commit(w.dir); err != nil {
		return w.fail(err)
	}
	w.files.hold([]string{next.FileName()})
	w.mu.Lock()
	old := w.committed
	w.committed = &heldCommit{infos: next, files: next.Files()}
	w.base, w.commitAt = next, at
	w.mu.Unlock()
	w.files.release(old.files)
	return nil
}

func segmentFiles(infos *segments.Infos) []string {
	var files []string
	for _, sci := range infos.Segments {
		files = append(files, sci.Files()...)
	}
	slices.Sort(files)
	return slices.Compact(files)
}

// prepareCommit writes live documents and returns the commit to be written, or nil if it would be like the last one. It
// is called with segMu held.
func (w *Writer) prepareCommit(userData map[string]string) (*segments.Infos, int64, error) {
	w.mu.Lock()
	segs := slices.Clone(w.segs)
	at, counter, base := w.changes, w.counter, w.base
	w.mu.Unlock()
	if userData == nil {
		userData = base.UserData
	}
	if at == w.commitAt && base.Generation > 0 && maps.Equal(userData, base.UserData) {
		return nil, 0, nil
	}
	next := base.Clone()
	next.Version++
	next.Counter = counter
	next.UserData = maps.Clone(userData)
	if next.UserData == nil {
		next.UserData = map[string]string{}
	}
	next.Segments = next.Segments[:0]
	for _, s := range segs {
		if s.dirty {
			if err := w.writeLive(s); err != nil {
				return nil, 0, err
			}
		}
		next.Segments = append(next.Segments, s.info.Clone())
	}
	return next, at, nil
}

// writeLive writes the hard-live documents of a segment as its next .liv file.
func (w *Writer) writeLive(s *segment) error {
	info := s.info.Clone()
	info.DelGen = max(info.DelGen, 0) + 1
	info.DelCount = s.dead
	info.ID, info.HasID = lucene.NewID(), true
	if soft := s.maxDoc() - s.dead - s.alive; soft >= 0 {
		info.SoftDelCount = soft
	}
	if err := w.fmt.liveDocs(w.dir, info, s.hard); err != nil {
		return fmt.Errorf("write live documents of segment %s: %w", s.name, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.files.hold(info.Files())
	w.files.release(s.info.Files())
	s.info, s.dirty = info, false
	return nil
}

// CommitPin keeps the files of a commit from being removed.
type CommitPin struct {
	w      *Writer
	commit *heldCommit
	once   sync.Once
}

// PinCommit pins the last commit, for as long as it takes to copy its files. Pins end with the writer. It is an
// error if there is no commit yet.
func (w *Writer) PinCommit() (*CommitPin, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.usableLocked(); err != nil {
		return nil, err
	}
	if w.committed.infos.Generation == 0 {
		return nil, errors.New("pin the last commit: there is none yet")
	}
	w.files.hold(w.committed.files)
	p := &CommitPin{w: w, commit: w.committed}
	w.pins[p] = true
	return p, nil
}

// Infos returns the commit; it must not be changed.
func (p *CommitPin) Infos() *segments.Infos { return p.commit.infos }

// Files returns the names of all files of the commit, sorted, with segments_N.
func (p *CommitPin) Files() []string { return slices.Clone(p.commit.files) }

// Directory returns where the files are.
func (p *CommitPin) Directory() store.Directory { return p.w.dir }

// Release gives the files up; those that nothing else uses are removed.
func (p *CommitPin) Release() {
	p.once.Do(func() {
		p.w.mu.Lock()
		delete(p.w.pins, p)
		open := !p.w.closed
		p.w.mu.Unlock()
		if open {
			p.w.files.release(p.commit.files)
		}
	})
}

// LastCommit returns the last commit; it must not be changed. Its generation is 0 when there is none yet.
func (w *Writer) LastCommit() *segments.Infos {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.committed.infos
}
