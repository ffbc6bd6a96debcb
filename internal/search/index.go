package search

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"threadmill/internal/newsletter"
)

// Version is that of the words made of a text. A new one has all texts made
// again.
const Version = 1

const (
	// maxText is how much of a thread's text can be found, in bytes.
	maxText = 256 << 10
	// chunk is how many threads are kept in one transaction, so that others who
	// write have their turn.
	chunk = 10
	// again is how long after a failure it is tried once more.
	again = time.Minute
)

// Store keeps the texts.
type Store interface {
	// UnreadTexts returns at most n threads that are out and whose text is not
	// kept as it is now, by this version.
	UnreadTexts(ctx context.Context, version, n int) ([]newsletter.UnreadText, error)
	KeepTexts(ctx context.Context, texts []newsletter.SearchText) error
}

// Index keeps the texts of the threads that are out.
type Index struct {
	Store Store
	// Parse reads a thread, and Plain is what a reader sees of a post.
	Parse func(file, source string) newsletter.Thread
	Plain func(markdown string) string
	Log   *slog.Logger
}

// Run keeps the texts at each wake until ctx is done. It is meant to run beside
// the work, since the first time takes a while.
func (x Index) Run(ctx context.Context, wake <-chan struct{}) {
	retry := time.NewTimer(again)
	retry.Stop()
	defer retry.Stop()
	for {
		select {
		case <-wake:
		case <-retry.C:
		case <-ctx.Done():
			return
		}
		if _, err := x.Update(ctx); err != nil && ctx.Err() == nil {
			x.Log.Error("keep what the search finds; it is tried again", "err", err)
			retry.Reset(again)
		}
	}
}

// Update keeps the texts that are new, and tells how many those were.
func (x Index) Update(ctx context.Context) (kept int, err error) {
	for ctx.Err() == nil {
		list, err := x.Store.UnreadTexts(ctx, Version, chunk)
		if err != nil || len(list) == 0 {
			return kept, err
		}
		texts := make([]newsletter.SearchText, len(list))
		for i, u := range list {
			texts[i] = x.text(u)
		}
		if err := x.Store.KeepTexts(ctx, texts); err != nil {
			return kept, fmt.Errorf("keep texts to search: %w", err)
		}
		kept += len(texts)
	}
	return kept, ctx.Err()
}

// text is what the search knows of a thread.
func (x Index) text(u newsletter.UnreadText) newsletter.SearchText {
	t := x.Parse(u.File, u.Source)
	var b strings.Builder
	for _, p := range t.Posts {
		markdown := p.Text
		if t.References != "" {
			markdown += "\n\n" + t.References
		}
		b.WriteString(x.Plain(markdown))
		b.WriteString("\n")
		if b.Len() > maxText {
			break
		}
	}
	text := strings.TrimSpace(norm.NFC.String(strings.ToValidUTF8(b.String()[:min(b.Len(), maxText)], "")))
	return newsletter.SearchText{
		Number: u.Number, Digest: u.Digest, Version: Version, Shown: t.Via(newsletter.ChannelWeb),
		Title: t.Title, Lang: t.Lang, Posts: len(t.Posts), Minutes: t.Minutes, Written: t.Date, Text: text,
		TitleWords: row(t.Title), TagWords: row(t.Tags...), TextWords: row(text),
	}
}

// row is the words of texts with a space before and after each. A bar stands
// between two texts, so that no phrase goes over it.
func row(texts ...string) string {
	var b strings.Builder
	b.WriteString(" ")
	for i, text := range texts {
		if i > 0 {
			b.WriteString("| ")
		}
		for _, w := range Words(norm.NFC.String(text)) {
			b.WriteString(w.Text)
			b.WriteString(" ")
		}
	}
	return b.String()
}
