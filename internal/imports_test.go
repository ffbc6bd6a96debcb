// Package internal_test holds the one rule that belongs to no room: who may
// import whom.
package internal_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// arrows tells for every room which of ours it may import. Below internal/ a
// room is called by its folder, elsewhere by the first part of its path. A
// room that is not built yet does no harm.
var arrows = map[string][]string{
	"newsletter": {},
	"colour":     {},
	"dnsname":    {},
	"config":     {"colour", "dnsname"},
	"schedule":   {},
	"mailbox":    {},
	"templates":  {},
	"threads":    {},
	"docs":       {},

	"thread":   {"newsletter", "wikilink"},
	"importer": {"newsletter"},
	"render":   {"newsletter", "wikilink", "colour"},
	"feed":     {"newsletter"},
	"picture":  {"newsletter"},
	"mail":     {"newsletter", "dnsname"},
	"store":    {"newsletter"},
	"search":   {"newsletter"},
	"websub":   {"newsletter"},
	"wikilink": {"newsletter"},
	"calendar": {},             // it writes what it is given
	"backup":   {},             // an archive is names and bytes
	"witness":  {"newsletter"}, // what a public site tells, for whoever publishes and recovers

	"mailcheck": {"dnsname"},
	"inbound":   {}, // mail comes in here, and nothing of ours is known
	"webhook":   {"newsletter", "mail"},
	"shell":     {}, // the one way of running commands, for the operator's and the hooks

	"site":     {"newsletter", "render", "feed", "picture"},
	"publish":  {"newsletter", "render", "mail", "site"},
	"deliver":  {"newsletter", "render", "mail"},
	"audience": {"newsletter", "render", "mail"},
	"operator": {"newsletter", "mail", "shell"},
	"cluster":  {"newsletter"},
	"metrics":  {"newsletter"},
	"web":      {"newsletter", "render", "feed", "site", "audience", "search"},

	"cmd": {
		"newsletter", "config", "schedule", "mailbox", "templates", "threads", "thread", "importer", "render",
		"feed", "mail", "picture", "store", "site", "publish", "deliver", "audience", "operator", "cluster", "web", "search", "websub",
		"mailcheck", "inbound", "webhook", "metrics", "docs", "calendar", "witness", "backup", "shell",
	},
}

// homes tells which rooms may import a foreign package and what lies below
// it, so that each of these stays behind one door.
var homes = map[string][]string{
	"database/sql":             {"store"},
	"modernc.org/sqlite":       {"store"},
	"github.com/pressly/goose": {"store"},
	"github.com/jackc":         {"store", "cluster"},
	"github.com/riverqueue":    {"store", "cluster"},
	"github.com/gorilla/feeds": {"feed"},
	"github.com/robfig/cron":   {"schedule"},
	"github.com/wneessen":      {"mail"},
	"blitiri.com.ar/go/spf":    {"mailcheck"},
	"github.com/spf13":         {"cmd"},
	"golang.org/x/image":       {"picture"},

	"github.com/emersion/go-imap": {"inbound"},
	"github.com/prometheus":       {"metrics"},
	"golang.org/x/crypto/acme":    {"web"},
}

// TestArrows reads the imports of the whole tree. Test files are free: they
// build what they test with real parts from other rooms.
func TestArrows(t *testing.T) {
	faults, err := breaches(os.DirFS(".."))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		t.Error(f)
	}
}

// breaches returns one line for each import that arrows or homes forbids.
func breaches(tree fs.FS) ([]string, error) {
	var faults []string
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skip(tree, name)
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		more, err := breachesIn(tree, name)
		faults = append(faults, more...)
		return err
	})
	return faults, err
}

// skip leaves out what the go command leaves out: other modules, testdata and
// folders with a dot or an underscore before their name.
func skip(tree fs.FS, name string) error {
	base := path.Base(name)
	if name == "." {
		return nil
	}
	if _, err := fs.Stat(tree, path.Join(name, "go.mod")); err == nil || base == "testdata" || strings.ContainsAny(base[:1], "._") {
		return fs.SkipDir
	}
	return nil
}

