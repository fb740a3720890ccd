package main

import (
	"github.com/spf13/cobra"

	"github.com/varve-search/varve/internal/repotool"
)

func repoRepair() *cobra.Command {
	var deep, apply bool
	cmd := &cobra.Command{
		Use:   "repair LOCATION",
		Short: "Plan how a damaged repository can be made whole, and with --apply do it",
		Long: `Look at everything in a repository and print how it can be made whole: a lost or
damaged index-N and the indices of shards are rebuilt from the blobs that are there,
lists that are lost from what others know; what cannot be saved is taken out of its
snapshots, and named. With --deep the contents of all files are read too.

Without --apply nothing is written. With it, a copy of everything that is replaced
goes to the folder varve-repair of the repository, and no data is deleted. Nobody
else may use the repository meanwhile; register it anew afterwards.

Exit status: 0 nothing to repair, or repaired; 1 there is a plan; 2 it could not run.

` + location,
		Example: `  varve repo repair fs:/mnt/backups
  varve repo repair --deep --apply fs:/mnt/backups`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: complete(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			found, err := repotool.Repair(cmd.Context(), printer(cmd), args[0], deep, apply)
			if err == nil && found && !apply {
				err = errFindings
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&deep, "deep", false, "also read every byte of every file")
	cmd.Flags().BoolVar(&apply, "apply", false, "do what the plan says")
	return cmd
}
