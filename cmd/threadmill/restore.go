package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"threadmill/internal/backup"
	"threadmill/internal/config"
	"threadmill/internal/store"
)

func (a *app) restoreCommand() *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Make a publication of an archive that backup wrote, held until resume",
		Long: `Restore takes an archive of ` + "`threadmill backup`" + ` apart, compares it with its sums, and
writes the publication into the folder of the config, or the one that --to names. A
folder that has a database, or other files in the place of those, is refused.

The publication is held then: nothing is published and no mail leaves. Slots since the
backup are over, and mail that was still to leave is in doubt, since another server may
have sent it. What to do is told at the end; ` + "`threadmill resume`" + ` lets it go on.`,
		Args: one("which file", "restore FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := to
			if dir == "" {
				dir = filepath.Dir(a.config)
			}
			return a.restore(cmd.Context(), args[0], dir)
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "restore into this `DIR`")
	return cmd
}

func (a *app) restore(ctx context.Context, file, dir string) error {
	f, err := os.Open(file)
	if err != nil {
		return &usageError{err}
	}
	defer f.Close()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := sweepStages(dir); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	stage, err := os.MkdirTemp(dir, stageName+"*")
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	defer os.RemoveAll(stage)
	list, err := backup.Extract(ctx, f, stage, freeSpace)
	if err != nil {
		return fmt.Errorf("restore %s: %w", file, err)
	}
	r := restoring{app: a, dir: dir, stage: stage, list: list}
	if err := r.plan(); err != nil {
		return fmt.Errorf("restore %s: %w", file, err)
	}
	doubts, err := r.hold(ctx)
	if err != nil {
		return fmt.Errorf("restore %s: %w", file, err)
	}
	if err := r.place(); err != nil {
		return fmt.Errorf("restore %s: %w", file, err)
	}
	r.tell(doubts)
	return nil
}

// stageName begins the names of the folders in which archives are taken apart.
const stageName = ".threadmill-restore-"

