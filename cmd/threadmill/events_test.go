package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"threadmill/internal/operator"
)

// listen returns what waits for the next event of a name, for the command
// "cat > news".
func (p place) listen() func(event string) operator.Event {
	p.t.Helper()
	p.news()
	// Open for writing too, so that it does not end between two events.
	pipe, err := os.OpenFile(filepath.Join(p.dir, "news"), os.O_RDWR, 0)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = pipe.Close() })
	events := json.NewDecoder(pipe)
	return func(event string) (e operator.Event) {
		p.t.Helper()
		for e.Event != event {
			if err := pipe.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
				p.t.Fatal(err)
			}
			e = operator.Event{}
			if err := events.Decode(&e); err != nil {
				p.t.Fatalf("wait for %s: %v", event, err)
			}
		}
		return e
	}
}

// until waits for something to come true that another process does.
func until(t *testing.T, what string, met func() bool) {
	t.Helper()
	end := time.After(time.Minute)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !met() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("%s: not in a minute", what)
		}
	}
}

var webAddress = regexp.MustCompile(`address=(http://\S+)`)

// ready asks the daemon's web server whether it can do its work.
func (d *daemon) ready() (code int, body string) {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, d.web+"readyz", nil)
	if err != nil {
		d.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// trouble is a fault of which the operator hears, and how it ends.
type trouble struct {
	event, kind, text string // what the text has in it
	threads           int
	config            string
	begin             func(p place, r *relay) // before the daemon runs
	then              func(p place)           // beside it
	mend              func(p place, r *relay)
	hup               bool // the author says that it is mended
	restart           bool // it needs another config
}

var troubles = []trouble{
	{
		event: "slot_failed", kind: "slot", text: "blocked", threads: 60, config: "output: blocked\nschedule: {cron: \"@every 1s\"}", hup: true,
		begin: func(p place, _ *relay) { p.write("blocked", "a file where the site should be") },
		mend:  func(p place, _ *relay) { p.remove("blocked") },
	},
	{
		event: "held_by_fault", kind: "site", text: "blocked", threads: 2, config: "output: blocked", hup: true,
		begin: func(p place, _ *relay) { p.write("blocked", "a file where the site should be") },
		mend:  func(p place, _ *relay) { p.remove("blocked") },
	},
	{
		event: "held_by_fault", kind: "held", text: "mail to example.org is held: 550 5.7.1 not from you", threads: 3, config: "delivery: {probe: 1s}",
		begin: func(_ place, r *relay) {
			r.answer(func(to string) error {
				if strings.HasSuffix(to, "@example.org") {
					return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "not from you"}
				}
				return nil
			})
		},
		then: func(p place) { p.look("publish", "--now", "--wait", "0s") },
		mend: func(_ place, r *relay) { r.answer(nil) },
	},
	{
		event: "slot_empty", kind: "slot_empty", text: "no thread is ready", config: `schedule: {cron: "@every 1s"}`,
		mend: func(p place, _ *relay) {
			for i := range 60 {
				p.thread(i)
			}
		},
	},
	{
		event: "threads_low", kind: "threads_low", text: "threads left: 1, fewer than 2", threads: 1, hup: true,
		mend: func(p place, _ *relay) { p.thread(1) },
	},
	{
		event: "thread_broken", kind: "thread_broken", text: "threads/broken.md:2", threads: 2, hup: true,
		begin: func(p place, _ *relay) { p.write("threads/broken.md", "---\ndate: someday\n---\n\nA post.\n") },
		mend:  func(p place, _ *relay) { p.write("threads/broken.md", "---\ndate: 2026-01-01\n---\n\nA post.\n") },
	},
	{
		event: "thread_expiring", kind: "thread_expiring", text: "“Soon gone”", threads: 2, hup: true,
		begin: func(p place, _ *relay) {
			p.write("threads/soon.md", "---\ntitle: Soon gone\nexpiryDate: "+time.Now().Add(24*time.Hour).UTC().Format(time.RFC3339)+"\n---\n\nA post.\n")
		},
		mend: func(p place, _ *relay) { p.write("threads/soon.md", "---\ntitle: Soon gone\n---\n\nA post.\n") },
	},
	{
		event: "in_doubt", kind: "in_doubt", text: "3 in doubt, of issue 1: `threadmill resolve 1 --resend`", threads: 3, config: "delivery: {in_doubt: hold}",
		begin: func(_ place, r *relay) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.drop = func(to string) bool { return strings.HasPrefix(to, "reader") }
		},
		then: func(p place) { p.look("publish", "--now", "--wait", "0s") },
		mend: func(p place, _ *relay) { p.run("resolve", "1", "--skip") },
	},
	{
		event: "disk_low", kind: "disk_low", text: "(operator.warn_disk)", threads: 2, restart: true,
		begin: func(p place, _ *relay) { p.edit("warn_disk: 1", "warn_disk: 1000000000") },
		mend:  func(p place, _ *relay) { p.edit("warn_disk: 1000000000", "warn_disk: 0") },
	},
}

// Each fault reaches the operator's command and mailbox, stands in status and
// keeps /readyz at 503, and is over when it is mended.
func TestEvents(t *testing.T) {
	t.Parallel()
	for _, tt := range troubles {
		t.Run(tt.event+" "+tt.kind, func(t *testing.T) {
			t.Parallel()
			tt.run(t)
		})
	}
}

func (tt trouble) run(t *testing.T) {
	r := newRelay(t)
	p := newPlace(t, r, tt.threads, 3, `operator: {email: op@example.com, command: "cat > news", warn_left: 2, warn_disk: 1}`+"\n"+tt.config)
	p.edit(`listen: "off"`, `listen: "127.0.0.1:0"`)
	events := p.listen()
	if tt.begin != nil {
		tt.begin(p, r)
	}
	d := p.startDaemon()
	defer func() { d.stop() }()
	if tt.then != nil {
		tt.then(p)
	}
	e := events(tt.event)
	for e.Kind != tt.kind { // another fault of the same event
		e = events(tt.event)
	}
	if !strings.Contains(e.Text, tt.text) || e.Publication != "Test" || e.Since.IsZero() {
		t.Errorf("event: %+v", e)
	}
	if code, body := d.ready(); code != http.StatusServiceUnavailable || !strings.Contains(body, tt.kind) {
		t.Errorf("readyz: %d %s", code, body)
	}
	if out := p.look("status"); !strings.Contains(out, "("+tt.kind+")") && tt.kind != "held" || !strings.Contains(out, "see above") {
		t.Errorf("status:\n%s", out)
	}
	until(t, "the operator's mail", func() bool {
		return slices.ContainsFunc(r.accepted(), func(c copyOf) bool { return c.to == "op@example.com" && strings.HasPrefix(c.subject, "Test: ") })
	})
	tt.mend(p, r)
	if tt.restart {
		d.stop()
		d = p.startDaemon()
	}
	if tt.hup {
		if err := d.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "a daemon that is ready again", func() bool {
		code, _ := d.ready()
		return code == http.StatusOK
	})
}
