package render

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"

	"threadmill/internal/newsletter"
	"threadmill/templates"
)

// A fault in words.yaml is an error of Load that names file and line.
func TestWordFaults(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"unknown word", "en:\n  poets: x", `words.yaml:2: there is no word "poets"; is "posts" meant?`},
		{"unknown language", "\nenglisch-x1:\n  posts: x", `words.yaml:2: "englisch-x1" is no language`},
		{"unknown slot", "de:\n  next_issue: Am {tag}", `words.yaml:2: next_issue: it has no slot "tag"; it has: day`},
		{"unknown slot of a date", "de:\n  date: '{day}'", `words.yaml:2: date: it has no slot "day"; it has: d, dd,`},
		{"open brace", "de:\n  next_issue: 'Am {day'", "words.yaml:2: next_issue: a brace without its slot"},
		{"months", "de:\n  months: [Januar]", "words.yaml:2: months: a list of 12 names is expected"},
		{"plural form", "de:\n  posts:\n    some: x", "words.yaml:3: posts: the plural forms are zero, one,"},
		{"no other", "de:\n  posts: {one: x}", "posts: the form other is missing"},
		{"plural of what counts nothing", "de:\n  about: {one: x, other: y}", "about: it counts nothing"},
		{"greeting without its name", "de:\n  greeting: Hallo!", "words.yaml:2: greeting: it has its slot {name} once"},
		{"greeting with two names", "de:\n  greeting: '{name}, {name}!'", "words.yaml:2: greeting: it has its slot {name} once"},
		{"greeting with a link", "de:\n  greeting: '[Hallo](name)'", "words.yaml:2: greeting: it has its slot {name} once"},
		{"no mapping", "- x", "words.yaml:1: keys and their values are expected here"},
		{"syntax", "en:\n  posts: \"", "words.yaml:2: YAML:"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(override(wordsFile, tt.text), templates.FS)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Load: %v\nwant %s", err, tt.want)
			}
		})
	}
}

// A template that asks for a word which is not there is an error of Load, even
// where no sample gets to it.
func TestWordUses(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"unknown word", "<p>\n{{if .Gone}}{{$.Word \"nope\"}}{{end}}", `404.html:2:14: there is no word "nope" in words.yaml`},
		{"slot that is not", "\n{{.Rich \"no_page\" \"every\" .Root}}", `404.html:2:2: word "no_page" has no slot "every"`},
		{"slot left out", "\n{{with .Root}}{{$.Word \"by\"}}{{end}}", `404.html:2:16: word "by" needs a value for its slot "name"`},
		{"a list", `{{.Word "months"}}`, `404.html:1:2: there is no word "months"`},
		{"unknown part", `{{.Rich "by" "name" (part "nobody" .)}}`, `part "nobody": there is no template of that name`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(override("404.html", tt.text), templates.FS)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Load: %v\nwant %s", err, tt.want)
			}
		})
	}
}

// What a publication says in its own words.yaml goes before what is built in, a
// sentence at a time, in languages of its own too.
func TestOwnWords(t *testing.T) {
	own := "en:\n  about: Who we are\n" +
		"pl:\n  posts: {one: '{n} wpis', few: '{n} wpisy', many: '{n} wpisów', other: '{n} wpisu'}\n" +
		"  months: [a, b, c, d, e, f, g, h, i, j, k, grudnia]\n  date: '{d} {month} {year}'\n"
	tmpl, err := Load(fstest.MapFS{wordsFile: {Data: []byte(own)}}, templates.FS)
	if err != nil {
		t.Fatal(err)
	}
	en, pl := tmpl.words.speak(newsletter.Publication{}, "en-GB"), tmpl.words.speak(newsletter.Publication{}, "pl-PL")
	day := time.Date(2024, time.December, 8, 0, 0, 0, 0, time.UTC)
	for _, c := range [][2]string{
		{en.say("about"), "Who we are"},
		{en.say("tags"), "Tags"},
		{en.date(wordDate, day), "8 December 2024"},
		{pl.say("about"), "Who we are"},
		{pl.say("posts", "n", 1), "1 wpis"},
		{pl.say("posts", "n", 23), "23 wpisy"},
		{pl.say("posts", "n", 25), "25 wpisów"},
		{pl.date(wordDate, day), "8 grudnia 2024"},
		{pl.date(wordNextDay, day), "2024-12-08"},
		{string(pl.WordsIn), `dir="ltr"`},
	} {
		if c[0] != c[1] {
			t.Errorf("got %q, want %q", c[0], c[1])
		}
	}
}

