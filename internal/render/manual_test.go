package render

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"threadmill/templates"
)

// made divides what people wrote in the manual from what is made of the
// templates' own comments.
const made = "<!-- What follows is made from the templates by `go test ./internal/render -run Manual -update`. -->\n"

// The manual of the templates is made of their comments, which name all that
// the code gives them.
func TestManual(t *testing.T) {
	file := filepath.Join("..", "..", "docs", "templates.md")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	written, got, ok := strings.Cut(string(text), made)
	if !ok {
		t.Fatalf("%s lacks the line %q", file, made)
	}
	var want strings.Builder
	for _, name := range append([]string{baseFile}, append(htmlFiles(), textFiles()...)...) {
		manualOf(t, &want, name)
	}
	if *update {
		if err := os.WriteFile(file, []byte(written+made+want.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != want.String() {
		t.Errorf("%s is not what the templates say; run with -update", file)
	}
}

var (
	topComment = regexp.MustCompile(`(?s)^\{\{- /\*\n(.*?)\*/`)
	definition = regexp.MustCompile(`\{\{-? ?define "([^"]+)"`)
)

// manualOf writes what is to be known of one template.
func manualOf(t *testing.T, b *strings.Builder, name string) {
	text, err := templates.FS.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	comment := topComment.FindSubmatch(text)
	if comment == nil {
		t.Fatalf("%s does not begin with its comment", name)
	}
	fmt.Fprintf(b, "\n## %s\n\n```\n%s```\n", name, comment[1])
	var parts []string
	for _, m := range definition.FindAllSubmatch(text, -1) {
		parts = append(parts, "`"+string(m[1])+"`")
	}
	if len(parts) > 0 {
		fmt.Fprintf(b, "\nParts: %s.\n", strings.Join(parts, ", "))
	}
}

// Whatever a template gets stands in its comment or in that of base.html.
func TestManualIsWhole(t *testing.T) {
	base, err := templates.FS.ReadFile(baseFile)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]any{
		threadFile: threadPage{}, archiveFile: archivePage{}, issueFile: issuePage{}, mailFile: mailPage{}, unsubscribeFile: unsubscribePage{},
		notFoundFile: notFoundPage{}, tagFile: tagPage{}, tagsFile: tagsPage{}, aboutFile: aboutPage{}, subscribeFile: subscribePage{},
		privacyFile: privacyPage{}, searchFile: searchPage{},
	} {
		text, err := templates.FS.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		comments := string(topComment.Find(base)) + string(topComment.Find(text))
		if name == mailFile {
			text, _ := templates.FS.ReadFile(mailTextFile)
			comments += string(topComment.Find(text))
		}
		for _, field := range fieldsOf(reflect.TypeOf(data)) {
			if !regexp.MustCompile(`\.` + field + `\b`).MatchString(comments) {
				t.Errorf("%s gets .%s, and no comment says so", name, field)
			}
		}
	}
}

// fieldsOf are the names that a template can reach in a value of that type, on
// the first level and in threads.
func fieldsOf(of reflect.Type) []string {
	var names []string
	for _, f := range reflect.VisibleFields(of) {
		if f.Anonymous || !f.IsExported() {
			continue
		}
		names = append(names, f.Name)
		inner := f.Type
		if inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct && inner.PkgPath() == reflect.TypeFor[page]().PkgPath() {
			names = append(names, fieldsOf(inner)...)
		}
	}
	for method := range of.Methods() {
		names = append(names, method.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
