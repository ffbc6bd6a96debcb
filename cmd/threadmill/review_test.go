package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/deliver"
	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

var reviewLink = regexp.MustCompile(`https://news\.example\.com/review/([a-z0-9]+)\?do=(hold|skip|send)`)

// The author answers the mails about three slots: to look changes nothing, and a
// link acts once and no other token does.
func TestReviewOverHTTP(t *testing.T) {
	t.Parallel()
	p := place{t: t, dir: t.TempDir()}
	p.write("config.yaml", `publication: {title: Test, url: "https://news.example.com", address: none, author: {email: jo@example.com}}
mail: {from: news@example.com, transport: folder}
schedule: {cron: "0 9 * * *"}
review: 72h
`)
	for i := range 4 {
		p.thread(i)
	}
	v, pub := p.visit()
	ctx := t.Context()
	if err := pub.publisher.Begin(ctx); err != nil {
		t.Fatal(err)
	}
	mails := p.reviewMails(pub)
	if len(mails) != 3 {
		t.Fatalf("reviews of %d slots, want 3", len(mails))
	}
	address := func(part int, do string) string {
		for _, m := range reviewLink.FindAllStringSubmatch(mails[part], -1) {
			if m[2] == do {
				return m[0]
			}
		}
		t.Fatalf("no link to %s in\n%s", do, mails[part])
		return ""
	}
	skip, send, hold := address(0, "skip"), address(1, "send"), address(2, "hold")
	for _, link := range []string{skip, send, hold} {
		if w := v.do(http.MethodGet, link, ""); w.Code != http.StatusOK || strings.Count(w.Body.String(), "<button") != 3 || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("GET: %d %v\n%s", w.Code, w.Header(), w.Body)
		}
	}
	if list, err := pub.store.AnsweredReviews(ctx); err != nil || len(list) > 0 {
		t.Errorf("to look has answered %v %v", list, err)
	}
	for _, bad := range []string{skip[:len(skip)-len("?do=skip")-1], "https://news.example.com/review/" + pub.tokens.SignFor("confirm", 0, 1), "https://news.example.com/review/" + pub.tokens.SignFor("review", 0, 1)} {
		if w := v.do(http.MethodPost, bad, "do=hold", "Content-Type", "application/x-www-form-urlencoded"); w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d", bad, w.Code)
		}
	}
	if w := v.do(http.MethodPost, skip, "do=dance", "Content-Type", "application/x-www-form-urlencoded"); w.Code != http.StatusBadRequest {
		t.Errorf("an answer that is none: %d", w.Code)
	}
	v.form(skip, "do", "skip")
	v.form(skip, "do", "hold") // which is told that it is skipped
	v.form(send, "do", "send")
	if pause, err := pub.store.Pause(ctx); err != nil || pause.Covers(time.Now()) {
		t.Errorf("paused by a link that was used: %v", err)
	}
	if _, err := pub.publisher.Answered(ctx); err != nil {
		t.Fatal(err)
	}
	v.form(hold, "do", "hold")
	if pause, err := pub.store.Pause(ctx); err != nil || !pause.Covers(time.Now()) {
		t.Errorf("not paused: %v", err)
	}
	if w := v.do(http.MethodGet, skip, ""); !strings.Contains(w.Body.String(), "This time is skipped") || strings.Contains(w.Body.String(), "<button") {
		t.Errorf("after the answer: %s", w.Body)
	}
	p.wantSkipped(v, pub, skip)
	rows, err := pub.store.Issues(ctx)
	if err != nil || len(rows) != 1 || rows[0].Title != "Part 1" {
		t.Errorf("issues: %+v %v, want that which was to be sent now", rows, err)
	}
}

// wantSkipped looks how the slot stands that a link has skipped, takes the skip
// back, and looks again.
func (p place) wantSkipped(v *visitor, pub *publication, link string) {
	p.t.Helper()
	ctx := p.t.Context()
	events := func(status string) int {
		planned, err := pub.upcoming(ctx, time.Now(), 3)
		if err != nil {
			p.t.Fatal(err)
		}
		return strings.Count(pub.calendar(planned, time.Now()).String(), "STATUS:"+status)
	}
	if err := pub.publisher.Resume(ctx); err != nil {
		p.t.Fatal(err)
	}
	s, err := pub.status(ctx)
	if err != nil || len(s.Skipped) != 2 || events("CANCELLED") != 2 {
		p.t.Errorf("skipped are %v, want two, as in the calendar; %v", s.Skipped, err)
	}
	if _, err := pub.publisher.Skip(ctx, time.Time{}, true); err != nil {
		p.t.Fatal(err)
	}
	if n := events("CANCELLED"); n != 1 {
		p.t.Errorf("%d slots are left out after the undo, want 1", n)
	}
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
		if w := v.do(method, link, "do=skip", "Content-Type", "application/x-www-form-urlencoded"); w.Code != http.StatusGone {
			p.t.Errorf("%s after the undo: %d\n%s", method, w.Code, w.Body)
		}
	}
	if n := events("CANCELLED"); n != 1 {
		p.t.Error("a link skips again what somebody took back")
	}
}

// reviewMails tells the author, and returns the mails by the numbers of their
// threads.
func (p place) reviewMails(pub *publication) map[int]string {
	p.t.Helper()
	err := pub.asNode(p.t.Context(), func(ctx context.Context, sender *deliver.Sender) error { return pub.tellAuthor(ctx, sender) })
	if err != nil {
		p.t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(p.dir, "mail", "*.eml"))
	if err != nil {
		p.t.Fatal(err)
	}
	mails := map[int]string{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			p.t.Fatal(err)
		}
		mail := strings.NewReplacer("=\r\n", "", "=3D", "=").Replace(string(text))
		_, subject, _ := strings.Cut(mail, "Subject: [Review] ")
		var part int
		if _, err := fmt.Sscanf(subject, "Part %d", &part); err != nil {
			p.t.Fatalf("%v in\n%s", err, mail)
		}
		mails[part] = mail
	}
	return mails
}

func TestReportText(t *testing.T) {
	t.Parallel()
	r := store.IssueRow{Counts: newsletter.Counts{Recipients: 1204, Sent: 1200, Failed: 3, Canceled: 1}, Bounced: 2, Complained: 1}
	r.Number, r.Title, r.PublishedAt = 12, "Moving a shed", time.Date(2026, 12, 7, 9, 0, 0, 0, time.UTC)
	want := `Issue 12, “Moving a shed”, of Monday 7 December 2026 09:00 UTC went to 1,204 subscribers.

   1,200 sent
       3 refused
       1 canceled: they left before theirs was sent
       2 came back after they were sent
       1 called it spam
       4 unsubscribed by its link

` + "`threadmill issues show 12` names them.\n"
	if diff := cmp.Diff(want, reportText(r, 4, time.UTC)); diff != "" {
		t.Error(diff)
	}
}
