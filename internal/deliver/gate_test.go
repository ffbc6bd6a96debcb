package deliver

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

// runBeside runs a sender until stop.
func runBeside(t *testing.T, o Options) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- New(o).Run(ctx) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// A relay that refuses our sender hears from one worker after each wait, and
// from all of them once it has let one in, whatever it says of the recipient.
func TestOneTriesTheRelay(t *testing.T) {
	for name, last := range map[string]error{"accepted": nil, "recipient unknown": unknownUser()} {
		t.Run(name, func(t *testing.T) {
			later(t, 100, func(t *testing.T, s *store.Store, issue int64) {
				var refused []time.Time
				start := time.Now()
				most := 0
				d := &desk{}
				d.send = func(int) error {
					switch at := time.Since(start); {
					case at < 5*time.Minute:
						refused = append(refused, time.Now())
						return &mail.Refusal{Stage: mail.StageMail, Code: 550, Enhanced: "5.7.1", Text: "sender not allowed"}
					case len(refused) > 0 && last != nil:
						err := last
						last = nil
						if d.open != 1 {
							t.Errorf("%d connections while one tries", d.open)
						}
						return err
					}
					most = max(most, d.open)
					return nil
				}
				o := options(s, d)
				o.Connections, o.Rate, o.Probes = 10, 20, quicker()
				stop := runBeside(t, o)
				time.Sleep(4 * time.Minute)
				seconds := since(start, d.times(&refused))
				first := slices.IndexFunc(seconds, func(s int) bool { return s > 0 })
				if first < 0 || first > 10 {
					t.Fatalf("refused after %v seconds", seconds)
				}
				if diff := cmp.Diff([]int{15, 75}, seconds[first:]); diff != "" {
					t.Error("seconds of the tries after a wait:", diff)
				}
				time.Sleep(4 * time.Minute)
				stop()
				if most < 2 {
					t.Errorf("%d connections when the relay lets us in", most)
				}
				if c := counts(t, s, issue); c.Pending > 0 || c.Failed > 1 || c.Sent+c.Failed != 100 {
					t.Errorf("counts %+v", c)
				}
			})
		})
	}
}

// Whoever tries the relay makes way when its reader leaves and it has no other
// message: another worker has one.
func TestTrialMakesWay(t *testing.T) {
	later(t, 2, func(t *testing.T, s *store.Store, issue int64) {
		d := &desk{}
		down := true
		d.dial = func(n, _ int) error {
			switch {
			case n == 1:
				return errDown
			case down: // before the mark, the first reader leaves
				down = false
				sub, err := s.SubscriberByKey(t.Context(), address(1))
				if err == nil {
					err = s.SetSubscriberStatus(t.Context(), sub.ID, newsletter.SubscriberUnsubscribed, "link")
				}
				if err != nil {
					t.Error(err)
				}
			}
			return nil
		}
		o := options(s, d)
		o.Connections = 2
		start := time.Now()
		stop := runBeside(t, o)
		time.Sleep(10 * time.Second)
		stop()
		wantCounts(t, s, issue, newsletter.Counts{Recipients: 2, Sent: 1, Canceled: 1})
		if sent := d.times(&d.sent); len(sent) != 1 || sent[0].Sub(start) > 3*time.Second {
			t.Errorf("sent after %v seconds", since(start, sent))
		}
	})
}
