package main

import (
	"github.com/spf13/cobra"

	"github.com/varve-search/varve/internal/repotool"
)

func repoVerify() *cobra.Command {
	var deep bool
	cmd := &cobra.Command{
		Use:   "verify LOCATION",
		Short: "Check that a repository is whole",
		Long: `Check that every blob that a snapshot needs is there with its length and that all
metadata can be read. With --deep, read every byte against its checksum, and then
look into the index of every shard of every snapshot, as CheckIndex does; what
snapshots share is looked at once.

Exit status: 0 healthy, 1 something was found, 2 the check could not run. Blobs
that nothing refers to are shown, but do not make a repository unhealthy.
With --json each finding is an object on a line of its own with severity, blob
(its path in the repository), snapshot, index, shard, file and problem.

` + location,
		Example: `  varve repo verify fs:/mnt/backups
  varve repo verify --deep --json fs:/mnt/backups`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: complete(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			healthy, err := repotool.Verify(cmd.Context(), printer(cmd), args[0], deep)
			if err == nil && !healthy {
				err = errFindings
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&deep, "deep", false, "read every byte, and look into every shard's index")
	return cmd
}
