package render

import (
	"flag"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/newsletter"
	"threadmill/templates"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

// golden compares got with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got), run with -update if that is right:\n%s", name, diff)
	}
}

// loaded are the templates as they ship.
var loaded = sync.OnceValues(func() (*Templates, error) { return Load(nil, templates.FS) })

func builtin(t testing.TB) *Templates {
	t.Helper()
	tmpl, err := loaded()
	if err != nil {
		t.Fatal(err)
	}
	return tmpl
}

func publication() newsletter.Publication {
	return newsletter.Publication{
		Title: "The Slow Bench", Description: "Short threads about making things, one a week.",
		URL: "https://bench.example.org/news", Language: "en",
		Author:  newsletter.Person{Name: "Ada Byron", URL: "https://example.org/ada", Bio: "Makes things from wood, slowly."},
		About:   "# About the bench\n\nI write about [sheds](../threads/moving-a-shed/).\n\n## Why\n\nWhy not?",
		Address: "12 Mill Lane, Sheffield", Accent: "#b4532a", Zone: time.FixedZone("UTC+2", 2*60*60),
	}
}

// shed is a thread with every kind of block in it.
func shed() newsletter.Entry {
	texts := []string{
		"Last spring three of us moved a garden shed **forty metres**, without taking it apart.\nIt weighs about as much as a small car. 🛖",
		"The trick is older than the wheel: rollers. Five fence posts, a rope, and patience.\n\n![Fence posts used as rollers under the shed](rollers%201.jpg \"Rollers\")",
		"What you need:\n\n- five round posts, *all of one thickness*\n- a rope of 20 m\n  - not nylon, it stretches\n- somebody who says stop\n\n" +
			"1. Lift one edge with a lever.\n2. Push the first roller under.\n3. Pull.",
		"> Give me a place to stand, and I shall move the earth.\n\nHe would have said the same of a shed. See [the lever][lever], " +
			"[Archimedes](https://en.wikipedia.org/wiki/Archimedes_(crater)) or write to me@example.org; https://example.org/a/very/long/address/that/goes/on/and/on?query=with&many=parts is bare.",
		"## The sum\n\nA lever of 2 m with 20 cm behind the stone:\n\n```python\nforce = 900 * 9.81 * 0.2 / 1.8\nif force < 1000:  # newtons\n    print(\"pull\")\n```\n\nso `force` is 981 N.",
		"| Roller | Load (kg) |\n|---|--:|\n| oak | 900 |\n| ash | 1,200 |\n\n- [x] measured\n- [ ] believed\n\nIt was ~~easy~~ possible.",
		"A neighbour from Haifa said:\n\nלאט לאט, אמרה השכנה, הצריף לא ממהר לשום מקום.\n\nAnd the book he lent me: 小屋を動かすには、まず地面をよく見ること。急がず、力を入れすぎず、転がる丸太の声を聞くこと。",
		"Raw <b>HTML</b> & <!-- no comment --> stays as typed. [Dangerous](javascript:alert(1)), [relative](../gate/) and [the top](#post-1).",
	}
	posts := make([]newsletter.Post, len(texts))
	for i, text := range texts {
		posts[i] = newsletter.Post{Text: text, Line: 10 * i}
	}
	return newsletter.Entry{
		Thread: newsletter.Thread{
			ID: "moving-a-shed", Slug: "moving-a-shed", Title: "Moving a shed with three neighbours & a rope", Titled: true,
			Pictures: map[string]newsletter.Picture{"rollers 1.jpg": {
				Type: "image/jpeg", Lasting: "rollers 1.jpg",
				Files: []newsletter.PictureFile{
					{Name: "rollers 1-0123456789abcdef-1200w.jpg", Width: 1200, Height: 900},
					{Name: "rollers 1-0123456789abcdef-600w.jpg", Width: 600, Height: 450},
				},
			}},
			Excerpt: "Last spring three of us moved a garden shed forty metres, without taking it apart. It weighs about as much as a small car. 🛖",
			Tags:    []string{"home", "tools"}, Images: []string{"rollers 1.jpg"}, Origin: "https://social.example/@ada/1",
			Date: time.Date(2024, time.December, 17, 23, 0, 0, 0, time.UTC), Posts: posts, Minutes: 3,
			References: "[lever]: https://example.org/lever \"The lever\"",
		},
		PublishedAt: time.Date(2026, time.January, 5, 9, 0, 0, 0, time.UTC),
		UpdatedAt:   time.Date(2026, time.January, 5, 9, 0, 0, 0, time.UTC),
		Issue:       12,
	}
}

// gate is a short thread written from right to left.
func gate() newsletter.Entry {
	return newsletter.Entry{
		Thread: newsletter.Thread{
			ID: "gate", Slug: "gate", Title: "השער הישן", Titled: true, Lang: "he", Excerpt: "השער חרק שלושים שנה.", Minutes: 1,
			Posts: []newsletter.Post{{Text: "השער חרק שלושים שנה.\n\n- שמן\n- סבלנות"}, {Text: "A line of English, and `code`."}},
		},
		PublishedAt: time.Date(2025, time.December, 29, 9, 0, 0, 0, time.UTC),
		UpdatedAt:   time.Date(2025, time.December, 29, 9, 0, 0, 0, time.UTC),
		Issue:       11,
	}
}

