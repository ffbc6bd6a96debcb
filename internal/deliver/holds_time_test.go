package deliver

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
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

func unknownUser() error {
	return &mail.Refusal{Stage: mail.StageRcpt, Code: 550, Enhanced: "5.1.1", Text: "no such user"}
}

// TestHeldForTooLong holds mail until it is given up: who reads an issue that
// came days late would rather not have it. Its deliveries fail, nobody is
// blamed, the issue ends, and a later one has as much time as this one had.
func TestHeldForTooLong(t *testing.T) {
	for name, tt := range map[string]struct {
		towns  int
		answer func() error
		domain string
	}{
		"a domain unknown":  {1, unknownUser, "town1.example"},
		"everybody unknown": {30, unknownUser, wholeRelay},
		"a domain blocks":   {1, blocked, "town1.example"},
		"the relay blocks":  {30, blocked, wholeRelay},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := openStore(t)
				settle(t, s, tt.towns, 60/tt.towns)
				issue := publishIssue(t, s, 20)
				d := &desk{rcpt: func(string) error { return tt.answer() }}
				o := options(s, d)
				o.Retry.GiveUp = 6 * time.Minute
				o.Probes = quicker()
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- New(o).Run(ctx) }()
				time.Sleep(5 * time.Minute)
				if c := counts(t, s, issue); c.Pending+c.Deferred != 60 {
					t.Errorf("counts %+v before it is given up", c)
				}
				next := publishIssue(t, s, 20)
				time.Sleep(6 * time.Minute)
				wantCounts(t, s, issue, newsletter.Counts{Recipients: 60, Failed: 60})
				if c := counts(t, s, next); c.Pending+c.Deferred != 60 {
					t.Errorf("counts %+v of the next issue", c)
				}
				wantStatuses(t, s, map[newsletter.SubscriberStatus]int{newsletter.SubscriberActive: 60})
				for _, u := range unsettled(t, s, issue) {
					if u.Code != 550 || u.Hold != "" {
						t.Errorf("%+v, want the server's answer and no hold", u)
					}
				}
				if row, err := s.Issue(ctx, issue); err != nil || row.FinishedAt.IsZero() {
					t.Errorf("the issue %+v has not ended, %v", row, err)
				}
				if holds, err := s.Holds(ctx); err != nil || !slices.ContainsFunc(holds, func(h newsletter.Hold) bool { return h.Domain == tt.domain && !h.Lifted }) {
					t.Errorf("holds %+v, %v, want one of %q", holds, err, tt.domain)
				}
				cancel()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestRetriedLate asks for another try of an issue that failed long ago: it has
// as much time as a new one, and the Date of its messages stays.
func TestRetriedLate(t *testing.T) {
	later(t, 3, func(t *testing.T, s *store.Store, issue int64) {
		later := &mail.Refusal{Stage: mail.StageRcpt, Code: 451, Text: "later"}
		refuse := true
		d := &desk{rcpt: func(string) error {
			if refuse {
				return later
			}
			return nil
		}}
		o := options(s, d)
		o.Retry = Retry{First: 20 * time.Second, Max: 20 * time.Second, GiveUp: 3 * time.Minute}
		if err := New(o).Drain(t.Context(), 6*time.Minute); err != nil {
			t.Fatal(err)
		}
		wantCounts(t, s, issue, newsletter.Counts{Recipients: 3, Failed: 3})
		time.Sleep(48 * time.Hour)
		if n, err := s.Retry(t.Context(), issue); err != nil || n != 3 {
			t.Fatal(n, err)
		}
		list, err := s.TakeBatch(t.Context(), newsletter.Batch{ID: 1, Issue: issue})
		if err != nil || len(list) != 3 || time.Since(list[0].FirstAt) < 48*time.Hour {
			t.Errorf("%+v, %v, want the first attempt kept", list, err)
		}
		if err := New(o).Drain(t.Context(), 90*time.Second); err != nil {
			t.Fatal(err)
		}
		wantCounts(t, s, issue, newsletter.Counts{Recipients: 3, Deferred: 3})
		refuse = false
		if err := New(o).Drain(t.Context(), 5*time.Minute); err != nil {
			t.Fatal(err)
		}
		wantCounts(t, s, issue, newsletter.Counts{Recipients: 3, Sent: 3})
	})
}

// TestPasswordStaysWrong tells when the next try will be, also after a restart,
// which tries at once: somebody may have mended it.
func TestPasswordStaysWrong(t *testing.T) {
	later(t, 5, func(t *testing.T, s *store.Store, _ int64) {
		d := &desk{dial: func(int, int) error {
			return &mail.Refusal{Stage: mail.StageAuth, Code: 535, Enhanced: "5.7.8", Text: "wrong password"}
		}}
		start := time.Now()
		o := options(s, d)
		o.Probes = quicker()
		for range 2 {
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- New(o).Run(ctx) }()
			time.Sleep(90 * time.Second)
			next := time.Now().Add(4*time.Minute - 15*time.Second).UTC().Format("2 January 2006 15:04")
			if list, err := s.Warnings(ctx); err != nil || len(list) != 1 || !strings.Contains(list[0].Text, "wrong password") || !strings.Contains(list[0].Text, next) {
				t.Errorf("warnings %+v, %v, want the next try, %s", list, err, next)
			}
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		if diff := cmp.Diff([]int{0, 15, 75, 90, 105, 165}, since(start, d.times(&d.dials))); diff != "" {
			t.Error("seconds of the tries:", diff)
		}
	})
}
