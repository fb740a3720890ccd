package main

import (
	"github.com/spf13/cobra"

	"github.com/varve-search/varve/internal/repotool"
)

func repoCp() *cobra.Command {
	return &cobra.Command{
		Use:   "cp SOURCE DESTINATION [SNAPSHOT...]",
		Short: "Copy snapshots into another repository",
		Long: `Copy snapshots, all without names, into another repository, which is made if it is
not there. Snapshots keep their names, UUIDs and times. Files that the destination
has of the same index are not sent again; every byte that is sent is verified
against its checksum. Snapshots that are there already are skipped, so that the
same command goes on after it was interrupted.

No cluster may take or delete snapshots in DESTINATION meanwhile: one of the two
would end with a concurrent modification, without damage.

SOURCE and DESTINATION are SCHEME:PLACE, such as fs:PATH.`,
		Example: `  varve repo cp fs:/mnt/backups fs:/mnt/offsite
  varve repo cp fs:/mnt/backups fs:/mnt/offsite nightly-2026.11.19 nightly-2026.11.20`,
		Args: cobra.MinimumNArgs(2),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return complete(false)(cmd, nil, toComplete)
			}
			return complete(true, "", "snapshot")(cmd, args, toComplete)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return repotool.Copy(cmd.Context(), printer(cmd), args[0], args[1], args[2:])
		},
	}
}
