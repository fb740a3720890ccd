package translog

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

const checkpointTemp = checkpointName + ".tmp"

// Create makes an empty log in dir, which must exist. id names it, or "" for a random UUID. Left-over
// generations of a log whose checkpoint is gone are removed; a log that is there is an error.
func Create(dir, id string, opts Options) (*Log, error) {
	opts = opts.withDefaults()
	u := uuid{}
	if id == "" {
		if _, err := rand.Read(u[:]); err != nil {
			return nil, fmt.Errorf("create translog: %w", err)
		}
	} else {
		var err error
		if u, err = parseUUID(id); err != nil {
			return nil, err
		}
	}
	names, err := opts.fs.List(dir)
	if err != nil {
		return nil, fmt.Errorf("create translog: %w", err)
	}
	for _, name := range names {
		if name == checkpointName {
			return nil, fmt.Errorf("create translog in %s: there is one already", dir)
		}
	}
	if err := removeFiles(opts.fs, dir, names); err != nil {
		return nil, fmt.Errorf("create translog in %s: %w", dir, err)
	}
	first, err := createGeneration(opts.fs, dir, u, 1)
	if err != nil {
		return nil, err
	}
	c := checkpoint{sequence: 1, uuid: u, minGeneration: 1, generation: 1, offset: headerSize, minSeqNo: -1, maxSeq: -1, globalCheckpoint: -1}
	ckp, err := createCheckpoint(opts.fs, dir, c)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("create translog checkpoint in %s: %w", dir, err), first.f.Close())
	}
	return newLog(dir, opts, c, ckp, []*generation{first})
}

// createCheckpoint writes a new checkpoint file with both slots whole, and only then gives it its name.
func createCheckpoint(fs fileSystem, dir string, c checkpoint) (_ file, err error) {
	temp := filepath.Join(dir, checkpointTemp)
	f, err := fs.Create(temp)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	b := make([]byte, checkpointSize)
	copy(b[slotDistance:], c.encode())
	c.sequence--
	copy(b, c.encode())
	if _, err := f.WriteAt(b, 0); err != nil {
		return nil, err
	}
	if err := f.Datasync(); err != nil {
		return nil, err
	}
	if err := fs.Rename(temp, filepath.Join(dir, checkpointName)); err != nil {
		return nil, err
	}
	return f, fs.SyncDir(dir)
}

// Remove deletes the log in dir: the checkpoint first, so that a crash in between leaves no log
// rather than a damaged one. No Log may be open on it.
func Remove(dir string) error { return removeLog(osFS{}, dir) }

func removeLog(fs fileSystem, dir string) error {
	if err := fs.Remove(filepath.Join(dir, checkpointName)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove translog: %w", err)
	}
	if err := fs.SyncDir(dir); err != nil {
		return fmt.Errorf("remove translog: %w", err)
	}
	names, err := fs.List(dir)
	if err != nil {
		return fmt.Errorf("remove translog: %w", err)
	}
	if err := removeFiles(fs, dir, names); err != nil {
		return fmt.Errorf("remove translog: %w", err)
	}
	return nil
}

