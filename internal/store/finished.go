package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// TakeHooked returns the number of an issue that is finished and whose hook was
// not run, and notes that it is; 0 when there is none. It is noted first: what
// the hook does to the world is done once.
func (s *Store) TakeHooked(ctx context.Context) (int64, error) {
	return s.takeFinished(ctx, "hooked_at", time.UnixMilli(0), time.Now())
}

// reportedWithin is how long after its time a report still goes out: whoever
// wants reports from now on wants none of years ago.
const reportedWithin = 7 * 24 * time.Hour

// TakeReported returns the number of an issue that was finished before a time
// and of which the author has no report, and notes that they get it; 0 when there
// is none.
func (s *Store) TakeReported(ctx context.Context, before time.Time) (int64, error) {
	return s.takeFinished(ctx, "reported_at", before.Add(-reportedWithin), before)
}

// ReturnReported says that the author did not get the report.
func (s *Store) ReturnReported(ctx context.Context, issue int64) error {
	_, err := s.exec(ctx, `UPDATE issues SET reported_at = NULL WHERE number = $1`, issue)
	return wrapped("return the report of an issue", err)
}

// takeFinished takes an issue by one of the columns that tell what followed.
func (s *Store) takeFinished(ctx context.Context, column string, since, before time.Time) (int64, error) {
	next := `SELECT min(number) FROM issues i WHERE i.` + column + ` IS NULL AND i.finished_at <= $1 AND i.finished_at > $2 AND i.site_at IS NOT NULL
		AND NOT EXISTS (SELECT 1 FROM issue_holds h WHERE h.issue = i.number AND h.withdrawn)`
	var found sql.NullInt64
	err := s.reader.QueryRowContext(ctx, next, ms(before), ms(since)).Scan(&found)
	if err != nil || !found.Valid {
		return 0, wrapped("look which issues are finished", err)
	}
	err = s.tx(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `UPDATE issues SET `+column+` = $3 WHERE number = (`+next+`) AND `+column+` IS NULL RETURNING number`,
			ms(before), ms(since), msNow()).Scan(&found.Int64)
		if errors.Is(err, sql.ErrNoRows) {
			found.Int64, err = 0, nil
		}
		return err
	})
	return found.Int64, wrapped("take an issue that is finished", err)
}
