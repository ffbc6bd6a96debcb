package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/emersion/go-smtp"
)

// daemon is a running `threadmill run`.
type daemon struct {
	*exec.Cmd
	t   *testing.T
	log *strings.Builder // to be read after stop
	web string           // the address of its web server, if any
	// reports is the address of its mail server for reports, if any.
	reports string
	end     sync.WaitGroup // of the copying of its log
}

// startDaemon returns when the daemon runs.
func (p place) startDaemon(flags ...string) *daemon {
	p.t.Helper()
	d := &daemon{Cmd: p.command(append([]string{"run"}, flags...)...), t: p.t, log: new(strings.Builder)}
	stderr, err := d.StderrPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := d.Start(); err != nil {
		p.t.Fatal(err)
	}
	lines := bufio.NewReader(stderr)
	for {
		line, err := lines.ReadString('\n')
		d.log.WriteString(line)
		if strings.Contains(line, "threadmill runs") {
			break
		}
		if err != nil {
			p.t.Fatalf("run ended: %v\n%s", err, d.log)
		}
	}
	if m := webAddress.FindStringSubmatch(d.log.String()); m != nil {
		d.web = m[1]
	}
	if m := mailAddress.FindStringSubmatch(d.log.String()); m != nil {
		d.reports = m[1]
	}
	d.end.Go(func() { _, _ = io.Copy(d.log, lines) })
	return d
}

// stop ends the daemon in order.
func (d *daemon) stop() {
	d.t.Helper()
	if err := d.Process.Signal(syscall.SIGTERM); err != nil {
		d.t.Fatal(err)
	}
	d.end.Wait()
	if err := d.Wait(); err != nil {
		d.t.Errorf("run: %v\n%s", err, d.log)
	}
}

// publish publishes by hand and returns the report.
func (p place) publish(args ...string) publishReport {
	p.t.Helper()
	var r publishReport
	if err := json.Unmarshal([]byte(p.run(append([]string{"publish", "--now", "--json"}, args...)...)), &r); err != nil {
		p.t.Fatal(err)
	}
	return r
}

// A running daemon shows the text about the publication as it is now.
func TestAboutIsReadAgain(t *testing.T) {
	t.Parallel()
	p := newPlace(t, newRelay(t), 0, 0, "")
	p.write("about.md", "First words.")
	p.edit("title: Test,", "title: Test, about: about.md,")
	d := p.startDaemon()
	p.write("about.md", "Second thoughts.")
	p.run("build")
	if page := p.read("public/about/index.html"); !strings.Contains(page, "Second thoughts.") {
		t.Errorf("the page is\n%s", page)
	}
	d.stop()
}

func TestSecondDaemonIsRefused(t *testing.T) {
	t.Parallel()
	p := newPlace(t, newRelay(t), 1, 1, "")
	d := p.startDaemon()
	defer d.stop()
	out, err := p.command("run").CombinedOutput()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.ExitCode() != statusFailed || !strings.Contains(string(out), "a second daemon would only be in its way") {
		t.Errorf("second daemon: %v\n%s", err, out)
	}
}

// Beside a daemon `publish` publishes, and the daemon sends.
func TestPublishBesideDaemon(t *testing.T) {
	onEach(t, func(t *testing.T, database string) {
		r := newRelay(t)
		p := newPlace(t, r, 2, 50, database)
		d := p.startDaemon()
		defer d.stop()
		if got := p.publish(); got.Sent != 50 || got.Pending != 0 {
			t.Errorf("report: %+v, want 50 sent", got)
		}
		checkCopies(t, r.accepted(), 1, 50, 0)
		if out := p.run("build"); !strings.Contains(out, "written by the running threadmill") {
			t.Errorf("build beside a daemon: %s", out)
		}
	})
}

// Two `run` and five `publish` at the same slots publish each thread once, and
// nobody gets a second copy. On SQLite one of the two `run` is refused.
func TestTogether(t *testing.T) {
	const issues, readers = 3, 60
	onEach(t, func(t *testing.T, database string) {
		r := newRelay(t)
		p := newPlace(t, r, issues, readers, `schedule: {cron: "@every 1s"}`+database)
		beside := p // where it is refused
		if database != "" {
			beside = p.beside()
		}
		d, second := p.startDaemon(), beside.command("run")
		if err := second.Start(); err != nil {
			t.Fatal(err)
		}
		var publishing sync.WaitGroup
		for range 5 {
			publishing.Go(func() {
				if out, err := p.command("publish").CombinedOutput(); err != nil {
					t.Errorf("publish: %v\n%s", err, out)
				}
			})
		}
		publishing.Wait()
		until(t, "everybody", func() bool { return len(r.accepted()) >= issues*readers })
		d.stop()
		_ = second.Process.Signal(syscall.SIGTERM) // it may have ended
		if err := second.Wait(); (err != nil) != (database == "") {
			t.Errorf("the second run: %v", err)
		}
		p.finish(r)
		checkCopies(t, r.accepted(), issues, readers, 0)
		p.checkIssues(issues, readers)
	})
}

