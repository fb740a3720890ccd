package repotool

import (
	"context"
	"fmt"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/repository"
)

// Repaired is a plan of a repair, or what a repair did.
type Repaired struct {
	Applied   bool           `json:"applied"`
	Actions   []RepairAction `json:"actions"`
	Losses    []RepairLoss   `json:"losses"`  // what cannot be saved
	Guesses   []string       `json:"guesses"` // decisions that could have been others
	Snapshots []Restorable   `json:"snapshots"`
	Backup    string         `json:"backup,omitempty"` // the folder with copies of what was replaced
	Warnings  []string       `json:"warnings,omitempty"`
}

// RepairAction is one step of a repair.
type RepairAction struct {
	Action   string `json:"action"`
	Blob     string `json:"blob"`
	Snapshot string `json:"snapshot,omitempty"`
	Index    string `json:"index,omitempty"`
	Shard    *int   `json:"shard,omitempty"`
	Why      string `json:"why"`
}

// RepairLoss is something that is lost.
type RepairLoss struct {
	Snapshot string `json:"snapshot,omitempty"`
	Index    string `json:"index,omitempty"`
	Shard    *int   `json:"shard,omitempty"`
	What     string `json:"what"`
}

// Restorable says what can be restored from a snapshot after the repair.
type Restorable struct {
	Snapshot   string `json:"snapshot"`
	State      string `json:"state"`
	Restorable string `json:"restorable"` // full, partial or none
	Shards     int    `json:"total_shards"`
	Lost       int    `json:"lost_shards"`
}

func shardOf(n int) *int {
	if n < 0 {
		return nil
	}
	return &n
}

// Repair works out how a damaged repository can be made whole, prints it, and with apply does it. It tells whether anything
// was wrong. Deep also reads every byte.
func Repair(ctx context.Context, p *Printer, location string, deep, apply bool) (found bool, err error) {
	if err := FolderThere(location); err != nil {
		return false, fmt.Errorf("repair the repository at %s: %w", location, err)
	}
	c, err := container(ctx, location, apply)
	if err != nil {
		return false, err
	}
	r, err := repository.Open(ctx, c, options(ctx))
	if err != nil {
		return false, err
	}
	names, err := blob.Names(ctx, c, "")
	if err != nil {
		return false, err
	}
	if len(names) == 0 {
		return false, fmt.Errorf("repair the repository at %s: %w", location, nothingThere(ctx, c))
	}
	opts := repository.RepairOptions{Deep: deep, Apply: apply}
	p.Progress.start("look", 0, true)
	opts.Step = func(_ context.Context, n int64) error {
		p.Progress.add(n)
		return nil
	}
	report, err := r.Repair(ctx, opts)
	p.Progress.end()
	if err != nil {
		return false, fmt.Errorf("the repository at %s: %w", location, err)
	}
	out := newRepaired(report)
	if p.JSON {
		return len(out.Actions) > 0, p.object(out)
	}
	return len(out.Actions) > 0, out.print(p, location, deep)
}

func newRepaired(report *repository.RepairReport) *Repaired {
	out := &Repaired{Applied: report.Applied, Actions: []RepairAction{}, Losses: []RepairLoss{}, Guesses: append([]string{}, report.Guesses...), Snapshots: []Restorable{},
		Backup: report.Backup}
	for _, a := range report.Actions {
		out.Actions = append(out.Actions, RepairAction{a.Action, a.Blob, a.Snapshot, a.Index, shardOf(a.Shard), a.Why})
	}
	for _, l := range report.Losses {
		out.Losses = append(out.Losses, RepairLoss{l.Snapshot, l.Index, shardOf(l.Shard), l.What})
	}
	for _, s := range report.Snapshots {
		out.Snapshots = append(out.Snapshots, Restorable{s.Snapshot.Name, s.State.String(), s.Restorable, s.Shards, s.Lost})
	}
	for _, w := range report.Warnings {
		out.Warnings = append(out.Warnings, w.Error())
	}
	return out
}

func (o *Repaired) print(p *Printer, location string, deep bool) error {
	if len(o.Actions) == 0 {
		text := "There is nothing to repair."
		if !deep {
			text += " Contents of data files were not read; --deep does."
		}
		return p.printf("%s\n", text)
	}
	where := func(snapshot, index string, shard *int) string {
		s := ""
		if snapshot != "" {
			s += " of " + snapshot
		}
		if index != "" {
			s += " " + index
		}
		if shard != nil {
			s += fmt.Sprintf("[%d]", *shard)
		}
		return s
	}
	for _, a := range o.Actions {
		if err := p.printf("%s %s%s\n    %s\n", p.paint(bold, a.Action), a.Blob, where(a.Snapshot, a.Index, a.Shard), a.Why); err != nil {
			return err
		}
	}
	for _, g := range o.Guesses {
		if err := p.printf("%s %s\n", p.paint(yellow, "guessed:"), g); err != nil {
			return err
		}
	}
	for _, l := range o.Losses {
		if err := p.printf("%s%s: %s\n", p.paint(red, "lost"), where(l.Snapshot, l.Index, l.Shard), l.What); err != nil {
			return err
		}
	}
	for _, w := range o.Warnings {
		if err := p.printf("%s %s\n", p.paint(yellow, "warning:"), w); err != nil {
			return err
		}
	}
	if err := p.printf("\n"); err != nil {
		return err
	}
	t := p.table("SNAPSHOT", "STATE", "RESTORABLE", "\tSHARDS", "\tLOST")
	t.state = 1
	for _, s := range o.Snapshots {
		t.row(s.Snapshot, s.State, s.Restorable, right(s.Shards), right(s.Lost))
	}
	if err := t.flush(); err != nil {
		return err
	}
	if o.Applied {
		kept := ""
		if o.Backup != "" {
			kept = " What was replaced is kept in " + o.Backup + "."
		}
		return p.printf("\nDone.%s Register the repository anew in every cluster that uses it.\n", kept)
	}
	flag := ""
	if deep {
		flag = "--deep "
	}
	return p.printf("\nThis is the plan; nothing was written. To do it, while nobody uses the repository: varve repo repair %s--apply %s\n", flag, location)
}
