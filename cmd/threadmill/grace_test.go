package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// publishDue calls publish until a slot is due, and returns the report and
// what people were told.
func (p place) publishDue(args ...string) (r publishReport, told string) {
	p.t.Helper()
	for r.Issue == 0 { // a slot is due every second
		var stderr strings.Builder
		cmd := p.command(append([]string{"publish", "--json"}, args...)...)
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err == nil {
			err = json.Unmarshal(out, &r)
		}
		if err != nil {
			p.t.Fatalf("publish: %v\n%s%s", err, out, stderr.String())
		}
		told = stderr.String()
	}
	return r, told
}

// Without a daemon publish says that a slot's issue waits, sends it after its
// grace where --wait allows, and leaves it to the next call otherwise.
func TestGraceAtSlot(t *testing.T) {
	onEach(t, func(t *testing.T, database string) {
		r := newRelay(t)
		p := newPlace(t, r, 3, 4, `schedule: {cron: "@every 1s"}
delivery: {grace: 6s}`+database)
		config := strings.Replace(p.read("config.yaml"), "title: Test,", "title: Test, author: {email: jo@example.com},", 1)
		p.write("config.yaml", config)
		got, told := p.publishDue()
		if got.Issue != 1 || got.Slot == nil || got.Sent != 4 || !strings.Contains(told, "issue 1, “Part 0”, leaves on ") || !strings.HasSuffix(told, "; waiting for that\n") {
			t.Errorf("within --wait: %+v\n%s", got, told)
		}
		if took := r.accepted(); len(took) != 5 || took[0].to != "jo@example.com" {
			t.Errorf("the author's copy is not the first of %+v", took)
		}

		p.write("config.yaml", strings.Replace(config, "grace: 6s", "grace: 1h", 1))
		got, told = p.publishDue("--wait", "1s")
		if got.Issue != 2 || got.Sent != 0 || got.Pending != 4 || !strings.Contains(told, "; this command ends before (--wait)\n") ||
			!strings.Contains(told, "to go on, run `threadmill publish` again after ") {
			t.Errorf("longer than --wait: %+v\n%s", got, told)
		}
		if got := p.publish("--wait", "1s"); got.Issue != 3 || got.Sent != 4 {
			t.Errorf("by hand: %+v", got)
		}
		p.run("issues", "go", "2")
		p.run("publish")
		sent := map[string]int{}
		for _, c := range r.accepted() {
			sent[c.to]++
		}
		for to, n := range sent {
			if want := map[bool]int{true: 2, false: 3}[to == "jo@example.com"]; n != want {
				t.Errorf("%s has %d messages, want %d", to, n, want)
			}
		}
	})
}
