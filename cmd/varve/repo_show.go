package main

import (
	"github.com/spf13/cobra"

	"github.com/varve-search/varve/internal/repotool"
)

func repoShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show LOCATION SNAPSHOT [INDEX]",
		Short: "Show everything that is known of a snapshot, or of an index in it",
		Long: `Show everything that is known of a snapshot: state, times, failures, metadata,
global state, the sizes of its indices; or of an index in it: settings, mappings,
aliases, and the files of each shard.

` + location,
		Example: `  varve repo show fs:/mnt/backups nightly-2026.11.20
  varve repo show fs:/mnt/backups nightly-2026.11.20 products
  varve repo show --json fs:/mnt/backups nightly-2026.11.20 products | jq .mappings`,
		Args:              cobra.RangeArgs(2, 3),
		ValidArgsFunction: complete(false, "snapshot", "index"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 3 {
				return repotool.ShowIndex(cmd.Context(), printer(cmd), args[0], args[1], args[2])
			}
			return repotool.ShowSnapshot(cmd.Context(), printer(cmd), args[0], args[1])
		},
	}
}
