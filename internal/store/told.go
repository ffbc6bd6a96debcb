package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"threadmill/internal/newsletter"
)

// untold are the places of what the operator is told: how many of it were not
// told yet, and the statement that notes that the oldest of these is.
type untold struct{ count, tell string }

// TakeWarning returns a warning of which the operator was not told, the oldest
// of its place, and notes that this happens now; its Kind is empty when there
// is none.
func (s *Store) TakeWarning(ctx context.Context) (newsletter.Alert, error) {
	for _, place := range []untold{
		{`SELECT count(*) FROM warnings WHERE told_at IS NULL`, `UPDATE warnings SET told_at = $1
		WHERE kind = (SELECT kind FROM warnings WHERE told_at IS NULL ORDER BY since_at, kind LIMIT 1) AND told_at IS NULL
		RETURNING kind, text, since_at, FALSE`},
		{`SELECT count(*) FROM holds WHERE kind <> 'quota' AND NOT lifted AND told_at IS NULL`, `UPDATE holds SET told_at = $1
		WHERE domain = (SELECT domain FROM holds WHERE kind <> 'quota' AND NOT lifted AND told_at IS NULL ORDER BY since_at, domain LIMIT 1) AND told_at IS NULL
		RETURNING '` + newsletter.WarningHeld + `', ` + heldText + `, since_at, domain = ''`},
		{`SELECT count(*) FROM issue_holds WHERE fault <> '' AND NOT withdrawn AND told_at IS NULL`, `UPDATE issue_holds SET told_at = $1
		WHERE issue = (SELECT min(issue) FROM issue_holds WHERE fault <> '' AND NOT withdrawn AND told_at IS NULL) AND told_at IS NULL
		RETURNING '` + newsletter.WarningMessage + `', ` + faultText + `, held_at, FALSE`},
	} {
		w, err := s.takeWarning(ctx, place)
		if err != nil {
			return newsletter.Alert{}, fmt.Errorf("read what to tell: %w", err)
		}
		if w.Kind != "" {
			return w, nil
		}
	}
	return newsletter.Alert{}, nil
}

// takeWarning writes only where there is something to tell.
func (s *Store) takeWarning(ctx context.Context, place untold) (w newsletter.Alert, err error) {
	var n int
	if err := s.reader.QueryRowContext(ctx, place.count).Scan(&n); err != nil || n == 0 {
		return w, err
	}
	err = s.tx(ctx, func(tx *sql.Tx) error {
		var since sql.NullInt64
		err := tx.QueryRowContext(ctx, place.tell, msNow()).Scan(&w.Kind, &w.Text, &since, &w.AllMail)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		w.Since = timeOf(since)
		return err
	})
	return w, err
}

// TakeSlot tells whether the mail of a slot's issue has left that had not at
// the last call. One of which nothing arrived, or that was withdrawn, did not
// end well and is passed over.
func (s *Store) TakeSlot(ctx context.Context) (bool, error) {
	for {
		key, well, err := s.endedSlot(ctx)
		var mine int64
		if err == nil && key != "" {
			mine, err = s.exec(ctx, `UPDATE slots SET told_at = $2 WHERE key = $1 AND told_at IS NULL`, key, msNow())
		}
		if err != nil {
			return false, fmt.Errorf("read which slots ended: %w", err)
		}
		if key == "" || well && mine > 0 {
			return well, nil
		}
	}
}

// endedSlot returns the oldest slot that was not told and of whose issue
// nothing is pending, and whether it ended well.
func (s *Store) endedSlot(ctx context.Context) (key string, well bool, err error) {
	err = s.reader.QueryRowContext(ctx, `SELECT s.key,
			NOT EXISTS (SELECT 1 FROM issue_holds h WHERE h.issue = i.number AND h.withdrawn)
			AND (i.recipients = 0
				OR EXISTS (SELECT 1 FROM deliveries d WHERE d.issue = i.number AND d.state = 'sent')
				OR NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.issue = i.number AND d.state <> 'canceled'))
		FROM slots s JOIN issues i ON i.number = s.issue
		WHERE s.told_at IS NULL AND s.outcome = 'published' AND i.site_at IS NOT NULL
		AND NOT EXISTS (SELECT 1 FROM batches b WHERE b.issue = i.number AND NOT b.done)
		ORDER BY s.due_at LIMIT 1`).Scan(&key, &well)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return key, well, err
}

// Doubt is how many deliveries of an issue are in doubt.
type Doubt struct {
	Issue int64
	N     int
}

// InDoubt counts the deliveries in doubt by issue, the oldest first.
func (s *Store) InDoubt(ctx context.Context) ([]Doubt, error) {
	var list []Doubt
	err := each(ctx, s.reader, func(rows *sql.Rows) error {
		var d Doubt
		err := rows.Scan(&d.Issue, &d.N)
		list = append(list, d)
		return err
	}, `SELECT issue, count(*) FROM deliveries WHERE doubts > 0 AND state = 'in_doubt' GROUP BY issue ORDER BY issue`)
	if err != nil {
		return nil, fmt.Errorf("count deliveries in doubt: %w", err)
	}
	return list, nil
}

// sendingRate is how fast the holder of the lock sends.
type sendingRate struct {
	Rate float64 `json:"rate"` // messages a second
	At   int64   `json:"at"`
}

const settingRate = "sending_rate"

// SetRate notes how many messages a second go out now.
func (s *Store) SetRate(ctx context.Context, rate float64) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		return setSetting(ctx, tx, settingRate, sendingRate{Rate: rate, At: msNow()})
	})
}

// rateAge is how long a rate holds, in milliseconds.
const rateAge = 10_000

// Rate is how many messages a second go out, 0 when nobody said so lately.
func (s *Store) Rate(ctx context.Context) (float64, error) {
	var r sendingRate
	if err := setting(ctx, s.reader, settingRate, &r); err != nil || msNow()-r.At > rateAge {
		return 0, err
	}
	return r.Rate, nil
}
