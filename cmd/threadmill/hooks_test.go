package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The hooks before a slot and after an issue fail in every way: status and the
// operator's command tell it, what is told is bounded, and everybody gets the
// mail of the issue once.
func TestHooksHarmNobody(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ line, want string }{
		"kills itself":      {"kill -9 $$", "signal: killed"},
		"prints a megabyte": {"head -c 1000000 /dev/zero | tr -c x x; exit 4", "exit status 4"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := place{t: t, dir: t.TempDir()}
			p.write("config.yaml", `publication: {title: Test, url: "http://127.0.0.1:1", address: none}
mail: {from: news@example.com, transport: folder}
schedule: {cron: "0 9 * * *"}
hooks: {before_slot: "`+tt.line+`", after_issue: "`+tt.line+`"}
operator: {command: cat >> told}
`)
			p.thread(0)
			synctest.Test(t, func(t *testing.T) { // midnight of 1 January 2000
				command := func(want int, args ...string) string {
					t.Helper()
					var out bytes.Buffer
					w := world{strings.NewReader(""), &out, &out, func(string) (string, bool) { return "", false }}
					if got := execute(t.Context(), append([]string{"--config", filepath.Join(p.dir, "config.yaml")}, args...), w); got != want {
						t.Fatalf("%v ended with %d, want %d\n%.2000s", args, got, want, out.String())
					}
					return out.String()
				}
				command(0, "subscribers", "add", "ada@example.org")
				command(0, "subscribers", "add", "bob@example.org")
				command(0, "publish")
				time.Sleep(9 * time.Hour)
				if out := command(0, "publish"); !strings.Contains(out, "2 recipients, 2 sent") || len(out) > 20_000 {
					t.Errorf("publish, %d bytes: %.2000s", len(out), out)
				}
				if out := command(1, "status"); !strings.Contains(out, "hooks.before_slot: "+tt.want+" (before_slot)") ||
					!strings.Contains(out, "hooks.after_issue: issue 1: "+tt.want+" (after_issue)") {
					t.Errorf("status: %s", out)
				}
			})
			if told := p.read("told"); strings.Count(told, `"event":"hook_failed"`) != 2 || len(told) > 20_000 {
				t.Errorf("the operator, %d bytes: %.2000s", len(told), told)
			}
			mails, err := filepath.Glob(filepath.Join(p.dir, "mail", "*.eml"))
			if err != nil || len(mails) != 2 {
				t.Errorf("%d mails, want 2 %v", len(mails), err)
			}
		})
	}
}

// The hook before a slot reads what the slot would carry.
func TestBeforeSlotReads(t *testing.T) {
	t.Parallel()
	p := place{t: t, dir: t.TempDir()}
	p.write("config.yaml", `publication: {title: Test, url: "https://news.example.com"}
mail: {from: news@example.com, transport: folder}
schedule: {cron: "0 9 * * *"}
hooks: {before_slot: cat > call; echo no route >&2; exit 1}
`)
	p.thread(0)
	_, pub := p.visit()
	planned, err := pub.publisher.Upcoming(t.Context(), time.Now(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := pub.hooks().BeforeSlot(t.Context(), planned[0].Slot); err == nil || !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("the hook: %v", err)
	}
	var call struct {
		Hook   string
		Issues []struct {
			Slot, Title string
			Due         time.Time
			Threads     []string
			URLs        []string
		}
	}
	if err := json.Unmarshal([]byte(p.read("call")), &call); err != nil {
		t.Fatal(err)
	}
	if i := call.Issues; call.Hook != "before_slot" || len(i) != 1 || i[0].Title != "Part 0" || i[0].Slot != planned[0].Key || !i[0].Due.Equal(planned[0].Due) || strings.Join(i[0].URLs, " ") != "https://news.example.com/threads/part-0/" {
		t.Errorf("read: %+v", call)
	}
}
