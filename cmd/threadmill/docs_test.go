package main

import (
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"threadmill/docs"
	"threadmill/internal/newsletter"
	"threadmill/internal/render"
	"threadmill/templates"
)

// manualText returns a page of the manual.
func manualText(t *testing.T, name string) string {
	t.Helper()
	text, err := fs.ReadFile(docs.FS, name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// session is a command of a page with what it prints.
type session struct{ command, prints string }

var consoles = regexp.MustCompile("(?ms)^```console\n(.*?)^```$")

// sessions are the commands in a page, each behind a dollar; lines behind > go on
// with the one before.
func sessions(page string) (list []session) {
	for _, m := range consoles.FindAllStringSubmatch(page, -1) {
		for line := range strings.Lines(m[1]) {
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				list = append(list, session{command: command})
				continue
			}
			last := &list[len(list)-1]
			if more, ok := strings.CutPrefix(line, "> "); ok {
				last.command += more
			} else {
				last.prints += line
			}
		}
	}
	return list
}

// printed is what a page says that a command prints. An ellipsis stands for
// anything, alone in a line for any number of lines.
func printed(s string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString(`\A`)
	for line := range strings.Lines(s) {
		if line == "…\n" {
			b.WriteString(`(?s:.*)`)
			continue
		}
		b.WriteString(strings.ReplaceAll(regexp.QuoteMeta(strings.TrimRight(line, " \n")), "…", ".*") + `[ \r]*\n`)
	}
	b.WriteString(`\z`)
	return regexp.MustCompile(b.String())
}

// desk is the publication of somebody who reads the manual.
func desk(t *testing.T) place {
	t.Helper()
	p := newPlace(t, newRelay(t), 0, 0, `schedule: {cron: "0 9 * * MON"}`)
	p.edit("title: Test", "title: The Workbench")
	site := httptest.NewServer(http.NotFoundHandler()) // nothing is out yet
	t.Cleanup(site.Close)
	p.edit("https://news.example.com", site.URL)
	for name, text := range map[string]string{
		"2024-03-04-moving-a-shed": "---\ntitle: Moving a shed\ntags: [home, tools]\n---\n\nA shed weighs more than it looks.\n\n---\n\nRollers beat muscles.\n",
		"2024-03-18-a-quiet-pump":  "---\ntitle: A quiet pump\ntags: [tools]\n---\n\nMost of the noise is the pipe.\n",
		"2024-04-01-glue":          "---\ntitle: Glue that lets go\n---\n\nThe weak glue was the good one.\n",
	} {
		p.write("threads/"+name+".md", text)
	}
	p.write("list.csv", "email,name,tags\nada@example.com,Ada,members\ngrace@example.org,Grace,\nzoe@example.net,Zoe,members\n")
	p.run("subscribers", "import", "list.csv")
	page, err := os.ReadFile("../../internal/importer/testdata/profile.txt")
	if err != nil {
		t.Fatal(err)
	}
	p.write("page.txt", string(page))
	return p
}

// TestManual does what the pages of the manual show, and compares what is
// printed. A daemon that a page starts, with & behind it, runs to its end.
func TestManual(t *testing.T) {
	t.Parallel()
	pages, err := fs.Glob(docs.FS, "*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range pages {
		list := sessions(manualText(t, name))
		if len(list) == 0 || name == "start.md" { // which TestStartPage types at a terminal
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := desk(t)
			for _, s := range list {
				if args, ok := strings.CutSuffix(strings.TrimSpace(s.command), " &"); ok {
					defer p.startDaemon(strings.Fields(args)[2:]...).stop()
					continue
				}
				p.follow(s)
			}
		})
	}
}

// follow runs a command of the manual.
func (p place) follow(s session) {
	p.t.Helper()
	cmd := p.command()
	cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c", s.command}
	out, err := cmd.CombinedOutput()
	if err != nil || !printed(s.prints).Match(out) {
		p.t.Errorf("%s%v\nprints\n%s\nand not\n%s", s.command, err, out, s.prints)
	}
}

var docsLink = regexp.MustCompile(`href="http://demo\.example/(docs/[^"#]*)`)

// TestManualPages goes from the first page of the manual to all others, as the
// demo shows them.
func TestManualPages(t *testing.T) {
	t.Parallel()
	built, err := render.Load(nil, templates.FS)
	if err != nil {
		t.Fatal(err)
	}
	p := &publication{facts: newsletter.Publication{Title: "Demo", URL: "http://demo.example"}}
	p.loaded.Store(built)
	shown := http.StripPrefix("/"+strings.TrimSuffix(manualPath, "/"), p.manual())
	seen := map[string]bool{}
	var visit func(at string)
	visit = func(at string) {
		seen[at] = true
		w := httptest.NewRecorder()
		shown.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/"+at, nil))
		if w.Code != http.StatusOK || strings.Contains(w.Body.String(), `.md"`) {
			t.Errorf("%s: %d, or a link to a file", at, w.Code)
		}
		for _, m := range docsLink.FindAllStringSubmatch(w.Body.String(), -1) {
			if !seen[m[1]] {
				visit(m[1])
			}
		}
	}
	visit(manualPath)
	files, err := fs.Glob(docs.FS, "*.md")
	if err != nil || len(seen) != len(files) {
		t.Errorf("%d of %d pages are linked to: %v, %v", len(seen), len(files), slices.Sorted(maps.Keys(seen)), err)
	}
}

// calls are the commands of this program in a text: in code of its own or in the
// lines of a block.
var calls = regexp.MustCompile("(?m)(?:`|^(?:\\$ |\\d.* )?)(?:\\./|\\.\\./)?threadmill ([a-z][^`\n#]*)")

// TestManualCommands looks up every command and flag that the documents name.
func TestManualCommands(t *testing.T) {
	t.Parallel()
	texts := map[string]string{}
	for _, pattern := range []string{"../../*.md", "../../docs/*.md", "../../packaging/*.md"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			texts[name] = string(text)
		}
	}
	seen := 0
	for name, text := range texts {
		for _, m := range calls.FindAllStringSubmatch(text, -1) {
			seen++
			if fault := misread(strings.Fields(m[1])); fault != "" {
				t.Errorf("%s: threadmill %s: %s", name, m[1], fault)
			}
		}
	}
	if seen < 40 {
		t.Errorf("only %d commands were found", seen)
	}
}

// misread tells what is wrong with the words of a command line.
func misread(words []string) string {
	root := (&app{}).root()
	root.InitDefaultHelpCmd()
	cmd, _, err := root.Find(words)
	if err != nil || cmd == root {
		return "there is no such command"
	}
	if i := slices.Index(words, cmd.Name()); cmd.HasSubCommands() && i+1 < len(words) && regexp.MustCompile(`^[a-z]+$`).MatchString(words[i+1]) && !cmd.Runnable() {
		return "there is no such command"
	}
	for _, w := range words {
		name, ok := strings.CutPrefix(strings.Trim(w, "[]|,.…"), "--")
		if name, _, _ = strings.Cut(name, "="); ok && name != "help" && name != "version" && !hasFlag(cmd, name) {
			return "there is no flag --" + name
		}
	}
	return ""
}

func hasFlag(cmd *cobra.Command, name string) bool {
	return cmd.Flags().Lookup(name) != nil || cmd.InheritedFlags().Lookup(name) != nil
}
