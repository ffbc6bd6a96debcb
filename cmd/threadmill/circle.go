package main

import (
	"fmt"
	"strings"

	"threadmill/internal/newsletter"
	"threadmill/internal/publish"
	"threadmill/internal/store"
)

// circleReport is for whom an issue is, in JSON: the tags of the subscribers,
// where it is not for all, and how many who are active it leaves out, by reason.
type circleReport struct {
	To      newsletter.Segment `json:"to,omitempty"`
	LeftOut newsletter.LeftOut `json:"left_out,omitempty"`
}

func newCircleReport(to newsletter.Segment, left newsletter.LeftOut) circleReport {
	if to.All() {
		to = nil
	}
	return circleReport{to, left}
}

// leftOutWords say why somebody who is active does not get an issue, in the order
// in which that is told.
var leftOutWords = []struct{ reason, words string }{
	{newsletter.LeftSegment, "not in %s"},
	{newsletter.LeftWants, "want other tags"},
	{newsletter.LeftPaused, "paused"},
	{newsletter.LeftMonthly, "monthly"},
}

// leftOutNote tells whom an issue leaves out: "80 want other tags, 6 monthly".
func leftOutNote(left newsletter.LeftOut, to newsletter.Segment) string {
	var parts []string
	for _, w := range leftOutWords {
		if n := left[w.reason]; n > 0 {
			words := w.words
			if strings.Contains(words, "%s") {
				words = fmt.Sprintf(words, to)
			}
			parts = append(parts, thousands(n)+" "+words)
		}
	}
	return strings.Join(parts, ", ")
}

// reachNote tells how many get an issue, and why the others do not.
func reachNote(n int, left newsletter.LeftOut, to newsletter.Segment) string {
	if left.Sum() == 0 {
		return peopleCount(n)
	}
	return fmt.Sprintf("%s of %s active: %s", thousands(n), thousands(n+left.Sum()), leftOutNote(left, to))
}

// welcome is what newcomers get, empty for nothing.
func (p *publication) welcome() string {
	if p.Audience.Welcome == "none" {
		return ""
	}
	return p.Audience.Welcome
}

// welcomeFaults tells where newcomers would get nothing though they should.
func (p *publication) welcomeFaults(c publish.Catalogue) []string {
	id := p.welcome()
	if id == "" || id == store.WelcomeLatest {
		return nil
	}
	warn := func(text string) []string {
		return []string{fmt.Sprintf("%s: warning: audience.welcome: %s", p.Position("audience.welcome"), text)}
	}
	switch t, err := c.Find(id); {
	case err != nil:
		return warn(fmt.Sprintf("there is no thread %q, so newcomers get none; `threadmill threads` lists them", id))
	case t.Issue == 0 || !t.Via(newsletter.ChannelMail):
		return warn(fmt.Sprintf("thread %q has not gone out by mail, so newcomers get none until it has", id))
	case t.Withdrawn:
		return warn(fmt.Sprintf("thread %q is withdrawn, so newcomers get none; name another", id))
	}
	return nil
}
