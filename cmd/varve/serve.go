package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"
	_ "time/tzdata" // zones of date aggregations, wherever the binary runs

	"github.com/spf13/cobra"

	"github.com/varve-search/varve/internal/heapfloor"
	"github.com/varve-search/varve/internal/node"
)

// stopWithin is how long requests and commits may take when the server is told to stop.
const stopWithin = time.Minute

func serveCommand() *cobra.Command {
	var file, level string
	var overrides []string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Start a server",
		Long: `Start a server. Its settings have the keys of opensearch.yml: path.data, path.repo,
http.host, http.port, cluster.name, node.name, … They come from the file given with
-c (or varve.yml in the current folder, if it is there), and from -E key=value, which wins.

On SIGTERM or SIGINT it finishes what runs, commits, and leaves.`,
		Example: `  varve serve
  varve serve -c varve.yml
  varve serve -E path.data=/var/lib/varve -E path.repo=/mnt/backups -E http.port=9200`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := logger(level)
			if err != nil {
				return err
			}
			cfg, err := node.LoadConfig(file, overrides)
			if err != nil {
				return err
			}
			heapfloor.Keep()
			s, err := node.Start(cmd.Context(), cfg, version, log)
			if err != nil {
				return err
			}
			log.Info("the server answers", "url", s.URL())
			var failed error
			select {
			case <-cmd.Context().Done():
				log.Info("the server stops")
			case failed = <-s.Failed():
			}
			ctx, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), stopWithin)
			defer cancel()
			if err := s.Stop(ctx); err != nil {
				return fmt.Errorf("stop the server: %w", err)
			}
			return failed
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", "", "configuration file (default varve.yml, if it is there)")
	cmd.Flags().StringArrayVarP(&overrides, "setting", "E", nil, "a setting, key=value; repeatable")
	cmd.Flags().StringVar(&level, "log-level", "info", "debug, info, warn or error")
	return cmd
}

func logger(level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log-level: %w", err)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: l})), nil
}
