package publish_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/newsletter"
)

const (
	original = "Three lessons from moving a garden shed.\n\n---\n\nMeasure twice, move once.\n\n---\n\nRollers beat muscles.\n"
	touched  = "Three lessons from moving a garden shed.\n\n---\n\nMeasure twice, move once.\n\n---\n\nRollers beat muscles, always.\n"
	other    = "Bread rises because yeast eats sugar.\n\n---\n\nSalt slows it down.\n"
)

var guid = regexp.MustCompile(`<guid[^>]*>([^<]*)</guid>`)

func (d *desk) guids() []string {
	d.t.Helper()
	d.writeSite()
	var ids []string
	for _, m := range guid.FindAllStringSubmatch(d.read("public/feed.xml"), -1) {
		ids = append(ids, m[1])
	}
	return ids
}

// Whatever the author does to a thread that went out, it is not mailed again
// and keeps its id in the feeds, and the feeds show the edit.
func TestSentThreadStaysSent(t *testing.T) {
	tests := []struct {
		name  string
		does  func(d *desk)
		shows string
	}{
		{"renamed", func(d *desk) { d.rename("threads/2024-03-04-shed.md", "threads/2024-03-05-moving.md") }, "Rollers beat muscles."},
		{"another slug", func(d *desk) { d.write("threads/2024-03-04-shed.md", "---\nslug: sheds\n---\n\n"+original) }, "https://example.com/threads/sheds/"},
		{"edited", func(d *desk) { d.write("threads/2024-03-04-shed.md", touched) }, "muscles, always"},
		{"another title", func(d *desk) { d.write("threads/2024-03-04-shed.md", "---\ntitle: On sheds\n---\n\n"+original) }, "On sheds"},
		{"renamed with a small edit", func(d *desk) {
			d.rename("threads/2024-03-04-shed.md", "threads/new.md")
			d.write("threads/new.md", touched)
		}, "muscles, always"},
		{"moved into a folder", func(d *desk) {
			d.mkdir("threads/shed")
			d.rename("threads/2024-03-04-shed.md", "threads/shed/index.md")
		}, "Rollers beat muscles."},
		{"imported again", func(d *desk) { d.write("threads/2026-shed.md", "---\nparams: {id: \"x:17\"}\n---\n\n"+original) }, "Rollers beat muscles."},
		{"the same opening under another id", func(d *desk) {
			d.write("threads/again.md", "Three lessons from moving a garden shed.\n\n---\n\nOther lessons this time.\n")
		}, "Rollers beat muscles."},
		{"file gone", func(d *desk) { d.rename("threads/2024-03-04-shed.md", "shed.md") }, "Rollers beat muscles."},
		{"file broken", func(d *desk) { d.write("threads/2024-03-04-shed.md", "---\ndate: bad\n---\n\n"+original) }, "Rollers beat muscles."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(t, settings{})
			d.write("threads/2024-03-04-shed.md", original)
			d.now()
			before := d.guids()
			tt.does(d)
			if got := d.now(); !strings.Contains(got, "no thread is ready") {
				t.Fatalf("published %q again", got)
			}
			if diff := cmp.Diff(before, d.guids()); diff != "" {
				t.Errorf("ids in the feed (-before +after):\n%s", diff)
			}
			wantContains(t, "feed", d.read("public/feed.xml"), tt.shows)
		})
	}
}

func TestNewTextUnderAnOldName(t *testing.T) {
	d := newDesk(t, settings{})
	d.write("threads/2024-03-04-shed.md", original)
	d.now()
	d.write("threads/2024-03-04-shed.md", other)
	if got := d.now(); got != "2024-03-04-shed-2" {
		t.Fatalf("published %q, want the new thread", got)
	}
	if ids := d.guids(); len(ids) != 2 {
		t.Errorf("the feed holds %v, want both threads", ids)
	}
	feed := d.read("public/feed.xml")
	wantContains(t, "old thread", feed, "Rollers beat muscles.")
	wantContains(t, "new thread", feed, "Salt slows it down.")
}

