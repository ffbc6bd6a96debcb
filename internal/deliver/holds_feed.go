package deliver

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"threadmill/internal/newsletter"
)

// hold looks whether all mail is held, by a pause or by a hold, and until
// when. When a hold is due for its probe, the mail counts as open: one message
// is to be sent then.
func (f *feeder) hold(ctx context.Context) (bool, time.Time, error) {
	if ours, _, _ := f.share.get(); ours == 0 {
		f.held.Store(true)
		return true, time.Now().Add(look), nil
	}
	pause, err := f.Store.Pause(ctx)
	if err != nil {
		return false, time.Time{}, err
	}
	if pause.Sending && pause.Covers(time.Now()) {
		f.held.Store(true)
		return true, pause.Until, nil
	}
	return f.holds.shut(time.Now())
}

// shut tells whether all mail is held, and sets what the workers see: not while
// a probe is on its way.
func (h *holds) shut(now time.Time) (bool, time.Time, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	hold := h.standing(wholeRelay)
	if hold == nil {
		h.closed.Store(false)
		return false, time.Time{}, nil
	}
	if !h.keeper.Load() { // the probe is for others
		h.closed.Store(true)
		return true, time.Time{}, nil
	}
	_, probing := h.probing[wholeRelay]
	waits := !probing && now.Before(hold.ProbeAt)
	h.closed.Store(waits)
	return waits || probing, hold.ProbeAt, nil
}

// whole returns a copy of the hold of all mail, nil where there is none.
func (h *holds) whole() *newsletter.Hold {
	h.mu.Lock()
	defer h.mu.Unlock()
	hold := h.standing(wholeRelay)
	if hold == nil {
		return nil
	}
	c := *hold
	return &c
}

// attend does what holds ask of the feeder: it wakes what is free again, and
// sends probes. next is when the next probe is due.
func (f *feeder) attend(ctx context.Context) (next time.Time, err error) {
	for _, domain := range f.holds.lifted() {
		n, err := f.Store.WakeLifted(ctx, domain, wakeLimit)
		if err != nil {
			return time.Time{}, err
		}
		if n < wakeLimit {
			f.holds.forget(domain)
		} else {
			f.Wake()
		}
	}
	due, next := f.holds.due(time.Now())
	for _, domain := range due {
		d, err := f.Store.WakeHeld(ctx, domain)
		if err != nil {
			return time.Time{}, err
		}
		f.holds.begin(ctx, domain, d)
	}
	return next, nil
}

// amend changes how deliveries ended before: refusals that led to a hold are
// taken back, and what a hold keeps for too long is given up.
func (f *feeder) amend(ctx context.Context) error {
	for _, hold := range f.holds.undoing() {
		n, err := f.Store.UndoBounces(ctx, hold.Undo)
		if err != nil {
			return err
		}
		f.holds.undone(ctx, hold)
		if n > 0 {
			f.Log.Warn("refusals are taken back", "domain", hold.Domain, "deliveries", n, "reason", hold.Reason)
		}
	}
	for _, hold := range f.holds.spentOf(f.under) {
		n, err := f.Store.GiveUpHeld(ctx, hold, time.Now().Add(-f.Retry.GiveUp), wakeLimit)
		if err != nil {
			return err
		}
		if n > 0 {
			f.Log.Warn("held mail is given up", "domain", hold.Domain, "deliveries", n, "reason", hold.Reason)
		}
		if n < wakeLimit {
			f.holds.gaveUp(hold.Domain)
		} else {
			f.Wake()
		}
	}
	return nil
}

// choose takes what may be sent now out of a batch's pending deliveries and
// holds the others back. Under a hold of all mail that is one, the probe: any
// of them, since an address of its own may be wrong.
func (f *feeder) choose(ctx context.Context, pending []newsletter.Delivery) ([]newsletter.Delivery, error) {
	free, back := f.holds.sort(pending)
	for hold, ids := range back {
		if err := f.Store.HoldBack(ctx, hold.domain, ids, hold.next); err != nil {
			return nil, err
		}
	}
	if len(free) > 0 && f.holds.whole() != nil {
		i := rand.IntN(len(free))
		free = free[i : i+1]
		f.holds.begin(ctx, wholeRelay, free[0])
	}
	return free, nil
}

// backTo is a hold that deliveries go back to.
type backTo struct {
	domain string
	next   time.Time
}

// sort tells the deliveries that may go from those whose domain is held.
func (h *holds) sort(pending []newsletter.Delivery) (free []newsletter.Delivery, back map[backTo][]int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.list) == 0 {
		return pending, nil
	}
	back = map[backTo][]int64{}
	for _, d := range pending {
		domain := domainOf(d.Email)
		if hold := h.standing(domain); domain != wholeRelay && hold != nil && h.probing[domain].delivery != d.ID {
			to := backTo{domain, hold.ProbeAt.Add(heldGrace)}
			back[to] = append(back[to], d.ID)
			continue
		}
		free = append(free, d)
	}
	return free, back
}

