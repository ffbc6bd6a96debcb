package websub_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/newsletter"
	"threadmill/internal/store"
	"threadmill/internal/websub"
)

const (
	rss  = "https://shed.example.org/feed.xml"
	atom = "https://shed.example.org/atom.xml"
)

// hub stands for a hub: it notes what it is told, and answers what it is bid.
type hub struct {
	*httptest.Server
	mu     sync.Mutex
	told   []string
	faults []string
	answer func(w http.ResponseWriter, r *http.Request) // nil accepts
}

func newHub(t *testing.T) *hub {
	h := &hub{}
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.Close)
	return h
}

func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	form, err := url.ParseQuery(string(must(io.ReadAll(io.LimitReader(r.Body, 1<<16)))))
	switch {
	case err != nil, r.Method != http.MethodPost, form.Get("hub.mode") != "publish", len(form["hub.url"]) != 1,
		r.Header.Get("Content-Type") != "application/x-www-form-urlencoded", r.Header.Get("User-Agent") != "Threadmill/test":
		h.faults = append(h.faults, fmt.Sprint(r.Method, r.Header, form, err))
	}
	h.told = append(h.told, form.Get("hub.url"))
	if h.answer != nil {
		h.answer(w, r)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// bid changes what it answers.
func (h *hub) bid(answer func(w http.ResponseWriter, r *http.Request)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answer = answer
}

// heard returns what the hub was told since the last call.
func (h *hub) heard(t *testing.T) []string {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range h.faults {
		t.Errorf("the hub does not understand %s", f)
	}
	told := h.told
	h.told = nil
	return told
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newStore(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "threadmill.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// feeds are topics with digests that a test sets.
type feeds map[string]string

func (f feeds) topics(context.Context) ([]websub.Topic, error) {
	var list []websub.Topic
	for _, address := range []string{rss, atom} {
		if f[address] != "" {
			list = append(list, websub.Topic{URL: address, Digest: f[address]})
		}
	}
	return list, nil
}

func pinger(s websub.Store, f feeds, hubs ...string) *websub.Pinger {
	return websub.New(websub.Options{Store: s, Hubs: hubs, Topics: f.topics, UserAgent: "Threadmill/test", Log: slog.New(slog.DiscardHandler)})
}

func once(t *testing.T, p *websub.Pinger) {
	t.Helper()
	if err := p.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestTellsOnce says what changed, and not again after a restart.
func TestTellsOnce(t *testing.T) {
	t.Parallel()
	s, a, b, f := newStore(t), newHub(t), newHub(t), feeds{}
	steps := []struct {
		change feeds
		want   []string
	}{
		{nil, nil},
		{feeds{rss: "1", atom: "1"}, []string{rss, atom}},
		{nil, nil},
		{feeds{atom: "2"}, []string{atom}},
		{feeds{rss: "2"}, []string{rss}},
		{nil, nil},
	}
	for i, step := range steps {
		maps.Copy(f, step.change)
		once(t, pinger(s, f, a.URL, b.URL)) // as after a restart
		for _, h := range []*hub{a, b} {
			if diff := cmp.Diff(step.want, h.heard(t)); diff != "" {
				t.Errorf("step %d: %s", i, diff)
			}
		}
	}
}

// TestRefuses has one of two hubs refuse: the other hears of everything, and what
// is in the way stands in the database.
func TestRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer  func(w http.ResponseWriter, r *http.Request)
		failure string
		wait    time.Duration // at least
	}{
		"refused": {func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "no\x1b[31m such\n\ntopic "+strings.Repeat("x", 10_000), http.StatusNotFound)
		}, "it answered 404 Not Found to " + rss + ": no [31m such topic xxx", 30 * time.Second},
		"busy": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusServiceUnavailable)
		}, "it answered 503 Service Unavailable", time.Hour},
		"asks too much": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "99999999999")
			w.WriteHeader(http.StatusServiceUnavailable)
		}, "it answered 503", 23 * time.Hour},
		"moved": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/new", http.StatusMovedPermanently) }, "it has moved to", 30 * time.Second},
		"round": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/round", http.StatusTemporaryRedirect)
		}, "it sends on more than 3 times", 30 * time.Second},
		"cut": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF", 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, good, bad, f := newStore(t), newHub(t), newHub(t), feeds{rss: "1", atom: "1"}
			bad.answer = test.answer
			once(t, pinger(s, f, bad.URL, good.URL))
			if diff := cmp.Diff([]string{rss, atom}, good.heard(t)); diff != "" {
				t.Error(diff)
			}
			bad.heard(t)
			hubs := must(s.Hubs(t.Context()))
			for _, h := range hubs {
				if h.URL == good.URL && h.Failure != "" || h.URL == bad.URL && !strings.Contains(h.Failure, test.failure) {
					t.Errorf("%+v, want %s", h, test.failure)
				}
				if h.URL == bad.URL && (time.Until(h.NextAt) < test.wait-10*time.Second || time.Until(h.NextAt) > 24*time.Hour || len(h.Failure) > 400) {
					t.Errorf("next try at %s, %d bytes", h.NextAt, len(h.Failure))
				}
			}
			once(t, pinger(s, f, bad.URL, good.URL))
			if told := bad.heard(t); told != nil {
				t.Errorf("asked again at once: %v", told)
			}
			bad.bid(nil)
			f[rss] = "2" // something new is told at once
			once(t, pinger(s, f, bad.URL, good.URL))
			if diff := cmp.Diff([]string{rss, atom}, bad.heard(t)); diff != "" {
				t.Error(diff)
			}
			for _, h := range must(s.Hubs(t.Context())) {
				if h.Failure != "" || !h.Since.IsZero() || !h.NextAt.IsZero() {
					t.Errorf("still refuses: %+v", h)
				}
			}
		})
	}
}

