package snapshot

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/repository"
)

// A list reads the info of each snapshot once in a process. What it has read is kept in a file below the node's data, so that the next process
// need not: docs/decisions/0018-infos-on-disk.md. The file is
//
//	magic, SHA-256 of the repository's type and settings
//	for each info: length of the UUID and the UUID, length of its blob in the repository, length of the info's frame and the frame
//	CRC-32C of all that
//
// with lengths as unsigned varints. Whatever is wrong with it, it counts as not there.

const (
	infoMagic = "VARVEIN1"
	infoHead  = len(infoMagic) + sha256.Size
	// maxInfoFile bounds the file, in bytes. The cache in memory is smaller as a rule.
	maxInfoFile = 32 << 20
)

var infoTable = crc32.MakeTable(crc32.Castagnoli)

// storedInfo is an info in the file.
type storedInfo struct {
	size  int64 // of the blob in the repository
	frame []byte
}

// infoFile is where the infos of a repository lie.
type infoFile struct {
	path    string
	owner   [sha256.Size]byte
	loading chan struct{} // held by who reads it
	loaded  bool
	dirty   atomic.Bool // something was read or written that the file lacks
	saving  atomic.Bool // somebody is about to write it
}

// infoPath is where a node keeps the infos of a repository.
func (s *Service) infoPath(name string) string {
	sum := sha256.Sum256([]byte(name))
	return filepath.Join(s.node.DataPath(), "cache", "infos", hex.EncodeToString(sum[:16]))
}

func (s *Service) infoFileOf(rec *state.Repository) *infoFile {
	f := &infoFile{path: s.infoPath(rec.Name), loading: make(chan struct{}, 1)}
	h := sha256.New()
	set := withoutRates(rec.Settings)
	fmt.Fprintf(h, "%q %q", rec.Name, rec.Type)
	for _, k := range set.Keys() {
		fmt.Fprintf(h, " %q=%q", k, fmt.Sprint(set[k]))
	}
	h.Sum(f.owner[:0])
	return f
}

// read returns the infos in the file; none where there is a doubt.
func (f *infoFile) read() map[string]storedInfo {
	in, err := os.Open(f.path)
	if err != nil {
		return nil
	}
	defer in.Close()
	b, err := io.ReadAll(io.LimitReader(in, maxInfoFile+1))
	if err != nil || len(b) > maxInfoFile {
		return nil
	}
	return parseInfoFile(b, f.owner)
}

func parseInfoFile(b []byte, owner [sha256.Size]byte) map[string]storedInfo {
	if len(b) < infoHead+crc32.Size || string(b[:len(infoMagic)]) != infoMagic || !bytes.Equal(b[len(infoMagic):infoHead], owner[:]) {
		return nil
	}
	b, sum := b[:len(b)-crc32.Size], b[len(b)-crc32.Size:]
	if crc32.Checksum(b, infoTable) != binary.BigEndian.Uint32(sum) {
		return nil
	}
	b = b[infoHead:]
	number := func() (uint64, bool) {
		v, n := binary.Uvarint(b)
		b = b[max(n, 0):]
		return v, n > 0
	}
	text := func() ([]byte, bool) {
		n, ok := number()
		if !ok || n > uint64(len(b)) {
			return nil, false
		}
		t := b[:n]
		b = b[n:]
		return t, true
	}
	out := map[string]storedInfo{}
	for len(b) > 0 {
		uuid, ok1 := text()
		size, ok2 := number()
		frame, ok3 := text()
		if !ok1 || !ok2 || !ok3 || size > 1<<62 {
			return nil
		}
		out[string(uuid)] = storedInfo{int64(size), frame}
	}
	return out
}

// sealInfos appends the checksum.
func sealInfos(b []byte) []byte {
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, infoTable))
}

