package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// app is what every command starts from.
type app struct {
	world
	config  string // path of the config file
	verbose bool
	started bool // the command line was understood
}

const exitStatusHelp = `EXIT STATUS
  0    done
  1    failed
  2    usage or configuration
  3    published, but some deliveries failed for good
  75   bounce: not now; the mail server is to try again
  130  interrupted`

// execute is run without the signals.
func execute(ctx context.Context, args []string, w world) int {
	a := &app{world: w}
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil && !a.started {
		err = &usageError{err}
	}
	status := exitStatus(ctx, err)
	if err != nil {
		fmt.Fprintf(a.stderr, "threadmill: %v\n", err)
		if status == statusUsage && !a.started {
			fmt.Fprintln(a.stderr, "Run `threadmill help` for the commands and their flags.")
		}
	}
	return status
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "threadmill",
		Short: "Publish a folder of threads by mail and feed",
		Long: `Threadmill publishes a folder of threads, ordered series of short posts: at each
slot of a schedule the next one goes out by mail, and as RSS, Atom and JSON Feed.

Try it:          threadmill demo
Begin your own:  threadmill init`,
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRun: func(*cobra.Command, []string) {
			a.started = true
		},
	}
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetUsageTemplate(root.UsageTemplate() + "\n" + exitStatusHelp + "\n")
	root.PersistentFlags().StringVar(&a.config, "config", "config.yaml", "the publication's config `file`; relative paths in it count from its folder")
	root.PersistentFlags().BoolVar(&a.verbose, "verbose", false, "log more")
	root.AddCommand(
		a.initCommand(), a.demoCommand(), a.threadsCommand(), a.nextCommand(), a.previewCommand(), a.checkCommand(),
		a.buildCommand(), a.publishCommand(), a.runCommand(), a.issuesCommand(), a.statusCommand(),
		a.subscribersCommand(), a.importCommand(), a.pauseCommand(), a.resumeCommand(), a.skipCommand(), a.archiveCommand(),
		a.bounceCommand(), a.retryCommand(), a.resolveCommand(), a.backupCommand(), a.restoreCommand(), a.recoverCommand(), a.rehearseCommand(), a.migrateCommand(),
		a.dkimCommand(), a.configCommand(), a.versionCommand(), a.manCommand(),
	)
	root.InitDefaultCompletionCmd()
	return root
}

// log writes to stderr; quiet commands log only what needs attention.
func (a *app) log(level slog.Level) *slog.Logger {
	if a.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: level}))
}

// terminal tells whether somebody sits at v, one of the standard streams.
func terminal(v any) bool {
	f, ok := v.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
