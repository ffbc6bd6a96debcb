package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"
)

// What ends with its mail held is no failure, and says what holds it and when
// it is tried again: alone, and beside a daemon, for which it does not wait.
func TestPublishHeld(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer           smtp.SMTPError
		want             string
		pending, waiting int // of the first publish
	}{
		"a quota": {
			smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 4, 5}, Message: "daily quota exceeded"},
			"all mail is held (quota): 550 5.4.5 daily quota exceeded; it is tried again on ", 10, 0,
		},
		"a domain": {
			smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "blocked"},
			"mail to example.org is held (policy): 550 5.7.1 blocked; it is tried again on ", 0, 10,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRelay(t)
			r.answer(func(string) error { return &tt.answer })
			p := newPlace(t, r, 2, 10, "")
			check := func(args ...string) (told string) {
				t.Helper()
				var report publishReport
				var stderr strings.Builder
				cmd := p.command(append([]string{"publish", "--json"}, args...)...)
				cmd.Stderr = &stderr
				out, err := cmd.Output()
				if err == nil {
					err = json.Unmarshal(out, &report)
				}
				if err != nil {
					t.Fatalf("publish: %v\n%s%s", err, out, stderr.String())
				}
				if report.Recipients == 10 && (report.Pending != tt.pending || report.Deferred != tt.waiting) {
					t.Errorf("report: %s", out)
				}
				if len(report.Held) != 1 || !strings.HasPrefix(report.Held[0], tt.want) {
					t.Errorf("held: %q, want %q", report.Held, tt.want)
				}
				if !strings.Contains(stderr.String(), "threadmill: "+tt.want) {
					t.Errorf("stderr: %s", stderr.String())
				}
				return stderr.String()
			}
			check("--now")
			told := check() // nothing is due, and yet mail waits
			wantText(t, "publish", told, "threadmill: to go on, run `threadmill publish` again after ")
			d := p.startDaemon()
			defer d.stop()
			told = check("--now", "--wait", "14m")
			wantText(t, "publish", told, "; threadmill run (process ", ") is sending them\n", ") goes on with the rest\n")
		})
	}
}
