package thread

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/newsletter"
)

func TestPosts(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		want       []string
		problems   string
	}{
		{"rules of every kind", "a\n\n---\n\nb\n\n***\n\nc\n\n- - -\n\nd\n\n   _____\n\ne", []string{"a", "b", "c", "d", "e"}, ""},
		{"first and last break", "---\n\na\n\n---\n", []string{"a"}, ""},
		{"not at top level", "a\n\n- b\n\n  ---\n\n> ---\n\n```\n---\n```\n\n    ---\n", []string{"a\n\n- b\n\n  ---\n\n> ---\n\n```\n---\n```\n\n    ---"}, ""},
		{"no break without its line", "a --- b", []string{"a --- b"}, ""},
		{"text directly above", "a\nb\n---\nc", []string{"a\nb", "c"}, "3"},
		{"underlines that stay headings", "a\n----\nb\n===\nc\n--", []string{"a\n----\nb\n===\nc\n--"}, ""},
		{"below a heading", "## a\n---\nb", []string{"## a", "b"}, ""},
		{"below a list", "- a\n---\nb", []string{"- a", "b"}, ""},
		{"below a definition", "a [x]\n\n[x]: /y\n---\nb", []string{"a [x]\n\n[x]: /y", "b"}, ""},
		{"definitions only", "a [x]\n\n---\n\n[x]: /y", []string{"a [x]"}, ""},
		{"comment only", "a\n\n---\n\n<!-- todo -->\n\n---\n\nb", []string{"a", "b"}, ""},
		{"empty post", "a\n\n---\n\n---\n\nb", []string{"a", "b"}, "5"},
		{"two empty posts", "---\n---\na\n\n---\n---\n", []string{"a"}, "2 6"},
		{"no post", "\n\n", nil, "1"},
		{"breaks only", "---\n", nil, "1"},
		{"indented code first", "\n\n    code\n\ntext\n", []string{"    code\n\ntext"}, ""},
		{"carriage returns", "a\r\r---\rb\r\n\r\n---\r\nc", []string{"a", "b", "c"}, ""},
		{"what XML forbids", "a\x00b\x0bc\x1b\ufffe\uffffd\xffe\u0085", []string{"abcd\ufffde"}, ""},
		{"nested too deep", strings.Repeat("> ", 60) + "a", nil, "1"},
		{"too many links", strings.Repeat("[a](b) ", linkLimit+1), nil, "1"},
		{"too long a paragraph", "a\n\n" + strings.Repeat("b ", blockLimit), nil, "3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// A first line of front matter keeps --- from being taken for one.
			th, problems := Parse("x.md", []byte("---\n---\n"+tt.body), nil)
			var got, lines []string
			source := strings.Split(tidy([]byte("---\n---\n"+tt.body)), "\n")
			for _, p := range th.Posts {
				got = append(got, p.Text)
				if first := clean(source[p.Line-1]); !strings.HasPrefix(p.Text, strings.TrimRight(first, " ")) {
					t.Errorf("post %q does not begin on line %d, %q", p.Text, p.Line, first)
				}
			}
			for _, p := range problems {
				lines = append(lines, strings.Split(newsletter.Problem{File: "", Line: max(1, p.Line-2)}.String(), ":")[1])
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("posts (-want +got):\n%s", diff)
			}
			if lines := strings.Join(lines, " "); lines != tt.problems {
				t.Errorf("problems on lines %q, want %q: %v", lines, tt.problems, problems)
			}
		})
	}
}

func TestReferencesHoldInEveryPost(t *testing.T) {
	th, problems := Parse("x.md", []byte("See [the first][a].\n\n---\n\nAnd [b].\n\n> [b]: <https://example.com/a b>\n> 'two\n> lines'\n\n[A]: /first \"a\"\n"), nil)
	if len(problems) > 0 {
		t.Error(problems)
	}
	want := "[b]: <https://example.com/a b>\n'two\nlines'\n[A]: /first \"a\""
	if diff := cmp.Diff(want, th.References); diff != "" {
		t.Errorf("references (-want +got):\n%s", diff)
	}
	if want := "See the first."; th.Title != want || th.Excerpt != want {
		t.Errorf("title %q and excerpt %q, want %q", th.Title, th.Excerpt, want)
	}
	if th.Words != 5 {
		t.Errorf("%d words, want 5", th.Words)
	}
}

