package main

import (
	"github.com/spf13/cobra"

	"github.com/varve-search/varve/internal/repotool"
)

func repoCat() *cobra.Command {
	return &cobra.Command{
		Use:   "cat LOCATION SNAPSHOT INDEX",
		Short: "Print the documents of an index in a snapshot",
		Long: `Print the live documents of an index in a snapshot, one
{"_id":…,"_routing":…,"_source":…} a line, in an order that is the same each time.

` + location,
		Example:           `  varve repo cat fs:/mnt/backups nightly-2026.11.20 products > products.ndjson`,
		Args:              cobra.ExactArgs(3),
		ValidArgsFunction: complete(false, "snapshot", "index"),
		RunE: func(cmd *cobra.Command, args []string) error {
			p := printer(cmd)
			p.Progress = nil // the lines show how far it is
			return repotool.Cat(cmd.Context(), p, args[0], args[1], args[2])
		},
	}
}
