package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"threadmill/internal/backup"
	"threadmill/internal/newsletter"
)

const (
	// backupLook is how often it is looked whether a backup is due, and backupLate
	// how long one waits at most for mail that goes out.
	backupLook = time.Minute
	backupLate = 12 * time.Hour
	// backupName names an archive by its time; a later one sorts after it.
	backupName = "threadmill-20060102T150405Z" + backup.EndingZstd
)

// keepBackups backs the publication up as often as the config says, until ctx is
// done.
func (p *publication) keepBackups(ctx context.Context, group *errgroup.Group) {
	if p.Backup.Every == 0 {
		return
	}
	group.Go(func() error {
		tick := time.NewTicker(backupLook)
		defer tick.Stop()
		for {
			if err := p.backUpWhenDue(ctx, time.Now()); err != nil && ctx.Err() == nil {
				p.log.Error("no backup was made; it is tried again", "err", err)
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return nil
			}
		}
	})
}

// backUpWhenDue makes a backup where one is due and no mail goes out. A warning
// stands while none can be made.
func (p *publication) backUpWhenDue(ctx context.Context, now time.Time) error {
	last, err := p.store.BackedUp(ctx)
	late := now.Sub(last.Add(p.Backup.Every))
	if err != nil || late < 0 && !last.After(now) { // unless a clock was wrong
		return err
	}
	left, err := p.leftover(ctx)
	if err != nil || left.Pending > 0 && !last.IsZero() && late < backupLate {
		return err
	}
	if err := p.backUpNow(ctx, now); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if werr := p.store.Warn(ctx, newsletter.WarningBackup, err.Error()); werr != nil {
			p.log.Error("note a warning", "kind", newsletter.WarningBackup, "err", werr)
		}
		return err
	}
	return p.store.Unwarn(ctx, newsletter.WarningBackup)
}

func (p *publication) backUpNow(ctx context.Context, now time.Time) error {
	dir := p.Path(p.Backup.Dir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	file := filepath.Join(dir, now.UTC().Format(backupName))
	if err := p.backUp(ctx, file, false); err != nil {
		return err
	}
	p.log.Info("backed up", "file", file)
	if err := p.store.SetBackedUp(ctx, now); err != nil {
		return err
	}
	return forgetBackups(dir, p.Backup.Keep)
}

// forgetBackups removes the oldest of the archives that run wrote.
func forgetBackups(dir string, keep int) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var names []string
	for _, e := range entries {
		if _, err := time.Parse(backupName, e.Name()); err == nil && e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	for _, name := range names[:max(len(names)-keep, 0)] {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("remove an old backup: %w", err)
		}
	}
	return nil
}
