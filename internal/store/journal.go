package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"threadmill/internal/newsletter"
)

// Journal records how deliveries ended and marks others as being sent, all in
// one commit. It returns for each entry whether its Next may be sent now: not
// when its subscriber left in the meantime, which cancels the delivery, nor
// when its issue was stopped. Once begun it is not interrupted.
func (s *Store) Journal(ctx context.Context, entries []newsletter.JournalEntry) ([]bool, error) {
	goes := make([]bool, len(entries))
	err := ctx.Err()
	if err == nil {
		err = s.journal.prepare(ctx, s.writer)
	}
	if err == nil {
		// A context that can end costs a goroutine a statement.
		err = s.tx(context.WithoutCancel(ctx), func(tx *sql.Tx) error {
			return s.journal.write(context.WithoutCancel(ctx), tx, entries, goes)
		})
	}
	if err != nil {
		return nil, fmt.Errorf("write the journal: %w", err)
	}
	return goes, nil
}

// journal holds the statements that every message needs: to compile them costs
// more than to run them.
type journal struct {
	mu        sync.Mutex
	end, mark *sql.Stmt
}

func (j *journal) prepare(ctx context.Context, db *sql.DB) (err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.mark != nil {
		return nil
	}
	j.end, err = db.PrepareContext(ctx, `UPDATE deliveries SET state = $2, attempts = $3, doubts = $4, next_at = $5, code = $6, answer = $7, changed_at = $8, hold = $9,
		first_at = CASE WHEN $3 > 0 THEN coalesce(first_at, $8) ELSE first_at END
		WHERE id = $1 AND state IN ('sending', 'pending')`) // pending: its envelope was refused before it was marked
	if err != nil {
		return err
	}
	j.mark, err = db.PrepareContext(ctx, `UPDATE deliveries SET state = 'sending', first_at = coalesce(first_at, $2), changed_at = $2
		WHERE id = $1 AND state = 'pending'
		AND EXISTS (SELECT 1 FROM subscribers s WHERE s.id = deliveries.subscriber AND s.status = 'active')
		AND NOT EXISTS (SELECT 1 FROM issue_holds h WHERE h.issue = deliveries.issue AND (h.until_at IS NULL OR h.until_at > $2))`)
	return err
}

func (j *journal) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.mark == nil {
		return nil
	}
	return errors.Join(j.end.Close(), j.mark.Close())
}

func (j *journal) write(ctx context.Context, tx *sql.Tx, entries []newsletter.JournalEntry, goes []bool) error {
	end, mark, now := tx.StmtContext(ctx, j.end), tx.StmtContext(ctx, j.mark), msNow()
	defer end.Close()
	defer mark.Close()
	for i, e := range entries {
		for _, d := range e.Ended {
			if err := record(ctx, tx, end, d, now); err != nil {
				return fmt.Errorf("record delivery %d: %w", d.ID, err)
			}
		}
		if e.Next == 0 {
			continue
		}
		res, err := mark.ExecContext(ctx, e.Next, ms(e.At))
		if err != nil {
			return fmt.Errorf("mark delivery %d: %w", e.Next, err)
		}
		n, err := res.RowsAffected()
		if goes[i] = n > 0; err == nil && !goes[i] {
			err = cancelLeft(ctx, tx, e.Next, ms(e.At))
		}
		if err != nil {
			return fmt.Errorf("mark delivery %d: %w", e.Next, err)
		}
	}
	return nil
}

// record writes how a delivery ended, and what that says about its address.
func record(ctx context.Context, tx *sql.Tx, end *sql.Stmt, d newsletter.DeliveryEnd, now int64) error {
	hold := sql.NullString{String: d.Hold, Valid: d.Hold != ""}
	res, err := end.ExecContext(ctx, d.ID, d.State, d.Attempts, d.Doubts, msOrNull(d.NextAt), d.Code, d.Answer, now, hold)
	if err == nil && (d.State == newsletter.DeliveryPending || d.State == newsletter.DeliveryDeferred) {
		// Its issue may have been withdrawn while it was under way.
		_, err = tx.ExecContext(ctx, `UPDATE deliveries SET state = 'canceled', next_at = NULL WHERE id = $1 AND state = $2
			AND EXISTS (SELECT 1 FROM issue_holds h WHERE h.issue = deliveries.issue AND h.withdrawn)`, d.ID, d.State)
	}
	if err != nil || d.Bounce == "" {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	return bounce(ctx, tx, d)
}

// cancelLeft cancels a delivery whose subscriber left.
func cancelLeft(ctx context.Context, tx *sql.Tx, id, now int64) error {
	_, err := tx.ExecContext(ctx, `UPDATE deliveries SET state = 'canceled', changed_at = $2
		WHERE id = $1 AND state = 'pending'
		AND NOT EXISTS (SELECT 1 FROM subscribers s WHERE s.id = deliveries.subscriber AND s.status = 'active')`, id, now)
	return err
}
