package store

import (
	"bytes"
	"database/sql"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"threadmill/internal/newsletter"
	"threadmill/internal/store/pgtest"
)

// further are the migrations with one more of the given text.
func further(t *testing.T, text string) fs.FS {
	t.Helper()
	all := fstest.MapFS{}
	err := fs.WalkDir(sqlite.folder(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(sqlite.folder(), name)
		all[name] = &fstest.MapFile{Data: b}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	all["90000_further.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + text)}
	return all
}

func openHere(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "threadmill.db")
	s := openHere(t, path)
	if copied, err := s.Migrate(ctx); err != nil || copied != "" {
		t.Errorf("nothing to do: %q %v", copied, err)
	}
	if err := s.Warn(ctx, "test", "kept"); err != nil {
		t.Fatal(err)
	}
	now := s.newest(t)

	// From here on the program is one version ahead of the database.
	s.schema = further(t, "CREATE TABLE extras (name TEXT);")
	if err := s.checkSchema(ctx); !errors.Is(err, ErrOlder) || !strings.Contains(err.Error(), "threadmill migrate") {
		t.Fatalf("check: %v, want ErrOlder", err)
	}
	if v, err := s.SchemaVersion(ctx); err != nil || v != (Version{now, 90000}) {
		t.Errorf("version %+v %v", v, err)
	}
	stale := path + ".before-90000"
	if err := os.WriteFile(stale, []byte("of a try that was killed"), 0o600); err != nil {
		t.Fatal(err)
	}
	copied, err := s.Migrate(ctx)
	if err != nil || copied != stale {
		t.Fatalf("migrate: %q %v", copied, err)
	}
	if err := s.checkSchema(ctx); err != nil {
		t.Error(err)
	}
	if list, err := s.Warnings(ctx); err != nil || len(list) != 1 {
		t.Errorf("after the migration: %v %v", list, err)
	}
	// The copy is as the database was, and opens with this program.
	if list, err := openHere(t, copied).Warnings(ctx); err != nil || len(list) != 1 {
		t.Errorf("the copy: %v %v", list, err)
	}
	// The database is now newer than this program.
	again, err := Open(ctx, path, slog.New(slog.DiscardHandler))
	if again != nil || !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), path) {
		t.Errorf("open: %v, want ErrNewer with the path", err)
	}
}

func (s *Store) newest(t *testing.T) int64 {
	t.Helper()
	v, err := s.SchemaVersion(t.Context())
	if err != nil || v.Database != v.Newest || v.Newest == 0 {
		t.Fatalf("version %+v %v", v, err)
	}
	return v.Newest
}

// TestMigrateFails changes nothing where a migration cannot be done.
func TestMigrateFails(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "threadmill.db")
	s := openHere(t, path)
	s.schema = further(t, "CREATE TABLE extras (name TEXT);\nCREATE TABLE issues (name TEXT);")
	if _, err := s.Migrate(ctx); err == nil || !strings.Contains(err.Error(), "change the schema") {
		t.Errorf("migrate: %v", err)
	}
	var tables int
	if err := s.reader.QueryRowContext(ctx, s.tables, "extras").Scan(&tables); err != nil || tables > 0 {
		t.Errorf("half of the migration stays: %v", err)
	}
	openHere(t, path) // as before
}

// TestForeignDatabase opens a database of another program, which must not be
// changed by that.
func TestForeignDatabase(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "other.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), `CREATE TABLE recipes (name TEXT)`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), path, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "not a database of threadmill") {
		t.Errorf("open: %v", err)
	}
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file was changed, %v", err)
	}
	if files, err := filepath.Glob(path + "*"); err != nil || len(files) != 1 {
		t.Errorf("files: %v %v", files, err)
	}
}

// TestMigratePostgres brings a PostgreSQL database from its first schema to the
// newest, with what stood in it.
func TestMigratePostgres(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	address := pgtest.Empty(t)
	first := got(fs.ReadFile(postgres.folder(), "00001_publication.sql"))(t)
	old := openEmpty(t, address, fstest.MapFS{"00001_publication.sql": &fstest.MapFile{Data: first}})
	for _, text := range []string{
		`INSERT INTO issues (number, slug, title, subject, published_at, recipients, message, sender, domain, unsubscribe_url) VALUES (1, 's', 't', 't', 1, 4, 'm', 'a', 'b', 'c')`,
		`INSERT INTO slots (key, due_at, claimed_at, outcome, issue) VALUES ('one', 1, 2, 'published', 1)`,
		`INSERT INTO batches (issue, done) VALUES (1, FALSE)`,
		`INSERT INTO deliveries (issue, subscriber, batch, state) VALUES (1, 1, 1, 'sent'), (1, 2, 1, 'failed'), (1, 3, 1, 'in_doubt'), (1, 4, 1, 'pending')`,
	} {
		if _, err := old.exec(ctx, text); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Open(ctx, address, slog.New(slog.DiscardHandler))
	if !errors.Is(err, ErrOlder) {
		t.Fatalf("open: %v, want ErrOlder", err)
	}
	defer s.Close()
	if copied, err := s.Migrate(ctx); err != nil || copied != "" {
		t.Fatalf("migrate: %q %v", copied, err)
	}
	again := openHere(t, address)
	want := newsletter.Counts{Recipients: 4, Pending: 1, Sent: 1, Failed: 1, InDoubt: 1}
	if row := got(again.Issue(ctx, 1))(t); row.Counts != want {
		t.Errorf("counts %+v, want %+v", row.Counts, want)
	}
}

// openEmpty makes the given schema in an empty PostgreSQL database.
func openEmpty(t *testing.T, address string, schema fs.FS) *Store {
	t.Helper()
	pool := got(pgxpool.New(t.Context(), address))(t)
	db := stdlib.OpenDBFromPool(pool)
	s := &Store{writer: db, reader: db, pool: pool, path: address, dialect: postgres, schema: schema, log: slog.New(slog.DiscardHandler)}
	t.Cleanup(func() { _ = s.Close() })
	if err := errors.Join(s.migrate(t.Context()), s.createKeys(t.Context())); err != nil {
		t.Fatal(err)
	}
	return s
}