func kettle() newsletter.Entry {
	return newsletter.Entry{
		Thread: newsletter.Thread{
			ID: "kettle", Slug: "kettle", Title: "Why a kettle sings", Titled: true, Minutes: 1,
			Excerpt: "A kettle is loudest about a minute before it boils, and then goes quiet. The noise is steam that dies young: bubbles form on the hot bottom, rise into cooler water, and collapse with a tap each.",
			Posts:   []newsletter.Post{{Text: "A kettle is loudest about a minute before it boils, and then goes quiet."}},
		},
		PublishedAt: time.Date(2025, time.December, 22, 9, 0, 0, 0, time.UTC),
		UpdatedAt:   time.Date(2025, time.December, 22, 9, 0, 0, 0, time.UTC),
		Issue:       10,
	}
}

func reader() Recipient {
	return Recipient{Email: "reader+news@example.net", Name: "Reader", UnsubscribeURL: "https://bench.example.org/unsubscribe/abc?x=1&y=2", PreferencesURL: "https://bench.example.org/preferences/abc", Joined: "4 March 2025"}
}

func single() newsletter.Issue {
	e := shed()
	return newsletter.Issue{Number: 12, Title: e.Title, PublishedAt: e.PublishedAt, Threads: []newsletter.Thread{e.Thread}, Next: e.PublishedAt.AddDate(0, 0, 7)}
}

func digest() newsletter.Issue {
	return newsletter.Issue{
		Number: 13, Title: "A gate and a kettle", PublishedAt: time.Date(2026, time.January, 12, 9, 0, 0, 0, time.UTC),
		Threads: []newsletter.Thread{gate().Thread, kettle().Thread},
	}
}

func TestGoldenMail(t *testing.T) {
	tmpl := builtin(t)
	for name, issue := range map[string]newsletter.Issue{"mail": single(), "digest": digest()} {
		mail, err := tmpl.Mail(publication(), issue, reader())
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name+".html", mail.HTML)
		golden(t, name+".txt", mail.Text)
	}
}

func TestGoldenPages(t *testing.T) {
	tmpl, pub := builtin(t), publication()
	entries := []newsletter.Entry{shed(), gate(), kettle()}
	entries[1].CorrectedAt = entries[1].PublishedAt.AddDate(0, 0, 3)
	pages := map[string]func() ([]byte, error){
		"thread.html":     func() ([]byte, error) { return tmpl.ThreadPage(pub, entries[0], &entries[2], &entries[1]) },
		"thread-rtl.html": func() ([]byte, error) { return tmpl.ThreadPage(pub, entries[1], &entries[0], nil) },
		"archive.html": func() ([]byte, error) {
			return tmpl.ArchivePage(pub, Listing{Entries: entries, Tagged: true, Next: "Monday 7 December", Older: &Neighbour{"page/7/", 7}})
		},
		"issue.html": func() ([]byte, error) { return tmpl.IssuePage(pub, digest(), entries[1:]) },
		"unsubscribe.html": func() ([]byte, error) {
			return tmpl.UnsubscribePage(pub, Unsubscribe{Action: "https://bench.example.org/unsubscribe/abc", Email: "r…@example.net"})
		},
		"unsubscribed.html": func() ([]byte, error) {
			return tmpl.UnsubscribePage(pub, Unsubscribe{Email: "r…@example.net", Choose: "/preferences/abc", Done: true, Fresh: true, Return: true})
		},
		"preferences.html": func() ([]byte, error) {
			return tmpl.PreferencesPage(pub, Preferences{
				Action: "/preferences/abc", Leave: "/unsubscribe/abc", Email: "r…@example.net", Name: `"Reader" & co`, Saved: true, Asked: "reader@example.org",
				Topics: []Option{{"tags/home/", "Home", true}, {"tags/tools/", "Tools", false}}, PausedUntil: time.Date(2026, 1, 12, 9, 0, 0, 0, time.UTC),
			})
		},
		"erase.html": func() ([]byte, error) {
			return tmpl.PreferencesPage(pub, Preferences{Step: StepErase, Action: "/preferences/abc", Leave: "/unsubscribe/abc", Email: "r…@example.net"})
		},
		"page.html": func() ([]byte, error) {
			return tmpl.ArchivePage(pub, Listing{Entries: entries, Path: "page/7/", Number: 7, Older: &Neighbour{"page/6/", 6}, Newer: &Neighbour{}})
		},
		"tag.html": func() ([]byte, error) {
			return tmpl.TagPage(pub, newsletter.Tag{Name: "Home", Path: "tags/home/"}, Listing{Entries: entries, Path: "tags/home/"})
		},
		"tags.html":      func() ([]byte, error) { return tmpl.TagsPage(pub, newsletter.TagsOf(entries)) },
		"about.html":     func() ([]byte, error) { return tmpl.AboutPage(pub) },
		"subscribe.html": func() ([]byte, error) { return tmpl.SubscribePage(pub, "Monday 7 December", true) },
		"privacy.html":   func() ([]byte, error) { return tmpl.PrivacyPage(pub, Privacy{Mail: true, Relay: "smtp.example.net"}) },
		"404.html":       func() ([]byte, error) { return tmpl.NotFoundPage(pub) },
		"410.html":       func() ([]byte, error) { return tmpl.GonePage(pub) },
	}
	for name, render := range pages {
		page, err := render()
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, string(page))
	}
}

func TestGoldenContent(t *testing.T) {
	for name, e := range map[string]newsletter.Entry{"content.html": shed(), "content-rtl.html": gate()} {
		content, err := Content(publication(), e.Thread)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, content)
	}
}
