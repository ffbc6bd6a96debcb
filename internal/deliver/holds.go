package deliver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
)

// Probes says when a held place is tried again, by one message.
type Probes struct {
	Refused []time.Duration // before the first probe, the second and so on; the last wait repeats
	Quota   time.Duration   // before each probe of a quota
}

// DefaultProbes are kind to a server that has refused us.
func DefaultProbes() Probes { return ProbesAfter(15 * time.Minute) }

// ProbesAfter try a server that has refused us after the given wait, then
// after four times as long and then after sixteen times, and a quota hourly.
func ProbesAfter(first time.Duration) Probes {
	return Probes{Refused: []time.Duration{first, 4 * first, 16 * first}, Quota: time.Hour}
}

func (p Probes) wait(h newsletter.Hold) time.Duration {
	if h.Kind == newsletter.HoldQuota {
		return p.Quota
	}
	return p.Refused[min(h.Step, len(p.Refused)-1)]
}

const (
	// window is how many answers the circuit breaker looks back on, and
	// sameMax how many of them may be the same refusal: a fifth. Ten in a row
	// are ten of fifty as well.
	window  = 50
	sameMax = 10
	// The relay as a whole refuses us when so many refusals about us came in
	// a row, from so many recipient domains.
	rowMax     = 20
	rowDomains = 5
	// wholeRelay is the domain of a hold for all mail.
	wholeRelay = ""
	// heldGrace is how much later than its probe a held delivery wakes, so
	// that it cannot be forgotten: while the hold stands it is held again.
	heldGrace = time.Minute
	// lostProbe is the wait after a probe that told nothing.
	lostProbe = time.Minute
)

// holds knows which mail is held, and decides by the answers when to hold and
// when to go on. Its tables stand in the database as well.
type holds struct {
	store  Store
	log    *slog.Logger
	retry  Retry
	resend bool
	probes Probes
	keeper *atomic.Bool // probes are ours
	closed *atomic.Bool // all mail is held: workers hand back what they have
	wake   func()       // makes the feeder look

	mu      sync.Mutex
	list    map[string]*newsletter.Hold // by domain
	probing map[string]probe            // by domain
	// ahead are refusals of addresses that are not in the journal yet.
	ahead  map[int64]bool
	spent  map[string]int64 // batches of probes that were refused after the mail had waited too long, by domain
	recent []answered       // the last answers
	writes int              // changes of the list
	// unwritten are the domains whose hold could not be written down.
	unwritten map[string]bool
	row       []string // domains of the refusals about us in a row
}

// probe is a delivery that tries a held place.
type probe struct{ delivery, batch, issue int64 }

// answered is one answer for the circuit breaker.
type answered struct {
	delivery int64
	domain   string // of the recipient
	refusal  string // code and enhanced code; empty for an accepted one
}

func newHolds(s *Sender) *holds {
	return &holds{
		store: s.Store, log: s.Log, retry: s.Retry, resend: s.Resend, probes: s.Probes, closed: &s.held, wake: s.Wake,
		keeper: &s.keeper, unwritten: map[string]bool{}, ahead: map[int64]bool{},
		list: map[string]*newsletter.Hold{}, probing: map[string]probe{}, spent: map[string]int64{},
	}
}

// load reads the holds of an earlier run.
func (h *holds) load(ctx context.Context) error {
	list, err := h.store.Holds(ctx)
	for _, hold := range list {
		h.list[hold.Domain] = &hold
	}
	return err
}

// settle decides what an attempt means: for its delivery, for the mail to its
// domain and for all mail.
func (h *holds) settle(ctx context.Context, d newsletter.Delivery, err error, now time.Time, used bool) outcome {
	o := h.retry.settle(d, err, now, h.resend, used)
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case o.next == sendAgain || o.next == relayFault: // nothing is known yet
	case o.class == aboutQuota:
		h.hold(ctx, d, newsletter.HoldQuota, wholeRelay, o.end, now)
	case o.class == aboutUs:
		o.end = h.refusedUs(ctx, d, o.end, now)
	case o.end.State == newsletter.DeliverySent:
		h.row = nil
		h.note(answered{delivery: d.ID, domain: domainOf(d.Email)})
		h.passed(ctx, d)
	case o.class == aboutAddress && o.refusal != nil:
		h.row = nil
		h.ahead[d.ID] = true
		o.end = h.refusedAddress(ctx, d, o, now)
	default: // a probe that told nothing
		h.lost(func(p probe) bool { return p.delivery == d.ID }, now)
	}
	return o
}

