package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/varve-search/varve/internal/repotool"
)

// location describes the first argument of the commands below repo.
const location = `LOCATION is fs:PATH for the folder in which index.latest lies, s3://BUCKET/PATH?region=R&endpoint=URL,
oss://BUCKET/PATH?endpoint=HOST, or http(s)://…; credentials come from the environment.`

func repoCommand() *cobra.Command {
	repo := &cobra.Command{
		Use:   "repo",
		Short: "Look into a snapshot repository without a cluster",
		Long: `Look into a snapshot repository of OpenSearch or Elasticsearch without a cluster.

Nothing is written but by cp (into its second LOCATION) and, when they are told
to with --apply, by prune and repair.

` + location + `

A shallow snapshot of OpenSearch has its data in another repository, the one of
remote segments. --remote-store LOCATION says where that is, its base path included: it
is for ls, show, du, cat, export, diff, cp, extract, open, prune, repair and
verify. One that pins a timestamp (shallow_snapshot_v2) also needs
the repository of the remote translog, where it has what was not refreshed:
--remote-translog LOCATION.

Every command prints JSON with --json. Colours and progress show on a terminal
only; NO_COLOR is honoured. Exit status: 0 done, 1 something was found (verify,
diff --exit-code, repair without --apply), 2 the command could not run.`,
		Args: func(cmd *cobra.Command, args []string) error { // an unknown command is an error, not a page of help
			err := cobra.NoArgs(cmd, args)
			if err == nil {
				return nil
			}
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				return fmt.Errorf("%w: did you mean %s?", err, strings.Join(near, " or "))
			}
			return fmt.Errorf("%w: `varve repo --help` shows what there is", err)
		},
		SuggestionsMinimumDistance: 2,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	repo.PersistentFlags().Bool("json", false, "print JSON, for scripts")
	repo.PersistentFlags().Bool("no-progress", false, "show no progress")
	remote := repo.PersistentFlags().String("remote-store", "", "where the data of shallow snapshots is, as LOCATION")
	translog := repo.PersistentFlags().String("remote-translog", "", "where the operations are that the data of shallow snapshots lacks, as LOCATION")
	repo.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		ctx := repotool.WithRemoteTranslog(repotool.WithRemoteStore(cmd.Context(), *remote), *translog)
		cmd.SetContext(ctx)
		return repotool.RemoteThere(ctx)
	}
	repo.AddCommand(repoLs(), repoShow(), repoDu(), repoVerify(), repoCat(), repoExport(), repoDiff(), repoCp(), repoExtract(), repoPrune(), repoRepair(), repoOpen(), repoCheckStore())
	return repo
}

// printer makes the Printer of a command from its flags and what its outputs are.
func printer(cmd *cobra.Command) *repotool.Printer {
	p := &repotool.Printer{Out: cmd.OutOrStdout()}
	p.JSON, _ = cmd.Flags().GetBool("json") // it is there for all commands below repo
	p.Color = !p.JSON && terminal(p.Out) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	if quiet, _ := cmd.Flags().GetBool("no-progress"); !quiet {
		p.Progress = repotool.NewProgress(cmd.ErrOrStderr(), terminal(cmd.ErrOrStderr()))
	}
	return p
}

func terminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// completeWithin bounds the look into a repository for a shell that waits.
const completeWithin = 3 * time.Second

// complete offers the names of snapshots and indices. The kinds are those of the arguments after LOCATION: "snapshot",
// "index" (of the snapshot before it) or "" for what is not completed; the last one repeats if more is set.
func complete(more bool, kinds ...string) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if path, ok := strings.CutPrefix(begun, "fs:"); ok && len(args) == 0 {
			return repotool.Folders(path), cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
		}
		if len(args) == 0 {
			return repotool.Schemes(), cobra.ShellCompDirectiveNoSpace
		}
		at := len(args) - 1
		if at >= len(kinds) && more {
			at = len(kinds) - 1
		}
		if at >= len(kinds) || kinds[at] == "" {
			return nil, cobra.ShellCompDirectiveDefault
		}
		parent := cmd.Context()
		if parent == nil {
			parent = context.Background()
		}
		ctx, cancel := context.WithTimeout(parent, completeWithin)
		defer cancel()
		snapshot := ""
		if kinds[at] == "index" && len(args) > 1 {
			snapshot = args[1]
		}
		return repotool.Names(ctx, args[0], kinds[at], snapshot), cobra.ShellCompDirectiveNoFileComp
	}
}
