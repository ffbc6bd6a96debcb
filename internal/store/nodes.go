package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"

	"threadmill/internal/newsletter"
)

// Node is a Store in the hands of one of the processes that send. What it does
// with a batch counts only as long as the batch is its own. On SQLite, where the
// holder of the lock is the only one, it is no more than the Store.
type Node struct {
	*Store
	id     string
	server *serverLock
}

// NodeInfo is a node as it is listed.
type NodeInfo struct {
	ID          string    `json:"id"`
	Host        string    `json:"host"`
	PID         int       `json:"pid"`
	Version     string    `json:"version"`
	Since       time.Time `json:"since"`
	Connections int       `json:"connections"` // at most
	Batches     int       `json:"batches"`     // that it works
	Rate        float64   `json:"rate"`        // messages a second that go out now
	Keeper      bool      `json:"keeper"`      // it also does what is done once for the publication
}

// ErrNodeLost says that the connection is gone that showed the node to be alive,
// so that others take over its work.
var ErrNodeLost = fmt.Errorf("%w, and others take over what this node sends", newsletter.ErrCutOff)

// GoneError says that a node could not reach the database.
type GoneError struct{ Err error }

func (e *GoneError) Error() string { return e.Err.Error() }

// Unwrap returns what the database or the network said.
func (e *GoneError) Unwrap() error { return e.Err }

// Join makes this process a node, until it leaves, ends or loses its connection.
// An error is a *GoneError.
func (s *Store) Join(ctx context.Context, version string, connections int) (*Node, error) {
	if s.pool == nil {
		return &Node{Store: s}, nil
	}
	var random [12]byte
	_, _ = rand.Read(random[:]) // never fails
	number := int32(binary.BigEndian.Uint32(random[8:]) >> 1)
	n := &Node{Store: s, id: hex.EncodeToString(random[:8])}
	host, err := os.Hostname()
	if err != nil {
		host = "?"
	}
	n.server, err = s.hold(ctx, connectionName("node"), func(conn *pgx.Conn) error {
		// The lock first: a node without one is dead.
		if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock($1, $2)`, int32(lockNode), number); err != nil {
			return err
		}
		_, err := conn.Exec(ctx, `INSERT INTO nodes (id, number, host, pid, version, started_at, connections) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			n.id, number, host, os.Getpid(), version, msNow(), connections)
		if err == nil {
			_, err = conn.Exec(ctx, `LISTEN threadmill_site`)
		}
		return err
	})
	if err != nil {
		return nil, &GoneError{fmt.Errorf("join the nodes: %w", err)}
	}
	return n, nil
}

// ID is the name of the node, another one with every start; empty on SQLite.
func (n *Node) ID() string { return n.id }

// Context returns a context that also ends, with the cause [ErrNodeLost], when
// others may take over what the node works.
func (n *Node) Context(ctx context.Context) (context.Context, context.CancelFunc) {
	return n.server.context(ctx, ErrNodeLost)
}

// SiteChanged tells when the publication's revision rose, if it can: whoever
// needs to know looks now and then besides. Several changes may be told as one.
func (n *Node) SiteChanged() <-chan struct{} {
	if n.server == nil {
		return nil
	}
	return n.server.told
}

// Leave gives back what the node has. Deliveries that did not end are settled as
// by [Store.Recover]. A node that lost its connection leaves that to others.
func (n *Node) Leave(ctx context.Context, resend bool) error {
	if n.server == nil {
		return nil
	}
	var err error
	if n.server.held.Err() == nil {
		_, err = n.bury(ctx, n.id, resend)
	}
	return errors.Join(err, n.server.unlock())
}

// OpenBatches is [Store.OpenBatches], with the node's own.
func (n *Node) OpenBatches(ctx context.Context, limit int) ([]newsletter.Batch, error) {
	return n.openBatches(ctx, n.id, limit)
}

// TakeBatch makes a batch the node's own and returns what is pending in it;
// ErrTaken when another node has it.
func (n *Node) TakeBatch(ctx context.Context, batch newsletter.Batch) ([]newsletter.Delivery, error) {
	return n.takeBatch(ctx, n.id, batch)
}

// CloseBatch is [Store.CloseBatch]; the batch is nobody's then.
func (n *Node) CloseBatch(ctx context.Context, batch newsletter.Batch) error {
	return n.leaveBatch(ctx, n.id, batch)
}

