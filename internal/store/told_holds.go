package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"threadmill/internal/newsletter"
)

// heldText is how a row of holds reads as a warning.
const heldText = `CASE domain WHEN '' THEN 'all mail' ELSE 'mail to ' || domain END || ' is held: ' || reason`

// untold are the holds of which the operator should hear and did not: a quota
// opens by itself.
const untold = `kind <> 'quota' AND NOT lifted AND told_since IS DISTINCT FROM since_at`

// TakeHold returns the oldest hold of which the operator was not told, as a
// warning, and notes that this happens now; its Kind is empty when there is
// none.
func (s *Store) TakeHold(ctx context.Context) (newsletter.Alert, error) {
	var w newsletter.Alert
	var n int
	err := s.reader.QueryRowContext(ctx, `SELECT count(*) FROM holds WHERE `+untold).Scan(&n)
	if err == nil && n > 0 {
		err = s.tx(ctx, func(tx *sql.Tx) error {
			var since sql.NullInt64
			err := tx.QueryRowContext(ctx, `UPDATE holds SET told_since = since_at
				WHERE domain = (SELECT domain FROM holds WHERE `+untold+` ORDER BY since_at, domain LIMIT 1)
				RETURNING `+heldText+`, since_at`).Scan(&w.Text, &since)
			if errors.Is(err, sql.ErrNoRows) {
				return nil
			}
			w.Kind, w.Since = newsletter.WarningHeld, timeOf(since)
			return err
		})
	}
	if err != nil {
		return newsletter.Alert{}, fmt.Errorf("read which holds to tell: %w", err)
	}
	return w, nil
}
