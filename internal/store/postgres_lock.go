package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// serverLock is an advisory lock that a connection of its own holds. Who holds
// it stands in the name of that connection, which goes with it.
type serverLock struct {
	conn  *pgx.Conn
	held  context.Context    // ends with the connection
	stop  context.CancelFunc // ends the watch over it
	told  chan struct{}      // something that the connection listens for
	ended chan struct{}      // the watch is over
}

// lockKey is the number of the publication's advisory lock: a hash of its
// oldest key, so that publications in one database have one each.
func (s *Store) lockKey(ctx context.Context) (int64, error) {
	var secret []byte
	err := s.reader.QueryRowContext(ctx, `SELECT secret FROM keys WHERE purpose = $1 ORDER BY id LIMIT 1`, KeyMessageIDs).Scan(&secret)
	if err != nil {
		return 0, fmt.Errorf("find the lock: %w", err)
	}
	sum := sha256.Sum256(append([]byte("threadmill lock\x00"), secret...))
	return int64(binary.BigEndian.Uint64(sum[:])), nil //nolint:gosec // any number will do
}

// maxName is how long PostgreSQL lets the name of a connection be.
const maxName = 63

// connectionName names the process that holds a lock.
func connectionName(command string) string {
	host, err := os.Hostname()
	if err != nil {
		host = "?"
	}
	name := fmt.Sprintf("threadmill %s %d %s", command, os.Getpid(), host)
	return name[:min(len(name), maxName)]
}

// parseName is the holder that a connection's name tells.
func parseName(name string) Holder {
	var h Holder
	if _, err := fmt.Sscanf(name, "threadmill %s %d %s", &h.Command, &h.PID, &h.Host); err != nil {
		return Holder{}
	}
	return h
}

// Here tells whether the holder is a process of this machine.
func (h Holder) Here() bool {
	host, err := os.Hostname()
	return err == nil && strings.HasPrefix(host, h.Host)
}

// dead tells whether the holder was a process of this machine that is gone.
func (h Holder) dead() bool {
	if !h.Here() || h.PID <= 0 {
		return false
	}
	p, err := os.FindProcess(h.PID)
	return err == nil && errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone)
}

// lockOnServer takes the lock of the publication.
func (s *Store) lockOnServer(ctx context.Context, command string) (*serverLock, error) {
	key, err := s.lockKey(ctx)
	if err != nil {
		return nil, err
	}
	return s.hold(ctx, connectionName(command), func(conn *pgx.Conn) error { return s.tryOnServer(ctx, conn, key) })
}

// hold takes a lock on a connection of its own, which is watched from then on.
func (s *Store) hold(ctx context.Context, name string, take func(*pgx.Conn) error) (*serverLock, error) {
	cfg := s.pool.Config().ConnConfig
	cfg.RuntimeParams["application_name"] = name
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", s.path, err)
	}
	err = setUpSession(ctx, conn)
	if err == nil {
		err = take(conn)
	}
	if err != nil {
		return nil, errors.Join(err, closeConn(conn))
	}
	held, lost := context.WithCancel(context.WithoutCancel(ctx))
	watch, stop := context.WithCancel(held)
	l := &serverLock{conn: conn, held: held, stop: stop, told: make(chan struct{}, 1), ended: make(chan struct{})}
	go func() {
		defer close(l.ended)
		for watch.Err() == nil {
			_, err := conn.WaitForNotification(watch) // or until the connection is gone
			if err != nil {
				if watch.Err() == nil {
					lost()
				}
				continue
			}
			select {
			case l.told <- struct{}{}:
			default:
			}
		}
	}()
	return l, nil
}

// tryOnServer asks for the lock for a moment, and for as long as the server takes
// to notice that a holder was killed.
func (s *Store) tryOnServer(ctx context.Context, conn *pgx.Conn, key int64) error {
	for start := time.Now(); ; {
		var mine bool
		if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, key).Scan(&mine); err != nil {
			return fmt.Errorf("lock %s: %w", s.path, err)
		}
		if mine {
			return nil
		}
		if time.Since(start) > tryFor {
			h, err := s.holderOnServer(ctx)
			if err != nil {
				return err
			}
			if h != nil && !h.dead() {
				return &LockedError{*h}
			}
			if time.Since(start) > serverTimeout {
				return &LockedError{}
			}
		}
		select {
		case <-time.After(tryEvery):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *Store) holderOnServer(ctx context.Context) (*Holder, error) {
	key, err := s.lockKey(ctx)
	if err != nil {
		return nil, err
	}
	var name sql.NullString
	err = s.reader.QueryRowContext(ctx, `SELECT a.application_name FROM pg_catalog.pg_locks l
		JOIN pg_catalog.pg_database d ON d.oid = l.database AND d.datname = current_database()
		LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
		WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
		AND CAST(l.classid AS BIGINT) = $1 AND CAST(l.objid AS BIGINT) = $2`, int64(uint64(key)>>32), int64(uint32(key))).Scan(&name) //nolint:gosec // the halves of the key
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read who holds the lock: %w", err)
	}
	h := parseName(strings.TrimSpace(name.String))
	return &h, nil
}

// context returns a context that also ends, with a cause, when the lock is lost.
func (l *serverLock) context(ctx context.Context, cause error) (context.Context, context.CancelFunc) {
	if l == nil {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(l.held, func() { cancel(cause) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

// unlock gives the lock back before the connection ends, which the server may
// notice later.
func (l *serverLock) unlock() error {
	l.stop()
	<-l.ended
	if l.held.Err() != nil || l.conn.IsClosed() { // it is lost already
		return closeConn(l.conn)
	}
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	_, err := l.conn.Exec(ctx, `SELECT pg_advisory_unlock_all()`)
	return errors.Join(err, closeConn(l.conn))
}

func closeConn(conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	return conn.Close(ctx)
}
