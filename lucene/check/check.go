package check

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/segments"
	"github.com/varve-search/varve/lucene/store"
)

// Options say how deep to look, and where.
type Options struct {
	// ChecksumsOnly leaves out all that needs more than reading each file once.
	ChecksumsOnly bool
	// Segments names the only segments to look at, if it is not empty.
	Segments []string
	// Skip leaves out the segments for which it is true, such as those that were looked at in another commit.
	Skip func(segment string) bool
	// NoChecksums leaves out reading each file against its checksum, where the caller has done so.
	NoChecksums bool
	// Access is how files are opened for the deep checks; checksums always read sequentially.
	Access store.Access
	// Workers is how many segments are looked at side by side; 1 if it is not set.
	Workers int
	// MaxFindings ends the list of findings; 1,000 if it is not set. Report.Omitted counts the rest.
	MaxFindings int
	// Progress is called, never by two goroutines at once, when a part of a segment is done.
	Progress func(Progress)
}

// Progress is how far a check has come.
type Progress struct {
	Segment    string
	Part       Part
	Bytes      int64 // whose checksums were verified, of all segments
	TotalBytes int64
	Segments   int // that are done
	Total      int
}

// Part is what of a segment was looked at.
type Part string

// The parts, in the order of the check.
const (
	PartCommit      Part = "commit"
	PartFiles       Part = "files"
	PartOpen        Part = "open"
	PartLiveDocs    Part = "live docs"
	PartFieldInfos  Part = "field infos"
	PartNorms       Part = "norms"
	PartPostings    Part = "postings"
	PartStored      Part = "stored fields"
	PartVectors     Part = "term vectors"
	PartDocValues   Part = "doc values"
	PartPoints      Part = "points"
	PartSort        Part = "index sort"
	PartSoftDeletes Part = "soft deletes"
)

// Finding is one problem of an index.
type Finding struct {
	Part    Part
	Segment string // "" for a problem of the commit
	Field   string // "" where it is not of one field
	File    string // "" where it is not of one file
	Offset  int64  // in the file, in bytes; -1 if it is not known
	Problem string
	Err     error // what led to it
}

func (f Finding) String() string {
	var b strings.Builder
	if f.Segment != "" {
		fmt.Fprintf(&b, "segment %s: ", f.Segment)
	}
	b.WriteString(string(f.Part))
	if f.Field != "" {
		fmt.Fprintf(&b, " of field %q", f.Field)
	}
	if f.File != "" {
		fmt.Fprintf(&b, ": %s", f.File)
		if f.Offset >= 0 {
			fmt.Fprintf(&b, " at offset %d", f.Offset)
		}
	}
	return b.String() + ": " + f.Problem
}

// SegmentReport is what was seen of a segment.
type SegmentReport struct {
	Name, Codec   string
	Version       lucene.Version
	Compound      bool
	MaxDoc        int32
	DelCount      int32 // hard-deleted
	SoftDelCount  int32
	Bytes         int64
	Files         int
	Fields        int
	Terms         int64
	Postings      int64 // of all terms
	Tokens        int64
	StoredValues  int64
	TermVectors   int64 // fields of documents that have them
	DocValues     int64
	Points        int64
	Unsupported   []error // parts that were not looked at beyond their checksums, because they cannot be read
	FindingsCount int
}

// Report is the outcome of a check.
type Report struct {
	Commit       string // the segments_N file
	Generation   int64
	UserData     map[string]string
	Segments     []SegmentReport
	Findings     []Finding
	Omitted      int      // findings beyond Options.MaxFindings
	Unreferenced []string // files that the last commit does not name; no damage
}

// Clean tells whether nothing was found.
func (r *Report) Clean() bool { return len(r.Findings) == 0 }

// Directory verifies the last commit of the index in dir, and that older ones can be read. It returns an error
// only if there is nothing to verify (segments.ErrNoCommit), the folder cannot be listed, or ctx ends.
func Directory(ctx context.Context, dir store.Directory, o Options) (*Report, error) {
	if o.MaxFindings <= 0 {
		o.MaxFindings = 1000
	}
	names, err := dir.List()
	if err != nil {
		return nil, fmt.Errorf("check index: %w", err)
	}
	last := segments.LastGeneration(names)
	if last < 0 {
		return nil, fmt.Errorf("check index: %w", segments.ErrNoCommit)
	}
	c := &checker{dir: dir, o: o, report: &Report{Commit: segments.FileName(last), Generation: last}}
	infos := c.commits(names, last)
	if infos == nil {
		return c.report, ctx.Err()
	}
	c.report.UserData = infos.UserData
	c.unreferenced(names, infos)
	if err := c.segments(ctx, infos); err != nil {
		return nil, fmt.Errorf("check index: %w", err)
	}
	return c.report, nil
}

