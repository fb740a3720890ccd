package main

import (
	"github.com/spf13/cobra"

	"github.com/varve-search/varve/internal/repotool"
)

func repoDiff() *cobra.Command {
	var o repotool.DiffOptions
	var exitCode bool
	cmd := &cobra.Command{
		Use:   "diff LOCATION A B [INDEX...]",
		Short: "Show which documents differ between two snapshots",
		Long: `Show which documents were added (+), changed (~) or removed (-) from snapshot A to
snapshot B, in some indices (names or patterns) or in all, and count them. A
document has changed when its source or its routing has other bytes. Shards whose
files are identical are not read, and segments that both snapshots share only
where documents of them were deleted.

With --json each document that differs is an object on a line of its own with
change (added, changed, removed), index, _id and _routing, and each index ends
with a line whose change is "summary".

` + location,
		Example: `  varve repo diff fs:/mnt/backups nightly-2026.11.19 nightly-2026.11.20
  varve repo diff --summary fs:/mnt/backups nightly-2026.11.19 nightly-2026.11.20 'logs-*'
  varve repo diff --source fs:/mnt/backups before after products`,
		Args:              cobra.MinimumNArgs(3),
		ValidArgsFunction: complete(true, "snapshot", "snapshot", "index"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Location, o.A, o.B, o.Indices = args[0], args[1], args[2], args[3:]
			different, err := repotool.Diff(cmd.Context(), printer(cmd), o)
			if err == nil && different && exitCode {
				err = errFindings
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&o.Source, "source", false, "show the sources, before and after")
	cmd.Flags().BoolVar(&o.Summary, "summary", false, "only count")
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "exit with 1 if the snapshots differ")
	return cmd
}
