package storecheck

import (
	"context"
	crand "crypto/rand"
	"fmt"
	"math/rand"
	"slices"
	"sync/atomic"
	"time"

	"github.com/varve-search/varve/blob"
)

// Options bound a check.
type Options struct {
	Blobs       int   // how many are written; 100 where it is 0
	Concurrency int   // requests at a time; 10 where it is 0
	MaxSize     int64 // of a blob in bytes; 10 MiB where it is 0
	MaxTotal    int64 // of all blobs in bytes, however often each is written; 1 GiB where it is 0
	Seed        int64 // of sizes, contents and order
	// Rare is the share of blobs that are also overwritten, and of writes that are begun and broken off; one always is.
	Rare float64
	// NoAborts leaves out writes that break off.
	NoAborts bool
	// Contests is how often several writers create one blob; 10 where it is 0.
	Contests int
	// EarlyReads reads each blob while it is written, too.
	EarlyReads bool
	// Detailed asks for Report.Details.
	Detailed bool
	// Step, if it is set, is told which check begins.
	Step func(check string)
}

func (o *Options) setDefaults() {
	if o.MaxSize <= 0 {
		o.MaxSize = 10 << 20
	}
	if o.MaxTotal <= 0 {
		o.MaxTotal = 1 << 30
	}
	if o.Blobs <= 0 {
		o.Blobs = 100
	}
	if o.Concurrency <= 0 {
		o.Concurrency = 10
	}
	if o.Contests <= 0 {
		o.Contests = 10
	}
}

// Bounds of what a check may ask for.
const (
	mostBlobs       = 100_000
	mostConcurrency = 256
)

// check refuses numbers that no store, and not this process, would stand.
func (o *Options) check() error {
	switch {
	case o.Blobs > mostBlobs:
		return fmt.Errorf("%d blobs are too many for a check: the most is %d", o.Blobs, mostBlobs)
	case o.Concurrency > mostConcurrency:
		return fmt.Errorf("%d requests at a time are too many for a check: the most is %d", o.Concurrency, mostConcurrency)
	case !(o.Rare >= 0 && o.Rare <= 1):
		return fmt.Errorf("a share of %v is not between 0 and 1", o.Rare)
	}
	return nil
}

// Issue is something that a repository could not live with.
type Issue struct {
	Check   string `json:"check"`   // such as "conditional creation"
	Problem string `json:"problem"` // what happened
	Advice  string `json:"advice"`  // what helps
}

// Report is the outcome.
type Report struct {
	Issues       []Issue       `json:"issues"`
	Checks       []string      `json:"checks"` // those that were made, in order
	BlobsWritten int           `json:"blobs_written"`
	BytesWritten int64         `json:"bytes_written"`
	BytesRead    int64         `json:"bytes_read"`
	BlobsRead    int           `json:"blobs_read"`
	WriteTime    time.Duration `json:"write_nanos"`
	ReadTime     time.Duration `json:"read_nanos"`
	ListTime     time.Duration `json:"list_nanos"`
	DeleteTime   time.Duration `json:"delete_nanos"`
	Path         string        `json:"path"` // of the folder that was used, below the store's
	Details      []Detail      `json:"details,omitempty"`
}

// Detail is what became of one blob. Times are 0 for what was not done.
type Detail struct {
	Name        string        `json:"name"`
	Size        int64         `json:"size"` // in bytes, of what was written first
	Write       time.Duration `json:"write_nanos"`
	Overwritten bool          `json:"overwritten"`
	Overwrite   time.Duration `json:"overwrite_nanos"`
	EarlyRead   bool          `json:"early_read"`  // it was read while it was written,
	EarlyFound  bool          `json:"early_found"` // and was there already
	FirstByte   time.Duration `json:"first_byte_nanos"`
	Read        time.Duration `json:"read_nanos"`
}

type run struct {
	ctx  context.Context //nolint:containedctx // of one call of Run
	c    blob.Container
	opts Options
	rep  *Report

	began bool // something was written, or may have been

	size []int64 // of the first version of each blob
	blob []Detail

	early atomic.Pointer[error] // the first that a read of what was being written ended with
}

