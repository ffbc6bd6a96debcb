package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"threadmill/internal/config"
	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

const (
	sharesLook = time.Minute
	// sharesTime is how long after an issue it is warned of what came of it.
	sharesTime = 7 * 24 * time.Hour
	// sharesFewest is how many mails must have come back: of a small list one is a
	// large share, and says nothing.
	sharesFewest = 2
)

// lookForShares tells of issues of which too many mails came back or were
// complained about.
func (p *publication) lookForShares(ctx context.Context) (map[string]string, error) {
	found := map[string]string{}
	bounces, complaints := p.Operator.WarnBounces, p.Operator.WarnComplaints
	if bounces == 0 && complaints == 0 {
		return found, nil
	}
	list, err := p.store.IssuesSince(ctx, time.Now().Add(-sharesTime))
	for _, r := range list { // the newest last
		of := r.Sent + r.Failed
		if text := shareText(r, r.Bounced+r.Failed, of, bounces); text != "" {
			found[newsletter.WarningBounces] = text + " of mails that came back (operator.warn_bounces); `threadmill issues show " + strconv.FormatInt(r.Number, 10) + "` names them"
		}
		if text := shareText(r, r.Complained, of, complaints); text != "" {
			found[newsletter.WarningComplaints] = text + " of readers who called it spam (operator.warn_complaints): providers soon refuse the mail of who has many of them; look where these readers signed up"
		}
	}
	return found, err
}

// shareText says that more than a share of an issue's mails is of some kind; it
// is empty where it is not, or the share is none.
func shareText(r store.IssueRow, n, of int, most config.Share) string {
	if most == 0 || n < sharesFewest || 100*float64(n) <= float64(most)*float64(of) {
		return ""
	}
	return fmt.Sprintf("issue %d, “%s”: %s of %s, more than the %s", r.Number, r.Title, thousands(n), thousands(of), most)
}
