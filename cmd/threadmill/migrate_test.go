package main

import (
	"encoding/json"
	"errors"
	"net/url"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"threadmill/internal/store/pgtest"
)

// TestMigrateTo moves a publication between two of its slots: every issue goes
// out once, and the old database is closed.
func TestMigrateTo(t *testing.T) {
	t.Parallel()
	const issues, readers = 4, 20
	address, err := url.Parse(pgtest.Empty(t))
	if err != nil {
		t.Fatal(err)
	}
	address.User = url.UserPassword(address.User.Username(), "hunter2")
	r := newRelay(t)
	p := newPlace(t, r, issues, readers, "schedule: {cron: \"@every 1s\"}\ndatabase: old.db")
	p.runUntil(r, syscall.SIGTERM, readers+5)
	p.write(".env", "NEWS_DB='"+address.String()+"'\n")

	out := p.run("migrate", "--to", "${NEWS_DB}", "--json")
	var report moveReport
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatal(err)
	}
	if len(report.Tables) < 12 || report.Rows < readers || strings.Contains(out, "hunter2") {
		t.Errorf("report %s", out)
	}
	for _, args := range [][]string{{"run"}, {"publish"}, {"publish", "--now"}, {"subscribers", "add", "ada@example.com"}, {"migrate"}, {"migrate", "--to", "${NEWS_DB}"}} {
		_, err := p.command(args...).Output()
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok || exit.ExitCode() != statusUsage || strings.Count(string(exit.Stderr), "\n") != 1 ||
			!strings.Contains(string(exit.Stderr), "set `database:` in the config") || strings.Contains(string(exit.Stderr), "hunter2") {
			t.Errorf("%v: %v %s", args, err, exit.Stderr)
		}
	}
	p.edit("database: old.db", "database: ${NEWS_DB}")
	p.run("check")
	p.runUntil(r, syscall.SIGTERM, issues*readers)
	p.finish(r)
	checkCopies(t, r.accepted(), issues, readers, 0)
	p.checkIssues(issues, readers)
}
