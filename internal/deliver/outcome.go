package deliver

import (
	"errors"
	"math/rand/v2"
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
	GiveUp time.Duration // since the first attempt
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
	goOn       verdict = iota // the delivery is settled
	sendAgain                 // the same delivery, on a new connection
	relayFault                // the same, once the relay can be used again
)

// settle decides what an attempt means for its delivery. used tells whether
// the connection had carried a message before.
func (r Retry) settle(d newsletter.Delivery, err error, now time.Time, resend, used bool) (newsletter.DeliveryEnd, verdict) {
	end := newsletter.DeliveryEnd{ID: d.ID, State: newsletter.DeliverySent, Attempts: d.Attempts, Doubts: d.Doubts}
	if err == nil {
		end.Attempts++
		end.Code = 250
		return end, goOn
	}
	if refusal, ok := errors.AsType[*mail.Refusal](err); ok {
		end.Code, end.Answer = refusal.Code, answer(refusal.Enhanced+" "+refusal.Text)
		return r.refused(d, end, refusal, now, used)
	}
	end.Answer = answer(err.Error())
	fault, _ := errors.AsType[*mail.Fault](err)
	switch {
	case fault != nil && fault.InDoubt():
		end.Attempts++
		end.Doubts++
		if resend && d.Doubts == 0 {
			end.State = newsletter.DeliveryPending
			return end, sendAgain
		}
		end.State = newsletter.DeliveryInDoubt
		return end, goOn
	case fault != nil && fault.Stage == mail.StageData:
		return r.deferred(d, end, now), goOn
	case fault != nil && fault.Stage == mail.StageRcpt && !used:
		// It may be about this address: let the others go on.
		end.State, end.NextAt = newsletter.DeliveryDeferred, now.Add(r.wait(1))
		return end, goOn
	}
	return unsent(end, used)
}

// unsent is an attempt that never reached the content: it costs nothing.
func unsent(end newsletter.DeliveryEnd, used bool) (newsletter.DeliveryEnd, verdict) {
	end.State = newsletter.DeliveryPending
	if used { // relays close connections that carried enough, or were idle
		return end, sendAgain
	}
	return end, relayFault
}

func (r Retry) refused(d newsletter.Delivery, end newsletter.DeliveryEnd, refusal *mail.Refusal, now time.Time, used bool) (newsletter.DeliveryEnd, verdict) {
	aboutUs := refusal.Stage != mail.StageRcpt && refusal.Stage != mail.StageData && refusal.Stage != mail.StageFinal
	switch {
	case refusal.Code == 421 && used && refusal.Stage != mail.StageFinal:
		return unsent(end, used) // it closes the channel (RFC 5321, section 3.8), whoever was to be next
	case aboutUs:
		return unsent(end, false)
	case refusal.Temporary():
		return r.deferred(d, end, now), goOn
	}
	end.Attempts++
	end.State = newsletter.DeliveryFailed
	return end, goOn
}

// deferred gives a delivery its next time, or up.
func (r Retry) deferred(d newsletter.Delivery, end newsletter.DeliveryEnd, now time.Time) newsletter.DeliveryEnd {
	end.Attempts++
	end.State = newsletter.DeliveryDeferred
	end.NextAt = now.Add(r.wait(end.Attempts))
	if d.Attempts > 0 && now.Sub(d.FirstAt) >= r.GiveUp {
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
