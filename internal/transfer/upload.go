package transfer

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/store"
	"github.com/varve-search/varve/repository"
)

// Upload is one shard's way into a repository.
type Upload struct {
	Dir       store.Directory // must keep Files until the upload ends: a pinned commit
	Files     []string        // of the commit
	WrittenBy string          // version of Lucene, such as "9.12.0"
	Shard     *repository.Shard
	Known     *repository.ShardIndex // what the repository has of the shard
	Parallel  int                    // large files at once, or four times as many small ones; at least 1
	Limits    []*Limit
	Progress  *Progress
}

// uploadJob is a file to be brought.
type uploadJob struct {
	i        int // in Files
	checksum string
	length   int64
	p        *FileProgress
}

// Run brings the files that the repository lacks and returns the list of all of them, in the order of Files, with how many
// were new and their bytes. On an error, files that were brought stay behind unreferenced.
func (u *Upload) Run(ctx context.Context) (files []repository.FileInfo, added int, addedBytes int64, err error) {
	files = make([]repository.FileInfo, len(u.Files))
	var jobs []uploadJob
	for i, name := range u.Files {
		length, checksum, err := fingerprint(u.Dir, name)
		if err != nil {
			return nil, 0, 0, err
		}
		hash, err := u.inlined(name, length)
		if err != nil {
			return nil, 0, 0, err
		}
		if f, ok := u.Known.Find(name, length, checksum, hash); ok {
			files[i] = f
			u.Progress.Add(name, length, true)
			continue
		}
		jobs = append(jobs, uploadJob{i, checksum, length, u.Progress.Add(name, length, false)})
		added++
		addedBytes += length
	}
	s := newSlots(ctx, u.Parallel)
	for _, j := range jobs {
		s.run(j.length, func(ctx context.Context) error {
			return store.Guard(func() error {
				f, err := u.one(ctx, u.Files[j.i], j)
				files[j.i] = f
				return err
			})
		})
	}
	if err := s.wait(ctx); err != nil {
		return nil, 0, 0, err
	}
	return files, added, addedBytes, nil
}

// Describe returns what the list of files in a repository says of files of a commit that this program wrote, but for their blobs.
func Describe(dir store.Directory, names []string) ([]repository.FileInfo, error) {
	u := &Upload{Dir: dir}
	files := make([]repository.FileInfo, len(names))
	for i, name := range names {
		length, checksum, err := fingerprint(dir, name)
		if err != nil {
			return nil, err
		}
		hash, err := u.inlined(name, length)
		if err != nil {
			return nil, err
		}
		files[i] = repository.FileInfo{PhysicalName: name, Length: length, Checksum: checksum, MetaHash: hash, WrittenBy: lucene.Written.String()}
	}
	return files, nil
}

// inlined returns the bytes of a file that a repository keeps in its lists beside its checksum; nil for others.
func (u *Upload) inlined(name string, length int64) ([]byte, error) {
	if !strings.HasSuffix(name, ".si") && !strings.HasPrefix(name, "segments_") {
		return nil, nil
	}
	in, err := u.Dir.Open(name, store.Sequential)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	defer in.Close()
	b, err := store.Bytes(in, 0, int(min(length, repository.InlineLimit)))
	return slices.Clone(b), err
}

// fingerprint returns a file's length and the checksum of its footer in base 36.
func fingerprint(dir store.Directory, name string) (int64, string, error) {
	in, err := dir.Open(name, store.Sequential)
	if err != nil {
		return 0, "", fmt.Errorf("open %s: %w", name, err)
	}
	defer in.Close()
	sum, err := codec.ReadFooter(in)
	if err != nil {
		return 0, "", err
	}
	return in.Length(), strconv.FormatUint(uint64(sum), 36), nil
}

func (u *Upload) one(ctx context.Context, name string, j uploadJob) (repository.FileInfo, error) {
	in, err := u.Dir.Open(name, store.Sequential)
	if err != nil {
		return repository.FileInfo{}, fmt.Errorf("open %s: %w", name, err)
	}
	defer in.Close()
	body := &limited{ctx: ctx, r: &inputReader{in: in}, limits: u.Limits, p: u.Progress, f: j.p}
	f, err := u.Shard.UploadFile(ctx, repository.Upload{
		PhysicalName: name, Length: j.length, Checksum: j.checksum, WrittenBy: u.WrittenBy, Content: body,
	})
	if err != nil {
		return f, fmt.Errorf("upload %s of %s: %w", name, u.Shard, err)
	}
	u.Progress.MovedFiles.Add(1)
	return f, nil
}

// inputReader reads an Input from front to back.
type inputReader struct {
	in  store.Input
	off int64
}

func (r *inputReader) Read(b []byte) (int, error) {
	rest := r.in.Length() - r.off
	if rest == 0 {
		return 0, io.EOF
	}
	w, err := store.Bytes(r.in, r.off, int(min(rest, int64(len(b)))))
	if err != nil {
		return 0, err
	}
	n := copy(b, w)
	r.off += int64(n)
	return n, nil
}