// OthersWork tells whether other nodes, living or dead, have batches.
func (n *Node) OthersWork(ctx context.Context) (bool, error) { return n.othersWork(ctx, n.id) }

// OthersWork tells whether nodes have batches.
func (s *Store) OthersWork(ctx context.Context) (bool, error) { return s.othersWork(ctx, "") }

func (s *Store) othersWork(ctx context.Context, node string) (others bool, err error) {
	err = s.reader.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM batches WHERE node <> '' AND node <> $1 AND NOT done)`, node).Scan(&others)
	if err != nil {
		return false, fmt.Errorf("read what other nodes do: %w", err)
	}
	return others, nil
}

// Journal is [Store.Journal]. What belongs to a batch that another node has by
// now is not recorded and does not go.
func (n *Node) Journal(ctx context.Context, entries []newsletter.JournalEntry) ([]bool, error) {
	return n.writeJournal(ctx, n.id, entries)
}

// Buried is what dead nodes left behind.
type Buried struct {
	Nodes   []string // that were dead
	Batches int      // that others may take
	Again   int      // deliveries that are sent again
	Held    int      // deliveries that wait for the operator
}

// Sweep lets others go on with what dead nodes had. Each of them is for the
// first who notices.
func (s *Store) Sweep(ctx context.Context, resend bool) (Buried, error) {
	var all Buried
	if s.pool == nil {
		return all, nil
	}
	var dead []string
	err := each(ctx, s.reader, func(rows *sql.Rows) error {
		dead = append(dead, "")
		return rows.Scan(&dead[len(dead)-1])
	}, s.dead, lockNode)
	for _, id := range dead {
		if err != nil {
			break
		}
		var b Buried
		b, err = s.bury(ctx, id, resend)
		all.Nodes = append(all.Nodes, b.Nodes...)
		all.Batches += b.Batches
		all.Again += b.Again
		all.Held += b.Held
	}
	if err != nil {
		return all, fmt.Errorf("look after dead nodes: %w", err)
	}
	return all, nil
}

// bury removes a node and frees its batches.
func (s *Store) bury(ctx context.Context, node string, resend bool) (b Buried, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		b = Buried{}
		res, err := tx.ExecContext(ctx, `DELETE FROM nodes WHERE id = $1`, node)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 { // another one did it
			return err
		}
		b.Nodes = []string{node}
		// The batches first, as in the journal, which may be writing for the last time.
		batches, err := ids(ctx, tx, `SELECT id FROM batches WHERE node = $1 ORDER BY id`+s.forUpdate, node)
		if err != nil {
			return err
		}
		b.Batches = len(batches)
		if b.Again, b.Held, err = s.settleDoubts(ctx, tx, resend, batches); err != nil {
			return err
		}
		if _, err = tx.ExecContext(ctx, `UPDATE batches SET node = '' WHERE node = $1`, node); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, s.requeue, node)
		return err
	})
	return b, err
}

// Beat notes how the node is and returns all that are there, the oldest first.
func (n *Node) Beat(ctx context.Context, rate float64, keeper bool) ([]NodeInfo, error) {
	if n.server != nil {
		if _, err := n.exec(ctx, `UPDATE nodes SET rate = $2, keeper = $3 WHERE id = $1`, n.id, rate, keeper); err != nil {
			return nil, fmt.Errorf("note how this node is: %w", err)
		}
	}
	return n.Nodes(ctx)
}

// Nodes returns the processes that send, the oldest first.
func (s *Store) Nodes(ctx context.Context) ([]NodeInfo, error) {
	list := []NodeInfo{}
	err := each(ctx, s.reader, func(rows *sql.Rows) error {
		var n NodeInfo
		var since sql.NullInt64
		err := rows.Scan(&n.ID, &n.Host, &n.PID, &n.Version, &since, &n.Connections, &n.Rate, &n.Keeper, &n.Batches)
		n.Since = timeOf(since)
		list = append(list, n)
		return err
	}, `SELECT id, host, pid, version, started_at, connections, rate, keeper, (SELECT count(*) FROM batches b WHERE b.node = nodes.id)
		FROM nodes ORDER BY started_at, id`)
	if err != nil {
		return nil, fmt.Errorf("read the nodes: %w", err)
	}
	return list, nil
}
