package search_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/newsletter"
	"threadmill/internal/search"
)

func TestWords(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                          "",
		"Hello, World!":             "hello world",
		"Don't re-use C++ & C#":     "don t re use c c",
		"Ärger à la café":           "arger a la cafe",
		"cafe\u0301 ﬁne Ｆｕｌｌ ½":     "cafe fine full 12",
		"Straße ŁÓDŹ Ærø ΣΟΦΟΣ":     "strasse lodz aero σοφοσ",
		"soft\u00adhyphen":          "softhyphen",
		"zero\u200bwidth":           "zero width",
		"שָׁלוֹם":                   "שלום",
		"كِتَاب":                    "كتاب",
		"हिन्दी":                    "हिन्दी",
		"東京都":                       "東京 京都 都",
		"Go言語で":                     "go 言語 語で で",
		"京":                         "京",
		"ガラス ｶﾞﾗｽ":                  "ガラ ラス ス ガラ ラス ス",
		"서울에":                       "서울 울에 에",
		"ภาษาไทย":                   "ภา าษ ษา าไ ไท ทย ย",
		"a\x00b\xffc":               "a b c",
		"🙂 1.5 🇩🇪":                  "1 5",
		strings.Repeat("a", 100):    strings.Repeat("a", 64),
		strings.Repeat("é", 100):    strings.Repeat("e", 64),
		"\u0301\u0301":              "",
		"x\ufe0f":                   "x",
		"İstanbul ISPARTA ılık İİİ": "istanbul isparta ilik iii",
	} {
		var got []string
		for _, w := range search.Words(text) {
			got = append(got, w.Text)
		}
		if diff := cmp.Diff(want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	word := func(words ...string) newsletter.SearchTerm { return newsletter.SearchTerm{Words: words} }
	begin := func(words ...string) newsletter.SearchTerm {
		return newsletter.SearchTerm{Words: words, Prefix: true}
	}
	for text, want := range map[string][]newsletter.SearchTerm{
		"":                    nil,
		" \t\n":               nil,
		`"`:                   nil,
		`""`:                  nil,
		"*":                   nil,
		"one":                 {begin("one")},
		"one two ":            {word("one"), begin("two")},
		`"one two"`:           {word("one", "two")},
		`“one two” three`:     {word("one", "two"), begin("three")},
		`a"one two`:           {word("a"), begin("one", "two")},
		"go/no-go":            {begin("go", "no", "go")},
		"c++":                 {word("c")},
		"a OR b AND NOT c*":   {word("a"), word("or"), word("b"), word("and"), word("not"), word("c")},
		"東":                   {begin("東")},
		"東京":                  {word("東京")},
		"東京都":                 {word("東京", "京都")},
		"「東京 タワー」":            {word("東京", "京", "タワ", "ワー")},
		"Go言語":                {word("go", "言語")},
		"one\x00two":          {word("one"), begin("two")},
		"\xff\xfe":            nil,
		"title:rope -x ^(y)z": {word("title", "rope"), word("x"), word("y", "z")},
	} {
		if diff := cmp.Diff(want, search.Parse(text)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

// shown is an excerpt with brackets around what is marked.
func shown(list []search.Piece) string {
	var b strings.Builder
	for _, p := range list {
		if p.Mark {
			p.Text = "[" + p.Text + "]"
		}
		b.WriteString(p.Text)
	}
	return b.String()
}

func TestMark(t *testing.T) {
	t.Parallel()
	for _, test := range [][3]string{
		{"The Café at the mill", "cafe mil", "The [Café] at the [mill]"},
		{"old mill, new mill", `"new mill"`, "old mill, [new mill]"},
		{"東京タワーを見た", "京タ", "東[京タ]ワーを見た"},
		{"東京タワーを見た", "タワーを", "東京[タワーを]見た"},
		{"東京タワーを見た", "見", "東京タワーを[見]た"},
		{"<b>bold</b>", "b", "<[b]>bold</[b]>"},
		{"nothing", "else", "nothing"},
	} {
		if got := shown(search.Mark(test[0], search.Parse(test[1]))); got != test[2] {
			t.Errorf("%s in %s: %s, want %s", test[1], test[0], got, test[2])
		}
	}
}

func TestExcerpt(t *testing.T) {
	t.Parallel()
	filler := strings.Repeat("words and more words go by here. ", 30)
	text := filler + "A rope. " + filler + "The rope of the mill lies here. " + filler
	got := shown(search.Excerpt(text, search.Parse("rope mill")))
	if !strings.Contains(got, "The [rope] of the [mill] lies") || !strings.HasPrefix(got, "… ") || !strings.HasSuffix(got, " …") || len(got) > 350 {
		t.Errorf("%d bytes: %s", len(got), got)
	}
	if got := shown(search.Excerpt(text, search.Parse("absent"))); !strings.HasPrefix(got, "words and more") {
		t.Errorf("not the beginning: %s", got)
	}
	if got := shown(search.Excerpt("Short rope.", search.Parse("rope"))); got != "Short [rope]." {
		t.Error(got)
	}
}

// FuzzParse takes any text for a query and any for what is searched: nothing
// that comes out may mean something to a database, and the pieces of an
// excerpt stand in the text.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", `a "b c" d`, "NEAR(x y) AND * : -", "東京都", "\x00\xff\"'\\", "ｶﾞ́İﷺ㍿", "%_", "ภาษา 서울"} {
		f.Add(seed, "The old mill. 東京タワー "+seed)
	}
	f.Fuzz(func(t *testing.T, query, text string) {
		terms := search.Parse(query)
		if len(terms) > 16 {
			t.Fatalf("%d terms", len(terms))
		}
		for _, term := range terms {
			if len(term.Words) == 0 {
				t.Fatal("a term of no words")
			}
			for _, w := range term.Words {
				if w == "" || len(w) > 2046 || !utf8.ValidString(w) || strings.ContainsAny(w, " \t\n\x00'\"\\%_|&!:*()<>-^{}") {
					t.Fatalf("%q has the word %q", query, w)
				}
			}
		}
		var all strings.Builder
		for _, p := range search.Mark(text, terms) {
			all.WriteString(p.Text)
		}
		if all.String() != text {
			t.Fatalf("the pieces of %q are %q", text, all.String())
		}
		for _, p := range search.Excerpt(text, terms) {
			if !strings.Contains(text, p.Text) && !strings.Contains(p.Text, "…") {
				t.Fatalf("%q is no part of %q", p.Text, text)
			}
		}
	})
}

// FuzzFound looks for parts of a text, which must be found there.
func FuzzFound(f *testing.F) {
	f.Add("The old mill", uint(4), uint(8))
	f.Add("東京タワー", uint(3), uint(9))
	f.Fuzz(func(t *testing.T, text string, from, to uint) {
		text = search.Clip(text)
		if len(text) == 0 {
			return
		}
		words := search.Words(text)
		if len(words) == 0 || len(words) > 64 {
			return
		}
		i := int(from % uint(len(words)))
		j := i + int(to%uint(len(words)-i))
		part := text[words[i].Start:words[j].End]
		terms := search.Parse(`"` + part)
		if len(terms) != 1 {
			return // it holds quotation marks itself, or no word
		}
		for _, p := range search.Mark(text, terms) {
			if p.Mark {
				return
			}
		}
		t.Fatalf("%q is not found in %q: %v", part, text, terms)
	})
}
