package main

import (
	"github.com/spf13/cobra"

	"github.com/varve-search/varve/internal/repotool"
)

func repoPrune() *cobra.Command {
	var apply bool
	cmd := &cobra.Command{
		Use:   "prune LOCATION",
		Short: "Find blobs that nothing refers to, and with --apply delete them",
		Long: `List the blobs that no snapshot needs: of snapshots that were not finished and of
deletions that were cut short. With --apply, delete them.

Without --apply nothing is written. With it, no cluster may be taking a snapshot
into the repository: that snapshot would fail.

` + location,
		Example: `  varve repo prune fs:/mnt/backups
  varve repo prune --apply fs:/mnt/backups`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: complete(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			return repotool.Prune(cmd.Context(), printer(cmd), args[0], apply)
		},
	}
	cmd.Flags().BoolVar(&apply, "apply", false, "delete what was found")
	return cmd
}
