package main

import (
	"bytes"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strings"
	"time"

	"threadmill/docs"
)

// manualPath is where the demo has the manual, below its site.
const manualPath = "docs/"

// manualLink is what follows the text of a link from page to page.
var manualLink = regexp.MustCompile(`\]\(([a-z-]+|README)\.md(#[^)]*)?\)`)

// manual shows the pages of the manual as pages of the site.
func (p *publication) manual() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := manualPath + strings.TrimPrefix(r.URL.Path, "/")
		name := path.Base(at) + ".md"
		if at == manualPath {
			name = "README.md"
		}
		text, err := fs.ReadFile(docs.FS, name)
		if err != nil || at != manualPage(name) {
			http.NotFound(w, r)
			return
		}
		linked := manualLink.ReplaceAllStringFunc(string(text), func(link string) string {
			m := manualLink.FindStringSubmatch(link)
			return "](" + p.facts.Link(manualPage(m[1]+".md")) + m[2] + ")"
		})
		page, err := p.loaded.Load().ManualPage(p.facts, at, linked)
		if err != nil {
			p.log.Error("a page of the manual cannot be shown", "page", name, "error", err)
			http.Error(w, "This page cannot be shown.", http.StatusInternalServerError)
			return
		}
		http.ServeContent(w, r, "index.html", time.Time{}, bytes.NewReader(page))
	})
}

// manualPage is where the demo has a file of the manual.
func manualPage(file string) string {
	if file == "README.md" {
		return manualPath
	}
	return manualPath + strings.TrimSuffix(file, ".md") + "/"
}
