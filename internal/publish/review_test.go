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

// Of several threads those are sent that the author was told of, also one whose
// day is yet to come, and none that was taken back since.
func TestReviewOfSeveral(t *testing.T) {
	inTime(t, func(t *testing.T) {
		s := weekly
		s.perIssue = 3
		d := newDesk(t, s)
		d.threads(4)
		d.write("threads/2024-01-04-t3.md", "---\npublishDate: 2000-01-03\n---\n"+text(3))
		until("2000-01-02T12:00:00Z")
		var mails []string
		d.reviewer(&mails)()
		if len(mails) != 1 {
			t.Fatalf("%d mails, want 1", len(mails))
		}
		for _, n := range []string{"number 0", "number 1", "number 3"} {
			wantContains(t, "the mail", mails[0], n)
		}
		if _, err := d.AnswerReview(t.Context(), time.Date(2000, 1, 3, 9, 0, 0, 0, time.UTC), newsletter.ReviewSend); err != nil {
			t.Fatal(err)
		}
		d.write("threads/2024-01-01-t0.md", "---\ndraft: true\n---\n"+text(0))
		for range 2 {
			if _, err := d.Answered(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got := d.issue(1) + ";" + d.issue(2); got != "2024-01-04-t3 2024-01-02-t1;" {
			t.Errorf("published: %q", got)
		}
	})
}

// While a slot has come and is not over, its threads are told of no other slot;
// nobody is told of an empty one.
func TestReviewAtASlot(t *testing.T) {
	inTime(t, func(t *testing.T) {
		s := weekly
		s.cron = "0 9 * * *"
		d := newDesk(t, s)
		d.threads(4)
		var mails []string
		look := d.reviewer(&mails)
		at := func(when string, slot bool, want int) {
			t.Helper()
			until(when)
			if slot {
				d.due()
			}
			look()
			if len(mails) != want {
				t.Fatalf("%s: %d mails, want %d", when, len(mails), want)
			}
		}
		at("2000-01-01T10:00:00Z", true, 1)
		at("2000-01-02T09:00:00Z", false, 1)
		at("2000-01-02T09:01:00Z", true, 2)
		if strings.Contains(mails[1], "Another issue") {
			t.Errorf("another issue:\n%s", mails[1])
		}
		if err := d.Pause(t.Context(), time.Date(2000, 1, 4, 0, 0, 0, 0, time.UTC), false); err != nil {
			t.Fatal(err)
		}
		at("2000-01-03T12:00:00Z", false, 3) // about the slot after the pause, under which one has come
		at("2000-01-04T09:00:00Z", true, 4)
		at("2000-01-05T09:00:00Z", true, 4) // none is left
	})
}

// What somebody takes back is told no more, and the links stay without effect.
func TestReviewTakenBack(t *testing.T) {
	due := time.Date(2000, 1, 3, 9, 0, 0, 0, time.UTC)
	for answer, undo := range map[newsletter.ReviewAnswer]func(*testing.T, *desk) error{
		newsletter.ReviewSkip: func(t *testing.T, d *desk) error { _, err := d.Skip(t.Context(), time.Time{}, true); return err },
		newsletter.ReviewHold: func(t *testing.T, d *desk) error { return d.Resume(t.Context()) },
	} {
		t.Run(string(answer), func(t *testing.T) {
			inTime(t, func(t *testing.T) {
				d := newDesk(t, weekly)
				d.threads(1)
				until("2000-01-02T12:00:00Z")
				var mails []string
				d.reviewer(&mails)()
				if _, err := d.AnswerReview(t.Context(), due, answer); err != nil {
					t.Fatal(err)
				}
				if err := undo(t, d); err != nil {
					t.Fatal(err)
				}
				if r, err := d.AnswerReview(t.Context(), due, newsletter.ReviewSend); err != nil || r.Answer != "" || !r.Over {
					t.Errorf("afterwards: %+v %v", r, err)
				}
				until("2000-01-03T09:00:00Z")
				if got := d.due(); got != "2024-01-01-t0" {
					t.Errorf("at the slot: %q", got)
				}
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
