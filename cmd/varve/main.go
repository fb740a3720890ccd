package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// version is what the program calls itself; releases set it with -ldflags.
var version = "0.1.0-dev"

// Exit codes of all commands.
const (
	exitFindings = 1 // the command ran, and what it looked at is not healthy
	exitFailed   = 2 // the command could not run
)

// errFindings ends a command that ran and found something wrong; what, it has printed.
var errFindings = errors.New("findings")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := rootCommand().ExecuteContext(ctx)
	stop()
	switch {
	case err == nil:
	case errors.Is(err, errFindings):
		os.Exit(exitFindings)
	default:
		fmt.Fprintln(os.Stderr, "varve: "+err.Error())
		os.Exit(exitFailed)
	}
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "varve",
		Short: "An OpenSearch-compatible search server, and a tool for snapshot repositories",
		Long: `Varve serves OpenSearch's REST API from real Lucene indices, takes and restores
real OpenSearch snapshots, and looks into snapshot repositories without a cluster.`,
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(serveCommand(), demoCommand(), repoCommand(), keystoreCommand(), manCommand())
	return root
}
