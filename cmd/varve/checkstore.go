package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/varve-search/varve/blob"
	_ "github.com/varve-search/varve/blob/fs"
	_ "github.com/varve-search/varve/blob/oss"
	_ "github.com/varve-search/varve/blob/s3"
	"github.com/varve-search/varve/blob/storecheck"
	"github.com/varve-search/varve/internal/repotool"
)

func repoCheckStore() *cobra.Command {
	var opts storecheck.Options
	cmd := &cobra.Command{
		Use:   "check-store LOCATION",
		Short: "Try out whether a store can hold a repository",
		Long: `Try out whether a store can hold a repository: parallel writes, reads, ranges, lists,
overwriting, creation of what is absent by several writers at once, uploads in parts,
writes that break off, deletes, and the clocks. It WRITES into a folder tests-… below the location and removes it.
The folder of fs:PATH must be there.

Exit status: 0 fit, 1 something was found, 2 the check could not run.

` + location,
		Example:           `  varve repo check-store 's3://backups/try?endpoint=http://127.0.0.1:9000'`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: complete(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := repotool.FolderThere(args[0]); err != nil {
				return fmt.Errorf("check the store at %s: %w; create it first if it is meant to be there", args[0], err)
			}
			c, err := blob.Open(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			rep, err := storecheck.Run(cmd.Context(), c, opts)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if printer(cmd).JSON {
				enc := json.NewEncoder(out)
				enc.SetIndent("", "  ")
				err = enc.Encode(rep)
			} else {
				fmt.Fprintf(out, "%d checks, %d blobs, %d bytes written in %s, read in %s\n", len(rep.Checks), rep.BlobsWritten, rep.BytesWritten, rep.WriteTime, rep.ReadTime)
				if len(rep.Issues) == 0 {
					fmt.Fprintln(out, "The store is fit for a repository.")
				}
				for _, i := range rep.Issues {
					fmt.Fprintf(out, "%s: %s\n  %s\n", i.Check, i.Problem, i.Advice)
				}
			}
			if err == nil && len(rep.Issues) > 0 {
				err = errFindings
			}
			return err
		},
	}
	cmd.Flags().IntVar(&opts.Blobs, "blob-count", 100, "how many blobs are written")
	cmd.Flags().IntVar(&opts.Concurrency, "concurrency", 10, "requests at a time")
	cmd.Flags().Int64Var(&opts.MaxSize, "max-blob-size", 10<<20, "of a blob, in bytes")
	cmd.Flags().Int64Var(&opts.MaxTotal, "max-total-data-size", 1<<30, "of all blobs, in bytes")
	cmd.Flags().Float64Var(&opts.Rare, "rare-action-probability", 0.2, "share of blobs that are overwritten, and of writes that are broken off")
	cmd.Flags().BoolVar(&opts.EarlyReads, "early-reads", true, "read each blob while it is written, too")
	cmd.Flags().BoolVar(&opts.Detailed, "detailed", false, "with --json: what became of each blob")
	cmd.Flags().Int64Var(&opts.Seed, "seed", 1, "of sizes and contents")
	return cmd
}
