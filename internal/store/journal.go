package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"

	"threadmill/internal/newsletter"
)

// Journal records how deliveries ended and marks others as being sent, all in
// one commit. It returns for each entry whether its Next may be sent now: not
// when its subscriber left in the meantime, which cancels the delivery, nor
// when its issue was stopped. Once begun it is not interrupted.
func (s *Store) Journal(ctx context.Context, entries []newsletter.JournalEntry) ([]bool, error) {
	return s.writeJournal(ctx, "", entries)
}

// writeJournal is Journal for a node: what belongs to a batch that another one
// has by now is left as that one has it, and does not go.
func (s *Store) writeJournal(ctx context.Context, node string, entries []newsletter.JournalEntry) ([]bool, error) {
	err := ctx.Err()
	if err == nil && s.pool == nil { // the pool's connections keep statements themselves
		err = s.journal.prepare(ctx, s.writer)
	}
	if err != nil {
		return nil, fmt.Errorf("write the journal: %w", err)
	}
	ctx = context.WithoutCancel(ctx) // one that can end costs a goroutine a statement
	var goes []bool
	if s.pool != nil && simple(entries) {
		err = s.again(func() (err error) { goes, err = s.pipelined(ctx, node, entries); return err })
		if err == nil {
			err = s.stay(ctx, node, entries, goes)
		}
	} else {
		goes, err = s.transacted(ctx, node, entries)
	}
	if err != nil {
		return nil, fmt.Errorf("write the journal: %w", err)
	}
	return goes, nil
}

// transacted writes a commit of the journal in a transaction.
func (s *Store) transacted(ctx context.Context, node string, entries []newsletter.JournalEntry) ([]bool, error) {
	goes := make([]bool, len(entries))
	write := func(width int64) error {
		return s.tx(ctx, func(tx *sql.Tx) error {
			clear(goes)
			c := commit{store: s, journal: &s.journal, tx: tx, fence: s.fence, node: node}
			if err := c.record(ctx, entries); err != nil {
				return err
			}
			return c.mark(ctx, entries, goes, width)
		})
	}
	err := write(runWidth)
	if errors.Is(err, errSomeStay) {
		err = write(1)
	}
	return goes, err
}

// journal holds the statements that every message needs: to compile them costs
// more than to run them. Most name a run of deliveries, which lie side by side,
// by their first and last id and a bit for each between: a list would make
// SQLite build a table each time.
type journal struct {
	mu                sync.Mutex
	sent, other, next *sql.Stmt // nil where the connections keep them
}

// commit is one transaction of the journal.
type commit struct {
	store *Store
	*journal
	tx    *sql.Tx
	fence string // see [dialect]
	node  string
}

// statement is one that is run several times in a commit.
type statement func(ctx context.Context, args ...any) (sql.Result, error)

// statement returns the query prepared, where that is known.
func (c *commit) statement(ctx context.Context, prepared *sql.Stmt, query string) (run statement, end func()) {
	if prepared == nil {
		return func(ctx context.Context, args ...any) (sql.Result, error) {
			if c.fence == "" {
				return c.tx.ExecContext(ctx, query, args...)
			}
			args = append(args, c.node)
			return c.tx.ExecContext(ctx, query+fmt.Sprintf(c.fence, len(args)), args...)
		}, func() {}
	}
	stmt := c.tx.StmtContext(ctx, prepared)
	return stmt.ExecContext, func() { _ = stmt.Close() }
}

// runWidth is how many ids have room in the bits of a run.
const runWidth = 63

// run is the condition of a statement on a run.
const run = `id BETWEEN $1 AND $2 AND (CAST($3 AS BIGINT) >> CAST(id - $1 AS INTEGER)) & 1 = 1`

const (
	sentQuery = `UPDATE deliveries SET state = 'sent', attempts = attempts + 1, code = 250, answer = '', changed_at = $4
		WHERE ` + run + ` AND state = 'sending'`
	// Of a pending one the envelope was refused before it was marked.
	otherQuery = `UPDATE deliveries SET state = $2, attempts = $3, doubts = $4, next_at = $5, code = $6, answer = $7, changed_at = $8, hold = $9, bounce = NULL,
		first_at = CASE WHEN $3 > 0 THEN coalesce(first_at, $8) ELSE first_at END
		WHERE id = $1 AND state IN ('sending', 'pending')`
)

// nextQuery cannot be a constant as the others are.
var nextQuery = `UPDATE deliveries SET state = 'sending', first_at = coalesce(first_at, $4), changed_at = $4
		WHERE ` + run + ` AND state = 'pending'
		AND EXISTS (SELECT 1 FROM subscribers s WHERE s.id = deliveries.subscriber AND s.status = 'active')
		AND ` + mailGoes("deliveries.issue", "$4")

func (j *journal) prepare(ctx context.Context, db *sql.DB) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.next != nil {
		return nil
	}
	var errs [3]error
	j.sent, errs[0] = db.PrepareContext(ctx, sentQuery)
	j.other, errs[1] = db.PrepareContext(ctx, otherQuery)
	j.next, errs[2] = db.PrepareContext(ctx, nextQuery)
	if err := errors.Join(errs[:]...); err != nil {
		return errors.Join(err, j.forget())
	}
	return nil
}

func (j *journal) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.forget()
}

func (j *journal) forget() error {
	var errs []error
	for _, stmt := range []*sql.Stmt{j.sent, j.other, j.next} {
		if stmt != nil {
			errs = append(errs, stmt.Close())
		}
	}
	j.sent, j.other, j.next = nil, nil, nil
	return errors.Join(errs...)
}

