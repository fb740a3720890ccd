package blockcache

import (
	"container/list"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/varve-search/varve/repository/snapshotdir"
)

// id names a block's file. Of a hash of 128 bits no two keys are the same.
type id [16]byte

func idOf(k snapshotdir.Key) id {
	h := sha256.Sum256([]byte(strconv.FormatInt(k.Block, 36) + "\x00" + k.File))
	return id(h[:16])
}

const (
	suffix  = ".block"
	pending = ".tmp"
	// trailer: CRC-32C of the bytes, their number, and a magic number, four bytes each, big-endian.
	trailerLen = 12
	magic      = 0x76627631 // "vbv1"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// disk is the part of the cache that survives a process.
type disk struct {
	path  string
	limit int64
	count *counters

	mu     sync.Mutex
	used   int64 // of files that are there, or about to be
	blocks map[id]*list.Element
	order  *list.List // of *entry, most recently used first
}

type entry struct {
	id   id
	size int64
}

func openDisk(path string, limit int64, count *counters) (*disk, error) {
	d := &disk{path: path, limit: max(limit, 0), count: count, blocks: map[id]*list.Element{}, order: list.New()}
	if d.limit == 0 {
		return d, os.RemoveAll(path)
	}
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, err
	}
	return d, d.adopt()
}

// adopt takes over what is in the folder, the blocks written last first, and removes what is too much.
func (d *disk) adopt() error {
	type found struct {
		entry
		at int64
	}
	var all []found
	err := filepath.WalkDir(d.path, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, whole := strings.CutSuffix(e.Name(), suffix)
		raw, err := hex.DecodeString(name)
		info, ierr := e.Info()
		if !whole || err != nil || len(raw) != len(id{}) || ierr != nil || info.Size() <= trailerLen || !e.Type().IsRegular() || path != d.file(id(raw)) {
			return os.Remove(path) // of a write that was interrupted
		}
		all = append(all, found{entry{id(raw), info.Size()}, info.ModTime().UnixNano()})
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b found) int { return int(min(max(b.at-a.at, -1), 1)) })
	for _, f := range all {
		if d.used+f.size > d.limit {
			if err := os.Remove(d.file(f.id)); err != nil {
				return err
			}
			continue
		}
		d.used += f.size
		d.blocks[f.id] = d.order.PushBack(&f.entry)
	}
	return nil
}

func (d *disk) file(i id) string {
	name := hex.EncodeToString(i[:])
	return filepath.Join(d.path, name[:2], name+suffix)
}

func (d *disk) size() (used, blocks int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.used, int64(len(d.blocks))
}

// read fills p with a block; it returns false if it is not there, or not as it was written.
func (d *disk) read(i id, p []byte) bool {
	d.mu.Lock()
	e, ok := d.blocks[i]
	if ok {
		d.order.MoveToFront(e)
	}
	d.mu.Unlock()
	if !ok {
		return false
	}
	whole, err := readBlock(d.file(i), p)
	if whole {
		return true
	}
	if !errors.Is(err, fs.ErrNotExist) { // else it has just left
		d.count.damaged.Add(1)
	}
	d.forget(i)
	return false
}

func readBlock(path string, p []byte) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	if _, err := io.ReadFull(f, p); err != nil {
		return false, err
	}
	var t [trailerLen + 1]byte
	if n, err := io.ReadFull(f, t[:]); n != trailerLen { // one byte more would be too many
		return false, err
	}
	return binary.BigEndian.Uint32(t[:]) == crc32.Checksum(p, castagnoli) && binary.BigEndian.Uint32(t[4:]) == uint32(len(p)) &&
		binary.BigEndian.Uint32(t[8:]) == magic, nil
}

// forget removes a block that cannot be used.
func (d *disk) forget(i id) {
	d.mu.Lock()
	e, ok := d.blocks[i]
	if ok {
		d.order.Remove(e)
		delete(d.blocks, i)
	}
	d.mu.Unlock()
	if ok {
		d.removed(e.Value.(*entry))
	}
}

// removed removes the file of a block that is in no list any more.
func (d *disk) removed(e *entry) {
	if err := os.Remove(d.file(e.id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.count.failed.Add(1) // its bytes stay counted
		return
	}
	d.mu.Lock()
	d.used -= e.size
	d.mu.Unlock()
}

// write keeps a block if there can be room for it. That it cannot be kept is no error: it is fetched again then.
func (d *disk) write(i id, p []byte) {
	size := int64(len(p)) + trailerLen
	if !d.reserve(size) {
		return
	}
	if err := d.put(i, p); err != nil {
		d.count.failed.Add(1)
		d.mu.Lock()
		d.used -= size
		d.mu.Unlock()
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if old, ok := d.blocks[i]; ok { // written twice: the file was replaced
		d.used -= old.Value.(*entry).size
		d.order.Remove(old)
	}
	d.blocks[i] = d.order.PushFront(&entry{i, size})
}

// reserve makes room by removing the blocks that were not used for longest.
func (d *disk) reserve(size int64) bool {
	for {
		d.mu.Lock()
		if size > d.limit {
			d.mu.Unlock()
			return false
		}
		if d.used+size <= d.limit {
			d.used += size
			d.mu.Unlock()
			return true
		}
		last := d.order.Back()
		if last == nil { // the rest is being written by others
			d.mu.Unlock()
			return false
		}
		e := d.order.Remove(last).(*entry)
		delete(d.blocks, e.id)
		d.mu.Unlock()
		d.removed(e)
		d.count.evicted.Add(1)
	}
}

func (d *disk) put(i id, p []byte) (err error) {
	path := d.file(i)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "*"+pending)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // the next start removes it too
		}
	}()
	var t [trailerLen]byte
	binary.BigEndian.PutUint32(t[:], crc32.Checksum(p, castagnoli))
	binary.BigEndian.PutUint32(t[4:], uint32(len(p)))
	binary.BigEndian.PutUint32(t[8:], magic)
	if _, err = f.Write(p); err == nil {
		_, err = f.Write(t[:])
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