func TestFrontMatter(t *testing.T) {
	for _, tt := range []struct {
		name, source, title string
		line                int // of the first post
	}{
		{"none", "text", "text", 1},
		{"empty", "---\n---\ntext", "text", 3},
		{"comment only", "---\n# nothing\n---\ntext", "text", 4},
		{"blank lines before", "\n \n---\ntitle: t\n---\ntext", "t", 6},
		{"spaces behind the lines", "---  \ntitle: t\n---\t\ntext", "t", 4},
		{"--- in a value", "---\ntitle: \"a\n  ---\n  b\"\n---\ntext", "a --- b", 6},
		{"end of file", "---\ntitle: t\n--- \n\ntext", "t", 5},
		{"null title", "---\ntitle: ~\n---\ntext", "text", 4},
		{"number as title", "---\ntitle: 007\n---\ntext", "007", 4},
		{"tag and anchor", "---\ntitle: &t !!str 12\n---\ntext", "12", 4},
		{"capital key", "---\nTITLE: t\n---\ntext", "t", 4},
		{"control characters", "---\ntitle: \"a\\u0007b\x1b[0m\\nc\"\n---\ntext", "a b [0m c", 4},
		{"surrogate pair", "---\ntitle: \"\\uD83E\\uDDF5 t\"\n---\ntext", "🧵 t", 4},
		{"lone surrogates", "---\ntitle: \"a\\uD83Db\\uDE00c\\ud83d\\\\uD83D\"\n---\ntext", "a\ufffdb\ufffdc\ufffd\\uD83D", 4},
		{"no-break space", "---\ntitle: \"a\\u00a0b\"\n---\ntext", "a\u00a0b", 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			th, problems := Parse("x.md", []byte(tt.source), nil)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			if th.Title != tt.title || th.Posts[0].Line != tt.line || th.Posts[0].Text != "text" {
				t.Errorf("title %q and post %+v; want %q and line %d", th.Title, th.Posts[0], tt.title, tt.line)
			}
		})
	}
}

func TestFrontMatterFaults(t *testing.T) {
	for _, tt := range []struct{ front, want string }{
		{"just text", "x.md:2: expected lines of key: value"},
		{"- a\n- b", "x.md:2: expected lines of key: value"},
		{"a: 1\nparams: [x]", "x.md:3: params: expected lines of key: value"},
		{"a: 1\nb: [1,\nc: 2", "x.md:3: the front matter is not YAML: sequence end token ']' not found"},
		{"a: \"x", "x.md:2: the front matter is not YAML: could not find end character of double-quoted text"},
		{"title: *t", "x.md:2: title: expected one value, found an alias (write the value itself)"},
		{"x: 1\nX: 2", "x.md:3: X: given twice, first on line 2: keep one"},
		{"tags:\n  - a\n  - [b]", "x.md:4: tags: expected a list of words, found a list in it"},
		{"published: 2024-01-01", `x.md:2: published: "2024-01-01" is neither true nor false`},
		{"weight: 1e3", `x.md:2: weight: "1e3" is not a whole number`},
		{"params:\n  id: " + strings.Repeat("x", 201), "x.md:3: params.id: longer than 200 bytes"},
		{"params:\n  id: \"a\\u200bb\"", `x.md:3: params.id: "a\u200bb" holds a space or a character that does not print`},
		{"a: " + strings.Repeat("x", matterLimit), "x.md:2: the front matter is longer than 16 KB: move text into the body"},
	} {
		_, problems := Parse("x.md", []byte("---\n"+tt.front+"\n---\ntext"), nil)
		if len(problems) != 1 || problems[0].Severity != newsletter.Error || !strings.HasPrefix(problems[0].String(), tt.want) {
			t.Errorf("%.40q: %v\nwant %s", tt.front, problems, tt.want)
		}
	}
}

func TestDraft(t *testing.T) {
	for front, want := range map[string]bool{
		"draft: true": true, "draft: TRUE": true, `draft: "true"`: true, "draft: false": false, "draft:": false,
		"published: false": true, "published: true": false, "status: Draft": true, "status: ready": false,
		"published: true\ndraft: true": true, "a: b": false,
	} {
		th, problems := Parse("x.md", []byte("---\n"+front+"\n---\ntext"), nil)
		if th.Draft != want || len(problems) > 0 {
			t.Errorf("%q: draft %v, want %v; %v", front, th.Draft, want, problems)
		}
	}
}

