package store

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/pressly/goose/v3"
)

// Errors about the schema.
var (
	// ErrOlder says that the database is older than the program. Migrate mends it.
	ErrOlder = errors.New("its schema is older than this threadmill; run `threadmill migrate`, or stop and start `threadmill run`")
	// ErrNewer says that a newer program wrote the database.
	ErrNewer = errors.New("its schema is newer than this threadmill; install the version that wrote it, or a newer one")
)

// errForeign says that another program made the database.
var errForeign = errors.New("it is not a database of threadmill; set database to another name")

// Version is a schema: the database's own and the program's newest.
type Version struct{ Database, Newest int64 }

func (s *Store) provider() (*goose.Provider, error) {
	var options []goose.ProviderOption
	if s.pool != nil {
		options = append(options, goose.WithSessionLocker(sessionLock{}))
	}
	p, err := goose.NewProvider(s.goose, s.writer, s.schema, options...)
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return p, nil
}

// checkSchema compares the schema with the program's.
func (s *Store) checkSchema(ctx context.Context) error {
	v, err := s.SchemaVersion(ctx)
	if err != nil {
		return err
	}
	switch {
	case v.Database == 0:
		return errForeign
	case v.Database > v.Newest:
		return fmt.Errorf("version %d, this program knows %d: %w", v.Database, v.Newest, ErrNewer)
	case v.Database < v.Newest:
		return fmt.Errorf("version %d, this program needs %d: %w", v.Database, v.Newest, ErrOlder)
	}
	return nil
}

// SchemaVersion reads the versions of the database and of the program. It
// writes nothing.
func (s *Store) SchemaVersion(ctx context.Context) (Version, error) {
	p, err := s.provider()
	if err != nil {
		return Version{}, err
	}
	sources := p.ListSources()
	v := Version{Newest: sources[len(sources)-1].Version}
	var tables int
	if err := s.reader.QueryRowContext(ctx, s.tables, "goose_db_version").Scan(&tables); err != nil {
		return Version{}, fmt.Errorf("read schema version: %w", err)
	}
	if tables == 0 {
		return v, nil
	}
	const newest = `SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied`
	if err := s.reader.QueryRowContext(ctx, newest).Scan(&v.Database); err != nil {
		return Version{}, fmt.Errorf("read schema version: %w", err)
	}
	return v, nil
}

// Migrate brings an older database to the newest schema, after a copy of it
// beside the file; it returns the copy's path, empty when there was nothing to
// do, or on PostgreSQL, where each migration is done whole or not at all. On
// SQLite only the holder of the lock may call it. On PostgreSQL anybody may, at
// any time: a rolling upgrade is the first new node's migration while the older
// ones send. Those go on as they are until they are stopped, and one that is
// started again is refused with ErrNewer. So from 00010 on
//
//   - a migration adds: tables, indexes, and columns that may be NULL or have a
//     default. What a version does not use any more is dropped by a migration of a
//     release after it, and what changes its meaning is a new column;
//   - what both versions write must be right whichever of them wrote it;
//   - it takes its locks for a moment: a table of deliveries is not rewritten, and
//     rows are changed in a migration of their own, after the columns. One that
//     meets the journal in a deadlock is tried again;
//   - River's own schema comes with a migration of ours, be it an empty one, that
//     says so in a comment "-- River N".
func (s *Store) Migrate(ctx context.Context) (copied string, err error) {
	v, err := s.SchemaVersion(ctx)
	if err != nil {
		return "", err
	}
	if v.Database >= v.Newest {
		return "", nil
	}
	if s.pool != nil {
		return "", s.migrate(ctx)
	}
	copied = fmt.Sprintf("%s.before-%d", s.path, v.Newest)
	if err := os.Remove(copied); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("replace the copy of an earlier try: %w", err)
	}
	if err := s.Backup(ctx, copied); err != nil {
		return "", err
	}
	return copied, s.migrate(ctx)
}

func (s *Store) migrate(ctx context.Context) error {
	p, err := s.provider()
	if err != nil {
		return err
	}
	// River first: the number of ours says that both are done.
	if err := s.migrateQueue(ctx); err != nil {
		return fmt.Errorf("change the schema of the queue: %w", err)
	}
	err = s.again(func() error {
		return s.turn(ctx, func() error {
			_, err := p.Up(ctx) // goes on where it stopped
			return err
		})
	})
	if err != nil {
		return fmt.Errorf("change the schema: %w", err)
	}
	return nil
}

// Backup writes a consistent copy of the database to path, which must not
// exist; it may run while mail goes out.
func (s *Store) Backup(ctx context.Context, path string) error {
	if s.pool != nil {
		return errors.New("back up: PostgreSQL has its own tools for that, such as pg_dump")
	}
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("back up to %s: the file exists; name another one", path)
	}
	if f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
		return fmt.Errorf("back up: %w", err)
	} else if err := f.Close(); err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	if err := s.vacuumInto(ctx, path); err != nil {
		return errors.Join(fmt.Errorf("back up to %s: %w", path, err), os.Remove(path))
	}
	return nil
}

// vacuumInto copies over a connection that reads, so that the writer stays
// free; the connection has to be allowed to write the copy.
func (s *Store) vacuumInto(ctx context.Context, path string) error {
	conn, err := s.reader.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, `PRAGMA query_only = OFF`); err != nil {
		return err
	}
	_, err = conn.ExecContext(ctx, `VACUUM INTO $1`, path)
	_, again := conn.ExecContext(context.WithoutCancel(ctx), `PRAGMA query_only = ON`)
	return errors.Join(err, again)
}
