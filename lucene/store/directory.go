package store

import "io"

// Access tells how a file will be read.
type Access int

const (
	// Random is for searching: the bytes should be addressable, so a memory map where there is one.
	Random Access = iota
	// Sequential is for reading a file once from front to back, or in a goroutine that may wait:
	// merges, checks, copies. It never maps.
	Sequential
)

// Directory is a flat folder of immutable files.
//
// It is safe for concurrent use. Names are plain: no separators. A missing file is an error for which
// errors.Is(err, fs.ErrNotExist) holds; one that exists already, fs.ErrExist.
type Directory interface {
	// List returns the names of all files, sorted.
	List() ([]string, error)
	// Length returns the size of a file in bytes.
	Length(name string) (int64, error)
	// Open opens a file for reading.
	Open(name string, access Access) (Input, error)
	// Create makes a new file; it fails if the name exists. The bytes are durable after Sync.
	Create(name string) (*Output, error)
	// Remove deletes a file. Inputs that are open stay readable.
	Remove(name string) error
	// Rename gives a file another name, atomically, replacing none.
	Rename(from, to string) error
	// Sync makes the bytes of the named files durable. An error is final: the bytes may be lost, and a
	// second call could not tell.
	Sync(names []string) error
	// SyncMetadata makes creations, removals and renames durable.
	SyncMetadata() error
	// Lock takes the lock of that name, or returns ErrLocked. Closing gives it back.
	Lock(name string) (io.Closer, error)
	// Close releases the directory; files that are open stay so.
	Close() error
}

// WriteLock is the name of the lock that an index writer holds.
const WriteLock = "write.lock"

// Checksum returns the CRC-32 (IEEE) of the first n bytes of in.
func Checksum(in Input, n int64) (uint32, error) {
	o := checksummer{}
	const step = 1 << 20
	for off := int64(0); off < n; {
		k := min(n-off, step)
		b, err := Bytes(in, off, int(k))
		if err != nil {
			return 0, err
		}
		o.add(b)
		off += k
	}
	return o.crc, nil
}
