package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Store is an open database. It is safe for concurrent use.
type Store struct {
	writer *sql.DB // one connection on SQLite
	reader *sql.DB
	pool   *pgxpool.Pool // what both are on PostgreSQL, else nil
	path   string
	dialect
	schema  fs.FS // the migrations
	log     *slog.Logger
	journal journal

	suppressAfter atomic.Int64 // see SuppressAfter

	clock func() time.Time // of a copy to rehearse on; nil for that of the machine
}

// Open opens the SQLite file at path and creates it, readable by its owner
// only, where it is not there; or the PostgreSQL database with an address such
// as postgres://user:password@host/name, which must be there and may be empty.
// A new database gets the newest schema at once. An older or newer schema is
// ErrOlder or ErrNewer, together with a usable Store in the first case, so that
// the holder of the lock can Migrate. One that was left by Move is a
// *MovedError, with a Store that Move can end its work with.
func Open(ctx context.Context, path string, log *slog.Logger) (*Store, error) {
	openKind := openFile
	if isPostgres(path) {
		openKind = openPostgres
	}
	s, err := openKind(ctx, path, log)
	if err != nil {
		return nil, err
	}
	err = s.checkSchema(ctx)
	older := errors.Is(err, ErrOlder)
	if err == nil || older {
		err = cmp.Or(s.checkMoved(ctx), err)
	}
	if _, moved := errors.AsType[*MovedError](err); moved {
		return s, fmt.Errorf("database %s: %w", s.path, err)
	}
	if err != nil && !older {
		return nil, errors.Join(fmt.Errorf("database %s: %w", s.path, err), s.Close())
	}
	return s, err
}

// openFile opens an SQLite file and creates it where it is not there.
func openFile(ctx context.Context, path string, log *slog.Logger) (*Store, error) {
	switch info, err := os.Stat(path); {
	case errors.Is(err, os.ErrNotExist):
		if err := create(ctx, path, log); err != nil {
			return nil, fmt.Errorf("create database %s: %w", path, err)
		}
	case err != nil:
		return nil, fmt.Errorf("open database: %w", err)
	case info.IsDir():
		return nil, fmt.Errorf("open database: %s is a folder; set database to a file name", path)
	}
	return open(path, log)
}

func open(path string, log *slog.Logger) (*Store, error) {
	writer, reader, err := openSQLite(path)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	return &Store{writer: writer, reader: reader, path: path, dialect: sqlite, schema: sqlite.folder(), log: log}, nil
}

// create makes a whole database beside path and moves it into place, so that
// several processes may try at once: one wins, and nobody sees half a schema.
func create(ctx context.Context, path string, log *slog.Logger) error {
	dir, err := os.MkdirTemp(filepath.Dir(path), ".threadmill-new-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	fresh := filepath.Join(dir, "db")
	f, err := os.OpenFile(fresh, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	s, err := open(fresh, log)
	if err != nil {
		return err
	}
	if err := errors.Join(s.migrate(ctx), s.createKeys(ctx), s.Close()); err != nil {
		return err
	}
	if err := os.Link(fresh, path); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}

// Close closes the database.
func (s *Store) Close() error {
	err := errors.Join(s.journal.close(), s.reader.Close(), s.writer.Close())
	if s.pool != nil {
		s.pool.Close()
	}
	return err
}

// Path is the file of the database, or its address without the password.
func (s *Store) Path() string { return s.path }

// Pool is the connections to PostgreSQL, nil on SQLite.
func (s *Store) Pool() *pgxpool.Pool { return s.pool }

// Shared tells whether several processes may send at a time.
func (s *Store) Shared() bool { return s.pool != nil }

// conflicts is how often a transaction is tried that meets others.
const conflicts = 10

// tx runs fn in one transaction that writes, and commits unless fn fails. Where
// it met another transaction it is run again, so that fn must not build on what
// it left outside.
func (s *Store) tx(ctx context.Context, fn func(*sql.Tx) error) error {
	return s.again(func() error { return s.try(ctx, fn) })
}

// again tries what meets other transactions until it does not.
func (s *Store) again(do func() error) error {
	for try := 1; ; try++ {
		err := do()
		if err == nil || try == conflicts || !s.conflict(err) {
			return err
		}
	}
}

func (s *Store) try(ctx context.Context, fn func(*sql.Tx) error) error {
	var tx *sql.Tx
	err := s.turn(ctx, func() (err error) {
		tx, err = s.writer.BeginTx(ctx, nil)
		return err
	})
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := fn(tx); err != nil {
		return errors.Join(err, ignoreDone(tx.Rollback()))
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// What only one transaction does at a time, since it decides on what it reads.
const (
	aloneThreads  = iota + 1 // who may claim and keep threads
	aloneAudience            // who enters, and who never gets mail
	aloneKeys                // the first keys
)

// alone keeps other transactions that do the same waiting until this one ends.
// Whoever needs several takes them in the order of their numbers, downwards.
func (s *Store) alone(ctx context.Context, tx *sql.Tx, what int) error {
	if s.dialect.alone == "" {
		return nil
	}
	if _, err := tx.ExecContext(ctx, s.dialect.alone, lockAlone, what); err != nil {
		return fmt.Errorf("wait for others: %w", err)
	}
	return nil
}

// exec runs one statement that writes.
func (s *Store) exec(ctx context.Context, query string, args ...any) (rows int64, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, query, args...)
		if err == nil {
			rows, err = res.RowsAffected()
		}
		return err
	})
	return rows, err
}

// patience bounds the wait for other processes that write.
const patience = 10 * time.Second

// turn calls try until no other process is writing. SQLite's own wait looks
// ever more rarely, and beside a process that writes all the time it misses the
// gaps for seconds; so it is kept short, and asked again.
func (s *Store) turn(ctx context.Context, try func() error) error {
	for end := time.Now().Add(patience); ; {
		err := try()
		if err == nil || !s.busy(err) || time.Now().After(end) {
			return err
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// view runs fn in one transaction that reads one state of the database.
func (s *Store) view(ctx context.Context, fn func(*sql.Tx) error) error {
	tx, err := s.reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelSnapshot})
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	return errors.Join(fn(tx), ignoreDone(tx.Rollback()))
}

// ignoreDone drops the error of a rollback that a cancelled context did first.
func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

// queryer is what *sql.DB and *sql.Tx have in common.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// each calls scan for every row of a query.
func each(ctx context.Context, q queryer, scan func(*sql.Rows) error, query string, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	return scanAll(rows, err, scan)
}

// scanAll calls scan for every row that a query has, unless it went wrong.
func scanAll(rows *sql.Rows, err error, scan func(*sql.Rows) error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// plain is what others wrote as a database takes it: PostgreSQL refuses NUL and
// what is not UTF-8.
func plain(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\ufffd"), "\x00", "\ufffd")
}

// ms is a time as the database keeps it: milliseconds UTC.
func ms(t time.Time) int64 { return t.UnixMilli() }

// msOrNull is ms, and NULL for no time.
func msOrNull(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: t.UnixMilli(), Valid: !t.IsZero()}
}

// timeOf is the time that ms or msOrNull kept.
func timeOf(n sql.NullInt64) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return time.UnixMilli(n.Int64).UTC()
}
