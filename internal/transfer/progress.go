package transfer

import "sync/atomic"

// Progress counts files and bytes. It may be read while the transfer runs.
type Progress struct {
	// Total is everything that the other side must have in the end, Reused what it had before.
	TotalFiles, TotalBytes   atomic.Int64
	ReusedFiles, ReusedBytes atomic.Int64
	// Moved is what was brought so far.
	MovedFiles, MovedBytes atomic.Int64
	// ThrottledNanos is the time that transfers waited for their Limit.
	ThrottledNanos atomic.Int64
}

// Counts are the values of a Progress at one moment.
type Counts struct {
	TotalFiles, TotalBytes   int64
	ReusedFiles, ReusedBytes int64
	MovedFiles, MovedBytes   int64
	ThrottledNanos           int64
}

// Counts returns the values now.
func (p *Progress) Counts() Counts {
	return Counts{
		TotalFiles: p.TotalFiles.Load(), TotalBytes: p.TotalBytes.Load(),
		ReusedFiles: p.ReusedFiles.Load(), ReusedBytes: p.ReusedBytes.Load(),
		MovedFiles: p.MovedFiles.Load(), MovedBytes: p.MovedBytes.Load(),
		ThrottledNanos: p.ThrottledNanos.Load(),
	}
}
