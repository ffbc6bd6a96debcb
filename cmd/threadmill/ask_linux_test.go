package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// converse runs a command at a terminal of its own, answers its questions one
// after the other, and returns the screen and the exit status.
func (p place) converse(answers []string, args ...string) (screen string, status int) {
	p.t.Helper()
	user, program := openTerminal(p.t)
	cmd := p.command(args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = program, program, program
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true} // so that Ctrl-C reaches it
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	if err := program.Close(); err != nil {
		p.t.Fatal(err)
	}
	from := 0 // where the answer before ended
	screen = readScreen(p.t, user, func(shown string) {
		asked := shown[from:]
		if len(answers) == 0 || !strings.HasSuffix(asked, ": ") && !strings.HasSuffix(asked, "[y/N] ") {
			return
		}
		if _, err := user.WriteString(answers[0]); err != nil {
			p.t.Error(err)
		}
		from, answers = len(shown), answers[1:]
	})
	_ = cmd.Wait()
	if len(answers) > 0 {
		p.t.Errorf("nobody asked for %q", answers)
	}
	return strings.ReplaceAll(screen, "\r\n", "\n"), cmd.ProcessState.ExitCode()
}

// At a terminal init asks until it gets what config takes, and a password goes
// to .env alone.
func TestInitAsks(t *testing.T) {
	t.Parallel()
	p := place{t: t, dir: t.TempDir(), env: []string{"TZ=Europe/London"}}
	screen, status := p.converse([]string{
		"Letters\n", "example\n", "https://letters.example.org\n", "nobody\n", "Jo Smith <jo@example.org>\n",
		"someday\n", "tue 17:30\n", "\n", "1 Mill Lane\n", "sbs\n", "ses\n", "\n", "AKIA\n", "it's $ecret\"\n",
	}, "init")
	if status != statusDone {
		t.Fatalf("exit status %d\n%s", status, screen)
	}
	wantText(t, "the screen", screen, "Address of the site [https://example.com]: ", `"example" is not an address`,
		"From, as Name <address> [newsletter@letters.example.org]: ", `"nobody" is not a mail address`, `"someday" is not a weekday and an hour`,
		"Time zone [Europe/London]: ", `"sbs" is not known`, "Region of the account [us-east-1]: ", "Next: `threadmill check`")
	if strings.Contains(screen, "ecret") {
		t.Errorf("the screen shows the password: %s", screen)
	}
	written := p.read("config.yaml")
	wantText(t, "config.yaml", written, "url: https://letters.example.org", `cron: "30 17 * * TUE"`, "timezone: Europe/London", `address: "1 Mill Lane"`,
		"provider: ses\n  region: us-east-1\n", `smtp: {username: "AKIA", password: "${SMTP_PASSWORD}"}`, `author: {name: "Jo Smith", email: "jo@example.org"}`)
	if n := strings.Count(written, "\n"); n > 20 {
		t.Errorf("config.yaml has %d lines", n)
	}
	wantText(t, ".env", p.read(".env"), `SMTP_PASSWORD=it's \$ecret"`)
	if info, err := os.Stat(filepath.Join(p.dir, ".env")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf(".env: %v %v", info, err)
	}
	wantText(t, "config", p.run("config"), `password: "[redacted]"`)
}

// Ctrl-C leaves nothing half written, and neither does Ctrl-D.
func TestInitInterrupted(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"\x03", "\x04"} {
		p := place{t: t, dir: t.TempDir()}
		screen, status := p.converse([]string{"Letters\n", key}, "init", "news")
		if status != statusInterrupted || !strings.Contains(screen, "nothing was written") {
			t.Errorf("exit status %d\n%s", status, screen)
		}
		if left, err := os.ReadDir(p.dir); err != nil || len(left) > 0 {
			t.Errorf("left: %v %v", left, err)
		}
	}
}