func TestSendsOn(t *testing.T) {
	t.Parallel()
	s, h := newStore(t), newHub(t)
	h.answer = func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/new" {
			http.Redirect(w, r, "/new", http.StatusPermanentRedirect)
		}
	}
	once(t, pinger(s, feeds{rss: "1"}, h.URL))
	if diff := cmp.Diff([]string{rss, rss}, h.heard(t)); diff != "" {
		t.Error(diff)
	}
	if hubs := must(s.Hubs(t.Context())); len(hubs) != 1 || hubs[0].Failure != "" || hubs[0].Told[rss] != "1" {
		t.Errorf("%+v", hubs)
	}
}

// memory keeps hubs without a file, for a bubble in which time is faked.
type memory struct {
	mu   sync.Mutex
	hubs map[string]newsletter.Hub
}

func (m *memory) Hubs(context.Context) (list []newsletter.Hub, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, h := range m.hubs {
		list = append(list, h)
	}
	return list, nil
}

func (m *memory) KeepHub(_ context.Context, h newsletter.Hub) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hubs[h.URL] = h
	return nil
}

func (m *memory) fails(hub string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.hubs[hub].Fails
}

// TestWaitsGrow has nobody at the hub's address for ten days.
func TestWaitsGrow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		m := &memory{hubs: map[string]newsletter.Hub{}}
		wake, done := make(chan struct{}, 1), make(chan struct{})
		p := pinger(m, feeds{rss: "1"}, "http://127.0.0.1:0/") // where nobody can listen
		go func() { p.Run(ctx, wake); close(done) }()
		wake <- struct{}{}
		began := time.Now()
		var tries []time.Duration
		time.Sleep(5 * time.Second) // it looks between the tries, never at the moment of one
		for time.Since(began) < 10*24*time.Hour {
			if m.fails("http://127.0.0.1:0/") > len(tries) {
				tries = append(tries, time.Since(began).Truncate(10*time.Second))
			}
			time.Sleep(10 * time.Second)
		}
		stop()
		<-done
		for i := 1; i < len(tries); i++ {
			wait := tries[i] - tries[i-1]
			want := min(30*time.Second<<(i-1), 24*time.Hour)
			if wait < want || wait > want+20*time.Second {
				t.Errorf("wait %d is %s, want %s", i, wait, want)
			}
		}
		if len(tries) < 15 || len(tries) > 25 {
			t.Errorf("%d tries in ten days: %v", len(tries), tries)
		}
	})
}

// TestStops ends in the middle of a request, which says nothing of the hub.
func TestStops(t *testing.T) {
	t.Parallel()
	s, h := newStore(t), newHub(t)
	ctx, stop := context.WithCancel(t.Context())
	h.answer = func(_ http.ResponseWriter, r *http.Request) { stop(); <-r.Context().Done() }
	if err := pinger(s, feeds{rss: "1"}, h.URL).Once(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if hubs := must(s.Hubs(t.Context())); len(hubs) > 0 {
		t.Errorf("%+v", hubs)
	}
}