type checker struct {
	dir    store.Directory
	o      Options
	report *Report

	mu    sync.Mutex // guards report and Progress
	bytes atomic.Int64
	total int64
	done  int
	todo  int
}

func (c *checker) add(f Finding) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.report.Findings) >= c.o.MaxFindings {
		c.report.Omitted++
		return
	}
	c.report.Findings = append(c.report.Findings, f)
}

func (c *checker) progress(segment string, part Part) {
	if c.o.Progress == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.o.Progress(Progress{Segment: segment, Part: part, Bytes: c.bytes.Load(), TotalBytes: c.total, Segments: c.done, Total: c.todo})
}

// found makes a finding of an error.
func found(part Part, segment, field string, err error) Finding {
	f := Finding{Part: part, Segment: segment, Field: field, Offset: -1, Problem: err.Error(), Err: err}
	// The innermost damage has the most precise place.
	for e := err; ; {
		var d *store.CorruptError
		if !errors.As(e, &d) {
			break
		}
		f.File = d.File
		if d.Offset >= 0 || f.Offset < 0 {
			f.Offset = d.Offset
		}
		if d.Err == nil {
			break
		}
		e = d.Err
	}
	return f
}

// safely runs fn and turns a panic, which no file should be able to cause, and a fault of a memory map
// into an error.
func safely(fn func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the reader failed: %v\n%s", r, debug.Stack())
		}
	}()
	return store.Guard(fn)
}

// commits reads all commits and returns the last one, or nil if it is damaged.
func (c *checker) commits(names []string, last int64) *segments.Infos {
	var infos *segments.Infos
	for _, name := range names {
		gen, err := lucene.ParseGeneration(segments.Prefix, name)
		if err != nil {
			continue // another file
		}
		var read *segments.Infos
		if err := safely(func() (err error) { read, err = segments.Read(c.dir, name); return err }); err != nil {
			f := found(PartCommit, "", "", err)
			if f.File == "" {
				f.File = name
			}
			if codec.IsUnsupported(err) {
				f.Problem = "not verified: " + f.Problem
			}
			c.add(f)
			continue
		}
		if gen == last {
			infos = read
		}
	}
	return infos
}

// unreferenced notes the files that are no part of the last commit.
func (c *checker) unreferenced(names []string, infos *segments.Infos) {
	files := infos.Files()
	for _, n := range names {
		if _, ok := slices.BinarySearch(files, n); !ok && n != store.WriteLock {
			c.report.Unreferenced = append(c.report.Unreferenced, n)
		}
	}
	for _, sci := range infos.Segments {
		n, err := lucene.ParseGeneration("_", "__"+strings.TrimPrefix(sci.Info.Name, "_"))
		if err == nil && n >= infos.Counter {
			c.add(Finding{Part: PartCommit, File: c.report.Commit, Offset: -1, Problem: fmt.Sprintf("the next segment is number %d, but there is %s", infos.Counter, sci.Info.Name)})
		}
	}
}

// segments looks at the segments, several side by side.
func (c *checker) segments(ctx context.Context, infos *segments.Infos) error {
	var todo []*segment
	for _, sci := range infos.Segments {
		if len(c.o.Segments) > 0 && !slices.Contains(c.o.Segments, sci.Info.Name) || c.o.Skip != nil && c.o.Skip(sci.Info.Name) {
			continue
		}
		s := &segment{c: c, ctx: ctx, info: sci}
		s.report = SegmentReport{
			Name: sci.Info.Name, Codec: sci.Info.Codec, Version: sci.Info.Version, Compound: sci.Info.IsCompoundFile,
			MaxDoc: sci.Info.MaxDoc, DelCount: sci.DelCount, SoftDelCount: sci.SoftDelCount,
		}
		for _, f := range sci.Files() {
			s.report.Files++
			if n, err := c.dir.Length(f); err == nil {
				s.report.Bytes += n
			}
		}
		c.total += s.report.Bytes
		todo = append(todo, s)
	}
	c.todo = len(todo)
	work := make(chan *segment)
	var wg sync.WaitGroup
	for range max(1, c.o.Workers) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for s := range work {
				s.check()
				c.mu.Lock()
				c.done++
				c.mu.Unlock()
			}
		}()
	}
	for _, s := range todo {
		if ctx.Err() != nil {
			break
		}
		work <- s
	}
	close(work)
	wg.Wait()
	for _, s := range todo {
		c.report.Segments = append(c.report.Segments, s.report)
	}
	return ctx.Err()
}
