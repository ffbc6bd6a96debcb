// Package pgtest gives tests a PostgreSQL of their own: one server a test
// binary, from the packages of the system, and databases for every test. It
// knows nothing of what stands in them.
//
// THREADMILL_TEST_POSTGRES names a server that is there already, as
// postgres://… with a user who may create databases. Where neither is there
// the tests are skipped.
package pgtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Template is a database that is made once and copied for every test, which
// takes a few milliseconds.
type Template struct {
	// Make fills the empty database at an address.
	Make func(address string) error
	// Clean is what makes a copy new again that Lend has lent.
	Clean string

	once sync.Once
	name string
	err  error

	mu   sync.Mutex
	free []lent
}

// DeleteAllBut is a Clean that deletes all rows but those of some tables, and has
// the keys of the others begin at 1 again.
func DeleteAllBut(tables ...string) string {
	var kept, sequences strings.Builder
	for i, table := range tables {
		comma := strings.Repeat(", ", min(i, 1))
		fmt.Fprintf(&kept, "%s'%s'", comma, table)
		fmt.Fprintf(&sequences, "%s'%s_id_seq'", comma, table)
	}
	return `DO $$ DECLARE name TEXT; BEGIN
		SET LOCAL session_replication_role = replica;
		FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT IN (` + kept.String() + `) LOOP
			EXECUTE format('DELETE FROM %I', name);
		END LOOP;
		PERFORM setval(format('%I', sequencename)::regclass, 1, false) FROM pg_sequences
			WHERE schemaname = 'public' AND sequencename NOT IN (` + sequences.String() + `);
	END $$`
}

// lent is a copy that goes from test to test.
type lent struct {
	name string
	conn *pgx.Conn // cleans it
}

// Empty returns the address of a new empty database.
func Empty(t testing.TB) string {
	t.Helper()
	return drop(t, running(t), "template0")
}

// Copy returns the address of a new copy of the template.
func (tpl *Template) Copy(t testing.TB) string {
	t.Helper()
	s := running(t)
	tpl.make(t, s)
	return drop(t, s, tpl.name)
}

// Lend returns the address of a copy that another test has had before and that
// was cleaned after it, which is quicker than a new one. The test must leave the
// schema as it is.
func (tpl *Template) Lend(t testing.TB) string {
	t.Helper()
	s := running(t)
	if s.guard == nil { // nobody would drop it
		return tpl.Copy(t)
	}
	tpl.make(t, s)
	l, err := tpl.take(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() { // a look at it must not find another test's
			return
		}
		if _, err := l.conn.Exec(context.Background(), tpl.Clean); err != nil {
			t.Error("clean the database:", err)
			return
		}
		tpl.mu.Lock()
		defer tpl.mu.Unlock()
		tpl.free = append(tpl.free, l)
	})
	return s.address(l.name)
}

// take returns a copy that is free, or a new one.
func (tpl *Template) take(s *server) (l lent, err error) {
	tpl.mu.Lock()
	if n := len(tpl.free); n > 0 {
		l, tpl.free = tpl.free[n-1], tpl.free[:n-1]
	}
	tpl.mu.Unlock()
	if l.conn != nil {
		return l, nil
	}
	if l.name, err = s.create(tpl.name); err == nil {
		l.conn, err = pgx.Connect(context.Background(), s.address(l.name))
	}
	return l, err
}

// make makes the template once.
func (tpl *Template) make(t testing.TB, s *server) {
	t.Helper()
	tpl.once.Do(func() {
		if tpl.name, tpl.err = s.create("template0"); tpl.err == nil {
			tpl.err = tpl.Make(s.address(tpl.name))
		}
	})
	if tpl.err != nil {
		t.Fatal("make the template:", tpl.err)
	}
}

// drop makes a database and drops it when the test ends, which a server that
// ends with the tests is spared.
func drop(t testing.TB, s *server, template string) string {
	t.Helper()
	name, err := s.create(template)
	if err != nil {
		t.Fatal(err)
	}
	if s.guard != nil {
		return s.address(name)
	}
	t.Cleanup(func() {
		if err := s.run(`DROP DATABASE ` + name + ` WITH (FORCE)`); err != nil {
			t.Error(err)
		}
	})
	return s.address(name)
}

