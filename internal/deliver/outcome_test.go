package deliver

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
)

func TestSettle(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	retry := Retry{First: 5 * time.Minute, Max: 4 * time.Hour, GiveUp: 72 * time.Hour}
	gone := errors.New("gone")
	type (
		delivery = newsletter.Delivery
		end      = newsletter.DeliveryEnd
	)
	fault := func(stage mail.Stage) error { return &mail.Fault{Stage: stage, Err: gone} }
	refused := func(stage mail.Stage, code int) error {
		return &mail.Refusal{Stage: stage, Code: code, Enhanced: "9.9.9", Text: "because"}
	}
	const because = "9.9.9 because"
	tests := []struct {
		name  string
		d     delivery
		err   error
		hold  bool
		used  bool
		want  end
		next  verdict
		waits time.Duration // shortest time until the next attempt
	}{
		{name: "accepted", want: end{State: newsletter.DeliverySent, Attempts: 1, Code: 250}},
		{name: "accepted at last", d: delivery{Attempts: 3, Doubts: 1}, want: end{State: newsletter.DeliverySent, Attempts: 4, Doubts: 1, Code: 250}},

		{name: "4xx at RCPT", err: refused(mail.StageRcpt, 451), want: end{State: newsletter.DeliveryDeferred, Attempts: 1, Code: 451, Answer: because}, waits: 5 * time.Minute},
		{name: "4xx to the content", err: refused(mail.StageFinal, 452), want: end{State: newsletter.DeliveryDeferred, Attempts: 1, Code: 452, Answer: because}, waits: 5 * time.Minute},
		{name: "third 4xx", d: delivery{Attempts: 2, FirstAt: now.Add(-time.Hour)}, err: refused(mail.StageRcpt, 451), want: end{State: newsletter.DeliveryDeferred, Attempts: 3, Code: 451, Answer: because}, waits: 20 * time.Minute},
		{name: "4xx for too long", d: delivery{Attempts: 20, FirstAt: now.Add(-72 * time.Hour)}, err: refused(mail.StageRcpt, 451), want: end{State: newsletter.DeliveryFailed, Attempts: 21, Code: 451, Answer: because}},
		{name: "first 4xx, long after the first try", d: delivery{FirstAt: now.Add(-100 * time.Hour)}, err: refused(mail.StageRcpt, 451), want: end{State: newsletter.DeliveryDeferred, Attempts: 1, Code: 451, Answer: because}, waits: 5 * time.Minute},
		{name: "5xx at RCPT", err: refused(mail.StageRcpt, 550), want: end{State: newsletter.DeliveryFailed, Attempts: 1, Code: 550, Answer: because}},
		{name: "5xx to the content", err: refused(mail.StageFinal, 554), want: end{State: newsletter.DeliveryFailed, Attempts: 1, Code: 554, Answer: because}},

		{name: "5xx at MAIL is about us", err: refused(mail.StageMail, 550), used: true, want: end{State: newsletter.DeliveryPending, Code: 550, Answer: because}, next: relayFault},
		{name: "4xx at MAIL is about us", err: refused(mail.StageMail, 451), used: true, want: end{State: newsletter.DeliveryPending, Code: 451, Answer: because}, next: relayFault},
		{name: "421 at MAIL, connection full", err: refused(mail.StageMail, 421), used: true, want: end{State: newsletter.DeliveryPending, Code: 421, Answer: because}, next: sendAgain},
		{name: "421 at MAIL, fresh connection", err: refused(mail.StageMail, 421), want: end{State: newsletter.DeliveryPending, Code: 421, Answer: because}, next: slowDown},
		{name: "421 at RCPT, connection full", err: refused(mail.StageRcpt, 421), used: true, want: end{State: newsletter.DeliveryPending, Code: 421, Answer: because}, next: sendAgain},
		{name: "421 at RCPT, fresh connection", err: refused(mail.StageRcpt, 421), want: end{State: newsletter.DeliveryDeferred, Attempts: 1, Code: 421, Answer: because}, next: slowDown, waits: 5 * time.Minute},
		{name: "421 to the content", err: refused(mail.StageFinal, 421), used: true, want: end{State: newsletter.DeliveryDeferred, Attempts: 1, Code: 421, Answer: because}, waits: 5 * time.Minute},

		{name: "gone at MAIL, used connection", err: fault(mail.StageMail), used: true, want: end{State: newsletter.DeliveryPending, Answer: "fault at mail: gone"}, next: sendAgain},
		{name: "gone at MAIL, fresh connection", err: fault(mail.StageMail), want: end{State: newsletter.DeliveryPending, Answer: "fault at mail: gone"}, next: relayFault},
		{name: "gone at RCPT, used connection", err: fault(mail.StageRcpt), used: true, want: end{State: newsletter.DeliveryPending, Answer: "fault at rcpt: gone"}, next: sendAgain},
		{name: "gone at RCPT, fresh connection", d: delivery{Attempts: 9, FirstAt: now.Add(-100 * time.Hour)}, err: fault(mail.StageRcpt), want: end{State: newsletter.DeliveryDeferred, Attempts: 9, Answer: "fault at rcpt: gone"}, waits: 5 * time.Minute},
		{name: "gone in the content", err: fault(mail.StageData), used: true, want: end{State: newsletter.DeliveryDeferred, Attempts: 1, Answer: "fault at data: gone"}, waits: 5 * time.Minute},

		{name: "gone before the answer", err: fault(mail.StageFinal), want: end{State: newsletter.DeliveryPending, Attempts: 1, Doubts: 1, Answer: "fault at final: gone"}, next: sendAgain},
		{name: "gone before the answer again", d: delivery{Attempts: 1, Doubts: 1}, err: fault(mail.StageFinal), want: end{State: newsletter.DeliveryInDoubt, Attempts: 2, Doubts: 2, Answer: "fault at final: gone"}},
		{name: "gone before the answer, hold", err: fault(mail.StageFinal), hold: true, want: end{State: newsletter.DeliveryInDoubt, Attempts: 1, Doubts: 1, Answer: "fault at final: gone"}},

		{name: "an error of no kind", err: gone, want: end{State: newsletter.DeliveryPending, Answer: "gone"}, next: relayFault},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.d.ID, tt.want.ID = 7, 7
			o := retry.settle(tt.d, tt.err, now, !tt.hold, tt.used)
			got, next := o.end, o.next
			if next != tt.next {
				t.Errorf("verdict %d, want %d", next, tt.next)
			}
			if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreFields(end{}, "NextAt")); diff != "" {
				t.Error(diff)
			}
			if tt.waits == 0 {
				if !got.NextAt.IsZero() {
					t.Errorf("next attempt at %v, want none", got.NextAt)
				}
				return
			}
			if d := got.NextAt.Sub(now); d < tt.waits || d > tt.waits+tt.waits/10 {
				t.Errorf("next attempt after %v, want %v and up to a tenth more", d, tt.waits)
			}
		})
	}
}

