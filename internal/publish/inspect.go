package publish

import (
	"context"
	"fmt"
	"strings"
	"time"

	"threadmill/internal/newsletter"
)

// expiringSoon is how long before its end a thread is looked at that no slot
// will carry.
const expiringSoon = 7 * 24 * time.Hour

// slotsAhead bounds how many slots are looked at.
const slotsAhead = 50

// named bounds how many threads a warning names.
const named = 3

// Inspect looks for what the author should see to: broken and expiring
// threads, and fewer than warnLeft threads left, where that is not 0. It
// returns the text of each kind of warning, and ends the one about an empty
// slot when a thread is ready again.
func (p *Publisher) Inspect(ctx context.Context, warnLeft int) (map[string]string, error) {
	c, err := p.Catalogue(ctx)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	found := map[string]string{}
	if broken := brokenText(c); broken != "" {
		found[newsletter.WarningThreadBroken] = broken
	}
	ready, waiting := c.Left(now)
	if left := ready + waiting; left < warnLeft {
		found[newsletter.WarningThreadsLow] = fmt.Sprintf("threads left: %d, fewer than %d (operator.warn_left)", left, warnLeft)
	}
	expiring, err := p.expiring(ctx, c, now)
	if err != nil {
		return nil, err
	}
	if len(expiring) > 0 {
		found[newsletter.WarningThreadExpiring] = "no slot carries these before they expire: " + some(expiring)
	}
	if ready > 0 {
		err = p.o.Store.Unwarn(ctx, newsletter.WarningSlotEmpty)
	}
	return found, err
}

func brokenText(c Catalogue) string {
	var list []string
	for _, problem := range c.Problems {
		if problem.Severity == newsletter.Error {
			list = append(list, problem.String())
		}
	}
	return some(list)
}

// expiring names the threads that expire soon and are not published before.
func (p *Publisher) expiring(ctx context.Context, c Catalogue, now time.Time) ([]string, error) {
	ends := map[string]newsletter.Listed{}
	for _, t := range c.Threads {
		s := t.State(now)
		if (s == newsletter.ThreadReady || s == newsletter.ThreadWaiting) && !t.ExpiryDate.IsZero() && t.ExpiryDate.Sub(now) < expiringSoon {
			ends[t.ID] = t
		}
	}
	if len(ends) == 0 {
		return nil, nil
	}
	planned, err := p.Upcoming(ctx, now, slotsAhead)
	if err != nil {
		return nil, err
	}
	for _, slot := range planned {
		for _, t := range slot.Threads { // none has expired by then
			delete(ends, t.ID)
		}
	}
	var list []string
	for _, t := range c.Threads { // in their order
		if _, ok := ends[t.ID]; ok {
			list = append(list, fmt.Sprintf("“%s” (%s)", t.Title, t.ExpiryDate.In(p.o.Publication.Zone).Format("2 January 2006 15:04")))
		}
	}
	return list, nil
}

// some joins the first of a list.
func some(list []string) string {
	if more := len(list) - named; more > 0 {
		return fmt.Sprintf("%s; and %d more", strings.Join(list[:named], "; "), more)
	}
	return strings.Join(list, "; ")
}