// keeps tells whether a delivery must not leave because its domain is held.
func (h *holds) keeps(d newsletter.Delivery) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.list) == 0 {
		return false
	}
	domain := domainOf(d.Email)
	return domain != wholeRelay && h.standing(domain) != nil && h.probing[domain].delivery != d.ID
}

// lifted are the domains whose mail is to be woken.
func (h *holds) lifted() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []string
	for domain, hold := range h.list {
		if hold.Lifted && len(hold.Undo) == 0 {
			list = append(list, domain)
		}
	}
	return list
}

// forget drops a hold that is lifted.
func (h *holds) forget(domain string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if hold := h.list[domain]; hold != nil && hold.Lifted {
		delete(h.list, domain)
		delete(h.unwritten, domain)
	}
}

// due are the domains whose probe is due, and next is when the next one is.
func (h *holds) due(now time.Time) (domains []string, next time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for domain, hold := range h.list {
		_, probing := h.probing[domain]
		switch {
		case domain == wholeRelay || hold.Lifted || probing:
		case !now.Before(hold.ProbeAt):
			domains = append(domains, domain)
		default:
			next = earlier(next, hold.ProbeAt)
		}
	}
	return domains, next
}

// earlier is the earlier of two times, of which zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// begin makes a delivery the probe of a domain. Where none waits, the hold has
// nothing to hold and is lifted.
func (h *holds) begin(ctx context.Context, domain string, d newsletter.Delivery) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if d.ID == 0 {
		h.lift(ctx, domain)
		return
	}
	if h.standing(domain) != nil { // it may have been lifted meanwhile
		h.probing[domain] = probe{d.ID, d.Batch, d.Issue}
	}
}

// probed is a batch with a probe that is not under way yet.
func (h *holds) probed(under []int64) (newsletter.Batch, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.probing {
		if !slices.Contains(under, p.batch) {
			return newsletter.Batch{ID: p.batch, Issue: p.issue}, true
		}
	}
	return newsletter.Batch{}, false
}

// refresh takes over what other senders know of holds. What this one is about
// to find out or could not write down stays.
func (h *holds) refresh(ctx context.Context) error {
	h.mu.Lock()
	before := h.writes
	h.mu.Unlock()
	list, err := h.store.Holds(ctx)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.writes != before { // the list may be older than that
		return nil
	}
	theirs := map[string]*newsletter.Hold{}
	for _, hold := range list {
		if old := h.list[hold.Domain]; old != nil && old.Step == hold.Step && old.ProbeAt.After(hold.ProbeAt) {
			hold.ProbeAt = old.ProbeAt // a probe told nothing
		}
		theirs[hold.Domain] = &hold
	}
	for domain := range h.probing {
		theirs[domain] = h.list[domain]
	}
	for domain := range h.unwritten {
		theirs[domain] = h.list[domain]
	}
	h.list = theirs
	for domain := range h.unwritten {
		h.write(ctx, h.list[domain])
	}
	return nil
}

// ended hears that a batch is not under way any more: its probes that told
// nothing are lost.
func (h *holds) ended(batch int64, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lost(func(p probe) bool { return p.batch == batch }, now)
}

// written hears which ends are in the journal.
func (h *holds) written(ended []newsletter.DeliveryEnd) {
	for _, end := range ended {
		if end.State != newsletter.DeliverySent {
			h.mu.Lock()
			delete(h.ahead, end.ID)
			h.mu.Unlock()
		}
	}
}

// undoing are copies of the holds whose refusals are to be taken back, with
// those of them that are in the journal.
func (h *holds) undoing() []newsletter.Hold {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []newsletter.Hold
	for _, hold := range h.list {
		c := *hold
		c.Undo = slices.DeleteFunc(slices.Clone(hold.Undo), func(id int64) bool { return h.ahead[id] })
		if len(c.Undo) > 0 {
			list = append(list, c)
		}
	}
	return list
}

// undone hears which refusals of a hold were taken back.
func (h *holds) undone(ctx context.Context, was newsletter.Hold) {
	h.mu.Lock()
	defer h.mu.Unlock()
	hold := h.list[was.Domain]
	if hold == nil { // another sender has dropped it
		return
	}
	hold.Undo = slices.DeleteFunc(hold.Undo, func(id int64) bool { return slices.Contains(was.Undo, id) })
	h.write(ctx, hold)
}

// spentOf are copies of the holds that keep mail for too long, as soon as the
// refusal of the last probe is in the journal.
func (h *holds) spentOf(under map[int64]*portion) []newsletter.Hold {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []newsletter.Hold
	for domain, batch := range h.spent {
		hold := h.standing(domain)
		switch {
		case hold == nil:
			delete(h.spent, domain)
		case under[batch] == nil && (domain != wholeRelay || len(under) == 0):
			list = append(list, *hold)
		}
	}
	return list
}

func (h *holds) gaveUp(domain string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.spent, domain)
}
