package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// MovedError says that the publication has moved to another database. This one
// can be read and is closed for writing.
type MovedError struct {
	To   string // its address without the password
	Done bool   // false where the move ended at its last step, nobody knows how
}

func (e *MovedError) Error() string {
	if !e.Done {
		return "its move to " + e.To + " was interrupted at the last step; run `threadmill migrate --to` with that address again"
	}
	return "the publication has moved to " + e.To + "; set `database:` in the config to that address"
}

// Moving is how far a move is, in rows that are copied and then read back.
type Moving struct {
	Table       string
	Done, Total int64
}

// Moved is what a move did.
type Moved struct {
	From   string       `json:"from"`
	To     string       `json:"to"` // without the password
	Rows   int64        `json:"rows"`
	Tables []MovedTable `json:"tables"`
	// Replaced names texts that PostgreSQL refuses as they were: a NUL, or bytes
	// that are not UTF-8, became U+FFFD. It names a hundred; ReplacedTexts counts all.
	Replaced      []string `json:"replaced,omitempty"`
	ReplacedTexts int      `json:"replaced_texts"`
}

// MovedTable is a table whose rows are the same on both sides.
type MovedTable struct {
	Table  string `json:"table"`
	Rows   int64  `json:"rows"`
	SHA256 string `json:"sha256"` // of its rows as COPY writes them, in the order of the key
}

// The names of the settings that tell of a move, on both sides.
const (
	settingMoved     = "moved"
	settingMovedFrom = "moved_from"
)

// move is what those settings say.
type move struct {
	ID   string `json:"id"`
	To   string `json:"to,omitempty"`
	Done bool   `json:"done,omitempty"`
}

// checkMoved returns a *MovedError where the publication has moved away.
func (s *Store) checkMoved(ctx context.Context) error {
	var m move
	if err := setting(ctx, s.reader, settingMoved, &m); err != nil || m.ID == "" {
		return err
	}
	return &MovedError{To: m.To, Done: m.Done}
}

