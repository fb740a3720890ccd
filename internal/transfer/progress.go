package transfer

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Progress counts files and bytes. It may be read while the transfer runs.
type Progress struct {
	// Total is everything that the other side must have in the end, Reused what it had before.
	TotalFiles, TotalBytes   atomic.Int64
	ReusedFiles, ReusedBytes atomic.Int64
	// Moved is what was brought so far.
	MovedFiles, MovedBytes atomic.Int64
	// ThrottledNanos is the time that transfers waited for their Limit.
	ThrottledNanos atomic.Int64
	// Retries counts requests that failed and were sent again.
	Retries atomic.Int64

	mu    sync.Mutex
	files []*FileProgress
}

// FileProgress is how far one file is.
type FileProgress struct {
	Name   string
	Length int64
	reused atomic.Bool
	moved  atomic.Int64
}

// Reused says whether the other side had the file before.
func (f *FileProgress) Reused() bool { return f.reused.Load() }

// Moved is how many bytes of the file were brought so far.
func (f *FileProgress) Moved() int64 { return f.moved.Load() }

// Add counts a file that the other side must have in the end. The other side having it already, reused is true.
func (p *Progress) Add(name string, length int64, reused bool) *FileProgress {
	p.TotalFiles.Add(1)
	p.TotalBytes.Add(length)
	f := &FileProgress{Name: name, Length: length}
	p.reuse(f, reused)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.files = append(p.files, f)
	return f
}

// reuse notes that the other side has a file, or that it turned out not to have it.
func (p *Progress) reuse(f *FileProgress, reused bool) {
	if f.reused.Swap(reused) == reused {
		return
	}
	files, bytes := int64(1), f.Length
	if !reused {
		files, bytes = -files, -bytes
	}
	p.ReusedFiles.Add(files)
	p.ReusedBytes.Add(bytes)
}

// reuseAll notes at once that the other side has some files: who looks meanwhile sees none or all of them.
func (p *Progress) reuseAll(files []*FileProgress) {
	n, bytes := int64(0), int64(0)
	for _, f := range files {
		if !f.reused.Swap(true) {
			n, bytes = n+1, bytes+f.Length
		}
	}
	p.ReusedFiles.Add(n)
	p.ReusedBytes.Add(bytes)
}

// Files returns the files by name.
func (p *Progress) Files() []*FileProgress {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := slices.Clone(p.files)
	slices.SortFunc(out, func(a, b *FileProgress) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Reset begins anew, for a transfer that is tried again.
func (p *Progress) Reset() {
	for _, n := range []*atomic.Int64{&p.TotalFiles, &p.TotalBytes, &p.ReusedFiles, &p.ReusedBytes, &p.MovedFiles, &p.MovedBytes} {
		n.Store(0)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.files = nil
}

// Counts are the values of a Progress at one moment.
type Counts struct {
	TotalFiles, TotalBytes   int64
	ReusedFiles, ReusedBytes int64
	MovedFiles, MovedBytes   int64
	ThrottledNanos           int64
	Retries                  int64
}

// Counts returns the values now.
func (p *Progress) Counts() Counts {
	return Counts{
		TotalFiles: p.TotalFiles.Load(), TotalBytes: p.TotalBytes.Load(),
		ReusedFiles: p.ReusedFiles.Load(), ReusedBytes: p.ReusedBytes.Load(),
		MovedFiles: p.MovedFiles.Load(), MovedBytes: p.MovedBytes.Load(),
		ThrottledNanos: p.ThrottledNanos.Load(), Retries: p.Retries.Load(),
	}
}
