package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"threadmill/internal/newsletter"
)

// the publication has one schedule
const mainSchedule = "main"

// ScheduleSince returns since when a schedule counts, without writing: now
// for one that was not seen before or that replaces another.
func (s *Store) ScheduleSince(ctx context.Context, expression, zone string, now time.Time) (time.Time, error) {
	since, seen, err := scheduleSince(ctx, s.reader, expression, zone, now)
	if err != nil || !seen {
		return now, err
	}
	return since, nil
}

// BeginSchedule is ScheduleSince, and keeps the answer. Only the holder of the
// lock may call it: processes with different schedules would begin theirs anew
// at every look.
func (s *Store) BeginSchedule(ctx context.Context, expression, zone string, now time.Time) (time.Time, error) {
	since, seen, err := scheduleSince(ctx, s.reader, expression, zone, now)
	if err != nil || seen {
		return since, err
	}
	_, err = s.exec(ctx, `INSERT INTO schedules (name, expression, timezone, since_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (name) DO UPDATE SET expression = excluded.expression, timezone = excluded.timezone, since_at = excluded.since_at`,
		mainSchedule, expression, zone, ms(now))
	if err != nil {
		return time.Time{}, fmt.Errorf("note the schedule: %w", err)
	}
	return now, nil
}

// EndSchedule forgets the schedule: one that comes later counts from then.
func (s *Store) EndSchedule(ctx context.Context) error {
	var n int
	err := s.reader.QueryRowContext(ctx, `SELECT count(*) FROM schedules`).Scan(&n)
	if err == nil && n > 0 {
		err = s.tx(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `DELETE FROM schedules`)
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("forget the schedule: %w", err)
	}
	return nil
}

// SlotOver tells whether a slot was claimed, under its key or for the same
// instant: an older version may have called it by another key.
func (s *Store) SlotOver(ctx context.Context, slot newsletter.Slot) (bool, error) {
	var n int
	err := s.reader.QueryRowContext(ctx, `SELECT count(*) FROM slots WHERE key = $1 OR due_at = $2`, slot.Key, ms(slot.Due)).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("read slot %s: %w", slot.Key, err)
	}
	return n > 0, nil
}

// SlotOutcome tells how a slot ended; empty where it is not over.
func (s *Store) SlotOutcome(ctx context.Context, key string) (newsletter.SlotOutcome, error) {
	var outcome newsletter.SlotOutcome
	err := s.reader.QueryRowContext(ctx, `SELECT outcome FROM slots WHERE key = $1`, key).Scan(&outcome)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("read slot %s: %w", key, err)
	}
	return outcome, nil
}

// Now is the time by which slots are due: the server's, so that all nodes have
// the same; with a database that is a file, this machine's; with a copy to
// rehearse on, the one it was given.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	if s.now == "" || s.clock != nil {
		return s.machineTime(), nil
	}
	var now int64
	if err := s.reader.QueryRowContext(ctx, s.now).Scan(&now); err != nil {
		return time.Time{}, fmt.Errorf("read the database's clock: %w", err)
	}
	return time.UnixMilli(now).UTC(), nil
}

// machineTime is the time of this machine, or of the clock of a copy.
func (s *Store) machineTime() time.Time {
	if s.clock != nil {
		return s.clock()
	}
	return time.Now()
}

// scheduleSince reads since when the schedule counts; one that begins in the
// future was noted under a wrong clock and counts as not seen.
func scheduleSince(ctx context.Context, q queryer, expression, zone string, now time.Time) (since time.Time, seen bool, err error) {
	var at sql.NullInt64
	err = q.QueryRowContext(ctx, `SELECT since_at FROM schedules WHERE name = $1 AND expression = $2 AND timezone = $3`,
		mainSchedule, expression, zone).Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, false, nil
	}
	if err != nil {
		return time.Time{}, false, fmt.Errorf("read the schedule: %w", err)
	}
	since = timeOf(at)
	return since, !since.After(now), nil
}