// refusedUs holds the mail to a domain, or all of it where many domains refuse
// us. The delivery waits without being charged.
func (h *holds) refusedUs(ctx context.Context, d newsletter.Delivery, end newsletter.DeliveryEnd, now time.Time) newsletter.DeliveryEnd {
	domain := domainOf(d.Email)
	h.row = append(h.row, domain)
	if len(h.row) > rowMax {
		h.row = h.row[1:]
	}
	end.Attempts = d.Attempts
	if whole := h.standing(wholeRelay); whole != nil && whole.Kind == newsletter.HoldPolicy && h.probing[wholeRelay].delivery != d.ID {
		end.State = newsletter.DeliveryPending
		return end
	}
	if len(h.row) == rowMax && distinct(h.row) >= rowDomains || h.probing[wholeRelay].delivery == d.ID {
		for _, other := range h.row {
			h.lift(ctx, other) // not they refuse us, but the relay does
		}
		h.row = nil
		h.hold(ctx, d, newsletter.HoldPolicy, wholeRelay, end, now)
		end.State = newsletter.DeliveryPending
		return end
	}
	hold := h.hold(ctx, d, newsletter.HoldPolicy, domain, end, now)
	end.State, end.Hold, end.NextAt = newsletter.DeliveryDeferred, domain, hold.ProbeAt.Add(heldGrace)
	return end
}

// refusedAddress is the circuit breaker: where many recipients are refused with
// the same words, the fault is hardly theirs. They go back, and the mail to
// their domain, or all of it, waits.
func (h *holds) refusedAddress(ctx context.Context, d newsletter.Delivery, o outcome, now time.Time) newsletter.DeliveryEnd {
	end, domain := o.end, domainOf(d.Email)
	place, held := h.breaker(domain)
	var same []answered
	if !held {
		refusal := fmt.Sprintf("%d %s", o.refusal.Code, o.refusal.Enhanced)
		h.note(answered{d.ID, domain, refusal})
		if same, place = h.blame(refusal); len(same) == 0 {
			h.passed(ctx, d) // who is told of an address is let in
			return end
		}
	}
	hold := h.hold(ctx, d, newsletter.HoldRefusals, place, end, now)
	if !held {
		h.takeBack(ctx, hold, same, d.ID)
	}
	switch place {
	case wholeRelay:
		end.State, end.Attempts, end.Bounce = newsletter.DeliveryPending, d.Attempts, ""
	case domain:
		end.State, end.Attempts, end.Bounce = newsletter.DeliveryDeferred, d.Attempts, ""
		end.Hold, end.NextAt = place, hold.ProbeAt.Add(heldGrace)
	default: // others are to be taken back, and not this one
		h.passed(ctx, d)
	}
	return end
}

// breaker tells whether the mail to a domain is held since too many were
// refused with the same words, and by the hold of which place.
func (h *holds) breaker(domain string) (place string, held bool) {
	for _, place := range []string{wholeRelay, domain} {
		if hold := h.standing(place); hold != nil && hold.Kind == newsletter.HoldRefusals {
			return place, true
		}
	}
	return "", false
}

// blame returns the last answers that are one refusal, where they are too many
// to be believed, and what is to be held for it: the domain to which most of
// them belong, or else the relay. A domain that is held already is not blamed
// again, yet its refusals still count with those of others.
func (h *holds) blame(refusal string) (same []answered, place string) {
	domains := map[string]int{}
	for _, a := range h.recent {
		if a.refusal != refusal {
			continue
		}
		same = append(same, a)
		if domains[a.domain]++; domains[a.domain] > domains[place] {
			place = a.domain
		}
	}
	switch {
	case len(same) < sameMax:
		return nil, ""
	case 2*domains[place] <= len(same):
		return same, wholeRelay
	case h.standing(place) != nil:
		return nil, ""
	}
	return slices.DeleteFunc(same, func(a answered) bool { return a.domain != place }), place
}

