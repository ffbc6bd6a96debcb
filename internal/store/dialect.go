package store

import (
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

//go:embed migrations/*/*.sql
var migrations embed.FS

// dialect is what differs between the databases.
type dialect struct {
	goose      goose.Dialect
	migrations string // folder below migrations
	// tables tells whether a table exists; $1 is its name.
	tables string
	// alone waits until no other transaction does the same; $1 and $2 tell what.
	// It is empty where only one transaction writes at a time.
	alone string
	// freeze keeps deliveries from being changed until the transaction ends, and
	// waits for changes under way; empty where nobody else can.
	freeze string
	// forUpdate ends a SELECT of rows that nobody else may change meanwhile.
	forUpdate string
	// fence ends the WHERE of a statement on deliveries that only the node $%d
	// may change which has their batch; it keeps the batch from being taken
	// over before the commit. It is empty where one process sends.
	fence string
	// dead are the ids of the nodes that ended or lost their lock; empty where
	// one process sends.
	dead string
	// requeue lets others have the jobs of the node $1; empty where there is no
	// queue.
	requeue string
	// notify tells those who listen that the site changed, once the transaction
	// is committed; empty where nobody can.
	notify string
	// skip takes the number of a subscriber that nobody gets.
	skip string
	// among ends a condition on a text that is to be in $1, a list in JSON, and
	// amongIDs one on a number; both by the index.
	among, amongIDs string
	// unbarred is the condition that the mailbox of a subscriber is not suppressed.
	// PostgreSQL would read all suppressions anew for every batch, were they not
	// looked up one by one.
	unbarred string
	// parameters are n in a row, from the number on. Those of a long statement have
	// no names on SQLite, which would look for each among all of them.
	parameters func(from, n int) string
	// elements are the values t.value of a list of texts in JSON, %s.
	elements string
	// words is the condition on thread_texts x that the index finds $1 there: words
	// as word writes them, prefix behind one that only begins a word, and and
	// between them.
	words, prefix, and string
	word               func(string) string
	// erase makes what is deleted be written over, shrink empties the log of
	// changes; empty where the server does that in its own time.
	erase, shrink string
	// now asks for the server's time in milliseconds; empty where there is no
	// server.
	now string
	// busy tells whether an error means that another process is writing.
	busy func(error) bool
	// conflict tells whether an error means that a transaction met another and
	// may be tried again.
	conflict func(error) bool
}

var sqlite = dialect{
	goose:      goose.DialectSQLite3,
	migrations: "migrations/sqlite",
	tables:     `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = $1`,
	elements:   `json_each(%s) t`,
	among:      ` IN (SELECT value FROM json_each($1))`,
	amongIDs:   ` IN (SELECT value FROM json_each($1))`,
	unbarred:   `key NOT IN (SELECT key FROM suppressions)`,
	skip:       `UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'subscribers'`,
	parameters: func(_, n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") },
	erase:      `PRAGMA secure_delete = ON`,
	shrink:     `PRAGMA wal_checkpoint(TRUNCATE)`,
	words:      `x.number IN (SELECT rowid FROM thread_words WHERE thread_words MATCH $1)`,
	prefix:     " *",
	and:        " AND ",
	word:       func(w string) string { return `"` + strings.ReplaceAll(w, `"`, `""`) + `"` },
	busy: func(err error) bool {
		e, ok := errors.AsType[*driver.Error](err)
		return ok && e.Code()&0xff == sqlite3.SQLITE_BUSY
	},
	conflict: func(err error) bool { return errors.Is(err, errRaced) },
}

func (d dialect) folder() fs.FS {
	sub, err := fs.Sub(migrations, d.migrations)
	if err != nil {
		panic(err) // the folder is embedded
	}
	return sub
}

// Cache sizes of the two pools add up to less than 8 MB.
const (
	writerCacheKB = 4000
	readerCacheKB = 900
	readers       = 4
)

// How long SQLite itself waits. Readers wait only while the file is recovered
// after a crash; for those who write, [Store.turn] goes on.
const (
	writerBusy = 20 * time.Millisecond
	readerBusy = patience
)

// openSQLite opens the file with one connection that writes and a few that
// read. busy_timeout stands first, so that the pragmas after it wait too. Only
// the one that writes sets the journal mode, which stays with the file: a look
// at a file that is not ours changes nothing.
func openSQLite(path string) (writer, reader *sql.DB, err error) {
	if writer, err = sql.Open("sqlite", sqliteName(path, "immediate", writerBusy, writerCacheKB, "journal_mode(WAL)")); err != nil {
		return nil, nil, err
	}
	writer.SetMaxOpenConns(1)
	if reader, err = sql.Open("sqlite", sqliteName(path, "deferred", readerBusy, readerCacheKB, "query_only(ON)")); err != nil {
		return nil, nil, err
	}
	reader.SetMaxOpenConns(readers)
	return writer, reader, nil
}

func sqliteName(path, txlock string, busy time.Duration, cacheKB int, pragmas ...string) string {
	q := url.Values{"_txlock": {txlock}}
	q["_pragma"] = append([]string{
		fmt.Sprintf("busy_timeout(%d)", busy.Milliseconds()), "synchronous(FULL)", "foreign_keys(ON)",
		"temp_store(MEMORY)", "journal_size_limit(200000000)", "wal_autocheckpoint(4000)", fmt.Sprintf("cache_size(-%d)", cacheKB),
	}, pragmas...)
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

// isPostgres tells whether a database setting names a server.
func isPostgres(database string) bool {
	return strings.HasPrefix(database, "postgres://") || strings.HasPrefix(database, "postgresql://")
}
