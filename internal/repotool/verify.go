package repotool

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/repository"
	"github.com/varve-search/varve/repository/shardcheck"
)

// Finding is a finding of Verify as scripts read it. Fields that do not apply are left out.
type Finding struct {
	Severity string `json:"severity"`
	Blob     string `json:"blob,omitempty"`
	Snapshot string `json:"snapshot,omitempty"`
	Index    string `json:"index,omitempty"`
	Shard    *int   `json:"shard,omitempty"`
	File     string `json:"file,omitempty"`
	Problem  string `json:"problem"`
}

func newFinding(f repository.Finding) Finding {
	one := Finding{Severity: f.Severity.String(), Blob: f.Blob, Snapshot: f.Snapshot, Index: f.Index, File: f.File, Problem: f.Problem}
	if f.Err != nil {
		one.Problem += ": " + f.Err.Error()
	}
	if f.Shard >= 0 {
		one.Shard = &f.Shard
	}
	return one
}

// Verify checks a repository and prints what it finds: sentences, or with JSON one finding a line. Deep reads every byte,
// and looks into every shard's index. It tells whether the repository is healthy: nothing was found that is worse than a left-over.
func Verify(ctx context.Context, p *Printer, location string, deep bool) (healthy bool, err error) {
	fail := func(err error) (bool, error) {
		return false, fmt.Errorf("verify the repository at %s: %w", location, err)
	}
	if err := FolderThere(location); err != nil {
		return fail(err)
	}
	c, err := container(ctx, location, false)
	if err != nil {
		return false, err
	}
	names, err := blob.Names(ctx, c, "")
	if err != nil {
		return fail(err)
	}
	if len(names) == 0 {
		return fail(nothingThere(ctx, c))
	}
	r, err := repository.Open(ctx, c, options(ctx))
	if err != nil {
		return fail(err)
	}
	v := &verifying{p: p, healthy: true}
	if gen, err := r.LatestGeneration(ctx); err != nil {
		return fail(err)
	} else if gen == repository.NoGeneration {
		return false, v.lostRoot(rootOf(ctx, c))
	}
	opts := repository.VerifyOptions{Deep: deep}
	if p.Progress != nil {
		var total int64
		if deep { // how much there is to read, for the time left
			stats, err := r.Verify(ctx, repository.VerifyOptions{}, func(repository.Finding) {})
			if err != nil {
				return fail(err)
			}
			total = stats.Bytes
		}
		p.Progress.start("verify", total, true)
		defer p.Progress.end()
		opts.Step = func(_ context.Context, n int64) error {
			p.Progress.add(n)
			return nil
		}
	}
	var checker *shardcheck.Checker
	if deep {
		checker = shardcheck.New(readCache)
		opts.CheckShard = checker.Check
	}
	stats, err := r.Verify(ctx, opts, v.found)
	if err == nil {
		err = v.err
	}
	if err != nil {
		return fail(err)
	}
	p.Progress.end()
	if p.JSON {
		return v.healthy, nil
	}
	return v.healthy, v.summary(stats, checker)
}

// verifying prints findings as they come.
type verifying struct {
	p        *Printer
	healthy  bool
	findings int
	worst    repository.Severity
	err      error
}

func (v *verifying) found(f repository.Finding) {
	v.findings++
	v.worst = max(v.worst, f.Severity)
	if f.Severity > repository.SeverityInfo {
		v.healthy = false
	}
	var err error
	if v.p.JSON {
		v.p.Progress.clear()
		err = v.p.line(newFinding(f))
	} else {
		color := map[repository.Severity]string{repository.SeverityError: red, repository.SeverityWarning: yellow}[f.Severity]
		err = v.p.printf("%s\n", v.p.paint(color, f.String()))
	}
	if v.err == nil {
		v.err = err
	}
}

// lostRoot tells of a repository whose root is gone: to a verification it looks like an empty one in which everything is
// left over.
func (v *verifying) lostRoot(name string) error {
	v.found(repository.Finding{Severity: repository.SeverityError, Blob: name, Shard: -1,
		Problem: "the root is missing although there are other blobs: this is no repository, or it lost its root (see `varve repo repair`)"})
	return v.err
}

