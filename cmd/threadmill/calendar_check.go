package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"threadmill/internal/newsletter"
	"threadmill/internal/publish"
)

// calendarFaults names what an author would be surprised by in the calendar:
// entries of the queue that name no thread, threads that expire before their
// turn, and skips of slots that the schedule no longer has.
func (p *publication) calendarFaults(ctx context.Context, c publish.Catalogue, now time.Time) ([]newsletter.Problem, error) {
	list := queueFaults(c, p.Threads, p.Schedule.Order)
	o, err := p.publisher.Outlook(ctx, c)
	if err != nil {
		return nil, err
	}
	for _, t := range o.Late {
		list = append(list, lateNote(t, p.Threads, p.facts.Zone))
	}
	skipped, err := p.skipped(ctx, now)
	for _, at := range skipped {
		if p.schedule == nil || !p.schedule.Next(at.Add(-time.Nanosecond)).Equal(at) {
			text := fmt.Sprintf("the schedule has no slot on %s, which is skipped; skip the one that you mean, and take this back with `threadmill skip --undo %s`",
				longTime(at, p.facts.Zone), slotArgument(at, p.facts.Zone))
			list = append(list, newsletter.Problem{File: p.Position("schedule.cron"), Text: text})
		}
	}
	return list, err
}

// queueFaults names the entries of threads/QUEUE that name no thread.
func queueFaults(c publish.Catalogue, label, order string) []newsletter.Problem {
	file := label + "/QUEUE"
	if len(c.Queue) > 0 && order != string(newsletter.OrderList) {
		return []newsletter.Problem{{File: file, Text: "is not used, as schedule.order is " + order + "; write order: list, or delete the file"}}
	}
	broken := map[string]bool{}
	for _, f := range c.Broken {
		broken[newsletter.DefaultID(f)] = true
	}
	var list []newsletter.Problem
	for i, id := range c.Queue {
		if _, err := c.Find(id); err == nil || broken[id] {
			continue
		}
		problem := newsletter.Problem{File: file, Text: fmt.Sprintf("there is no thread %q; `threadmill threads` shows the ids", id)}
		if i < len(c.QueueLines) {
			problem.Line = c.QueueLines[i]
		}
		list = append(list, problem)
	}
	slices.SortStableFunc(list, func(a, b newsletter.Problem) int { return a.Line - b.Line })
	return list
}
