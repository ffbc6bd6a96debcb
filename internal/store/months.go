package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"threadmill/internal/newsletter"
)

const settingMonth = "month"

// monthDone is the last month that is over for those who want one mail a month.
// It is no slot of the schedule: that one is due by the newest claim.
type monthDone struct {
	Month string `json:"month"` // such as 2026-11, which sorts as text
}

// ahead tells whether the month has not begun in any zone: a clock was wrong when
// it ended.
func (m monthDone) ahead(now time.Time) bool {
	return m.Month > now.UTC().Add(24*time.Hour).Format("2006-01")
}

// LastMonth is the last month whose digest went out or was not needed; empty
// before any, and where the last one lies in the future.
func (s *Store) LastMonth(ctx context.Context) (string, error) {
	var done monthDone
	err := setting(ctx, s.reader, settingMonth, &done)
	if done.ahead(s.machineTime()) {
		return "", err
	}
	return done.Month, err
}

// EndMonth ends a month without a digest.
func (s *Store) EndMonth(ctx context.Context, month string) error {
	err := s.tx(ctx, func(tx *sql.Tx) error {
		if err := s.alone(ctx, tx, aloneThreads); err != nil {
			return err
		}
		err := s.claimMonth(ctx, tx, month)
		if errors.Is(err, newsletter.ErrTaken) {
			return nil
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("end the month %s: %w", month, err)
	}
	return nil
}

// claimMonth ends a month, unless it is over. One that lies in the future does not
// count. Whoever calls it is alone.
func (s *Store) claimMonth(ctx context.Context, tx *sql.Tx, month string) error {
	var done monthDone
	if err := setting(ctx, tx, settingMonth, &done); err != nil {
		return err
	}
	if done.Month >= month && !done.ahead(s.machineTime()) {
		return fmt.Errorf("the month %s: %w", month, newsletter.ErrTaken)
	}
	return setSetting(ctx, tx, settingMonth, monthDone{month})
}
