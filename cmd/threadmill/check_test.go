package main

import (
	"bytes"
	"testing"
	"testing/synctest"

	"threadmill/internal/newsletter"
)

// The last lines of check tell the coming issue and how long the threads last.
func TestReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log, out bytes.Buffer
		p := openHere(t, &log)
		p.Mail.Rate = 14
		for _, a := range []string{"ada@example.org", "bob@example.org"} {
			if _, err := p.store.AddSubscribers(t.Context(), []newsletter.Subscriber{{Email: a, Key: a, Status: newsletter.SubscriberActive}}); err != nil {
				t.Fatal(err)
			}
		}
		c, err := p.judged(t.Context(), true)
		if err != nil {
			t.Fatal(err)
		}
		if err := new(app).printReady(t.Context(), p, c, &out); err != nil {
			t.Fatal(err)
		}
		const want = "Ready: Monday 3 January 09:00, “Moving a shed, and what three neighbours and a rope could do about it; a story”, 2 people, about 1 second at 14/s\n" +
			"2 threads left: the last goes out on 10 January.\n"
		if out.String() != want {
			t.Errorf("check ends with %q, want %q", out.String(), want)
		}
	})
}

// How long the mail takes is told where the config bounds it.
func TestPaceNote(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rate  float64
		daily int
		n     int
		want  string
	}{
		{0, 0, 1204, ""},
		{14, 0, 0, ""},
		{14, 0, 1, ", about 1 second at 14/s"},
		{14, 0, 1204, ", about 2 minutes at 14/s"},
		{0.5, 0, 50_000, ", about 28 hours at 0.5/s"},
		{0, 500, 500, ""},
		{14, 500, 1204, ", over 3 days at 500 a day"},
	} {
		var p publication
		p.Mail.Rate, p.Mail.Daily = c.rate, c.daily
		if got := p.paceNote(c.n); got != c.want {
			t.Errorf("%d at %v/s and %d a day: %q, want %q", c.n, c.rate, c.daily, got, c.want)
		}
	}
}
