package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"threadmill/internal/audience"
	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

// links are the paths to unsubscribe of a publication's readers, as its mails
// have them.
func (p place) links(s *store.Store, readers int) []string {
	p.t.Helper()
	keys, err := s.Keys(p.t.Context(), store.KeyTokens)
	if err != nil {
		p.t.Fatal(err)
	}
	tokens := audience.NewTokens(audience.Key(keys[0]))
	var list []string
	for i := range readers {
		sub, err := s.SubscriberByKey(p.t.Context(), reader(i))
		if err != nil {
			p.t.Fatal(err)
		}
		list = append(list, "unsubscribe/"+tokens.Sign(sub.ID, 1))
	}
	return list
}

func reader(i int) string { return fmt.Sprintf("reader%04d@example.org", i) }

// store opens the publication's database beside the program.
func (p place) store() *store.Store {
	p.t.Helper()
	address := filepath.Join(p.dir, "threadmill.db")
	if _, after, ok := strings.Cut(p.read("config.yaml"), "\ndatabase: \""); ok {
		address, _, _ = strings.Cut(after, "\"")
	}
	s, err := store.Open(p.t.Context(), address, slog.New(slog.DiscardHandler))
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = s.Close() })
	return s
}

// oneClick asks as a mail program does (RFC 8058, section 3.2).
func (d *daemon) oneClick(link string) error {
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, d.web+link, strings.NewReader(oneClickBody))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("%s: %s", link, res.Status)
	}
	return nil
}

// A hundred readers unsubscribe while the issue goes out, those who are last in
// the queue first: none gets it whose request was answered a second before the
// turn came, and the records say who got it (P6).
func TestUnsubscribedInTheMiddle(t *testing.T) {
	onEach(t, func(t *testing.T, database string) {
		const readers, leave = 240, 100
		r := newRelay(t)
		p := newPlace(t, r, 1, readers, database)
		p.edit("tls: none}", "tls: none}, rate: 100")
		p.edit(`listen: "off"`, `listen: "127.0.0.1:0"`)
		s := p.store()
		links := p.links(s, readers)
		var mu sync.Mutex
		asked := map[string]time.Time{} // when the relay heard of a reader
		r.answer(func(to string) error {
			mu.Lock()
			defer mu.Unlock()
			asked[to] = time.Now()
			return nil
		})
		d := p.startDaemon()
		defer d.stop()
		left := map[string]time.Time{} // when a reader had the answer
		done := make(chan error, 1)
		begin := sync.OnceFunc(func() {
			go func() {
				for i := readers - 1; i >= readers-leave; i-- {
					if err := d.oneClick(links[i]); err != nil {
						done <- err
						return
					}
					left[reader(i)] = time.Now()
				}
				done <- nil
			}()
		})
		r.afterEach(func(n int) {
			if n == 100 {
				begin()
			}
		})
		report := p.publish()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		defer mu.Unlock()
		spared := 0
		for to, at := range left {
			turn, got := asked[to]
			if !got {
				spared++
			} else if late := turn.Sub(at); late >= time.Second {
				t.Errorf("%s has it %v after the answer", to, late)
			}
		}
		if spared == 0 {
			t.Error("all had it before they left; the test shows nothing")
		}
		if want := (newsletter.Counts{Recipients: readers, Sent: readers - spared, Canceled: spared}); report.Counts != want {
			t.Errorf("counts %+v, want %+v", report.Counts, want)
		}
		unsettled, err := s.Unsettled(t.Context(), 1)
		if err != nil || len(unsettled) != spared {
			t.Errorf("%d records are not sent, %v; want %d", len(unsettled), err, spared)
		}
		for _, u := range unsettled {
			if _, has := asked[u.Email]; has || u.State != newsletter.DeliveryCanceled {
				t.Errorf("%+v, want canceled and never tried", u)
			}
		}
		checkCopies(t, r.accepted(), 1, readers-spared, 0)
		t.Logf("%d of %d who left got it before", leave-spared, leave)
	})
}