func TestRetryWait(t *testing.T) {
	tests := []struct {
		retry    Retry
		attempts int
		want     time.Duration
	}{
		{Retry{First: 5 * time.Minute, Max: 4 * time.Hour}, 0, 5 * time.Minute},
		{Retry{First: 5 * time.Minute, Max: 4 * time.Hour}, 1, 5 * time.Minute},
		{Retry{First: 5 * time.Minute, Max: 4 * time.Hour}, 2, 10 * time.Minute},
		{Retry{First: 5 * time.Minute, Max: 4 * time.Hour}, 6, 160 * time.Minute},
		{Retry{First: 5 * time.Minute, Max: 4 * time.Hour}, 7, 4 * time.Hour},
		{Retry{First: 5 * time.Minute, Max: 10 * time.Minute}, 26, 10 * time.Minute}, // 5 min doubled 25 times is too large for a Duration
		{Retry{First: 5 * time.Minute, Max: 10 * time.Minute}, 400, 10 * time.Minute},
		{Retry{First: time.Hour, Max: time.Minute}, 1, time.Minute},
		{Retry{First: 1, Max: math.MaxInt64 / 2}, 1000, math.MaxInt64 / 2},
		{Retry{}, 3, 0},
	}
	for _, tt := range tests {
		shortest, longest := time.Duration(math.MaxInt64), time.Duration(0)
		for range 300 {
			d := tt.retry.wait(tt.attempts)
			shortest, longest = min(shortest, d), max(longest, d)
		}
		if shortest < tt.want || longest > tt.want+tt.want/10 {
			t.Errorf("%+v after %d attempts: %v to %v, want %v and up to a tenth more", tt.retry, tt.attempts, shortest, longest, tt.want)
		}
		if tt.want > time.Second && shortest == longest {
			t.Errorf("%+v after %d attempts: always %v; those refused together come back together", tt.retry, tt.attempts, shortest)
		}
	}
}

func TestAnswer(t *testing.T) {
	for in, want := range map[string]string{
		"5.1.1 no such user":   "5.1.1 no such user",
		" two\r\nlines\x00 \t": "two lines",
		"b\xffd":               "b?d",
		"\u0085next":           "next",
	} {
		if got := answer(in); got != want {
			t.Errorf("answer(%q) = %q, want %q", in, got, want)
		}
	}
	if got := answer(strings.Repeat("ü", 500)); len(got) > answerMax+len("…") || !strings.HasSuffix(got, "ü…") {
		t.Errorf("a long answer became %d bytes: …%s", len(got), got[len(got)-8:])
	}
}
