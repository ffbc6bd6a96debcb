package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/newsletter"
	"threadmill/internal/store"
	"threadmill/internal/store/pgtest"
)

// database is one kind of database that must pass the tests of this package.
type database struct {
	name string
	open func(t testing.TB) *store.Store // opens a new one
}

func databases() []database {
	return []database{{"sqlite", openFresh}, {"postgres", openPostgres}}
}

// template is a new PostgreSQL database. One that was used is new again without
// its rows, but for its keys and its version.
var template = pgtest.Template{
	Make: func(address string) error {
		s, err := store.Open(context.Background(), address, quiet())
		if err != nil {
			return err
		}
		return s.Close()
	},
	Clean: pgtest.DeleteAllBut("keys", "goose_db_version", "river_migration"),
}

func openPostgres(t testing.TB) *store.Store {
	t.Helper()
	return open(t, template.Lend(t))
}

// fresh is a new SQLite database. It is made once, since that takes most of the
// time of a test.
var fresh = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "threadmill-test-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "threadmill.db")
	s, err := store.Open(context.Background(), path, quiet())
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

func openFresh(t testing.TB) *store.Store {
	t.Helper()
	path := filepath.Join(t.TempDir(), "threadmill.db")
	must(t, os.WriteFile(path, got(fresh())(t), 0o600))
	return open(t, path)
}

// onEach runs a test over every kind of database.
func onEach(t *testing.T, test func(t *testing.T, s *store.Store)) {
	t.Helper()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			test(t, d.open(t))
		})
	}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// open opens the database at path until the test ends.
func open(t testing.TB, path string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), path, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// must fails the test where err is not nil.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// got returns v, and fails the test where err is not nil.
func got[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		must(t, err)
		return v
	}
}

// at is a time of the tests, as the database keeps it.
func at(minute int) time.Time { return time.Date(2026, 3, 2, 9, minute, 0, 0, time.UTC) }

func TestCreate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "odd name?#%.db")
	s := open(t, path)
	if s.Path() != path {
		t.Errorf("path %q, want %q", s.Path(), path)
	}
	if _, err := s.AddSubscribers(t.Context(), []newsletter.Subscriber{person("ada")}); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	must(t, err)
	for _, f := range files {
		info, err := f.Info()
		must(t, err)
		if info.Mode().Perm() != 0o600 || !strings.HasPrefix(f.Name(), "odd name") {
			t.Errorf("%s has mode %v", f.Name(), info.Mode())
		}
	}
	keys := got(s.Keys(t.Context(), store.KeyMessageIDs))(t)
	must(t, s.Close())

	again := open(t, path)
	if diff := cmp.Diff(keys, got(again.Keys(t.Context(), store.KeyMessageIDs))(t)); diff != "" {
		t.Error("the key changed:", diff)
	}
	if tokens := got(again.Keys(t.Context(), store.KeyTokens))(t); len(tokens) != 1 || len(tokens[0].Secret) != 32 || bytes.Equal(tokens[0].Secret, keys[0].Secret) {
		t.Errorf("%d token keys", len(tokens))
	}
	if _, err := again.SubscriberByKey(t.Context(), "ada@example.com"); err != nil {
		t.Error(err)
	}
	if _, err := again.Keys(t.Context(), "dkim"); err == nil {
		t.Error("a purpose without a key is no error")
	}
}

// TestCreateAtOnce has ten openers of a database that is not there.
func TestCreateAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "threadmill.db")
	var wg sync.WaitGroup
	keys := make([]string, 10)
	for i := range keys {
		wg.Go(func() {
			s, err := store.Open(t.Context(), path, quiet())
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			k, err := s.Keys(t.Context(), store.KeyMessageIDs)
			if err != nil {
				t.Error(err)
				return
			}
			keys[i] = string(k[0].Secret)
		})
	}
	wg.Wait()
	for _, k := range keys {
		if k != keys[0] {
			t.Fatal("two openers have different keys")
		}
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".threadmill-new-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := filepath.Join(dir, "notes.txt")
	must(t, os.WriteFile(text, []byte(strings.Repeat("this is no database\n", 200)), 0o600))
	empty := filepath.Join(dir, "empty.db")
	must(t, os.WriteFile(empty, nil, 0o600))
	for _, tt := range []struct{ path, want string }{
		{dir, dir + " is a folder; set database to a file name"},
		{text, "database " + text + ": "},
		{empty, "it is not a database of threadmill; set database to another name"},
		{filepath.Join(dir, "missing", "a.db"), "create database " + filepath.Join(dir, "missing", "a.db") + ": "},
		{filepath.Join(text, "a.db"), "open database: "},
	} {
		s, err := store.Open(t.Context(), tt.path, quiet())
		if s != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("open %s: %v, want %q", tt.path, err, tt.want)
		}
	}
	if b, err := os.ReadFile(empty); err != nil || len(b) > 0 {
		t.Errorf("the refused file has %d bytes now, %v", len(b), err)
	}
}

func TestBackup(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		if _, file := strings.CutSuffix(s.Path(), ".db"); !file {
			if err := s.Backup(ctx, filepath.Join(t.TempDir(), "copy.db")); err == nil || !strings.Contains(err.Error(), "pg_dump") {
				t.Errorf("of PostgreSQL: %v", err)
			}
			return
		}
		addPeople(t, s, 500)
		// Somebody writes all the time.
		writing, stop := context.WithCancel(ctx)
		var wg sync.WaitGroup
		wg.Go(func() {
			for n := 0; writing.Err() == nil; n++ {
				err := s.Warn(writing, "test", fmt.Sprint(n))
				if err != nil && writing.Err() == nil {
					t.Error(err)
				}
			}
		})
		path := filepath.Join(t.TempDir(), "copy's.db")
		must(t, s.Backup(ctx, path))
		stop()
		wg.Wait()
		info, err := os.Stat(path)
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, want 0600", info.Mode())
		}
		c := open(t, path)
		if n := got(c.CountSubscribers(ctx))(t)[newsletter.SubscriberActive]; n != 500 {
			t.Errorf("the copy has %d subscribers, want 500", n)
		}
		must(t, c.Warn(ctx, "written", "to the copy"))

		before, err := os.ReadFile(path)
		must(t, err)
		if err := s.Backup(ctx, path); err == nil || !strings.Contains(err.Error(), "the file exists; name another one") {
			t.Errorf("over a file: %v", err)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
			t.Errorf("the file changed, %v", err)
		}
		if err := s.Backup(ctx, filepath.Join(path, "below", "a file")); err == nil {
			t.Error("a backup to nowhere is no error")
		}
		canceled, cancel := context.WithCancel(ctx)
		cancel()
		next := filepath.Join(t.TempDir(), "next.db")
		if err := s.Backup(canceled, next); !errors.Is(err, context.Canceled) {
			t.Errorf("after a stop: %v", err)
		}
		if _, err := os.Stat(next); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a half copy stays: %v", err)
		}
	})
}
