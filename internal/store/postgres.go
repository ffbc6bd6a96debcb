package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

var postgres = dialect{
	goose:      goose.DialectPostgres,
	now:        `SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)`,
	migrations: "migrations/postgres",
	tables:     `SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname = current_schema() AND tablename = $1`,
	alone:      `SELECT pg_advisory_xact_lock($1, $2)`,
	freeze:     `LOCK TABLE deliveries IN SHARE MODE`,
	skip:       `SELECT nextval(pg_get_serial_sequence('subscribers', 'id'))`,
	forUpdate:  ` FOR NO KEY UPDATE`,
	fence:      ` AND EXISTS (SELECT 1 FROM batches b WHERE b.id = deliveries.batch AND b.node = $%d FOR SHARE)`,
	requeue:    `UPDATE river_job SET state = 'available' WHERE state = 'running' AND attempted_by[array_upper(attempted_by, 1)] = $1`,
	dead: `SELECT n.id FROM nodes n WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_locks l
		JOIN pg_catalog.pg_database d ON d.oid = l.database AND d.datname = current_database()
		WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted
		AND CAST(l.classid AS BIGINT) = $1 AND CAST(l.objid AS BIGINT) = n.number) ORDER BY n.id`,
	notify: `NOTIFY threadmill_site`,
	// An array, since the planner takes the whole table where it does not know how
	// long a list is.
	unbarred:   `NOT EXISTS (SELECT 1 FROM suppressions x WHERE x.key = subscribers.key ` + eachAlone + `)`,
	among:      ` = ANY (ARRAY(SELECT json_array_elements_text(CAST($1 AS JSON))))`,
	amongIDs:   ` = ANY (ARRAY(SELECT CAST(json_array_elements_text(CAST($1 AS JSON)) AS BIGINT)))`,
	parameters: numbered,
	elements:   `json_array_elements_text(CAST(%s AS JSON)) t (value)`,
	words: `array_to_tsvector(array_remove(string_to_array(x.title_words || x.tag_words || x.text_words, ' '), ''))
		@@ CAST(CAST($1 AS TEXT) AS TSQUERY)`,
	prefix: ":*",
	and:    " & ",
	word:   func(w string) string { return "'" + strings.NewReplacer(`'`, `''`, `\`, `\\`).Replace(w) + "'" },
	busy:   func(error) bool { return false },
	conflict: func(err error) bool {
		e, ok := errors.AsType[*pgconn.PgError](err)
		return ok && (e.Code == "40001" || e.Code == "40P01") || errors.Is(err, errRaced) // serialization failure, deadlock
	},
}

// The oldest server that will do.
const oldestPostgres = 13

// How soon a connection is given up whose other end is gone: a node that is cut
// off must notice before others take over its work.
const (
	connectTimeout = 5 * time.Second
	serverTimeout  = 6 * time.Second // data sent and not acknowledged
	keepAliveIdle  = 3 * time.Second
	keepAliveEvery = time.Second
	keepAliveCount = 3
)

// maxConns is how many connections a process has unless the address says
// pool_max_conns.
const maxConns = 10

// sessionSettings are asked of the server for every connection. A server that
// does not know one, being older, goes without.
var sessionSettings = [][2]string{
	{"statement_timeout", "5min"},
	{"idle_in_transaction_session_timeout", "1min"},
	{"client_connection_check_interval", "3s"},
	{"tcp_keepalives_idle", "3"},
	{"tcp_keepalives_interval", "1"},
	{"tcp_keepalives_count", "3"},
	{"tcp_user_timeout", "6s"},
}

// shownAddress is an address without what is secret in it.
func shownAddress(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil { // its text has the password
		return "", errors.New("the address of the database cannot be read; write postgres://user:password@host:5432/name, and %40 for an @ in the password")
	}
	if u.User != nil {
		u.User = url.User(u.User.Username())
		if u.User.Username() == "" {
			u.User = nil
		}
	}
	q := u.Query()
	for _, name := range []string{"password", "sslpassword"} {
		q.Del(name)
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// postgresConfig is how to connect to an address.
func postgresConfig(address string) (*pgxpool.Config, error) {
	cfg, err := pgxpool.ParseConfig(address)
	if err != nil { // its text may have the password
		return nil, errors.New("a part of the address after the ? or the port is not valid")
	}
	if !strings.Contains(address, "pool_max_conns") {
		cfg.MaxConns = maxConns
	}
	c := cfg.ConnConfig
	c.ConnectTimeout = cmp.Or(c.ConnectTimeout, connectTimeout)
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "threadmill"
	}
	c.DialFunc = dialer(connectTimeout).DialContext
	cfg.AfterConnect = setUpSession
	return cfg, nil
}

func dialer(timeout time.Duration) *net.Dialer {
	return &net.Dialer{
		Timeout:         timeout,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: keepAliveIdle, Interval: keepAliveEvery, Count: keepAliveCount},
		Control: func(network, _ string, c syscall.RawConn) error {
			if !strings.HasPrefix(network, "tcp") {
				return nil
			}
			return setUserTimeout(c, serverTimeout)
		},
	}
}

// setUpSession refuses a server that is too old and makes the settings of a new
// connection.
func setUpSession(ctx context.Context, conn *pgx.Conn) error {
	version := conn.PgConn().ParameterStatus("server_version")
	first, _, _ := strings.Cut(version, ".")
	if major, err := strconv.Atoi(first); err == nil && major < oldestPostgres {
		return fmt.Errorf("PostgreSQL %s is too old; version %d or newer is needed", version, oldestPostgres)
	}
	names, values := make([]string, len(sessionSettings)), make([]string, len(sessionSettings))
	for i, s := range sessionSettings {
		names[i], values[i] = s[0], s[1]
	}
	_, err := conn.Exec(ctx, `SELECT set_config(s.name, w.value, false) FROM pg_catalog.pg_settings s
		JOIN unnest($1::text[], $2::text[]) AS w (name, value) ON w.name = s.name`, pgx.QueryExecModeExec, names, values)
	if err != nil {
		return fmt.Errorf("set up the connection: %w", err)
	}
	return nil
}

// openPostgres opens the database at an address, and makes the schema of one
// that is empty.
func openPostgres(ctx context.Context, address string, log *slog.Logger) (*Store, error) {
	shown, err := shownAddress(address)
	if err != nil {
		return nil, err
	}
	cfg, err := postgresConfig(address)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", shown, err)
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", shown, err)
	}
	db := stdlib.OpenDBFromPool(pool)
	s := &Store{writer: db, reader: db, pool: pool, path: shown, dialect: postgres, schema: postgres.folder(), log: log}
	err = checkPooler(ctx, pool)
	if err == nil {
		err = s.createPostgres(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", shown, err), s.Close())
	}
	return s, nil
}

// errPooler says that connections are shared by transactions.
var errPooler = errors.New("a pooler in transaction mode stands before it, which breaks locks and settings; let it pool sessions (pool_mode=session), or connect to PostgreSQL itself")

// poolerLooks is how often two connections are compared: a pooler may give
// them different sessions by chance.
const poolerLooks = 5

// checkPooler refuses a pooler that gives a session to another client between
// two transactions. Behind one, the process that the greeting names is not the
// one that answers.
func checkPooler(ctx context.Context, pool *pgxpool.Pool) error {
	one, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer one.Release()
	pid, err := backend(ctx, one.Conn())
	if err != nil || pid == one.Conn().PgConn().PID() {
		return err
	}
	other, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer other.Release()
	for range poolerLooks {
		// While the other is in a transaction, it has a session for itself.
		err := pgx.BeginFunc(ctx, other, func(tx pgx.Tx) error {
			theirs, err := backend(ctx, tx)
			if err != nil {
				return err
			}
			mine, err := backend(ctx, one.Conn())
			if err == nil && (mine != pid || theirs == pid) {
				err = errPooler
			}
			return err
		})
		if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == "08P01" { // not even transactions
			err = errPooler
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// backend is the number of the process that answers. It keeps no statement,
// which another client of a pooler might meet.
func backend(ctx context.Context, q interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
},
) (pid uint32, err error) {
	var n int32
	err = q.QueryRow(ctx, `SELECT pg_backend_pid()`, pgx.QueryExecModeExec).Scan(&n)
	return uint32(n), err //nolint:gosec // as the protocol has it
}

// createPostgres makes the schema and the keys of an empty database. Several
// processes may do so at once. A database whose keys are not there yet is still
// being made, by another process or one that was killed.
func (s *Store) createPostgres(ctx context.Context) error {
	var ours, all int
	err := s.reader.QueryRowContext(ctx, `SELECT count(*) FILTER (WHERE tablename IN ('goose_db_version', 'keys')), count(*) FILTER (WHERE tablename NOT LIKE 'river%')
		FROM pg_catalog.pg_tables WHERE schemaname = current_schema()`).Scan(&ours, &all)
	if err != nil {
		return err
	}
	if ours == 2 {
		var keys int
		if err := s.reader.QueryRowContext(ctx, `SELECT count(*) FROM keys`).Scan(&keys); err != nil || keys > 0 {
			return err
		}
	}
	if ours == 0 && all > 0 {
		return errForeign
	}
	if err := s.migrate(ctx); err != nil {
		return err
	}
	return s.createKeys(ctx)
}

// sessionLock makes one process at a time change the schema. Others wait their
// turn instead of asking again and again, as goose's own lock does.
type sessionLock struct{}

// What the advisory locks are for: the first of their two numbers.
const (
	lockAlone  = 0x7472_6561 // a transaction, see [Store.alone]
	lockSchema = 0x7472_6562
	lockNode   = 0x7472_6563 // a node, see [Store.Join]
)

// SessionLock waits for the lock, and lets the statements of a migration take
// their time.
func (sessionLock) SessionLock(ctx context.Context, conn *sql.Conn) error {
	if _, err := conn.ExecContext(ctx, `SET statement_timeout = 0`); err != nil {
		return err
	}
	_, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock($1, 0)`, lockSchema)
	return err
}

// SessionUnlock gives the lock back.
func (sessionLock) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, `SELECT pg_advisory_unlock($1, 0)`, lockSchema)
	_, again := conn.ExecContext(ctx, `SET statement_timeout = '5min'`)
	return errors.Join(err, again)
}
