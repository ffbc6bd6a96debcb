package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"threadmill/internal/newsletter"
)

// isOut is the condition on threads t that they are on the site.
const isOut = `t.withdrawn_at IS NULL AND (t.archived_at IS NOT NULL OR EXISTS (SELECT 1 FROM issue_threads o WHERE o.thread = t.id))`

// UnreadTexts returns at most n threads that are out and whose text the search
// does not know as it is now, or knows as another version made it. The newest
// come first, since they are looked for the most.
func (s *Store) UnreadTexts(ctx context.Context, version, n int) ([]newsletter.UnreadText, error) {
	var list []newsletter.UnreadText
	err := each(ctx, s.reader, func(rows *sql.Rows) error {
		var u newsletter.UnreadText
		err := rows.Scan(&u.Number, &u.Digest, &u.File, &u.Source)
		list = append(list, u)
		return err
	}, `SELECT t.number, t.digest, t.file, t.source FROM threads t LEFT JOIN thread_texts x ON x.number = t.number
		WHERE `+isOut+` AND (x.number IS NULL OR x.digest <> t.digest OR x.version < $1) ORDER BY t.number DESC LIMIT $2`, version, n)
	if err != nil {
		return nil, fmt.Errorf("read threads for the search: %w", err)
	}
	return list, nil
}

// KeepTexts keeps what the search knows of threads, in one transaction.
func (s *Store) KeepTexts(ctx context.Context, texts []newsletter.SearchText) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		for _, x := range texts {
			_, err := tx.ExecContext(ctx, `INSERT INTO thread_texts
				(number, digest, version, shown, title, lang, posts, minutes, written_at, title_words, tag_words, text, text_words)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
				ON CONFLICT (number) DO UPDATE SET digest = excluded.digest, version = excluded.version, shown = excluded.shown,
					title = excluded.title, lang = excluded.lang, posts = excluded.posts, minutes = excluded.minutes,
					written_at = excluded.written_at, title_words = excluded.title_words, tag_words = excluded.tag_words,
					text = excluded.text, text_words = excluded.text_words`,
				x.Number, x.Digest, x.Version, x.Shown, plain(x.Title), plain(x.Lang), x.Posts, x.Minutes, msOrNull(x.Written),
				plain(x.TitleWords), plain(x.TagWords), plain(x.Text), plain(x.TextWords))
			if err != nil {
				return fmt.Errorf("keep the text of a thread: %w", err)
			}
		}
		return nil
	})
}

// Search returns the threads on the site that hold all the terms, and how many
// there are in all. Those come first that have them in title or tags, then the
// newest. No terms find nothing. The words of terms must be folded: letters,
// digits and marks only.
func (s *Store) Search(ctx context.Context, terms []newsletter.SearchTerm, offset, limit int) (list []newsletter.Found, total int, err error) {
	if len(terms) == 0 {
		return nil, 0, nil
	}
	query, args := s.searchSQL(terms)
	err = each(ctx, s.reader, func(rows *sql.Rows) error {
		var f newsletter.Found
		var written, out sql.NullInt64
		err := rows.Scan(&total, &f.Slug, &f.Title, &f.Lang, &f.Posts, &f.Minutes, &written, &out, &f.Text)
		f.Written, f.OutAt = timeOf(written), timeOf(out)
		list = append(list, f)
		return err
	}, query, append(args, limit, offset)...)
	if err != nil {
		return nil, 0, fmt.Errorf("search: %w", err)
	}
	return list, total, nil
}

// searchSQL finds and orders with the small columns, and reads the texts of
// those on the page only.
func (s *Store) searchSQL(terms []newsletter.SearchTerm) (query string, args []any) {
	args = []any{s.lookFor(terms)}
	where, score := "", "0"
	for _, t := range terms {
		args = append(args, like(t))
		n := len(args)
		score += fmt.Sprintf(" + CASE WHEN x.title_words LIKE $%[1]d THEN 3 ELSE 0 END + CASE WHEN x.tag_words LIKE $%[1]d THEN 2 ELSE 0 END", n)
		if len(t.Words) > 1 { // the index knows nothing of the order of words
			where += fmt.Sprintf(" AND (x.title_words LIKE $%[1]d OR x.tag_words LIKE $%[1]d OR x.text_words LIKE $%[1]d)", n)
		}
	}
	return fmt.Sprintf(`WITH found AS (
			SELECT count(*) OVER () AS total, x.number, t.slug, coalesce(i.published_at, t.archived_at) AS out_at, %s AS score
			FROM thread_texts x JOIN threads t ON t.number = x.number
			LEFT JOIN issue_threads it ON it.thread = t.id LEFT JOIN issues i ON i.number = it.issue
			WHERE %s AND x.shown AND %s%s
			ORDER BY score DESC, out_at DESC, x.number DESC LIMIT $%d OFFSET $%d)
		SELECT f.total, f.slug, x.title, x.lang, x.posts, x.minutes, x.written_at, f.out_at, x.text
		FROM found f JOIN thread_texts x ON x.number = f.number ORDER BY f.score DESC, f.out_at DESC, f.number DESC`,
		score, s.words, isOut, where, len(args)+1, len(args)+2), args
}

// lookFor is the query of the database's own index for the words of terms.
// They are letters and digits, but quoted all the same.
func (s *Store) lookFor(terms []newsletter.SearchTerm) string {
	var parts []string
	for _, t := range terms {
		for i, w := range t.Words {
			part := s.word(w)
			if t.Prefix && i == len(t.Words)-1 {
				part += s.prefix
			}
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, s.and)
}

// like is a pattern for a column of words that has the term. Letters and digits
// mean nothing in it.
func like(t newsletter.SearchTerm) string {
	pattern := "% " + strings.Join(t.Words, " ")
	if t.Prefix {
		return pattern + "%"
	}
	return pattern + " %"
}