// sweepStages removes what a restore left behind that was killed: it may hold keys.
func sweepStages(dir string) error {
	left, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range left {
		if e.IsDir() && strings.HasPrefix(e.Name(), stageName) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

// restoring is an archive on its way into a folder.
type restoring struct {
	*app
	dir, stage string
	list       backup.List
	moves      []move // the database last
	elsewhere  []string
}

type move struct{ from, to string }

// plan decides what goes where, and refuses what is in the way.
func (r *restoring) plan() error {
	var database string
	for _, e := range r.list.Files {
		from := filepath.Join(r.stage, filepath.FromSlash(e.Name))
		name, below := strings.CutPrefix(e.Name, backupFiles)
		switch {
		case e.Name == backupDatabase:
			database = from
			continue
		case below || e.Name == backupConfig:
		case strings.HasPrefix(e.Name, backupElsewhere):
			r.elsewhere = append(r.elsewhere, e.Name)
		default:
			return fmt.Errorf("%w: %q is no file of a publication", backup.ErrDamaged, e.Name)
		}
		r.moves = append(r.moves, move{from, filepath.Join(r.dir, filepath.FromSlash(name))})
	}
	if database == "" {
		return fmt.Errorf("%w: it holds no database", backup.ErrDamaged)
	}
	to, err := r.database()
	if err != nil {
		return err
	}
	if err := noJournal(to); err != nil {
		return err
	}
	r.moves = append(r.moves, move{database, to})
	for _, m := range r.moves {
		if err := inTheWay(m); err != nil {
			return err
		}
	}
	return nil
}

// database is where the config that was packed wants the database.
func (r *restoring) database() (string, error) {
	for _, e := range r.list.Files {
		if e.Name == backupFiles+".env" { // beside the config, which may need it
			text, err := os.ReadFile(filepath.Join(r.stage, filepath.FromSlash(e.Name)))
			if err == nil {
				err = os.WriteFile(filepath.Join(r.stage, ".env"), text, 0o600)
			}
			if err != nil {
				return "", err
			}
		}
	}
	cfg, err := config.Load(filepath.Join(r.stage, backupConfig), r.env)
	if err != nil {
		r.log(slog.LevelWarn).Warn("the config cannot be read as it is; the database is restored as threadmill.db", "err", err)
		return filepath.Join(r.dir, "threadmill.db"), nil
	}
	source := cfg.DatabaseSource()
	if below, err := filepath.Rel(r.stage, source); err == nil && filepath.IsLocal(below) {
		return filepath.Join(r.dir, below), nil
	}
	return source, nil
}

// noJournal is an error where the journal of another database lies beside the
// place of one: SQLite would take it for that of the restored one
// (https://www.sqlite.org/howtocorrupt.html, section 1.4).
func noJournal(database string) error {
	for _, end := range []string{"-wal", "-journal"} {
		if info, err := os.Stat(database + end); err == nil && info.Size() > 0 {
			return fmt.Errorf("%s belongs to a database that was there before and would spoil this one; move it away, or name an empty folder with --to", database+end)
		}
	}
	return nil
}

// inTheWay is an error where another file stands in the place of one.
func inTheWay(m move) error {
	old, err := os.ReadFile(m.to)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if filepath.Base(m.from) == backupDatabase {
		return fmt.Errorf("there is a database already: %s; name an empty folder with --to", m.to)
	}
	fresh, ferr := os.ReadFile(m.from)
	if err != nil || ferr != nil || !bytes.Equal(old, fresh) {
		return fmt.Errorf("another file stands at %s; name an empty folder with --to, or move it away", m.to)
	}
	return nil
}

// hold makes a held database of the copy.
func (r *restoring) hold(ctx context.Context) (doubts int, err error) {
	s, err := store.Open(ctx, filepath.Join(r.stage, backupDatabase), r.log(slog.LevelWarn))
	if errors.Is(err, store.ErrOlder) {
		_, err = s.Migrate(ctx)
	}
	if err == nil {
		doubts, err = s.Restore(ctx, r.list.CreatedAt)
	}
	if s != nil {
		err = errors.Join(err, s.Close())
	}
	return doubts, err
}

// place moves all into the folder.
func (r *restoring) place() error {
	for _, m := range r.moves {
		if err := os.MkdirAll(filepath.Dir(m.to), 0o755); err != nil {
			return err
		}
		if err := os.Rename(m.from, m.to); err != nil {
			return err
		}
	}
	return nil
}

func (r *restoring) tell(doubts int) {
	fmt.Fprintf(r.stdout, "Restored %s of %s into %s.\n", plural(len(r.list.Files), "file"), r.list.CreatedAt.Format("2 January 2006 15:04 MST"), r.dir)
	for _, name := range r.elsewhere {
		fmt.Fprintf(r.stderr, "threadmill: warning: %s stood outside of the publication's folder and is in %s now; put it in its place, or change the config\n",
			strings.TrimPrefix(name, strings.TrimSuffix(backupElsewhere, "/")), filepath.Join(r.dir, filepath.FromSlash(name)))
	}
	if !r.list.Secrets {
		fmt.Fprintln(r.stderr, "threadmill: warning: the archive has no secrets: write .env and keys again; links in mails that went out before do not work any more")
	}
	if doubts > 0 {
		fmt.Fprintf(r.stderr, "threadmill: %s in doubt: another server may have sent them since; `threadmill status` names the issues, `threadmill resolve N --skip` or --resend settles them\n",
			plural(doubts, "message"))
	}
	fmt.Fprintf(r.stderr, "threadmill: warning: whoever left or signed up after %s is not known here, nor who bounced; where the old database can still be read, `threadmill subscribers export` there and `subscribers import` here bring that over\n",
		r.list.CreatedAt.Format("2 January 2006 15:04 MST"))
	printLines(r.stdout, "The publication is held. Next:",
		"  stop the old server, if there is one",
		"  threadmill recover --from URL    marks as sent what the public site shows",
		"  threadmill resume                lets it go on (--take-over after a move)")
}
