package translog

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

// Read returns the operation at loc, which Add gave, whether it is on disk already or not.
// ErrTrimmed where its generation is gone. The result shares no memory with the log.
func (l *Log) Read(loc Location) (Operation, error) {
	if loc.Offset < headerSize || loc.Size <= recordHeaderSize {
		return Operation{}, fmt.Errorf("translog: no operation has location %d:%d+%d", loc.Generation, loc.Offset, loc.Size)
	}
	if err := l.checkKnown(loc); err != nil {
		return Operation{}, err
	}
	rec, g, err := l.fromMemory(loc)
	if err != nil {
		return Operation{}, err
	}
	path := generationPath(l.dir, loc.Generation)
	if rec == nil {
		rec = make([]byte, loc.Size)
		_, err = g.f.ReadAt(rec, loc.Offset)
		l.mu.Lock()
		err = errors.Join(err, l.unref(g))
		l.mu.Unlock()
		if err != nil {
			return Operation{}, fmt.Errorf("read translog file %s at offset %d: %w", path, loc.Offset, err)
		}
	}
	var op Operation
	var s seal
	n, err := checkRecord(rec)
	if err == nil && n != len(rec) {
		err = fmt.Errorf("%w: record of %d bytes, expected %d", errMalformed, n, len(rec))
	}
	if err == nil {
		err = decodeBody(rec[recordHeaderSize:], &op, &s)
	}
	if err == nil && op.Type == opSeal {
		err = fmt.Errorf("%w: a seal, expected an operation", errMalformed)
	}
	if err != nil {
		return Operation{}, &CorruptError{File: path, Offset: loc.Offset, Reason: err.Error()}
	}
	return op, nil
}

// fromMemory copies the record at loc out of the write buffers, or else returns its generation,
// held.
func (l *Log) fromMemory(loc Location) ([]byte, *generation, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return nil, nil, l.err
	}
	if g := l.current(); loc.Generation == g.number {
		if at := loc.Offset - (g.size - int64(len(l.buf))); at >= 0 && at+int64(loc.Size) <= int64(len(l.buf)) {
			return slices.Clone(l.buf[at:][:loc.Size]), nil, nil
		}
	}
	if loc.Generation == l.writingGen {
		if at := loc.Offset - l.writingAt; at >= 0 && at+int64(loc.Size) <= int64(len(l.writing)) {
			return slices.Clone(l.writing[at:][:loc.Size]), nil, nil
		}
	}
	first := l.gens[0].number
	if loc.Generation < first {
		return nil, nil, fmt.Errorf("read generation %d: %w", loc.Generation, ErrTrimmed)
	}
	g := l.gens[loc.Generation-first]
	g.refs++
	return nil, g, nil
}

// Snapshot is a reader of the operations that the log held when it was taken, in the order in which
// they were added. One goroutine at a time may use it. Trimming does not disturb it.
type Snapshot struct {
	log       *Log
	parts     []snapshotPart
	fromSeqNo int64
	sc        *scanner
	ops       int64 // of the generations that are read
	mem       []byte
}

type snapshotPart struct {
	g      *generation
	end    int64
	sealed bool
}

// NewSnapshot returns a reader of all operations of generation min and later whose sequence number
// is at least fromSeqNo. It must be closed.
func (l *Log) NewSnapshot(min, fromSeqNo int64) (*Snapshot, error) {
	l.ioMu.Lock()
	defer l.ioMu.Unlock()
	if err := l.writeBuffer(); err != nil {
		return nil, err
	}
	s := &Snapshot{log: l, fromSeqNo: fromSeqNo}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, g := range l.gens {
		// What was added since writeBuffer is not in the file yet.
		sealed := i < len(l.gens)-1
		end := g.size
		if !sealed {
			end -= int64(len(l.buf))
		}
		if g.number < min || g.ops == 0 || g.maxSeq < fromSeqNo {
			continue
		}
		g.refs++
		s.parts = append(s.parts, snapshotPart{g: g, end: end, sealed: sealed})
		s.ops += g.ops
	}
	return s, nil
}

// TotalOperations returns an upper bound of how many operations Next will return, for progress.
func (s *Snapshot) TotalOperations() int64 { return s.ops }

// Next decodes the next operation into op; io.EOF after the last. op.Source is valid until the
// following call.
func (s *Snapshot) Next(op *Operation) error {
	for len(s.parts) > 0 {
		p := &s.parts[0]
		if s.sc == nil {
			s.sc = newScanner(p.g.f, p.g.path, headerSize, p.end)
			s.sc.mem = s.mem
		}
		var sl seal
		rec, offset, err := s.sc.next()
		if err == nil {
			err = decodeBody(rec[recordHeaderSize:], op, &sl)
		}
		switch {
		case errors.Is(err, errMalformed):
			return &CorruptError{File: p.g.path, Offset: offset, Reason: err.Error()}
		case errors.Is(err, io.EOF):
			if p.sealed {
				return &CorruptError{File: p.g.path, Offset: offset, Reason: "the generation ends without its seal"}
			}
			if err := s.nextPart(); err != nil {
				return err
			}
		case err != nil:
			return err
		case op.Type == opSeal:
			if !p.sealed || s.sc.pos != p.end {
				return &CorruptError{File: p.g.path, Offset: offset, Reason: "a seal before the generation's end"}
			}
			if err := s.nextPart(); err != nil {
				return err
			}
		case op.SeqNo >= s.fromSeqNo:
			return nil
		}
	}
	return io.EOF
}

func (s *Snapshot) nextPart() error {
	s.mem = s.sc.mem
	s.sc = nil
	g := s.parts[0].g
	s.parts = s.parts[1:]
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	if err := s.log.unref(g); err != nil {
		return fmt.Errorf("close translog generation %d: %w", g.number, err)
	}
	return nil
}

// Close lets go of the files. Closing again does nothing.
func (s *Snapshot) Close() error {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	var errs []error
	for _, p := range s.parts {
		errs = append(errs, s.log.unref(p.g))
	}
	s.parts, s.sc, s.mem = nil, nil, nil
	return errors.Join(errs...)
}
