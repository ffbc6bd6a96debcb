package render

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"threadmill/internal/newsletter"
	"threadmill/templates"
)

// override returns a folder with one template in it.
func override(name, text string) fs.FS {
	return fstest.MapFS{name: {Data: []byte(text)}}
}

func TestOverride(t *testing.T) {
	tmpl, err := Load(override("archive.html", "{{range .Threads}}<p>{{.Title}}</p>\n{{end}}"), templates.FS)
	if err != nil {
		t.Fatal(err)
	}
	entry := kettle()
	page, err := tmpl.ArchivePage(publication(), Listing{Entries: []newsletter.Entry{gate(), entry}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(page), "<p>השער הישן</p>\n<p>Why a kettle sings</p>\n"; got != want {
		t.Errorf("overridden archive is %q, want %q", got, want)
	}
	if _, err := tmpl.ThreadPage(publication(), entry, nil, nil); err != nil {
		t.Errorf("a page that is not overridden: %v", err)
	}
}

// A fault in a template is an error of Load that names file and line.
func TestLoadFaults(t *testing.T) {
	tests := []struct {
		name     string
		override fs.FS
		want     string
	}{
		{"syntax", override("thread.html", "<h1>\n{{if}}"), "thread.html:2: missing value for if"},
		{"syntax of text", override("mail.txt", "\n\n{{end}}"), "mail.txt:3: unexpected {{end}}"},
		{"unknown field", override("thread.html", "<p>\n{{.Thread.Titel}}</p>"), "thread.html:2:9: executing"},
		{"unknown field of text", override("mail.txt", "{{.Thread}}"), "mail.txt:1:2: executing"},
		{"field of one branch", override("unsubscribe.html", "{{if .Done}}\n{{.Nope}}{{end}}"), "unsubscribe.html:2:2: executing"},
		{"unknown function", override("archive.html", "\n{{shout .Title}}"), `archive.html:2: function "shout" not defined`},
		{"unknown part", override("issue.html", "\n{{template \"haed\" .}}"), `issue.html:2:11: no such template "haed"`},
		{"missing part", override("base.html", "{{define \"style\"}}{{end}}"), "no such template"},
		{"open quote", override("404.html", "<p>\n<a href=\"{{.Root}}>"), "404.html: ends in a non-text context"},
		{"recursion", override("mail.html", "{{define \"x\"}}\n{{template \"x\" .}}{{end}}{{template \"x\" .}}"), "mail.html:2:11: executing"},
		{"endless loop", override("mail.txt", "{{range 100000000}}\nxxxxxxxxxxxxxxxxxxxxxxxxx{{end}}"), "data: mail.txt: writes more than 16 MB; does a loop never end?"},
		{"stranger", override("threads.html", "x"), "template threads.html replaces nothing; the templates are 404.html, about.html,"},
		{"too long", override("mail.txt", strings.Repeat("x", maxTemplate+1)), "read template mail.txt: longer than 1 MB"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(tt.override, templates.FS)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Load: %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestLoadErrorIsTyped(t *testing.T) {
	_, err := Load(override("thread.html", "{{"), templates.FS)
	fault, ok := errors.AsType[*TemplateError](err)
	if !ok || !strings.HasPrefix(fault.Text, "thread.html:1:") || errors.Unwrap(fault) == nil {
		t.Errorf("Load: %#v, want a TemplateError at thread.html:1", err)
	}
}

func TestLoadMissing(t *testing.T) {
	_, err := Load(nil, override("base.html", ""))
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "read template mail.html") {
		t.Errorf("Load of an empty folder: %v, want mail.html missing", err)
	}
}

// The built-in templates and words stand every trial that those of a publication
// are put to, which Load therefore leaves out for them.
func TestBuiltIn(t *testing.T) {
	if _, err := Load(templates.FS, templates.FS); err != nil {
		t.Error(err)
	}
}
