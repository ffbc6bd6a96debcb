package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"
)

func (a *app) migrateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "migrate",
		Short: "Bring the database to this version's schema",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return a.migrate(cmd.Context()) },
	}
}

func (a *app) migrate(ctx context.Context) error {
	p, err := a.open(ctx, slog.LevelInfo, true)
	if err != nil {
		return err
	}
	defer p.close()
	was := p.older
	lock, err := p.lock(ctx, migrating)
	if err != nil {
		return err
	}
	v, err := p.store.SchemaVersion(ctx)
	if err == nil && was {
		fmt.Fprintf(a.stdout, "The database is at version %d now.\n", v.Database)
	} else if err == nil {
		fmt.Fprintf(a.stdout, "The database is at version %d already.\n", v.Database)
	}
	return errors.Join(err, lock.Unlock())
}

func (a *app) backupCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE",
		Short: "Write a copy of the database, also while mail goes out",
		Args:  one("which file", "backup FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(p *publication) error {
				if err := p.store.Backup(cmd.Context(), args[0]); err != nil {
					return err
				}
				fmt.Fprintf(a.stdout, "Backed up to %s.\n", args[0])
				return nil
			})
		},
	}
}
