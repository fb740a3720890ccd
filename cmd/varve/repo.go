package main

import (
	"github.com/spf13/cobra"

	"github.com/varve-search/varve/internal/repotool"
)

// location describes the first argument of the commands below repo.
const location = `LOCATION is fs:PATH, the folder in which index.latest lies.`

func repoCommand() *cobra.Command {
	repo := &cobra.Command{
		Use:   "repo",
		Short: "Look into a snapshot repository without a cluster",
		Long:  "Look into a snapshot repository without a cluster. Nothing is written.\n\n" + location,
	}
	repo.AddCommand(repoLs(), repoVerify(), repoCat())
	return repo
}

func repoLs() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "ls LOCATION [SNAPSHOT]",
		Short: "List the snapshots of a repository, or the indices of a snapshot",
		Long:  "List the snapshots of a repository, oldest first, or the indices of one snapshot.\n\n" + location,
		Example: `  varve repo ls fs:/mnt/backups
  varve repo ls fs:/mnt/backups nightly-2026.11.20
  varve repo ls --json fs:/mnt/backups`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 2 {
				return repotool.ListIndices(cmd.Context(), cmd.OutOrStdout(), args[0], args[1], asJSON)
			}
			return repotool.List(cmd.Context(), cmd.OutOrStdout(), args[0], asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func repoVerify() *cobra.Command {
	var asJSON, deep bool
	cmd := &cobra.Command{
		Use:   "verify LOCATION",
		Short: "Check that a repository is whole",
		Long: `Check that every blob that a snapshot needs is there with its length and that all
metadata can be read; with --deep, read every byte against its checksum.

Exit status: 0 healthy, 1 something was found, 2 the check could not run.
With --json each finding is an object on a line of its own with severity, blob
(its path in the repository), snapshot, index, shard, file and problem.

` + location,
		Example: `  varve repo verify fs:/mnt/backups
  varve repo verify --deep --json fs:/mnt/backups`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			healthy, err := repotool.Verify(cmd.Context(), cmd.OutOrStdout(), args[0], deep, asJSON)
			if err == nil && !healthy {
				err = errFindings
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print each finding as JSON on a line")
	cmd.Flags().BoolVar(&deep, "deep", false, "read every byte and compare its checksum")
	return cmd
}

func repoCat() *cobra.Command {
	return &cobra.Command{
		Use:   "cat LOCATION SNAPSHOT INDEX",
		Short: "Print the documents of an index in a snapshot",
		Long: `Print the live documents of an index in a snapshot, one
{"_id":…,"_routing":…,"_source":…} a line, in an order that is the same each time.

` + location,
		Example: `  varve repo cat fs:/mnt/backups nightly-2026.11.20 products > products.ndjson`,
		Args:    cobra.ExactArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			return repotool.Cat(cmd.Context(), cmd.OutOrStdout(), args[0], args[1], args[2])
		},
	}
}
