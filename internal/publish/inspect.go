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

// slotsAhead bounds how often the next issue is looked for.
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
	o, err := p.Outlook(ctx, c)
	if err != nil {
		return nil, err
	}
	if o.Left < warnLeft {
		text := fmt.Sprintf("threads left: %d, fewer than %d (operator.warn_left)", o.Left, warnLeft)
		if !o.Last.IsZero() {
			text += "; the last goes out on " + p.day(o.Last, now)
		}
		found[newsletter.WarningThreadsLow] = text
	}
	if expiring := p.expiring(o.Late); len(expiring) > 0 {
		found[newsletter.WarningThreadExpiring] = "no slot carries these before they expire: " + some(expiring)
	}
	if ready, _ := c.Left(now); ready > 0 {
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

// expiring names threads with the time at which they expire.
func (p *Publisher) expiring(late []newsletter.Listed) []string {
	var list []string
	for _, t := range late {
		list = append(list, fmt.Sprintf("“%s” (%s)", t.Title, t.ExpiryDate.In(p.o.Publication.Zone).Format("2 January 2006 15:04")))
	}
	return list
}

// some joins the first of a list.
func some(list []string) string {
	if more := len(list) - named; more > 0 {
		return fmt.Sprintf("%s; and %d more", strings.Join(list[:named], "; "), more)
	}
	return strings.Join(list, "; ")
}

// DayLayout is how people read the day of a time ahead: with the year where it is
// far.
func DayLayout(at, now time.Time) string {
	if at.Sub(now) > inSight {
		return "2 January 2006"
	}
	return "2 January"
}

// day is the day of a time ahead.
func (p *Publisher) day(at, now time.Time) string {
	return at.In(p.o.Publication.Zone).Format(DayLayout(at, now))
}