// step is what becomes of one delivery in this commit.
type step struct {
	id    int64
	at    int64 // ms; the same second for a whole run, since that is the Date of a message
	entry int
}

// sentSteps are the deliveries that the relay took.
func sentSteps(entries []newsletter.JournalEntry, now int64) []step {
	list := make([]step, 0, len(entries))
	for _, e := range entries {
		for _, d := range e.Ended {
			if d.State == newsletter.DeliverySent {
				list = append(list, step{id: d.ID, at: now})
			}
		}
	}
	return list
}

// nextSteps are the deliveries that are about to be sent.
func nextSteps(entries []newsletter.JournalEntry) []step {
	list := make([]step, 0, len(entries))
	for i, e := range entries {
		if e.Next != 0 {
			list = append(list, step{id: e.Next, at: ms(e.At), entry: i})
		}
	}
	return list
}

// runs sorts the steps and calls do for each run of them, with what the
// statement needs and the run itself.
func runs(list []step, width int64, do func(run []step, args ...any) error) error {
	slices.SortFunc(list, func(a, b step) int {
		return cmp.Or(cmp.Compare(a.at/1000, b.at/1000), cmp.Compare(a.id, b.id))
	})
	for rest := list; len(rest) > 0; {
		first, bits, n := rest[0], int64(0), 0
		for n < len(rest) && rest[n].id-first.id < width && rest[n].at/1000 == first.at/1000 && (n == 0 || rest[n].id > rest[n-1].id) {
			bits |= 1 << (rest[n].id - first.id)
			n++
		}
		if err := do(rest[:n], first.id, rest[n-1].id, bits, first.at); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// record writes how deliveries ended. What the relay simply took, which is
// nearly all, goes in runs.
func (c *commit) record(ctx context.Context, entries []newsletter.JournalEntry) error {
	sent, end := c.statement(ctx, c.sent, sentQuery)
	defer end()
	other, end := c.statement(ctx, c.other, otherQuery)
	defer end()
	now := msNow()
	for _, e := range entries {
		for _, d := range e.Ended {
			if d.State == newsletter.DeliverySent {
				continue
			}
			if err := c.recordOther(ctx, other, d, now); err != nil {
				return fmt.Errorf("record delivery %d: %w", d.ID, err)
			}
		}
	}
	return runs(sentSteps(entries, now), runWidth, func(run []step, args ...any) error {
		if _, err := sent(ctx, args...); err != nil {
			return fmt.Errorf("record %d deliveries from %d: %w", len(run), run[0].id, err)
		}
		return nil
	})
}

// recordOther writes how a delivery ended that was not simply sent, and what
// that says about its address.
func (c *commit) recordOther(ctx context.Context, other statement, d newsletter.DeliveryEnd, now int64) error {
	hold := sql.NullString{String: d.Hold, Valid: d.Hold != ""}
	res, err := other(ctx, d.ID, d.State, d.Attempts, d.Doubts, msOrNull(d.NextAt), d.Code, plain(d.Answer), now, hold)
	if err == nil && (d.State == newsletter.DeliveryPending || d.State == newsletter.DeliveryDeferred) {
		// Its issue may have been withdrawn while it was under way.
		_, err = c.tx.ExecContext(ctx, `UPDATE deliveries SET state = 'canceled', next_at = NULL WHERE id = $1 AND state = $2
			AND EXISTS (SELECT 1 FROM issue_holds h WHERE h.issue = deliveries.issue AND h.withdrawn)`, d.ID, d.State)
	}
	if err == nil && d.Answer != "" {
		// Who was forgotten while it was under way may be named in the answer. A
		// statement of its own sees it, whoever came first.
		_, err = c.tx.ExecContext(ctx, `UPDATE deliveries SET answer = '' WHERE id = $1
			AND NOT EXISTS (SELECT 1 FROM subscribers s WHERE s.id = deliveries.subscriber)`, d.ID)
	}
	if err != nil || d.Bounce == "" {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	return c.store.bounce(ctx, c.tx, d)
}

// errSomeStay says that not all of a run may be sent, and nobody knows which.
var errSomeStay = errors.New("some deliveries may not be sent")

// mark marks the next deliveries of all entries, in runs of up to width.
func (c *commit) mark(ctx context.Context, entries []newsletter.JournalEntry, goes []bool, width int64) error {
	next, end := c.statement(ctx, c.next, nextQuery)
	defer end()
	return runs(nextSteps(entries), width, func(run []step, args ...any) error {
		res, err := next(ctx, args...)
		if err != nil {
			return fmt.Errorf("mark %d deliveries from %d: %w", len(run), run[0].id, err)
		}
		switch n, err := res.RowsAffected(); {
		case err != nil:
			return err
		case n == int64(len(run)):
			for _, s := range run {
				goes[s.entry] = true
			}
			return nil
		case width > 1:
			return errSomeStay
		}
		return cancelLeft(ctx, c.tx, run[0].id, run[0].at)
	})
}

// cancelLeft cancels a delivery whose subscriber left.
func cancelLeft(ctx context.Context, tx *sql.Tx, id, now int64) error {
	_, err := tx.ExecContext(ctx, `UPDATE deliveries SET state = 'canceled', changed_at = $2
		WHERE id = $1 AND state = 'pending'
		AND NOT EXISTS (SELECT 1 FROM subscribers s WHERE s.id = deliveries.subscriber AND s.status = 'active')`, id, now)
	return err
}
