package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/varve-search/varve/internal/repotool"
)

func repoExport() *cobra.Command {
	o := repotool.ExportOptions{}
	var format, output string
	cmd := &cobra.Command{
		Use:   "export LOCATION SNAPSHOT [INDEX...]",
		Short: "Export the documents of indices, all or those that a query finds",
		Long: `Export documents of a snapshot as NDJSON: one {"_id":…,"_routing":…,"_source":…}
a line (with "_index" first where more than one index may be meant), or with
--format bulk the lines that the _bulk API takes. INDEX may be a pattern; without
one, all indices are exported.

A file given with --output appears when it is complete.

` + location,
		Example: `  varve repo export fs:/mnt/backups nightly products --query '{"term":{"brand":"acme"}}'
  varve repo export fs:/mnt/backups nightly 'logs-*' --format bulk -o logs.ndjson
  varve repo export fs:/mnt/backups nightly --query @query.json --includes 'user.*'
  varve repo export fs:/mnt/backups nightly products --format bulk --target restored |
    curl -H 'Content-Type: application/x-ndjson' --data-binary @- localhost:9200/_bulk`,
		Args:              cobra.MinimumNArgs(2),
		ValidArgsFunction: complete(true, "snapshot", "index"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Location, o.Snapshot, o.Indices = args[0], args[1], args[2:]
			switch format {
			case "ndjson":
			case "bulk":
				o.Bulk = true
			default:
				return fmt.Errorf("--format is %q; it may be ndjson or bulk", format)
			}
			if file, ok := strings.CutPrefix(o.Query, "@"); ok {
				b, err := os.ReadFile(file)
				if err != nil {
					return fmt.Errorf("read the query: %w", err)
				}
				o.Query = string(b)
			}
			o.ShowIndex = len(o.Indices) != 1 || strings.Contains(o.Indices[0], "*")
			p := printer(cmd)
			out, err := repotool.CreateOutput(output, cmd.OutOrStdout())
			if err != nil {
				return err
			}
			if output == "" || output == "-" {
				p.Progress = nil // the lines show how far it is
			}
			n, err := repotool.Export(cmd.Context(), p, out, o)
			if err = out.Close(err); err == nil && output != "" && output != "-" {
				fmt.Fprintf(cmd.ErrOrStderr(), "%d documents in %s\n", n, output)
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.Query, "query", "q", "", "a query in JSON as the search API takes it, or @FILE")
	f.StringVar(&format, "format", "ndjson", "ndjson or bulk")
	f.StringVar(&o.Target, "target", "", "name of the index in bulk lines (default: each document's own)")
	f.StringVarP(&output, "output", "o", "", "file to write (default: standard output)")
	f.StringSliceVar(&o.Includes, "includes", nil, "fields of _source to keep, with wildcards")
	f.StringSliceVar(&o.Excludes, "excludes", nil, "fields of _source to leave out, with wildcards")
	f.Int64Var(&o.Limit, "limit", 0, "export at most so many documents; 0: all")
	f.IntVar(&o.Shard, "shard", -1, "read only this shard")
	return cmd
}