// Move copies the whole publication, with its keys, from an SQLite file to the
// empty PostgreSQL database at an address, reads it back and compares, and
// closes the file for writing. Nothing is changed on either side where it fails.
// It takes the locks of both: a *LockedError tells who is at work. One that was
// killed is begun again, or ended where only its last step is missing. tell may
// be nil.
func (s *Store) Move(ctx context.Context, address string, tell func(Moving)) (moved Moved, err error) {
	if s.pool != nil {
		return Moved{}, errors.New("move: the publication is on PostgreSQL already")
	}
	if !isPostgres(address) {
		return Moved{}, errors.New("move: a publication moves to PostgreSQL; write postgres://user:password@host:5432/name")
	}
	lock, err := TryLock(s.path, "migrate")
	if err != nil {
		return Moved{}, err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	to, err := Open(ctx, address, s.log)
	older := errors.Is(err, ErrOlder)
	if err != nil && !older {
		return Moved{}, err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	there, err := to.Lock(ctx, "migrate")
	if err != nil {
		return Moved{}, fmt.Errorf("database %s: %w", to.path, err)
	}
	defer func() { err = errors.Join(err, there.Unlock()) }()
	if older {
		if _, err := to.Migrate(ctx); err != nil {
			return Moved{}, fmt.Errorf("database %s: %w", to.path, err)
		}
	}
	if tell == nil {
		tell = func(Moving) {}
	}
	m := &mover{from: s, to: to, tell: tell, moved: Moved{From: s.path, To: to.path}}
	if err := m.run(ctx); err != nil {
		return Moved{}, fmt.Errorf("move to %s: %w", to.path, err)
	}
	return m.moved, nil
}

// mover is one move.
type mover struct {
	from, to *Store
	tell     func(Moving)
	moved    Moved
	tables   []moveTable
	progress Moving
}

func (m *mover) run(ctx context.Context) error {
	over, err := m.resume(ctx)
	if err != nil || over {
		return err
	}
	if _, err := m.from.Migrate(ctx); err != nil {
		return err
	}
	conn, err := m.to.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	tx, err := begin(ctx, conn)
	if err != nil {
		return err
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) //nolint:errcheck // after the commit there is nothing to take back
	if m.tables, err = matchTables(ctx, m.from, tx); err != nil {
		return err
	}
	mark := move{ID: rand.Text(), To: m.to.path}
	err = m.from.tx(ctx, func(from *sql.Tx) error {
		if err := m.copyAll(ctx, from, tx); err != nil {
			return err
		}
		if err := insertMove(ctx, tx, mark.ID); err != nil {
			return err
		}
		return m.closeSource(ctx, from, mark)
	})
	if err != nil {
		return err
	}
	return m.commit(context.WithoutCancel(ctx), tx, mark)
}

// begin begins a transaction that may take its time.
func begin(ctx context.Context, conn *pgxpool.Conn) (pgx.Tx, error) {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return nil, err
	}
	_, err = tx.Exec(ctx, `SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0;
		SET LOCAL lock_timeout = '30s'; SET LOCAL bytea_output = 'hex'`)
	if err != nil {
		return nil, errors.Join(err, tx.Rollback(ctx))
	}
	return tx, nil
}

// copyAll copies and compares every table. The source is not written meanwhile,
// since its transaction may write.
func (m *mover) copyAll(ctx context.Context, from *sql.Tx, to pgx.Tx) error {
	if err := m.emptyTarget(ctx, to); err != nil {
		return err
	}
	for i := range m.tables {
		t := &m.tables[i]
		if err := from.QueryRowContext(ctx, `SELECT count(*) FROM `+quoted(t.name)).Scan(&t.rows); err != nil {
			return fmt.Errorf("count %s: %w", t.name, err)
		}
		m.progress.Total += 2 * t.rows
		m.moved.Rows += t.rows
	}
	for _, t := range m.tables {
		m.progress.Table = t.name
		sum, err := m.copyTable(ctx, from, to, t)
		if err != nil {
			return fmt.Errorf("copy %s: %w", t.name, err)
		}
		if err := m.compare(ctx, to, t, sum); err != nil {
			return fmt.Errorf("compare %s: %w", t.name, err)
		}
		m.moved.Tables = append(m.moved.Tables, MovedTable{t.name, t.rows, sum})
	}
	if _, err := to.Exec(ctx, `ANALYZE`); err != nil {
		return fmt.Errorf("analyze: %w", err)
	}
	return nil
}

// closeSource notes where the publication goes and has the database itself
// refuse every other change, whichever program asks for it.
func (m *mover) closeSource(ctx context.Context, tx *sql.Tx, mark move) error {
	if err := setSetting(ctx, tx, settingMoved, mark); err != nil {
		return err
	}
	says := literal((&MovedError{To: mark.To, Done: true}).Error())
	for _, t := range m.tables {
		for _, change := range []struct{ verb, row string }{{"INSERT", "new"}, {"UPDATE", "old"}, {"DELETE", "old"}} {
			when := ""
			if t.name == "settings" {
				when = ` WHEN ` + change.row + `.name <> ` + literal(settingMoved)
			}
			_, err := tx.ExecContext(ctx, `CREATE TRIGGER `+quoted(movedTrigger+t.name+"_"+change.verb)+` BEFORE `+change.verb+
				` ON `+quoted(t.name)+when+` BEGIN SELECT RAISE(ABORT, `+says+`); END`)
			if err != nil {
				return fmt.Errorf("close %s: %w", t.name, err)
			}
		}
	}
	return nil
}

// movedTrigger begins the names of the triggers that refuse changes.
const movedTrigger = "moved_"

// reopenSource takes closeSource back.
func (m *mover) reopenSource(ctx context.Context) error {
	return m.from.tx(ctx, func(tx *sql.Tx) error {
		var names []string
		err := each(ctx, tx, func(rows *sql.Rows) error {
			var name string
			names = append(names, "")
			err := rows.Scan(&name)
			names[len(names)-1] = name
			return err
		}, `SELECT name FROM sqlite_master WHERE type = 'trigger' AND name GLOB $1`, movedTrigger+"*")
		for _, name := range names {
			if err == nil {
				_, err = tx.ExecContext(ctx, `DROP TRIGGER `+quoted(name))
			}
		}
		if err == nil {
			_, err = tx.ExecContext(ctx, `DELETE FROM settings WHERE name = $1`, settingMoved)
		}
		if err != nil {
			return fmt.Errorf("open the old database again: %w", err)
		}
		return nil
	})
}

// lookAgain bounds the look at how a commit ended whose answer was lost.
const lookAgain = 30 * time.Second

// commit ends the move. The source is closed already, so that never both can be
// written.
func (m *mover) commit(ctx context.Context, tx pgx.Tx, mark move) error {
	failure := tx.Commit(ctx)
	if failure != nil {
		ctx, cancel := context.WithTimeout(ctx, lookAgain)
		defer cancel()
		arrived, err := m.arrived(ctx, mark.ID)
		if err != nil {
			return errors.Join(failure, err, &MovedError{To: mark.To})
		}
		if !arrived {
			return errors.Join(failure, m.reopenSource(ctx))
		}
	}
	return m.done(ctx, mark)
}

func (m *mover) done(ctx context.Context, mark move) error {
	mark.Done = true
	return m.from.tx(ctx, func(tx *sql.Tx) error { return setSetting(ctx, tx, settingMoved, mark) })
}

// arrived tells whether the move with an id is in the target. It waits for the
// transaction of one that was killed.
func (m *mover) arrived(ctx context.Context, id string) (found bool, err error) {
	err = pgx.BeginFunc(ctx, m.to.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `LOCK TABLE settings IN ACCESS EXCLUSIVE MODE`); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM settings WHERE name = $1 AND value::json ->> 'id' = $2)`, settingMovedFrom, id).Scan(&found)
	})
	if err != nil {
		return false, fmt.Errorf("look whether the publication has arrived: %w", err)
	}
	return found, nil
}

// resume looks after a move that was killed at its last step: it is over where
// the publication has arrived, and else is begun again.
func (m *mover) resume(ctx context.Context) (over bool, err error) {
	var mark move
	if err := setting(ctx, m.from.reader, settingMoved, &mark); err != nil || mark.ID == "" {
		return false, err
	}
	if mark.Done {
		return false, &MovedError{To: mark.To, Done: true}
	}
	arrived, err := m.arrived(ctx, mark.ID)
	switch {
	case err != nil:
		return false, err
	case arrived:
		return true, m.done(ctx, mark)
	case mark.To != m.to.path: // it may have arrived there
		return false, &MovedError{To: mark.To}
	}
	return false, m.reopenSource(ctx)
}

func insertMove(ctx context.Context, tx pgx.Tx, id string) error {
	_, err := tx.Exec(ctx, `INSERT INTO settings (name, value) VALUES ($1, json_build_object('id', $2::text)::text)`, settingMovedFrom, id)
	if err != nil {
		return fmt.Errorf("note the move: %w", err)
	}
	return nil
}
