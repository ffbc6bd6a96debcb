package metrics

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"threadmill/internal/newsletter"
)

var update = flag.Bool("update", false, "write the golden files")

// sample is a publication in the middle of an issue.
func sample() newsletter.Figures {
	f := newsletter.Figures{
		Subscribers: map[newsletter.SubscriberStatus]int{newsletter.SubscriberActive: 1204, newsletter.SubscriberPending: 3},
		Deliveries:  newsletter.Counts{Recipients: 5000, Pending: 100, Sent: 4870, Deferred: 10, Failed: 15, Canceled: 4, InDoubt: 1},
		Reports:     map[string]int{"bounce": 7},
		Warnings:    map[string]int{"slot": 1, "held_by_fault": 2},
		NextSlot:    time.Date(2026, 12, 7, 9, 0, 0, 0, time.UTC),
		ThreadsLeft: 12,
	}
	f.Last.Number, f.Last.PublishedAt = 9, time.Date(2026, 11, 30, 9, 0, 1, 500e6, time.UTC)
	f.Last.Counts = newsletter.Counts{Recipients: 1204, Pending: 100, Sent: 1094, Deferred: 10}
	f.Letters.Waiting, f.Letters.Sent, f.Letters.GivenUp = 2, 40, 1
	return f
}

func open(read func(context.Context) (newsletter.Figures, error)) *Metrics {
	return New(Options{Version: "1.0.0", Read: read, Log: slog.New(slog.DiscardHandler)})
}

func steady(context.Context) (newsletter.Figures, error) { return sample(), nil }

// scrape asks as Prometheus does and returns our own lines.
func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	var ours bytes.Buffer
	for line := range strings.Lines(w.Body.String()) {
		if strings.Contains(line, "threadmill_") && !strings.Contains(line, "goversion=") {
			ours.WriteString(line)
		}
	}
	return ours.String()
}

func TestScrape(t *testing.T) {
	m := open(steady)
	m.Observe("GET /unsubscribe/{token}", http.StatusOK, 3*time.Millisecond)
	m.Observe("GET /unsubscribe/{token}", http.StatusOK, 30*time.Millisecond)
	m.Observe("/", http.StatusNotModified, time.Millisecond)
	m.Observe("", http.StatusForbidden, 0)
	got := scrape(t, m)
	golden := filepath.Join("testdata", "metrics.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

// TestLint has Prometheus judge the names.
func TestLint(t *testing.T) {
	m := open(steady)
	m.Observe("/", http.StatusOK, 0)
	problems, err := testutil.GatherAndLint(m.registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// TestFresh reads slow figures seldom, and says when they cannot be read.
func TestFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reads, fault := 0, error(nil)
		m := open(func(context.Context) (newsletter.Figures, error) {
			reads++
			time.Sleep(time.Second)
			return sample(), fault
		})
		for range 10 {
			scrape(t, m)
		}
		if time.Sleep(59 * time.Second); reads != 1 {
			t.Errorf("%d reads", reads)
		}
		time.Sleep(2 * time.Second)
		fault = errors.New("the database is gone")
		if got := scrape(t, m); reads != 2 || !strings.Contains(got, "threadmill_database_up 0\n") || strings.Contains(got, "threadmill_subscribers{") {
			t.Errorf("%d reads; without a database:\n%s", reads, got)
		}
	})
}

func BenchmarkObserve(b *testing.B) {
	m := open(steady)
	for b.Loop() {
		m.Observe("GET /unsubscribe/{token}", http.StatusOK, 3*time.Millisecond)
	}
}
