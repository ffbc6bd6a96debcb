package publish_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"threadmill/internal/newsletter"
)

// line is the sentence under a page whose text is not the one that was mailed.
const line = "Corrected after sending: "

// correction is what stands under a page about its correction, empty for none.
func (d *desk) correction(name string) string {
	d.t.Helper()
	_, rest, found := strings.Cut(d.read(name), line)
	if !found {
		return ""
	}
	day, _, _ := strings.Cut(rest, "<")
	return day
}

func wantCorrection(t *testing.T, d *desk, what, want string) {
	t.Helper()
	d.writeSite()
	if got := d.correction("public/threads/t0/index.html"); got != want {
		t.Errorf("%s: the page says %q, want %q", what, got, want)
	}
}

// The page of a thread whose text is not the one that was mailed says since
// when, by the text alone and in the publication's zone.
func TestCorrectedAfterSending(t *testing.T) {
	inTime(t, func(t *testing.T) {
		d := newDesk(t, settings{cron: "0 9 * * MON", zone: "Europe/London"})
		const file = "threads/2024-01-01-t0.md"
		d.threads(1)
		d.subscribers(1)
		until("2000-11-20T10:00:00Z")
		d.now()
		wantCorrection(t, d, "as sent", "")
		until("2000-12-01T10:00:00Z")
		d.write(file, "---\ntags: [home]\ndescription: Something.\n---\n"+text(0))
		wantCorrection(t, d, "other tags", "")
		until("2000-12-09T10:00:00Z")
		d.write(file, strings.Replace(text(0), "words", "letters", 1))
		wantCorrection(t, d, "another word", "9 December")
		until("2000-12-20T10:00:00Z")
		d.write(file, "---\ntags: [home]\n---\n"+strings.Replace(text(0), "words", "letters", 1))
		wantCorrection(t, d, "tags again", "9 December")
		until("2001-07-01T23:30:00Z")
		d.write(file, "---\ntitle: A title\n---\n"+text(0))
		wantCorrection(t, d, "a title, in another year, just after midnight", "2 July 2001")
		until("2001-07-05T10:00:00Z")
		d.write(file, "---\ntags: [home]\n---\n"+text(0))
		wantCorrection(t, d, "back to what was sent", "")
	})
}

// Others get no such line: who read nothing by mail can miss no correction.
func TestNeverMailedIsNotCorrected(t *testing.T) {
	for name, matter := range map[string]string{
		"elsewhere": "---\nparams: {published: 2024-01-02}\n---\n", "by web": "---\nparams: {channels: [web]}\n---\n",
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, settings{})
			d.subscribers(1)
			d.write("threads/2024-01-01-t0.md", matter+text(0))
			d.now()
			d.writeSite()
			d.write("threads/2024-01-01-t0.md", matter+strings.Replace(text(0), "words", "letters", 1))
			wantCorrection(t, d, "edited", "")
			wantContains(t, "page", d.read("public/threads/t0/index.html"), "letters")
		})
	}
}

// A digest says of each thread what its own page says.
func TestCorrectedDigest(t *testing.T) {
	d := newDesk(t, settings{perIssue: 2})
	d.threads(2)
	d.subscribers(1)
	d.now()
	d.writeSite()
	d.write("threads/2024-01-02-t1.md", strings.Replace(text(1), "words", "letters", 1))
	d.writeSite()
	if own, page := d.correction("public/threads/t1/index.html"), d.read("public/issues/1/index.html"); own == "" || strings.Count(page, line+own) != 1 {
		t.Errorf("the thread's page says %q, that of the issue: %s", own, page)
	}
	if d.correction("public/threads/t0/index.html") != "" {
		t.Error("the other thread was not corrected")
	}
}

