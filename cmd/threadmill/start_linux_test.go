package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	consoleBlock = regexp.MustCompile("(?s)```console\n(.*?)```")
	consoleInput = regexp.MustCompile(`(?m)^.*(?:\]: |\[y/N\] )(.*)$`)
)

// The commands of docs/start.md, typed at a terminal in an empty folder, show
// what the page shows, and two mails arrive.
func TestStartPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/start.md")
	if err != nil {
		t.Fatal(err)
	}
	r := newRelay(t)
	p := place{t: t, dir: filepath.Join(t.TempDir(), "letters"), env: []string{"TZ=Europe/London"}}
	if err := os.Mkdir(p.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(page), "127.0.0.1:1025", r.addr)
	for _, block := range consoleBlock.FindAllStringSubmatch(text, -1) {
		for step := range strings.SplitSeq("\n"+block[1], "\n$ ") {
			if strings.TrimSpace(step) != "" {
				p.playStep(step)
			}
		}
	}
	var got []string
	for _, c := range r.accepted() {
		got = append(got, c.to+" "+c.subject)
	}
	wantText(t, "the mails", strings.Join(got, "\n"), "jo@example.org [Test] Hello\njo@example.org Hello")
}

// playStep runs a command of a page and looks for the lines below it on the screen.
func (p place) playStep(step string) {
	p.t.Helper()
	line, shown, _ := strings.Cut(step, "\n")
	args, ours := strings.CutPrefix(line, "threadmill ")
	if !ours {
		cmd := exec.CommandContext(p.t.Context(), "sh", "-c", line)
		cmd.Dir = p.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			p.t.Fatalf("%s: %v\n%s", line, err, out)
		}
		return
	}
	var answers []string
	for _, m := range consoleInput.FindAllStringSubmatch(shown, -1) {
		answers = append(answers, m[1]+"\n")
	}
	screen, status := p.converse(answers, strings.Fields(args)...)
	if status != statusDone {
		p.t.Fatalf("%s: exit status %d\n%s", line, status, screen)
	}
	wantText(p.t, line, screen, strings.Split(strings.TrimSpace(shown), "\n")...)
}
