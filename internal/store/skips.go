package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"threadmill/internal/newsletter"
)

const settingSkips = "skips"

// maxSkips is above what anybody skips by hand.
const maxSkips = 1000

// Skips returns the slots that are to be left out, the first one first. Some may
// have passed.
func (s *Store) Skips(ctx context.Context) ([]newsletter.Slot, error) {
	return readSkips(ctx, s.reader)
}

func readSkips(ctx context.Context, q queryer) (list []newsletter.Slot, err error) {
	return list, setting(ctx, q, settingSkips, &list)
}

// Skip has a slot left out; ErrSlotOver where it has ended. A slot that was
// skipped before stays so.
func (s *Store) Skip(ctx context.Context, slot newsletter.Slot, now time.Time) error {
	return s.changeSkips(ctx, slot, now, func(list []newsletter.Slot) ([]newsletter.Slot, error) {
		if slices.ContainsFunc(list, slot.Same) {
			return list, nil
		}
		if len(list) >= maxSkips {
			return nil, fmt.Errorf("%d slots are skipped already; pause the schedule instead", len(list))
		}
		return append(list, slot), nil
	})
}

// Unskip takes a skip back; ErrNotFound where the slot is not skipped, and
// ErrSlotOver where it has ended.
func (s *Store) Unskip(ctx context.Context, slot newsletter.Slot, now time.Time) error {
	return s.changeSkips(ctx, slot, now, func(list []newsletter.Slot) ([]newsletter.Slot, error) {
		n := len(list)
		if list = slices.DeleteFunc(list, slot.Same); len(list) == n {
			return nil, newsletter.ErrNotFound
		}
		return list, nil
	})
}

// changeSkips changes the skips unless the slot has ended, and forgets those
// that passed and were claimed as such.
func (s *Store) changeSkips(ctx context.Context, slot newsletter.Slot, now time.Time, change func([]newsletter.Slot) ([]newsletter.Slot, error)) error {
	err := s.tx(ctx, func(tx *sql.Tx) error {
		if err := s.alone(ctx, tx, aloneThreads); err != nil { // a claim comes before, or sees the skip
			return err
		}
		var last sql.NullInt64
		if err := tx.QueryRowContext(ctx, `SELECT max(due_at) FROM slots WHERE due_at <= $1 OR key = $2 OR due_at = $3`,
			ms(now), slot.Key, ms(slot.Due)).Scan(&last); err != nil {
			return err
		}
		if last.Valid && ms(slot.Due) <= last.Int64 {
			return newsletter.ErrSlotOver
		}
		list, err := readSkips(ctx, tx)
		if err != nil {
			return err
		}
		list = slices.DeleteFunc(list, func(old newsletter.Slot) bool { return last.Valid && ms(old.Due) <= min(last.Int64, ms(now)) })
		if list, err = change(list); err != nil {
			return err
		}
		slices.SortFunc(list, func(a, b newsletter.Slot) int { return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.Key, b.Key)) })
		if err := setSetting(ctx, tx, settingSkips, list); err != nil {
			return err
		}
		_, err = s.siteChanged(ctx, tx) // it names the next issue
		return err
	})
	if err != nil {
		return fmt.Errorf("slot %s: %w", slot.Key, err)
	}
	return nil
}