// server is a PostgreSQL that runs.
type server struct {
	url   *url.URL
	guard io.Closer // held open: the server ends with it

	mu    sync.Mutex
	conn  *pgx.Conn
	count int
}

// connect makes the connection over which databases come and go.
func (s *server) connect() (err error) {
	s.conn, err = pgx.Connect(context.Background(), s.url.String())
	return err
}

// create makes a database and returns its name.
func (s *server) create(template string) (string, error) {
	s.mu.Lock()
	s.count++
	name := fmt.Sprintf("threadmill_%d_%d", os.Getpid(), s.count)
	s.mu.Unlock()
	how := ""
	if version := s.conn.PgConn().ParameterStatus("server_version"); version >= "15" {
		how = " STRATEGY file_copy" // the faster one without fsync
	}
	return name, s.run(`CREATE DATABASE ` + name + ` TEMPLATE ` + template + how)
}

func (s *server) address(database string) string {
	u := *s.url
	u.Path = "/" + database
	return u.String()
}

func (s *server) run(statement string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.conn.Exec(context.Background(), statement)
	return err
}

// errMissing says that there is no PostgreSQL on this system.
var errMissing = errors.New("PostgreSQL is missing; on Debian: apt-get install postgresql")

func running(t testing.TB) *server {
	t.Helper()
	s, err := theServer()
	if errors.Is(err, errMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal("start PostgreSQL:", err)
	}
	return s
}

var theServer = sync.OnceValues(func() (*server, error) {
	if address := os.Getenv("THREADMILL_TEST_POSTGRES"); address != "" {
		u, err := url.Parse(address)
		if err != nil {
			return nil, err
		}
		s := &server{url: u}
		return s, s.connect()
	}
	return start()
})

// supervise starts the server in $1, says so, and ends it with the input, which
// ends with the test binary, however that ends.
const supervise = `
{ initdb --pgdata="$1/data" --username=postgres --auth=trust --encoding=UTF8 --no-sync $2 &&
  pg_ctl --pgdata="$1/data" --wait --log="$1/log" --options="$3" start; } >"$1/start" 2>&1 </dev/null && echo ready
exec >/dev/null
read -r _
pg_ctl --pgdata="$1/data" --mode=immediate stop >/dev/null 2>&1
cd / && rm -rf "$1"
`

func start() (*server, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "threadmill-pg-*")
	if err != nil {
		return nil, err
	}
	// The server's own order of texts is not that of the bytes, so that tests
	// notice where one relies on it.
	locale := "--locale=C.UTF-8"
	if version, err := strconv.Atoi(filepath.Base(filepath.Dir(bin))); err == nil && version >= 15 {
		locale += " --locale-provider=icu --icu-locale=en"
	}
	options := "-c listen_addresses= -c unix_socket_directories=" + dir +
		" -c fsync=off -c full_page_writes=off -c max_connections=300 -c shared_buffers=32MB -c max_wal_size=4GB -c wal_level=minimal -c max_wal_senders=0 -c autovacuum=off"
	cmd := exec.CommandContext(context.Background(), "/bin/sh", "-c", supervise, "sh", dir, locale, options)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + bin + ":/usr/bin:/bin", "LC_ALL=C"}
	if err := serve(cmd, dir); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if said, _ := bufio.NewReader(out).ReadString('\n'); said != "ready\n" {
		text, _ := os.ReadFile(filepath.Join(dir, "start"))
		more, _ := os.ReadFile(filepath.Join(dir, "log"))
		return nil, errors.Join(fmt.Errorf("it does not start:\n%s%s", text, more), in.Close())
	}
	u := &url.URL{Scheme: "postgres", User: url.User("postgres"), Path: "/postgres", RawQuery: url.Values{"host": {dir}}.Encode()}
	s := &server{url: u, guard: in}
	return s, s.connect()
}

// programs is the folder of the newest PostgreSQL's programs.
func programs() (string, error) {
	list, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(list) == 0 {
		path, err := exec.LookPath("initdb")
		if err != nil {
			return "", errMissing
		}
		return filepath.Dir(path), nil
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(strings.Split(path, "/")[4])
		return n
	}
	return filepath.Dir(slices.MaxFunc(list, func(a, b string) int { return version(a) - version(b) })), nil
}
