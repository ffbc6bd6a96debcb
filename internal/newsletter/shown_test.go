package newsletter_test

import (
	"strings"
	"testing"

	"threadmill/internal/newsletter"
)

// TestRecall finds threads by id, page and text, each once.
func TestRecall(t *testing.T) {
	thread := func(id, guid, slug, title, text string) newsletter.Listed {
		return newsletter.Listed{Thread: newsletter.Thread{ID: id, GUID: guid, Slug: slug, Title: title, Posts: []newsletter.Post{{Text: text}}}}
	}
	threads := []newsletter.Listed{
		thread("a", "tag:a", "a", "A", "Nothing that is said elsewhere"),
		thread("b", "tag:new", "b", "B", "Another text"),
		thread("c", "tag:c", "c", "C", "One two three four five six seven eight nine ten"),
		thread("d", "tag:d", "d", "D", "Never went out"),
	}
	feeds := []newsletter.Shown{
		{GUID: "x", URL: "https://e.example/threads/z/", Title: "Z", Text: "one, two, three, four, five, six, seven, eight, nine, twelve"},
		{GUID: "tag:a", URL: "https://e.example/threads/b/"},
		{GUID: "tag:old", URL: "https://e.example/news/threads/b/"},
		{GUID: "y", URL: "https://e.example/threads/y/", Title: "Y", Text: "Something that nobody has here"},
	}
	found, unknown := newsletter.Recall(threads, feeds, func(text string) string { return text })
	var got []string
	for _, f := range found {
		got = append(got, f.ID+"="+f.Shown.GUID)
	}
	if strings.Join(got, " ") != "a=tag:a b=tag:old c=x" || len(unknown) != 1 || unknown[0].GUID != "y" {
		t.Errorf("found %v, and not %v", got, unknown)
	}
}
