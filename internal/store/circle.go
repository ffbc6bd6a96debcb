package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"threadmill/internal/newsletter"
)

// mailed is the condition on subscribers who get mail at all.
func (d dialect) mailed() string { return ` status = 'active' AND ` + d.unbarred }

// choosy are those who do not want simply everything, whom an index knows.
const choosy = `(frequency <> 'each' OR wants <> '[]' OR paused_until IS NOT NULL)`

// circle is who gets an issue of those who get mail, in SQL.
type circle struct {
	mailed string // holds for whoever gets mail
	base   string // holds for whoever of them the issue could be for
	parts  []circlePart
	// whole is set where one of the parts may hold for people who are not choosy.
	whole bool
}

// circlePart is a condition on whoever gets the issue, with $? for its value.
type circlePart struct {
	reason string // why the others do not
	holds  string
	arg    any // nil for none
}

// circleOf is who gets an issue that is published at a time. What nobody asked
// for, be it the author or a reader, is not asked of every row.
func (s *Store) circleOf(ctx context.Context, q queryer, c newsletter.Circle, now time.Time) (circle, error) {
	anyOf, noneOf := c.To.Tags()
	list := circle{mailed: s.mailed(), whole: len(anyOf)+len(noneOf) > 0 && !c.Monthly}
	var some bool
	if err := q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM subscribers WHERE `+choosy+`)`).Scan(&some); err != nil {
		return circle{}, err
	}
	add := func(reason, holds string, arg any) {
		list.parts = append(list.parts, circlePart{reason, holds, arg})
	}
	for _, part := range []struct {
		tags []string
		form string
	}{{anyOf, ""}, {noneOf, "NOT "}} {
		if len(part.tags) == 0 {
			continue
		}
		names, err := s.spellings(ctx, q, "tags", part.tags)
		if err != nil {
			return circle{}, err
		}
		add(newsletter.LeftSegment, part.form+s.has("tags"), names)
	}
	switch {
	case c.Monthly:
		list.base = ` AND ` + choosy + ` AND frequency = 'monthly'`
	case some:
		add(newsletter.LeftMonthly, `frequency = 'each'`, nil)
	default:
		return list, nil
	}
	add(newsletter.LeftPaused, `(paused_until IS NULL OR paused_until <= $?)`, ms(now))
	if c.Topics != nil {
		names, err := s.spellings(ctx, q, "wants", c.Topics)
		if err != nil {
			return circle{}, err
		}
		add(newsletter.LeftWants, `(wants = '[]' OR `+s.has("wants")+`)`, names)
	}
	return list, nil
}

// has is the condition that a column with a list in JSON has one of the values in
// another list.
func (s *Store) has(column string) string {
	return `(` + column + ` <> '[]' AND EXISTS (SELECT 1 FROM ` + fmt.Sprintf(s.elements, column) + ` WHERE t.value IN (SELECT t.value FROM ` + fmt.Sprintf(s.elements, "$?") + `)))`
}

// spellings are the values in a column with lists in JSON that are spellings of
// the tags, as a list in JSON.
func (s *Store) spellings(ctx context.Context, q queryer, column string, tags []string) (string, error) {
	wanted := map[string]bool{}
	for _, t := range tags {
		wanted[newsletter.TagKey(t)] = true
	}
	from := `subscribers s, ` + fmt.Sprintf(s.elements, "s."+column)
	where := `s.` + column + ` <> '[]'`
	if column == "wants" {
		where += ` AND ` + choosy
	}
	found := []string{}
	err := each(ctx, q, func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		if wanted[newsletter.TagKey(name)] {
			found = append(found, name)
		}
		return err
	}, `SELECT DISTINCT t.value FROM `+from+` WHERE `+where)
	if err != nil {
		return "", fmt.Errorf("read the tags of the subscribers: %w", err)
	}
	slices.Sort(found)
	text, err := json.Marshal(found)
	return string(text), err
}

// where is the condition on subscribers who get the issue. Its values stand in
// the statement from $n on, and are returned.
func (c circle) where(n int) (condition string, args []any) {
	condition = c.mailed + c.base
	for _, p := range c.parts {
		holds := p.holds
		if p.arg != nil {
			holds = strings.ReplaceAll(holds, "$?", fmt.Sprintf("$%d", n))
			args = append(args, p.arg)
			n++
		}
		condition += ` AND ` + holds
	}
	return condition, args
}

// count counts those who get the issue, and those who do not by the first reason.
func (c circle) count(ctx context.Context, q queryer) (reached int, left newsletter.LeftOut, err error) {
	left = newsletter.LeftOut{}
	if !c.whole && c.base == "" { // most are not asked
		err = q.QueryRowContext(ctx, `SELECT count(*) FROM subscribers WHERE`+c.mailed).Scan(&reached)
		if err != nil || len(c.parts) == 0 {
			return reached, left, err
		}
		_, left, err = c.sort(ctx, q, ` AND `+choosy)
		return reached - left.Sum(), left, err
	}
	return c.sort(ctx, q, "")
}

// leftOut is count without counting those who get the issue, which takes longer.
func (c circle) leftOut(ctx context.Context, q queryer) (newsletter.LeftOut, error) {
	among := ""
	switch {
	case len(c.parts) == 0:
		return newsletter.LeftOut{}, nil
	case !c.whole && c.base == "":
		among = ` AND ` + choosy
	}
	_, left, err := c.sort(ctx, q, among)
	return left, err
}

// sort counts some of the subscribers by why they do not get the issue.
func (c circle) sort(ctx context.Context, q queryer, among string) (reached int, left newsletter.LeftOut, err error) {
	left = newsletter.LeftOut{}
	reason, args := `''`, []any(nil)
	if len(c.parts) > 0 {
		reason = `CASE`
		for _, p := range c.parts {
			holds := p.holds
			if p.arg != nil {
				args = append(args, p.arg)
				holds = strings.ReplaceAll(holds, "$?", fmt.Sprintf("$%d", len(args)))
			}
			reason += ` WHEN NOT (` + holds + `) THEN '` + p.reason + `'`
		}
		reason += ` ELSE '' END`
	}
	err = each(ctx, q, func(rows *sql.Rows) error {
		var why string
		var n int
		err := rows.Scan(&why, &n)
		if why == "" {
			reached = n
		} else {
			left[why] = n
		}
		return err
	}, `SELECT `+reason+` AS reason, count(*) FROM subscribers WHERE`+c.mailed+c.base+among+` GROUP BY 1`, args...)
	return reached, left, err
}

// Reach counts who would get an issue now, and those who are active and would
// not.
func (s *Store) Reach(ctx context.Context, c newsletter.Circle, now time.Time) (reached int, left newsletter.LeftOut, err error) {
	err = s.view(ctx, func(tx *sql.Tx) error {
		list, err := s.circleOf(ctx, tx, c, now)
		if err == nil {
			reached, left, err = list.count(ctx, tx)
		}
		return err
	})
	if err != nil {
		return 0, nil, fmt.Errorf("count who gets an issue: %w", err)
	}
	return reached, left, nil
}

// keepCircle notes for whom an issue is, and whom it leaves out.
func keepCircle(ctx context.Context, tx *sql.Tx, issue newsletter.Issue, left newsletter.LeftOut) error {
	segment, topics := "", ""
	if !issue.To.All() {
		text, err := json.Marshal(issue.To)
		if err != nil {
			return err
		}
		segment = string(text)
	}
	if issue.Topics != nil {
		text, err := json.Marshal(issue.Topics)
		if err != nil {
			return err
		}
		topics = string(text)
	}
	counts, err := json.Marshal(left)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE issues SET segment = $2, topics = $3, left_out = $4, month = $5 WHERE number = $1`,
		issue.Number, segment, topics, string(counts), issue.Month)
	return err
}

// readCircle reads what keepCircle noted.
func readCircle(i *IssueRow, segment, topics, left string) error {
	i.Monthly = i.Month != ""
	read := func(text string, into any) error {
		if text == "" || text == "{}" {
			return nil
		}
		return json.Unmarshal([]byte(text), into)
	}
	return errors.Join(read(segment, &i.To), read(topics, &i.Topics), read(left, &i.LeftOut))
}