// write replaces the file. It is not synced: what a crash leaves of it the checksum finds.
func (f *infoFile) write(infos map[string]storedInfo) error {
	b := append([]byte(infoMagic), f.owner[:]...)
	for uuid, i := range infos {
		b = append(binary.AppendUvarint(b, uint64(len(uuid))), uuid...)
		b = binary.AppendUvarint(b, uint64(i.size))
		b = append(binary.AppendUvarint(b, uint64(len(i.frame))), i.frame...)
	}
	b = sealInfos(b)
	if len(b) > maxInfoFile {
		return fmt.Errorf("%d bytes are more than may be kept", len(b))
	}
	if err := os.MkdirAll(filepath.Dir(f.path), 0o755); err != nil {
		return err
	}
	next := f.path + ".new"
	if err := os.WriteFile(next, b, 0o600); err != nil {
		return err
	}
	return os.Rename(next, f.path)
}

// adoptInfos takes the infos of a process before this one into the cache, if it saves requests for the entries: those whose blobs have the
// length that they had.
func (o *opened) adoptInfos(ctx context.Context, data *repository.Data, entries []Entry) {
	wanted := map[string]repository.SnapshotID{}
	for _, e := range entries {
		if _, have := o.infos.get(e.ID.UUID); !have && e.Job == nil {
			wanted[e.ID.UUID] = e.ID
		}
	}
	const page = 1000 // of a list in a bucket
	if len(wanted) <= 1+len(data.Snapshots)/page {
		return
	}
	select {
	case o.file.loading <- struct{}{}:
		defer func() { <-o.file.loading }()
	case <-ctx.Done():
		return
	}
	if o.file.loaded {
		return
	}
	o.file.loaded = true
	stored := o.file.read()
	if len(stored) == 0 {
		return
	}
	sizes, err := o.repo.InfoSizes(ctx)
	if err != nil {
		return // the infos are read, and tell what is wrong
	}
	for _, e := range data.Snapshots {
		i, ok := stored[e.UUID]
		if size, there := sizes[e.UUID]; !ok || !there || size != i.size {
			continue
		}
		if info, err := o.repo.DecodeInfo(i.frame, e.SnapshotID); err == nil {
			o.putInfo(info, i.size)
		}
	}
}

// infoPause is how long the writing of infos waits, so that it takes nothing from the answer of the list or from what is asked next.
const infoPause = time.Second

// saveInfosSoon keeps the infos of a root's snapshots for the next process, behind the answer of a list.
func (s *Service) saveInfosSoon(o *opened, data *repository.Data) {
	if !o.file.dirty.Load() || o.file.saving.Swap(true) {
		return
	}
	err := s.begins(func() {
		defer o.file.saving.Store(false)
		select {
		case <-time.After(infoPause):
		case <-s.ctx.Done():
		}
		s.saveInfos(o, data)
	})
	if err != nil { // the service has ended: the file stays as it is
		o.file.saving.Store(false)
	}
}

// saveInfos keeps the infos of a root's snapshots, as far as they are in memory.
func (s *Service) saveInfos(o *opened, data *repository.Data) {
	o.file.dirty.Store(false)
	infos := map[string]storedInfo{}
	var err error
	for _, e := range data.Snapshots {
		if k, ok := o.infos.get(e.UUID); ok && err == nil {
			var frame []byte
			frame, err = o.repo.EncodeInfo(k.info)
			infos[e.UUID] = storedInfo{k.size, frame}
		}
	}
	if err == nil {
		err = o.file.write(infos)
	}
	if err != nil {
		s.log.Warn("the infos of snapshots could not be kept on the disk; the next process reads them again", "repository", o.record.Name, "error", err)
	}
	if s.store.View().Repository(o.record.Name) == nil { // who unregistered it may have been here before the file
		s.forgetInfos(o.record.Name)
	}
}

// forgetInfos removes what is kept of a repository that is not registered any more.
func (s *Service) forgetInfos(name string) {
	if err := os.Remove(s.infoPath(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.log.Warn("the kept infos of snapshots could not be removed", "repository", name, "error", err)
	}
}