// Run checks a store. The error is one of the context; everything else is an issue in the report.
func Run(ctx context.Context, store blob.Container, opts Options) (*Report, error) {
	opts.setDefaults()
	if err := opts.check(); err != nil {
		return nil, err
	}
	var id [8]byte
	if _, err := crand.Read(id[:]); err != nil {
		return nil, err
	}
	path := fmt.Sprintf("tests-%x", id)
	c, err := store.Container(path)
	if err != nil {
		return nil, err
	}
	r := &run{ctx: ctx, c: c, opts: opts, rep: &Report{Path: path}}
	if !store.Capabilities().Has(blob.CanWrite) {
		r.rep.Checks = []string{"access"}
		r.rep.Issues = []Issue{{"access", "read_only: nothing can be written at " + store.String(), "check a store with rights to write, where it is written from"}}
		return r.rep, nil
	}
	r.plan()
	steps := []step{
		{"access", "correct the setting that the message names", func() error { return blob.Check(ctx, store) }},
		{clockCheck, "set both clocks by NTP: stores refuse requests of clocks that are fifteen minutes off, and credentials would be renewed too late", r.clock},
		{"parallel writes", "look at the rights to write, and at proxies between", r.write},
		{"reads during writes", "the store must show a blob whole or not at all: do not use it, nor whatever it is mounted with", r.earlyReads},
		{"reads", "the store or something between returns other bytes than were written: do not use it", r.read},
		{"ranges", "the store must answer requests for ranges", r.ranges},
		{"list after write", "the store must list what was written at once", r.list},
		{"overwrite", "the store must show the new content at once", r.overwrite},
		{"conditional creation", "the store must support If-None-Match: * atomically; without it two writers can destroy a repository", r.contend},
		{"aborted write", "the store must not show a blob that was not written to its end", r.aborted},
		{partsCheck, "large files go up in parts: the store must take them, and complete an upload with If-None-Match: * only if nothing is there; else set buffer_size so large that no file needs parts", r.inParts},
		{abortedCheck, "give the rights s3:AbortMultipartUpload and s3:ListBucketMultipartUploads; without them the parts of broken uploads stay, unseen, and are billed", r.abortedUpload},
		{"delete", "give the right to delete (s3:DeleteObject); without it repositories grow for ever", r.remove},
	}
	_, _, parted := r.parted()
	steps = slices.DeleteFunc(steps, func(s step) bool {
		return opts.NoAborts && (s.name == "aborted write" || s.name == abortedCheck) || !opts.EarlyReads && s.name == "reads during writes" ||
			!parted && (s.name == partsCheck || s.name == abortedCheck)
	})
	for _, s := range steps {
		r.rep.Checks = append(r.rep.Checks, s.name)
		if opts.Step != nil {
			opts.Step(s.name)
		}
		err := s.do()
		if ctx.Err() != nil {
			r.cleanUp()
			return r.rep, context.Cause(ctx)
		}
		if err != nil {
			r.rep.Issues = append(r.rep.Issues, Issue{s.name, err.Error(), s.advice})
			if s.name == "access" || s.name == "parallel writes" {
				break // nothing that follows can work
			}
		}
	}
	r.cleanUp()
	if opts.Detailed {
		r.rep.Details = r.blob
	}
	return r.rep, nil
}

// step is one check, and what helps when it fails.
type step struct {
	name, advice string
	do           func() error
}

// cleanUp removes what is left, also when the caller has gone.
func (r *run) cleanUp() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), 30*time.Second)
	defer cancel()
	if r.began {
		if left, _ := unfinished(ctx, r.c); len(left) > 0 { // what could not be listed was reported
			_ = r.c.(blob.TempCleaner).DeleteTemp(ctx, left)
		}
		if _, err := r.c.DeleteTree(ctx); err != nil {
			r.rep.Issues = append(r.rep.Issues, Issue{"clean-up", err.Error(), fmt.Sprintf("remove %s by hand", r.c)})
		}
	}
}

// plan chooses the blobs' sizes: the first is of the largest size, so is about one in ten at most, and others are small. Where that is too
// much in all, each becomes smaller by the same share.
func (r *run) plan() {
	rnd := rand.New(rand.NewSource(r.opts.Seed)) //nolint:gosec // test data
	r.size, r.blob = make([]int64, r.opts.Blobs), make([]Detail, r.opts.Blobs)
	var total int64
	for i := range r.size {
		switch n := rnd.Int63n(r.opts.MaxSize + 1); {
		case i == 0:
			r.size[i] = r.opts.MaxSize
		case i%10 == 0:
			r.size[i] = n
		default:
			r.size[i] = n % min(r.opts.MaxSize+1, 64<<10)
		}
		total += r.size[i]
	}
	for i := range r.size {
		if total > r.opts.MaxTotal {
			r.size[i] = int64(float64(r.size[i]) * (float64(r.opts.MaxTotal) / float64(total)))
		}
		r.blob[i].Name, r.blob[i].Size = name(i), r.size[i]
		r.blob[i].Overwritten = rnd.Float64() < r.opts.Rare || i == r.opts.Blobs-1
	}
}
