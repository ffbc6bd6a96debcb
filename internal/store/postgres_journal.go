package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"threadmill/internal/newsletter"
)

// pipelined writes a commit of the journal in one round trip, as one implicit
// transaction (PostgreSQL, section 53.2.3 of the protocol). It knows what
// nearly all commits hold: deliveries that the relay simply took, and next
// ones. It returns which of these go.
func (s *Store) pipelined(ctx context.Context, node string, entries []newsletter.JournalEntry) ([]bool, error) {
	goes := make([]bool, len(entries))
	var b pgx.Batch
	queue := func(query, returning string, args []any) *pgx.QueuedQuery {
		args = append(args, node)
		return b.Queue(query+fmt.Sprintf(s.fence, len(args))+returning, args...)
	}
	err := runs(sentSteps(entries, msNow()), runWidth, func(_ []step, args ...any) error {
		queue(sentQuery, "", args)
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = runs(nextSteps(entries), runWidth, func(run []step, args ...any) error {
		run = slices.Clone(run)
		queue(nextQuery, " RETURNING id", args).Query(func(rows pgx.Rows) error {
			marked, err := pgx.CollectRows(rows, pgx.RowTo[int64])
			for _, next := range run {
				goes[next.entry] = slices.Contains(marked, next.id)
			}
			return err
		})
		return nil
	})
	if err != nil || b.Len() == 0 {
		return goes, err
	}
	return goes, s.pool.SendBatch(ctx, &b).Close()
}

// simple tells whether the relay took all that ended.
func simple(entries []newsletter.JournalEntry) bool {
	return !slices.ContainsFunc(entries, func(e newsletter.JournalEntry) bool {
		return slices.ContainsFunc(e.Ended, func(d newsletter.DeliveryEnd) bool { return d.State != newsletter.DeliverySent })
	})
}

// stay cancels what may not go since its subscriber left. What may go by now
// does.
func (s *Store) stay(ctx context.Context, node string, entries []newsletter.JournalEntry, goes []bool) error {
	var list []newsletter.JournalEntry
	var places []int
	for i, e := range entries {
		if e.Next != 0 && !goes[i] {
			list = append(list, newsletter.JournalEntry{Next: e.Next, At: e.At})
			places = append(places, i)
		}
	}
	if len(list) == 0 {
		return nil
	}
	late, err := s.transacted(ctx, node, list)
	for i, place := range places {
		goes[place] = late[i]
	}
	return err
}