func removeFiles(fs fileSystem, dir string, names []string) error {
	for _, name := range names {
		if _, ok := parseGeneration(name); !ok && name != checkpointTemp {
			continue
		}
		if err := fs.Remove(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return fs.SyncDir(dir)
}

// Open opens the log in dir and recovers it: bytes after the last sync that form whole records are
// kept, a torn rest is cut off, and a new generation is started. expectedUUID is the one that the
// shard's commit names, or "" for any. Errors: ErrNotFound, *UUIDMismatchError, *CorruptError.
func Open(dir, expectedUUID string, opts Options) (_ *Log, err error) {
	opts = opts.withDefaults()
	fs := opts.fs
	ckpPath := filepath.Join(dir, checkpointName)
	ckp, err := fs.Open(ckpPath, true)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("open translog in %s: %w", dir, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("open translog: %w", err)
	}
	var gens []*generation
	defer func() {
		if err != nil {
			ckp.Close()
			for _, g := range gens {
				g.f.Close()
			}
		}
	}()
	slots := make([]byte, checkpointSize)
	n, err := ckp.ReadAt(slots, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read %s: %w", ckpPath, err)
	}
	c, err := decodeCheckpoint(slots[:n])
	if err != nil {
		return nil, &CorruptError{File: ckpPath, Reason: err.Error()}
	}
	if expectedUUID != "" && c.uuid.String() != expectedUUID {
		return nil, &UUIDMismatchError{Dir: dir, Expected: expectedUUID, Found: c.uuid.String()}
	}
	if err := sweep(fs, dir, c); err != nil {
		return nil, err
	}
	// The first generation that is missing ends the loop, so no checkpoint can make it long.
	for n := c.minGeneration; n <= c.generation; n++ {
		g, err := openGeneration(fs, dir, c, n)
		if err != nil {
			return nil, err
		}
		gens = append(gens, g)
	}
	fresh, err := createGeneration(fs, dir, c.uuid, c.generation+1)
	if err != nil {
		return nil, err
	}
	gens = append(gens, fresh)
	l, err := newLog(dir, opts, c, ckp, gens)
	if err != nil {
		return nil, err
	}
	c.generation, c.offset, c.ops, c.minSeqNo, c.maxSeq = fresh.number, headerSize, 0, -1, -1
	if err := l.writeCheckpoint(c); err != nil {
		l.background.stop()
		return nil, err
	}
	return l, nil
}

func newLog(dir string, opts Options, c checkpoint, ckp file, gens []*generation) (*Log, error) {
	l := &Log{dir: dir, id: c.uuid, opts: opts, fs: opts.fs, checkpoint: ckp, last: c, gens: gens, global: c.globalCheckpoint}
	l.synced.L = &l.syncMu
	l.done = Location{Generation: c.generation, Offset: c.offset}
	if opts.Durability == DurabilityAsync {
		l.background.start(l, opts.SyncInterval)
	}
	return l, nil
}

// sweep removes what a crash left behind: trimmed generations, and a successor of the current one
// that was created but never used.
func sweep(fs fileSystem, dir string, c checkpoint) error {
	names, err := fs.List(dir)
	if err != nil {
		return fmt.Errorf("open translog: %w", err)
	}
	for _, name := range names {
		n, ok := parseGeneration(name)
		path := filepath.Join(dir, name)
		switch {
		case name == checkpointTemp, ok && n < c.minGeneration:
		case ok && n > c.generation:
			f, err := fs.Open(path, false)
			if err != nil {
				return fmt.Errorf("open translog: %w", err)
			}
			size, _, err := f.Info()
			if err = errors.Join(err, f.Close()); err != nil {
				return fmt.Errorf("open translog: %w", err)
			}
			// Records go into a generation only after the checkpoint names it.
			if n != c.generation+1 || size > headerSize {
				return &CorruptError{File: path, Offset: size, Reason: fmt.Sprintf("the checkpoint's generation is %d", c.generation)}
			}
		default:
			continue
		}
		if err := fs.Remove(path); err != nil {
			return fmt.Errorf("open translog: %w", err)
		}
	}
	return nil
}

// openGeneration opens generation n and learns what it holds. The current one of the checkpoint is
// scanned, cut and sealed.
func openGeneration(fs fileSystem, dir string, c checkpoint, n int64) (_ *generation, err error) {
	path := generationPath(dir, n)
	corrupt := func(offset int64, format string, args ...any) error {
		return &CorruptError{File: path, Offset: offset, Reason: fmt.Sprintf(format, args...)}
	}
	f, err := fs.Open(path, n == c.generation)
	if errors.Is(err, os.ErrNotExist) {
		return nil, corrupt(0, "the file is missing")
	}
	if err != nil {
		return nil, fmt.Errorf("open translog: %w", err)
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	size, modified, err := f.Info()
	if err != nil {
		return nil, fmt.Errorf("open translog: %w", err)
	}
	head := make([]byte, headerSize)
	got, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	id, number, err := decodeHeader(head[:got])
	if err != nil {
		return nil, corrupt(0, "%v", err)
	}
	if id != c.uuid || number != n {
		return nil, corrupt(0, "header of generation %d of translog %s, expected generation %d of %s", number, id, n, c.uuid)
	}
	g := &generation{number: n, path: path, f: f, size: size, minSeqNo: -1, maxSeq: -1, modified: modified, refs: 1}
	if n == c.generation {
		return g, recoverCurrent(g, c)
	}
	if size < headerSize+sealSize {
		return nil, corrupt(size, "the generation ends without its seal")
	}
	end := make([]byte, sealSize)
	if _, err := f.ReadAt(end, size-sealSize); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	var op Operation
	var s seal
	if _, err = checkRecord(end); err == nil {
		err = decodeBody(end[recordHeaderSize:], &op, &s)
	}
	if err != nil || op.Type != opSeal {
		return nil, corrupt(size-sealSize, "the generation ends without its seal (%v)", err)
	}
	g.ops, g.minSeqNo, g.maxSeq = s.ops, s.minSeqNo, s.maxSeq
	return g, nil
}

// recoverCurrent reads the generation that was being written when the log was last open.
func recoverCurrent(g *generation, c checkpoint) error {
	corrupt := func(offset int64, format string, args ...any) error {
		return &CorruptError{File: g.path, Offset: offset, Reason: fmt.Sprintf(format, args...)}
	}
	if g.size < c.offset {
		return corrupt(g.size, "the file ends here, but %d bytes were synced", c.offset)
	}
	sc := newScanner(g.f, g.path, headerSize, g.size)
	end := int64(headerSize) // of the last whole record
	for {
		// Records are synced whole: the synced offset is where one ends.
		if end == c.offset && (g.ops != c.ops || g.minSeqNo != c.minSeqNo || g.maxSeq != c.maxSeq) {
			return corrupt(end, "%d operations from %d to %d, the checkpoint counted %d from %d to %d", g.ops, g.minSeqNo, g.maxSeq, c.ops, c.minSeqNo, c.maxSeq)
		}
		var op Operation
		var s seal
		rec, offset, err := sc.next()
		if err == nil {
			err = decodeBody(rec[recordHeaderSize:], &op, &s)
		}
		switch {
		case errors.Is(err, errMalformed) && offset < c.offset:
			return corrupt(offset, "%v; %d bytes were synced", err, c.offset)
		case errors.Is(err, errMalformed), errors.Is(err, io.EOF):
			return sealRecovered(g, end, false)
		case err != nil:
			return err
		case end < c.offset && sc.pos > c.offset:
			return corrupt(offset, "a record crosses the synced offset %d", c.offset)
		case op.Type == opSeal && s != g.seal():
			return corrupt(offset, "the seal counts %d operations from %d to %d, found %d from %d to %d", s.ops, s.minSeqNo, s.maxSeq, g.ops, g.minSeqNo, g.maxSeq)
		case op.Type == opSeal && sc.pos < c.offset:
			return corrupt(offset, "a seal before the synced offset %d", c.offset)
		case op.Type == opSeal:
			return sealRecovered(g, sc.pos, true)
		}
		g.count(op.SeqNo)
		end = sc.pos
	}
}

// sealRecovered cuts g at end, ends it with a seal unless it has one, and makes that durable.
func sealRecovered(g *generation, end int64, sealed bool) error {
	if g.size > end {
		if err := g.f.Truncate(end); err != nil {
			return fmt.Errorf("cut the torn end off %s: %w", g.path, err)
		}
		g.size = end
	}
	if !sealed {
		if _, err := g.f.WriteAt(appendSeal(nil, g.seal()), g.size); err != nil {
			return fmt.Errorf("seal %s: %w", g.path, err)
		}
		g.size += sealSize
	}
	if err := g.f.Datasync(); err != nil {
		return fmt.Errorf("seal %s: %w", g.path, err)
	}
	return nil
}
