package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func manCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "man DIR",
		Short:   "Write the man pages of all commands into a folder",
		Long:    "Write a man page for each command into a folder, which is made if it is not there.",
		Example: "  varve man /usr/local/share/man/man1",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("make the folder of the man pages: %w", err)
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true
			// The date is fixed for a version, so that the pages are the same each time.
			date := time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC)
			return doc.GenManTree(root, &doc.GenManHeader{Title: "VARVE", Section: "1", Source: "varve " + version, Manual: "Varve", Date: &date}, args[0])
		},
	}
}
