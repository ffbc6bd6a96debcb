package operator

import (
	"context"
	"log/slog"
	"net/http"
	netmail "net/mail"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
)

// Store is what the operator's news need of the database.
type Store interface {
	// TakeWarning returns a warning of which nobody was told, and notes that
	// somebody is; its Kind is empty when there is none.
	TakeWarning(ctx context.Context) (newsletter.Alert, error)
	// TakeSlot tells whether a slot ended well since the last call.
	TakeSlot(ctx context.Context) (bool, error)
	Warn(ctx context.Context, kind, text string) error
	Unwarn(ctx context.Context, kind string) error
}

// Check looks for faults that nobody meets by working.
type Check struct {
	Kinds []string
	Every time.Duration
	// Look returns the text of each kind that stands; the others are over.
	Look func(ctx context.Context) (map[string]string, error)
}

// Options are what an Operator is made of.
type Options struct {
	Store       Store
	Publication string // its title
	From        netmail.Address
	Email       string // empty for no mail
	// Send sends one message by the transport of the publication.
	Send    func(ctx context.Context, m mail.Message) error
	Command string // for sh; empty for none
	Dir     string // in which the command runs
	// Heartbeat is an address that is called after each slot that ended well;
	// empty for none.
	Heartbeat string
	Client    *http.Client
	Checks    []Check
	// Faults are the kinds of warnings that are told as another event than
	// their own name, and Relay those for which no mail is tried, as for a hold
	// of all mail.
	Faults map[string]string
	Relay  []string
	Log    *slog.Logger
}

// Operator hears of faults.
type Operator struct {
	Options
	checked []time.Time       // by check
	stands  map[string]string // what the checks found, by kind
	again   atomic.Bool       // look for all faults at the next pass
	telling sync.WaitGroup
}

// New returns an Operator of whom nobody speaks yet.
func New(o Options) *Operator {
	return &Operator{Options: o, checked: make([]time.Time, len(o.Checks)), stands: map[string]string{}}
}

// Event is what a command reads on its stdin, as one JSON object.
type Event struct {
	Event       string    `json:"event"`
	Kind        string    `json:"kind"` // of the warning, as status shows it
	Text        string    `json:"text"`
	Since       time.Time `json:"since"`
	Publication string    `json:"publication"`
	// allMail says that no mail leaves, not this one either.
	allMail bool
}

// heldByFault is the event of all warnings that are none themselves.
const heldByFault = "held_by_fault"

// look is how often Run looks for news.
const look = time.Second

// Run tells the operator what there is to tell, until ctx is done; tells ends
// what is being told.
func (o *Operator) Run(ctx, tells context.Context) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	defer o.telling.Wait()
	for {
		o.pass(ctx, tells, false)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Again makes a running Operator look for all faults in its next pass, within
// a second: somebody says that something is mended.
func (o *Operator) Again() { o.again.Store(true) }

// Once looks for all faults now, tells of them, and returns when that is done.
func (o *Operator) Once(ctx context.Context) {
	o.pass(ctx, ctx, true)
	o.telling.Wait()
}

// pass looks for faults, all of them or those that it is time for, and tells
// what is new. What takes long goes on beside.
func (o *Operator) pass(ctx, tells context.Context, all bool) {
	all = o.again.Swap(false) || all
	for i, c := range o.Checks {
		if all || time.Since(o.checked[i]) >= c.Every {
			o.checked[i] = time.Now()
			o.check(ctx, c)
		}
	}
	o.news(ctx, tells)
	for ctx.Err() == nil {
		ended, err := o.Store.TakeSlot(ctx)
		if err != nil {
			o.log(ctx, "look for slots that ended", err)
		}
		if err != nil || !ended {
			break
		}
		if o.Heartbeat != "" {
			o.telling.Go(func() { o.beat(tells) })
		}
	}
}

// news tells of all warnings that are new.
func (o *Operator) news(ctx, tells context.Context) {
	for ctx.Err() == nil {
		w, err := o.Store.TakeWarning(ctx)
		if err != nil {
			o.log(ctx, "look for warnings", err)
			return
		}
		if w.Kind == "" {
			return
		}
		o.tell(tells, o.event(w))
	}
}

func (o *Operator) check(ctx context.Context, c Check) {
	found, err := c.Look(ctx)
	if err != nil {
		o.log(ctx, "look for faults", err)
		return
	}
	for _, kind := range c.Kinds {
		text, stands := found[kind]
		switch {
		case stands && o.stands[kind] == text:
			continue
		case stands:
			err = o.Store.Warn(ctx, kind, text)
		default:
			err = o.Store.Unwarn(ctx, kind)
		}
		if err != nil {
			o.log(ctx, "note a warning", err)
			continue
		}
		o.stands[kind] = text
	}
}

// log drops what a stop brings about.
func (o *Operator) log(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		o.Log.Error(what, "err", err)
	}
}

func (o *Operator) event(w newsletter.Alert) Event {
	e := Event{
		Event: heldByFault, Kind: w.Kind, Text: w.Text, Since: w.Since, Publication: o.Publication,
		allMail: w.AllMail || slices.Contains(o.Relay, w.Kind),
	}
	if name, ok := o.Faults[w.Kind]; ok {
		e.Event = name
	}
	return e
}
