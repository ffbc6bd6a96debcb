package deliver

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
	"unicode"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
)

// Retry says when a deferred delivery is tried again.
type Retry struct {
	First  time.Duration // wait after the first refusal; doubles each time
	Max    time.Duration // longest wait
	GiveUp time.Duration // since the first attempt, or since somebody asked for another
}

// wait is the time until attempt n+1: First doubled n-1 times, at most Max,
// and up to a tenth longer, so that those refused together do not come back
// together.
func (r Retry) wait(attempts int) time.Duration {
	d := r.Max
	if doubled := max(attempts-1, 0); r.First < r.Max>>min(doubled, 62) {
		d = r.First << doubled
	}
	return d + rand.N(d/10+1)
}

// verdict is what a worker does after an attempt.
type verdict int

const (
	goOn       verdict = iota // the delivery is settled, or goes back to its batch
	sendAgain                 // the same delivery, on a new connection
	relayFault                // the same, once the relay can be used again
	slowDown                  // as goOn, and the relay wants one connection less
)

// outcome is what an attempt means.
type outcome struct {
	end     newsletter.DeliveryEnd
	next    verdict
	class   class
	refusal *mail.Refusal // nil where the relay did not refuse
}

// settle decides what an attempt means for its delivery. used tells whether
// the connection had carried a message before.
func (r Retry) settle(d newsletter.Delivery, err error, now time.Time, resend, used bool) outcome {
	end := newsletter.DeliveryEnd{ID: d.ID, State: newsletter.DeliverySent, Attempts: d.Attempts, Doubts: d.Doubts}
	if err == nil {
		end.Attempts++
		end.Code = 250
		return outcome{end: end}
	}
	if refusal, ok := errors.AsType[*mail.Refusal](err); ok {
		end.Code, end.Answer = refusal.Code, answer(refusal.Enhanced+" "+refusal.Text)
		o := r.refused(d, end, refusal, now, used)
		o.refusal = refusal
		return o
	}
	end.Answer = answer(err.Error())
	fault, _ := errors.AsType[*mail.Fault](err)
	switch {
	case fault != nil && fault.InDoubt():
		end.Attempts++
		end.Doubts++
		if resend && d.Doubts == 0 {
			end.State = newsletter.DeliveryPending
			return outcome{end: end, next: sendAgain}
		}
		end.State = newsletter.DeliveryInDoubt
		return outcome{end: end}
	case fault != nil && fault.Stage == mail.StageData:
		return outcome{end: r.deferred(d, end, now)}
	case fault != nil && fault.Stage == mail.StageRcpt && !used:
		// It may be about this address: let the others go on.
		end.State, end.NextAt = newsletter.DeliveryDeferred, now.Add(r.wait(1))
		return outcome{end: end}
	}
	return unsent(end, used)
}

// unsent is an attempt that never reached the content: it costs nothing.
func unsent(end newsletter.DeliveryEnd, used bool) outcome {
	end.State = newsletter.DeliveryPending
	if used { // relays close connections that carried enough, or were idle
		return outcome{end: end, next: sendAgain}
	}
	return outcome{end: end, next: relayFault}
}

func (r Retry) refused(d newsletter.Delivery, end newsletter.DeliveryEnd, refusal *mail.Refusal, now time.Time, used bool) outcome {
	early := !slices.Contains([]mail.Stage{mail.StageRcpt, mail.StageData, mail.StageFinal}, refusal.Stage)
	about := classify(refusal)
	switch {
	case about == aboutQuota:
		end.State = newsletter.DeliveryPending
		return outcome{end: end, class: about}
	case refusal.Code == 421 && used && refusal.Stage != mail.StageFinal:
		return unsent(end, used) // it closes the channel (RFC 5321, section 3.8), whoever was to be next
	case early && about == aboutPace:
		end.State = newsletter.DeliveryPending
		return outcome{end: end, class: about, next: slowDown}
	case early:
		return unsent(end, false)
	case refusal.Temporary():
		o := outcome{end: r.deferred(d, end, now), class: about}
		if o.end.State == newsletter.DeliveryFailed && refusal.Bounce() == newsletter.BounceFull {
			o.end.Bounce = newsletter.BounceFull
		}
		if about == aboutPace && (refusal.Code != 421 || !used) {
			o.next = slowDown
		}
		return o
	}
	end.Attempts++
	end.State, end.Bounce = newsletter.DeliveryFailed, refusal.Bounce()
	return outcome{end: end, class: about}
}

// deferred gives a delivery its next time, or up.
func (r Retry) deferred(d newsletter.Delivery, end newsletter.DeliveryEnd, now time.Time) newsletter.DeliveryEnd {
	end.Attempts++
	end.State = newsletter.DeliveryDeferred
	end.NextAt = now.Add(r.wait(end.Attempts))
	since := d.FirstAt
	if d.RetriedAt.After(since) {
		since = d.RetriedAt
	}
	if d.Attempts > 0 && !since.IsZero() && now.Sub(since) >= r.GiveUp {
		end.State, end.NextAt = newsletter.DeliveryFailed, time.Time{}
	}
	return end
}

// answerMax bounds what is kept of a relay's words.
const answerMax = 300

func answer(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > answerMax {
		text = strings.ToValidUTF8(text[:answerMax], "") + "…"
	}
	return text
}