// takeBack notes which refusals a new hold undoes: all of the same but the
// last, which goes back by itself. Domains that were held for them are not to
// blame when the relay is.
func (h *holds) takeBack(ctx context.Context, hold *newsletter.Hold, same []answered, last int64) {
	var innocent []string
	for _, a := range same {
		if a.delivery != last {
			hold.Undo = append(hold.Undo, a.delivery)
		}
		other := h.standing(a.domain)
		if hold.Domain == wholeRelay && other != nil && other.Kind == newsletter.HoldRefusals {
			hold.Undo = append(hold.Undo, other.Undo...)
			other.Undo = nil
			innocent = append(innocent, a.domain)
		}
	}
	h.write(ctx, hold)
	for _, domain := range innocent {
		h.lift(ctx, domain)
	}
}

func (h *holds) note(a answered) {
	h.recent = append(h.recent, a)
	if len(h.recent) > window {
		h.recent = h.recent[1:]
	}
}

// standing is the hold of a domain, nil where there is none or it is lifted.
func (h *holds) standing(domain string) *newsletter.Hold {
	if hold := h.list[domain]; hold != nil && !hold.Lifted {
		return hold
	}
	return nil
}

// hold keeps the mail to a domain back. Where that is done already only a
// probe changes something: the next one comes later.
func (h *holds) hold(ctx context.Context, d newsletter.Delivery, kind newsletter.HoldKind, domain string, end newsletter.DeliveryEnd, now time.Time) *newsletter.Hold {
	hold := h.standing(domain)
	switch {
	case hold == nil:
		hold = &newsletter.Hold{Domain: domain, Since: now}
		if old := h.list[domain]; old != nil {
			hold.Undo = old.Undo
		}
		h.list[domain] = hold
	case h.probing[domain].delivery == d.ID:
		hold.Step++
		if kind != newsletter.HoldQuota && now.Sub(hold.Since) >= h.retry.GiveUp {
			h.spent[domain] = d.Batch
		}
	default:
		return hold
	}
	delete(h.probing, domain)
	hold.Kind, hold.Reason = kind, fmt.Sprintf("%d %s", end.Code, end.Answer)
	hold.ProbeAt = now.Add(h.probes.wait(*hold))
	if domain == wholeRelay {
		h.closed.Store(true)
	}
	h.write(ctx, hold)
	level := slog.LevelWarn
	if kind == newsletter.HoldQuota {
		level = slog.LevelInfo
	}
	h.log.Log(ctx, level, "mail is held", "domain", domain, "kind", string(kind), "reason", hold.Reason, "next_probe", hold.ProbeAt.UTC().Format(time.RFC3339))
	h.wake()
	return hold
}

// passed lifts the holds that a delivery was the probe of.
func (h *holds) passed(ctx context.Context, d newsletter.Delivery) {
	for domain, p := range h.probing {
		if p.delivery == d.ID {
			h.lift(ctx, domain)
		}
	}
}

// lift lets the mail to a domain go on; what waits is woken by the feeder.
func (h *holds) lift(ctx context.Context, domain string) {
	delete(h.probing, domain)
	hold := h.standing(domain)
	if hold == nil {
		return
	}
	hold.Lifted = true
	if domain == wholeRelay {
		h.recent, h.row = nil, nil
	}
	h.recent = slices.DeleteFunc(h.recent, func(a answered) bool { return a.domain == domain }) // it begins anew
	h.write(ctx, hold)
	h.log.Info("mail goes on", "domain", domain, "kind", string(hold.Kind))
	h.wake()
}

func (h *holds) write(ctx context.Context, hold *newsletter.Hold) {
	h.writes++
	delete(h.unwritten, hold.Domain)
	if err := h.store.SetHold(ctx, *hold); err != nil {
		h.log.Error("note a hold", "err", err) // it holds all the same
		h.unwritten[hold.Domain] = true
	}
}

// lost takes back probes that told nothing; others follow soon.
func (h *holds) lost(which func(probe) bool, now time.Time) {
	for domain, p := range h.probing {
		if which(p) {
			delete(h.probing, domain)
			if hold := h.standing(domain); hold != nil {
				hold.ProbeAt = now.Add(min(lostProbe, h.probes.wait(*hold)))
			}
		}
	}
}

// domainOf is the part of an address behind the @, in lower case.
func domainOf(email string) string {
	return strings.ToLower(email[strings.LastIndexByte(email, '@')+1:])
}

func distinct(list []string) int {
	set := map[string]bool{}
	for _, s := range list {
		set[s] = true
	}
	return len(set)
}

// permanent tells whether err is a refusal that a quick second try would not
// change.
func permanent(err error) bool {
	r, ok := errors.AsType[*mail.Refusal](err)
	return ok && !r.Temporary()
}
