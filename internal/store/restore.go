package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"threadmill/internal/newsletter"
)

// BackupPlain writes a copy without what others could act with in the place of
// the publication: the keys that sign links, and certificates with theirs.
func (s *Store) BackupPlain(ctx context.Context, path string) error {
	full := path + ".full"
	if err := s.Backup(ctx, full); err != nil {
		return err
	}
	defer os.Remove(full)
	copied, err := open(full, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	err = copied.tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM keys WHERE purpose IN ($1, $2)`, KeyTokens, KeyCalendar); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM certificates`)
		return err
	})
	if err == nil {
		err = copied.Backup(ctx, path) // which leaves behind what was deleted
	}
	err = errors.Join(err, copied.Close())
	for _, beside := range []string{"-wal", "-shm"} {
		_ = os.Remove(full + beside) // Close took them away where it could
	}
	if err != nil {
		return fmt.Errorf("take the secrets out of the copy: %w", err)
	}
	return nil
}

// Restore makes a copy that was taken at a time a database of its own: it is held
// until somebody resumes it, slots since then are over, and what mail was to leave
// is in doubt, for it may have left since. Letters to one person are over: they may
// have left too, and whoever misses one asks again. Keys that the copy lacks are made anew.
func (s *Store) Restore(ctx context.Context, at time.Time) (doubts int, err error) {
	if err := s.createKeys(ctx); err != nil {
		return 0, err
	}
	err = s.tx(ctx, func(tx *sql.Tx) error {
		for name, value := range map[string]any{settingInstance: newWord(), settingRestored: at} {
			if err := setSetting(ctx, tx, name, value); err != nil {
				return err
			}
		}
		if err := s.setPause(ctx, tx, newsletter.Pause{Since: at, Sending: true}); err != nil {
			return err
		}
		doubts, err = s.settle(ctx, tx, `UPDATE deliveries SET state = 'in_doubt', doubts = doubts + 1, next_at = NULL, hold = NULL
			WHERE state IN ('pending', 'deferred', 'sending')`)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE letters SET next_at = NULL WHERE next_at IS NOT NULL`); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE author_copies SET sent_at = $1 WHERE sent_at IS NULL`, ms(at))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("hold what was restored: %w", err)
	}
	return doubts, nil
}

// settingBackedUp is when the last backup was made that was due.
const settingBackedUp = "backed_up"

// BackedUp is when the last backup was made that was due; zero before the first.
func (s *Store) BackedUp(ctx context.Context) (at time.Time, err error) {
	err = setting(ctx, s.reader, settingBackedUp, &at)
	return at, err
}

// SetBackedUp notes that one was.
func (s *Store) SetBackedUp(ctx context.Context, at time.Time) error {
	return s.tx(ctx, func(tx *sql.Tx) error { return setSetting(ctx, tx, settingBackedUp, at) })
}