// The words around a thread are in its own language where they can be, else in
// the publication's, else in English with dates that are read everywhere.
func TestWordsOfThread(t *testing.T) {
	day := time.Date(2024, time.December, 18, 0, 0, 0, 0, time.UTC)
	tests := []struct{ pub, lang, date, in string }{
		{"en", "en", "18 December 2024", `dir="ltr"`},
		{"en", "en-US", "December 18, 2024", `dir="ltr"`},
		{"en-US", "he", "December 18, 2024", `lang="en-US" dir="ltr"`},
		{"fi", "fi", "2024-12-18", `lang="en" dir="ltr"`},
		{"fi", "en", "18 December 2024", `dir="ltr"`},
		{"", "no such tag", "2024-12-18", `lang="en" dir="ltr"`},
	}
	for _, tt := range tests {
		s := builtin(t).words.speak(newsletter.Publication{Language: tt.pub}, tt.lang)
		if got := s.date(wordDate, day); got != tt.date || string(s.WordsIn) != tt.in {
			t.Errorf("a thread in %q of a publication in %q has %q and %s, want %q and %s", tt.lang, tt.pub, got, s.WordsIn, tt.date, tt.in)
		}
	}
}

// Every language that is built in says everything itself, and has every plural
// form that it needs.
func TestBuiltInLanguages(t *testing.T) {
	text, err := templates.FS.ReadFile(wordsFile)
	if err != nil {
		t.Fatal(err)
	}
	r := wordsReader{sections: map[language.Tag]map[string]word{}}
	if err := r.read(string(text)); err != nil {
		t.Fatal(err)
	}
	english := r.sections[language.English]
	for tag, words := range r.sections {
		if !tag.Parent().IsRoot() { // what it lacks is said as its parent does
			continue
		}
		for name, w := range english {
			own, ok := words[name]
			if !ok {
				t.Errorf("%s lacks the word %s", tag, name)
			}
			if got, want := own.slots(), w.slots(); lists[name] == 0 && strings.Join(got, " ") != strings.Join(want, " ") && !isDate(name) {
				t.Errorf("%s: %s has the slots %q, English has %q", tag, name, got, want)
			}
			if len(w.forms) < 2 {
				continue
			}
			for n := range 200 {
				if form := plural.Cardinal.MatchPlural(tag, n, 0, 0, 0, 0); own.forms[form] == nil {
					t.Errorf("%s: %s has no form for %d", tag, name, n)
					break
				}
			}
		}
	}
}

// What fills a slot is text, or HTML that a template wrote.
func TestRich(t *testing.T) {
	s := builtin(t).words.speak(newsletter.Publication{}, "en")
	for _, tt := range []struct {
		name, slot, value, want string
	}{
		{"by", "name", "<i>Ada</i>", "By <bdi>&lt;i&gt;Ada&lt;/i&gt;</bdi>"},
		{"was_withdrawn", "all", "../", `This issue was withdrawn. <a href="../">All threads</a> are on the front page.`},
		{"was_withdrawn", "all", `javascript:alert("x")`, `This issue was withdrawn. <a href="#">All threads</a> are on the front page.`},
	} {
		if got, err := s.Rich(tt.name, tt.slot, tt.value); err != nil || string(got) != tt.want {
			t.Errorf("%s with %q is %s, %v, want %s", tt.name, tt.value, got, err, tt.want)
		}
	}
}

// The words come from a file that an author writes.
func FuzzWords(f *testing.F) {
	text, err := templates.FS.ReadFile(wordsFile)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Add("en:\n  posts: {one: '{n} [x](y)'}\n")
	f.Add("fi: {months: [a, b]}")
	f.Fuzz(func(t *testing.T, own string) {
		if b, err := readWords(string(text), own); err == nil {
			s := b.speak(newsletter.Publication{}, "en")
			s.say("posts", "n", 3)
			s.date(wordDate, time.Unix(0, 0))
		}
	})
}

// A publication in another language speaks it all over, but around a thread that
// has its own.
func TestGermanPublication(t *testing.T) {
	pub := publication()
	pub.Language = "de-AT"
	tmpl := builtin(t)
	mail, err := tmpl.Mail(pub, digest(), reader())
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "digest-de.txt", mail.Text)
	page, err := tmpl.ArchivePage(pub, Listing{Entries: []newsletter.Entry{gate(), kettle()}, Next: tmpl.Day(pub, time.Date(2026, 12, 7, 9, 0, 0, 0, time.UTC))})
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(page), "<body>")
	golden(t, "archive-de.html", body)
}
