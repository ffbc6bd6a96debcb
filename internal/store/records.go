package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"iter"

	"threadmill/internal/newsletter"
)

// Records yields all that is kept of everybody, in the order of the keys, and
// after that the mailboxes that are suppressed and nobody's; those who were
// forgotten are not among them. After an error it ends.
func (s *Store) Records(ctx context.Context) iter.Seq2[newsletter.SubscriberRecord, error] {
	return func(yield func(newsletter.SubscriberRecord, error) bool) {
		imports := map[int64]*newsletter.Import{}
		for _, read := range []func(context.Context, string, map[int64]*newsletter.Import) ([]newsletter.SubscriberRecord, error){s.recordPage, s.barePage} {
			for last := ""; ; {
				list, err := read(ctx, last, imports)
				if err != nil {
					yield(newsletter.SubscriberRecord{}, fmt.Errorf("read subscribers: %w", err))
					return
				}
				for _, rec := range list {
					if !yield(rec, nil) {
						return
					}
					last = rec.Key
				}
				if len(list) < page {
					break
				}
			}
		}
	}
}

// recordPage reads those whose keys come after last.
func (s *Store) recordPage(ctx context.Context, last string, imports map[int64]*newsletter.Import) (list []newsletter.SubscriberRecord, err error) {
	err = s.view(ctx, func(tx *sql.Tx) error {
		list = make([]newsletter.SubscriberRecord, 0, page)
		var ids []int64
		var origins []sql.NullInt64
		err := each(ctx, tx, func(rows *sql.Rows) error {
			rec, origin, err := scanRecord(rows)
			list, ids, origins = append(list, rec), append(ids, rec.ID), append(origins, origin)
			return err
		}, `SELECT s.id, s.key, s.email, s.name, s.status, s.tags, s.created_at, s.status_reason, s.status_at, s.frequency, s.wants,
				s.paused_until, s.bounces, s.import, coalesce(x.reason, '')
			FROM subscribers s LEFT JOIN suppressions x ON x.key = s.key WHERE s.key > $1 ORDER BY s.key LIMIT $2`, last, page)
		if err != nil || len(list) == 0 {
			return err
		}
		for i, origin := range origins {
			if list[i].Import, err = importOf(ctx, tx, origin, imports); err != nil {
				return err
			}
		}
		return s.addHistories(ctx, tx, list, ids)
	})
	return list, err
}

func scanRecord(rows *sql.Rows) (rec newsletter.SubscriberRecord, origin sql.NullInt64, err error) {
	var tags, wants string
	var created, since, paused sql.NullInt64
	err = rows.Scan(&rec.ID, &rec.Key, &rec.Email, &rec.Name, &rec.Status, &tags, &created, &rec.Reason, &since, &rec.Frequency, &wants,
		&paused, &rec.Bounces, &origin, &rec.Suppression)
	if err != nil {
		return rec, origin, err
	}
	rec.CreatedAt, rec.Since, rec.PausedUntil = timeOf(created), timeOf(since), timeOf(paused)
	if err = json.Unmarshal([]byte(tags), &rec.Tags); err == nil {
		err = json.Unmarshal([]byte(wants), &rec.Wants)
	}
	return rec, origin, err
}

// importOf reads an import once.
func importOf(ctx context.Context, tx *sql.Tx, id sql.NullInt64, known map[int64]*newsletter.Import) (*newsletter.Import, error) {
	if imp := known[id.Int64]; imp != nil || !id.Valid {
		return imp, nil
	}
	imp := &newsletter.Import{ID: id.Int64}
	var at sql.NullInt64
	if err := tx.QueryRowContext(ctx, `SELECT at, file, consent FROM imports WHERE id = $1`, id.Int64).Scan(&at, &imp.File, &imp.Consent); err != nil {
		return nil, fmt.Errorf("read import %d: %w", id.Int64, err)
	}
	imp.At = timeOf(at)
	known[id.Int64] = imp
	return imp, nil
}

// addHistories reads the events of a page of subscribers.
func (s *Store) addHistories(ctx context.Context, tx *sql.Tx, list []newsletter.SubscriberRecord, ids []int64) error {
	places := make(map[int64]*newsletter.SubscriberRecord, len(list))
	for i := range list {
		places[list[i].ID] = &list[i]
	}
	in, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	return each(ctx, tx, func(rows *sql.Rows) error {
		var e newsletter.SubscriberEvent
		var at, issue sql.NullInt64
		if err := rows.Scan(&e.ID, &e.Subscriber, &at, &e.Kind, &issue, &e.Form, &e.Network, &e.Text); err != nil {
			return err
		}
		e.At, e.Issue = timeOf(at), issue.Int64
		rec := places[e.Subscriber]
		rec.Events = append(rec.Events, e)
		return nil
	}, `SELECT id, subscriber, at, kind, issue, form, network, text FROM subscriber_events
		WHERE subscriber`+s.amongIDs+` ORDER BY subscriber, id`, string(in))
}

// barePage reads mailboxes that are suppressed and nobody's.
func (s *Store) barePage(ctx context.Context, last string, _ map[int64]*newsletter.Import) (list []newsletter.SubscriberRecord, err error) {
	err = each(ctx, s.reader, func(rows *sql.Rows) error {
		rec := newsletter.SubscriberRecord{Bare: true}
		var since sql.NullInt64
		err := rows.Scan(&rec.Key, &rec.Suppression, &since)
		rec.Email, rec.Status, rec.Since = rec.Key, newsletter.SubscriberSuppressed, timeOf(since)
		list = append(list, rec)
		return err
	}, `SELECT x.key, x.reason, x.created_at FROM suppressions x
		WHERE x.key > $1 AND x.key LIKE '%@%' AND NOT EXISTS (SELECT 1 FROM subscribers s WHERE s.key = x.key) ORDER BY x.key LIMIT $2`, last, page)
	return list, err
}
