package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"threadmill/internal/newsletter"
)

// unstaged are the tables that a copy of a server's database goes without: who
// got what, what others told of it, and what only says who is at work.
var unstaged = []string{
	"author_copies", "batches", "certificates", "deliveries", "holds", "issue_holds", "letters", "nodes", "reports", "sites",
	"subscriber_events", "warnings",
}

// Stage copies the database at source to the file path, which must not exist,
// and opens the copy, which has a clock of its own and new keys for links, so
// that what is done to it means nothing to the publication. The source is only
// read, not even a file of its log is moved into it; of one on a server the copy
// has what publishing needs. Where there is no source the copy is a new database.
func Stage(ctx context.Context, source, path string, clock func() time.Time, log *slog.Logger) (*Store, error) {
	fail := func(err error, more ...error) (*Store, error) {
		return nil, errors.Join(append([]error{fmt.Errorf("copy the database: %w", err)}, more...)...)
	}
	if !isPostgres(source) {
		if _, err := os.Stat(source); err == nil {
			if err := copyFile(ctx, source, path); err != nil {
				return fail(err)
			}
		} else if !errors.Is(err, os.ErrNotExist) {
			return fail(err)
		}
	}
	s, err := Open(ctx, path, log)
	if errors.Is(err, ErrOlder) {
		err = s.migrate(ctx)
	}
	if err != nil {
		return fail(err, closeOpen(s))
	}
	// Nobody will need it after a crash; tables may come in any order, and some not at all.
	if _, err := s.writer.ExecContext(ctx, `PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF`); err != nil {
		return fail(err, s.Close())
	}
	if isPostgres(source) {
		if err := s.copyServer(ctx, source); err != nil {
			return fail(err, s.Close())
		}
	}
	err = s.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM deliveries`) // see Enact
		if err == nil {
			_, err = tx.ExecContext(ctx, `UPDATE keys SET secret = randomblob(32) WHERE purpose = $1`, KeyTokens)
		}
		return err
	})
	if err != nil {
		return fail(err, s.Close())
	}
	s.clock = clock
	return s, nil
}

func closeOpen(s *Store) error {
	if s == nil {
		return nil
	}
	return s.Close()
}

// copyFile copies a database file over a connection that may not write it: the
// last one that may moves the log into the file when it closes.
func copyFile(ctx context.Context, source, path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return err
	}
	name := sqliteName(source, "deferred", writerBusy, readerCacheKB)
	if _, err := os.Stat(source + "-wal"); err == nil {
		name += "&mode=ro"
	} // without a log there is nothing to move, and who may not write would leave one behind
	db, err := sql.Open("sqlite", name)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, `VACUUM INTO $1`, path)
	return errors.Join(err, db.Close())
}

// copyServer copies what publishing needs out of a database on a server, as it
// is at one instant.
func (s *Store) copyServer(ctx context.Context, source string) error {
	from, err := Open(ctx, source, s.log)
	if err != nil {
		return errors.Join(err, closeOpen(from))
	}
	defer from.Close()
	tables, err := sqliteColumns(ctx, s.reader)
	if err != nil {
		return err
	}
	return from.view(ctx, func(rtx *sql.Tx) error {
		return s.tx(ctx, func(wtx *sql.Tx) error {
			for table, columns := range tables {
				if slices.Contains(unstaged, table) {
					continue
				}
				if err := stageTable(ctx, rtx, wtx, table, columns); err != nil {
					return fmt.Errorf("%s: %w", table, err)
				}
			}
			return nil
		})
	})
}

// stageTable copies the rows of a table.
func stageTable(ctx context.Context, from, to *sql.Tx, table string, columns []string) error {
	names, marks := make([]string, len(columns)), make([]string, len(columns))
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i, c := range columns {
		names[i], marks[i], into[i] = quoted(c), fmt.Sprintf("$%d", i+1), &values[i]
	}
	if _, err := to.ExecContext(ctx, `DELETE FROM `+quoted(table)); err != nil {
		return err
	}
	insert := `INSERT INTO ` + quoted(table) + ` (` + strings.Join(names, ", ") + `) VALUES (` + strings.Join(marks, ", ") + `)`
	return each(ctx, from, func(rows *sql.Rows) error {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		_, err := to.ExecContext(ctx, insert, values...)
		return err
	}, `SELECT `+strings.Join(names, ", ")+` FROM `+quoted(table))
}

// Enact ends an issue on a copy as if everybody had got it: it returns the first
// of the recipients, ErrNotFound where there is none, and keeps of the others
// their number, as of an issue that was folded.
func (s *Store) Enact(ctx context.Context, issue int64, at time.Time) (newsletter.Subscriber, error) {
	var first newsletter.Subscriber
	if s.clock == nil {
		return first, errors.New("enact an issue: only on a copy")
	}
	err := s.tx(ctx, func(tx *sql.Tx) error {
		var joined sql.NullInt64
		err := tx.QueryRowContext(ctx, `SELECT s.id, s.email, s.name, s.created_at FROM subscribers s WHERE s.id =
			(SELECT min(subscriber) FROM deliveries WHERE issue = $1)`, issue).Scan(&first.ID, &first.Email, &first.Name, &joined)
		if errors.Is(err, sql.ErrNoRows) {
			err = newsletter.ErrNotFound
		}
		first.CreatedAt = timeOf(joined)
		for _, do := range []string{
			`UPDATE batches SET done = TRUE, lease = 1, sent = size WHERE issue = $1 AND $2 > 0`,
			`UPDATE issues SET finished_at = $2, folded_at = $2 WHERE number = $1`,
		} {
			if err == nil {
				_, err = tx.ExecContext(ctx, do, issue, ms(at))
			}
		}
		if err == nil { // all of them, for which SQLite need not look at each
			_, err = tx.ExecContext(ctx, `DELETE FROM deliveries`)
		}
		return err
	})
	if err != nil {
		return first, fmt.Errorf("enact issue %d: %w", issue, err)
	}
	return first, nil
}
