package deliver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-smtp"

	"threadmill/internal/newsletter"
)

// slow is a database whose commits take 5 ms, after an outage.
type slow struct {
	Store
	broken time.Time // until when
}

func (s *slow) Journal(ctx context.Context, entries []newsletter.JournalEntry) ([]bool, error) {
	if time.Now().Before(s.broken) {
		return nil, errors.New("disk full")
	}
	time.Sleep(5 * time.Millisecond)
	if s.Store != nil {
		return s.Store.Journal(ctx, entries)
	}
	goes := make([]bool, len(entries))
	for i, e := range entries {
		goes[i] = e.Next != 0
	}
	return goes, nil
}

// TestJournalPatience has one connection hang at the relay: the messages of
// another neither wait for it again and again, nor for as long as an outage of
// the database took.
func TestJournalPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal(&slow{broken: time.Now().Add(10 * time.Minute)}, slog.New(slog.DiscardHandler))
		go j.run(t.Context())
		defer j.close()
		quick, hung := make(chan leave, 1), make(chan leave, 1)
		e := entry{JournalEntry: newsletter.JournalEntry{Next: 1}}
		first := e
		e.back = j.write(e, quick)
		j.write(first, hung)
		var took time.Duration
		for range 100 {
			begun := time.Now()
			time.Sleep(time.Millisecond) // at the relay
			e.back = j.write(e, quick)
			took += time.Since(begun)
		}
		if mean := took / 100; mean > 8*time.Millisecond {
			t.Errorf("a message takes %v, want about 6 ms", mean)
		}
	})
}

// TestRefusalsAhead refuses envelopes that were sent ahead, so that the circuit
// breaker opens before their refusals are in the journal: nobody is blamed.
func TestRefusalsAhead(t *testing.T) {
	onEach(t, func(t *testing.T, on ground) {
		sc := newScene(t, on, 0, &relay{rcpt: func(_ *client, to string) error {
			if strings.HasSuffix(to, "@dead.example") {
				return refusal(550, smtp.EnhancedCode{5, 1, 1}, "no such user")
			}
			return nil
		}})
		var list []newsletter.Subscriber
		for i := range 300 {
			email := fmt.Sprintf("s%d@ok%d.example", i, i)
			if i%3 == 2 {
				email = fmt.Sprintf("s%d@dead.example", i)
			}
			list = append(list, newsletter.Subscriber{Email: email, Key: email, Status: newsletter.SubscriberActive})
		}
		if _, err := sc.AddSubscribers(t.Context(), list); err != nil {
			t.Fatal(err)
		}
		for batch := 8; batch < 20; batch += 4 {
			sc.issue = publishIssue(t, sc.Store, batch)
			o := sc.options()
			o.Store, o.Connections = &slow{Store: sc.node}, 10
			sc.drain(t, o)
			if c := counts(t, sc.Store, sc.issue); c.Failed > 0 {
				t.Errorf("counts %+v, want none failed", c)
			}
			wantStatuses(t, sc.Store, map[newsletter.SubscriberStatus]int{newsletter.SubscriberActive: 300})
		}
	})
}