// rootOf is what the root that is not there was called, as far as index.latest tells.
func rootOf(ctx context.Context, c blob.Container) string {
	b, err := blob.ReadAll(ctx, c, "index.latest", 8)
	if err != nil || len(b) != 8 || b[0] >= 0x80 {
		return "index-N"
	}
	return fmt.Sprintf("index-%d", binary.BigEndian.Uint64(b))
}

// nothingThere says that a place has no blobs, and which folders it has: one of them may be meant.
func nothingThere(ctx context.Context, c blob.Container) error {
	if below := foldersOf(ctx, c); below != "" {
		return fmt.Errorf("nothing is there but %s", below)
	}
	return errors.New("nothing is there")
}

// foldersOf names some folders below a place, and which of them are repositories; "" if there is none.
func foldersOf(ctx context.Context, c blob.Container) string {
	var names []string
	enough := errors.New("enough")
	if err := c.Children(ctx, func(name string) error {
		if names = append(names, name); len(names) > suggested {
			return enough
		}
		return nil
	}); err != nil && !errors.Is(err, enough) || len(names) == 0 {
		return ""
	}
	var repos []string
	for _, name := range names {
		below, err := c.Container(name)
		if err != nil {
			continue
		}
		if there, err := blob.Exists(ctx, below, "index.latest"); err == nil && there {
			repos = append(repos, name)
		}
	}
	text := "the folders [" + strings.Join(names[:min(len(names), suggested)], "], [") + "]"
	if len(names) > suggested {
		text += ", …"
	}
	if len(repos) > 0 {
		text += "; did you mean [" + strings.Join(repos, "], [") + "] in it?"
	}
	return text
}

func (v *verifying) summary(stats repository.VerifyStats, checker *shardcheck.Checker) error {
	p := v.p
	for _, s := range stats.Restorable {
		if s.Restorable == repository.RestorableFull {
			continue
		}
		text := fmt.Sprintf("snapshot [%s]: %d of %s cannot be restored", s.Snapshot.Name, s.Lost, plural(s.Shards, "shard", "shards"))
		color := yellow
		if s.Restorable == repository.RestorableNone {
			text, color = fmt.Sprintf("snapshot [%s]: nothing can be restored", s.Snapshot.Name), red
		}
		if err := p.printf("%s\n", p.paint(color, text)); err != nil {
			return err
		}
	}
	seen := fmt.Sprintf("%s, %s, %s, %s", plural(stats.Snapshots, "snapshot", "snapshots"), plural(stats.Shards, "shard", "shards"), plural(stats.Files, "file", "files"),
		settings.FormatBytes(stats.Bytes))
	what := "its metadata and the lengths of its files are right"
	if checker != nil {
		what = "every byte of it was read and is right, and its indices do not contradict themselves"
		seen += fmt.Sprintf("; %s looked into", plural(checker.Segments(), "segment", "segments"))
		unsupported := checker.Unsupported()
		for _, reason := range slices.Sorted(maps.Keys(unsupported)) {
			if err := p.printf("not looked into beyond checksums (%d times): %s\n", unsupported[reason], reason); err != nil {
				return err
			}
		}
	}
	if stats.Elsewhere > 0 {
		if err := p.printf("%s\n", p.paint(yellow, fmt.Sprintf("%s of snapshots: the data lies in a remote store, which was not looked at (--remote-store says where it is)", plural(stats.Elsewhere, "shard", "shards")))); err != nil {
			return err
		}
	}
	switch {
	case v.findings == 0:
		return p.printf("%s: %s (%s).\n", p.paint(green, "The repository is healthy"), what, seen)
	case v.healthy:
		return p.printf("%s, with %s: %s (%s). `varve repo prune` removes them.\n", p.paint(green, "The repository is healthy"),
			plural(v.findings, "blob left over", "blobs left over"), what, seen)
	}
	return p.printf("%s (looked at: %s).\n", p.paint(red, plural(v.findings, "finding", "findings")), seen)
}
