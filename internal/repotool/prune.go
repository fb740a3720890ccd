package repotool

import (
	"context"
	"slices"
	"strings"

	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/repository"
)

// Pruned is what nothing in a repository refers to.
type Pruned struct {
	Applied  bool     `json:"applied"`
	Blobs    int64    `json:"blobs"` // found; those deleted where it was applied
	Bytes    int64    `json:"bytes"`
	Stale    []Orphan `json:"orphans"`
	Kept     []string `json:"kept"` // what was not judged, and why
	Warnings []string `json:"warnings,omitempty"`
}

// Orphan is a blob that nothing refers to.
type Orphan struct {
	Blob  string `json:"blob"`
	Bytes int64  `json:"size_in_bytes"`
}

// Prune finds the blobs that nothing refers to, and with apply deletes them. It must not run beside a snapshot that
// somebody is taking: that one would fail.
func Prune(ctx context.Context, p *Printer, location string, apply bool) error {
	// Not read-only without apply either: such a store would not show what interrupted writes left. A dry run writes nothing.
	r, err := openWritable(ctx, location)
	if err != nil {
		return err
	}
	report, err := r.Cleanup(ctx, r.Data, repository.CleanupOptions{DryRun: !apply})
	if err != nil {
		return err
	}
	out := Pruned{Applied: apply, Stale: []Orphan{}, Kept: []string{}}
	for _, s := range report.Stale {
		out.Stale = append(out.Stale, Orphan{s.Path, s.Size})
		out.Blobs++
		out.Bytes += s.Size
	}
	slices.SortFunc(out.Stale, func(a, b Orphan) int { return strings.Compare(a.Blob, b.Blob) })
	if apply {
		out.Blobs, out.Bytes = report.Deleted, report.DeletedBytes
	}
	for _, k := range report.Kept {
		out.Kept = append(out.Kept, k.Error())
	}
	for _, w := range report.Warnings {
		out.Warnings = append(out.Warnings, w.Error())
	}
	if p.JSON {
		return p.object(out)
	}
	return out.print(p, location)
}

func (o *Pruned) print(p *Printer, location string) error {
	for _, s := range o.Stale {
		if err := p.printf("%s  %s\n", s.Blob, settings.FormatBytes(s.Bytes)); err != nil {
			return err
		}
	}
	for _, k := range o.Kept {
		if err := p.printf("%s %s\n", p.paint(yellow, "kept:"), k); err != nil {
			return err
		}
	}
	for _, w := range o.Warnings {
		if err := p.printf("%s %s\n", p.paint(yellow, "warning:"), w); err != nil {
			return err
		}
	}
	what := plural(int(o.Blobs), "blob", "blobs") + " (" + settings.FormatBytes(o.Bytes) + ")"
	switch {
	case len(o.Stale) == 0:
		return p.printf("Nothing is left over.\n")
	case o.Applied:
		return p.printf("%s deleted.\n", what)
	}
	return p.printf("%s would be deleted; nothing was. To do it, while no snapshot is being taken: varve repo prune --apply %s\n", what, location)
}