// What went out stays online with its feeds and pictures when its file is gone,
// or cannot be read any more.
func TestSentThreadWithoutItsFile(t *testing.T) {
	for name, spoil := range map[string]func(d *desk){
		"gone":   func(d *desk) { d.rename("threads/one", "one") },
		"broken": func(d *desk) { d.write("threads/one/index.md", "---\ntitle: [\n---\nNo.\n") },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, settings{})
			d.subscribers(1)
			const picture = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"9\" height=\"9\"/>"
			d.write("threads/one/a.svg", picture)
			d.write("threads/one/index.md", "---\ndate: 2024-01-01\n---\nWords that went out.\n\n![A square](a.svg)\n")
			d.write("threads/2024-02-02-two.md", text(2))
			d.now()
			d.writeSite()
			shown := []string{"public/threads/one/index.html", "public/threads/one/a.svg", "public/feed.xml", "public/atom.xml", "public/feed.json", "public/index.html", "public/sitemap.xml"}
			before := map[string]string{}
			for _, file := range shown {
				before[file] = d.read(file)
			}
			spoil(d)
			d.writeSite()
			for _, file := range shown {
				if d.read(file) != before[file] {
					t.Errorf("%s changed", file)
				}
			}
			d.now()
			d.writeSite()
			wantContains(t, "page", d.read(shown[0]), "Words that went out.")
			wantContains(t, "feed", d.read("public/feed.xml"), "Words that went out.")
			wantContains(t, "picture", d.read(shown[1]), picture)
			c, err := d.Catalogue(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if one, err := c.Find("one"); err != nil || !one.Out() || one.State(one.OutAt) != newsletter.ThreadSent {
				t.Errorf("the thread is %+v, %v", one, err)
			}
		})
	}
}

// Of an issue that an older version sent no digest is known, and the text that
// went out tells.
func TestCorrectedInAnOldIssue(t *testing.T) {
	d := newDesk(t, settings{perIssue: 2})
	d.threads(2)
	d.subscribers(1)
	d.now()
	db, err := sql.Open("sqlite", filepath.Join(d.dir, "t.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, change := range []string{`UPDATE issue_threads SET digest = ''`, `UPDATE threads SET reworded_at = NULL`} {
		if _, err := db.ExecContext(t.Context(), change); err != nil {
			t.Fatal(err)
		}
	}
	d.write("threads/2024-01-02-t1.md", strings.Replace(text(1), "words", "letters", 1))
	d.writeSite()
	if d.correction("public/threads/t0/index.html") != "" || d.correction("public/threads/t1/index.html") == "" {
		t.Error("the first thread was corrected, or the second was not")
	}
}

// A node of an older version that sees an edit does not note when the text was
// reworded.
func TestCorrectedByAnOlderNode(t *testing.T) {
	inTime(t, func(t *testing.T) {
		d := newDesk(t, settings{})
		d.threads(1)
		d.subscribers(1)
		d.writeSite()
		until("2000-11-20T10:00:00Z")
		d.now()
		until("2000-12-09T10:00:00Z")
		d.write("threads/2024-01-01-t0.md", strings.Replace(text(0), "words", "letters", 1))
		d.writeSite()
		db, err := sql.Open("sqlite", filepath.Join(d.dir, "t.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.ExecContext(t.Context(), `UPDATE threads SET reworded_at = first_seen_at`); err != nil {
			t.Fatal(err)
		}
		wantCorrection(t, d, "an edit that an older node saw", "9 December")
	})
}

// The ids of the feeds are made of the address at which the first thread went
// out, not of one at which nobody read anything.
func TestFirstURLWaitsForAThread(t *testing.T) {
	d := newDesk(t, settings{})
	d.writeSite()
	const later = "https://later.example.org"
	if first, err := d.store.FirstURL(t.Context(), later); err != nil || first != later {
		t.Errorf("the first address is %q, %v", first, err)
	}
	d.threads(1)
	d.now()
	d.writeSite()
	wantContains(t, "feed", d.read("public/atom.xml"), "<id>"+later+"/</id>")
}
