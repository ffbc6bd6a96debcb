package render

import (
	"path"
	"strings"
	"testing"
	"time"

	"github.com/rivo/uniseg"

	"threadmill/internal/newsletter"
	"threadmill/internal/thread"
	"threadmill/threads"
)

// special are threads whose text is hard to set.
func special() map[string]string {
	return map[string]string{
		"table": "---\ntitle: Tables\n---\n| Roller | Load (kg) |\n|---|--:|\n| oak | 900 |\n| ash `a` | 1,200 |\n\n" +
			"| Word | Language | Meaning |\n|---|---|---|\n| ketchup | Hokkien | A brine of pickled fish, which sailors took home and made of whatever was at hand |\n| [tea](https://example.org/tea) | Hokkien | A drink |\n",
		"code":  "---\ntitle: Code\n---\nBefore:\n\n```go\nfunc main() {\n\n\tfmt.Println(\"" + strings.Repeat("long ", 16) + "\")\n}\n```\n\n- in a list:\n\n  ```\n  a\n  ```\n\n> ```\n> quoted\n> ```\n",
		"lists": "---\ntitle: Lists\n---\n1. First\n   - one\n     - deeper, and so long that the line must be broken somewhere below its own words\n       1. deepest\n2. Second\n\n   with a paragraph\n\n- [x] done\n- [ ] open\n",
		"cjk":   "---\ntitle: 小屋を動かすには、まず地面をよく見ること、急がず、力を入れすぎず、転がる丸太の声を聞くこと\nlang: ja\n---\n" + strings.Repeat("急がず、力を入れすぎず、ABC と 転がる丸太の声を聞くこと。", 6) + "\n\n| 言葉 | 意味 |\n|---|---|\n| 丸太 | log |\n| 小屋 | hut |\n",
		"rtl":   "---\ntitle: השער הישן\nlang: he\n---\nלאט לאט, אמרה [השכנה](https://example.org/), הצריף לא ממהר לשום מקום. " + strings.Repeat("שמן וסבלנות. ", 10) + "\n\n---\n\n- שמן\n- `code`\n\n> A line of English.\n",
		"links": "---\ntitle: Links and pictures\n---\n[One](https://a.example/) and [two](https://b.example/), [one again](https://a.example/), https://c.example/bare.\n\n![A cat on a mat](https://a.example/cat.jpg) ![](https://a.example/none.png)\n\nA note.[^1]\n\n[^1]: With a [link](https://d.example/).\n\n---\n\n[Three](https://e.example/).\n",
		"name":  "Only a sentence without a title.\n",
	}
}

// TestGoldenText compares the text of each sample thread, and of special ones.
func TestGoldenText(t *testing.T) {
	sources := special()
	entries, err := threads.FS.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() {
			name = path.Join(name, "index.md")
		}
		text, err := threads.FS.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sources[strings.TrimSuffix(e.Name(), ".md")] = string(text)
	}
	at := time.Date(2026, time.March, 2, 9, 0, 0, 0, time.UTC)
	for name, source := range sources {
		t.Run(name, func(t *testing.T) {
			th, problems := thread.Parse(name+".md", []byte(source), time.UTC)
			for _, p := range problems {
				if p.Severity == newsletter.Error {
					t.Fatal(p)
				}
			}
			issue := newsletter.Issue{Number: 1, Title: th.Title, PublishedAt: at, Threads: []newsletter.Thread{th}}
			m, err := builtin(t).Mail(publication(), issue, reader())
			if err != nil {
				t.Fatal(err)
			}
			golden(t, path.Join("text", name+".txt"), m.Text)
			for line := range strings.SplitSeq(m.Text, "\n") {
				if uniseg.StringWidth(line) > columns && !strings.Contains(line, "://") && !strings.HasPrefix(strings.TrimLeft(line, "> "), "    ") && !strings.Contains(line, "Println") {
					t.Errorf("%d columns: %s", uniseg.StringWidth(line), line)
				}
			}
		})
	}
}
