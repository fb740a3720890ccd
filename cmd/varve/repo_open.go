package main

import (
	"github.com/spf13/cobra"

	"github.com/varve-search/varve/internal/repotool"
)

func repoOpen() *cobra.Command {
	o := repotool.ServeOptions{Version: version}
	var level string
	cmd := &cobra.Command{
		Use:   "open LOCATION [SNAPSHOT [INDEX...]]",
		Short: "Serve a snapshot read-only, in one command",
		Long: `Start a server on a temporary folder that shows the indices of a snapshot, the
newest without a name, all or those named (patterns too), over OpenSearch's REST API.
Data is read where it lies, so that the server answers at once; the repository is
registered read-only and nothing is written to it. Ctrl-C ends it and leaves nothing
behind.

` + location,
		Example: `  varve repo open fs:/mnt/backups
  varve repo open --port 9299 fs:/mnt/backups nightly-2026.11.20 'logs-*'`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: complete(true, "snapshot", "index"),
		RunE: func(cmd *cobra.Command, args []string) error {
			log, err := logger(level)
			if err != nil {
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
	cmd.Flags().StringVar(&level, "log-level", "error", "debug, info, warn or error")
	return cmd
}
