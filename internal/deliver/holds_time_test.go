package deliver

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

func blocked() error {
	return &mail.Refusal{Stage: mail.StageRcpt, Code: 550, Enhanced: "5.7.1", Text: "blocked"}
}

// TestProbeTimes looks when a domain is probed, and that its mail is given up
// after a time, one issue after the other.
func TestProbeTimes(t *testing.T) {
	later(t, 5, func(t *testing.T, s *store.Store, issue int64) {
		var asked []time.Time
		start := time.Now()
		d := &desk{send: func(int) error {
			asked = append(asked, time.Now())
			return blocked()
		}}
		o := options(s, d)
		o.Connections = 1
		o.Retry.GiveUp = 12 * time.Minute
		o.Probes = quicker()
		if err := New(o).Drain(t.Context(), 11*time.Minute); err != nil {
			t.Fatal(err)
		}
		wantCounts(t, s, issue, newsletter.Counts{Recipients: 5, Deferred: 5})
		next := publishIssue(t, s, 500)
		if err := New(o).Drain(t.Context(), 10*time.Minute); err != nil {
			t.Fatal(err)
		}
		if seconds := slices.Compact(since(start, asked)); len(seconds) < 5 || !slices.Equal(seconds[:5], []int{0, 15, 75, 315, 555}) {
			t.Errorf("asked after %v seconds", seconds)
		}
		wantCounts(t, s, issue, newsletter.Counts{Recipients: 5, Failed: 5})
		wantCounts(t, s, next, newsletter.Counts{Recipients: 5, Deferred: 5})
		wantStatuses(t, s, map[newsletter.SubscriberStatus]int{newsletter.SubscriberActive: 5})
	})
}

// TestPasswordWrong asks rarely while the password is wrong.
func TestPasswordWrong(t *testing.T) {
	later(t, 5, func(t *testing.T, s *store.Store, issue int64) {
		d := &desk{dial: func(n, _ int) error {
			if n <= 4 {
				return &mail.Refusal{Stage: mail.StageAuth, Code: 535, Enhanced: "5.7.8", Text: "wrong password"}
			}
			return nil
		}}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		start := time.Now()
		o := options(s, d)
		o.Probes = quicker()
		go func() { ended <- New(o).Run(ctx) }()
		time.Sleep(10 * time.Minute)
		if diff := cmp.Diff([]int{0, 15, 75, 315, 555}, since(start, d.times(&d.dials))[:5]); diff != "" {
			t.Error("seconds of the tries:", diff)
		}
		wantCounts(t, s, issue, newsletter.Counts{Recipients: 5, Sent: 5})
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// quicker are the default probes with a second for a minute, since the feeder
// looks for work every second of the hours between them.
func quicker() Probes {
	p := DefaultProbes()
	for i := range p.Refused {
		p.Refused[i] /= 60
	}
	return p
}

// TestSlowDown has a relay that wants fewer connections: the one it tells so
// rests, ever longer, and the other sends.
func TestSlowDown(t *testing.T) {
	later(t, 40, func(t *testing.T, s *store.Store, issue int64) {
		d := &desk{}
		throttled := 0
		d.send = func(int) error {
			if d.open > 1 {
				throttled++
				return &mail.Refusal{Stage: mail.StageMail, Code: 421, Enhanced: "4.3.2", Text: "too many connections"}
			}
			return nil
		}
		o := options(s, d)
		o.Rate = 2
		drain(t, o)
		wantCounts(t, s, issue, newsletter.Counts{Recipients: 40, Sent: 40})
		if throttled == 0 || throttled > 30 {
			t.Errorf("told %d times", throttled)
		}
		if warnings, err := s.Warnings(t.Context()); err != nil || len(warnings) > 0 {
			t.Errorf("warnings %+v, %v", warnings, err)
		}
	})
}

// TestProbeInDoubt loses the answer to a probe: nothing is known, and another
// follows soon.
func TestProbeInDoubt(t *testing.T) {
	later(t, 5, func(t *testing.T, s *store.Store, issue int64) {
		d := &desk{}
		tries := 0
		d.send = func(int) error {
			switch tries++; tries {
			case 1:
				return blocked()
			case 2:
				return &mail.Fault{Stage: mail.StageFinal, Err: errors.New("gone")}
			}
			return nil
		}
		o := options(s, d)
		o.Connections, o.Resend = 1, false
		start := time.Now()
		if err := New(o).Drain(t.Context(), time.Hour); err != nil {
			t.Fatal(err)
		}
		wantCounts(t, s, issue, newsletter.Counts{Recipients: 5, Sent: 4, InDoubt: 1})
		if took := time.Since(start); took > 20*time.Minute {
			t.Errorf("took %v, want a second probe a minute after the first", took)
		}
	})
}
