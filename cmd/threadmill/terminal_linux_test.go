package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// longSilence is how long a program may show nothing at a terminal.
const longSilence = 30 * time.Second

// openTerminal returns both ends of a terminal, as a program and its user
// have them.
func openTerminal(t *testing.T) (user, program *os.File) {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("this machine gives no terminal: %v", err)
	}
	t.Cleanup(func() { _ = user.Close() })
	conn, err := user.SyscallConn() // Fd would take the deadlines from it
	if err != nil {
		t.Fatal(err)
	}
	var n int
	asked := conn.Control(func(fd uintptr) {
		err = errors.Join(unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0),
			unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 120}))
		if err == nil {
			n, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	})
	if err := errors.Join(asked, err); err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("this machine gives no terminal: %v", err)
	}
	t.Cleanup(func() { _ = program.Close() })
	return user, program
}

// readScreen reads what a program shows until it ends, and hands all of it to
// on, where it is set, after each read. A program that shows nothing for long
// waits for an answer that nobody has.
func readScreen(t *testing.T, user *os.File, on func(shown string)) string {
	t.Helper()
	var shown strings.Builder
	buf := make([]byte, 4096)
	for {
		if err := user.SetReadDeadline(time.Now().Add(longSilence)); err != nil {
			t.Fatal(err)
		}
		n, err := user.Read(buf)
		shown.Write(buf[:n])
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("nothing for %v after %q", longSilence, shown.String())
		}
		if err != nil { // EIO: the program has closed its end
			return shown.String()
		}
		if on != nil {
			on(shown.String())
		}
	}
}

// At a terminal publish shows a bar with what is done, how fast, what is left
// and what failed, and no lines of a log.
func TestProgressBar(t *testing.T) {
	t.Parallel()
	r := newRelay(t)
	p := newPlace(t, r, 1, 40, "")
	p.edit("tls: none}", "tls: none, connections: 1}, rate: 30")
	user, program := openTerminal(t)
	cmd := p.command("publish", "--now", "--yes")
	cmd.Stderr = program
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := program.Close(); err != nil { // the terminal ends with the program
		t.Fatal(err)
	}
	screen := readScreen(t, user, nil)
	if err := cmd.Wait(); err != nil {
		t.Errorf("publish: %v\n%s", err, screen)
	}
	bar := regexp.MustCompile(`sending, (\d+) left, 0 failed +\d+% .*\((\d+)/40, \d+ mails/s\)`)
	if !bar.MatchString(screen) {
		t.Errorf("no bar %s in %q", bar, screen)
	}
	if strings.Contains(screen, "msg=sending") {
		t.Errorf("lines of a log at a terminal: %q", screen)
	}
}

// The question of publish --now tells of earlier mail that waits; who says no
// has published nothing. That of issues send --missed is about its own.
func TestQuestion(t *testing.T) {
	t.Parallel()
	r := newRelay(t)
	p := newPlace(t, r, 2, 3, "")
	p.run("pause", "--sending")
	wantText(t, "publish", p.tell("publish", "--now"), "Issue 1, “Part 0”, is published on the site; 0 of 3 mails sent.\n3 pending.\n")
	screen := p.refuse("publish", "--now")
	wantText(t, "the screen", screen, "Issue 1, “Part 0”, has 3 messages to send yet; `threadmill publish` sends them.\r\n",
		"Send “Part 1” to 3 people as well? [y/N] ", "threadmill: nothing was published\r\n")
	if list := p.run("issues"); strings.Contains(list, "Part 1") {
		t.Errorf("an issue was published: %s", list)
	}
	p.run("subscribers", "add", "late@example.org")
	wantText(t, "the screen", p.refuse("issues", "send", "1", "--missed"), "Send issue 1, “Part 0”, to 1 more person? [y/N] ", "threadmill: nothing was sent\r\n")
}

// refuse runs a command at a terminal, says no to its question, and returns the
// screen.
func (p *place) refuse(args ...string) string {
	p.t.Helper()
	user, program := openTerminal(p.t)
	cmd := p.command(args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = program, program, program
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	if err := program.Close(); err != nil {
		p.t.Fatal(err)
	}
	answered := false
	screen := readScreen(p.t, user, func(shown string) {
		if answered || !strings.Contains(shown, "[y/N] ") {
			return
		}
		answered = true
		if _, err := user.WriteString("n\n"); err != nil {
			p.t.Error(err)
		}
	})
	_ = cmd.Wait()
	if status := cmd.ProcessState.ExitCode(); status != statusFailed {
		p.t.Errorf("exit status %d, want %d", status, statusFailed)
	}
	return screen
}
