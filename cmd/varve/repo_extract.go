package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/varve-search/varve/internal/repotool"
)

func repoExtract() *cobra.Command {
	return &cobra.Command{
		Use:   "extract LOCATION SNAPSHOT INDEX SHARD FOLDER",
		Short: "Take a shard out of a snapshot as a Lucene index",
		Long: `Write the files of one shard into a folder that Lucene's tools open: CheckIndex,
Luke, or a program of your own. Each file is verified against its checksum. FOLDER
must not be there, or be empty; it appears when all files are in it.

` + location,
		Example:           `  varve repo extract fs:/mnt/backups nightly-2026.11.20 products 0 ./products-0`,
		Args:              cobra.ExactArgs(5),
		ValidArgsFunction: complete(false, "snapshot", "index"),
		RunE: func(cmd *cobra.Command, args []string) error {
			shard, err := strconv.Atoi(args[3])
			if err != nil {
				return fmt.Errorf("%q is no number of a shard", args[3])
			}
			return repotool.Extract(cmd.Context(), printer(cmd), args[0], args[1], args[2], shard, args[4])
		},
	}
}
