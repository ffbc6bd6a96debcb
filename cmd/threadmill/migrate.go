package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"threadmill/internal/config"
	"threadmill/internal/store"
)

type migrateOptions struct {
	to     string
	toFile string
	json   bool
}

func (a *app) migrateCommand() *cobra.Command {
	var o migrateOptions
	cmd := &cobra.Command{
		Use:   "migrate [--to ADDRESS | --to-file FILE]",
		Short: "Bring the database to this version's schema, or move it to PostgreSQL",
		Long: `Migrate brings the database to the schema of this version. ` + "`run` and `publish`" + ` do
so too when they begin.

With --to it moves the publication from its SQLite file to a PostgreSQL database,
which must be there and be empty (createdb makes one):

  threadmill migrate --to 'postgres://me:${DB_PASSWORD}@db.example.com:5432/news'

${NAME} is replaced from the environment and from .env beside the config, so that
the password need not stand in the history of the shell; --to-file reads the
address from a file. Everything goes over, secrets and all, and is read back and
compared before it counts. No daemon may run meanwhile, and other commands wait.
When it fails or is interrupted nothing has changed; call it again.

After a move the file is closed for writing, so that nothing goes out twice.
Set database in the config to the new address and start the daemon again.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("to") || cmd.Flags().Changed("to-file") {
				return a.move(cmd.Context(), o)
			}
			if o.json {
				return &usageError{errors.New("--json goes with --to")}
			}
			return a.migrate(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.to, "to", "", "move to the PostgreSQL database with this `ADDRESS`, postgres://user:password@host:5432/name")
	f.StringVar(&o.toFile, "to-file", "", "move to the database whose address stands in this `FILE`")
	f.BoolVar(&o.json, "json", false, "with --to: print a JSON document")
	cmd.MarkFlagsMutuallyExclusive("to", "to-file")
	return cmd
}

func (a *app) migrate(ctx context.Context) error {
	p, err := a.open(ctx, slog.LevelInfo, true)
	if err != nil {
		return err
	}
	defer p.close()
	was := p.older
	if err := p.upgrade(ctx); err != nil {
		return err
	}
	v, err := p.store.SchemaVersion(ctx)
	if err == nil && was {
		fmt.Fprintf(a.stdout, "The database is at version %d now.\n", v.Database)
	} else if err == nil {
		fmt.Fprintf(a.stdout, "The database is at version %d already.\n", v.Database)
	}
	return err
}

// moveReport is what `migrate --to --json` prints.
type moveReport struct {
	store.Moved
	Seconds float64 `json:"seconds"`
}

func (a *app) move(ctx context.Context, o migrateOptions) error {
	cfg, err := config.Load(a.config, a.env)
	if err != nil {
		return err
	}
	address, err := cfg.SecretArgument(o.to, o.toFile)
	if err != nil {
		return &usageError{fmt.Errorf("--to: %w", err)}
	}
	for _, w := range cfg.Warnings {
		fmt.Fprintf(a.stderr, "threadmill: warning: %s\n", w)
	}
	if !strings.Contains(address.Reveal(), "://") || strings.Contains(cfg.DatabaseSource(), "://") {
		return &usageError{errors.New("--to moves an SQLite file to the address of a PostgreSQL database, such as postgres://user:password@host:5432/name")}
	}
	from, err := store.Open(ctx, cfg.DatabaseSource(), a.log(slog.LevelWarn))
	if from == nil {
		return err
	}
	defer from.Close()
	if moved, ok := errors.AsType[*store.MovedError](err); ok && moved.Done {
		return err
	}
	start := time.Now()
	tell, shown := a.showMove()
	moved, err := from.Move(ctx, address.Reveal(), tell)
	shown()
	if err != nil {
		return err
	}
	return a.reportMove(moveReport{moved, time.Since(start).Seconds()}, o)
}

// showMove shows how far a move is, as a bar at a terminal and as a line of the
// log every ten seconds elsewhere.
func (a *app) showMove() (tell func(store.Moving), done func()) {
	if terminal(a.stderr) {
		bar := newBar(a.stderr, -1, "move")
		return func(m store.Moving) {
			bar.ChangeMax64(m.Total)
			bar.Describe(m.Table)
			_ = bar.Set64(m.Done) // only for the eye
		}, func() { _ = bar.Finish() }
	}
	log := a.log(slog.LevelInfo)
	last := time.Now()
	return func(m store.Moving) {
		if time.Since(last) >= progressEvery {
			last = time.Now()
			log.Info("moving", "table", m.Table, "rows", m.Done, "of", m.Total)
		}
	}, func() {}
}

func (a *app) reportMove(r moveReport, o migrateOptions) error {
	out := a.stdout
	if o.json {
		out = a.stderr
	}
	for _, place := range r.Replaced {
		fmt.Fprintf(a.stderr, "threadmill: warning: %s has characters that PostgreSQL does not take; they became U+FFFD\n", place)
	}
	if more := r.ReplacedTexts - len(r.Replaced); more > 0 {
		fmt.Fprintf(a.stderr, "threadmill: warning: and %s more\n", plural(more, "text"))
	}
	setting := "database: " + r.To
	switch {
	case o.toFile != "":
		setting = "database_file: " + o.toFile
	case strings.Contains(o.to, "${"):
		setting = `database: "` + o.to + `"`
	}
	done := fmt.Sprintf("Moved %s in %s to %s in %.0f s, and compared them.", plural(int(r.Rows), "row"), plural(len(r.Tables), "table"), r.To, r.Seconds)
	if r.Tables == nil { // only the last step was missing
		done = "The move to " + r.To + " is complete."
	}
	printLines(out, done,
		r.From+" is closed for writing; keep it as a backup.", "",
		"Now write into the config", "", "  "+setting, "",
		"and start `threadmill run` again.")
	if o.json {
		return printJSON(a.stdout, r)
	}
	return nil
}