// LastSlot returns the newest slot that is over and due by now, zero if there
// is none, and the newest one that lies in the future, which a wrong clock
// must have left.
func (s *Store) LastSlot(ctx context.Context, now time.Time) (last, future time.Time, err error) {
	var l, f sql.NullInt64
	err = s.reader.QueryRowContext(ctx, `SELECT (SELECT max(due_at) FROM slots WHERE due_at <= $1),
		(SELECT max(due_at) FROM slots WHERE due_at > $1)`, ms(now)).Scan(&l, &f)
	if err != nil {
		return time.Time{}, time.Time{}, fmt.Errorf("read the last slot: %w", err)
	}
	return timeOf(l), timeOf(f), nil
}

// ClaimSlot ends a slot without an issue; ErrTaken when it is over already.
func (s *Store) ClaimSlot(ctx context.Context, slot newsletter.Slot, outcome newsletter.SlotOutcome, now time.Time) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		if err := s.alone(ctx, tx, aloneThreads); err != nil {
			return err
		}
		err := claimSlot(ctx, tx, slot, outcome, 0, now)
		if err == nil && outcome == newsletter.SlotMissed { // the site may name it; one without a thread, or under a pause, it never did
			_, err = s.siteChanged(ctx, tx)
		}
		return err
	})
}

// claimSlot ends a slot, unless it is over under its key or for its instant: two
// nodes with unlike zone data have the same key for unlike instants, and two
// whose zones have unlike names the other way round. Whoever calls it is alone.
func claimSlot(ctx context.Context, tx *sql.Tx, slot newsletter.Slot, outcome newsletter.SlotOutcome, issue int64, now time.Time) error {
	if outcome == newsletter.SlotPublished { // a skip that came after the decision counts all the same
		skips, err := readSkips(ctx, tx)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(skips, slot.Same) {
			return fmt.Errorf("slot %s is skipped: %w", slot.Key, newsletter.ErrTaken)
		}
	}
	res, err := tx.ExecContext(ctx, `INSERT INTO slots (key, due_at, claimed_at, outcome, issue)
		SELECT $1, CAST($2 AS BIGINT), CAST($3 AS BIGINT), $4, CAST($5 AS BIGINT) WHERE NOT EXISTS (SELECT 1 FROM slots WHERE due_at = $2)
		ON CONFLICT (key) DO NOTHING`,
		slot.Key, ms(slot.Due), ms(now), outcome, sql.NullInt64{Int64: issue, Valid: issue > 0})
	if err != nil {
		return fmt.Errorf("claim slot %s: %w", slot.Key, err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, fmt.Errorf("slot %s: %w", slot.Key, newsletter.ErrTaken))
	}
	return nil
}

const settingPause = "pause"

// Pause returns the pause that was last set; it may be over.
func (s *Store) Pause(ctx context.Context) (newsletter.Pause, error) {
	var p newsletter.Pause
	return p, setting(ctx, s.reader, settingPause, &p)
}

// SetPause replaces the pause.
func (s *Store) SetPause(ctx context.Context, p newsletter.Pause) error {
	return s.tx(ctx, func(tx *sql.Tx) error { return s.setPause(ctx, tx, p) })
}

// Resume ends the pause. passed is the newest slot that went by under it, if
// one did; it is over then.
func (s *Store) Resume(ctx context.Context, passed *newsletter.Slot, now time.Time) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		if err := s.alone(ctx, tx, aloneThreads); err != nil {
			return err
		}
		if passed != nil {
			err := claimSlot(ctx, tx, *passed, newsletter.SlotPaused, 0, now)
			if err != nil && !errors.Is(err, newsletter.ErrTaken) {
				return err
			}
		}
		return s.setPause(ctx, tx, newsletter.Pause{})
	})
}

func (s *Store) setPause(ctx context.Context, tx *sql.Tx, p newsletter.Pause) error {
	if err := setSetting(ctx, tx, settingPause, p); err != nil {
		return err
	}
	_, err := s.siteChanged(ctx, tx) // it names the next issue
	return err
}
