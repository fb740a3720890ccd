package state

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Identity is what makes a data folder that of one node: its id, and the lock that keeps other
// processes out. The id is in node.json, the lock on node.lock.
type Identity struct {
	ID      string    `json:"node_id"`
	Created time.Time `json:"created"`
	Format  int       `json:"format"`

	dir  string
	lock *os.File
}

// held keeps every open Identity reachable: the garbage collector closes files that nobody refers
// to, and with the file goes the lock.
var held sync.Map

// ErrLocked is returned where another process uses the data folder.
var ErrLocked = errors.New("the data folder is in use by another process")

const identityFormat = 1

// OpenIdentity locks the data folder (made if it is missing) and reads the node's id, or makes one.
// Close gives the folder back; so does the end of the process, however it comes.
func OpenIdentity(dir string) (_ *Identity, err error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("open data folder: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "node.lock"), os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, fmt.Errorf("open data folder: %w", err)
	}
	defer func() {
		if err != nil {
			lock.Close()
			return
		}
		held.Store(lock, true)
	}()
	if err := lockFile(lock); err != nil {
		return nil, fmt.Errorf("lock data folder %s: %w", dir, err)
	}
	path := filepath.Join(dir, "node.json")
	id := &Identity{dir: dir, lock: lock}
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		id.ID, id.Created, id.Format = newID(), time.Now().UTC().Truncate(time.Millisecond), identityFormat
		if err := writeAtomically(path, id); err != nil {
			return nil, fmt.Errorf("write node identity: %w", err)
		}
		return id, nil
	case err != nil:
		return nil, fmt.Errorf("read node identity: %w", err)
	}
	if err := json.Unmarshal(b, id); err != nil {
		return nil, fmt.Errorf("read node identity %s: %w", path, err)
	}
	if id.Format != identityFormat {
		return nil, fmt.Errorf("read node identity %s: the data folder has format %d, known is %d", path, id.Format, identityFormat)
	}
	if id.ID == "" {
		return nil, fmt.Errorf("read node identity %s: no node id", path)
	}
	return id, nil
}

// Dir returns the data folder.
func (id *Identity) Dir() string { return id.dir }

// Close unlocks the folder.
func (id *Identity) Close() error {
	held.Delete(id.lock)
	if err := id.lock.Close(); err != nil {
		return fmt.Errorf("unlock data folder: %w", err)
	}
	return nil
}

// newID returns 22 characters of random URL-safe base64, as OpenSearch's node ids and UUIDs are.
func newID() string {
	var b [16]byte
	rand.Read(b[:]) //nolint:errcheck // crypto/rand.Read never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// NewUUID returns a random UUID in the form that OpenSearch gives to indices, snapshots and nodes.
func NewUUID() string { return newID() }

func writeAtomically(path string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".tmp")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