func TestSameNameOnTwoDays(t *testing.T) {
	d := newDesk(t, settings{})
	d.write("threads/2026-01-05-links.md", original)
	d.write("threads/2026-01-12-links.md", other)
	if got := d.now(); got != "2026-01-05-links" {
		t.Errorf("first: %q", got)
	}
	if got := d.now(); got != "2026-01-12-links" {
		t.Errorf("second: %q", got)
	}
	if ids := d.guids(); len(ids) != 2 || ids[0] == ids[1] {
		t.Errorf("ids in the feed: %v", ids)
	}
}

// What went out elsewhere stands in the archive and is never mailed.
func TestArchived(t *testing.T) {
	d := newDesk(t, settings{})
	d.subscribers(1)
	d.write("threads/2024-03-04-shed.md", "---\nparams: {published: 2024-03-04}\n---\n\n"+original)
	d.write("threads/2024-03-05-bread.md", other)
	if _, err := d.Archive(t.Context(), []string{"2024-03-05-bread"}); err != nil {
		t.Fatal(err)
	}
	want := map[string]newsletter.ThreadState{"2024-03-04-shed.md": newsletter.ThreadArchived, "2024-03-05-bread.md": newsletter.ThreadArchived}
	if diff := cmp.Diff(want, d.states()); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	wantContains(t, "publish", d.now(), "no thread is ready")
	if ids := d.guids(); len(ids) != 2 {
		t.Errorf("the feed holds %v, want both", ids)
	}
	wantContains(t, "archive", d.read("public/index.html"), "4 March 2024")
}

// A word in the file that it went out elsewhere is remembered like the rest.
func TestArchivedByTheFile(t *testing.T) {
	d := newDesk(t, settings{})
	d.write("threads/2024-03-04-shed.md", "---\nparams: {published: 2024-03-04}\n---\n\n"+original)
	before := d.guids()
	d.write("threads/2024-03-04-shed.md", "---\ndate: bad\n---\n\n"+original)
	if diff := cmp.Diff(before, d.guids()); diff != "" {
		t.Errorf("with a file that is broken (-before +after):\n%s", diff)
	}
	d.rename("threads/2024-03-04-shed.md", "gone.md")
	d.write("threads/other-name.md", original)
	wantContains(t, "the same text elsewhere", d.now(), "no thread is ready")
	d.write("threads/2024-03-04-shed.md", other)
	if got := d.now(); got != "2024-03-04-shed-2" {
		t.Errorf("a new text under the old name: published %q", got)
	}
}

// A second file of a thread that went out elsewhere holds nothing up.
func TestArchivedTwice(t *testing.T) {
	d := newDesk(t, settings{})
	d.write("threads/a.md", "---\nparams: {id: shed, published: 2024-03-04}\n---\n\n"+original)
	d.write("threads/b.md", "---\nparams: {id: shed, published: 2024-03-04}\n---\n\n"+original)
	d.threads(1)
	if got := d.now(); got != "2024-01-01-t0" {
		t.Errorf("published %q", got)
	}
	if ids := d.guids(); len(ids) != 2 {
		t.Errorf("ids in the feed: %v, want two", ids)
	}
}

// A slug that a thread gave up may come again; its id in the feeds may not.
func TestSlugUsedAgain(t *testing.T) {
	d := newDesk(t, settings{})
	d.write("threads/2024-03-04-shed.md", original)
	d.now()
	d.write("threads/2024-03-04-shed.md", "---\nslug: sheds\n---\n\n"+original)
	d.writeSite()
	d.write("threads/2024-05-05-shed.md", other)
	if got := d.now(); got != "2024-05-05-shed" {
		t.Errorf("published %q", got)
	}
	if ids := d.guids(); len(ids) != 2 || ids[0] == ids[1] {
		t.Errorf("ids in the feed: %v, want two", ids)
	}
}

func TestEditBeforeSendingIsNoCorrection(t *testing.T) {
	d := newDesk(t, settings{})
	d.write("threads/a.md", original)
	if _, err := d.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.write("threads/a.md", touched)
	d.now()
	c, err := d.Sync(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if e := c.Entries()[0]; !e.UpdatedAt.Equal(e.PublishedAt) {
		t.Errorf("published %v, updated %v; want the same time", e.PublishedAt, e.UpdatedAt)
	}
	d.write("threads/a.md", original)
	if c, err = d.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e := c.Entries()[0]; !e.UpdatedAt.After(e.PublishedAt) {
		t.Errorf("published %v, updated %v; want the edit to be later", e.PublishedAt, e.UpdatedAt)
	}
}
