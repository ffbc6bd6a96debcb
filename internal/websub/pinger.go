package websub

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"threadmill/internal/newsletter"
)

// Topic is a feed by its address, with a digest of what it holds.
type Topic struct{ URL, Digest string }

// Store keeps how the hubs stand.
type Store interface {
	Hubs(ctx context.Context) ([]newsletter.Hub, error)
	KeepHub(ctx context.Context, h newsletter.Hub) error
}

// Options are what a Pinger is made of.
type Options struct {
	Store Store
	Hubs  []string // their addresses
	// Topics are the feeds as readers get them now.
	Topics func(ctx context.Context) ([]Topic, error)
	// Live, if not nil, waits for a bounded time until all who serve the feeds
	// have them.
	Live func(ctx context.Context)
	// UserAgent says who asks.
	UserAgent string
	Log       *slog.Logger
}

// Pinger tells hubs of feeds that changed. One process at a time may, the one
// that keeps the publication.
type Pinger struct {
	Options
	client *client
	mu     sync.Mutex // one pass at a time
}

// New returns a Pinger.
func New(o Options) *Pinger { return &Pinger{Options: o, client: newClient(o.UserAgent)} }

// The waits between two tries grow from the first to the last.
const (
	firstWait = 30 * time.Second
	lastWait  = 24 * time.Hour
	// idle is how long Run sleeps where nothing is to be tried again.
	idle = time.Hour
)

// Run tells the hubs of what changed at each wake, and tries again where one
// refused, until ctx is done.
func (p *Pinger) Run(ctx context.Context, wake <-chan struct{}) {
	timer := time.NewTimer(idle)
	defer timer.Stop()
	for {
		woken := false
		select {
		case <-wake:
			woken = true
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		next, err := p.pass(ctx, woken)
		if err != nil && ctx.Err() == nil {
			p.Log.Error("look for feeds to tell the hubs of", "err", err)
			next = time.Now().Add(firstWait)
		}
		wait := idle
		if !next.IsZero() {
			wait = max(time.Until(next), time.Second)
		}
		timer.Reset(wait)
	}
}

// Once tells the hubs of what changed, and tries again where it is time to.
func (p *Pinger) Once(ctx context.Context) error {
	_, err := p.pass(ctx, true)
	return err
}

// pass returns when a hub is to be tried again, the zero time for never.
func (p *Pinger) pass(ctx context.Context, live bool) (next time.Time, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	topics, err := p.Topics(ctx)
	if err != nil {
		return time.Time{}, err
	}
	known, err := p.Store.Hubs(ctx)
	if err != nil {
		return time.Time{}, err
	}
	hubs := make([]newsletter.Hub, len(p.Hubs))
	due := make([]bool, len(hubs))
	for i, address := range p.Hubs {
		hubs[i] = newsletter.Hub{URL: address, Told: map[string]string{}}
		if k := slices.IndexFunc(known, func(h newsletter.Hub) bool { return h.URL == address }); k >= 0 {
			hubs[i] = known[k]
		}
		due[i] = isDue(hubs[i], topics)
	}
	if live && p.Live != nil && slices.Contains(due, true) {
		p.Live(ctx)
	}
	var wg sync.WaitGroup
	for i := range hubs {
		if due[i] {
			wg.Go(func() { p.tell(ctx, &hubs[i], topics) }) // a slow hub keeps nobody waiting
		}
	}
	wg.Wait()
	for _, h := range hubs {
		if !h.NextAt.IsZero() && (next.IsZero() || h.NextAt.Before(next)) {
			next = h.NextAt
		}
	}
	return next, nil
}

// isDue tells whether a hub does not know a feed as it is, and is to hear of it
// now: it is tried at once when there is something new to tell.
func isDue(h newsletter.Hub, topics []Topic) bool {
	news := changed(h, topics)
	if len(news) == 0 {
		return !h.NextAt.IsZero() // what it refused is as it was before
	}
	return h.Tried != digest(news) || !time.Now().Before(h.NextAt)
}

// changed are the feeds that a hub does not know as they are.
func changed(h newsletter.Hub, topics []Topic) []Topic {
	return slices.DeleteFunc(slices.Clone(topics), func(t Topic) bool { return h.Told[t.URL] == t.Digest })
}

func digest(topics []Topic) string {
	sum := sha256.Sum256(fmt.Append(nil, topics))
	return hex.EncodeToString(sum[:8])
}

// tell tells a hub of the feeds that changed, each by a request of its own, since
// some hubs take only the last of several. It keeps what became of that.
func (p *Pinger) tell(ctx context.Context, h *newsletter.Hub, topics []Topic) {
	h.Told = maps.Clone(h.Told)
	if h.Told == nil {
		h.Told = map[string]string{}
	}
	maps.DeleteFunc(h.Told, func(address, _ string) bool {
		return !slices.ContainsFunc(topics, func(t Topic) bool { return t.URL == address })
	})
	news := changed(*h, topics)
	var wait time.Duration
	var err error
	for _, t := range news {
		if wait, err = p.client.ping(ctx, h.URL, t.URL); err != nil {
			break
		}
		h.Told[t.URL] = t.Digest
	}
	if ctx.Err() != nil && err != nil {
		return // it says nothing about the hub
	}
	if err == nil {
		if len(news) > 0 {
			p.Log.Info("told a hub of feeds that changed", "hub", h.URL, "feeds", len(news))
		}
		h.Since, h.NextAt, h.Fails, h.Failure, h.Tried = time.Time{}, time.Time{}, 0, "", ""
	} else {
		p.refused(h, changed(*h, topics), wait, err)
	}
	if err := p.Store.KeepHub(context.WithoutCancel(ctx), *h); err != nil {
		p.Log.Error("keep what a hub was told", "hub", h.URL, "err", err)
	}
}

// refused notes that a hub did not take a feed; wait is what it asked for.
func (p *Pinger) refused(h *newsletter.Hub, left []Topic, wait time.Duration, err error) {
	now := time.Now().UTC().Truncate(time.Millisecond)
	if h.Since.IsZero() {
		h.Since = now
	}
	grown := firstWait << min(h.Fails, 20)
	h.Fails++
	wait = min(max(wait, grown), lastWait)
	h.NextAt, h.Failure, h.Tried = now.Add(wait), err.Error(), digest(left)
	p.Log.Warn("a hub did not take that a feed changed; it is tried again", "hub", h.URL, "err", err, "wait", wait)
}
