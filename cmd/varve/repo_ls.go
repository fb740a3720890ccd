package main

import (
	"github.com/spf13/cobra"

	"github.com/varve-search/varve/internal/repotool"
)

func repoLs() *cobra.Command {
	return &cobra.Command{
		Use:   "ls LOCATION [SNAPSHOT]",
		Short: "List the snapshots of a repository, or the indices of a snapshot",
		Long:  "List the snapshots of a repository, oldest first, or the indices of one snapshot.\n\n" + location,
		Example: `  varve repo ls fs:/mnt/backups
  varve repo ls fs:/mnt/backups nightly-2026.11.20
  varve repo ls --json fs:/mnt/backups`,
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: complete(false, "snapshot"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 2 {
				return repotool.ListIndices(cmd.Context(), printer(cmd), args[0], args[1])
			}
			return repotool.List(cmd.Context(), printer(cmd), args[0])
		},
	}
}