// breachesIn does the work for one file.
func breachesIn(tree fs.FS, name string) ([]string, error) {
	source, err := fs.ReadFile(tree, name)
	if err != nil {
		return nil, err
	}
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, source, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	from := room(name)
	var faults []string
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		if fault := breach(from, imported); fault != "" {
			at := files.Position(spec.Pos())
			faults = append(faults, fmt.Sprintf("%s:%d: %s", at.Filename, at.Line, fault))
		}
	}
	return faults, nil
}

// room is the name in arrows of what lies at a path below the module.
func room(name string) string {
	parts := strings.Split(name, "/")
	if parts[0] == "internal" && len(parts) > 1 {
		return parts[1]
	}
	return parts[0]
}

// breach tells why a file in from may not import a package, or nothing.
func breach(from, imported string) string {
	allowed, known := arrows[from]
	if !known {
		return fmt.Sprintf("%s has no line in the table of internal/imports_test.go", from)
	}
	if ours, ok := strings.CutPrefix(imported, "threadmill/"); ok {
		if to := room(ours); to != from && !slices.Contains(allowed, to) {
			return fmt.Sprintf("%s may not import %s", from, to)
		}
		return ""
	}
	first, _, _ := strings.Cut(imported, "/")
	if from == "newsletter" && strings.Contains(first, ".") {
		return fmt.Sprintf("newsletter may import the standard library only, not %s", imported)
	}
	for prefix, rooms := range homes {
		if (imported == prefix || strings.HasPrefix(imported, prefix+"/")) && !slices.Contains(rooms, from) {
			return fmt.Sprintf("%s may not import %s; that is for %s", from, imported, strings.Join(rooms, ", "))
		}
	}
	return ""
}

func TestBreachesAreNamed(t *testing.T) {
	file := func(imports ...string) *fstest.MapFile {
		var b strings.Builder
		b.WriteString("package p\n\nimport (\n")
		for _, i := range imports {
			fmt.Fprintf(&b, "\t%q\n", i)
		}
		b.WriteString(")\n")
		return &fstest.MapFile{Data: []byte(b.String())}
	}
	got, err := breaches(fstest.MapFS{
		"cmd/threadmill/main.go":          file("threadmill/internal/config", "github.com/spf13/cobra"),
		"internal/store/migrate/a.go":     file("threadmill/internal/store", "database/sql"),
		"internal/render/a.go":            file("fmt", "threadmill/internal/newsletter", "threadmill/internal/feed"),
		"internal/render/a_test.go":       file("threadmill/templates"),
		"internal/web/a.go":               file("threadmill/internal/config", "database/sql/driver"),
		"internal/newsletter/a.go":        file("fmt", "golang.org/x/text/language"),
		"internal/attic/a.go":             file("fmt"),
		"internal/web/testdata/a.go":      file("threadmill/internal/config"),
		"tools/go.mod":                    {},
		"tools/a.go":                      file("threadmill/internal/config"),
		".hidden/a.go":                    file("threadmill/internal/config"),
		"internal/publish/_old/ignore.go": file("threadmill/internal/config"),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"internal/attic/a.go:4: attic has no line in the table of internal/imports_test.go",
		"internal/newsletter/a.go:5: newsletter may import the standard library only, not golang.org/x/text/language",
		"internal/render/a.go:6: render may not import feed",
		"internal/web/a.go:4: web may not import config",
		"internal/web/a.go:5: web may not import database/sql/driver; that is for store",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestArrowsFormNoCircle keeps the table itself honest.
func TestArrowsFormNoCircle(t *testing.T) {
	var visit func(room string, way []string)
	visit = func(room string, way []string) {
		if slices.Contains(way, room) {
			t.Fatalf("a circle: %s", strings.Join(append(way, room), " -> "))
		}
		for _, next := range arrows[room] {
			if _, ok := arrows[next]; !ok {
				t.Errorf("%s may import %s, which has no line", room, next)
			}
			visit(next, append(slices.Clone(way), room))
		}
	}
	for room := range arrows {
		visit(room, nil)
	}
}