func TestParseDate(t *testing.T) {
	zone := time.FixedZone("", -5*3600)
	for text, want := range map[string]string{
		"2024-03-04":                    "2024-03-04T00:00:00-05:00",
		"2024-03-04 09:30":              "2024-03-04T09:30:00-05:00",
		"2024-03-04T09:30":              "2024-03-04T09:30:00-05:00",
		"2024-03-04 09:30:15":           "2024-03-04T09:30:15-05:00",
		"2024-03-04 09:30:15.5":         "2024-03-04T09:30:15-05:00",
		"2024-03-04T09:30:15Z":          "2024-03-04T09:30:15Z",
		"2024-03-04t09:30:15.123+02:00": "2024-03-04T09:30:15+02:00",
		"2024-03-04 09:30Z":             "2024-03-04T09:30:00Z",
		"2024-03-04 09:30 +0530":        "2024-03-04T09:30:00+05:30",
		"2024-03-04 09:30:15 -0700":     "2024-03-04T09:30:15-07:00",
		"2024-03-04 09:30:15 +02:00":    "2024-03-04T09:30:15+02:00",
		"2024-03-04T09:30:15+0200":      "2024-03-04T09:30:15+02:00",
		"2024-02-30":                    "",
		"2024-3-4":                      "",
		"04/03/2024":                    "",
		"Dec 18 2024":                   "",
		"2024-03-04 25:00":              "",
		"2024-03-04 09:30 CET":          "",
		"0999-01-01":                    "",
		"2024":                          "",
		"":                              "",
		"yesterday":                     "",
	} {
		got, ok := parseDate(text, zone)
		if ok != (want != "") || ok && got.Format(time.RFC3339) != want {
			t.Errorf("%q: %v, %v; want %q", text, got, ok, want)
		}
	}
}

func TestDateWithoutMidnight(t *testing.T) {
	zone, err := time.LoadLocation("Africa/Cairo")
	if err != nil {
		t.Fatal(err)
	}
	th, _ := Parse("2026-04-24-clocks.md", []byte("---\npublishDate: 2026-04-24\n---\ntext"), zone)
	want := time.Date(2026, 4, 24, 1, 0, 0, 0, zone)
	if !th.Date.Equal(want) || !th.PublishDate.Equal(want) {
		t.Errorf("date %v and publishDate %v, want %v", th.Date, th.PublishDate, want)
	}
}

func TestPictures(t *testing.T) {
	for _, tt := range []struct{ address, name, fault string }{
		{"a.png", "a.png", ""},
		{"./sub/../A.JPEG", "A.JPEG", ""},
		{"sub/a%20b.webp?v=1#x", "sub/a b.webp", ""},
		{"100%.svg", "100%.svg", ""},
		{"%41.avif", "A.avif", ""},
		{"http://example.com/x", "", ""},
		{"HTTPS://example.com/x.png", "", ""},
		{"data:image/png;base64,AAAA", "", ""},
		{"https:x.png", "", "neither a file"},
		{"//example.com/x.png", "", "neither a file"},
		{"javascript:alert(1)", "", "neither a file"},
		{`C:\x.png`, "", "neither a file"},
		{"/x.png", "", "leaves"},
		{"../x.png", "", "leaves"},
		{"a/../../x.png", "", "leaves"},
		{"%2e%2e/x.png", "", "leaves"},
		{"a%00.png", "", "leaves"},
		{"%ff.png", "", "leaves"},
		{"a.pdf", "", "not one of the pictures"},
		{"png", "", "not one of the pictures"},
		{"..", "", "leaves"},
		{"", "", "without an address"},
		{"?x", "", "without an address"},
	} {
		name, fault := localPicture(tt.address)
		if name != tt.name || (fault == "") != (tt.fault == "") || !strings.Contains(fault, tt.fault) {
			t.Errorf("%q: %q, %q; want %q, %q", tt.address, name, fault, tt.name, tt.fault)
		}
	}
}

func TestPictureLines(t *testing.T) {
	body := "Text\n![one](1.png)\n\n| a |\n|---|\n| ![two][t] |\n\n---\n\n> - x\n>   ![three *x* `y`](3\\_3.png \"title\") [![four](4.png)](https://example.com)\n\n[t]: 2.png\n"
	_, pictures, faults := parse("x.md", []byte(body), nil)
	want := []picture{{name: "1.png", line: 2}, {name: "2.png", line: 6}, {name: "3_3.png", line: 11}, {name: "4.png", line: 11}}
	if diff := cmp.Diff(want, pictures, cmp.AllowUnexported(picture{})); diff != "" {
		t.Errorf("pictures (-want +got):\n%s", diff)
	}
	if len(faults.problems) > 0 {
		t.Error(faults.problems)
	}
}
