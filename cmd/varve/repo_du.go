package main

import (
	"github.com/spf13/cobra"

	"github.com/varve-search/varve/internal/repotool"
)

func repoDu() *cobra.Command {
	return &cobra.Command{
		Use:   "du LOCATION [SNAPSHOT...]",
		Short: "Show what snapshots and indices take, and what deleting would free",
		Long: `Show what each snapshot takes, how much of it no other snapshot shares, and what
deleting it would free; and what each index takes in all snapshots together.
With names, also what deleting those snapshots at once would free.

` + location,
		Example: `  varve repo du fs:/mnt/backups
  varve repo du fs:/mnt/backups nightly-2026.11.01 nightly-2026.11.02`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: complete(true, "snapshot"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return repotool.Du(cmd.Context(), printer(cmd), args[0], args[1:])
		},
	}
}