// When the daemon dies while a `publish` follows it, that one takes over.
func TestFollowerTakesOver(t *testing.T) {
	onEach(t, func(t *testing.T, database string) {
		r := newRelay(t)
		p := newPlace(t, r, 1, 200, database)
		d := p.startDaemon()
		kill := sync.OnceFunc(func() { _ = d.Process.Kill() })
		r.afterEach(func(n int) {
			if n >= 30 {
				kill()
			}
		})
		if got := p.publish(); got.Sent != 200 {
			t.Errorf("report: %+v, want 200 sent", got)
		}
		d.end.Wait()
		_ = d.Wait() // it was killed
		checkCopies(t, r.accepted(), 1, 200, 10)
	})
}

// A greylisted address gets its mail once, by and by.
func TestGreylisted(t *testing.T) {
	onEach(t, func(t *testing.T, database string) {
		r := newRelay(t)
		var mu sync.Mutex
		seen := map[string]bool{}
		r.answer(func(to string) error {
			mu.Lock()
			defer mu.Unlock()
			if strings.HasSuffix(to, "5@example.org") && !seen[to] {
				seen[to] = true
				return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "greylisted"}
			}
			return nil
		})
		p := newPlace(t, r, 1, 40, `delivery: {retry: {first: 1s, max: 2s}}`+database)
		// On a slow machine their second try may be due before the others are sent.
		if got := p.publish("--wait", "0s"); got.Sent < 36 || got.Sent+got.Deferred != 40 {
			t.Errorf("at first: %+v, want 36 sent and 4 deferred", got)
		}
		p.run("publish", "--wait", "1m")
		mu.Lock()
		defer mu.Unlock()
		if len(seen) != 4 {
			t.Errorf("%d addresses were refused at first, want 4", len(seen))
		}
		checkCopies(t, r.accepted(), 1, 40, 0)
		p.checkIssues(1, 40)
	})
}

// Who leaves before the envelope is sent gets no mail, and the record says so.
func TestRemovedInTheMiddle(t *testing.T) {
	onEach(t, func(t *testing.T, database string) {
		r := newRelay(t)
		p := newPlace(t, r, 1, 20, database)
		p.write("config.yaml", strings.Replace(p.read("config.yaml"), "tls: none", "tls: none, connections: 1", 1))
		remove := sync.OnceFunc(func() { p.run("subscribers", "remove", "reader0019@example.org") })
		r.afterEach(func(int) { remove() })
		if got := p.publish(); got.Sent != 19 || got.Canceled != 1 {
			t.Errorf("report: %+v, want 19 sent and 1 canceled", got)
		}
		checkCopies(t, r.accepted(), 1, 19, 0)
	})
}

// An address that is refused for good fails alone, and the status says so.
func TestRefused(t *testing.T) {
	onEach(t, func(t *testing.T, database string) {
		r := newRelay(t)
		r.answer(func(to string) error {
			if to == "reader0003@example.org" {
				return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 2, 1}, Message: "mailbox disabled"}
			}
			return nil
		})
		p := newPlace(t, r, 1, 10, database)
		out, err := p.command("publish", "--now").CombinedOutput()
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok || exit.ExitCode() != statusPartly || !strings.Contains(string(out), "1 of 10") {
			t.Errorf("publish: %v\n%s", err, out)
		}
		if show := p.run("issues", "show", "1"); !strings.Contains(show, "reader0003@example.org") || !strings.Contains(show, "550 5.2.1 mailbox disabled") {
			t.Errorf("issues show:\n%s", show)
		}
		r.answer(nil)
		p.run("retry", "1")
		p.run("publish")
		checkCopies(t, r.accepted(), 1, 10, 0)
	})
}

// A domain that refuses us is named by status and by issues show, and its mail
// waits.
func TestHeld(t *testing.T) {
	onEach(t, func(t *testing.T, database string) {
		r := newRelay(t)
		r.answer(func(string) error {
			return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "blocked"}
		})
		p := newPlace(t, r, 1, 10, database)
		if out, err := p.command("publish", "--now").CombinedOutput(); err != nil {
			t.Errorf("publish: %v\n%s", err, out)
		}
		for _, command := range [][]string{{"status"}, {"issues", "show", "1"}} {
			if out := p.look(command...); !strings.Contains(out, "mail to example.org since ") || !strings.Contains(out, "(policy): 550 5.7.1 blocked; it is tried again on ") {
				t.Errorf("%v does not tell of the hold:\n%s", command, out)
			}
		}
		if out := p.look("status", "--json"); !strings.Contains(out, `"domain":"example.org"`) {
			t.Errorf("status --json:\n%s", out)
		}
	})
}

// look is run for a command that ends with 1 while a warning stands.
func (p place) look(args ...string) string {
	p.t.Helper()
	out, err := p.command(args...).CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.ExitCode() != statusFailed) {
		p.t.Fatalf("threadmill %v: %v\n%s", args, err, out)
	}
	return string(out)
}
