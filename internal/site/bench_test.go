//go:build unix

package site

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"threadmill/internal/newsletter"
	"threadmill/internal/render"
	"threadmill/templates"
)

// Sizes of the site that is measured.
const (
	benchThreads    = 10_000
	benchParagraphs = 12
	benchWords      = 60
)

// benchEntries are threads as the database would give them, newest first. A third
// of their paragraphs holds Markdown.
func benchEntries() []newsletter.Entry {
	words := strings.Fields("answer better build career change clear code customer engineer focus great growth learn manager month often people plan product question reason review ship simple small system team time trust value week work write year")
	random := rand.New(rand.NewPCG(1, 1))
	list := entries(benchThreads)
	for i := range list {
		e := &list[i]
		e.Assets, e.Posts = nil, nil
		e.OutNumber = int64(benchThreads - i)
		for p := range benchParagraphs {
			var b strings.Builder
			for range benchWords {
				b.WriteString(words[random.IntN(len(words))] + " ")
			}
			if p%3 == 0 {
				b.WriteString("*so* says [this page](https://example.org/a?b=c&d=e), ")
			}
			e.Posts = append(e.Posts, newsletter.Post{Text: strings.TrimSpace(b.String()) + "."})
		}
		e.Digest = e.ID
	}
	return list
}

func benchSite(b *testing.B, dir string) *Site {
	tmpl, err := render.Load(nil, templates.FS)
	if err != nil {
		b.Fatal(err)
	}
	return New(Options{
		Dir: dir, Templates: tmpl,
		Publication: newsletter.Publication{Title: "Bench", URL: "https://example.org", Language: "en", Zone: time.UTC},
	})
}

// BenchmarkSite10000 is the whole site from nothing, one more thread, and
// nothing to do, and Hugo from nothing where it is installed. MB is the memory
// that was had from the system, the threads included.
//
// The time of all depends on the file system: ext4 without a journal takes some
// ten times as long for new folders while many were removed in the last minutes.
// Name another by TMPDIR.
func BenchmarkSite10000(b *testing.B) {
	list := benchEntries()
	write := func(b *testing.B, s *Site, list []newsletter.Entry) {
		b.Helper()
		if _, err := s.Write(b.Context(), Content{Entries: list}); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("nothing", func(b *testing.B) {
		before := cpuTime(b)
		for b.Loop() {
			write(b, benchSite(b, filepath.Join(b.TempDir(), fmt.Sprint(rand.Uint64()))), list)
		}
		b.ReportMetric((cpuTime(b)-before).Seconds()/float64(b.N), "cpu-s/op")
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(m.Sys>>20), "MB")
	})
	b.Run("more=1", func(b *testing.B) {
		dir := b.TempDir()
		write(b, benchSite(b, dir), list[benchThreads/2:])
		for n := benchThreads / 2; b.Loop(); n-- {
			write(b, benchSite(b, dir), list[n-1:])
		}
	})
	b.Run("more=0", func(b *testing.B) {
		dir := b.TempDir()
		write(b, benchSite(b, dir), list)
		for b.Loop() {
			write(b, benchSite(b, dir), list)
		}
	})
	b.Run("hugo", func(b *testing.B) { benchHugo(b, list) })
}

// benchHugo has Hugo write the same threads as pages and as a feed in full.
func benchHugo(b *testing.B, list []newsletter.Entry) {
	hugo, err := exec.LookPath("hugo")
	if err != nil {
		b.Skip("no hugo: go install github.com/gohugoio/hugo@v0.164.0")
	}
	dir := b.TempDir()
	files := map[string]string{
		"hugo.toml":                    "baseURL = 'https://example.org/'\ntitle = 'Bench'\ndisableKinds = ['taxonomy', 'term']\n",
		"layouts/_default/baseof.html": "<!DOCTYPE html><html><head><title>{{.Title}}</title></head><body>{{block \"main\" .}}{{end}}</body></html>",
		"layouts/_default/single.html": "{{define \"main\"}}<h1>{{.Title}}</h1>{{.Content}}{{with .NextInSection}}<a href=\"{{.RelPermalink}}\">{{.Title}}</a>{{end}}{{end}}",
		"layouts/_default/list.html":   "{{define \"main\"}}{{range .Pages}}<h2><a href=\"{{.RelPermalink}}\">{{.Title}}</a></h2>{{end}}{{end}}",
		"layouts/_default/rss.xml":     "<rss><channel>{{range .RegularPages}}<item><title>{{.Title}}</title><description>{{.Content | transform.XMLEscape}}</description></item>{{end}}</channel></rss>",
	}
	for _, e := range list {
		var posts []string
		for _, p := range e.Posts {
			posts = append(posts, p.Text)
		}
		files["content/threads/"+e.Slug+".md"] = fmt.Sprintf("---\ntitle: %s\ndate: %s\n---\n%s\n", e.Title, e.PublishedAt.Format(time.DateOnly), strings.Join(posts, "\n\n---\n\n"))
	}
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			b.Fatal(err)
		}
	}
	var cpu time.Duration
	var peak int64
	for b.Loop() {
		state, err := runHugo(b.Context(), hugo, dir, filepath.Join(b.TempDir(), fmt.Sprint(rand.Uint64())))
		if err != nil {
			b.Fatal(err)
		}
		cpu += state.UserTime() + state.SystemTime()
		if usage, ok := state.SysUsage().(*syscall.Rusage); ok {
			peak = max(peak, usage.Maxrss)
		}
	}
	b.ReportMetric(cpu.Seconds()/float64(b.N), "cpu-s/op")
	b.ReportMetric(float64(peak>>10), "MB")
}

// cpuTime is what this process took of the processors so far.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func runHugo(ctx context.Context, hugo, dir, to string) (*os.ProcessState, error) {
	cmd := exec.CommandContext(ctx, hugo, "--quiet", "--noBuildLock", "--source", dir, "--destination", to, "--buildFuture")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("hugo: %w\n%s", err, out)
	}
	return cmd.ProcessState, nil
}
