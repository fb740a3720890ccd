package main

import (
	"github.com/spf13/cobra"

	"github.com/varve-search/varve/internal/repotool"
	"github.com/varve-search/varve/internal/settings"
)

func repoOpen() *cobra.Command {
	o := repotool.ServeOptions{Version: version}
	var level, cache string
	cmd := &cobra.Command{
		Use:   "open LOCATION [SNAPSHOT [INDEX...]]",
		Short: "Serve a snapshot read-only, in one command",
		Long: `Start a server on a temporary folder that shows the indices of a snapshot, the
newest without a name, all or those named (patterns too), over OpenSearch's REST API.
Data is read where it lies, so that the server answers at once; blocks that were read
are kept in the temporary folder (TMPDIR), as many as --cache allows. The repository
is registered read-only and nothing is written to it. Ctrl-C ends it and leaves nothing
behind. For shallow snapshots of OpenSearch say --remote-store.

` + location,
		Example: `  varve repo open fs:/mnt/backups
  varve repo open --port 9299 fs:/mnt/backups nightly-2026.11.20 'logs-*'
  varve repo open --cache 5gb 's3://backups/cluster-1?region=eu-central-1'`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: complete(true, "snapshot", "index"),
		RunE: func(cmd *cobra.Command, args []string) error {
			log, err := logger(level)
			if err != nil {
				return err
			}
			if o.Cache, err = settings.ParseBytes(cache, "--cache"); err != nil {
				return err
			}
			o.Log, o.Location = log, args[0]
			if len(args) > 1 {
				o.Snapshot, o.Indices = args[1], args[2:]
			}
			return repotool.Serve(cmd.Context(), printer(cmd), o, nil)
		},
	}
	cmd.Flags().IntVar(&o.Port, "port", 0, "port to listen on (default: a free one)")
	cmd.Flags().StringVar(&cache, "cache", "1gb", "how much of the repository's data is kept on the local disk")
	cmd.Flags().StringVar(&level, "log-level", "error", "debug, info, warn or error")
	return cmd
}
