package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	cmd, err := rootCommand().ExecuteContextC(ctx)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("interrupted; what has its name already is complete, and the command may be run again (%w)", err)
	}
	stop()
	switch {
	case err == nil:
	case errors.Is(err, errFindings):
		os.Exit(exitFindings)
	default:
		printError(os.Stderr, cmd, err)
		os.Exit(exitFailed)
	}
}

// printError tells why a command could not run: as JSON where it was to print that, too.
func printError(w io.Writer, cmd *cobra.Command, err error) {
	if asJSON, jerr := cmd.Flags().GetBool("json"); jerr == nil && asJSON {
		if line, jerr := json.Marshal(map[string]string{"error": err.Error()}); jerr == nil {
			fmt.Fprintln(w, string(line))
			return
		}
	}
	fmt.Fprintln(w, "varve: "+err.Error())
}

// explainArgs adds to errors about the number of arguments which those are.
func explainArgs(cmd *cobra.Command) {
	if check := cmd.Args; check != nil && cmd.Runnable() && cmd.HasParent() {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			err := check(cmd, args)
			if err != nil && !cmd.HasSubCommands() {
				err = fmt.Errorf("%w: %s", err, cmd.UseLine())
			}
			return err
		}
	}
	for _, sub := range cmd.Commands() {
		explainArgs(sub)
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
	explainArgs(root)
	return root
}
