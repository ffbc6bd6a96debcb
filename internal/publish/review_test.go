package publish_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
	"threadmill/internal/publish"
	"threadmill/internal/store"
)

// reviewer looks for slots to tell of, a day before, and keeps the mails.
func (d *desk) reviewer(mails *[]string) func() {
	r := publish.Review{
		Before: 24 * time.Hour,
		Link:   func(due time.Time) string { return "https://example.com/review/" + due.Format("0201") },
		Send: func(_ context.Context, m mail.Message) error {
			*mails = append(*mails, strings.ReplaceAll(strings.ReplaceAll(string(m.Data), "=\r\n", ""), "=3D", "="))
			return nil
		},
	}
	return func() {
		d.t.Helper()
		if err := d.Reviews(d.t.Context(), r); err != nil {
			d.t.Fatal(err)
		}
	}
}

// The author gets the issue a day before, once, and again when it is another
// one; an edit of the same is none.
func TestReviewMail(t *testing.T) {
	inTime(t, func(t *testing.T) {
		d := newDesk(t, weekly)
		d.threads(2)
		var mails []string
		look := d.reviewer(&mails)
		look()
		until("2000-01-02T08:59:00Z")
		look()
		if len(mails) != 0 {
			t.Fatal("a mail too early")
		}
		until("2000-01-02T09:00:00Z")
		look()
		look()
		d.write("threads/2024-01-01-t0.md", strings.Replace(text(0), "begins", "started", 1))
		look()
		if len(mails) != 1 {
			t.Fatalf("%d mails, want 1", len(mails))
		}
		wantContains(t, "subject", mails[0], "Subject: [Review] The thread number 0 begins with these words.")
		wantContains(t, "when", mails[0], "goes out on 3 January 2000, 09:00 GMT")
		wantContains(t, "link", mails[0], `href="https://example.com/review/0301?do=skip"`)
		wantContains(t, "date", mails[0], "Date: Sun, 02 Jan 2000 09:00:00")
		d.write("threads/2024-01-01-t0.md", "---\ndraft: true\n---\n\n"+text(0))
		look()
		if len(mails) != 2 {
			t.Fatalf("%d mails, want another one for another thread", len(mails))
		}
		wantContains(t, "subject", mails[1], "Subject: [Review] The thread number 1")
		wantContains(t, "that it is another", mails[1], "Another issue than you were told")
	})
}

func TestReviewAnswers(t *testing.T) {
	due := time.Date(2000, 1, 3, 9, 0, 0, 0, time.UTC)
	tests := map[newsletter.ReviewAnswer]struct {
		now, atSlot, later string // what is published
	}{
		newsletter.ReviewHold: {"", "the schedule is paused", "the schedule is paused"},
		newsletter.ReviewSkip: {"", "is skipped", "2024-01-01-t0"},
		newsletter.ReviewSend: {"2024-01-01-t0", "is skipped", "2024-01-02-t1"},
	}
	for answer, tt := range tests {
		t.Run(string(answer), func(t *testing.T) {
			inTime(t, func(t *testing.T) {
				d := newDesk(t, weekly)
				d.threads(2)
				until("2000-01-02T12:00:00Z")
				var mails []string
				look := d.reviewer(&mails)
				look()
				r, err := d.AnswerReview(t.Context(), due, answer)
				if err != nil || r.Answer != answer || !r.Fresh {
					t.Fatalf("the answer: %+v %v", r, err)
				}
				for _, other := range []newsletter.ReviewAnswer{newsletter.ReviewHold, newsletter.ReviewSkip, newsletter.ReviewSend} {
					if r, err := d.AnswerReview(t.Context(), due, other); err != nil || r.Answer != answer || r.Fresh {
						t.Errorf("a second answer: %+v %v", r, err)
					}
				}
				for range 2 {
					if _, err := d.Answered(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if got := d.issue(1); got != tt.now {
					t.Errorf("published now: %q, want %q", got, tt.now)
				}
				until("2000-01-03T09:00:00Z")
				wantContains(t, "at the slot", d.due(), tt.atSlot)
				until("2000-01-10T09:00:00Z")
				wantContains(t, "a week later", d.due(), tt.later)
			})
		})
	}
}

// No answer is taken at the slot or later, nor about a slot that nobody was told of.
func TestReviewExpires(t *testing.T) {
	inTime(t, func(t *testing.T) {
		d := newDesk(t, weekly)
		d.threads(2)
		until("2000-01-02T12:00:00Z")
		var mails []string
		d.reviewer(&mails)()
		if _, err := d.AnswerReview(t.Context(), time.Date(2000, 1, 10, 9, 0, 0, 0, time.UTC), newsletter.ReviewHold); !errors.Is(err, newsletter.ErrNotFound) {
			t.Errorf("an answer to nothing: %v", err)
		}
		until("2000-01-03T09:00:00Z")
		r, err := d.AnswerReview(t.Context(), time.Now(), newsletter.ReviewHold)
		if err != nil || !r.Over || r.Answer != "" {
			t.Errorf("at the slot: %+v %v", r, err)
		}
		wantContains(t, "at the slot", d.due(), "2024-01-01-t0")
	})
}

// issue names the threads of an issue, empty where there is none.
func (d *desk) issue(n int64) string {
	d.t.Helper()
	list, err := d.store.Issues(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	i := slices.IndexFunc(list, func(r store.IssueRow) bool { return r.Number == n })
	if i < 0 {
		return ""
	}
	return strings.Join(list[i].ThreadIDs, " ")
}
