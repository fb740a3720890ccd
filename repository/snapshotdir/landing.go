package snapshotdir

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/varve-search/varve/lucene/store"
)

// Landing is a Directory of which one file after another arrives in a local directory. Inputs that are open go over to
// the local file by themselves.
type Landing struct {
	*Directory
	local store.Directory

	mu     sync.Mutex
	landed map[string]bool
	open   map[*landingFile]bool
}

// NewLanding returns a Landing of which nothing has arrived.
func NewLanding(remote *Directory, local store.Directory) *Landing {
	return &Landing{Directory: remote, local: local, landed: map[string]bool{}, open: map[*landingFile]bool{}}
}

// Landed says that all of a file is in the local directory, verified, and stays there as long as the Landing is used.
func (l *Landing) Landed(name string) {
	l.mu.Lock()
	l.landed[name] = true
	var waiting []*landingFile
	for f := range l.open {
		if f.remote.Name() == name {
			waiting = append(waiting, f)
		}
	}
	l.mu.Unlock()
	for _, f := range waiting {
		f.land()
	}
}

// Open implements store.Directory.
func (l *Landing) Open(name string, access store.Access) (store.Input, error) {
	l.mu.Lock()
	landed := l.landed[name]
	l.mu.Unlock()
	if landed {
		if in, err := l.local.Open(name, access); err == nil {
			return in, nil
		}
		// The repository still has it.
	}
	remote, err := l.Directory.Open(name, access)
	if err != nil {
		return nil, err
	}
	if _, inMemory := remote.(*store.BytesInput); inMemory {
		return remote, nil
	}
	f := &landingFile{l: l, access: access, remote: remote}
	l.mu.Lock()
	l.open[f] = true
	landed = l.landed[name]
	l.mu.Unlock()
	if landed { // meanwhile
		f.land()
	}
	return &landingInput{f: f, remote: remote, n: remote.Length()}, nil
}

// landingFile is an open file: of the repository, and of the local directory once it is there.
type landingFile struct {
	l      *Landing
	access store.Access
	remote store.Input
	local  atomic.Pointer[store.Input]

	mu     sync.Mutex
	closed bool
}

// land opens the local file. If that fails the repository goes on to be read.
func (f *landingFile) land() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || f.local.Load() != nil {
		return
	}
	in, err := f.l.local.Open(f.remote.Name(), f.access)
	if err != nil {
		return
	}
	if in.Length() != f.remote.Length() {
		_ = in.Close() // nothing was read from it
		return
	}
	f.local.Store(&in)
}

func (f *landingFile) close() error {
	f.l.mu.Lock()
	delete(f.l.open, f)
	f.l.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	f.closed = true
	var err error
	if in := f.local.Load(); in != nil {
		err = (*in).Close()
	}
	return errors.Join(err, f.remote.Close())
}

// landingInput is a landingFile, or a part of one.
type landingInput struct {
	f       *landingFile
	remote  store.Input // of the same part
	base, n int64
	part    bool
}

func (in *landingInput) Name() string  { return in.f.remote.Name() }
func (in *landingInput) Length() int64 { return in.n }

// Window implements store.Input.
func (in *landingInput) Window(off int64, min int) ([]byte, error) {
	local := in.f.local.Load()
	if local == nil || off < 0 || min < 0 || off > in.n || int64(min) > in.n-off {
		return in.remote.Window(off, min) // which also says what is wrong with the range
	}
	b, err := (*local).Window(in.base+off, min)
	if err != nil {
		return nil, err
	}
	if rest := in.n - off; int64(len(b)) > rest {
		b = b[:rest:rest]
	}
	return b, nil
}

// Slice implements store.Input.
func (in *landingInput) Slice(off, n int64) (store.Input, error) {
	remote, err := in.remote.Slice(off, n)
	if err != nil {
		return nil, err
	}
	return &landingInput{f: in.f, remote: remote, base: in.base + off, n: n, part: true}, nil
}

// Close implements store.Input.
func (in *landingInput) Close() error {
	if in.part {
		return nil
	}
	return in.f.close()
}
