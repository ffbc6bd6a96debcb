package deliver

import (
	"context"
	"slices"

	"threadmill/internal/newsletter"
)

// Engine brings batches to a sender. It may offer one that is done, or that
// another sender has: the database tells.
type Engine interface {
	// Next returns a batch to work, other than those under way; ok is false
	// when there is none now.
	Next(ctx context.Context, under []int64) (b newsletter.Batch, ok bool, err error)
	// Done says that the sender does not work a batch of Next any longer.
	Done(b newsletter.Batch)
}

// open is the engine of one process: whatever is open, the oldest first.
type open struct{ store Store }

func (o open) Next(ctx context.Context, under []int64) (newsletter.Batch, bool, error) {
	list, err := o.store.OpenBatches(ctx, len(under)+1)
	if err != nil {
		return newsletter.Batch{}, false, err
	}
	i := slices.IndexFunc(list, func(b newsletter.Batch) bool { return !slices.Contains(under, b.ID) })
	if i < 0 {
		return newsletter.Batch{}, false, nil
	}
	return list[i], true, nil
}

func (open) Done(newsletter.Batch) {}
